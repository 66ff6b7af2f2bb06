"""Watches programs and the user's ranges: what ran, and which recorded calls a range holds.

A range runs nothing: it notes how deep the pending program is when it begins and ends. When that
program runs, perhaps long after, the calls recorded in between are the range's.
"""

from __future__ import annotations

import collections
import sys
import threading
from typing import Any

import numpy as np

from .._explain.collect import Collector, Run
from ..record.execute import _BASE, Program
from ..record.trace import Operation, Trace, state
from ..runtime._pool import clock_ns

__all__ = ["Range", "Recorder", "Totals"]

RANGES = 100_000              # ranges kept for timelines, 200 bytes each


class Range:
    """One range of the user's code while it is open, and its times in nanoseconds.

    ran: of programs that ran in it; host: its duration without those; children: the host time of
    the ranges in it.
    """

    __slots__ = ("name", "begin", "end", "trace", "depth", "ran", "host", "children", "thread")

    def __init__(self, name: str, trace: Trace):
        self.name = name
        self.trace: Trace | None = trace
        self.depth = trace.cursor.depth
        self.ran = self.host = self.children = 0
        self.thread = threading.get_ident()
        self.begin = self.end = clock_ns()


class Totals:
    """Added-up runs of one program: how long each kernel took, and the interpreted runs."""

    def __init__(self):
        self.compiled = self.interpreted = 0           # runs
        self.kernels: Any = 0                          # nanoseconds of each kernel
        self.interpreted_ns = 0
        self.wall_ns = 0

    def add(self, run: Run) -> None:
        """Count one run."""
        wall = run.end - run.begin
        self.wall_ns += wall
        if run.times is None:
            self.interpreted += 1
            self.interpreted_ns += wall
        else:
            self.compiled += 1
            self.kernels = self.kernels + (run.times.ends - run.times.begins).astype(np.float64)


class RangeTotals:
    """All ranges of one name: their number, and their host time in nanoseconds."""

    def __init__(self):
        self.count = self.host = self.own = 0


class Recorder(Collector):
    """Collects the runs and the ranges between `start` and `stop`."""

    def __init__(self):
        super().__init__()
        self.totals: dict[Program, Totals] = {}
        self.compilations: dict[Program, float] = {}                 # seconds
        self.ranges: dict[str, RangeTotals] = {}
        self.parts: dict[tuple[str, Program, int, int], Totals] = {}     # of ranges
        self.timeline: collections.deque[Range] = collections.deque(maxlen=RANGES)
        self._open: dict[int, list[Range]] = {}                       # by thread
        self._pending: dict[Trace, list[tuple[str, int, int]]] = {}
        self._held: dict[Trace, list] = {}

    # ---- ranges ---------------------------------------------------------------------------

    def enter(self, name: str) -> Range:
        """A range begins in this thread."""
        found = Range(name, state.trace)
        self._open.setdefault(found.thread, []).append(found)
        return found

    def exit(self, found: Range) -> None:
        """A range ends."""
        self.hold_result()
        stack = self._open.get(found.thread, [])
        if found not in stack:
            return                                     # the recording it began in is over
        found.end = clock_ns()
        stack.remove(found)
        found.host = max(0, found.end - found.begin - found.ran)
        with self._lock:
            trace = state.trace
            first = found.depth if trace is found.trace else 0
            if trace.cursor.depth > first:
                self._pending.setdefault(trace, []).append((found.name, first,
                                                            trace.cursor.depth))
            found.trace = None
            totals = self.ranges.setdefault(_group(found.name), RangeTotals())
            totals.count += 1
            totals.host += found.host
            totals.own += max(0, found.host - found.children)
            if stack:
                stack[-1].children += found.host
            self.timeline.append(found)

    def hold_result(self) -> None:
        """Compute the last call's result though nobody holds it, as ``model(inputs)`` has none."""
        trace = state.trace
        step = trace.cursor
        if not (step.key and isinstance(step.key[0], Operation) and step.nodes):
            return
        count = len(step.nodes)
        held = [n > _BASE for n in map(sys.getrefcount, trace.values)][-count:]
        if not any(held):
            self._held[trace] = trace.values[-count:]

    # ---- runs -----------------------------------------------------------------------------

    def add(self, run, trace) -> None:
        super().add(run, trace)
        self._held.pop(trace, None)
        self.totals.setdefault(run.program, Totals()).add(run)
        if run.compiled:
            self.compilations[run.program] = run.program.compile_seconds
        parts = self._pending.pop(trace, [])
        for found in self._open.get(run.thread, ()):
            found.ran += run.end - run.begin
            parts.append((found.name, found.depth if found.trace is trace else 0,
                          trace.cursor.depth))
        for name, first, last in parts:
            key = (_group(name), run.program, first, last)
            self.parts.setdefault(key, Totals()).add(run)


def _group(name: str) -> str:
    """The name under which ranges are added up."""
    return "ProfilerStep*" if name.startswith("ProfilerStep#") else name
