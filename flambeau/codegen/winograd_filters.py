"""The weights of Winograd's convolutions: from their place in memory to factors, in one call.

Beside `winograd`, which reads `weights[panel][position][channel][column]`. A work item takes a
panel of output channels and a block of input channels: it gathers each tap's columns in scratch, as
`pack_weights` does for the direct form, and transforms them from there. Weights packed in memory
first cost another pass over them; positions one cache way apart, as 64 columns of 256 channels are,
would write all 36 factors to the same few sets of the caches, so they are `PAD` elements further.
"""

from __future__ import annotations

import functools
import math

from flambeau.codegen.emitter import I64, Module, vector
from flambeau.codegen.kernel_call import ArgumentTable, Integer, KernelCall, default_grain
from flambeau.codegen.pack_weights import tap_order, tap_place
from flambeau.codegen.packing import define_pack_columns, square_side
from flambeau.codegen.tile import element_type, vector_lanes
from flambeau.codegen.winograd_transforms import (
    INPUT,
    POSITIONS,
    transform_square,
    transform_weight,
)
from flambeau.runtime import _cpu

__all__ = ["PAD", "plan_filters", "position_size"]

PAD = 16       # elements between positions, against one cache set for all of them
_SCRATCH = 32 << 10

_INTEGERS = ("inputs", "outputs", "panel", "panels", "last_panel", "c_block", "c_blocks", "taps",
             "w_output", "w_input", "through_taps")


def position_size(inputs, columns):
    """Elements from one position of a panel of so many columns to the next."""
    return inputs * columns + PAD


def plan_filters(layout, w, weights):
    """The call that fills `weights`, aligned memory, from `w`, strides as in `pack_weights`.

    More than the caches hold goes past them: 512 channels take 1.7 ms instead of 2.3.
    """
    _, output, channel, *steps = w.strides
    size, taps = layout.size[-1], math.prod(layout.size)
    source, order, tap_step = tap_order(layout, w.pointer, steps, 4)
    through_taps = tap_step is not None and output != 1 and channel != 1
    c_block = max(1, min(layout.inputs, _SCRATCH // (taps * layout.panel * 4)))
    c_blocks = -(-layout.inputs // c_block)
    table = ArgumentTable(("w", "weights"), _INTEGERS)
    nbytes = 4 * layout.inputs * layout.columns * POSITIONS
    lines = _cpu.vector_width() == 16 and all(width % 16 == 0 for width in layout.widths)
    name, text = _kernel(size, lines and nbytes > _cpu.cache_sizes()[2])
    args = table.fill(
        w=source if through_taps else w.pointer, weights=weights, inputs=layout.inputs,
        outputs=layout.outputs, panel=layout.panel, panels=layout.panels,
        last_panel=layout.columns - (layout.panels - 1) * layout.panel, c_block=c_block,
        c_blocks=c_blocks, taps=taps, w_output=output, w_input=channel, through_taps=through_taps)
    args += [Integer(order[tap] if through_taps else tap_place(tap, layout.size, steps))
             for tap in range(taps)]
    items = layout.panels * c_blocks
    nbytes += 4 * layout.inputs * layout.columns * taps
    return KernelCall(name, text, args, items, default_grain(items, nbytes // items, 64 << 10),
                      taps * c_block * layout.panel * 4 + 64, 0, nbytes, "transform weights")


@functools.cache
def _kernel(size, past_caches):
    name = f"winograd_filters_{size}" + ("_past_caches" if past_caches else "")
    module = Module(name, pipeline="light")
    element, lanes = element_type("float32"), vector_lanes("float32")
    define_pack_columns(module, element, lanes)
    f = module.kernel(name)
    table = ArgumentTable(("w", "weights"), _INTEGERS)
    w, weights = table.load(f, "w", "weights")
    get = dict(zip(_INTEGERS, table.load(f, *_INTEGERS)))
    places = f.at(f.args, table.size, I64)
    taps = get["taps"]
    with f.loop(f.begin, f.end) as items:
        block, panel = items.index % get["c_blocks"], items.index / get["c_blocks"]
        channel, column = block * get["c_block"], panel * get["panel"]
        count = f.min_int(get["inputs"] - channel, get["c_block"])
        width = f.select(f.eq(panel, get["panels"] - 1), get["last_panel"], get["panel"])
        exist = f.min_int(get["outputs"] - column, width)
        source = f.at(w, column * get["w_output"] + channel * get["w_input"], element)

        def pack(to, start, k_stride, k):
            f.call("pack_columns", f.return_type, [to, start, k_stride, get["w_output"], k, exist,
                                                   width])

        # scratch[channel][tap][column], or [tap][channel][column] where taps are not a run
        with f.if_(f.ne(get["through_taps"], 0)) as through:
            with f.if_(f.eq(get["w_input"], taps)) as run:
                pack(f.scratch, source, f.i64(1), count * taps)
            with run.otherwise():
                with f.loop(0, count) as c:
                    pack(f.at(f.scratch, c.index * taps * width, element),
                         f.at(source, c.index * get["w_input"], element), f.i64(1), taps)
            through.give(taps * width, width)
        with through.otherwise():
            with f.loop(0, taps) as tap:
                pack(f.at(f.scratch, tap.index * count * width, element),
                     f.at(source, f.load(I64, places, tap.index), element), get["w_input"], count)
            through.give(width, count * width)
        channel_step, tap_step = through.results
        position = get["inputs"] * width + PAD
        target = f.at(weights, panel * (get["inputs"] * get["panel"] + PAD) * POSITIONS
                      + channel * width, element)
        # where each tap lies in scratch: a run of taps may be read backwards
        turned = [f.select(f.ne(get["through_taps"], 0), f.load(I64, places, tap), tap) * tap_step
                  for tap in range(size * size)]

        def transform(first, last, type):
            with f.loop(0, count) as c:
                row = f.at(f.scratch, c.index * channel_step, element)
                to = f.at(target, c.index * width, element)
                with f.loop(first, last, type.lanes) as j:
                    transform_square(
                        f, transform_weight, size,
                        lambda a, b: f.load(type, row, turned[size * a + b] + j.index),
                        lambda a, b, value: f.store(
                            value, to, position * (INPUT * a + b) + j.index,
                            align=type.nbytes if past_caches else None,
                            nontemporal=past_caches))

        # whole vectors write whole lines; half a one may be left
        whole = width & -lanes
        transform(f.i64(0), whole, vector(element, lanes))
        if square_side(lanes) < lanes:
            with f.if_(f.lt(whole, width)):
                transform(whole, width, vector(element, square_side(lanes)))
        if past_caches:      # other threads see such stores only behind a fence
            f.call("llvm.x86.sse.sfence", f.return_type, [])
    return name, module.text()
