"""Pooling and its gradients against explicit loops over windows in NumPy."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from flambeau.codegen.kernel_call import Epilogue, Operand
from flambeau.codegen.pooling import (
    PoolShape,
    in_planes,
    plan_max_pool,
    plan_max_pool_gradient,
    plan_sum_pool,
    plan_sum_pool_gradient,
)
from tests.codegen.run_calls import Memory


def make_shape(batch, channels, extents, size, stride, padding, dilation, dtype="float32"):
    out = tuple((e + low + high - (k - 1) * d - 1) // s + 1 for e, (low, high), k, d, s in
                zip(extents, padding, size, dilation, stride))
    return PoolShape(batch, channels, extents, size, out, stride, padding, dilation, dtype)


def window(shape, place):
    """The elements (as indices) inside the input, and how many are inside the padded one."""
    per_dim, padded = [], 1
    for o, e, k, s, (low, high), d in zip(place, shape.extents, shape.size, shape.stride,
                                          shape.padding, shape.dilation):
        reads = [o * s - low + t * d for t in range(k)]
        per_dim.append([i for i in reads if 0 <= i < e])
        padded *= sum(i < e + high for i in reads)
    return list(itertools.product(*per_dim)), padded


def expected(shape, x, dy, divisor):
    """(maxima, places, gradient of maxima, sums, gradient of sums), channels-last, in loops."""
    maxima = np.zeros((shape.batch, *shape.out, shape.channels))
    places = np.zeros(maxima.shape, np.int64)
    sums, dmax, dsum = np.zeros_like(maxima), np.zeros(x.shape), np.zeros(x.shape)
    plane = np.prod(shape.extents)
    images, lanes = np.arange(shape.batch)[:, None], np.arange(shape.channels)
    for place in itertools.product(*map(range, shape.out)):
        inside, padded = window(shape, place)
        values = np.stack([x[(slice(None), *i)] for i in inside])
        best = np.argmax(np.where(np.isnan(values), np.inf, values), 0)
        flat = np.array([np.ravel_multi_index(i, shape.extents) for i in inside])
        at = (slice(None), *place)
        maxima[at] = np.take_along_axis(values, best[None], 0)[0]
        places[at] = flat[best]
        np.add.at(dmax.reshape(shape.batch, plane, shape.channels), (images, flat[best], lanes),
                  dy[at])
        count = {None: 1, "window": padded, "valid": len(inside)}.get(divisor, divisor)
        sums[at] = values.sum(0) / count
        for i in inside:
            dsum[(slice(None), *i)] += dy[at] / count
    return maxima, places, dmax, sums, dsum


def computed(shape, x, dy, divisor, planes=False):
    """The same through the kernels; `planes` reads x as an NCHW array."""
    memory = Memory()
    array = np.ascontiguousarray(np.moveaxis(x, -1, 1)) if planes else x
    strides = [s // x.itemsize for s in array.strides]
    if planes:
        strides = [strides[0], *strides[2:], strides[1]]
    source = Operand(memory.add(array), tuple(strides))
    maxima, sums = (np.full((shape.batch, *shape.out, shape.channels), np.nan, x.dtype)
                    for _ in range(2))
    places = np.full(maxima.shape, -7, np.int64)
    dmax, dsum = np.full(x.shape, np.nan, x.dtype), np.full(x.shape, np.nan, x.dtype)
    gradient = memory.add(dy)
    calls = plan_max_pool(shape, x=source, out=memory.add(maxima), index=memory.add(places))
    calls += plan_max_pool_gradient(shape, x=source, dy=gradient, dx=memory.add(dmax),
                                    allocate=memory.allocate)
    calls += plan_sum_pool(shape, x=source, out=memory.add(sums), divisor=divisor)
    calls += plan_sum_pool_gradient(shape, dy=gradient, dx=memory.add(dsum), divisor=divisor)
    memory.run(calls)
    again = np.full_like(maxima, np.nan)
    from_index = np.full_like(dmax, np.nan)
    memory.run(plan_max_pool(shape, x=source, out=memory.add(again)) + plan_max_pool_gradient(
        shape, index=memory.add(places), dy=gradient, dx=memory.add(from_index),
        allocate=memory.allocate))
    np.testing.assert_array_equal(again, maxima)
    np.testing.assert_array_equal(from_index, dmax)
    return maxima, places, dmax, sums, dsum


def check(shape, divisor=None, planes=False, seed=0, x=None):
    generator = np.random.default_rng(seed)
    if x is None:  # few different values: ties must go to the first
        x = generator.integers(-3, 4, (shape.batch, *shape.extents, shape.channels))
    x = x.astype(shape.dtype)
    dy = generator.integers(-3, 4, (shape.batch, *shape.out, shape.channels)).astype(shape.dtype)
    pairs = zip(computed(shape, x, dy, divisor, planes), expected(shape, x, dy, divisor))
    for result, wanted in pairs:
        np.testing.assert_allclose(result, wanted, rtol=0, atol=1e-4)


@st.composite
def shapes(draw):
    rank = draw(st.sampled_from([1, 2, 2, 3]))

    def each(*choices):
        return tuple(draw(st.sampled_from(choices)) for _ in range(rank))

    size, dilation, extents = each(1, 2, 3, 4), each(1, 1, 2), each(1, 4, 5, 9)
    padding = tuple((min(low, k // 2), high) for low, high, k in
                    zip(each(0, 1, 2), each(0, 1, 2), size))
    shape = make_shape(draw(st.integers(0, 3)), draw(st.sampled_from([1, 3, 16, 70])), extents,
                       size, each(1, 2, 3, 5), padding, dilation,
                       draw(st.sampled_from(["float32", "float64"])))
    assume(min(shape.out) > 0)
    # every window must hold an element, as PyTorch's rules of padding see to
    assume(all(window(shape, place)[0] for place in itertools.product(*map(range, shape.out))))
    return shape


@settings(max_examples=60, deadline=None)
@given(shapes(), st.sampled_from([None, 3, "window", "valid"]), st.booleans())
def test_any_pooling(shape, divisor, planes):
    check(shape, divisor, planes)


@pytest.mark.parametrize("size,stride,padding,extent", [(2, 2, 0, 12), (3, 2, 1, 13), (4, 4, 0, 4),
                                                        (2, 3, 0, 9), (3, 1, 1, 6)])
@pytest.mark.parametrize("channels", [20, 64])
def test_typical_layers(size, stride, padding, extent, channels):
    check(make_shape(2, channels, (extent,) * 2, (size,) * 2, (stride,) * 2,
                     ((padding, padding),) * 2, (1, 1)), "window")


def test_nan_and_infinity():
    x = np.random.default_rng(0).standard_normal((2, 6, 6, 20))
    x[0, 1, 1], x[1] = np.nan, -np.inf
    shape = make_shape(2, 20, (6, 6), (2, 2), (2, 2), ((0, 0),) * 2, (1, 1))
    memory = Memory()
    out, index = np.zeros((2, 3, 3, 20), np.float32), np.zeros((2, 3, 3, 20), np.int64)
    memory.run(plan_max_pool(shape, x=memory.operand(x.astype(np.float32)), out=memory.add(out),
                             index=memory.add(index)))
    assert np.isnan(out[0, 0, 0]).all() and (index[0, 0, 0] == 7).all()
    assert (out[1] == -np.inf).all() and (index[1, 2, 2] == 4 * 6 + 4).all()
    assert not np.isnan(out[0, 1:]).any()


def test_planes_are_images_of_one_channel():
    shape = make_shape(2, 3, (8, 9), (2, 3), (2, 3), ((0, 0),) * 2, (1, 1))
    x = np.random.default_rng(0).standard_normal((2, 3, 8, 9)).astype(np.float32)
    memory, out = Memory(), np.full((2, 3, 4, 3), np.nan, np.float32)
    planes = x.reshape(6, 8, 9, 1)
    memory.run(plan_max_pool(in_planes(shape), x=memory.operand(planes), out=memory.add(out)))
    assert (out == x.reshape(2, 3, 4, 2, 3, 3).max((3, 5))).all()


def test_epilogue():
    def emit(f, value, row, column, mask, slot):
        return f.fmax(f.constant(value.type, 0.0), value) * 2.0

    shape = make_shape(2, 20, (6, 6), (2, 2), (2, 2), ((0, 0),) * 2, (1, 1))
    x = np.random.default_rng(0).standard_normal((2, 6, 6, 20)).astype(np.float32)
    memory, out = Memory(), np.zeros((2, 3, 3, 20), np.float32)
    memory.run(plan_max_pool(shape, x=memory.operand(x), out=memory.add(out),
                             epilogue=Epilogue("relu_twice", emit)))
    wanted = np.maximum(x.reshape(2, 3, 2, 3, 2, 20).max((2, 4)), 0) * 2
    np.testing.assert_array_equal(out, wanted)


def test_a_divisor_must_be_known():
    shape = make_shape(1, 1, (4,), (2,), (2,), ((0, 0),), (1,))
    memory = Memory()
    x = memory.operand(np.zeros((1, 4, 1), np.float32))
    with pytest.raises(ValueError, match="divisor must be"):
        plan_sum_pool(shape, x=x, out=x.pointer, divisor="all")
