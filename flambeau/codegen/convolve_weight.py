"""The gradient of a convolution with respect to its weights, a sum over pixels of x * dy.

Beside `convolve`, whose shapes, blocks and phases it shares. The interface:

    plan_convolve_weight(shape, x=Operand, dy=Pointer, dw=Pointer, allocate=, label="")
        -> list[KernelCall]

`x` is as in `plan_convolve`, `dy` dense channels-last (batch, spatial..., outputs), `dw` dense in
logical order (outputs, inputs / groups, spatial...).

A work item owns a panel of output channels and a block of input channels, and walks over blocks of
pixels: for each it copies the input's block (as `convolve` does) and the panel of dy into scratch;
then, for each run of taps, channels are the rows of the tile and pixels its k. Where that gives too
few items, the pixel blocks are split in fixed chunks; a second call adds the chunks in order and
turns the result into logical order. So results depend on neither threads nor timing.
"""

from __future__ import annotations

import functools
import math

from flambeau.codegen.contract import plan_contract
from flambeau.codegen.convolve import ConvolveShape, phase_offsets, run_length, weight_layout
from flambeau.codegen.emitter import I64, Module, vector
from flambeau.codegen.kernel_call import (
    ArgumentTable,
    Integer,
    KernelCall,
    Operand,
    Pointer,
    default_grain,
)
from flambeau.codegen.packing import define_copy_columns, square_side, transposed
from flambeau.codegen.tile import (
    ACCUMULATE,
    FINAL,
    TileShape,
    by_panel,
    call_tile,
    define_tile,
    element_type,
    rows_for,
    vector_lanes,
)
from flambeau.codegen.window_copy import COPY_INTEGERS, WindowCopy, copy_values
from flambeau.codegen.winograd import pays
from flambeau.codegen.winograd_weight import plan_winograd_weight

__all__ = ["plan_convolve_weight"]

_PIXELS = 256   # of a block: a panel of 64 channels of dy is then 64 KiB
_CHANNELS = 64  # of a block of input channels: a 3x3 window of 64 x 64 weights is 147 KiB

_STRIP = 16     # output channels of an item of the final sum

_POINTERS = ("x", "dy", "partial")
_INTEGERS = COPY_INTEGERS + (
    "outputs", "group_outputs", "group_inputs", "panel", "panels", "channel_blocks", "chunks",
    "chunk_blocks", "part_size", "phases", "phase_table", "period_d", "period_h", "period_w",
    "out_d", "out_h", "out_w", "a_image", "a_d", "a_h", "a_w", "panel_at", "pixels_at")
_PHASE = ("first_d", "first_h", "first_w", "count_d", "count_h", "count_w", "runs", "run_rows",
          "run_table", "slot")


def plan_convolve_weight(shape: ConvolveShape, *, x, dy, dw, allocate, label=""):
    """The calls for the gradient with respect to the weights; see the module."""
    if not (shape.outputs and shape.inputs and math.prod(shape.size)):
        return []
    plain = _as_contraction(shape, x, dy, dw, allocate, label)
    if plain is not None:
        return plain
    layout = weight_layout(shape)
    if pays(shape, x.strides, weights=False):
        main, channels, channel_blocks, chunks, partial = plan_winograd_weight(
            shape, layout, x=x, dy=dy, allocate=allocate, label=label)
        part = math.prod(shape.size) * channels * layout.panel
        return [main, _plan_sum(layout, channels, channel_blocks, chunks, part, partial, dw, label)]
    size = 4 if shape.dtype == "float32" else 8
    x_strides = [x.strides[0], *shape.spatial(x.strides[1:-1], 0), x.strides[-1]]
    channel_blocks = -(-layout.inputs // _CHANNELS)
    channels = -(-layout.inputs // channel_blocks)
    channel_blocks = -(-layout.inputs // channels)
    owners = layout.groups * layout.panels * channel_blocks
    copy = copy_values(shape.ungrouped if shape.depthwise else shape, x_strides, owners, _PIXELS,
                       channels=layout.panel if shape.depthwise else channels,
                       may_be_direct=False)
    worth = max(1, min(16, shape.flops // 400_000))
    chunks = max(1, min(copy["blocks"], -(-worth // owners) if owners < worth else 1))
    chunk_blocks = max(1, -(-copy["blocks"] // chunks))
    chunks = max(1, -(-copy["blocks"] // chunk_blocks))
    part = sum(map(len, layout.slots)) * channels * layout.panel
    partial = Pointer(allocate(max(1, chunks * owners * part * size)))

    table = ArgumentTable(_POINTERS, _INTEGERS)
    rows = 0
    phases, runs, slot = [], [], 0
    for parts, offsets in phase_offsets(shape, copy.pop("tap_strides")):
        run = len(offsets) if shape.depthwise else run_length(offsets, channels)
        phases.append([p.first for p in parts] + [p.count for p in parts]
                      + [len(offsets) // max(1, run), run * channels, len(runs), slot])
        if shape.depthwise:  # taps are the rows of the tile, which may read beyond the last
            runs += offsets + [0] * 12
        else:
            runs += offsets[::max(1, run)]
        rows = max(rows, _rows_for(run * channels, layout.panel, shape.dtype))
        slot += len(offsets)
    for phase in phases:
        phase[8] += table.size + len(phases) * len(_PHASE)
    pixels = copy.pop("block_pixels")
    panel_at = copy.pop("scratch") + 128  # tiles may read rows that do not exist
    pixels_at = panel_at + -(-pixels * layout.panel * size // 64) * 64
    values = dict(
        copy, x=x.pointer, dy=dy, partial=partial, outputs=shape.outputs,
        group_outputs=layout.outputs, group_inputs=layout.inputs, panel=layout.panel,
        panels=layout.panels, channel_blocks=channel_blocks, chunks=chunks,
        chunk_blocks=chunk_blocks, part_size=part, phases=len(phases), phase_table=table.size,
        panel_at=panel_at, pixels_at=pixels_at)
    for i, letter in enumerate("dhw"):
        values[f"period_{letter}"] = shape.dims[i].period
        values[f"out_{letter}"] = shape.dims[i].out
    values.update(zip(("a_image", "a_d", "a_h", "a_w"), values.pop("a_strides")))
    args = table.fill(**values) + [Integer(v) for phase in phases for v in phase]
    args += [Integer(v) for v in runs]
    items = owners * chunks
    mode = "lanes" if shape.depthwise else "table"
    name, text = _kernel(shape.dtype, *layout.widths, mode, rows)
    nbytes = size * shape.batch * (shape.inputs * math.prod(d.extent for d in shape.dims)
                                   + shape.outputs * math.prod(d.out for d in shape.dims))
    label = label or f"convolve weight {shape.inputs}->{shape.outputs} {shape.size}"
    main = KernelCall(name, text, args, items, default_grain(items, shape.flops // items),
                      pixels_at + 8 * pixels, shape.flops, nbytes, label)
    return [main, _plan_sum(layout, channels, channel_blocks, chunks, part, partial, dw, label)]


def _rows_for(run, panel, dtype):
    """Rows of the tile for runs of so many rows.

    Fewer than the most if fewer are then wasted. Few channels, whose runs are short, get rows of
    their own: 3 channels of a 3x3 window fill 3 tiles of 3 rows, where 2 of 6 or 8 are a third or
    half empty (weights of 1 to 48 channels, 3x3: 335 us, not 558; 3 to 64 on 32x32: 1.48 ms, not
    1.82). Below 8 vectors a tile waits for its own sums.
    """
    most, vectors = rows_for(panel, dtype, "table"), -(-panel // vector_lanes(dtype))

    def cost(rows):
        return -(-run // rows) * (max(rows * vectors, 8) + 1)

    usual = min((r for r in (12, 8, 6) if r <= most), key=lambda r: (-(-run // r) * r, -r))
    best = min(range(1, most + 1), key=cost)
    return best if run <= 32 and cost(best) < 0.95 * cost(usual) else usual


def _as_contraction(shape, x, dy, dw, allocate, label):
    """A 1x1 convolution without padding or strides is a product of matrices."""
    if shape.groups != 1 or any(low or high for low, high in shape.padding) or any(
            v != 1 for v in (*shape.size, *shape.stride, *shape.base_dilation)):
        return None
    pixels, step, dense = shape.batch, x.strides[-1], True
    expected = shape.inputs
    for extent, stride in zip((*shape.extents[::-1], shape.batch),
                              (*x.strides[-2:0:-1], x.strides[0])):
        dense = dense and (stride == expected or extent == 1)
        expected *= extent
    if not dense or step != 1 or shape.extents != shape.out:
        return None
    pixels = shape.batch * math.prod(shape.out)
    if not pixels:
        return None
    return plan_contract(
        batch=(1, 1), m=shape.outputs, n=shape.inputs, k=pixels,
        a=Operand(dy, (0, 0, 1, shape.outputs)), b=Operand(x.pointer, (0, 0, shape.inputs, 1)),
        out=Operand(dw, (0, 0, shape.inputs, 1)), dtype=shape.dtype, allocate=allocate,
        label=label)


@functools.cache
def _kernel(dtype, full, partial, mode, rows):
    kind = "depthwise" if mode == "lanes" else "convolve"
    name = f"{kind}_weight_{dtype}_{full}_{partial}_{rows}"
    module = Module(name, pipeline="light")
    _Driver(module, name, dtype, full, partial, mode, rows).emit()
    return name, module.text()


class _Driver:
    """The loops around the tile: items, blocks of pixels, phases, runs of taps, tiles."""

    def __init__(self, module, name, dtype, full, partial, mode, rows):
        self.mode = mode
        self.lanes = vector_lanes(dtype)
        self.rows = rows
        # partial panels are padded in scratch and in the partial sums: no mask is needed
        self.shapes = [TileShape(dtype, rows, columns, mode, False)
                       for columns in (full, partial) if columns]
        self.element = self.shapes[0].element
        for shape in self.shapes:
            define_tile(module, shape)
        define_copy_columns(module, self.element, self.lanes)
        module.constant_array("row_numbers", I64, range(self.rows))
        self.f = module.kernel(name)
        self.table = ArgumentTable(_POINTERS, _INTEGERS)

    def __getattr__(self, name):
        return self.table.load_here(self.f, name)

    def emit(self):
        f = self.f
        self.dy_panel = f.byte_offset(f.scratch, self.panel_at)
        self.pixel_table = f.byte_offset(f.scratch, self.pixels_at)
        self.copy = copy = WindowCopy(f, self, vector(self.element, self.lanes), self.table)
        with f.loop(f.begin, f.end) as items:
            chunk, owner = items.index % self.chunks, items.index / self.chunks
            channel_block, rest = owner % self.channel_blocks, owner / self.channel_blocks
            panel, group = rest % self.panels, rest / self.panels
            first_channel = channel_block * self.channels
            self.column = panel * self.panel
            self.width = f.min_int(self.group_outputs - self.column, self.panel)
            self.first_output = group * self.group_outputs + self.column
            self.part = f.at(self.partial, items.index * self.part_size, self.element)
            count = (self.width if self.mode == "lanes" else
                     f.min_int(self.group_inputs - first_channel, self.channels))
            first = chunk * self.chunk_blocks
            last = f.min_int(self.blocks, first + self.chunk_blocks)
            offset = (self.column * self.x_c if self.mode == "lanes" else
                      group * self.x_group + first_channel * self.x_c)
            # without pixels there is still a sum to write: of nothing
            with f.loop(first, f.select(f.gt(last, first), last, first + 1),
                        at_least_once=True) as block:
                copy.decode(block.index)
                self.input = copy.emit(offset, count)
                flags = f.select(f.gt(block.index, first), f.i64(ACCUMULATE | FINAL), FINAL)
                with f.loop(0, self.phases) as phase:
                    self._phase(phase.index, flags)

    def _phase(self, number, flags):
        f = self.f
        fields = f.at(f.args, self.phase_table + number * len(_PHASE), I64)
        phase = {name: f.load(I64, fields, i) for i, name in enumerate(_PHASE)}
        by_panel(f, self.shapes, self.width, self.panel,
                 lambda shape: self._panel(shape, phase, flags))

    def _panel(self, shape, phase, flags):
        f = self.f
        stride = f.i64(shape.columns)
        pixels = self._fill(phase, stride)
        rows = phase["run_rows"]
        if self.mode == "lanes":
            with f.loop(0, rows, self.rows) as tile:
                row = tile.index
                table = f.at(f.args, phase["run_table"] + row, I64)
                self._tile(shape, self.input, table, pixels, phase["slot"] + row, rows - row, flags)
            return
        with f.loop(0, phase["runs"]) as run:
            offset = f.load(I64, f.at(f.args, phase["run_table"], I64), run.index)
            first = phase["slot"] * self.channels + run.index * rows
            with f.loop(0, rows, self.rows) as tile:
                row = tile.index
                a = f.at(self.input, offset + row, self.element)
                self._tile(shape, a, None, pixels, first + row, rows - row, flags)

    def _tile(self, shape, a, a_rows, pixels, first, rows, flags):
        f, stride = self.f, shape.columns
        call_tile(f, shape, args=f.args, a=a, a_rows=a_rows, a_stride=0,
                  out_rows=f.address("row_numbers"), tap_offsets=self.pixel_table, taps=pixels,
                  k=1, b=self.dy_panel, b_stride=stride,
                  c=f.at(self.part, first * stride, self.element), c_stride=stride, row_base=0,
                  column=0, rows=f.min_int(rows, self.rows), width=stride, flags=flags)

    def _fill(self, phase, stride):
        """The table of the pixels' places in the block, and the panel of dy; how many pixels."""
        f, copy = self.f, self.copy
        depths = f.min_int(phase["count_d"] - copy.first_d, copy.block_d)
        heights = f.min_int(phase["count_h"] - copy.first_h, copy.block_h)
        width = phase["count_w"]
        with f.loop(0, copy.images, carried=[f.i64(0)]) as image:
            with f.loop(0, depths, carried=image.carried) as d:
                with f.loop(0, heights, carried=d.carried) as h:
                    at = h.carried[0]
                    a = image.index * self.a_image + d.index * self.a_d + h.index * self.a_h
                    with f.loop(0, width) as w:
                        f.store(a + w.index * self.a_w, self.pixel_table, at + w.index)
                    depth = (copy.first_d + d.index) * self.period_d + phase["first_d"]
                    height = (copy.first_h + h.index) * self.period_h + phase["first_h"]
                    row = ((copy.first_image + image.index) * self.out_d + depth) * self.out_h
                    pixel = (row + height) * self.out_w + phase["first_w"]
                    source = f.at(self.dy, pixel * self.outputs + self.first_output, self.element)
                    f.call("copy_columns", f.return_type, [
                        f.at(self.dy_panel, at * stride, self.element), source,
                        self.period_w * self.outputs, width, self.width, stride])
                    h.next(at + width)
                d.next(h.results[0])
            image.next(d.results[0])
        return image.results[0]


# ---- the ordered sum, into logical order ---------------------------------------------------------

_SUM_INTEGERS = ("group_outputs", "group_inputs", "panel", "panels", "last_panel", "channels",
                 "channel_blocks", "chunks", "part_size", "taps", "repeats", "slot_table", "strips")


def _plan_sum(layout, channels, channel_blocks, chunks, part, partial, dw, label):
    """dw[o, i, t] = the sum over chunks, and over the slots of tap t, of the partial results."""
    size = 4 if layout.dtype == "float32" else 8
    taps = math.prod(layout.size)
    places: list[list[int]] = [[] for _ in range(taps)]
    for slot, tap in enumerate(tap for slots in layout.slots for tap in slots):
        places[tap].append(slot)
    repeats = max(map(len, places))
    table = ArgumentTable(("partial", "dw"), _SUM_INTEGERS)
    name, text = _sum_kernel(layout.dtype)
    args = table.fill(
        partial=partial, dw=dw, group_outputs=layout.outputs, group_inputs=layout.inputs,
        panel=layout.panel, panels=layout.panels,
        last_panel=layout.columns - (layout.panels - 1) * layout.panel, channels=channels,
        channel_blocks=channel_blocks, chunks=chunks, part_size=part, taps=taps, repeats=repeats,
        slot_table=table.size, strips=-(-layout.panel // _STRIP))
    for tap in range(taps):
        args += [Integer(v) for v in places[tap] + [-1] * (repeats - len(places[tap]))]
    owners = layout.groups * layout.panels * channel_blocks
    items = owners * -(-layout.panel // _STRIP)
    nbytes = owners * part * size * (chunks + 1)
    scratch = 64 + 8 * channels * taps * max(1, repeats) + 64
    return KernelCall(name, text, args, items, default_grain(items, nbytes // items, 64 << 10),
                      scratch, chunks * owners * part, nbytes, f"{label}: sum of {chunks} chunks")


@functools.cache
def _sum_kernel(dtype):
    name = f"convolve_weight_sum_{dtype}"
    module = Module(name, pipeline="light")
    side = square_side(vector_lanes(dtype))
    element = element_type(dtype)
    type = vector(element, side)
    f = module.kernel(name)
    table = ArgumentTable(("partial", "dw"), _SUM_INTEGERS)
    partial, dw = table.load(f, "partial", "dw")
    get = dict(zip(_SUM_INTEGERS, table.load(f, *_SUM_INTEGERS)))
    places = f.byte_offset(f.scratch, 64)  # in elements, -1 for none
    with f.loop(f.begin, f.end) as items:
        strip, owner = items.index % get["strips"], items.index / get["strips"]
        block, rest = owner % get["channel_blocks"], owner / get["channel_blocks"]
        panel, group = rest % get["panels"], rest / get["panels"]
        channel, column = block * get["channels"], panel * get["panel"]
        count = f.min_int(get["group_inputs"] - channel, get["channels"])
        width = f.min_int(get["group_outputs"] - column, get["panel"])
        stride = f.select(f.eq(panel, get["panels"] - 1), get["last_panel"], get["panel"])
        run = count * get["taps"]
        with f.loop(0, count) as i, f.loop(0, get["taps"]) as t, f.loop(0, get["repeats"]) as r:
            slot = f.load(I64, f.at(f.args, get["slot_table"], I64),
                          t.index * get["repeats"] + r.index)
            place = (slot * get["channels"] + i.index) * stride
            f.store(f.select(f.lt(slot, 0), f.i64(-1), place), places,
                    (i.index * get["taps"] + t.index) * get["repeats"] + r.index)
        source = f.at(partial, owner * get["chunks"] * get["part_size"], element)
        target = f.at(dw, ((group * get["group_outputs"] + column) * get["group_inputs"] + channel)
                      * get["taps"], element)
        line = get["group_inputs"] * get["taps"]

        def summed(q, o):
            """The vector of output channels o... of place q: all chunks of all its slots."""
            with f.loop(0, get["repeats"], carried=[f.constant(type, 0)]) as repeat:
                place = f.load(I64, places, q * get["repeats"] + repeat.index)
                chunks = f.select(f.lt(place, 0), f.i64(0), get["chunks"])
                start = f.at(source, place + o, element)
                with f.loop(0, chunks, carried=repeat.carried) as chunk:
                    chunk.next(chunk.carried[0] + f.load(type, start,
                                                         chunk.index * get["part_size"]))
                repeat.next(chunk.results[0])
            return repeat.results[0]

        first = strip * _STRIP
        with f.loop(first, f.min_int(width, first + _STRIP), side) as o, f.loop(0, run, side) as q:
            left = run - q.index
            sums = [summed(f.min_int(run - 1, q.index + i), o.index) for i in range(side)]
            mask = f.tail_mask(left, side)
            for i, values in enumerate(transposed(f, sums)):
                with f.if_(f.gt(width - o.index, i)):
                    to = f.at(target, (o.index + i) * line + q.index, element)
                    f.store_masked(values, to, mask)
    return name, module.text()
