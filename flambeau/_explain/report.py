"""The report of ``flambeau.explain``, and how it is filled: by calls, or around a loop."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from .._atomic_file import atomic_path
from ..record.trace import flush
from ..runtime._pool import clock_ns
from .collect import Collector, Run
from .model import Kernel, Line, ProgramReport, Summary, build
from .peak import peaks

__all__ = ["Report", "write_atomically"]

_MOST_WARMUP = 8


class Report:
    """What was compiled, and what it costs; see :func:`flambeau.explain`.

    str() is the report as text. step_seconds: the median time of a step; kernels, programs, lines:
    the data behind the tables, kernels and lines by their part of a step; result: what the
    explained function returned last.
    """

    def __init__(self, title: str = "explain"):
        self.title = title
        self.result: Any = None
        self.summary: Summary | None = None
        self.programs: list[ProgramReport] = []
        self.lines: list[Line] = []
        self.timeline: list[Run] = []
        self.window = (0, 0)                  # of the timeline, in nanoseconds of clock_ns
        self._collector = Collector()
        self._marks: list[int] = []

    # ---- being filled -----------------------------------------------------------------------

    def __enter__(self) -> Report:
        if self.summary is not None:
            raise RuntimeError("this report is finished: call flambeau.explain() for a new one")
        peaks()                               # measured now, the first time, not in the loop
        self._collector.start()
        return self

    def __exit__(self, kind, error, traceback) -> None:
        self._collector.stop()
        if kind is None or not issubclass(kind, Exception):
            self._finish(self._loop_steps())

    def step(self) -> None:
        """The next step of the loop begins; without it, steps are those of the hottest program."""
        flush()
        self._marks.append(clock_ns())

    def measure(self, function: Callable, args: tuple, kwargs: dict, steps: int,
                warmup: int) -> Report:
        """Fill the report by calling ``function(*args, **kwargs)``."""
        peaks()
        before = Collector()
        before.start()
        try:
            for i in range(_MOST_WARMUP):
                known = sum(r.compiled for r in before.programs.values()), len(before.programs)
                self.result = function(*args, **kwargs)
                flush()
                # a program's first run is interpreted and its second compiles: go on until
                # nothing new happens
                now = sum(r.compiled for r in before.programs.values()), len(before.programs)
                if i + 1 >= warmup and now == known and _settled(before):
                    break
        finally:
            before.stop()
        spans = []
        self._collector.start()
        try:
            for _ in range(steps):
                begin = clock_ns()
                self.result = function(*args, **kwargs)
                flush()
                spans.append((begin, clock_ns()))
        finally:
            self._collector.stop()
        for program, runs in before.programs.items():
            found = self._collector.programs.get(program)
            if found is not None:
                found.compiled |= runs.compiled
        self._finish(spans)
        return self

    def _loop_steps(self) -> list[tuple[int, int]]:
        """The beginning and end of each step of a loop."""
        marks = self._marks
        if marks:
            return list(zip(marks, marks[1:])) or [(self._collector.begin, self._collector.end)]
        found = [r for r in self._collector.programs.values() if r.durations]
        if not found:
            return [(self._collector.begin, self._collector.end)]
        hottest = max(found, key=lambda r: r.wall_seconds() * r.runs)
        begins = [run.begin for run in self._collector.recent if run.program is hottest.program
                  and run.times is not None and not run.compiled]
        spans = list(zip(begins, begins[1:]))
        if not spans:
            return [(self._collector.begin, self._collector.end)]
        return spans + [spans[-1]] * max(0, hottest.runs - hottest.interpreted - len(spans))

    def _finish(self, spans: list[tuple[int, int]]) -> None:
        lengths = [end - begin for begin, end in spans]
        median = float(np.median(lengths))
        # the timeline shows the last step that took no longer than usual
        usual = [s for s, length in zip(spans, lengths) if length <= 1.2 * median]
        self.window = (usual or spans)[-1]
        begin, end = self.window
        self.timeline = [r for r in self._collector.recent if r.end > begin and r.begin < end]
        order = {program: program.number for program in self._collector.programs}
        self.summary, self.programs, self.lines = build(
            self._collector, order, len(spans), median * 1e-9, peaks())

    # ---- being read ---------------------------------------------------------------------------

    @property
    def step_seconds(self) -> float:
        """The median time of a step."""
        return self._done().step

    @property
    def kernels(self) -> list[Kernel]:
        """The kernels of all programs, those that take most of a step first."""
        found = [k for p in self.programs for k in p.kernels]
        return sorted(found, key=lambda k: -k.step_seconds)

    def _done(self) -> Summary:
        if self.summary is None:
            raise RuntimeError("the report is not finished: it is after the with block")
        return self.summary

    def __str__(self) -> str:
        from .text import format_report
        return format_report(self.title, self._done(), self.programs, self.lines)

    def __repr__(self) -> str:
        state = "unfinished" if self.summary is None else f"{len(self.kernels)} kernels"
        return f"<report {self.title!r}, {state}>"

    def _repr_html_(self) -> str:
        import html
        return (f'<iframe srcdoc="{html.escape(self.to_html(), quote=True)}" '
                'style="width:100%;height:640px;border:0"></iframe>')

    def to_html(self, path: str | os.PathLike | None = None) -> str:
        """The report as one HTML page that needs no other file; written to `path` if given."""
        from .page import page
        text = page(self)
        if path is not None:
            write_atomically(path, text)
        return text

    def to_chrome_trace(self, path: str | os.PathLike) -> None:
        """Write the timeline for chrome://tracing or https://ui.perfetto.dev."""
        import json

        from .trace import kernel_events
        write_atomically(path, json.dumps({"traceEvents": kernel_events(self.timeline,
                                                                        self.window[0]),
                                           "displayTimeUnit": "ms"}))

    def save(self, path: str | os.PathLike) -> None:
        """Write the report: an HTML page, ``.txt``: text, ``.json``: a Chrome trace."""
        suffix = os.path.splitext(os.fspath(path))[1].lower()
        if suffix in (".html", ".htm"):
            self.to_html(path)
        elif suffix == ".json":
            self.to_chrome_trace(path)
        elif suffix == ".txt":
            write_atomically(path, str(self) + "\n")
        else:
            raise ValueError(f"cannot tell the format of {os.fspath(path)!r}: expected a name that "
                             "ends in .html, .txt or .json")


def _settled(collector: Collector) -> bool:
    """Whether every program seen twice was compiled, or will not be."""
    return all(r.program.executable is not None or r.runs < 2 or r.program.failure is not None
               or r.program.is_complex for r in collector.programs.values())


def write_atomically(path: str | os.PathLike, content: str | bytes) -> None:
    """Write a file that is complete or not there."""
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
