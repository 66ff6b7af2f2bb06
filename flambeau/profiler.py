"""``torch.profiler``: where the time of the user's code goes, by call and by named range.

Calls are listed by PyTorch's names, though the calls of a step run fused: the time of a kernel is
shared out among the calls that it computes, as in ``flambeau.explain``. The parts are in
``flambeau/_profiler``.
"""

from __future__ import annotations

import enum
import functools
import json
import os
import socket
import time
import warnings
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from .record.trace import flush

if TYPE_CHECKING:
    from ._profiler.averages import EventList, FunctionEvent
    from ._profiler.watch import Range, Recorder

__all__ = ["ProfilerAction", "ProfilerActivity", "kineto_available", "profile", "record_function",
           "schedule", "supported_activities", "tensorboard_trace_handler"]


class ProfilerActivity(enum.Enum):
    """What to profile; there is only the CPU."""

    CPU = 0
    XPU = 1
    MTIA = 2
    CUDA = 3
    HPU = 4
    PrivateUse1 = 5


class ProfilerAction(enum.Enum):
    """What a schedule says about a step."""

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3


_RECORDING = (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)


def supported_activities() -> set[ProfilerActivity]:
    """What can be profiled: the CPU."""
    return {ProfilerActivity.CPU}


def kineto_available() -> bool:
    """Whether PyTorch's library for profiling is there: never."""
    return False


def schedule(*, wait: int, warmup: int, active: int, repeat: int = 0, skip_first: int = 0,
             skip_first_wait: int = 0) -> Callable[[int], ProfilerAction]:
    """A function of the step: wait, warm up, record `active` steps; again, `repeat` times.

    Args:
        wait, warmup, active: the steps of a cycle that do nothing, that are watched and thrown
            away, and that are recorded.
        repeat: how many cycles, 0 for no end.
        skip_first: steps before the first cycle.
        skip_first_wait: not 0: the first cycle does not wait.

    >>> import flambeau as torch
    >>> plan = torch.profiler.schedule(wait=1, warmup=1, active=2, repeat=1)
    >>> [plan(step).name for step in range(5)]
    ['NONE', 'WARMUP', 'RECORD', 'RECORD_AND_SAVE', 'NONE']
    """
    if wait < 0 or warmup < 0 or active <= 0 or repeat < 0 or skip_first < 0:
        raise AssertionError(
            f"Invalid profiler schedule arguments. Got wait={wait} (need >= 0), warmup={warmup} "
            f"(need >= 0), active={active} (need > 0), repeat={repeat} (need >= 0), "
            f"skip_first={skip_first} (need >= 0).")
    length = wait + warmup + active

    def action(step: int) -> ProfilerAction:
        if step < 0:
            raise AssertionError(f"Step must be non-negative. Got {step}.")
        if step < skip_first:
            return ProfilerAction.NONE
        step -= skip_first - (wait if skip_first_wait else 0)
        if repeat > 0 and step // length >= repeat:
            return ProfilerAction.NONE
        place = step % length
        if place < wait:
            return ProfilerAction.NONE
        if place < wait + warmup:
            return ProfilerAction.WARMUP
        return ProfilerAction.RECORD_AND_SAVE if place == length - 1 else ProfilerAction.RECORD
    return action


def tensorboard_trace_handler(dir_name: str, worker_name: str | None = None,
                              use_gzip: bool = False, use_python_export: bool = False):
    """A function for `on_trace_ready` that writes a Chrome trace into a folder.

    Args:
        dir_name: the folder, made if it is not there.
        worker_name: how file names begin; the machine's name and the process's number.
        use_gzip: whether to compress.
        use_python_export: without effect: there is no other.
    """
    def handler(prof: profile) -> None:
        try:
            os.makedirs(dir_name, exist_ok=True)
        except OSError as error:
            raise RuntimeError("Can't create directory: " + str(dir_name)) from error
        name = worker_name or f"{socket.gethostname()}_{os.getpid()}"
        prof.export_chrome_trace(os.path.join(
            dir_name, f"{name}.{time.time_ns()}.pt.trace.json" + (".gz" if use_gzip else "")))
    return handler


_active: list[profile] = []


class record_function:
    """A named range of the user's code, as a context or a decorator.

    It runs nothing: calls recorded in it are its own wherever their program runs. Its total time
    is that of its Python code and of its calls. Outside of a profile it does nothing.

    Args:
        name: what the range is called in tables and timelines.
        args: what PyTorch keeps with it; a string or None.
    """

    def __init__(self, name: str, args: str | None = None):
        self.name = name
        self.args = args
        self._ranges: list[tuple[Recorder, Range]] = []

    def __enter__(self) -> record_function:
        for prof in _active:
            if prof._recorder is not None:
                self._ranges.append((prof._recorder, prof._recorder.enter(self.name)))
        return self

    def __exit__(self, *error) -> None:
        while self._ranges:
            recorder, found = self._ranges.pop()
            recorder.exit(found)

    def __call__(self, function):
        @functools.wraps(function)
        def wrapped(*args, **kwargs):
            with record_function(self.name, self.args):
                return function(*args, **kwargs)
        return wrapped


class profile:
    """Profiles what runs inside the context.

    Each call's time is its share of the kernels that compute it, estimated by its operations; where
    a program was interpreted, as small ones are at first, of the run. ``flambeau::run`` is the
    time of runs that no kernel has, ``flambeau::compile`` that of making native code. Flops and
    memory are shared out likewise; memory is what results are given, freeing is not counted.

    Args:
        activities: a list of ProfilerActivity; only the CPU exists, others warn.
        schedule: a function of the step, see `schedule`; call ``step()`` after each.
        on_trace_ready: called with the profile when a recording ends.
        record_shapes: for ``key_averages(group_by_input_shape=True)``.
        profile_memory, with_flops: columns for bytes and floating-point operations.
        with_stack: the line of each call, for ``key_averages(group_by_stack_n=1)``.
        with_modules, experimental_config, execution_trace_observer, acc_events,
            custom_trace_id_callback, post_processing_timeout_s: not supported.

    Raises NotImplementedError where one of the last is given.

    >>> import flambeau as torch
    >>> with torch.profiler.profile() as prof:
    ...     with torch.profiler.record_function("product"):
    ...         _ = torch.ones(3, 3) @ torch.ones(3, 3)
    >>> {"product", "aten::mm"} <= {e.key for e in prof.key_averages()}
    True
    """

    def __init__(self, *, activities: Iterable | None = None,
                 schedule: Callable[[int], Any] | None = None,
                 on_trace_ready: Callable[..., Any] | None = None, record_shapes: bool = False,
                 profile_memory: bool = False, with_stack: bool = False, with_flops: bool = False,
                 with_modules: bool = False, experimental_config=None,
                 execution_trace_observer=None, acc_events: bool = False,
                 use_cuda: bool | None = None, custom_trace_id_callback=None,
                 post_processing_timeout_s: float | None = None):
        unsupported = {
            "with_modules": with_modules, "experimental_config": experimental_config,
            "execution_trace_observer": execution_trace_observer, "acc_events": acc_events,
            "custom_trace_id_callback": custom_trace_id_callback,
            "post_processing_timeout_s": post_processing_timeout_s}
        for name, given in unsupported.items():
            if given not in (None, False):
                raise NotImplementedError(f"profile({name}={given!r}) is not supported: leave it "
                                          "out")
        _check_activities(activities, use_cuda)
        self._has_schedule = schedule is not None
        self._schedule = schedule or (lambda step: ProfilerAction.RECORD)
        self._on_trace_ready = on_trace_ready
        self._with_shapes, self._with_stack = bool(record_shapes), bool(with_stack)
        self._profile_memory, self._with_flops = bool(profile_memory), bool(with_flops)
        self.step_num = 0
        self._metadata: dict[str, Any] = {}
        self._recorder: Recorder | None = None          # while it records
        self._recorded: Recorder | None = None          # the last recording
        self._programs: dict = {}
        self._step_range: Range | None = None

    # ---- recording --------------------------------------------------------------------------

    def start(self) -> None:
        """Begin."""
        _active.append(self)
        self._follow(self._schedule(self.step_num))

    def stop(self) -> None:
        """End; calls `on_trace_ready` if it was recording."""
        try:
            if self._recorder is not None:
                self._finish()
        finally:
            if self in _active:
                _active.remove(self)

    def __enter__(self) -> profile:
        self.start()
        return self

    def __exit__(self, *error) -> None:
        self.stop()

    def step(self) -> None:
        """The next step begins."""
        before = self._schedule(self.step_num)
        self.step_num += 1
        action = self._schedule(self.step_num)
        if self._recorder is not None and (before is ProfilerAction.RECORD_AND_SAVE
                                           or action not in _RECORDING):
            self._finish()
        self._follow(action)

    def _follow(self, action: Any) -> None:
        """Do what the schedule says about the step that begins."""
        if action not in _RECORDING:
            flush()
            return
        if self._recorder is None:
            from ._profiler.watch import Recorder
            self._recorder = Recorder()
            self._recorder.start()
        if self._has_schedule:
            self._end_step()
            self._step_range = self._recorder.enter(f"ProfilerStep#{self.step_num}")

    def _end_step(self) -> None:
        if self._step_range is not None and self._recorder is not None:
            self._recorder.exit(self._step_range)
        self._step_range = None

    def _finish(self) -> None:
        recorder = self._recorder
        assert recorder is not None
        self._end_step()
        recorder.hold_result()
        try:
            recorder.stop()
        finally:
            self._recorder = None
        self._recorded, self._programs = recorder, {}
        if self._on_trace_ready is not None:
            self._on_trace_ready(self)

    # ---- results ----------------------------------------------------------------------------

    def _done(self, what: str) -> Recorder:
        if self._recorded is None:
            raise AssertionError(f"Profiler must be initialized before {what}: nothing has been "
                                 "recorded yet; call this after the with block, or in "
                                 "on_trace_ready")
        return self._recorded

    def key_averages(self, group_by_input_shape: bool = False, group_by_stack_n: int = 0,
                     group_by_overload_name: bool = False) -> EventList:
        """Calls and ranges of the last recording, those of one name as one.

        Args:
            group_by_input_shape: only those of one name and one shape; needs record_shapes.
            group_by_stack_n: more than 0: only those called in one line; needs with_stack.
            group_by_overload_name: must be False.
        """
        from ._profiler.calls import calls_of
        from ._profiler.summary import summarize
        if group_by_overload_name:
            raise NotImplementedError("key_averages(group_by_overload_name=True) is not supported: "
                                      "calls have no overloads here")
        recorder = self._done("getting key averages")
        if not self._programs:
            self._programs = calls_of(recorder.totals)
        by_shape = group_by_input_shape and self._with_shapes
        stack = group_by_stack_n if self._with_stack else 0
        return summarize(recorder, self._programs, by_shape, stack, {
            "with_shapes": by_shape, "with_stack": stack > 0,
            "profile_memory": self._profile_memory, "with_flops": self._with_flops})

    def events(self) -> list[FunctionEvent]:
        """Ranges, runs of programs and kernels of the last recording, each for itself.

        The newest 256 runs; each has name, thread, and time_range in microseconds.
        """
        from ._profiler.averages import FunctionEvent
        from ._profiler.timeline import timeline_events
        recorder = self._done("accessing events")
        return [FunctionEvent(event) for event in timeline_events(recorder)]

    def export_chrome_trace(self, path: str | os.PathLike) -> None:
        """Write the timeline of the last recording, for chrome://tracing or ui.perfetto.dev.

        It holds the ranges, and the newest 256 runs with their kernels on each thread. A `path`
        that ends in ``.gz`` is compressed.
        """
        from ._profiler.timeline import write_chrome_trace
        write_chrome_trace(path, self._done("exporting a trace"), self._metadata)

    def export_stacks(self, path: str | os.PathLike, metric: str = "self_cpu_time_total") -> None:
        """Write lines "place;call microseconds", as tools for flame graphs read them.

        Args:
            path: the file.
            metric: "self_cpu_time_total"; there is no other device.
        """
        from ._explain.report import write_atomically
        if metric != "self_cpu_time_total":
            raise ValueError(f"metric should be one of: ['self_cpu_time_total'], received "
                             f"{metric!r}")
        if not self._with_stack:
            raise AssertionError("export_stacks() requires with_stack=True")
        lines = [f"{';'.join(e.stack)};{e.key} {int(e.self_cpu_time_total)}\n"
                 for e in self.key_averages(group_by_stack_n=1)
                 if e.stack and e.self_cpu_time_total >= 1]
        write_atomically(path, "".join(lines))

    def add_metadata(self, key: str, value: str) -> None:
        """Keep a string in exported traces."""
        self._metadata[key] = value

    def add_metadata_json(self, key: str, value: str) -> None:
        """Keep a value, given as JSON, in exported traces."""
        self._metadata[key] = json.loads(value)


def _check_activities(activities: Iterable | None, use_cuda: bool | None) -> None:
    chosen = {ProfilerActivity.CPU} if activities is None else set(activities)
    for activity in chosen:
        if not isinstance(activity, ProfilerActivity):
            raise TypeError(f"profile(): expected activities of ProfilerActivity, received "
                            f"{activity!r}")
    if not chosen:
        raise AssertionError("No valid profiler activities found")
    if use_cuda or ProfilerActivity.CUDA in chosen:
        warnings.warn("CUDA is not available, disabling CUDA profiling", stacklevel=3)
    others = chosen - {ProfilerActivity.CPU, ProfilerActivity.CUDA}
    if others:
        raise NotImplementedError(f"activities {sorted(a.name for a in others)} are not supported: "
                                  "expected ProfilerActivity.CPU")
