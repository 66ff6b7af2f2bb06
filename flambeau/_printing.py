"""How tensors print: PyTorch's number formats, line widths and summaries."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import dtypes

__all__ = ["set_printoptions", "tensor_text"]


class _Options:
    precision = 4
    threshold = 1000
    edgeitems = 3
    linewidth = 80
    sci_mode: bool | None = None


def set_printoptions(precision=None, threshold=None, edgeitems=None, linewidth=None, profile=None,
                     sci_mode=None) -> None:
    """Change how tensors print; profile is "default", "short" or "full"."""
    if profile is not None:
        chosen = {"default": (4, 1000, 3, 80), "short": (2, 1000, 2, 80),
                  "full": (4, math.inf, 3, 80)}.get(profile)
        if chosen is None:
            raise ValueError('profile must be "default", "short" or "full", received '
                             f"{profile!r}")
        (_Options.precision, _Options.threshold, _Options.edgeitems,
         _Options.linewidth) = chosen       # type: ignore[assignment]
    for name, value in (("precision", precision), ("threshold", threshold),
                        ("edgeitems", edgeitems), ("linewidth", linewidth)):
        if value is not None:
            setattr(_Options, name, value)
    _Options.sci_mode = sci_mode


class _Format:
    """The common format of a tensor's numbers: width and style."""

    def __init__(self, values: np.ndarray, floating: bool):
        self.floating, self.whole, self.scientific, self.width = floating, True, False, 1
        flat = values.reshape(-1)
        if not floating:
            for v in flat.tolist():
                self.width = max(self.width, len(str(v)))
            return
        finite = flat[np.isfinite(flat) & (flat != 0)]
        if finite.size == 0:
            # torch leaves the width at 1 here; non-finite and zero then print unpadded
            return
        size = np.abs(finite.astype(np.float64))
        high, low = size.max(), size.min()
        with np.errstate(all="ignore"):
            ratio = high / low
        self.whole = bool((finite == np.ceil(finite)).all())
        self.scientific = bool(ratio > 1000.0 or high > 1e8 or (not self.whole and low < 1e-4))
        if _Options.sci_mode is not None:
            self.scientific = _Options.sci_mode
        self.width = max(len(self.text(v)) for v in finite.tolist())

    def text(self, v: Any) -> str:
        if not self.floating:
            return f"{v}".rjust(self.width)
        if self.scientific:
            shown = f"{v:.{_Options.precision}e}"
            return shown.rjust(self.width)
        if self.whole:
            shown = f"{v:.0f}"
            if not math.isinf(v) and not math.isnan(v):
                shown += "."
            return shown.rjust(self.width)
        return f"{v:.{_Options.precision}f}".rjust(self.width)


def _make_format(values: np.ndarray, kind: dtypes.dtype):
    """A function from a number to its padded text, and the width that lines are broken by."""
    if kind.is_complex:
        formats = _Format(values.real, True), _Format(values.imag, True)
        real, imaginary = (f.text for f in formats)

        def show(v):
            sign = "+" if not (v.imag < 0 or math.copysign(1, v.imag) < 0) else "-"
            return f"{real(v.real)}{sign}{imaginary(abs(v.imag)).strip()}j"
        return show, formats[0].width + formats[1].width + 1
    found = _Format(values, kind.is_floating_point)
    return found.text, found.width


def _summarised(array: np.ndarray) -> np.ndarray:
    """The edges of every dimension, which decide the format of a summary."""
    edge = _Options.edgeitems
    for axis, extent in enumerate(array.shape):
        if extent > 2 * edge:
            array = np.concatenate([np.take(array, range(edge), axis),
                                    np.take(array, range(extent - edge, extent), axis)], axis)
    return array


def _vector(items: list[str], indent: int, width: int) -> str:
    per_line = max(1, (_Options.linewidth - indent) // (width + 2))
    lines = [items[i:i + per_line] for i in range(0, len(items), per_line)]
    joined = ("," + "\n" + " " * (indent + 1)).join(", ".join(line) for line in lines)
    return "[" + joined + "]"


def _nested(array: np.ndarray, indent: int, show, width: int, summary: bool) -> str:
    if array.ndim == 0:
        return show(array.item())
    edge = _Options.edgeitems
    if array.ndim == 1:
        values = array.tolist()
        if summary and len(values) > 2 * edge:
            items = ([show(v) for v in values[:edge]] + [" ..."]
                     + [show(v) for v in values[-edge:]])
        else:
            items = [show(v) for v in values]
        return _vector(items, indent, width)
    if summary and array.shape[0] > 2 * edge:
        rows = ([_nested(array[i], indent + 1, show, width, summary) for i in range(edge)] + ["..."]
                + [_nested(array[i], indent + 1, show, width, summary)
                   for i in range(array.shape[0] - edge, array.shape[0])])
    else:
        rows = [_nested(row, indent + 1, show, width, summary) for row in array]
    separator = "," + "\n" * (array.ndim - 1) + " " * (indent + 1)
    return "[" + separator.join(rows) + "]"


def tensor_text(array: np.ndarray, kind: dtypes.dtype, suffixes: list[str],
                prefix: str = "tensor(") -> str:
    """The text of a tensor with `array` (in the compute type) and remarks such as dtypes."""
    indent = len(prefix)
    if array.size == 0:
        body = "[]"
        if array.ndim != 1:
            suffixes = [f"size=({', '.join(map(str, array.shape))})"] + suffixes
    else:
        summary = array.size > _Options.threshold
        shown = _summarised(array) if summary else array
        show, wide = _make_format(shown, kind)
        body = _nested(array, indent, show, wide, summary)
    text = prefix + body
    last = text.rfind("\n") + 1
    width = len(text) - last + 2             # PyTorch counts two characters more
    for suffix in suffixes:
        if width + len(suffix) + 2 > _Options.linewidth:
            text += ",\n" + " " * indent + suffix
            width = indent + len(suffix)
        else:
            text += ", " + suffix
            width += len(suffix) + 2
    return text + ")"
