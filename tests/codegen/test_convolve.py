"""Convolutions and their weight gradients against a sum over taps in NumPy, in float64."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from flambeau.codegen.convolve import ConvolveShape, plan_convolve
from flambeau.codegen.convolve_weight import plan_convolve_weight
from flambeau.codegen.kernel_call import Epilogue, Operand
from tests.codegen.run_calls import Memory


def make_shape(batch, groups, inputs, outputs, extents, size, stride, padding, dilation, base,
               dtype="float32"):
    out = tuple(((e - 1) * b + low + high - (k - 1) * d) // s + 1 for e, b, (low, high), k, d, s in
                zip(extents, base, padding, size, dilation, stride))
    return ConvolveShape(batch, groups, inputs, outputs, extents, size, out, stride, padding,
                         dilation, base, dtype)


def padded(x, shape):
    """x (batch, channels, spatial...) spread by the base dilation, padded or cut."""
    spread = np.zeros(x.shape[:2] + tuple((e - 1) * b + 1 for e, b in
                                          zip(shape.extents, shape.base_dilation)), np.float64)
    spread[(slice(None),) * 2 + tuple(slice(None, None, b) for b in shape.base_dilation)] = x
    spread = np.pad(spread, [(0, 0)] * 2 + [(max(0, low), max(0, high))
                                            for low, high in shape.padding])
    return spread[(slice(None),) * 2 + tuple(
        slice(max(0, -low), extent - max(0, -high))
        for (low, high), extent in zip(shape.padding, spread.shape[2:]))]


def taps(x, shape):
    """(tap, the elements of x that each output reads there: (batch, channels, out...))."""
    whole = padded(x, shape)
    for tap in itertools.product(*map(range, shape.size)):
        place = tuple(slice(t * d, t * d + (o - 1) * s + 1, s) for t, d, o, s in
                      zip(tap, shape.dilation, shape.out, shape.stride))
        yield tap, whole[(slice(None),) * 2 + place]


def grouped(array, groups, axis):
    return np.split(array.astype(np.float64), groups, axis)


def expected_forward(x, w, shape):
    out = np.zeros((shape.batch, shape.outputs) + shape.out)
    for tap, part in taps(x, shape):
        pairs = zip(grouped(part, shape.groups, 1),
                    grouped(w[(slice(None),) * 2 + tap], shape.groups, 0))
        out += np.concatenate([np.einsum("ni...,oi->no...", a, b) for a, b in pairs], 1)
    return out


def expected_weight(x, dy, shape):
    dw = np.zeros((shape.outputs, shape.inputs // shape.groups) + shape.size)
    for tap, part in taps(x, shape):
        pairs = zip(grouped(part, shape.groups, 1), grouped(dy, shape.groups, 1))
        dw[(slice(None),) * 2 + tap] = np.concatenate(
            [np.einsum("nip,nop->oi", a.reshape(*a.shape[:2], -1), b.reshape(*b.shape[:2], -1))
             for a, b in pairs])
    return dw


def channels_last(array):
    return np.ascontiguousarray(np.moveaxis(array, 1, -1))


def x_operand(memory, x, planes):
    """x as it lies, or channels-last; strides as planners take them."""
    array = x if planes else channels_last(x)
    strides = [s // array.itemsize for s in array.strides]
    if planes:
        strides = [strides[0], *strides[2:], strides[1]]
    return Operand(memory.add(array), tuple(strides))


def w_operand(memory, w, groups):
    strides = [s // w.itemsize for s in w.strides]
    return Operand(memory.add(w), (strides[0] * (w.shape[0] // groups), *strides))


def forward(x, w, shape, planes=False, epilogue=None, memory=None):
    memory = memory or Memory()
    out = np.full((shape.batch, *shape.out, shape.outputs), np.nan, x.dtype)
    memory.run(plan_convolve(shape, x=x_operand(memory, x, planes),
                             w=w_operand(memory, w, shape.groups), out=memory.add(out),
                             allocate=memory.allocate, epilogue=epilogue))
    return np.moveaxis(out, -1, 1)


def weight_gradient(x, dy, shape, planes=False):
    memory = Memory()
    dw = np.full((shape.outputs, shape.inputs // shape.groups) + shape.size, np.nan, x.dtype)
    memory.run(plan_convolve_weight(shape, x=x_operand(memory, x, planes),
                                    dy=memory.add(channels_last(dy)), dw=memory.add(dw),
                                    allocate=memory.allocate))
    return dw


def close(result, expected, dtype, terms):
    tolerance = (2e-7 if dtype == "float32" else 5e-16) * (terms + 10)
    assert np.abs(result - expected).max(initial=0) <= tolerance


@st.composite
def shapes(draw):
    rank = draw(st.sampled_from([1, 2, 2, 2, 3]))

    def each(*choices):
        return tuple(draw(st.sampled_from(choices)) for _ in range(rank))

    groups = draw(st.sampled_from([1, 1, 1, 2, 3]))
    inputs = groups * draw(st.sampled_from([1, 3, 4, 20, 70]))
    outputs = groups * draw(st.sampled_from([1, 5, 16, 20, 70]))
    extents, size, dilation = each(1, 4, 7, 12), each(1, 2, 3, 5), each(1, 1, 2)
    base = each(1, 1, 1, 2, 3)
    padding = tuple(zip(each(0, 1, 2, 4, -1), each(0, 1, 2, 4, -1)))
    assume(all((e - 1) * b + low + high >= (k - 1) * d + 1 and (e - 1) * b + 1 > -low - high
               for e, b, (low, high), k, d in zip(extents, base, padding, size, dilation)))
    return make_shape(draw(st.integers(1, 3)), groups, inputs, outputs, extents, size,
                      each(1, 1, 2, 3), padding, dilation, base,
                      draw(st.sampled_from(["float32", "float64"])))


def arrays(shape, seed=0):
    generator = np.random.default_rng(seed)
    dims = ((shape.batch, shape.inputs) + shape.extents,
            (shape.outputs, shape.inputs // shape.groups) + shape.size,
            (shape.batch, shape.outputs) + shape.out)
    return [generator.uniform(-1, 1, d).astype(shape.dtype) for d in dims]


@settings(max_examples=60, deadline=None)
@given(shapes(), st.booleans())
def test_any_convolution(shape, planes):
    x, w, _ = arrays(shape)
    close(forward(x, w, shape, planes), expected_forward(x, w, shape), shape.dtype,
          w[0].size)


@settings(max_examples=60, deadline=None)
@given(shapes(), st.booleans())
def test_any_weight_gradient(shape, planes):
    x, _, dy = arrays(shape)
    close(weight_gradient(x, dy, shape, planes), expected_weight(x, dy, shape), shape.dtype,
          dy[:, 0].size)


@settings(max_examples=40, deadline=None)
@given(shapes(), st.integers(6, 17))
def test_padding_that_is_left_out(shape, batch):
    shape = dataclasses.replace(shape, batch=batch)
    assume(shape.least_flops < 0.8 * shape.flops)
    x, w, _ = arrays(shape)
    close(forward(x, w, shape), expected_forward(x, w, shape), shape.dtype, w[0].size)


def test_small_maps_do_not_multiply_padding():
    shape = square(16, 20, 24, 8, 5, 1, 4)
    x, w, out = arrays(shape)
    memory = Memory()
    call = plan_convolve(shape, x=x_operand(memory, x, False), w=w_operand(memory, w, 1),
                         out=memory.add(out), allocate=memory.allocate)[-1]
    assert call.flops == 2 * 16 * 20 * 24 * 25 * 64     # each element meets each weight once
    close(forward(x, w, shape), expected_forward(x, w, shape), "float32", w[0].size)


def square(batch, inputs, outputs, extent, size, stride=1, padding=0, groups=1):
    return make_shape(batch, groups, inputs, outputs, (extent,) * 2, (size,) * 2, (stride,) * 2,
                      ((padding, padding),) * 2, (1, 1), (1, 1))


TYPICAL = [square(2, 1, 20, 28, 5), square(2, 20, 20, 12, 5), square(1, 3, 64, 33, 7, 2, 3),
           square(2, 64, 64, 16, 3, 1, 1), square(3, 128, 130, 4, 3, 1, 1),
           square(2, 64, 128, 9, 1, 2), square(2, 48, 80, 7, 1), square(2, 32, 32, 9, 3, 2, 1, 32),
           square(1, 600, 70, 5, 3, 1, 1)]


@pytest.mark.parametrize("shape", TYPICAL, ids=lambda s: f"{s.inputs}-{s.outputs}-{s.size[0]}")
def test_typical_layers(shape):
    x, w, dy = arrays(shape)
    close(forward(x, w, shape), expected_forward(x, w, shape), "float32", w[0].size)
    close(weight_gradient(x, dy, shape), expected_weight(x, dy, shape), "float32", dy[:, 0].size)


@pytest.mark.parametrize("shape", TYPICAL, ids=lambda s: f"{s.inputs}-{s.outputs}-{s.size[0]}")
def test_the_input_gradient_is_a_convolution_with_flipped_weights(shape):
    _, w, dy = arrays(shape)
    padding = []
    for i in range(2):
        reach = shape.size[i] - 1
        low = reach - shape.padding[i][0]
        spread = (shape.out[i] - 1) * shape.stride[i] + 1
        padding.append((low, shape.extents[i] + reach - low - spread))
    back = ConvolveShape(shape.batch, shape.groups, shape.outputs, shape.inputs, shape.out,
                         shape.size, shape.extents, (1, 1), tuple(padding), (1, 1), shape.stride,
                         shape.dtype)
    memory = Memory()
    dx = np.full((shape.batch, *shape.extents, shape.inputs), np.nan, np.float32)
    per_group = w.reshape(shape.groups, shape.outputs // shape.groups, *w.shape[1:])
    flipped = np.swapaxes(per_group, 1, 2)[..., ::-1, ::-1]  # a view: negative strides
    first = memory.add(w).shifted(flipped.__array_interface__["data"][0] - w.ctypes.data)
    weights = Operand(first, tuple(s // 4 for s in flipped.strides))
    memory.run(plan_convolve(back, x=x_operand(memory, dy, False), w=weights, out=memory.add(dx),
                             allocate=memory.allocate))
    expected = np.zeros((shape.batch, shape.inputs) + tuple(
        e + 2 * p[0] for e, p in zip(shape.extents, shape.padding)))
    for tap in itertools.product(*map(range, shape.size)):
        place = tuple(slice(t, t + (o - 1) * s + 1, s)
                      for t, o, s in zip(tap, shape.out, shape.stride))
        pairs = zip(grouped(dy, shape.groups, 1), grouped(w[(..., *tap)], shape.groups, 0))
        expected[(slice(None),) * 2 + place] += np.concatenate(
            [np.einsum("no...,oi->ni...", a, b) for a, b in pairs], 1)
    low = shape.padding[0][0]
    cut = tuple(slice(low, low + e) for e in shape.extents)
    close(np.moveaxis(dx, -1, 1), expected[(slice(None),) * 2 + cut], "float32",
          w[:, 0].size)


def test_epilogues_see_pixel_and_channel():
    shape = square(2, 300, 70, 6, 3, 1, 1)
    x, w, _ = arrays(shape)
    bias = np.random.default_rng(1).standard_normal(70).astype(np.float32)
    memory = Memory()

    def emit(f, value, row, column, mask, slot):
        pointer = f.pointer_arg(slot)
        vector = (f.load(value.type, pointer, column) if mask is None else
                  f.load_masked(value.type, pointer, mask, column))
        return value + vector + f.splat(f.cast(row, value.type.element), value.type.lanes)

    out = forward(x, w, shape, epilogue=Epilogue("bias_row", emit, (memory.add(bias),)),
                  memory=memory)
    row = np.arange(2 * 36).reshape(2, 1, 6, 6)
    close(out, expected_forward(x, w, shape) + bias[:, None, None] + row, "float32", w[0].size)


def test_an_epilogue_may_add_to_the_output_in_place():
    shape = square(1, 600, 70, 5, 3, 1, 1)  # weights that do not fit into L2
    x, w, old = arrays(shape)
    out = channels_last(old)
    memory = Memory()

    def emit(f, value, row, column, mask, slot):
        pointer, index = f.pointer_arg(slot), row * 70 + column
        return value + (f.load(value.type, pointer, index) if mask is None else
                        f.load_masked(value.type, pointer, mask, index))

    place = memory.add(out)
    memory.run(plan_convolve(shape, x=x_operand(memory, x, False), w=w_operand(memory, w, 1),
                             out=place, allocate=memory.allocate,
                             epilogue=Epilogue("add_own", emit, (place,))))
    close(np.moveaxis(out, -1, 1), expected_forward(x, w, shape) + old, "float32", w[0].size)


@pytest.mark.parametrize("size,extent", [(5, 9), (3, 27)])
def test_the_batch_is_not_in_the_machine_code(size, extent):
    def codes(batch):
        shape = square(batch, 16, 32, extent, size, 1, 1)
        memory = Memory()
        x, w, dy = arrays(shape)
        calls = plan_convolve(shape, x=x_operand(memory, x, False), w=w_operand(memory, w, 1),
                              out=memory.add(dy), allocate=memory.allocate)
        calls += plan_convolve_weight(shape, x=x_operand(memory, x, False), dy=memory.add(dy),
                                      dw=memory.add(w), allocate=memory.allocate)
        return [(call.name, call.ir_text) for call in calls]

    assert codes(1) == codes(7)


def test_empty_batches():
    shape = dataclasses.replace(square(1, 4, 5, 6, 3), batch=0)
    x, w, dy = arrays(shape)
    assert forward(x, w, shape).shape == (0, 5, 4, 4)
    assert (weight_gradient(x, dy, shape) == 0).all()


def test_weight_gradients_do_not_depend_on_how_the_work_is_cut():
    shape = square(8, 20, 24, 16, 5)
    x, _, dy = arrays(shape)
    memory, dw = Memory(), np.zeros((24, 20, 5, 5), np.float32)
    calls = plan_convolve_weight(shape, x=x_operand(memory, x, False),
                                 dy=memory.add(channels_last(dy)), dw=memory.add(dw),
                                 allocate=memory.allocate)
    results = []
    for grain in (1, 3, 1000):
        for call in calls:
            call.grain = grain
        memory.run(calls)
        results.append(dw.copy())
    assert calls[0].items > 1
    assert (results[0] == results[1]).all() and (results[0] == results[2]).all()
