"""The same PyTorch-API scripts under Flambeau and under PyTorch, in turn, in fresh processes.

    python benchmarks/compare.py --all            # every comparison
    python benchmarks/compare.py --only mlp cnn   # some
    python benchmarks/compare.py --all --quick    # fewer steps and rounds

Each round runs every library once, so that what else the machine does hits both alike. Printed are
medians over the rounds and the ratio PyTorch / Flambeau: above 1, Flambeau is faster. PyTorch is
given its best mode: eager, channels_last, and with --compile torch.compile too.
"""

import argparse
import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)

# name: (what is measured, steps, steps with --quick, PyTorch's modes besides eager)
WORKLOADS = {
    "mlp": ("MLP 784-512-512-10, batch 64", 200, 50, ()),
    "cnn": ("CNN, 2 convolutions of 20 channels, batch 64", 100, 30, ("channels_last",)),
    "gpt": ("GPT, 4 layers of 128, context 64, batch 12", 40, 10, ()),
    "resnet18": ("ResNet-18, 32x32, batch 64", 8, 3, ("channels_last",)),
    "resnet50": ("ResNet-50, 224x224, batch 8", 6, 2, ("channels_last",)),
    "lstm": ("LSTM language model, 2 layers of 200, batch 20", 15, 5, ()),
    "fashion": ("epoch of Fashion-MNIST, CNN, DataLoader", 1, 1, ()),
}
OTHERS = ("import", "first", "size")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="run every comparison")
    parser.add_argument("--only", nargs="+", default=[], choices=(*WORKLOADS, *OTHERS),
                        metavar="NAME", help=f"run some of {', '.join((*WORKLOADS, *OTHERS))}")
    parser.add_argument("--quick", action="store_true", help="fewer steps and rounds")
    parser.add_argument("--rounds", type=int, help="processes a library (5; quick: 2)")
    parser.add_argument("--threads", type=int, default=0, help="threads (default: each library's)")
    parser.add_argument("--compile", action="store_true", help="time torch.compile too")
    parser.add_argument("--data", default="data", help="folder of Fashion-MNIST")
    parser.add_argument("--torch-python", default=sys.executable,
                        help="the interpreter that has PyTorch")
    parser.add_argument("--json", metavar="FILE", help="write the results to a file as well")
    found = parser.parse_args()
    found.names = list((*WORKLOADS, *OTHERS)) if found.all else found.only
    if not found.names:
        parser.error("give --all or --only NAME")
    found.rounds = found.rounds or (2 if found.quick else 5)
    return found


def has_torch(python):
    return subprocess.run([python, "-c", "import torch"], capture_output=True).returncode == 0


def command(library, options, script, *rest):
    """How to run a script under a library."""
    if library == "flambeau":
        return [sys.executable, "-m", "flambeau", script, *rest]
    return [options.torch_python, script, *rest]


def environment(**more):
    path = os.pathsep.join(filter(None, (ROOT, os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, **more}


def run(library, options, name, mode="eager", steps=None, **more):
    """The result of one process of a workload; None if it failed (and why on stderr)."""
    script = os.path.join(HERE, "workloads", f"{name}.py")
    rest = ["--mode", mode, "--data", options.data]
    if steps:
        rest += ["--steps", str(steps)]
    if options.threads:
        rest += ["--threads", str(options.threads)]
    done = subprocess.run(command(library, options, script, *rest), capture_output=True, text=True,
                          env=environment(**more))
    if done.returncode:
        print(f"{name} under {library} ({mode}) failed:\n{done.stderr[-1500:]}", file=sys.stderr)
        return None
    return json.loads(done.stdout.strip().splitlines()[-1])


def median_of(results, key):
    return statistics.median(r[key] for r in results)


def compare_steps(name, options, torch_there):
    """Median step times by library and mode."""
    title, steps, quick_steps, extra = WORKLOADS[name]
    runs = [("flambeau", "eager")]
    if torch_there:
        runs += [("torch", mode) for mode in
                 ("eager", *extra, *(("compile",) if options.compile else ()))]
    results = {r: [] for r in runs}
    for _ in range(options.rounds):
        for library, mode in runs:
            found = run(library, options, name, mode, quick_steps if options.quick else steps)
            if found is not None:
                results[library, mode].append(found)
    key = "first_s" if name == "fashion" else "step_s"      # the first epoch is the one timed
    times = {r: median_of(found, key) for r, found in results.items() if found}
    losses = {r: found[0]["loss"] for r, found in results.items() if found}
    return title, times, losses


def first_steps(options, torch_there):
    """The first step of the small models, with an empty and with a warm cache."""
    rows = []
    for name in ("mlp", "cnn"):
        cold, warm, other = [], [], []
        for _ in range(options.rounds):
            with tempfile.TemporaryDirectory() as cache:
                for found in (cold, warm):
                    result = run("flambeau", options, name, steps=1, FLAMBEAU_CACHE=cache)
                    if result:
                        found.append(result)
            if torch_there:
                result = run("torch", options, name, steps=1)
                if result:
                    other.append(result)
        base = median_of(other, "first_s") if other else None
        for kind, found in (("empty", cold), ("warm", warm)):
            if found:
                rows.append((f"first step, {name}, {kind} cache", median_of(found, "first_s"),
                             base))
    return rows


def import_time(options, torch_there):
    """Seconds of an import, without the interpreter's own start."""
    def seconds(python, text):
        times = []
        for _ in range(max(5, options.rounds)):
            begin = time.perf_counter()
            subprocess.run([python, "-c", text], check=True, env=environment())
            times.append(time.perf_counter() - begin)
        return statistics.median(times)
    own = seconds(sys.executable, "import flambeau") - seconds(sys.executable, "pass")
    other = None
    if torch_there:
        other = (seconds(options.torch_python, "import torch")
                 - seconds(options.torch_python, "pass"))
    return [("import", own, other)]


_SIZE = """
import importlib.metadata as m, re, sys, os
def walk(name, seen):
    name = re.sub(r"[-_.]+", "-", name).lower()
    if name in seen: return 0
    seen.add(name)
    try: d = m.distribution(name)
    except m.PackageNotFoundError: return 0
    size = sum(f.locate().stat().st_size for f in d.files or () if f.locate().is_file())
    for r in d.requires or ():
        if "extra ==" in r: continue
        size += walk(re.match(r"[A-Za-z0-9_.-]+", r).group(), seen)
    return size
print(sum(walk(n, seen) for seen in [set()] for n in sys.argv[1:]))
"""


def installed_size(options, torch_there):
    """Bytes of a library with what it needs."""
    def size(python, *names):
        done = subprocess.run([python, "-c", _SIZE, *names], capture_output=True, text=True,
                              check=True)
        return int(done.stdout)
    own = size(sys.executable, "numpy", "llvmlite")
    for folder, _, files in os.walk(os.path.join(ROOT, "flambeau")):
        if "__pycache__" not in folder:
            own += sum(os.path.getsize(os.path.join(folder, f)) for f in files)
    other = size(options.torch_python, "torch", "numpy") if torch_there else None
    return [("installed size, MB", own / 1e6, None if other is None else other / 1e6)]


def text_of(value, title):
    if value is None:
        return "-"
    if "MB" in title:
        return f"{value:.0f} MB"
    return f"{value * 1e3:.2f} ms" if value < 1 else f"{value:.2f} s"


def version(python, name):
    done = subprocess.run([python, "-c", f"import importlib.metadata as m; print(m.version("
                                         f"{name!r}))"], capture_output=True, text=True)
    return done.stdout.strip() or "not installed"


def main():
    options = arguments()
    torch_there = has_torch(options.torch_python)
    print(f"PyTorch {version(options.torch_python, 'torch')}, NumPy "
          f"{importlib.metadata.version('numpy')}, {os.cpu_count()} CPUs, {options.rounds} rounds")
    print(f"\n| {'comparison':<48} | {'Flambeau':>10} | {'PyTorch':>22} | {'ratio':>6} |")
    print(f"|{'-' * 50}|{'-' * 11}:|{'-' * 23}:|{'-' * 7}:|", flush=True)
    records = []

    def row(title, own, other, mode=""):
        ratio = f"{other / own:.2f}" if own and other else "-"
        shown = text_of(other, title) + (f" ({mode})" if mode not in ("", "eager") else "")
        print(f"| {title:<48} | {text_of(own, title):>10} | {shown:>22} | {ratio:>6} |",
              flush=True)
        records.append({"title": title, "flambeau": own, "torch": other, "mode": mode})

    for name in options.names:
        if name in WORKLOADS:
            title, times, losses = compare_steps(name, options, torch_there)
            own = times.pop(("flambeau", "eager"), None)
            best = min(times, key=times.get) if times else ("torch", "")
            row(title, own, times.get(best), best[1])
            if len(losses) > 1 and ("flambeau", "eager") in losses:
                reference = losses.get(("torch", "eager"), losses[best])
                apart = abs(losses["flambeau", "eager"] - reference)
                if apart > 1e-2 * max(1e-3, abs(reference)):
                    print(f"  (losses differ: {losses})", file=sys.stderr)
        else:
            compare = {"import": import_time, "first": first_steps, "size": installed_size}[name]
            for found in compare(options, torch_there):
                row(*found)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(records, file, indent=1)


if __name__ == "__main__":
    main()
