"""How each kind of row is measured: interleaved rounds of fresh processes, then medians."""

import os
import statistics
import sys
import tempfile
from dataclasses import dataclass, field, replace

from .modes import close_to_best, recall, remember
from .processes import has_compiler
from .rows import NETWORKS

__all__ = ["MEASURES", "Measurement"]

LOSS_STEPS = 20
# Networks with fewer timed steps than this take a second or so for each: two rounds are enough.
LARGE = 10


@dataclass
class Measurement:
    """What a row of the table shows.

    Attributes:
        own: Flambeau's seconds or bytes.
        other: those of PyTorch, or of what `label` names.
        ratio: what is compared with the row's ratio to reach, if that is a ratio.
        label: PyTorch's mode, or what stands in its place.
        amount: "s" or "B".
        losses: Flambeau's of each step, and PyTorch's.
        detail: medians of each round, for --json.
    """

    own: float | None = None
    other: float | None = None
    ratio: float | None = None
    label: str = ""
    amount: str = "s"
    losses: tuple | None = None
    detail: dict = field(default_factory=dict)


def against(own, other, **more):
    """The measurement whose ratio is own / other."""
    return Measurement(own, other, own / other if own and other else None, **more)


def median_of(results, key):
    """The median of what the processes report under `key`; None without any."""
    values = [result[key] for result in results if result is not None and key in result]
    return statistics.median(values) if values else None


def _modes(session, row, network):
    """PyTorch's modes that are worth a round, fastest first; tries what was never tried.

    With --quick, torch.compile takes part only where it was tried before, and a network of an
    unseen size takes the modes of the network it varies.
    """
    if not session.torch:
        return []
    options = session.options
    allowed = [mode for mode in (*network.modes, *(("compile",) if options.compile_all else ()))
               if mode != "compile" or (has_compiler() and not options.no_compile)]
    allowed = list(dict.fromkeys(allowed))
    if row.measure == "inference":
        key, extra = f"{row.network}, inference", ("--inference",)
    else:
        key, extra = row.network, ()
    known = recall(key, session.torch, options.threads)
    if options.quick and row.group == "unseen" and not known:
        known = recall(row.network.partition("-")[0], session.torch, options.threads)
    tried = {}
    for mode in allowed:
        if mode not in known and not (options.quick and mode == "compile"):
            result = session.run("torch", network.script, *network.sizes, *extra, "--mode", mode,
                                 "--warmup", 2, "--steps", network.quick_steps)
            tried[mode] = result and result["step_s"]
    if tried:
        remember(key, session.torch, options.threads, tried)
    return close_to_best({**known, **tried}, allowed)


def _few(rounds, costly):
    """At most two rounds of what takes long."""
    return min(rounds, 2) if costly else rounds


def _rounds(session, row):
    """Results of all rounds: by "flambeau" and by PyTorch's mode. Measured once a network."""
    found = session.results.get((row.network, row.measure))
    if found is not None:
        return found
    network, options = NETWORKS[row.network], session.options
    modes = _modes(session, row, network)
    steps = network.quick_steps if options.quick else network.steps
    inference = row.measure == "inference"
    extra = ("--inference",) if inference else ()
    found = {name: [] for name in ("flambeau", *modes)}
    large = network.steps < LARGE
    for number in range(_few(options.rounds, large or row.group == "unseen")):
        count = steps
        if number == 0 and not inference and not (large and options.quick):
            count = max(steps, LOSS_STEPS - 3)      # the first step, two to warm up, and these
        for name, results in found.items():
            library, mode = ("flambeau", "eager") if name == "flambeau" else ("torch", name)
            results.append(session.run(library, network.script, *network.sizes, *extra, "--mode",
                                       mode, "--warmup", 2, "--steps", count))
    session.results[row.network, row.measure] = found
    return found


def _fastest(found):
    """PyTorch's mode with the shortest step."""
    times = {name: median_of(results, "step_s") for name, results in found.items()
             if name != "flambeau"}
    times = {name: time for name, time in times.items() if time}
    return min(times, key=times.get) if times else None


def _losses(own, other):
    """Losses by step, of the first process of each library that ended well."""
    pair = [next((r["losses"] for r in results if r), None) for results in (own, other)]
    return None if None in pair else tuple(pair)


def training(session, row):
    """Seconds of a step (or of a forward pass), against PyTorch's fastest mode."""
    found = _rounds(session, row)
    mode = _fastest(found)
    detail = {name: [r and r["step_s"] for r in results] for name, results in found.items()}
    return against(median_of(found["flambeau"], "step_s"),
                   median_of(found[mode], "step_s") if mode else None, label=mode or "",
                   losses=_losses(found["flambeau"], found[mode]) if mode else None,
                   detail=detail)


def peak_memory(session, row):
    """Bytes that the training processes held at most."""
    found = _rounds(session, replace(row, measure="training"))
    mode = _fastest(found)
    return against(median_of(found["flambeau"], "peak_bytes"),
                   median_of(found[mode], "peak_bytes") if mode else None, label=mode or "",
                   amount="B")


def epoch(session, row):
    """Seconds of the first epoch in a process."""
    del row
    data = session.fashion_data()
    found = {library: [] for library in session.libraries}
    for _ in range(session.options.rounds):
        for library, results in found.items():
            results.append(session.run(library, "epoch", "--data", data))
    own, other = found["flambeau"], found.get("torch", [])
    return against(median_of(own, "step_s"), median_of(other, "step_s"),
                   losses=_losses(own, other))


_IMPORT = "import time; b = time.perf_counter(); import {}; print(time.perf_counter() - b)"


def imports(session, row):
    """Seconds of the import alone, in processes that did nothing before."""
    del row
    times = {library: [] for library in session.libraries}
    for number in range(2 + 2 * session.options.rounds):
        for library, found in times.items():
            python = sys.executable if library == "flambeau" else session.options.torch_python
            seconds = session.output([python, "-c", _IMPORT.format(library)], f"import {library}")
            if number and seconds is not None:      # the first may write .pyc files
                found.append(seconds)
    return against(*(statistics.median(times[library]) if times.get(library) else None
                     for library in ("flambeau", "torch")))


def _first(session, name):
    """Results of processes with an empty cache, of those after them, and of PyTorch's."""
    found = session.results.get((name, "first"))
    if found is not None:
        return found
    network, options = NETWORKS[name], session.options
    found = {"cold": [], "warm": [], "torch": []}
    rounds = 1 if network.steps < LARGE else options.rounds
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as cache:
            for kind in ("cold", "warm"):
                found[kind].append(session.run(
                    "flambeau", network.script, *network.sizes, "--warmup", 2, "--steps", 1,
                    FLAMBEAU_CACHE=os.path.join(cache, "cache")))
        if session.torch:
            found["torch"].append(session.run("torch", network.script, *network.sizes,
                                              "--warmup", 2, "--steps", 1))
    session.results[name, "first"] = found
    return found


def first_step(session, row):
    """Seconds of the slowest of the first three steps with an empty cache."""
    found = _first(session, row.network)
    return against(median_of(found["cold"], "slowest_s"), median_of(found["torch"], "slowest_s"),
                   detail=found)


def second_process(session, row):
    """The same in a process after it, which finds the cache filled."""
    found = _first(session, row.network)
    return against(median_of(found["warm"], "slowest_s"), median_of(found["torch"], "slowest_s"))


def busy_core(session, row):
    """Seconds of a step while another process computes, against the same process's before."""
    network = NETWORKS[row.network]
    found = {library: [] for library in session.libraries}
    steps = network.steps
    for _ in range(session.options.rounds):
        for library, results in found.items():
            results.append(session.run(library, network.script, "--busy", "--steps", steps))
    times = [statistics.median(r["busy_s"] / r["step_s"] for r in results if r)
             if any(results) else None for results in (found["flambeau"], found.get("torch", []))]
    busy, quiet = (median_of(found["flambeau"], key) for key in ("busy_s", "step_s"))
    return Measurement(busy, quiet, times[0], detail=found, label="quiet"
                       + (f"; PyTorch {times[1]:.1f} times" if times[1] else ""))


def bandwidth(session, row):
    """Seconds to read and write 64 MB once, against a copy of as much."""
    found = session.results.get("bandwidth")
    if found is None:
        found = {library: [session.run(library, "bandwidth", "--steps", 8)
                           for _ in range(session.options.rounds)]
                 for library in session.libraries}
        session.results["bandwidth"] = found
    own, copy = (median_of(found["flambeau"], key) for key in (f"{row.name}_s", "copy_s"))
    other = median_of(found.get("torch", []), f"{row.name}_s")
    return against(own, copy, label="copy"
                   + (f"; PyTorch {other * 1e3:.0f} ms" if other else ""), detail=found)


def sgemm(session, row):
    """Seconds of a product, against NumPy's."""
    found = session.results.get("sgemm")
    if found is None:
        found = {"flambeau": [], "torch": [], "numpy": []}
        for number in range(1 if session.options.quick else 2 + session.options.rounds):
            found["flambeau"].append(session.run("flambeau", "sgemm"))
            found["numpy"].append(session.run("numpy", "sgemm", "--numpy"))
            if number == 0 and session.torch:
                found["torch"].append(session.run("torch", "sgemm"))
        session.results["sgemm"] = found
    size = row.name.partition("-")[2]
    other = median_of(found["torch"], size)
    return against(median_of(found["flambeau"], size), median_of(found["numpy"], size),
                   label="NumPy" + (f"; PyTorch {other * 1e3:.2f} ms" if other else ""),
                   detail=found)


def recording(session, row):
    """Seconds to record a known op, the call of a Python function taken off."""
    del row
    found = {library: [] for library in session.libraries}
    for _ in range(session.options.rounds):
        for library, results in found.items():
            results.append(session.run(library, "recording"))
    return Measurement(median_of(found["flambeau"], "record_s"),
                       median_of(found.get("torch", []), "record_s"),
                       label="computing it", detail=found)


MEASURES = {function.__name__: function for function in
            (bandwidth, busy_core, epoch, first_step, imports, peak_memory, recording,
             second_process, sgemm, training)}
MEASURES["inference"] = training
