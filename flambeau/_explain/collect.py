"""Watches programs while they run: what ran when, and when each kernel began and ended.

Between the executor (`record.execute`, which calls the watchers) and the reports. It keeps the last
`RECENT` runs whole, for timelines, and of older ones only the durations of their kernels.
"""

from __future__ import annotations

import collections
import threading
from typing import Any, NamedTuple

import numpy as np

from ..record.execute import Program, Watcher, watchers
from ..record.trace import flush
from ..runtime._pool import clock_ns

__all__ = ["Collector", "KernelTimes", "ProgramRuns", "Run"]

RECENT = 256              # runs of programs kept whole: 12 MB where a run has a thousand kernels
SAMPLES = 101             # runs of one program whose kernels' durations are kept, for the medians


class KernelTimes(NamedTuple):
    """When the kernels of one run began and ended, in nanoseconds; shares as in SegmentTimes."""

    begins: np.ndarray
    ends: np.ndarray
    shares: np.ndarray


class Run(NamedTuple):
    """One run of a program, in nanoseconds of `runtime._pool.clock_ns`."""

    program: Program
    begin: int
    end: int
    times: KernelTimes | None       # None: it was interpreted
    compiled: bool                  # whether its code was made in this run
    thread: int


class ProgramRuns:
    """All runs of one program that were watched."""

    def __init__(self, program: Program):
        self.program = program
        self.runs = self.interpreted = 0
        self.seconds = 0.0
        self.compiled = False
        self.durations: collections.deque[np.ndarray] = collections.deque(maxlen=SAMPLES)
        self.busy: collections.deque[np.ndarray] = collections.deque(maxlen=SAMPLES)
        self.walls: collections.deque[int] = collections.deque(maxlen=SAMPLES)

    def add(self, run: Run) -> None:
        """Count one run."""
        self.runs += 1
        self.seconds += (run.end - run.begin) * 1e-9
        self.compiled |= run.compiled
        if not run.compiled:
            self.walls.append(run.end - run.begin)
        if run.times is None:
            self.interpreted += 1
            return
        self.durations.append(run.times.ends - run.times.begins)
        self.busy.append(_busy(run.times))

    def kernel_seconds(self) -> np.ndarray:
        """The median duration of each kernel; empty where it was only interpreted."""
        return np.median(self.durations, axis=0) * 1e-9 if self.durations else np.zeros(0)

    def fastest_seconds(self) -> np.ndarray:
        """The shortest duration of each kernel."""
        return np.min(self.durations, axis=0) * 1e-9 if self.durations else np.zeros(0)

    def busy_threads(self) -> np.ndarray:
        """How many threads worked on each kernel, on average over its duration."""
        return np.mean(self.busy, axis=0) if self.busy else np.zeros(0)

    def wall_seconds(self) -> float:
        """The median duration of a run, compilation not counted."""
        return float(np.median(self.walls)) * 1e-9 if self.walls else self.seconds / self.runs


def _busy(times: KernelTimes) -> np.ndarray:
    """Per kernel, the time that its threads worked, in units of its duration."""
    begins, ends, chunks = (times.shares[:, :, i] for i in range(3))
    begins = np.maximum(begins, times.begins[:, None])
    worked = np.where(chunks > 0, np.maximum(ends - begins, 0), 0).sum(1)
    return np.where(chunks.sum(1) > 0, worked / np.maximum(times.ends - times.begins, 1), 1.0)


def _joined(times: list) -> KernelTimes:
    """The segments of one run as one."""
    threads = max(t.shares.shape[1] for t in times)
    shares = [np.pad(t.shares, ((0, 0), (0, threads - t.shares.shape[1]), (0, 0)))
              for t in times]
    return KernelTimes(np.concatenate([t.moments[:-1] for t in times]),
                       np.concatenate([t.moments[1:] for t in times]), np.concatenate(shares))


class Collector(Watcher):
    """Collects runs between `start` and `stop`, from all threads."""

    def __init__(self):
        self.programs: dict[Program, ProgramRuns] = {}        # in order of their first run here
        self.recent: collections.deque[Run] = collections.deque(maxlen=RECENT)
        self.begin = self.end = clock_ns()
        self._lock = threading.Lock()
        self._uncompiled: dict[Any, bool] = {}

    def start(self) -> None:
        """Begin, after what is pending has run."""
        flush()
        self.begin = self.end = clock_ns()
        watchers.append(self)

    def stop(self) -> None:
        """End, after what is pending has run."""
        try:
            flush()
        finally:
            if self in watchers:
                watchers.remove(self)
            self.end = clock_ns()

    def before(self, program, trace) -> None:
        self._uncompiled[threading.get_ident(), id(program)] = program.executable is None

    def after(self, program, trace, begin, end, times) -> None:
        thread = threading.get_ident()
        was_new = self._uncompiled.pop((thread, id(program)), False)
        run = Run(program, begin, end, _joined(times) if times else None,
                  was_new and program.executable is not None, thread)
        with self._lock:
            self.add(run, trace)

    def add(self, run: Run, trace) -> None:
        """Keep one run; called with the lock held."""
        found = self.programs.get(run.program)
        if found is None:
            found = self.programs[run.program] = ProgramRuns(run.program)
        found.add(run)
        self.recent.append(run)
