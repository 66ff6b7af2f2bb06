"""What a report says, as plain data: programs, kernels, lines, memory, the timeline.

`build` makes it of what a `Collector` saw; `text` and `page` print it. Times are in seconds,
and of one step where nothing else is said.
"""

from __future__ import annotations

import dataclasses
import linecache
import math
from typing import Any

import numpy as np

from ..record.execute import Program
from .attribution import Share, call_name, shares_of
from .collect import Collector, ProgramRuns
from .peak import Peaks, measure_again

__all__ = ["Block", "Compiled", "Kernel", "Line", "Memory", "ProgramReport", "Summary", "build"]


@dataclasses.dataclass
class Kernel:
    """One kernel of a program: what it computes, how long it takes, and how well.

    seconds: the median of one run; step_seconds: of all its runs in a step. calls: the user's calls
    fused into it with the fraction of its time, the largest first; lines: where they are. threads:
    how many worked on it on average. limit: the seconds it would take at the machine's measured
    peak, of multiply-adds or of memory, whichever is longer.
    """

    program: int
    index: int
    label: str
    calls: list[tuple[str, float]]
    lines: list[tuple[str, int]]
    flops: int
    bytes: int
    seconds: float
    fastest: float
    step_seconds: float
    threads: float
    limit: float
    bound: str                   # "compute", "memory", or "" where it moves and computes nothing
    shares: list[Share] = dataclasses.field(repr=False, default_factory=list)

    @property
    def flops_per_second(self) -> float:
        return self.flops / self.seconds if self.seconds else 0.0

    @property
    def bytes_per_second(self) -> float:
        return self.bytes / self.seconds if self.seconds else 0.0

    @property
    def of_peak(self) -> float:
        """The limit as a fraction of the time; above 1 where memory meant a cache."""
        return self.limit / self.seconds if self.seconds else 0.0


@dataclasses.dataclass
class Line:
    """One line of the user's code: its part of a step's time, and the calls on it."""

    file: str
    line: int
    text: str
    seconds: float
    flops: float
    calls: list[tuple[str, float]]


@dataclasses.dataclass
class Block:
    """One value in the arena at its peak."""

    call: str
    shape: tuple[int, ...]
    dtype: str
    nbytes: int
    file: str
    line: int


@dataclasses.dataclass
class Memory:
    """What a program holds while it runs, in bytes.

    arena: planned for intermediate values; in_use: of it, during each kernel; peak_kernel: when
    most is; blocks: what is in it then, the largest first.
    """

    inputs: int
    outputs: int
    arena: int
    in_use: list[int]
    peak_kernel: int
    blocks: list[Block]

    @property
    def peak(self) -> int:
        return max(self.in_use, default=0)


@dataclasses.dataclass
class Compiled:
    """That a program was compiled: how much, how long, and why."""

    seconds: float
    compiled: int
    cached: int
    during: bool                 # whether it happened while the report watched
    reason: str
    site: tuple[str, int] | None
    failure: str                 # why it could not be


@dataclasses.dataclass
class ProgramReport:
    """One program: runs while watched, its kernels, its memory, and its compilation."""

    number: int
    runs: int
    interpreted: int
    seconds: float               # the median of one run
    total_seconds: float
    operations: int              # calls recorded in it
    kernels: list[Kernel]
    memory: Memory | None
    compiled: Compiled
    program: Program = dataclasses.field(repr=False)


@dataclasses.dataclass
class Summary:
    """One step as a whole, in seconds: kernels, native calls with what is between, everything."""

    steps: int
    step: float
    kernels: float
    native: float
    flops: float
    bytes: float
    limit: float
    peaks: Peaks


def build(collector: Collector, numbers: dict[Program, int], steps: int, step_seconds: float,
          peaks: Peaks) -> tuple[Summary, list[ProgramReport], list[Line]]:
    """The report's data; `numbers` are the programs' numbers in ``compilations()``."""
    found = list(collector.programs.values())
    programs = [_program(runs, numbers.get(runs.program, -1), steps, peaks) for runs in found]
    kernels = [k for p in programs for k in p.kernels]
    fastest = max((k.flops / k.fastest for k in kernels if k.fastest > 20e-6), default=0.0)
    if fastest > 1.05 * peaks.flops:
        # a kernel beat the peak: the machine was busy when that was measured
        peaks = measure_again()
        for kernel in kernels:
            kernel.limit, kernel.bound = _limit(kernel.flops, kernel.bytes, peaks)
    repeated = [(p, p.runs / steps) for p in programs if p.kernels]
    summary = Summary(
        steps, step_seconds, sum(k.step_seconds for k in kernels),
        sum(p.seconds * each for p, each in repeated),
        sum(k.flops * each for p, each in repeated for k in p.kernels),
        sum(k.bytes * each for p, each in repeated for k in p.kernels),
        sum(k.limit * each for p, each in repeated for k in p.kernels), peaks)
    return summary, programs, _lines(kernels)


def _program(runs: ProgramRuns, number: int, steps: int, peaks: Peaks) -> ProgramReport:
    program = runs.program
    executable = program.executable
    new, _, site = program.difference
    compiled = Compiled(program.compile_seconds, executable.compiled if executable else 0,
                        executable.cached if executable else 0, runs.compiled, program.reason,
                        (site or None) if new else None,
                        f"{type(program.failure).__name__}: {program.failure}"
                        if program.failure else "")
    operations = sum(1 for step in program.step.path()
                     if step.site is not None and step.site.operation)
    kernels, memory = [], None
    if executable is not None and runs.durations:
        details = program.detailed()
        if [k.name for k in details.kernels] != [k.name for k in executable.kernels]:
            details = executable              # compiled otherwise now: no details
        kernels = _kernels(runs, details, number, steps, peaks)
        memory = _memory(program, details)
    return ProgramReport(number, runs.runs, runs.interpreted, runs.wall_seconds(), runs.seconds,
                         operations, kernels, memory, compiled, program)


def _kernels(runs, details, number, steps, peaks) -> list[Kernel]:
    found = []
    times = zip(runs.kernel_seconds(), runs.fastest_seconds(), runs.busy_threads())
    each = (runs.runs - runs.interpreted) / steps
    for i, (info, (seconds, fastest, threads)) in enumerate(zip(details.kernels, times)):
        shares = sorted(shares_of(info), key=lambda s: -s.fraction)
        limit, bound = _limit(info.flops, info.bytes, peaks)
        found.append(Kernel(
            number, i, info.label, _added((call_name(s.site), s.fraction) for s in shares),
            list(dict.fromkeys(tuple(s.site) for s in shares if s.site)), info.flops, info.bytes,
            float(seconds), float(fastest), float(seconds) * each, float(threads), limit, bound,
            shares))
    return found


def _limit(flops: float, nbytes: float, peaks: Peaks) -> tuple[float, str]:
    computing, moving = flops / peaks.flops, nbytes / peaks.bytes
    if not flops and not nbytes:
        return 0.0, ""
    return max(computing, moving), "compute" if computing >= moving else "memory"


def _added(pairs) -> list[tuple[Any, float]]:
    """Equal keys added up, the largest first."""
    total: dict[Any, float] = {}
    for key, number in pairs:
        total[key] = total.get(key, 0.0) + number
    return sorted(total.items(), key=lambda pair: -pair[1])


def _memory(program: Program, executable) -> Memory:
    count = len(executable.kernels)
    changes = np.zeros(count + 1, np.int64)
    for block in executable.blocks:
        changes[block.first] += block.nbytes
        changes[block.last + 1] -= block.nbytes
    in_use = np.cumsum(changes)[:-1].tolist()
    peak = int(np.argmax(in_use)) if in_use else 0
    alive = sorted((b for b in executable.blocks if b.first <= peak <= b.last),
                   key=lambda b: -b.nbytes)
    blocks = [Block(call_name(b.site) if b.op else "a kernel's own", tuple(b.shape),
                    b.dtype.name if b.dtype else "", b.nbytes, *(b.site or ("", 0)))
              for b in alive]
    return Memory(sum(n.nbytes for n in program.inputs), executable.fresh_bytes(),
                  executable.arena_bytes if executable.blocks else 0, in_use, peak, blocks)


def _lines(kernels: list[Kernel]) -> list[Line]:
    seconds: dict[tuple[str, int], float] = {}
    flops: dict[tuple[str, int], float] = {}
    calls: dict[tuple[str, int], list] = {}
    for kernel in kernels:
        for share in kernel.shares:
            place = tuple(share.site) if share.site else ("", 0)
            one = kernel.step_seconds * share.fraction
            seconds[place] = seconds.get(place, 0.0) + one
            runs = kernel.step_seconds / kernel.seconds if kernel.seconds else 0.0
            flops[place] = flops.get(place, 0.0) + share.flops * runs
            calls.setdefault(place, []).append((call_name(share.site), one))
    found = [Line(file, line, linecache.getline(file, line).strip() if file else "", one,
                  flops[file, line], _added(calls[file, line]))
             for (file, line), one in seconds.items()]
    return sorted(found, key=lambda line: -line.seconds)


def of_total(part: float, whole: float) -> float:
    """part / whole, 0 where there is no whole."""
    return part / whole if whole and math.isfinite(whole) else 0.0
