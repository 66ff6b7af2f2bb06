"""The weight gradient of a 3x3 convolution with stride 1 in Winograd's form.

Beside `winograd`, whose squares and input transform it shares. A work item owns a block of input
channels, a panel of output channels and a chunk of the squares. For a block of squares at a time it
writes the transforms of their inputs and of their gradients to scratch and adds, at each of the 36
positions, the product of the two over the squares; at the end the 36 sums become the weights, in
the layout of the direct form's partial sums, which its ordered sum over chunks then finishes.
"""

from __future__ import annotations

import functools
import math

from flambeau.codegen.emitter import I64, Module, vector
from flambeau.codegen.kernel_call import ArgumentTable, KernelCall, Pointer
from flambeau.codegen.packing import square_side
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
from flambeau.codegen.winograd import (
    PAD,
    SQUARE_INTEGERS,
    Squares,
    patch_bytes,
    square_values,
    squares_of,
)
from flambeau.codegen.winograd_transforms import (
    INPUT,
    POSITIONS,
    gather_weight,
    transform_square,
)

__all__ = ["plan_winograd_weight"]

_SIZE = 3       # of the window; for 5x5, the error would be 5 times the direct form's
_SQUARES = 24   # of a block: with 64 channels on both sides, 0.4 MiB beside 0.6 MiB of sums
_CHANNELS = 64  # of a block of input channels
_ITEMS = 8      # wanted, so that threads share them evenly

_INTEGERS = SQUARE_INTEGERS + (
    "out_h", "out_w", "inputs", "outputs", "panel", "panels", "channel_blocks", "chunks",
    "chunk_squares", "part_size", "d_position", "d_at", "sums_at")


def plan_winograd_weight(shape, layout, *, x, dy, allocate, label=""):
    """(the call, channels of a block, their blocks, chunks, the partial sums)."""
    down, across = squares_of(shape)
    squares = shape.batch * down * across
    channel_blocks = -(-layout.inputs // _CHANNELS)
    channels = -(-layout.inputs // channel_blocks)
    channel_blocks = -(-layout.inputs // channels)
    owners = layout.panels * channel_blocks
    chunks = max(1, min(-(-_ITEMS // owners), -(-squares // _SQUARES)))
    chunk_squares = -(-squares // chunks)
    chunks = -(-squares // chunk_squares)
    block = min(_SQUARES, chunk_squares)
    part = _SIZE * _SIZE * channels * layout.panel
    partial = Pointer(allocate(chunks * owners * part * 4))
    values = square_values(shape, x.strides, channels, block)
    d_position = block * layout.panel + PAD
    v_at = patch_bytes(max(channels, layout.panel))
    d_at = v_at + POSITIONS * values["position"] * 4
    sums_at = d_at + POSITIONS * d_position * 4
    args = ArgumentTable(("x", "dy", "partial"), _INTEGERS).fill(
        **values, x=x.pointer, dy=dy, partial=partial, patch_at=0, v_at=v_at, d_at=d_at,
        sums_at=sums_at, out_h=shape.out[0], out_w=shape.out[1], inputs=layout.inputs,
        outputs=shape.outputs, panel=layout.panel, panels=layout.panels,
        channel_blocks=channel_blocks, chunks=chunks, chunk_squares=chunk_squares, part_size=part,
        d_position=d_position)
    name, text = _kernel(*layout.widths)
    nbytes = 4 * shape.batch * (shape.inputs * math.prod(shape.extents)
                                + shape.outputs * math.prod(shape.out))
    call = KernelCall(name, text, args, owners * chunks, 1,
                      sums_at + POSITIONS * channels * layout.panel * 4 + 64, shape.flops, nbytes,
                      label)
    return call, channels, channel_blocks, chunks, partial


@functools.cache
def _kernel(full, partial):
    name = f"winograd_weight_{full}_{partial}"
    module = Module(name, pipeline="light")
    _Driver(module, name, full, partial).emit()
    return name, module.text()


class _Driver:
    """The loops: items, blocks of squares, positions, tiles; then the sums become weights."""

    def __init__(self, module, name, full, partial):
        self.table = ArgumentTable(("x", "dy", "partial"), _INTEGERS)
        self.rows = rows_for(full or partial, "float32", "columns")
        self.shapes = [TileShape("float32", self.rows, columns, "columns", False)
                       for columns in (full, partial) if columns]
        for shape in self.shapes:
            define_tile(module, shape)
        self.type = vector(element_type("float32"), vector_lanes("float32"))
        self.f = module.kernel(name)
        module.constant_array("no_offset", I64, [0])
        module.constant_array("row_numbers", I64, range(self.rows))

    def __getattr__(self, name):
        return self.table.load_here(self.f, name)

    def emit(self):
        f = self.f
        with f.loop(f.begin, f.end) as items:
            chunk, owner = items.index % self.chunks, items.index / self.chunks
            block, panel = owner % self.channel_blocks, owner / self.channel_blocks
            self.first_channel, self.column = block * self.channels, panel * self.panel
            self.here = f.min_int(self.inputs - self.first_channel, self.channels)
            self.present = f.min_int(self.outputs - self.column, self.panel)
            self.part = f.at(self.partial, items.index * self.part_size, self.type.element)
            first = chunk * self.chunk_squares
            last = f.min_int(self.squares, first + self.chunk_squares)
            by_panel(f, self.shapes, self.present, self.panel,
                     lambda shape: self._item(shape, first, last))

    def _item(self, shape, first, last):
        f, element, stride = self.f, self.type.element, shape.columns
        squares = Squares(f, self, INPUT + 1 - _SIZE)
        v, d, sums = (f.byte_offset(f.scratch, at) for at in (self.v_at, self.d_at, self.sums_at))
        with f.loop(first, last, self.block) as loop:
            count = f.min_int(last - loop.index, self.block)
            with f.loop(0, count) as square:
                number = loop.index + square.index
                squares.inputs(number, self.first_channel, self.here,
                               f.at(v, square.index * self.line, element))
                squares.gradients(number, self.column, self.present,
                                  f.at(d, square.index * stride, element), self.d_position)
            flags = f.select(f.gt(loop.index, first), f.i64(ACCUMULATE | FINAL), FINAL)
            with f.loop(0, POSITIONS) as position:
                a = f.at(v, position.index * self.position, element)
                b = f.at(d, position.index * self.d_position, element)
                c = f.at(sums, position.index * self.channels * stride, element)
                with f.loop(0, self.here, self.rows) as tile:
                    row = tile.index
                    call_tile(f, shape, args=f.args, a=f.at(a, row, element), a_rows=None,
                              a_stride=self.line, out_rows=f.address("row_numbers"),
                              tap_offsets=f.address("no_offset"), taps=1, k=count, b=b,
                              b_stride=stride, c=f.at(c, row * stride, element), c_stride=stride,
                              row_base=0, column=0, rows=f.min_int(self.here - row, self.rows),
                              width=stride, flags=flags)
        self._gather(sums, stride)

    def _gather(self, sums, stride):
        """The 36 sums of each pair of channels become its weights."""
        f, line = self.f, self.channels * stride
        # rows of a panel are whole vectors, of which the last may be half a one
        type = vector(self.type.element, square_side(self.type.lanes))
        with f.loop(0, self.here * stride, type.lanes) as at:
            transform_square(
                f, functools.partial(gather_weight, count=_SIZE), INPUT,
                lambda i, j: f.load(type, sums, line * (INPUT * i + j) + at.index),
                lambda i, j, value: f.store(value, self.part,
                                            line * (_SIZE * i + j) + at.index))
