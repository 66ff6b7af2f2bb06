"""A report as one HTML page: the data as JSON, the style and the script, in one file.

`page.html` and `page.js` lie beside this module; the page loads nothing from anywhere.
"""

from __future__ import annotations

import html
import json
import os
import time
from typing import TYPE_CHECKING, Any

from .text import place

if TYPE_CHECKING:
    from .model import Kernel, ProgramReport
    from .report import Report

__all__ = ["page", "page_data"]

_BLOCKS = 40


def page(report: Report) -> str:
    """The page's text."""
    folder = os.path.dirname(os.path.abspath(__file__))
    parts = []
    for name in ("page.html", "page.js"):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            parts.append(file.read())
    text, script = parts
    # in a script element only "</" could end the data early; U+2028 is fine in JSON since 2019
    data = json.dumps(page_data(report), separators=(",", ":")).replace("<", "\\u003c")
    text = text.replace("%TITLE%", html.escape(report.title)).replace("%SCRIPT%", script)
    return text.replace("%DATA%", data)


def page_data(report: Report) -> dict[str, Any]:
    """What the page's script reads; times in microseconds."""
    from .. import __version__
    from ..runtime import _cpu
    summary = report._done()
    places = {(line.file, line.line): i for i, line in enumerate(report.lines)}
    first, firsts = 0, []
    for program in report.programs:
        firsts.append(first)
        first += len(program.kernels)
    return {
        "title": report.title, "version": __version__, "processor": _cpu.name(),
        "created": time.strftime("%Y-%m-%d %H:%M"),
        "peaks": {"flops": summary.peaks.flops, "bytes": summary.peaks.bytes,
                  "threads": summary.peaks.threads},
        "step": {"steps": summary.steps, "us": _us(summary.step), "kernelUs": _us(summary.kernels),
                 "nativeUs": _us(summary.native), "flops": summary.flops, "bytes": summary.bytes,
                 "limitUs": _us(summary.limit)},
        "programs": [_program(p, at) for p, at in zip(report.programs, firsts)],
        "kernels": [_kernel(k, i, places) for i, p in enumerate(report.programs)
                    for k in p.kernels],
        "lines": [{"file": place(n.file, n.line).rpartition(":")[0], "line": n.line,
                   "text": n.text, "us": _us(n.seconds), "flops": n.flops,
                   "calls": [(name, _us(seconds)) for name, seconds in n.calls]}
                  for n in report.lines],
        "timeline": _timeline(report),
    }


def _us(seconds: float) -> float:
    return round(seconds * 1e6, 3)


def _program(program: ProgramReport, first: int) -> dict[str, Any]:
    made, memory = program.compiled, program.memory
    return {
        "number": program.number, "first": first, "runs": program.runs,
        "us": _us(program.seconds), "operations": program.operations,
        "kernels": len(program.kernels), "compileUs": _us(made.seconds), "compiled": made.compiled,
        "cached": made.cached, "reason": made.failure or made.reason,
        "memory": None if memory is None else {
            "inputs": memory.inputs, "outputs": memory.outputs, "arena": memory.arena,
            "peak": memory.peak, "peakKernel": memory.peak_kernel, "use": memory.in_use,
            "blocks": [{"bytes": b.nbytes, "call": b.call, "line": place(b.file, b.line),
                        "type": f"{b.dtype}{list(b.shape)}" if b.dtype else ""}
                       for b in memory.blocks[:_BLOCKS]]},
    }


def _kernel(kernel: Kernel, program: int, places: dict) -> dict[str, Any]:
    from .attribution import call_name
    runs = kernel.step_seconds / kernel.seconds if kernel.seconds else 0
    return {
        "program": program, "index": kernel.index, "label": kernel.label, "kind": _kind(kernel),
        "calls": kernel.calls, "lines": [places[p] for p in kernel.lines],
        "shares": [(call_name(s.site), round(s.fraction, 4),
                    places.get(tuple(s.site), -1) if s.site else -1) for s in kernel.shares],
        "flops": kernel.flops, "bytes": kernel.bytes, "us": _us(kernel.seconds),
        "fastUs": _us(kernel.fastest), "stepUs": _us(kernel.step_seconds),
        "limitUs": _us(kernel.limit), "bound": kernel.bound, "threads": round(kernel.threads, 2),
        "runs": round(runs, 2),
    }


def _kind(kernel: Kernel) -> str:
    """The class of its colour."""
    if not kernel.flops:
        return "copy"
    main = kernel.shares[0] if kernel.shares else None
    if main is not None:
        products = {"contract", "convolve", "convolve_weight"}
        for share in kernel.shares:
            if products.intersection(share.ops):
                return "back-product" if share.site and share.site.forward else "product"
            if any("pool" in op for op in share.ops):
                return "pool"
        if main.site is not None and main.site.operation.endswith(".step"):
            return "update"
    return "fused"


def _timeline(report: Report) -> dict[str, Any]:
    """The runs in the window; a kernel is [begin, end] or [begin, end, what each thread did]."""
    begin, end = report.window
    numbers = {p.program: i for i, p in enumerate(report.programs)}
    runs, threads = [], 1
    for run in report.timeline:
        kernels: list[Any] = []
        if run.times is not None:
            for first, last, shares in zip(run.times.begins, run.times.ends, run.times.shares):
                one: list[Any] = [_since(first, begin), _since(last, begin)]
                if shares[:, 2].sum():
                    one.append([[_since(max(b, first), begin), _since(e, begin), int(c)]
                                if c else 0 for b, e, c in shares])
                    threads = max(threads, len(shares))
                kernels.append(one)
        runs.append({"program": numbers[run.program], "begin": _since(run.begin, begin),
                     "end": _since(run.end, begin), "compiled": run.compiled,
                     "kernels": kernels})
    return {"us": _since(end, begin), "threads": threads, "runs": runs}


def _since(moment: int, begin: int) -> float:
    return round((int(moment) - begin) / 1e3, 2)
