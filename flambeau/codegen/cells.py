"""The body of a fused kernel: scalar expressions over an iteration space, with affine indices.

Between `graph.passes.lower`, which resolves movement operations into index maps, and `fused`, which
turns a body into loops. The iteration space is a list of :class:`Atom` (a loop each); a
:class:`Cell` is one value at one point of it. An index is an *affine* expression, kept as the
plain tuple ``(constant, ((atom number, coefficient), ...))`` sorted by atom number.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable
from typing import Any

from ..dtypes import dtype as DType

__all__ = ["Affine", "Atom", "Body", "Cell", "Store", "ZERO", "affine_range", "affine_sum", "atom",
           "number", "scaled", "shifted"]

Affine = tuple  # (constant, ((atom, coefficient), ...))
ZERO: Affine = (0, ())


def number(value: int) -> Affine:
    """The constant index `value`."""
    return (value, ())


def atom(name: int, coefficient: int = 1) -> Affine:
    """The index that follows one loop."""
    return (0, ((name, coefficient),))


def shifted(a: Affine, by: int) -> Affine:
    return (a[0] + by, a[1])


def scaled(a: Affine, factor: int) -> Affine:
    if factor == 1:
        return a
    if factor == 0:
        return ZERO
    return (a[0] * factor, tuple((k, c * factor) for k, c in a[1]))


def affine_sum(a: Affine, b: Affine) -> Affine:
    """a + b."""
    if not b[1]:
        return (a[0] + b[0], a[1])
    if not a[1]:
        return (a[0] + b[0], b[1])
    terms = dict(a[1])
    for k, c in b[1]:
        terms[k] = terms.get(k, 0) + c
    return (a[0] + b[0], tuple(sorted((k, c) for k, c in terms.items() if c)))


def affine_range(a: Affine, extents) -> tuple[int, int]:
    """The smallest and the largest value; `extents` maps atoms to their extents."""
    low = high = a[0]
    for k, c in a[1]:
        reach = c * (extents[k] - 1)
        if reach < 0:
            low += reach
        else:
            high += reach
    return low, high


@dataclasses.dataclass(slots=True)
class Atom:
    """One loop of the space, or (with `cell`) an index that is computed when the kernel runs."""

    extent: int
    reduced: bool = False
    cell: Cell | None = None


class Cell:
    """One value: an operation on other cells, or a leaf.

    op is a pointwise primitive's name, or one of
    "load" (buffer, index, guard), "constant" (value), "scalar" (index), "affine" (index),
    "guard" (conditions), "checked" (extent, flag), "reduce" (kind, index), in `attrs`.
    `depends` is the set of loops that the value varies with.
    """

    __slots__ = ("op", "operands", "dtype", "attrs", "depends", "phase")

    def __init__(self, op: str, operands: tuple, dtype: DType, attrs: Any, depends: frozenset):
        self.op = op
        self.operands = operands
        self.dtype = dtype
        self.attrs = attrs
        self.depends = depends
        self.phase = 0
        for operand in operands:
            if operand.phase > self.phase:
                self.phase = operand.phase

    def __repr__(self):
        return f"<{self.op} {self.attrs!r}>"


@dataclasses.dataclass(slots=True)
class Store:
    """`cell` is written to element `index` of `buffer`.

    `is_stream`: the buffer is larger than the caches and not the memory of an input, so that
    nothing written to it can be met there again: stores may go past the caches.
    """

    buffer: Hashable
    index: Affine
    cell: Cell
    is_stream: bool = False


@dataclasses.dataclass(slots=True)
class Body:
    """A kernel to be: the loops by number (parallel ones first), and what is stored.

    A cell whose atoms have a `cell` depends on that cell too: it is among its operands.
    """

    atoms: dict[int, Atom]
    stores: list[Store]
    label: str = ""
    operations: int = 0
    sites: tuple = ()
