"""Splits reductions that would keep one thread busy into partial ones, which many can share.

After `assign_layouts`, because the layout says what a reduction's items are. The parts depend on
the shape alone, so results depend on neither the number of threads nor timing; and partial sums are
more accurate than one long one.

Where one index of the outermost dimension, such as a sample of a batch, holds enough to be a part,
its extent decides nothing: a short last batch is reduced by the code of the full ones.
"""

from __future__ import annotations

import math

from ...codegen.extents import usual
from ..ir import PRIMITIVES, Node, p, topological_order
from ..primitives.movement import slice_dim
from .block_variances import block_variance
from .simplify import rebuild

__all__ = ["split_reductions"]

_SPLITTABLE = frozenset(("reduce_sum", "reduce_prod", "reduce_max", "reduce_min", "reduce_any",
                         "reduce_all"))
SERIAL = 32_768        # elements that are not worth sharing
SAMPLE = 256           # elements of a sample that is a part of its own (128 make SERIAL)
LONG = 1 << 17         # elements of a sample that is worth several parts
WANTED = 16            # items that share well between a few threads
MOST = 4096            # items, whose results are reduced by few threads
STRIDED = 1 << 16      # elements of a sample of which an item should not read some columns only
COLUMNS = 64           # columns of an item where lanes run over columns


def split_reductions(outputs: list[Node], layouts: dict) -> list[Node]:
    """An equivalent graph; `layouts` is extended by rebuilt nodes."""
    new: dict[Node, Node] = {}
    for node in topological_order(outputs):
        inputs = tuple(new[i] for i in node.inputs)
        built = node
        if any(a is not b for a, b in zip(inputs, node.inputs)):
            built = rebuild(node, inputs)
            if node in layouts:
                layouts[built] = layouts[node]
        if built.op in _SPLITTABLE:
            built = block_variance(node, new) or _split(built, layouts)
        new[node] = built
    return [new[o] for o in outputs]


def _split(node, layouts):
    source, dims = node.inputs[0], node.attrs["dims"]
    shape = [usual(extent) for extent in source.shape]
    total, numel = math.prod(shape), usual(node.numel)
    order = list(range(source.ndim))                 # dimensions, outermost in memory first
    if source in layouts:
        order = [0] + order[2:] + [1]
    real = [d for d in order if shape[d] > 1]
    items = numel
    wide = False
    if real and real[-1] not in dims:
        items = -(-shape[real[-1]] // COLUMNS) * (numel // shape[real[-1]])
        wide = shape[real[-1]] > COLUMNS and total // shape[real[0]] >= STRIDED
    if not real or items >= WANTED // 2 and real[0] in dims and not wide:
        return node
    outer = [d for d in real if d in dims]
    sample = total // shape[real[0]]
    if real[0] not in dims:
        # rows of their own are parts already, unless they are few and long
        if items >= WANTED // 2 * shape[real[0]] or sample <= LONG:
            return node
        return _cut(node, outer, items // shape[real[0]], layouts)
    along = math.prod(shape[d] for d in outer[1:])
    if (sample >= SAMPLE and along >= WANTED and len(outer) > 1
            and items * shape[real[0]] <= MOST):
        kept = outer[:1]
        # a few runs of rows, not every row: the second sum's length is what limits accuracy
        part = _divisor(source.shape[outer[1]], 2, WANTED) if sample > LONG else None
        if part is not None:
            return _split_dim(node, kept, outer[1], part)
        first = tuple(d for d in dims if d not in kept)
        return _second(node, node.primitive(source, dims=first), first, kept)
    return _cut(node, outer, items, layouts) if total > SERIAL else node


def _cut(node, outer, items, layouts):
    """Makes outer reduced dimensions parallel until there are items enough."""
    source, dims = node.inputs[0], node.attrs["dims"]
    kept: list[int] = []
    work = math.prod(usual(source.shape[d]) for d in outer)
    for d in outer:
        extent = usual(source.shape[d])
        if items * extent <= MOST and (work // extent >= 64 or items * extent < WANTED):
            kept.append(d)
            items *= extent
            work //= extent
            if items >= WANTED:
                break
            continue
        part = _divisor(source.shape[d], max(1, WANTED // items), MOST // items)
        if part is None:
            if kept or extent < 1024:
                break
            return _split_ragged(node, d, layouts)
        return _split_dim(node, kept, d, part)
    if not kept or len(kept) == len(dims):
        return node
    first = tuple(d for d in dims if d not in kept)
    return _second(node, node.primitive(source, dims=first), first, kept)


def _second(node, partial, first, kept):
    """The reduction of `partial` over the dimensions in `kept` that the first one left."""
    places = [d - sum(f < d for f in first) for d in kept]
    result = node.primitive(partial, dims=tuple(sorted(places)))
    for new in (partial, result):
        new.site, new.scope = node.site, node.scope
    return result


def _split_dim(node, kept, dim, parts):
    """Cuts one dimension into `parts` runs, reduced first."""
    source, dims = node.inputs[0], node.attrs["dims"]
    shape = source.shape[:dim] + (parts, source.shape[dim] // parts) + source.shape[dim + 1:]
    wide = p.reshape(source, shape=shape)
    wide.site, wide.scope = node.site, node.scope
    moved = {d: d + (d > dim) for d in dims}
    moved[dim] = dim + 1
    first = tuple(sorted(moved[d] for d in dims if d not in kept))
    partial = node.primitive(wide, dims=first)
    return _second(node, partial, first, [moved[d] for d in kept] + [dim])


_COMBINE = {"reduce_sum": "add", "reduce_prod": "mul", "reduce_max": "maximum",
            "reduce_min": "minimum", "reduce_any": "bitwise_or", "reduce_all": "bitwise_and"}


def _split_ragged(node, dim, layouts):
    """An extent without a fitting divisor: a multiple of 64, and what is left over."""
    source = node.inputs[0]
    whole = source.shape[dim] // 64 * 64
    head = slice_dim(source, dim, 0, whole)
    tail = slice_dim(source, dim, whole, source.shape[dim])
    parts = [node.primitive(part, dims=node.attrs["dims"]) for part in (head, tail)]
    result = PRIMITIVES[_COMBINE[node.op]](_split(parts[0], layouts), parts[1])
    for new in (head, tail, *parts, result):
        new.site, new.scope = node.site, node.scope
    return result


def _divisor(extent, least, most):
    """A divisor of `extent` between `least` and `most`, near 4 times `least`; or None."""
    best = None
    for candidate in range(least, min(most, extent // 2) + 1):
        if extent % candidate == 0:
            if candidate <= 4 * least or best is None:
                best = candidate
            if candidate >= 4 * least:
                break
    return best
