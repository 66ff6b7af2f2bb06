"""Copies into the layouts that the GEMM tile reads: panels of B, tiles of A.

Beside `tile`, below `contract` and `convolve`. A panel holds, for each k, the tile's columns next to
each other; a packed tile of A holds, for each k, its rows. What does not exist repeats the last
column or row that does, so that the tile needs no mask while it multiplies.
"""

from __future__ import annotations

from flambeau.codegen.emitter import I64, PTR, VOID, vector

__all__ = ["define_pack_columns", "define_pack_rows", "transposed"]


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


def define_pack_columns(module, element, lanes, vectors):
    """Defines `pack_columns(to, from, k_stride, column_stride, k, width)` and returns its name.

    to[k, j] = from[k * k_stride + j * column_stride] for j below vectors * lanes.
    """
    name = f"pack_columns_{vectors}"
    return module.define_once(name, lambda m: _pack_columns(m, name, element, lanes, vectors))


def _pack_columns(module, name, element, lanes, vectors):
    f = module.function(name, VOID, [PTR, PTR, I64, I64, I64, I64],
                        attributes="nounwind noinline", linkage="internal")
    to, source, k_stride, column_stride, k_count, width = f.parameters
    panel = vectors * lanes
    type = vector(element, lanes)

    def at(k, column):
        last = f.min_int(column, width - 1)
        return f.at(source, k * k_stride + last * column_stride, element)

    def copy_rows(masks):
        with f.loop(0, k_count) as loop:
            start = f.at(source, loop.index * k_stride, element)
            target = f.at(to, loop.index * panel, element)
            for j in range(vectors):
                value = (f.load_masked(type, start, masks[j], j * lanes) if masks else
                         f.load(type, start, j * lanes))
                f.store(value, target, j * lanes)

    def copy_one_by_one(first_k):
        with f.loop(first_k, k_count) as loop:
            with f.loop(0, panel) as column:
                f.store(f.load(element, at(loop.index, column.index)), to,
                        loop.index * panel + column.index)

    with f.if_(f.eq(column_stride, 1)) as branch:
        with f.if_(f.eq(width, panel)) as whole:
            copy_rows(None)
        with whole.otherwise():
            copy_rows([f.tail_mask(width - j * lanes, lanes) for j in range(vectors)])
    with branch.otherwise():
        with f.if_(f.eq(k_stride, 1)) as branch:
            squares = k_count & -lanes
            with f.loop(0, panel, lanes) as column:
                starts = [at(f.i64(0), column.index + i) for i in range(lanes)]
                with f.loop(0, squares, lanes) as loop:
                    rows = [f.load(type, start, loop.index) for start in starts]
                    target = f.at(to, loop.index * panel + column.index, element)
                    for i, row in enumerate(transposed(f, rows)):
                        f.store(row, target, i * panel)
            copy_one_by_one(squares)
        with branch.otherwise():
            copy_one_by_one(f.i64(0))


def define_pack_rows(module, element, rows):
    """Defines `pack_rows(to, from, row_stride, k_stride, k, count)` and returns its name.

    to[k, r] = from[r * row_stride + k * k_stride] for r below `rows`; `count` of them exist.
    """
    name = f"pack_rows_{rows}"
    return module.define_once(name, lambda m: _pack_rows(m, name, element, rows))


def _pack_rows(module, name, element, rows):
    f = module.function(name, VOID, [PTR, PTR, I64, I64, I64, I64],
                        attributes="nounwind noinline", linkage="internal")
    to, source, row_stride, k_stride, k_count, count = f.parameters
    starts = [f.at(source, f.min_int(count - 1, r) * row_stride, element) for r in range(rows)]
    with f.loop(0, k_count) as loop:
        offset = loop.index * k_stride
        for r, start in enumerate(starts):
            f.store(f.load(element, start, offset), to, loop.index * rows + r)
