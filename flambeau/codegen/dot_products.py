"""Matrix products with very few rows: dot products along a contiguous k.

Beside `contract`, which calls it where A has at most `MOST_ROWS` rows and k is contiguous in A and
B: a linear layer on a single sample. Such a product reads B once and does little else, so B is not
packed: eight columns are multiplied at a time, with the lanes of the vectors along k.
"""

from __future__ import annotations

from flambeau.codegen.emitter import Module, vector
from flambeau.codegen.kernel_call import ArgumentTable, KernelCall, default_grain
from flambeau.codegen.tile import element_type, vector_lanes

__all__ = ["MOST_ROWS", "plan_dot_products"]

MOST_ROWS = 4  # above, packing B and reading it once by the tile is as fast
_COLUMNS = 8   # of a group: that many sums hide the latency of a multiplication
_BLOCK = 32    # columns of a work item

_POINTERS = ("a", "b", "c")
_INTEGERS = ("batch_inner", "m", "n", "k", "blocks", "a_outer", "a_inner", "a_row", "b_outer",
             "b_inner", "b_column", "c_outer", "c_inner", "c_row")


def plan_dot_products(*, batch, m, n, k, a, b, out, dtype, epilogue=None, label=""):
    """The calls for `plan_contract`'s product where a.strides[3] == b.strides[2] == 1."""
    outer, inner = batch
    table = ArgumentTable(_POINTERS, _INTEGERS, epilogue)
    blocks = -(-n // _BLOCK)
    args = table.fill(
        a=a.pointer, b=b.pointer, c=out.pointer, batch_inner=inner, m=m, n=n, k=k, blocks=blocks,
        a_outer=a.strides[0], a_inner=a.strides[1], a_row=a.strides[2], b_outer=b.strides[0],
        b_inner=b.strides[1], b_column=b.strides[3], c_outer=out.strides[0],
        c_inner=out.strides[1], c_row=out.strides[2])
    name = f"dot_products_{dtype}" + (f"_{epilogue.key}" if epilogue else "")
    if name not in _texts:
        _texts[name] = _emit(name, dtype, epilogue, table)
    items = outer * inner * blocks
    size = 4 if dtype == "float32" else 8
    flops = 2 * outer * inner * m * n * k
    nbytes = size * outer * inner * (m * k + k * n + m * n)
    return [KernelCall(name, _texts[name], args, items,
                       default_grain(items, nbytes // items, 128 << 10), 0, flops, nbytes,
                       label or f"dot products {m}x{n}x{k}")]


_texts: dict[str, str] = {}


def _emit(name, dtype, epilogue, table):
    module = Module(name, pipeline="light")
    f = module.kernel(name)
    a, b, c = table.load(f, *_POINTERS)
    get = dict(zip(_INTEGERS, table.load(f, *_INTEGERS)))
    element, lanes = element_type(dtype), vector_lanes(dtype)
    group = min(_COLUMNS, lanes)  # so that a group's results are one vector for the epilogue
    sums = f.alloca(element, group)
    with f.loop(f.begin, f.end) as items:
        block, number = items.index % get["blocks"], items.index / get["blocks"]
        outer, inner = number / get["batch_inner"], number % get["batch_inner"]
        start_a, start_b, start_c = (
            f.at(pointer, outer * get[f"{letter}_outer"] + inner * get[f"{letter}_inner"], element)
            for pointer, letter in ((a, "a"), (b, "b"), (c, "c")))
        first = block * _BLOCK
        last = f.min_int(get["n"], first + _BLOCK)
        with f.loop(first, last, group) as column, f.loop(0, get["m"]) as row:
            n = column.index
            columns = [f.at(start_b, f.min_int(last - 1, n + i) * get["b_column"], element)
                       for i in range(group)]
            line = f.at(start_a, row.index * get["a_row"], element)
            for i, total in enumerate(_dots(f, vector(element, lanes), line, columns, get["k"])):
                f.store(total, sums, i)
            value = f.load(vector(element, group), sums)
            mask = f.tail_mask(last - n, group)
            if epilogue:
                value = epilogue.emit(f, value, number * get["m"] + row.index, n, mask,
                                      table.epilogue_slot)
            f.store_masked(value, f.at(start_c, row.index * get["c_row"], element), mask, n)
    return module.text()


def _dots(f, type, line, columns, k):
    """The dot products of `line` with each of the columns, over k elements."""
    whole = k & -type.lanes
    zeros = [f.constant(type, 0)] * len(columns)
    with f.loop(0, whole, type.lanes, carried=zeros) as loop:
        a = f.load(type, line, loop.index)
        loop.next(*[f.fma(a, f.load(type, column, loop.index), total)
                    for column, total in zip(columns, loop.carried)])
    with f.if_(f.lt(whole, k)) as branch:
        mask = f.tail_mask(k - whole, type.lanes)
        a = f.load_masked(type, line, mask, whole)
        branch.give(*[f.fma(a, f.load_masked(type, column, mask, whole), total)
                      for column, total in zip(columns, loop.results)])
    with branch.otherwise():
        branch.give(*loop.results)
    return [f.reduce_add(total) for total in branch.results]
