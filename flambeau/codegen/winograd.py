"""3x3 and 5x5 convolutions with stride 1 in Winograd's form: about a third of the multiplications.

Beside `convolve`, which hands over what `pays` says is faster this way; the matrices are in
`winograd_transforms`, the weight gradient in `winograd_weight`. Two calls: the weights are
transformed (`winograd_filters`), and then an item of the main call takes a block of squares of
outputs, 4x4 or for 5x5 windows 2x2, through three stages that stay in the second-level cache:

    V[position, square, channel] = transform of the 6x6 inputs around each square
    M[position, square, column]  = V @ U[position], the GEMM tile, a panel of columns at a time
    outputs of each square       = transform of M, with the epilogue, row by row

Squares at the border are first copied into a patch of zeros. Every extent is a runtime integer.
`FLAMBEAU_WINOGRAD=0` turns it off.
"""

from __future__ import annotations

import functools
import math
import os

from flambeau.codegen.emitter import I64, PTR, VOID, Module, vector
from flambeau.codegen.extents import usual
from flambeau.codegen.kernel_call import ArgumentTable, KernelCall, Pointer, default_grain
from flambeau.codegen.tile import (
    FINAL,
    TileShape,
    by_panel,
    call_tile,
    define_tile,
    element_type,
    rows_for,
    vector_lanes,
)
from flambeau.codegen.winograd_filters import PAD, plan_filters, position_size
from flambeau.codegen.winograd_transforms import (
    INPUT,
    POSITIONS,
    spread_gradient,
    transform_input,
    transform_output,
    transform_square,
)

__all__ = ["PAD", "SQUARE_INTEGERS", "Squares", "applies", "judged_batch", "patch_bytes", "pays",
           "plan_winograd", "side_of", "square_values", "squares_of"]

_SQUARES = 24  # of a block: V and M of 64 channels are then 220 KiB each
_ITEMS = 8     # wanted, so that threads share them evenly though their speeds differ

SQUARE_INTEGERS = ("squares", "block", "down", "across", "height", "width", "low_h", "low_w",
                   "x_image", "x_h", "x_w", "channels", "line", "position", "patch_at", "v_at")
_INTEGERS = SQUARE_INTEGERS + ("out_h", "out_w", "outputs", "panel", "panels", "panel_size",
                               "m_position", "m_at", "units", "blocks", "groups", "group_panels")


def side_of(shape) -> int:
    """Outputs of a square in each direction: 4 for 3x3 windows, 2 for 5x5."""
    return INPUT + 1 - shape.size[0]


def _switched_on() -> bool:
    """Whether the environment allows Winograd's form."""
    return os.environ.get("FLAMBEAU_WINOGRAD", "1") != "0"


def applies(shape, x_strides) -> bool:
    """Whether a convolution has this form: over images, stride and dilation 1, one group."""
    return (_switched_on() and tuple(shape.size) in ((3, 3), (5, 5))
            and shape.groups == 1 and shape.dtype == "float32" and x_strides[-1] == 1
            and all(v == 1 for v in (*shape.stride, *shape.dilation, *shape.base_dilation)))


def judged_batch(batch) -> int:
    """The batch by which forms are chosen: any but the shortest count as a full one.

    The short last batch of an epoch then needs no machine code of its own. Below 8, where forms
    that fill their tiles from several images lose most, the batch itself decides, unless full ones
    are known.
    """
    return 64 if usual(batch) >= 8 else usual(batch)


def pays(shape, x_strides, weights=True) -> bool:
    """Whether the form applies and is expected to be the faster one.

    The direct form runs at 105 GFLOP/s a thread. Here, the products run at 95, transforms take
    90 ns for 16 channels of a square, and those of the weights 16 ns for each pair of channels.
    Predicted and measured: 64 channels at 32x32, 15.7 and 15.6 ms (direct 45); 512 channels at 4x4,
    batch 64, 19.5 and 21.6 ms (direct 47); 16 channels at 32x32, 1.9 and 2.6 ms (direct 3.5).
    The error of a weight gradient (`weights` false) is 4 times the direct form's for sums of 32
    squares and less, 2.3 times for 256: it is the transforms' own, which more terms drown. That of
    5x5 windows is 5 times (forward 1.3 to 1.9 times): their weight gradients stay direct.
    """
    if not applies(shape, x_strides) or min(shape.inputs, shape.outputs) < 12:
        return False
    down, across = squares_of(shape)
    squares = shape.batch * down * across
    if not weights and (usual(squares) < 48 or tuple(shape.size) != (3, 3)):
        return False
    batch = judged_batch(shape.batch)
    pairs = shape.inputs * shape.outputs
    each = 2 * POSITIONS * pairs / 95 + 90 / 16 * (shape.inputs + shape.outputs)
    # on small maps the direct form may leave out what meets padding
    direct = (shape.least_flops if weights else shape.flops) / shape.batch * batch / 105
    return batch * down * across * each + (16 * pairs if weights else 0) < 0.9 * direct


def squares_of(shape) -> tuple[int, int]:
    """(squares below each other, beside each other) that cover an image's outputs."""
    side = side_of(shape)
    return -(-shape.out[0] // side), -(-shape.out[1] // side)


def square_values(shape, x_strides, channels, block):
    """The integers of `SQUARE_INTEGERS` but for the places in scratch."""
    down, across = squares_of(shape)
    line = -(-channels // 16) * 16
    return dict(
        squares=shape.batch * down * across, block=block, down=down, across=across,
        height=shape.extents[0], width=shape.extents[1], low_h=shape.padding[0][0],
        low_w=shape.padding[1][0], x_image=x_strides[0], x_h=x_strides[1], x_w=x_strides[2],
        channels=channels, line=line, position=block * line + PAD)


def patch_bytes(channels):
    """Bytes of a square of zeros and channels."""
    return POSITIONS * (channels + 2 * PAD) * 4


def plan_winograd(shape, layout, *, x, w, out, allocate, epilogue=None, label=""):
    """The calls for a convolution; `layout` says how its weights are cut into panels."""
    rows = rows_for(layout.panel, shape.dtype, "rows")
    down, across = squares_of(shape)
    squares = shape.batch * down * across
    units = math.ceil(squares / rows)
    blocks = math.ceil(squares / _SQUARES)
    blocks = min(blocks + (blocks % 2 if squares >= 2 * rows else 0), units)
    # few blocks are cut into groups of panels, which transform the inputs anew: two panels of 256
    # channels take 35 times as long as that
    group_panels = max(2, layout.panels * blocks // _ITEMS)
    groups = math.ceil(layout.panels / group_panels)
    block = math.ceil(units / blocks) * rows
    weights = Pointer(allocate(4 * POSITIONS * layout.panels
                               * position_size(layout.inputs, layout.panel)))
    table = ArgumentTable(("x", "weights", "out"), _INTEGERS, epilogue)
    values = square_values(shape, x.strides, layout.inputs, block)
    patch_at = 2 * 8 * (block + rows)
    v_at = patch_at + patch_bytes(layout.inputs)
    m_at = v_at + POSITIONS * values["position"] * 4
    m_position = block * layout.panel + PAD
    args = table.fill(
        **values, x=x.pointer, weights=weights, out=out, patch_at=patch_at, v_at=v_at, m_at=m_at,
        out_h=shape.out[0], out_w=shape.out[1], outputs=shape.outputs, panel=layout.panel,
        panels=layout.panels, panel_size=POSITIONS * position_size(layout.inputs, layout.panel),
        m_position=m_position, units=units, blocks=blocks,
        groups=groups, group_panels=group_panels)
    full, partial = layout.widths
    name, text = _kernel(side_of(shape), full, partial, epilogue)
    items = blocks * groups
    flops = 2 * POSITIONS * squares * layout.inputs * layout.columns
    nbytes = 4 * shape.batch * (shape.inputs * math.prod(shape.extents)
                                + shape.outputs * math.prod(shape.out))
    return [plan_filters(layout, w, weights),
            KernelCall(name, text, args, items, default_grain(items, flops // items),
                       m_at + POSITIONS * m_position * 4 + 64, shape.flops, nbytes, label)]


# ---- inputs -------------------------------------------------------------------------------------


def define_square_transform(module, name, transform, size):
    """Defines `name(from, row_step, column_step, channels, to, position_step)`.

    It transforms a square of `size` of vectors of channels; to[i * 6 + j] lie `position_step`
    apart. Channels beyond the last are zeros, up to a whole vector.
    """
    return module.define_once(name, lambda m: _square_transform(m, name, transform, size))


def _square_transform(module, name, transform, size):
    f = module.function(name, VOID, [PTR, I64, I64, I64, PTR, I64],
                        attributes="nounwind noinline", linkage="internal")
    source, row_step, column_step, channels, to, position_step = f.parameters
    type = vector(element_type("float32"), vector_lanes("float32"))
    whole = channels & -type.lanes
    rows = [f.at(source, row_step * i, type.element) for i in range(size)]
    columns = [column_step * j for j in range(size)]

    def body(channel, load):
        transform_square(
            f, transform, size, lambda i, j: load(rows[i], columns[j] + channel),
            lambda i, j, value: f.store(value, to, position_step * (INPUT * i + j) + channel))

    with f.loop(0, whole, type.lanes) as loop:
        body(loop.index, lambda row, at: f.load(type, row, at))
    with f.if_(f.lt(whole, channels)):
        mask = f.tail_mask(channels - whole, type.lanes)
        body(whole, lambda row, at: f.load_masked(type, row, mask, at))


class Squares:
    """Emits what both kernels share: where squares lie, and the transforms of what they hold.

    `get` has the integers of `SQUARE_INTEGERS` as attributes.
    """

    def __init__(self, f, get, side):
        self.f, self.get, self.side = f, get, side
        self.type = vector(element_type("float32"), vector_lanes("float32"))

    def place(self, number):
        """(image, first row, first column) of the outputs of a square."""
        across, down = self.get.across, self.get.down
        column, rest = number % across, number / across
        return rest / down, rest % down * self.side, column * self.side

    def inputs(self, number, offset, channels, to):
        """Writes V of the `channels` channels of a square from `offset` on."""
        get = self.get
        image, row, column = self.place(number)
        name = define_square_transform(self.f.module, "winograd_input", transform_input, INPUT)
        self._transform(name, INPUT, get.x, image * get.x_image + offset,
                        (row - get.low_h, column - get.low_w), (get.x_h, get.x_w),
                        (get.height, get.width), channels, to, get.position)

    def gradients(self, number, offset, channels, to, position):
        """Writes what `spread_gradient` makes of the gradients of a square."""
        get = self.get
        image, row, column = self.place(number)
        name = define_square_transform(self.f.module, "winograd_gradient", spread_gradient,
                                       self.side)
        line = get.out_w * get.outputs
        self._transform(name, self.side, get.dy, image * get.out_h * line + offset, (row, column),
                        (line, get.outputs), (get.out_h, get.out_w), channels, to, position)

    def _transform(self, name, size, source, start, place, steps, extents, channels, to, position):
        f = self.f
        inside = None
        for first, extent in zip(place, extents):
            here = f.ge(first, 0) & f.le(first + size, extent)
            inside = here if inside is None else inside & here
        with f.if_(inside) as branch:
            where = start + place[0] * steps[0] + place[1] * steps[1]
            f.call(name, VOID, [f.at(source, where, self.type.element), *steps, channels, to,
                                position])
        with branch.otherwise():
            patch = f.byte_offset(f.scratch, self.get.patch_at)
            line = channels + self.type.lanes
            self._copy(size, source, start, place, steps, extents, channels, patch, line)
            f.call(name, VOID, [patch, line * size, line, channels, to, position])

    def _copy(self, size, source, start, place, steps, extents, channels, patch, line):
        """The square with zeros where nothing is."""
        f, type = self.f, self.type
        f.fill_bytes(patch, 0, line * (size * size * 4))
        (top, bottom), (left, right) = (
            (f.select(f.lt(first, 0), f.i64(0) - first, f.i64(0)), f.min_int(extent - first, size))
            for first, extent in zip(place, extents))
        whole = channels & -type.lanes
        mask = f.tail_mask(channels - whole, type.lanes)
        with f.loop(top, bottom) as i:
            with f.loop(left, right) as j:
                where = (start + (place[0] + i.index) * steps[0]
                         + (place[1] + j.index) * steps[1])
                here = f.at(source, where, type.element)
                target = f.at(patch, (i.index * size + j.index) * line, type.element)
                with f.loop(0, whole, type.lanes) as c:
                    f.store(f.load(type, here, c.index), target, c.index)
                with f.if_(f.lt(whole, channels)):
                    f.store(f.load_masked(type, here, mask, whole), target, whole)


# ---- the main call -------------------------------------------------------------------------------

_kernels: dict = {}


def _kernel(side, full, partial, epilogue):
    key = side, full, partial, epilogue.key if epilogue else None
    if key not in _kernels:
        name = f"winograd_{side}_{full}_{partial}" + (f"_{epilogue.key}" if epilogue else "")
        module = Module(name, pipeline="light")
        _Driver(module, name, side, full, partial, epilogue).emit()
        _kernels[key] = name, module.text()
    return _kernels[key]


class _Driver:
    """The loops around the stages: items, squares, panels, positions, tiles."""

    def __init__(self, module, name, side, full, partial, epilogue):
        self.side, self.epilogue = side, epilogue
        self.table = ArgumentTable(("x", "weights", "out"), _INTEGERS, epilogue)
        self.rows = rows_for(full or partial, "float32", "rows")
        # a partial panel is padded in the weights and in M: its tile needs no mask
        self.shapes = [TileShape("float32", self.rows, columns, "rows", False)
                       for columns in (full, partial) if columns]
        for shape in self.shapes:
            define_tile(module, shape)
        self.type = vector(element_type("float32"), vector_lanes("float32"))
        self.f = module.kernel(name)
        self.masked = partial > 0
        self.results = self.f.alloca(self.type.element, side * side * self.type.lanes)
        module.constant_array("no_offset", I64, [0])

    def __getattr__(self, name):
        return self.table.load_here(self.f, name)

    def emit(self):
        f = self.f
        squares = Squares(f, self, self.side)
        a_rows = f.scratch
        out_rows = f.at(a_rows, self.block + self.rows, I64)
        with f.loop(0, self.block + self.rows) as row:
            f.store(row.index * self.line, a_rows, row.index)
            f.store(row.index, out_rows, row.index)
        v = f.byte_offset(f.scratch, self.v_at)
        with f.loop(f.begin, f.end) as items:
            # blocks as equal as whole tiles allow: 128 squares on two threads are not 5 1/3 of
            # 24 (256 channels at 14x14, 8 images: 3.5 ms instead of 3.9)
            group, block = items.index % self.groups, items.index / self.groups
            first = block * self.units / self.blocks * self.rows
            last = (block + 1) * self.units / self.blocks * self.rows
            count = f.min_int(last, self.squares) - first
            begin = group * self.group_panels
            with f.loop(0, count) as square:
                squares.inputs(first + square.index, 0, self.channels,
                               f.at(v, square.index * self.line, self.type.element))
            end = f.min_int(begin + self.group_panels, self.panels)
            with f.loop(begin, end) as panel:
                column = panel.index * self.panel
                width = f.min_int(self.outputs - column, self.panel)
                weights = f.at(self.weights, panel.index * self.panel_size, self.type.element)
                by_panel(f, self.shapes, width, self.panel, lambda shape: self._panel(
                    shape, v, weights, a_rows, out_rows, count))
                with f.loop(0, count) as square:
                    self._finish(squares.place(first + square.index), square.index, column, width)

    def _panel(self, shape, v, weights, a_rows, out_rows, count):
        """M = V @ U at every position, for one panel."""
        f, element, stride = self.f, self.type.element, shape.columns
        m = f.byte_offset(f.scratch, self.m_at)
        with f.loop(0, POSITIONS) as position:
            a = f.at(v, position.index * self.position, element)
            b = f.at(weights, position.index * position_size(self.channels, stride), element)
            c = f.at(m, position.index * self.m_position, element)
            with f.loop(0, count, self.rows) as tile:
                row = tile.index
                call_tile(f, shape, args=f.args, a=a, a_rows=f.at(a_rows, row, I64), a_stride=0,
                          out_rows=f.at(out_rows, row, I64), tap_offsets=f.address("no_offset"),
                          taps=1, k=self.channels, b=b, b_stride=stride, c=c,
                          c_stride=self.panel, row_base=0, column=0,
                          rows=f.min_int(count - row, self.rows), width=stride, flags=FINAL)

    def _finish(self, place, square, column, width):
        """The outputs of one square, a vector of channels at a time."""
        f, type, side = self.f, self.type, self.side
        image, row, left = place
        m = f.at(f.byte_offset(f.scratch, self.m_at), square * self.panel, type.element)
        rows = f.min_int(self.out_h - row, side)
        columns = f.min_int(self.out_w - left, side)
        pixel = (image * self.out_h + row) * self.out_w + left
        with f.loop(0, width, type.lanes) as lane:
            transform_square(
                f, functools.partial(transform_output, count=side), INPUT,
                lambda i, j: f.load(type, m, self.m_position * (INPUT * i + j) + lane.index),
                lambda i, j, value: f.store(value, self.results, (side * i + j) * type.lanes))
            mask = f.tail_mask(width - lane.index, type.lanes) if self.masked else None
            channel = column + lane.index
            with f.loop(0, rows) as i:
                with f.loop(0, columns) as j:
                    value = f.load(type, self.results,
                                   (i.index * side + j.index) * type.lanes)
                    number = pixel + i.index * self.out_w + j.index
                    if self.epilogue:
                        value = self.epilogue.emit(f, value, number, channel, mask,
                                                   self.table.epilogue_slot)
                    target = f.at(self.out, number * self.outputs + channel, type.element)
                    if mask is None:
                        f.store(value, target)
                    else:
                        f.store_masked(value, target, mask)
