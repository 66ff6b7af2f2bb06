"""``torch.profiler``: how often programs ran, for how long, and the user's own ranges.

A profile lists compiled programs rather than single operations: operations of a step run fused.
"""

from __future__ import annotations

import enum
import json
import os
import time
from collections.abc import Callable, Iterable
from typing import Any

from .record.execute import programs
from .record.trace import flush

__all__ = ["EventAverage", "ProfilerAction", "ProfilerActivity", "profile", "record_function",
           "schedule", "tensorboard_trace_handler"]


class ProfilerActivity(enum.Enum):
    """What to profile; there is only the CPU."""

    CPU = 0
    XPU = 1
    CUDA = 2


class ProfilerAction(enum.Enum):
    """What a schedule says about a step."""

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3


def schedule(*, wait: int, warmup: int, active: int, repeat: int = 0, skip_first: int = 0):
    """A function of the step: wait, warm up, record `active` steps; again, `repeat` times."""
    def action(step: int) -> ProfilerAction:
        step -= skip_first
        length = wait + warmup + active
        if step < 0 or (repeat > 0 and step // length >= repeat):
            return ProfilerAction.NONE
        place = step % length
        if place < wait:
            return ProfilerAction.NONE
        if place < wait + warmup:
            return ProfilerAction.WARMUP
        return ProfilerAction.RECORD_AND_SAVE if place == length - 1 else ProfilerAction.RECORD
    return action


def tensorboard_trace_handler(dir_name: str, worker_name: str | None = None, use_gzip=False):
    """A function for `on_trace_ready` that writes a Chrome trace into a folder."""
    if use_gzip:
        raise NotImplementedError("tensorboard_trace_handler(use_gzip=True) is not supported")

    def handler(prof: profile) -> None:
        os.makedirs(dir_name, exist_ok=True)
        name = worker_name or f"worker_{os.getpid()}"
        prof.export_chrome_trace(os.path.join(
            dir_name, f"{name}.{time.time_ns()}.pt.trace.json"))
    return handler


_active: list[profile] = []


class record_function:
    """A named range of the user's code, as a context or a decorator."""

    def __init__(self, name: str, args: str | None = None):
        self.name = name

    def __enter__(self):
        self._begin = time.perf_counter()
        return self

    def __exit__(self, *error) -> None:
        if _active:
            flush()
            _active[-1]._ranges.append((self.name, self._begin,
                                        time.perf_counter() - self._begin))

    def __call__(self, function):
        import functools

        @functools.wraps(function)
        def wrapped(*args, **kwargs):
            with record_function(self.name):
                return function(*args, **kwargs)
        return wrapped


class EventAverage:
    """The calls of one program or range: their number and time in microseconds."""

    def __init__(self, key: str, count: int, seconds: float):
        self.key = key
        self.count = count
        self.cpu_time_total = self.self_cpu_time_total = seconds * 1e6
        self.cpu_time = self.cpu_time_total / max(1, count)

    def __repr__(self) -> str:
        return f"<EventAverage {self.key} {self.count} x {self.cpu_time:.1f} us>"


class _Averages(list):
    """What ``key_averages()`` returns."""

    def table(self, sort_by: str | None = None, row_limit: int = 100, **options) -> str:
        """The events as text, sorted by an attribute such as "cpu_time_total"."""
        rows: Iterable[EventAverage] = self
        if sort_by is not None:
            attribute = sort_by.replace("self_", "").replace("cuda", "cpu").replace("device", "cpu")
            if not hasattr(EventAverage("", 1, 0.0), attribute):
                raise ValueError(f"cannot sort by {sort_by!r}: expected cpu_time_total, cpu_time "
                                 "or count")
            rows = sorted(self, key=lambda e: getattr(e, attribute), reverse=True)
        lines = [f"{'Name':<48} {'Calls':>8} {'Total ms':>12} {'Mean us':>12}"]
        lines.append("-" * len(lines[0]))
        for event in list(rows)[:row_limit]:
            lines.append(f"{event.key[:48]:<48} {event.count:>8} "
                         f"{event.cpu_time_total / 1e3:>12.3f} {event.cpu_time:>12.1f}")
        return "\n".join(lines)


class profile:
    """Profiles what runs inside the context.

    Args:
        activities: accepted; only the CPU exists.
        schedule: a function of the step, see `schedule`; call ``step()`` after each.
        on_trace_ready: called with the profile when a recording ends.
        record_shapes, profile_memory, with_stack, with_flops, with_modules: must be False, or
            accepted where they only add columns.

    >>> import flambeau as torch
    >>> with torch.profiler.profile() as prof:
    ...     with torch.profiler.record_function("sum"):
    ...         _ = torch.ones(3).sum().item()
    >>> [e.key for e in prof.key_averages() if e.key == "sum"]
    ['sum']
    """

    def __init__(self, *, activities=None, schedule: Callable[[int], Any] | None = None,
                 on_trace_ready: Callable[[profile], Any] | None = None, record_shapes=False,
                 profile_memory=False, with_stack=False, with_flops=False, with_modules=False,
                 experimental_config=None, acc_events=False):
        if profile_memory or with_flops:
            raise NotImplementedError("profile_memory and with_flops are not supported")
        self._schedule = schedule or (lambda step: ProfilerAction.RECORD)
        self._on_trace_ready = on_trace_ready
        self.step_num = 0
        self._ranges: list[tuple[str, float, float]] = []
        self._before: dict[int, tuple[int, float]] = {}
        self._averages = _Averages()
        self._recording = False

    def start(self) -> None:
        """Begin."""
        flush()
        _active.append(self)
        self._set(self._schedule(self.step_num))

    def stop(self) -> None:
        """End; calls `on_trace_ready` if it was recording."""
        flush()
        if self in _active:
            _active.remove(self)
        if self._recording:
            self._finish()

    def __enter__(self) -> profile:
        self.start()
        return self

    def __exit__(self, *error) -> None:
        self.stop()

    def step(self) -> None:
        """The next step begins."""
        flush()
        before = self._schedule(self.step_num)
        self.step_num += 1
        if before is ProfilerAction.RECORD_AND_SAVE:
            self._finish()
        self._set(self._schedule(self.step_num))

    def _set(self, action) -> None:
        record = action in (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)
        if record and not self._recording:
            self._ranges = []
            self._before = {id(p): (p.runs, p.seconds) for p in programs}
        self._recording = record

    def _finish(self) -> None:
        self._recording = False
        found = _Averages()
        for number, program in enumerate(programs):
            runs, seconds = self._before.get(id(program), (0, 0.0))
            if program.runs > runs:
                count = len(program.executable.kernels) if program.executable else 0
                kind = f"{count} kernels" if count else "interpreted"
                found.append(EventAverage(f"program {number} ({kind})", program.runs - runs,
                                          program.seconds - seconds))
        named: dict[str, list[float]] = {}
        for name, _, seconds in self._ranges:
            named.setdefault(name, []).append(seconds)
        found += [EventAverage(name, len(times), sum(times)) for name, times in named.items()]
        self._averages = found
        if self._on_trace_ready is not None:
            self._on_trace_ready(self)

    def key_averages(self, group_by_input_shape=False, group_by_stack_n=0) -> _Averages:
        """The programs and ranges of the last recording, with their times."""
        return self._averages

    def events(self) -> _Averages:
        """The same list."""
        return self._averages

    def export_chrome_trace(self, path: str) -> None:
        """Write the user's ranges for chrome://tracing."""
        ranges = [{"name": name, "ph": "X", "ts": begin * 1e6, "dur": seconds * 1e6,
                   "pid": os.getpid(), "tid": 0} for name, begin, seconds in self._ranges]
        temporary = f"{path}.{os.getpid()}.tmp"
        with open(temporary, "w") as file:
            json.dump({"traceEvents": ranges}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
