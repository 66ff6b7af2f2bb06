"""The arithmetic of sliding windows: which input element each tap of an output reads.

Below `convolve`, plain Python. Along one dimension, output o reads at tap t the spread position

    o * stride + t * dilation - low

of the input whose elements stand `base` apart (base > 1: transposed convolutions and gradients of
strided ones); positions between elements hold zeros. Outputs f, f + period, f + 2 period ... meet
the same taps: a :class:`Phase`. In a phase, output f + period * j reads input j * step + offset(t),
so each phase is a dense convolution, and no zero is multiplied. Nor are those of the padding if the
phases are cut where a tap leaves the input (`clip`): outputs at the border are phases of their own.
"""

from __future__ import annotations

import dataclasses
import math

__all__ = ["Phase", "WindowDim", "window_dim"]


@dataclasses.dataclass(frozen=True)
class Phase:
    """Outputs first, first + period ...: how many, and the (tap, offset) pairs they read.

    A clipped phase is a part of the one numbered `whole`, without the first `skipped` of its taps.
    """

    first: int
    count: int
    taps: tuple[tuple[int, int], ...]
    whole: int = 0
    skipped: int = 0


@dataclasses.dataclass(frozen=True)
class WindowDim:
    """One dimension of a convolution, as phases; offsets run from `lowest` to `highest`."""

    extent: int
    out: int
    size: int
    period: int
    step: int
    phases: tuple[Phase, ...]
    lowest: int
    highest: int

    @property
    def inside(self) -> bool:
        """Whether every read is of an element that exists."""
        return all(p.taps[0][1] >= 0 and (p.count - 1) * self.step + p.taps[-1][1] < self.extent
                   for p in self.phases if p.taps and p.count)

    def reach(self, count: int) -> int:
        """How many input elements `count` outputs of a phase span."""
        return (count - 1) * self.step + self.highest - self.lowest + 1


def window_dim(extent, out, size, stride=1, low=0, dilation=1, base=1, clip=False) -> WindowDim:
    """The phases of one dimension; see the module.

    >>> [p.taps for p in window_dim(4, 8, 3, low=1, base=2).phases]
    [((1, 0),), ((0, 0), (2, 1))]
    >>> [(p.first, p.count, p.taps) for p in window_dim(4, 4, 2, low=1, clip=True).phases]
    [(0, 1, ((1, 0),)), (1, 3, ((0, 0), (1, 1)))]
    """
    common = math.gcd(stride, base)
    period, step = base // common, stride // common
    phases = []
    for first in range(min(period, out)):
        taps = tuple((t, (first * stride + t * dilation - low) // base) for t in range(size)
                     if (first * stride + t * dilation - low) % base == 0)
        phase = Phase(first, -(-(out - first) // period), taps, first)
        phases += _clipped(phase, extent, period, step) if clip else [phase]
    offsets = [offset for phase in phases for _, offset in phase.taps] or [0]
    return WindowDim(extent, out, size, period, step, tuple(phases), min(offsets), max(offsets))


def _clipped(phase, extent, period, step):
    """The parts of a phase whose outputs meet the same taps inside the input."""
    parts: list[Phase] = []
    for j in range(phase.count):
        taps = tuple((t, offset + j * step) for t, offset in phase.taps
                     if 0 <= offset + j * step < extent)
        if parts and [t for t, _ in parts[-1].taps] == [t for t, _ in taps]:
            parts[-1] = dataclasses.replace(parts[-1], count=parts[-1].count + 1)
            continue
        skipped = [t for t, _ in phase.taps].index(taps[0][0]) if taps else 0
        parts.append(Phase(phase.first + j * period, 1, taps, phase.whole, skipped))
    return parts
