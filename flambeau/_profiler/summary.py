"""The averages of what a `Recorder` saw: calls by PyTorch's names, ranges, and what is between."""

from __future__ import annotations

from typing import Any

from ..record.execute import Program
from .averages import EventList, FunctionEventAvg
from .calls import ProgramCalls
from .watch import Recorder

__all__ = ["COMPILING", "RUNNING", "summarize"]

COMPILING = "flambeau::compile"      # making native code, in the first runs of a program
RUNNING = "flambeau::run"            # runs of programs outside kernels


def summarize(recorder: Recorder, programs: dict[Program, ProgramCalls], by_shape: bool,
              stack: int, shown: dict[str, bool]) -> EventList:
    """One event for each name (with `by_shape`, and shapes; `stack` > 0: and line)."""
    found: dict[Any, FunctionEventAvg] = {}

    def event(key: str, is_range: bool, shapes=(), frames=()) -> FunctionEventAvg:
        shapes = shapes if by_shape else ()
        frames = frames[:stack] if stack > 0 else ()
        place = key, is_range, str(shapes), tuple(frames)
        if place not in found:
            found[place] = FunctionEventAvg(key, is_range, shapes, frames)
        return found[place]

    for name, times in recorder.ranges.items():
        event(name, True).add(times.count, times.host * 1e-9, times.own * 1e-9)
    for (name, program, first, last), totals in recorder.parts.items():
        calls = programs[program]
        for call in calls.calls.values():
            if first < call.depth <= last:
                event(name, True).add(0, calls.seconds(totals, call), 0.0)
    for program, totals in recorder.totals.items():
        calls = programs[program]
        between = totals.wall_ns * 1e-9
        for call in calls.calls.values():
            seconds = calls.seconds(totals, call)
            between -= seconds
            count = (totals.compiled + totals.interpreted) if call.own else 0
            flops, memory = calls.flops(totals, call), calls.memory(totals, call)
            for depth, name in enumerate(call.names):
                own = depth == len(call.names) - 1
                event(name, False, call.shapes, call.stack).add(
                    count, seconds, seconds if own else 0.0, flops if own else 0.0,
                    memory, memory if own else 0)
        compiling = min(recorder.compilations.get(program, 0.0), max(0.0, between))
        if compiling:
            event(COMPILING, False).add(1, compiling, compiling)
        between = max(0.0, between - compiling)
        event(RUNNING, False).add(totals.compiled + totals.interpreted, between, between)
    return EventList((e for e in found.values() if e.count or e.cpu_time_total), **shown)
