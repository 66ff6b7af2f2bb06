"""What this machine can do at most: multiply-adds a second, and bytes copied a second.

Measured once by two small kernels on all threads, and remembered in the cache folder by processor,
threads and vector width. A busy machine measures too little: :func:`measure_again`
keeps the larger.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from typing import NamedTuple

import numpy as np

from ..codegen.emitter import F32, Module, vector
from ..runtime import _cache, _cpu
from ..runtime._pool import Integer, KernelCall, Pointer, Program, get_num_threads
from ..runtime.buffer import Buffer

__all__ = ["Peaks", "measure_again", "peaks"]

_VERSION = "1"            # of the kernels below
_CHAINS = 12              # independent multiply-adds: two a cycle of a latency of 4 to 5 need 10
_ROUNDS = 200_000         # of all chains, in one item: about 0.5 ms
_COPY_BYTES = 64 << 20    # larger than the last cache of a core's share
_BLOCK = 1 << 18          # of a copy, one item
_PATIENCE = 1.0           # seconds to wait for all threads to be there


class Peaks(NamedTuple):
    """float32 operations a second, and bytes read and written by a copy a second."""

    flops: float
    bytes: float
    threads: int


_known: dict[str, Peaks] = {}


def peaks() -> Peaks:
    """The peaks for the current number of threads: remembered, or measured (0.3 s)."""
    key = _key()
    if key not in _known:
        _known[key] = _read(key) or _remember(key, _measure())
    return _known[key]


def measure_again() -> Peaks:
    """Measure once more and remember the better of both."""
    key, old, new = _key(), peaks(), _measure()
    _known[key] = _remember(key, Peaks(max(old.flops, new.flops), max(old.bytes, new.bytes),
                                       old.threads))
    return _known[key]


def _key() -> str:
    return f"{_cpu.name()}, {get_num_threads()} threads, {_cpu.vector_width()} wide, {_VERSION}"


def _path() -> str | None:
    directory = _cache.cache_directory()
    return directory and os.path.join(directory, "peaks.json")


def _load() -> dict:
    try:
        with open(_path() or "", encoding="utf-8") as file:
            found = json.load(file)
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError):
        return {}


def _read(key: str) -> Peaks | None:
    entry = _load().get(key, {})
    try:
        return Peaks(float(entry["flops"]), float(entry["bytes"]), get_num_threads())
    except (TypeError, KeyError, ValueError):
        return None


def _remember(key: str, found: Peaks) -> Peaks:
    path = _path()
    if path is not None:
        table = _load()
        table[key] = {"flops": found.flops, "bytes": found.bytes}
        temporary = None
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            handle, temporary = tempfile.mkstemp(prefix=".peaks-", dir=os.path.dirname(path))
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(table, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except OSError:                       # a cache that cannot be written: measure next time
            if temporary and os.path.exists(temporary):
                os.unlink(temporary)
    return found


# ---- the kernels --------------------------------------------------------------------------------


def _multiply_add_call() -> KernelCall:
    """Every item: `_ROUNDS` rounds of `_CHAINS` independent vector multiply-adds."""
    lanes = _cpu.vector_width()
    name = f"peak_multiply_add_{lanes}"
    f = Module(name).kernel(name)
    numbers = f.pointer_arg(0)
    factor = f.splat(f.load(F32, numbers, 0), lanes)
    term = f.splat(f.load(F32, numbers, 1), lanes)
    with f.loop(f.begin, f.end) as items:
        start = [f.splat(f.load(F32, numbers, 2 + i), lanes) for i in range(_CHAINS)]
        with f.loop(0, f.int_arg(2), carried=start) as rounds:
            rounds.next(*[f.fma(x, factor, term) for x in rounds.carried])
        total = rounds.results[0]
        for x in rounds.results[1:]:
            total = total + x
        f.store(total, f.pointer_arg(1), items.index)
    threads = get_num_threads()
    return KernelCall(name, f.module.text(), [Pointer(0), Pointer(1), Integer(_ROUNDS)],
                      8 * threads, 1, flops=8 * threads * _ROUNDS * _CHAINS * lanes * 2)


def _copy_call(streaming: bool) -> KernelCall:
    """Every item copies one block, with or without going through the cache."""
    lanes = _cpu.vector_width()
    name = f"peak_copy_{lanes}_{'streaming' if streaming else 'plain'}"
    f = Module(name).kernel(name)
    source, target = f.pointer_arg(0), f.pointer_arg(1)
    count = _BLOCK // 4
    unroll = 4 * lanes
    type = vector(F32, lanes)
    with f.loop(f.begin * count, f.end * count, unroll) as loop:
        for i in range(4):
            at = loop.index + i * lanes
            value = f.load(type, f.at(source, at, F32), align=4 * lanes)
            f.store(value, f.at(target, at, F32), align=4 * lanes, nontemporal=streaming)
    return KernelCall(name, f.module.text(), [Pointer(0), Pointer(1)], _COPY_BYTES // _BLOCK, 1,
                      bytes=2 * _COPY_BYTES)


def _measure() -> Peaks:
    call = _multiply_add_call()
    numbers, results = Buffer(4 * (2 + _CHAINS)), Buffer(4 * _cpu.vector_width() * call.items)
    # stays near 1: no denormals, no infinities
    numbers.array(np.float32, (2 + _CHAINS,))[:] = [0.999, 0.001] + [1.0] * _CHAINS
    flops = call.flops / _best(call, [numbers, results], 8)
    arrays = [Buffer(_COPY_BYTES), Buffer(_COPY_BYTES)]
    for array in arrays:
        array.array(np.uint8, (_COPY_BYTES,))[:] = 1
    best = min(_best(_copy_call(streaming), arrays, 6) for streaming in (False, True))
    return Peaks(flops, 2 * _COPY_BYTES / best, get_num_threads())


def _best(call: KernelCall, buffers: list[Buffer], repeats: int) -> float:
    """The shortest time of several runs on all threads."""
    program = Program([call], len(buffers))
    bases = [b.pointer for b in buffers]
    best, begin = float("inf"), time.perf_counter()
    while repeats > 0 and time.perf_counter() < begin + _PATIENCE:
        moments, shares = program.run_timed(bases)
        busy = (shares[0, :, 1] - shares[0, :, 0])[shares[0, :, 2] > 0]
        seconds = float(moments[1] - moments[0]) * 1e-9
        # a run in which a thread was elsewhere for long is not one of all threads
        if len(busy) == get_num_threads() and busy.min() > 0.8 * busy.max() or len(shares[0]) == 1:
            repeats -= 1
        best = min(best, seconds)
        time.sleep(0.001)                     # lets a thread that was pushed aside come back
    return best
