"""The timeline of a profile as a Chrome trace: ranges, programs, and kernels on each thread."""

from __future__ import annotations

import gzip
import json
import os
from typing import Any

from .._explain.report import write_atomically
from .._explain.trace import kernel_events
from .watch import Recorder

__all__ = ["timeline_events", "write_chrome_trace"]


def timeline_events(recorder: Recorder) -> list[dict[str, Any]]:
    """Events in the order of time, in microseconds since the recording began.

    The newest runs only, as many as a `Collector` keeps whole.
    """
    pid, origin = os.getpid(), recorder.begin
    events = kernel_events(list(recorder.recent), origin)
    events += [{"ph": "X", "cat": "user_annotation", "name": r.name, "pid": pid,
                "tid": f"python {r.thread}", "ts": (r.begin - origin) / 1e3,
                "dur": (r.end - r.begin) / 1e3, "args": {}} for r in recorder.timeline]
    return sorted(events, key=lambda event: (event["ts"], -event["dur"]))


def write_chrome_trace(path: str | os.PathLike, recorder: Recorder,
                       metadata: dict[str, Any]) -> None:
    """Write the timeline to `path`, compressed where that ends in ``.gz``."""
    events = timeline_events(recorder)
    threads = {name: i for i, name in enumerate(sorted({e["tid"] for e in events}))}
    pid = os.getpid()
    named = [{"ph": "M", "name": "thread_name", "pid": pid, "tid": i, "args": {"name": name}}
             for name, i in threads.items()]
    content = json.dumps({**metadata, "schemaVersion": 1, "displayTimeUnit": "ms",
                          "traceEvents": named + [{**e, "tid": threads[e["tid"]]}
                                                  for e in events]}).encode()
    write_atomically(path, gzip.compress(content) if os.fspath(path).endswith(".gz") else content)
