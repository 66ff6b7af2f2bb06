"""Copies into the layouts that the GEMM tile reads: panels of B, tiles of A.

Beside `tile`, below `contract` and `convolve`. A panel holds, for each k, the tile's columns next
to each other; a packed tile of A holds, for each k, its rows. What does not exist is zero or
repeats the last column or row that does: the tile needs no mask while it multiplies.
"""

from __future__ import annotations

from flambeau.codegen.emitter import I64, PTR, VOID, vector
from flambeau.runtime import _cpu

__all__ = ["define_copy_columns", "define_pack_columns", "define_pack_rows", "square_side",
           "transposed"]


def transposed(f, rows):
    """The transpose of a square given as `lanes` vectors of `lanes` lanes.

    Each stage swaps the off-diagonal quarters of blocks of twice its size: lanes * log2(lanes)
    shuffles in all.
    """
    lanes = len(rows)
    size = lanes // 2
    while size:
        following = list(rows)
        for i in range(lanes):
            if i & size:
                continue
            a, b = rows[i], rows[i + size]
            low = [lane if not lane & size else lanes + lane - size for lane in range(lanes)]
            high = [lane + size if not lane & size else lanes + lane for lane in range(lanes)]
            following[i], following[i + size] = f.shuffle(a, low, b), f.shuffle(a, high, b)
        rows, size = following, size // 2
    return rows


def define_pack_columns(module, element, lanes):
    """Defines `pack_columns(to, from, k_stride, column_stride, k, width, panel)`.

    to[k, j] = from[k * k_stride + j * column_stride] for j below `panel`, a multiple of `lanes`;
    `width` columns exist. Returns the function's name.
    """
    return module.define_once("pack_columns", lambda m: _pack_columns(m, element, lanes))


def _pack_columns(module, element, lanes):
    f = module.function("pack_columns", VOID, [PTR, PTR] + [I64] * 5,
                        attributes="nounwind noinline", linkage="internal")
    to, source, k_stride, column_stride, k_count, width, panel = f.parameters
    with f.if_(f.eq(column_stride, 1)) as branch:
        f.call(define_copy_columns(module, element, lanes), VOID,
               [to, source, k_stride, k_count, width, panel])
    with branch.otherwise():
        with f.if_(f.eq(k_stride, 1)) as branch:
            _copy_squares(f, vector(element, square_side(lanes)))
        with branch.otherwise():
            with f.loop(0, k_count) as loop:
                with f.loop(0, panel) as column:
                    last = f.min_int(column.index, width - 1)
                    start = f.at(source, loop.index * k_stride + last * column_stride, element)
                    f.store(f.load(element, start), to, loop.index * panel + column.index)


def square_side(lanes):
    """The side of the squares that are transposed in registers."""
    # half a vector of 512 bits, since a panel may end with one; besides, 8 x 8 takes 24
    # shuffles in 7 ms of compilation, 16 x 16 takes 64 in 20 ms and is no faster
    return min(8, lanes // 2 if _cpu.vector_width() == 16 else lanes)


def define_copy_columns(module, element, lanes):
    """Defines `copy_columns(to, from, k_stride, k, width, panel)`, for contiguous columns."""
    return module.define_once("copy_columns", lambda m: _copy_columns(m, vector(element, lanes)))


def _copy_columns(module, type):
    f = module.function("copy_columns", VOID, [PTR, PTR] + [I64] * 4,
                        attributes="nounwind noinline", linkage="internal")
    to, source, k_stride, k_count, width, panel = f.parameters
    whole = f.min_int(width, panel) & -type.lanes
    mask = f.tail_mask(width - whole, type.lanes)
    with f.loop(0, k_count) as loop:
        start = f.at(source, loop.index * k_stride, type)
        target = f.at(to, loop.index * panel, type)
        with f.loop(0, whole, type.lanes) as column:
            f.store(f.load(type, start, column.index), target, column.index)
        with f.if_(f.lt(whole, panel)):
            last = f.load_masked(type, start, mask, whole)
            if _cpu.vector_width() == 16:
                f.store_masked(last, target, f.tail_mask(panel - whole, type.lanes), whole)
            else:
                f.store(last, target, whole)


def _copy_squares(f, type):
    to, source, _, column_stride, k_count, width, panel = f.parameters
    lanes = type.lanes
    with f.loop(0, panel, lanes) as column:
        starts = [f.at(source, f.min_int(column.index + i, width - 1) * column_stride, type)
                  for i in range(lanes)]
        with f.loop(0, k_count, lanes) as loop:
            left = k_count - loop.index
            with f.if_(f.ge(left, lanes)) as whole:
                whole.give(*[f.load(type, start, loop.index) for start in starts])
            with whole.otherwise():
                mask = f.tail_mask(left, lanes)
                whole.give(*[f.load_masked(type, start, mask, loop.index) for start in starts])
            target = f.at(to, loop.index * panel + column.index, type)
            rows = transposed(f, whole.results)
            for i, row in enumerate(rows):
                with f.if_(f.gt(left, i)):
                    f.store(row, f.at(target, panel * i, type))


def define_pack_rows(module, element, rows):
    """Defines `pack_rows(to, from, row_stride, k_stride, k, count)` and returns its name.

    to[k, r] = from[r * row_stride + k * k_stride] for r below `rows`; `count` of them exist.
    Those beyond are zero or repeat the last one.
    """
    name = f"pack_rows_{rows}"
    return module.define_once(name, lambda m: _pack_rows(m, name, element, rows))


def _pack_rows(module, name, element, rows):
    f = module.function(name, VOID, [PTR, PTR, I64, I64, I64, I64],
                        attributes="nounwind noinline", linkage="internal")
    to, source, row_stride, k_stride, k_count, count = f.parameters
    with f.if_(f.eq(row_stride, 1)) as branch:
        _copy_rows(f, element, rows)
    with branch.otherwise():
        starts = [f.at(source, f.min_int(count - 1, r) * row_stride, element)
                  for r in range(rows)]
        with f.loop(0, k_count) as loop:
            offset = loop.index * k_stride
            for r, start in enumerate(starts):
                f.store(f.load(element, start, offset), to, loop.index * rows + r)


def _copy_rows(f, element, rows):
    """Rows next to each other, as in the gradient of a weight, are copied as vectors."""
    to, source, _, k_stride, k_count, count = f.parameters
    lanes = min(_cpu.vector_width() * 4 // element.size, 1 << (rows - 1).bit_length())
    type = vector(element, lanes)
    pieces = [(first, f.tail_mask(count - first, lanes), f.tail_mask(f.i64(rows - first), lanes))
              for first in range(0, rows, lanes)]
    with f.loop(0, k_count) as loop:
        start = f.at(source, loop.index * k_stride, element)
        target = f.at(to, loop.index * rows, element)
        for first, existing, wanted in pieces:
            f.store_masked(f.load_masked(type, start, existing, first), target, wanted, first)
