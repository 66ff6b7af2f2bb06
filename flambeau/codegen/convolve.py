"""Convolutions in one to three dimensions: the batch-reduce GEMM tile over windows.

Between the graph compiler and the tile generator. Activations are channels-last; gradients with
respect to the input are convolutions with `base_dilation` and flipped weights. The interface:

    shape = ConvolveShape(batch, groups, inputs, outputs, extents, size, out, stride, padding,
                          dilation, base_dilation, dtype)
    plan_convolve(shape, x=Operand, w=Operand, out=Pointer, allocate=, epilogue=None, label="")
        -> list[KernelCall]
    weight_layout(shape) -> WeightLayout             how weights are packed for it

`x.strides` are (image, spatial..., channel), any: the input of a first layer may be NCHW. `out`
is dense, (batch, spatial..., outputs). `w.strides` are (group, output in its group, input in its
group, spatial...). `padding` is (low, high) for each dimension. The epilogue's row is the number of
the pixel, its column the output channel.

A work item is a panel of output channels of a block of pixels. The part of the input that it reads
is copied into scratch with its zero padding, unless it can be read where it lies (1x1, no padding):
the copy costs less than 1 % of a 3x3 convolution of 64 channels and leaves no special cases at the
borders. On small maps that costs too much, since the tile multiplies the padding: there the outputs
are cut into `clipped` phases, each with the taps that lie inside for it, and the rows of a tile run
through the images of the batch. Rows of the tile are any pixels of the block, through a table, so
that narrow maps fill the tile too. In a depthwise convolution the tile's vectors run over channels.
Every extent is a runtime integer.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math

from flambeau.codegen.emitter import I64, Module, vector
from flambeau.codegen.extents import usual
from flambeau.codegen.kernel_call import ArgumentTable, Integer, KernelCall, Pointer, default_grain
from flambeau.codegen.pack_weights import WeightLayout, plan_pack_weights
from flambeau.codegen.tile import (
    ACCUMULATE,
    FINAL,
    TileShape,
    by_panel,
    call_tile,
    define_tile,
    rows_for,
    vector_lanes,
)
from flambeau.codegen.window_copy import (
    COPY_INTEGERS,
    WindowCopy,
    clipped_values,
    copy_values,
)
from flambeau.codegen.windows import window_dim
from flambeau.codegen.winograd import judged_batch, pays, plan_winograd

__all__ = ["ConvolveShape", "phase_offsets", "plan_convolve", "run_length",
           "weight_layout"]

_L2 = 1 << 20
_TILE_K = 12  # what a tile costs beside its products, in units of one k: measured 10 to 14


@dataclasses.dataclass(frozen=True)
class ConvolveShape:
    """The numbers of a convolution; channels are totals over the groups."""

    batch: int
    groups: int
    inputs: int
    outputs: int
    extents: tuple[int, ...]
    size: tuple[int, ...]
    out: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    base_dilation: tuple[int, ...]
    dtype: str

    @functools.cached_property
    def dims(self):
        """Depth, height and width as WindowDim; a sequence lies along the height."""
        return self._dims(False)

    @functools.cached_property
    def clipped_dims(self):
        """The same with phases of their own where taps leave the input."""
        return self._dims(True)

    def _dims(self, clip):
        found = [window_dim(e, o, k, s, p[0], d, b, clip) for e, o, k, s, p, d, b in zip(
            self.extents, self.out, self.size, self.stride, self.padding, self.dilation,
            self.base_dilation)]
        return tuple(self.spatial(found, window_dim(1, 1, 1)))

    def spatial(self, values, missing):
        """One value for each of depth, height and width."""
        values = list(values)
        if len(values) == 1:
            return [missing, values[0], missing]
        return [missing] * (3 - len(values)) + values

    @property
    def depthwise(self):
        """Whether each channel is a group: then vectors hold channels, and no tile is broadcast."""
        return self.groups == self.inputs == self.outputs > 1

    @property
    def ungrouped(self):
        """The same with one group: how the channels of a depthwise convolution lie in memory."""
        return dataclasses.replace(self, groups=1)

    @property
    def flops(self):
        """Multiplications and additions, of padding too, but not of zeros that spread the input."""
        return self._flops(self.dims)

    @property
    def least_flops(self):
        """Multiplications and additions of elements that exist."""
        return self._flops(self.clipped_dims)

    def _flops(self, dims):
        taps = [sum(p.count * len(p.taps) for p in dim.phases) for dim in dims]
        return (2 * self.batch * math.prod(taps) * self.inputs * self.outputs
                // max(1, self.groups))


def weight_layout(shape: ConvolveShape) -> WeightLayout:
    """The layout in which `plan_convolve` packs weights."""
    size = tuple(dim.size for dim in shape.dims)
    slots = []
    for phases in itertools.product(*(dim.phases for dim in shape.dims)):
        slots.append(tuple((d * size[1] + h) * size[2] + w for (d, _), (h, _), (w, _) in
                           itertools.product(*(p.taps for p in phases))))
    if shape.depthwise:
        return WeightLayout(shape.dtype, 1, 1, shape.outputs, size, tuple(slots))
    return WeightLayout(shape.dtype, shape.groups, shape.inputs // shape.groups,
                        shape.outputs // shape.groups, size, tuple(slots))


_POINTERS = ("x", "packed", "out")
_INTEGERS = COPY_INTEGERS + (
    "outputs", "group_outputs", "panel", "panels", "phases", "phase_table", "period_d", "period_h",
    "period_w", "out_d", "out_h", "out_w", "a_image", "a_d", "a_h", "a_w", "rows_at", "tap_chunk",
    "block_step", "panel_step")
_PHASE = ("first_d", "first_h", "first_w", "count_d", "count_h", "count_w", "taps", "k",
          "tap_table", "weights", "group_weights", "column_k")
_MOST_PHASES = 256        # clipped ones: each is 100 bytes of arguments and its taps
_CLIPPED_PIXELS = 8192    # of a block in clipped phases: 128 KiB of tables


def plan_convolve(shape: ConvolveShape, *, x, w, out, allocate, epilogue=None, label=""):
    """The calls for one convolution; see the module."""
    if not (shape.batch and shape.outputs and math.prod(shape.out)):
        return []
    layout = weight_layout(shape)
    steps = shape.spatial(w.strides[3:], 0)
    lead = (0, w.strides[0], 0) if shape.depthwise else tuple(w.strides[:3])
    w = dataclasses.replace(w, strides=lead + tuple(steps))
    if pays(shape, x.strides):
        return plan_winograd(shape, layout, x=x, w=w, out=out, allocate=allocate,
                             epilogue=epilogue, label=label)
    packed = Pointer(allocate(layout.nbytes))
    calls = [plan_pack_weights(layout, w, packed)] if layout.nbytes else []
    x_strides = [x.strides[0], *shape.spatial(x.strides[1:-1], 0), x.strides[-1]]
    dims, mode, flops = shape.dims, "rows", shape.flops
    images = _clipped_images(shape, layout, x_strides)
    if images:
        dims, mode, flops = shape.clipped_dims, "pairs", shape.least_flops
        copy = clipped_values(shape, dims, x_strides, images)
    elif shape.depthwise:
        mode = "lanes"
        copy = copy_values(shape.ungrouped, x_strides, layout.panels, channels=layout.panel)
    else:
        copy = copy_values(shape, x_strides, layout.panels)
    phases, tables = _phase_tables(shape, dims, layout, copy, mode)
    size = 4 if shape.dtype == "float32" else 8
    rows = rows_for(layout.panel, shape.dtype, mode)
    rows_at = copy.pop("scratch")
    pixels = copy.pop("block_pixels")
    scratch = rows_at + 16 * (pixels + rows)
    longest = max([phase[7] for phase in phases]) * layout.panel * size
    table = ArgumentTable(_POINTERS, _INTEGERS, epilogue)
    a_strides = copy.pop("a_strides")
    # panel after panel of one block, whole pixels are written at once: a 1x1 convolution of 64 to
    # 256 channels at 56x56 takes 5.8 ms instead of 7.1, its input's gradient 5.7 instead of 10.9
    together = layout.group_size(0) * size <= _L2 // 2
    values = dict(
        copy, x=x.pointer, packed=packed, out=out, outputs=shape.outputs,
        group_outputs=layout.outputs, panel=layout.panel, panels=layout.panels,
        phases=len(phases), phase_table=table.size, rows_at=rows_at,
        block_step=layout.panels if together else 1, panel_step=1 if together else copy["blocks"],
        # an epilogue may read `out`, which must then not hold unfinished sums
        tap_chunk=max(1, _L2 // 2 // max(1, longest)) if epilogue is None else 1 << 30)
    for i, letter in enumerate("dhw"):
        values[f"period_{letter}"] = dims[i].period
        values[f"out_{letter}"] = dims[i].out
    values.update(zip(("a_image", "a_d", "a_h", "a_w"), a_strides))
    first = table.size + len(phases) * len(_PHASE)
    for phase in phases:
        phase[8] += first
    args = table.fill(**values) + [Integer(v) for phase in phases for v in phase]
    args += [Integer(v) for v in tables]
    items = layout.groups * layout.panels * copy["blocks"]
    full, partial = layout.widths
    name, text = _kernel(shape.dtype, full, partial, mode, epilogue)
    nbytes = size * shape.batch * (shape.inputs * math.prod(d.extent for d in dims)
                                   + shape.outputs * math.prod(d.out for d in dims))
    calls.append(KernelCall(
        name, text, args, items, default_grain(items, flops // items), scratch, flops,
        nbytes + layout.nbytes, label or f"convolve {shape.inputs}->{shape.outputs} {shape.size}"))
    return calls


def _clipped_images(shape, layout, x_strides):
    """Images of a block if clipped phases are worth it, else 0.

    What counts is tiles times taps: at the border a tile holds one pixel of several images, and
    tiles of few taps cost more than their taps.
    """
    channels = layout.inputs
    if shape.depthwise or (x_strides[-1] != 1 and channels > 1) or (
            shape.least_flops > 0.9 * shape.flops):
        return 0
    counts = [[(p.count, len(p.taps)) for p in dim.phases] for dim in shape.clipped_dims]
    if math.prod(map(len, counts)) > _MOST_PHASES:
        return 0
    rows = rows_for(layout.panel, shape.dtype, "pairs")
    most = _CLIPPED_PIXELS // math.prod(max(c for c, _ in dim) for dim in counts)
    if not most:
        return 0
    worth = max(1, min(16, usual(shape.least_flops) // 400_000))
    blocks = -(-worth // max(1, shape.groups * layout.panels))

    def images_of(batch):
        images = min(most, -(-batch // blocks))
        return min(-(-images // rows) * rows, max(1, most // rows) * rows, batch)

    # judged by a full batch, so that the short last one of an epoch takes the same form
    judged = dataclasses.replace(shape, batch=judged_batch(shape.batch))
    images = images_of(judged.batch)
    cost = sum(
        -(-images * a * b * c // rows) * rows * (d * h * w * channels + _TILE_K)
        for (a, d), (b, h), (c, w) in itertools.product(*counts)) * -(-judged.batch // images)
    return images_of(shape.batch) if cost < 0.92 * judged.flops / (2 * shape.outputs) else 0


def phase_offsets(shape, tap_strides, dims=None):
    """(phases of the dimensions, offset of each tap from the first element) of each phase."""
    dims = dims or shape.dims
    for parts in itertools.product(*(dim.phases for dim in dims)):
        yield parts, [
            sum((offset - dim.lowest) * step
                for (_, offset), dim, step in zip(taps, dims, tap_strides))
            for taps in itertools.product(*(p.taps for p in parts))]


def _phase_tables(shape, dims, layout, copy, mode):
    """The integers of each phase (as `_PHASE`), and all tap offsets in one list."""
    channels = layout.inputs
    phases, tables = [], []
    wholes = [{p.whole: p for p in dim.phases} for dim in shape.dims]
    numbers = {parts: i for i, parts in enumerate(itertools.product(*wholes))}
    for parts, offsets in phase_offsets(shape, copy.pop("tap_strides"), dims):
        number = numbers[tuple(p.whole for p in parts)]
        whole = [len(w[p.whole].taps) for w, p in zip(wholes, parts)]
        run = 1 if shape.depthwise else run_length(offsets, channels)
        if mode == "pairs":  # runs may not go on from one row to the next: taps lie between them
            line = len(parts[2].taps) or 1
            run = line if run % line == 0 else 1
        # taps that lie behind each other in memory are one long k
        if run * channels * layout.panel > _L2 // 8:
            run = 1
        phases.append([p.first for p in parts] + [p.count for p in parts]
                      + [len(offsets) // run, run * channels, len(tables),
                         layout.phase_start(number), layout.group_size(number),
                         math.prod(whole) * channels])
        if mode == "pairs":
            places = [((d * whole[1] + h) * whole[2] + w) * channels for d, h, w in
                      itertools.product(*(range(p.skipped, p.skipped + len(p.taps))
                                          for p in parts))]
            tables += [n for pair in zip(offsets[::run], places[::run]) for n in pair]
        else:
            tables += offsets[::run]
    return phases, tables


def run_length(offsets, channels):
    """The largest divisor r of their number such that runs of r offsets are `channels` apart."""
    for run in range(len(offsets), 1, -1):
        if len(offsets) % run == 0 and all(
                offsets[i] == offsets[i - 1] + channels
                for i in range(len(offsets)) if i % run):
            return run
    return 1


_kernels: dict = {}


def _kernel(dtype, full, partial, mode, epilogue):
    key = dtype, full, partial, mode, epilogue.key if epilogue else None
    if key not in _kernels:
        kind = {"lanes": "depthwise", "pairs": "convolve_clipped", "rows": "convolve"}[mode]
        name = f"{kind}_{dtype}_{full}_{partial}" + (f"_{epilogue.key}" if epilogue else "")
        module = Module(name, pipeline="light")
        _Driver(module, name, dtype, full, partial, mode, epilogue).emit()
        _kernels[key] = name, module.text()
    return _kernels[key]


class _Driver:
    """The loops around the tile: items, phases, tap chunks, tiles of pixels."""

    def __init__(self, module, name, dtype, full, partial, mode, epilogue):
        self.lanes = vector_lanes(dtype)
        self.rows = rows_for(full or partial, dtype, mode)
        self.mode = mode
        self.table = ArgumentTable(_POINTERS, _INTEGERS, epilogue)
        self.shapes = []
        for columns, masked in ((full, False), (partial, True)):
            if columns:
                shape = TileShape(dtype, self.rows, columns, mode, masked)
                define_tile(module, shape, epilogue, self.table.epilogue_slot)
                self.shapes.append(shape)
        self.element = self.shapes[0].element
        self.vector = vector(self.element, self.lanes)
        self.f = module.kernel(name)

    def __getattr__(self, name):
        return self.table.load_here(self.f, name)

    def emit(self):
        f = self.f
        copy = WindowCopy(f, self, self.vector, self.table)
        with f.loop(f.begin, f.end) as items:
            block = items.index / self.block_step % self.blocks
            panel = items.index / self.panel_step % self.panels
            group = items.index / self.blocks / self.panels
            copy.decode(block)
            if self.mode == "lanes":  # a block holds the channels of the panel
                column = panel * self.panel
                count = f.min_int(self.group_outputs - column, self.panel)
                self.input = copy.emit(column * self.x_c, count)
            else:
                self.input = copy.emit(group * self.x_group)
            self.copy = copy
            with f.loop(0, self.phases) as phase:
                self._phase(phase.index, panel, group)

    def _phase(self, number, panel, group):
        f = self.f
        fields = f.at(f.args, self.phase_table + number * len(_PHASE), I64)
        phase = {name: f.load(I64, fields, i) for i, name in enumerate(_PHASE)}
        self.out_rows, pixels = self._fill_tables(phase)
        column = panel * self.panel
        width = f.min_int(self.group_outputs - column, self.panel)
        weights = f.at(self.packed, phase["weights"] + group * phase["group_weights"]
                       + column * phase["column_k"], self.element)
        taps = f.at(f.args, phase["tap_table"], I64)
        with f.loop(0, phase["taps"], self.tap_chunk, at_least_once=True) as chunk:
            t = chunk.index
            count = f.min_int(phase["taps"] - t, self.tap_chunk)
            final = f.ge(t + self.tap_chunk, phase["taps"])
            flags = (f.select(f.gt(t, 0), f.i64(ACCUMULATE), 0)
                     | f.select(final, f.i64(FINAL), 0))

            def tiles(shape):
                stride = f.i64(shape.columns)
                first = group * self.group_outputs + column
                b = weights
                if self.mode != "pairs":
                    b = f.at(weights, t * phase["k"] * stride, self.element)
                with f.loop(0, pixels, self.rows) as tile:
                    row = tile.index
                    call_tile(
                        f, shape, args=f.args, a=self.input, a_rows=f.at(self.a_rows, row, I64),
                        a_stride=0, out_rows=f.at(self.out_rows, row, I64),
                        tap_offsets=f.at(taps, t * (2 if self.mode == "pairs" else 1), I64),
                        taps=count, k=phase["k"], b=b, b_stride=stride,
                        c=f.at(self.out, first, self.element), c_stride=self.outputs, row_base=0,
                        column=first, rows=f.min_int(pixels - row, self.rows), width=width,
                        flags=flags)

            by_panel(f, self.shapes, width, self.panel, tiles)

    def _fill_tables(self, phase):
        """For each pixel of the block in this phase: where its window starts, and its number."""
        f, copy = self.f, self.copy
        self.a_rows = f.byte_offset(f.scratch, self.rows_at)
        out_rows = f.at(self.a_rows, copy.block_images * copy.block_d * copy.block_h
                        * phase["count_w"] + self.rows, I64)
        depths = f.min_int(phase["count_d"] - copy.first_d, copy.block_d)
        heights = f.min_int(phase["count_h"] - copy.first_h, copy.block_h)
        with f.loop(0, copy.images, carried=[f.i64(0)]) as image:
            with f.loop(0, depths, carried=image.carried) as d:
                with f.loop(0, heights, carried=d.carried) as h:
                    a = (image.index * self.a_image + d.index * self.a_d + h.index * self.a_h)
                    depth = (copy.first_d + d.index) * self.period_d + phase["first_d"]
                    height = (copy.first_h + h.index) * self.period_h + phase["first_h"]
                    row = ((copy.first_image + image.index) * self.out_d + depth) * self.out_h
                    row = (row + height) * self.out_w + phase["first_w"]
                    at = h.carried[0]
                    with f.loop(0, phase["count_w"]) as w:
                        f.store(a + w.index * self.a_w, self.a_rows, at + w.index)
                        f.store(row + w.index * self.period_w, out_rows, at + w.index)
                    h.next(at + phase["count_w"])
                d.next(h.results[0])
            image.next(d.results[0])
        pixels = image.results[0]
        with f.if_(f.gt(pixels, 0)):
            last_a, last_row = (f.load(I64, t, pixels - 1) for t in (self.a_rows, out_rows))
            with f.loop(pixels, pixels + (self.rows - 1)) as rest:
                f.store(last_a, self.a_rows, rest.index)
                f.store(last_row, out_rows, rest.index)
        return out_rows, pixels
