"""Timelines as events of the Chrome trace format: programs, and kernels on each thread."""

from __future__ import annotations

import os
from typing import Any

from .attribution import call_name, shares_of
from .collect import Run

__all__ = ["kernel_events"]


def kernel_events(runs: list[Run], origin: int = 0) -> list[dict[str, Any]]:
    """Complete events ("ph": "X") of `runs`, in microseconds since `origin` (nanoseconds)."""
    pid = os.getpid()
    events: list[dict[str, Any]] = []
    detailed: dict[int, Any] = {}

    def add(name, category, thread, begin, end, **about):
        events.append({"ph": "X", "cat": category, "name": name, "pid": pid, "tid": thread,
                       "ts": (int(begin) - origin) / 1e3, "dur": (int(end) - int(begin)) / 1e3,
                       "args": about})

    for run in runs:
        add("program", "program", "programs", run.begin, run.end, compiled=run.compiled)
        if run.times is None:
            continue
        key = id(run.program)
        if key not in detailed:
            detailed[key] = [(k, ", ".join(dict.fromkeys(
                call_name(s.site) for s in sorted(shares_of(k), key=lambda s: -s.fraction))))
                for k in run.program.detailed().kernels]
        times = zip(detailed[key], run.times.begins, run.times.ends, run.times.shares)
        for (kernel, name), begin, end, shares in times:
            parts = [(t, max(b, begin), e) for t, (b, e, chunks) in enumerate(shares) if chunks]
            for thread, first, last in parts or [(0, begin, end)]:
                add(name or kernel.label, "kernel", f"thread {thread}", first, last,
                    kernel=kernel.label, flops=kernel.flops, bytes=kernel.bytes,
                    lines=[f"{file}:{line}" for file, line in kernel.sites])
    return events
