"""A report as text: the step, its programs, their kernels and memory, the user's lines."""

from __future__ import annotations

import os

from .model import Block, Kernel, Line, ProgramReport, Summary

__all__ = ["amount", "call_list", "duration", "format_report", "place", "share"]

_KERNELS, _LINES, _BLOCKS = 40, 25, 6


def duration(seconds: float) -> str:
    """``1.23 ms``."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{_digits(seconds / size)} {unit}"
    return f"{_digits(seconds * 1e6)} us"


def amount(number: float, unit: str = "B") -> str:
    """``4.56 MB``, with powers of a thousand."""
    for prefix, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{_digits(number / size)} {prefix}{unit}"
    return f"{_digits(number)} {unit}"


def _digits(number: float) -> str:
    """Three significant digits."""
    if number >= 99.95 or number == int(number):
        return f"{number:.0f}"
    return f"{number:.1f}" if number >= 9.995 else f"{number:.2f}"


def share(part: float, whole: float) -> str:
    """``12 %``."""
    if not whole:
        return "-"
    percent = 100 * part / whole
    return f"{percent:.0f} %" if percent >= 9.95 or percent == 0 else f"{percent:.1f} %"


def place(file: str, line: int) -> str:
    """A line of the user's, its file as short as it can be."""
    if not file:
        return ""
    relative = os.path.relpath(file) if os.path.isabs(file) and _same_drive(file) else file
    return f"{relative if not relative.startswith('..') else os.path.basename(file)}:{line}"


def _same_drive(file: str) -> bool:
    return os.path.splitdrive(file)[0] == os.path.splitdrive(os.getcwd())[0]


def call_list(calls: list[tuple[str, float]], width: int) -> str:
    """The names of calls, as many as fit."""
    text = ""
    for i, (name, _) in enumerate(calls):
        more = f"{text}, {name}" if text else name
        if len(more) > width and text:
            return f"{text} +{len(calls) - i}"
        text = more
    return text if len(text) <= width else text[:width - 1] + "…"


def _lines_of(kernel: Kernel) -> str:
    """The lines of a kernel: the first with its file, the others by number."""
    text, previous = "", ""
    for file, line in kernel.lines:
        shown = place(file, line)
        more = f",{line}" if file == previous else f" {shown}"
        if len(text) + len(more) > 36 and text:
            return text.strip() + " …"
        text, previous = text + more, file
    return text.strip()


def format_report(title: str, summary: Summary, programs: list[ProgramReport],
                  lines: list[Line]) -> str:
    """The whole report."""
    parts = [_head(title, summary)]
    for program in programs:
        if program.kernels:
            parts.append(_program(program, summary))
    if lines:
        parts.append(_line_table(lines, summary))
    rest = [p for p in programs if not p.kernels]
    if rest:
        parts.append("\n".join(["run without native code:"] + [_interpreted(p) for p in rest]))
    return "\n\n".join(parts)


def _head(title: str, summary: Summary) -> str:
    peaks, step = summary.peaks, summary.step
    lines = [f"{title}: {duration(step)} a step, of {summary.steps} measured"]
    if summary.kernels:
        lines.append(
            f"  {share(summary.kernels, step)} in kernels, {duration(summary.kernels)}; "
            f"{duration(max(0.0, summary.native - summary.kernels))} around them in native calls; "
            f"{duration(max(0.0, step - summary.native))} in Python and elsewhere")
        lines.append(
            f"  {amount(summary.flops, 'FLOP')} at {amount(summary.flops / step, 'FLOP/s')}, "
            f"{amount(summary.bytes)} at {amount(summary.bytes / step, 'B/s')}; at the machine's "
            f"limits the kernels would take {duration(summary.limit)}")
    lines.append(f"  measured limits of {peaks.threads} threads: "
                 f"{amount(peaks.flops, 'FLOP/s')} (float32 multiply-add), "
                 f"{amount(peaks.bytes, 'B/s')} (copy)")
    return "\n".join(lines)


def _program(program: ProgramReport, summary: Summary) -> str:
    made, memory = program.compiled, program.memory
    title = "program" if program.number < 0 else f"program {program.number}"
    lines = [f"{title}: {program.operations} calls in {len(program.kernels)} kernels, ran "
             f"{program.runs} times, {duration(program.seconds)} each",
             f"  compiled in {duration(made.seconds)} ({made.compiled} kernels new, {made.cached} "
             f"from the cache){' meanwhile' if made.during else ''}; why: {made.reason}"]
    if memory is not None:
        kernel = program.kernels[memory.peak_kernel]
        lines.append(f"  memory: inputs {amount(memory.inputs)}, new outputs "
                     f"{amount(memory.outputs)}, arena {amount(memory.arena)}; most in use is "
                     f"{amount(memory.peak)} at kernel {memory.peak_kernel} ({kernel.label})")
        lines += [f"    {_block(b)}" for b in memory.blocks[:_BLOCKS]]
    ordered = sorted(program.kernels, key=lambda k: -k.seconds)
    total = sum(k.seconds for k in ordered)
    lines.append(f"{'#':>5} {'time':>9} {'share':>6} {'GFLOP/s':>8} {'GB/s':>6} {'of limit':>8} "
                 f"{'threads':>7}  {'calls fused':<44} lines")
    for k in ordered[:_KERNELS]:
        bound = f"{share(k.limit, k.seconds)} {k.bound[:1]}" if k.bound else "-"
        lines.append(
            f"{k.index:>5} {duration(k.seconds):>9} {share(k.seconds, total):>6} "
            f"{k.flops_per_second / 1e9:>8.1f} {k.bytes_per_second / 1e9:>6.1f} {bound:>8} "
            f"{k.threads:>7.2f}  {call_list(k.calls, 44):<44} {_lines_of(k)}".rstrip())
    if len(ordered) > _KERNELS:
        rest = sum(k.seconds for k in ordered[_KERNELS:])
        lines.append(f"  and {len(ordered) - _KERNELS} more kernels, {share(rest, total)}")
    return "\n".join(lines)


def _block(block: Block) -> str:
    shape = f" {block.dtype}{list(block.shape)}" if block.dtype else ""
    where = place(block.file, block.line)
    return f"{amount(block.nbytes):>9}  {block.call}{shape}{'  ' + where if where else ''}"


def _line_table(lines: list[Line], summary: Summary) -> str:
    total = sum(line.seconds for line in lines)
    found = [f"your lines (a fused kernel's time is shared out by the operations of each call):\n"
             f"{'time':>11} {'share':>6} {'GFLOP':>8}  line"]
    for line in lines[:_LINES]:
        where = place(line.file, line.line) or "(added by the compiler)"
        text = f"  {line.text[:60]}" if line.text else f"  {call_list(line.calls, 60)}"
        found.append(f"{duration(line.seconds):>11} {share(line.seconds, total):>6} "
                     f"{line.flops / 1e9:>8.3f}  {where}{text}")
    if len(lines) > _LINES:
        found.append(f"  and {len(lines) - _LINES} more lines")
    return "\n".join(found)


def _interpreted(program: ProgramReport) -> str:
    why = program.compiled.failure or (
        "complex numbers" if program.program.is_complex else
        "small, and not yet run often enough to compile" if program.runs < 3 else "interpreted")
    title = f"program {program.number}" if program.number >= 0 else "program"
    return (f"  {title}: {program.operations} calls, ran {program.runs} times, "
            f"{duration(program.total_seconds)} in all ({why}); {program.compiled.reason}")
