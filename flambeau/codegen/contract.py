"""Matrix products: plans for C[b, m, n] = sum over k of A[b, m, k] * B[b, k, n].

Between the graph compiler, which brings a contraction to this form (`contraction_form`), and the
tile generator. The interface:

    plan_contract(batch=(outer, inner), m=, n=, k=, a=Operand, b=Operand, out=Operand,
                  dtype="float32" or "float64", allocate=, epilogue=None, label="")
        -> list[KernelCall]

The strides of the operands, in elements, are (batch outer, batch inner, row, column), any integers
(0 repeats, negative goes backwards); the columns of `out` must be contiguous. All extents and
strides are runtime integers: a machine code depends only on the dtype, the widths of the
panels of columns, how A is read, and the epilogue.

The blocking follows BLIS (https://doi.org/10.1145/2764454): a work item is a block of C; it walks K
in chunks and the columns in panels, whose part of B is packed into scratch (L1 or L2) and used by
all tiles of the block. A stays where it is if k is contiguous in it. Where a product has few
blocks but a long K, as in weight gradients, K is split in fixed chunks whose partial sums
`plan_partial_sum` adds in order: results depend on neither threads nor timing.
"""

from __future__ import annotations

import functools
import math

from flambeau.codegen.dot_products import MOST_ROWS, plan_dot_products
from flambeau.codegen.emitter import I64, Module, vector
from flambeau.codegen.extents import usual
from flambeau.codegen.kernel_call import ArgumentTable, KernelCall, Operand, Pointer, default_grain
from flambeau.codegen.packing import define_pack_columns, define_pack_rows
from flambeau.codegen.tile import (
    FINAL,
    TileShape,
    call_tile,
    define_tile,
    element_type,
    pick_panels,
    rows_for,
    vector_lanes,
)
from flambeau.runtime import _cpu

__all__ = ["contraction_form", "plan_contract", "plan_partial_sum"]

_SIZES = {"float32": 4, "float64": 8}

# k between a tile's reading of A in columns mode and the prefetch: about 600 cycles. Out of the
# caches the gradient of a 512 x 128 weight takes 831 us without prefetches, 545 with them; with
# those of the next tile's rows, products in rows mode are 5 to 19 % faster
AHEAD = 24

_POINTERS = ("a", "b", "c")
_INTEGERS = (
    "batch_inner", "m", "n", "k",
    "a_outer", "a_inner", "a_row", "a_column", "b_outer", "b_inner", "b_row", "b_column",
    "c_outer", "c_inner", "c_row", "c_split",
    "m_block", "m_blocks", "n_block", "n_blocks", "k_split", "k_splits", "k_block",
    "pack_a", "pack_b", "panel_at", "pack_at")


def plan_contract(*, batch, m, n, k, a, b, out, dtype, allocate, epilogue=None, label=""):
    """The calls for one batched matrix product; see the module."""
    outer, inner = batch
    if not (outer * inner and m and n):
        return []
    if out.strides[3] != 1 and n > 1:
        if epilogue is not None:
            raise ValueError("plan_contract: the columns of `out` must be contiguous where there "
                             f"is an epilogue; received strides {out.strides}")
        a, b, out = (_exchanged(x) for x in (b, a, out))
        m, n = n, m
        if out.strides[3] != 1 and n > 1:
            raise ValueError("plan_contract: rows or columns of `out` must be contiguous; "
                             f"received strides {out.strides}")
    # a matrix times a vector
    if n == 1 and usual(m) > 1 and epilogue is None and out.strides[2] == 1:
        a, b, out = (_exchanged(x) for x in (b, a, out))
        m, n = n, m
    if usual(m) <= MOST_ROWS and b.strides[2] == 1 and (a.strides[3] == 1 or k == 1) and n > 1:
        return plan_dot_products(batch=batch, m=m, n=n, k=k, a=a, b=b, out=out, dtype=dtype,
                                 epilogue=epilogue, label=label)
    size = _SIZES[dtype]
    full, last = pick_panels(n, dtype)
    panel = full or last
    by_rows = a.strides[3] == 1 or k == 1
    rows = rows_for(panel, dtype, "rows" if by_rows else "columns")
    blocks = _choose_blocks(outer * inner, m, n, k, rows, panel, size)
    m_block, n_block, k_splits, k_block = blocks
    if epilogue is not None and not k_splits and (
            k_block < k or usual(k_block) < usual(k)):
        # unfinished sums must not lie in `out`, which the epilogue may read: no chunks of a K
        # whose panel fits into L2, otherwise parts that a second call adds
        if usual(k) * size <= 6 << 10:
            k_block = k
        else:
            k_splits = -(-k // (2 * k_block))
    in_parts, k_splits = k_splits > 0, max(1, k_splits)
    k_split = -(-k // k_splits) if k else 1
    m_blocks, n_blocks = -(-m // m_block), -(-n // n_block)

    panel_at = 64 + _align(8 * (m_block + rows)) * 2
    pack_at = panel_at + _align(k_block * panel * size)
    pack_a = not by_rows and (a.strides[2] != 1 or n_block > 2 * panel)
    packed_rows = -(-m_block // rows) * rows if pack_a else rows
    scratch = pack_at + (0 if by_rows else _align(packed_rows * k_block * size))
    table = ArgumentTable(_POINTERS, _INTEGERS, None if in_parts else epilogue)
    name, text = _kernel(dtype, full, last, by_rows, table.epilogue)

    c, c_strides, c_split = out.pointer, out.strides, 0
    if in_parts:
        c_split = outer * inner * m * n
        c, c_strides = Pointer(allocate(k_splits * c_split * size)), (inner * m * n, m * n, n, 1)
    values = {
        "a": a.pointer, "b": b.pointer, "c": c, "batch_inner": inner, "m": m, "n": n, "k": k,
        "c_outer": c_strides[0], "c_inner": c_strides[1], "c_row": c_strides[2],
        "c_split": c_split, "m_block": m_block, "m_blocks": m_blocks, "n_block": n_block,
        "n_blocks": n_blocks, "k_split": k_split, "k_splits": k_splits, "k_block": k_block,
        "pack_a": pack_a, "panel_at": panel_at, "pack_at": pack_at,
        # a panel that only a few tiles use is not worth a copy
        "pack_b": b.strides[3] != 1 or m_block > 4 * rows}
    for letter, operand in (("a", a), ("b", b)):
        for part, stride in zip(("outer", "inner", "row", "column"), operand.strides):
            values[f"{letter}_{part}"] = stride
    items = outer * inner * n_blocks * m_blocks * k_splits
    flops = 2 * outer * inner * m * n * k
    calls = [KernelCall(
        name, text, table.fill(**values), items, default_grain(items, flops // items), scratch,
        flops, size * outer * inner * (m * k + k * n + m * n), label or f"contract {m}x{n}x{k}")]
    if in_parts:
        calls.append(plan_partial_sum(
            parts=k_splits, batch=batch, rows=m, columns=n, partial=c, out=out, dtype=dtype,
            epilogue=epilogue, label=label))
    return calls


def _exchanged(operand):
    """The transposed matrices."""
    return Operand(operand.pointer, operand.strides[:2] + operand.strides[:1:-1])


def _align(nbytes):
    return -(-nbytes // 64) * 64


def _even(extent, most, unit):
    """The extent of blocks of at most about `most`, as equal as multiples of `unit` allow."""
    count = max(1, round(extent / most))
    block = -(-extent // count)
    return -(-block // unit) * unit


def _choose_blocks(batch, m, n, k, rows, panel, size):
    """(m_block, n_block, k_splits, k_block): from the caches, then until there are items enough.

    `k_splits` is 0 where k is not cut into parts that a second call adds.
    """
    most_rows, depth = _block_limits()
    depth = depth * 4 // size
    wanted = _wanted_items(batch, m, n, k)
    m_block = min(_even(m, most_rows, rows), -(-m // rows) * rows)
    if _is_long(*map(usual, (batch, m, n, k)), size, depth):
        # weight gradients over many rows: each item reads its part of A and B once, in order
        k_splits = max(1, min(-(-wanted // batch), k // (2 * depth)))
        return (m_block, -(-n // panel) * panel, k_splits,
                max(1, _even(-(-k // k_splits), depth, 1)))
    panels = -(-n // panel)
    items = batch * -(-m // m_block)
    groups = min(panels, max(1, -(-wanted // items), -(-n // 1024)))
    n_block = -(-panels // groups) * panel
    items *= -(-n // n_block)
    if items < wanted and m > 64:
        most = max(60, m_block * items // wanted)
        m_block = min(m_block, _even(m, most, rows))
    return m_block, n_block, 0, max(1, _even(k, depth, 1))


@functools.cache
def _block_limits():
    """(rows, k) of a block of A in float32: with a panel of B it stays in L2.

    Every block copies the panels of B again, so more rows are better: of 1 MiB, 480 x 340 takes two
    thirds and a panel a tenth. A product of 2048 takes 38.2 ms, with 240 x 384 40.2; 256 x 700
    times 700 x 10,000 takes 7.8 instead of 8.2 (two Zen 5 cores).
    """
    return (480, 340) if _cpu.cache_sizes()[1] >= 1 << 20 else (240, 340)


def _wanted_items(batch, m, n, k):
    """Enough to balance threads whose speed differs, if the work is worth sharing at all."""
    return min(16, max(1, 2 * m * n * k * batch // 400_000))


def _is_long(batch, m, n, k, size, depth):
    """Whether k is to be cut into parts: it is long, and there is little else to share."""
    return (k > 4 * (m + n) and m * n * size <= 1 << 20 and k >= 4 * depth
            and batch < _wanted_items(batch, m, n, k))


@functools.cache
def _plain_kernel(dtype, full, partial, by_rows):
    return _emit(dtype, full, partial, by_rows, None)


_with_epilogue: dict = {}


def _kernel(dtype, full, partial, by_rows, epilogue):
    """(name, text) of the kernel with panels of `full` columns and a last one of `partial`."""
    if epilogue is None:
        return _plain_kernel(dtype, full, partial, by_rows)
    key = dtype, full, partial, by_rows, epilogue.key
    if key not in _with_epilogue:
        _with_epilogue[key] = _emit(dtype, full, partial, by_rows, epilogue)
    return _with_epilogue[key]


def _emit(dtype, full, partial, by_rows, epilogue):
    mode = "rows" if by_rows else "columns"
    name = f"contract_{dtype}_{full}_{partial}_{mode}"
    if epilogue is not None:
        name += f"_{epilogue.key}"
    module = Module(name, pipeline="light")
    table = ArgumentTable(_POINTERS, _INTEGERS, epilogue)
    _Driver(module, name, dtype, full, partial, by_rows, table).emit()
    return name, module.text()


class _Driver:
    """The loops around the tile: items, chunks of K, panels of columns, tiles of rows."""

    def __init__(self, module, name, dtype, full, partial, by_rows, table):
        self.by_rows, self.table = by_rows, table
        self.lanes = vector_lanes(dtype)
        self.widest = full or partial
        mode = "rows" if by_rows else "columns"
        self.rows = rows_for(self.widest, dtype, mode)
        self.shapes = []
        for columns, masked in ((full, False), (partial, True)):
            if columns:
                shape = TileShape(dtype, self.rows, columns, mode, masked)
                define_tile(module, shape, table.epilogue, table.epilogue_slot)
                self.shapes.append(shape)
        self.element = self.shapes[0].element
        define_pack_columns(module, self.element, self.lanes)
        if not by_rows:
            define_pack_rows(module, self.element, self.rows)
        self.f = module.kernel(name)

    def __getattr__(self, name):
        return self.table.load_here(self.f, name)

    def emit(self):
        f = self.f
        self.a_rows = f.byte_offset(f.scratch, 64)
        self.out_rows = f.at(self.a_rows, self.m_block + (self.rows + 7) // 8 * 8, I64)
        self.panel = f.byte_offset(f.scratch, self.panel_at)
        self.packed = f.byte_offset(f.scratch, self.pack_at)
        f.store(f.i64(0), f.scratch)  # the only tap
        with f.loop(f.begin, f.end) as items:
            self._item(items.index)

    def _item(self, item):
        f = self.f
        split, item = item % self.k_splits, item / self.k_splits
        m_index, item = item % self.m_blocks, item / self.m_blocks
        n_index, item = item % self.n_blocks, item / self.n_blocks
        outer, inner = item / self.batch_inner, item % self.batch_inner
        first_row, first_column = m_index * self.m_block, n_index * self.n_block
        self.row_count = f.min_int(self.m - first_row, self.m_block)
        self.last_column = f.min_int(self.n, first_column + self.n_block)
        self.a_item = f.at(self.a, outer * self.a_outer + inner * self.a_inner
                           + first_row * self.a_row, self.element)
        self.b_item = f.at(self.b, outer * self.b_outer + inner * self.b_inner, self.element)
        self.c_item = f.at(self.c, split * self.c_split + outer * self.c_outer
                           + inner * self.c_inner + first_row * self.c_row, self.element)
        self.row_base = item * self.m + first_row
        self._fill_tables()
        k_begin = split * self.k_split
        k_end = f.min_int(self.k, k_begin + self.k_split)
        with f.loop(k_begin, k_end, self.k_block, at_least_once=True) as chunk:
            k = chunk.index
            self.k_count = f.min_int(k_end - k, self.k_block)
            final = f.ge(k + self.k_block, k_end)
            self.flags = f.select(f.gt(k, k_begin), f.i64(1), 0) | f.select(final, f.i64(FINAL), 0)
            self.a_chunk = f.at(self.a_item, k * self.a_column, self.element)
            if not self.by_rows:
                with f.if_(f.ne(self.pack_a, 0)):
                    self._pack_block()
            with f.loop(first_column, self.last_column, self.widest) as panel:
                self._panel(panel.index, k)

    def _fill_tables(self):
        f = self.f
        with f.loop(0, self.row_count + (self.rows - 1)) as loop:
            i = loop.index
            if self.by_rows:
                f.store(f.min_int(i, self.row_count - 1) * self.a_row, self.a_rows, i)
            f.store(i, self.out_rows, i)

    def _pack_block(self):
        f = self.f
        with f.loop(0, self.row_count, self.rows) as tile:
            f.call(f"pack_rows_{self.rows}", f.return_type, [
                f.at(self.packed, tile.index * self.k_count, self.element),
                f.at(self.a_chunk, tile.index * self.a_row, self.element),
                self.a_row, self.a_column, self.k_count, self.row_count - tile.index])

    def _panel(self, column, k):
        f = self.f
        width = f.min_int(self.last_column - column, self.widest)
        if len(self.shapes) == 1:
            return self._tiles(self.shapes[0], column, k, width)
        with f.if_(f.eq(width, self.widest)) as branch:
            self._tiles(self.shapes[0], column, k, width)
        with branch.otherwise():
            self._tiles(self.shapes[1], column, k, width)

    def _tiles(self, shape, column, k, width):
        f = self.f
        panel = shape.columns
        source = f.at(self.b_item, k * self.b_row + column * self.b_column, self.element)
        pack = f.ne(self.pack_b, 0)
        if shape.partial:
            pack = pack | f.lt(width, panel)
        with f.if_(pack) as branch:
            f.call("pack_columns", f.return_type, [
                self.panel, source, self.b_row, self.b_column, self.k_count, width, f.i64(panel)])
            branch.give(self.panel, f.i64(panel))
        with branch.otherwise():
            branch.give(source, self.b_row)
        b, b_stride = branch.results
        with f.loop(0, self.row_count, self.rows) as tile:
            row = tile.index
            a, a_stride = ((self.a_chunk, self.a_row) if self.by_rows else
                           self._rows_of_tile(row))
            call_tile(f, shape, args=f.args, a=a, a_rows=f.at(self.a_rows, row, I64),
                      a_stride=a_stride, out_rows=f.at(self.out_rows, row, I64),
                      tap_offsets=f.scratch, taps=1, k=self.k_count, b=b, b_stride=b_stride,
                      c=f.at(self.c_item, column, self.element), c_stride=self.c_row,
                      row_base=self.row_base, column=column,
                      rows=f.min_int(self.row_count - row, self.rows), width=width,
                      flags=self.flags, ahead=(self.a_row * self.rows if self.by_rows else
                                               a_stride * AHEAD))

    def _rows_of_tile(self, row):
        """Pointer and k stride of a tile in columns mode; a last, partial tile is packed."""
        f = self.f
        left = self.row_count - row
        source = f.at(self.a_chunk, row * self.a_row, self.element)
        with f.if_(f.ne(self.pack_a, 0)) as branch:
            branch.give(f.at(self.packed, row * self.k_count, self.element), f.i64(self.rows))
        with branch.otherwise():
            with f.if_(f.lt(left, self.rows)) as last:
                f.call(f"pack_rows_{self.rows}", f.return_type, [
                    self.packed, source, self.a_row, self.a_column, self.k_count, left])
                last.give(self.packed, f.i64(self.rows))
            with last.otherwise():
                last.give(source, self.a_column)
            branch.give(*last.results)
        return branch.results


def contraction_form(a_shape, a_strides, b_shape, b_strides, batch_a, batch_b, contract_a,
                     contract_b):
    """(batch, m, n, k, a strides, b strides) of XLA's dot_general in `plan_contract`'s form.

    Dimensions that lie behind each other are merged: batch dimensions to two, the free and the
    contracted ones to one each. None if the strides do not allow it: then a copy must come first.
    """
    free_a = [d for d in range(len(a_shape)) if d not in batch_a and d not in contract_a]
    free_b = [d for d in range(len(b_shape)) if d not in batch_b and d not in contract_b]
    batches = _merged([a_shape[d] for d in batch_a], [a_strides[d] for d in batch_a],
                      [b_strides[d] for d in batch_b])
    rows = _merged([a_shape[d] for d in free_a], [a_strides[d] for d in free_a])
    columns = _merged([b_shape[d] for d in free_b], [b_strides[d] for d in free_b])
    inner = _merged([a_shape[d] for d in contract_a], [a_strides[d] for d in contract_a],
                    [b_strides[d] for d in contract_b])
    if len(batches) > 2 or max(map(len, (rows, columns, inner))) > 1:
        return None
    batches = [(1, 0, 0)] * (2 - len(batches)) + batches
    (m, a_row), = rows or [(1, 0)]
    (n, b_column), = columns or [(1, 0)]
    (k, a_column, b_row), = inner or [(1, 0, 0)]
    batch = batches[0][0], batches[1][0]
    return (batch, m, n, k, (batches[0][1], batches[1][1], a_row, a_column),
            (batches[0][2], batches[1][2], b_row, b_column))


def _merged(extents, *strides):
    """[(extent, stride...)] of dimensions, neighbours merged where every stride allows it."""
    merged: list = []
    for extent, *steps in zip(extents, *strides):
        if extent == 1:
            continue
        if merged and all(before == step * extent
                          for before, step in zip(merged[-1][1:], steps)):
            merged[-1] = (merged[-1][0] * extent, *steps)
        else:
            merged.append((extent, *steps))
    return merged


# ---- ordered sums of partial results -------------------------------------------------------------

_SUM_INTEGERS = ("batch_inner", "rows", "columns", "parts", "part_stride", "c_outer", "c_inner",
                 "c_row")


def plan_partial_sum(*, parts, batch, rows, columns, partial, out, dtype, epilogue=None, label=""):
    """The call that adds `parts` dense arrays (batch, rows, columns) in order into `out`."""
    size = _SIZES[dtype]
    table = ArgumentTable(("partial", "out"), _SUM_INTEGERS, epilogue)
    name, text = _sum_kernel(dtype, epilogue)
    items = math.prod(batch) * rows
    work = parts * items * columns
    args = table.fill(partial=partial, out=out.pointer, batch_inner=batch[1], rows=rows,
                      columns=columns, parts=parts, part_stride=items * columns,
                      c_outer=out.strides[0], c_inner=out.strides[1], c_row=out.strides[2])
    return KernelCall(name, text, args, items, default_grain(items, 4 * parts * columns), 0, work,
                      size * (work + items * columns), f"{label} sum of {parts} parts".strip())


def _sum_kernel(dtype, epilogue):
    key = "sum", dtype, epilogue.key if epilogue else None
    if key not in _with_epilogue:
        name = f"partial_sum_{dtype}" + (f"_{epilogue.key}" if epilogue else "")
        _with_epilogue[key] = name, _emit_sum(name, dtype, epilogue)
    return _with_epilogue[key]


def _emit_sum(name, dtype, epilogue):
    module = Module(name, pipeline="light")
    table = ArgumentTable(("partial", "out"), _SUM_INTEGERS, epilogue)
    lanes = vector_lanes(dtype)
    f = module.kernel(name)
    partial, out = table.load(f, "partial", "out")
    integers = dict(zip(_SUM_INTEGERS, table.load(f, *_SUM_INTEGERS)))
    element = element_type(dtype)
    type = vector(element, lanes)
    columns, parts, stride = (integers[n] for n in ("columns", "parts", "part_stride"))
    with f.loop(f.begin, f.end) as items:
        row = items.index
        batch, in_batch = row / integers["rows"], row % integers["rows"]
        inner = integers["batch_inner"]
        target = f.at(out, batch / inner * integers["c_outer"] + batch % inner
                      * integers["c_inner"] + in_batch * integers["c_row"], element)
        source = f.at(partial, row * columns, element)
        with f.loop(0, columns, lanes) as column:
            mask = f.tail_mask(columns - column.index, lanes)
            first = f.load_masked(type, source, mask, column.index)
            with f.loop(1, parts, carried=[first]) as part:
                index = part.index * stride + column.index
                part.next(part.carried[0] + f.load_masked(type, source, mask, index))
            value = part.results[0]
            if epilogue:
                value = epilogue.emit(f, value, row, column.index, mask, table.epilogue_slot)
            f.store_masked(value, target, mask, column.index)
    return module.text()
