"""Loops that run along one dimension in order: scatter and put, cumulative sums and products.

Between the graph compiler and the emitter. Arrays are dense and seen as (outer, n, inner). An item
owns a block of inner elements of one outer index, so that equal indices meet in one thread and are
added in their order: results depend on neither threads nor timing.

    plan_scatter(outer=, count=, extent=, inner=, index=Pointer, shared=, values=Pointer,
                 out=Pointer, mode=, dtype=, flags=Pointer, flag=)      out[o, index, i] op= value
    plan_scan(outer=, count=, inner=, x=Pointer, out=Pointer, product=, dtype=)
"""

from __future__ import annotations

import functools

from .. import dtypes
from ..runtime import _cpu
from .emitter import I64, Module, vector
from .fused_operations import load_element, memory_type, register_type, round_value, store_element
from .kernel_call import ArgumentTable, KernelCall, default_grain
from .reducers import Reducer

__all__ = ["plan_scan", "plan_scatter"]

_BLOCK = 64     # inner elements of an item
_MODES = {"add": "reduce_sum", "mul": "reduce_prod", "max": "reduce_max", "min": "reduce_min",
          "set": None}
_SCATTER = ("outer", "count", "extent", "inner", "block", "blocks", "index_outer", "index_step",
            "index_inner", "flag")
_SCAN = ("count", "inner", "block", "blocks")


def plan_scatter(*, outer, count, extent, inner, index, shared, values, out, mode, dtype, flags,
                 flag, label=""):
    """The call for out[o, index[..], i] op= values[o, j, i], where `out` holds the old values.

    `shared`: one index for each j; otherwise the index has the shape of the values.
    """
    table = ArgumentTable(("index", "values", "out", "flags"), _SCATTER)
    name, text = _scatter_kernel(shared, mode, dtype.name)
    block = min(inner, _cpu.vector_width() if shared else _BLOCK)
    blocks = -(-inner // block)
    strides = (0, 1, 0) if shared else (count * inner, inner, 1)
    args = table.fill(index=index, values=values, out=out, flags=flags, outer=outer, count=count,
                      extent=extent, inner=inner, block=block, blocks=blocks,
                      index_outer=strides[0], index_step=strides[1], index_inner=strides[2],
                      flag=flag)
    items, work = outer * blocks, outer * count * inner
    return KernelCall(name, text, args, items, default_grain(items, 8 * count * block), 0, work,
                      3 * work * dtype.itemsize, label or f"scatter {mode}")


@functools.cache
def _scatter_kernel(shared, mode, dtype_name):
    dtype = dtypes.dtype.by_name[dtype_name]
    name = f"scatter_{'rows' if shared else 'elements'}_{mode}_{dtype_name}"
    module = Module(name)
    f = module.kernel(name)
    table = ArgumentTable(("index", "values", "out", "flags"), _SCATTER)
    index, values, out, flags = table.load(f, "index", "values", "out", "flags")
    numbers = dict(zip(_SCATTER, table.load(f, *_SCATTER)))
    lanes = _cpu.vector_width()
    type = memory_type(dtype)

    def update(at, source, kind, mask=None):
        """One vector or element of the output at `at`, changed by the values at `source`."""
        if mask is None:
            new = f.load(kind, values, source)
        else:
            new = f.load_masked(kind, values, mask, source)
        if mode != "set":
            old = f.load(kind, out, at) if mask is None else f.load_masked(kind, out, mask, at)
            reducer = Reducer(f, _MODES[mode], dtype)
            result, = reducer.combine((load_element(f, dtype, old),),
                                      (load_element(f, dtype, new),))
            new = store_element(f, dtype, result)
        if mask is None:
            f.store(new, out, at)
        else:
            f.store_masked(new, out, mask, at)

    def checked(place):
        """Calls follow only for places in range; others raise the flag."""
        outside = f.compare("uge", place, numbers["extent"])
        with f.if_(outside):
            f.store(f.i64(1), flags, numbers["flag"] * 2)
            f.store(place, flags, numbers["flag"] * 2 + 1)
        return ~outside

    inner, count = numbers["inner"], numbers["count"]
    with f.loop(f.begin, f.end) as items:
        o = f.binary("udiv", items.index, numbers["blocks"])
        first = (items.index - o * numbers["blocks"]) * numbers["block"]
        last = f.min_int(first + numbers["block"], inner)
        out_base = o * (numbers["extent"] * inner)
        index_base = o * numbers["index_outer"]
        with f.loop(0, count) as steps:
            row = (o * count + steps.index) * inner
            place_base = index_base + steps.index * numbers["index_step"]
            if shared:
                place = f.load(I64, index, place_base)
                with f.if_(checked(place)):
                    target = out_base + place * inner
                    if lanes == 16:
                        with f.loop(first, last, lanes) as loop:
                            mask = f.tail_mask(last - loop.index, lanes)
                            update(target + loop.index, row + loop.index, vector(type, lanes),
                                   mask)
                    else:
                        with f.loop(first, last) as loop:
                            update(target + loop.index, row + loop.index, type)
            else:
                with f.loop(first, last) as loop:
                    place = f.load(I64, index,
                                   place_base + loop.index * numbers["index_inner"])
                    with f.if_(checked(place)):
                        update(out_base + place * inner + loop.index, row + loop.index, type)
    return name, module.text()


def plan_scan(*, outer, count, inner, x, out, product, dtype, label=""):
    """The call for cumulative sums or products along the middle dimension."""
    table = ArgumentTable(("x", "out"), _SCAN)
    name, text = _scan_kernel(product, dtype.name, inner >= 4)
    block = min(inner, _cpu.vector_width() if inner >= 4 else 1)
    blocks = -(-inner // block)
    args = table.fill(x=x, out=out, count=count, inner=inner, block=block, blocks=blocks)
    items, work = outer * blocks, outer * count * inner
    return KernelCall(name, text, args, items, default_grain(items, 16 * count), 0, work,
                      2 * work * dtype.itemsize, label or "scan")


@functools.cache
def _scan_kernel(product, dtype_name, wide):
    dtype = dtypes.dtype.by_name[dtype_name]
    name = f"scan_{'product' if product else 'sum'}_{dtype_name}_{'wide' if wide else 'narrow'}"
    module = Module(name)
    f = module.kernel(name)
    table = ArgumentTable(("x", "out"), _SCAN)
    x, out = table.load(f, "x", "out")
    count, inner, block, blocks = table.load(f, *_SCAN)
    lanes = _cpu.vector_width() if wide and _cpu.vector_width() == 16 else 0
    kind = vector(memory_type(dtype), lanes)
    start = f.constant(vector(register_type(dtype), lanes), 1 if product else 0)
    reducer = Reducer(f, "reduce_prod" if product else "reduce_sum", dtype)
    with f.loop(f.begin, f.end) as items:
        o = f.binary("udiv", items.index, blocks)
        first = (items.index - o * blocks) * block
        last = f.min_int(first + block, inner)
        with f.loop(first, last, max(1, lanes)) as columns:
            base = o * (count * inner) + columns.index
            mask = f.tail_mask(last - columns.index, lanes) if lanes else None
            with f.loop(0, count, carried=[start]) as steps:
                at = base + steps.index * inner
                raw = f.load_masked(kind, x, mask, at) if lanes else f.load(kind, x, at)
                total, = reducer.combine(steps.carried, (load_element(f, dtype, raw),))
                result = store_element(f, dtype, round_value(f, dtype, total))
                if lanes:
                    f.store_masked(result, out, mask, at)
                else:
                    f.store(result, out, at)
                steps.next(total)
    return name, module.text()
