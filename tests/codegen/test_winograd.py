"""Winograd's form of 3x3 convolutions: results, error against the direct form, the switch."""

import numpy as np
import pytest

from flambeau.codegen import convolve, convolve_weight, winograd, winograd_filters
from flambeau.codegen.convolve import weight_layout
from flambeau.codegen.kernel_call import Operand, Pointer
from flambeau.codegen.winograd_transforms import transform_weight
from tests.codegen.run_calls import Memory
from tests.codegen.test_convolve import (
    channels_last,
    expected_forward,
    expected_weight,
    forward,
    make_shape,
    x_operand,
)

# batch, inputs, outputs, extents, padding: whole and cut squares, whole and partial panels
SHAPES = [(6, 64, 64, (16, 16), ((1, 1), (1, 1))), (6, 20, 24, (17, 9), ((1, 1), (1, 1))),
          (14, 33, 100, (10, 6), ((0, 0), (0, 0))), (25, 16, 130, (5, 5), ((1, 1), (1, 1))),
          (14, 12, 18, (13, 7), ((0, 2), (3, 1))), (90, 12, 12, (3, 3), ((-1, 1), (2, 2))),
          (20, 70, 12, (9, 9), ((1, 1), (1, 1)))]


def shape_of(batch, inputs, outputs, extents, padding, size=3):
    return make_shape(batch, 1, inputs, outputs, extents, (size, size), (1, 1), padding, (1, 1),
                      (1, 1))


def arrays(shape):
    generator = np.random.default_rng(0)
    x = generator.standard_normal((shape.batch, shape.inputs, *shape.extents)).astype("f4")
    w = generator.standard_normal((shape.outputs, shape.inputs, *shape.size)).astype("f4")
    dy = generator.standard_normal((shape.batch, shape.outputs, *shape.out)).astype("f4")
    return x, w, dy


def weight(x, dy, shape):
    memory = Memory()
    dw = np.full((shape.outputs, shape.inputs, *shape.size), np.nan, "f4")
    memory.run(convolve_weight.plan_convolve_weight(
        shape, x=x_operand(memory, x, False), dy=memory.add(channels_last(dy)),
        dw=memory.add(dw), allocate=memory.allocate))
    return dw


@pytest.fixture
def form(monkeypatch):
    """Chooses the form of the convolutions that follow."""
    def choose(always):
        for module in (convolve, convolve_weight):
            monkeypatch.setattr(module, "pays", lambda shape, strides, weights=True: always
                                and winograd.applies(shape, strides))
    return choose


@pytest.mark.parametrize("size", [3, 5])
@pytest.mark.parametrize("numbers", SHAPES)
def test_error_is_within_four_times_the_direct_forms(form, numbers, size):
    batch, inputs, outputs, extents, padding = numbers
    extents = tuple(extent + size - 3 for extent in extents)
    shape = shape_of(batch, inputs, outputs, extents, padding, size)
    x, w, dy = arrays(shape)
    runs = [(forward, w, expected_forward), (weight, dy, expected_weight)]
    for run, other, expected in runs if size == 3 else runs[:1]:
        right = expected(x, other, shape)
        errors = []
        for always in (True, False):
            form(always)
            found = run(x, other, shape)
            errors.append(np.sqrt(np.mean((found - right) ** 2)))
        assert 0 < errors[0] < 4 * errors[1]


def test_an_epilogue_sees_every_output_once(form):
    from flambeau.codegen.kernel_call import Epilogue

    shape = shape_of(2, 16, 20, (7, 9), ((1, 1), (1, 1)))
    x, w, _ = arrays(shape)
    form(True)
    memory = Memory()
    bias = np.arange(20, dtype="f4")

    def emit(f, value, row, column, mask, slot):
        start = f.at(f.pointer_arg(slot), column)
        return value + (f.load(value.type, start) if mask is None
                        else f.load_masked(value.type, start, mask))

    epilogue = Epilogue("bias", emit, (memory.add(bias),))
    found = forward(x, w, shape, epilogue=epilogue, memory=memory)
    right = expected_forward(x, w, shape) + bias[:, None, None]
    np.testing.assert_allclose(found, right, rtol=1e-4, atol=1e-4)


def test_what_it_applies_to(monkeypatch):
    shape = shape_of(8, 64, 64, (16, 16), ((1, 1), (1, 1)))
    strides = (64 * 256, 64 * 16, 64, 1)
    assert winograd.pays(shape, strides) and winograd.pays(shape, strides, weights=False)
    assert not winograd.pays(shape, (64 * 256, 16, 1, 256))          # planes
    large = shape_of(8, 64, 64, (16, 16), ((2, 2), (2, 2)), 5)
    assert winograd.pays(large, strides) and not winograd.pays(large, strides, weights=False)
    few = shape_of(1, 64, 64, (4, 4), ((1, 1), (1, 1)))
    assert not winograd.pays(few, strides)
    assert not winograd.pays(shape_of(2, 64, 64, (16, 16), ((1, 1), (1, 1))), strides,
                             weights=False)
    strided = make_shape(8, 1, 64, 64, (16, 16), (3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1), (1, 1))
    assert not winograd.pays(strided, strides)
    grouped = make_shape(8, 2, 64, 64, (16, 16), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), (1, 1))
    assert not winograd.pays(grouped, strides)
    monkeypatch.setenv("FLAMBEAU_WINOGRAD", "0")
    assert not winograd.pays(shape, strides)


class Numbers:
    """What a transform needs of a Function, over Python numbers."""

    def fma(self, a, b, c):
        return a * b + c

    def like(self, _, value):
        return value


@pytest.mark.parametrize("inputs, outputs", [(64, 128), (20, 40)])
@pytest.mark.parametrize("kind", ["logical", "turned", "channels last"])
def test_weights_are_transformed_where_they_lie(kind, inputs, outputs, monkeypatch):
    """Logical ones, the gradient's flipped and exchanged ones, others; also past the caches."""
    w = np.random.default_rng(0).standard_normal((outputs, inputs, 3, 3)).astype(np.float32)
    if kind == "channels last":
        w = w.transpose(0, 2, 3, 1).copy().transpose(0, 3, 1, 2)
    seen = w.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1] if kind == "turned" else w
    offset = (seen.__array_interface__["data"][0] - w.__array_interface__["data"][0])
    o, c, y, x = (s // 4 for s in seen.strides)
    matrix = np.array([transform_weight(Numbers(), list(row)) for row in np.eye(3)]).T
    expected = np.einsum("ai,bj,ocij->abco", matrix, matrix, seen)
    layout = weight_layout(shape_of(1, seen.shape[1], seen.shape[0], (8, 8), ((1, 1), (1, 1))))
    size = winograd_filters.position_size(layout.inputs, layout.panel)
    for limit in (1 << 40, 0):
        monkeypatch.setattr(winograd_filters._cpu, "cache_sizes", lambda limit=limit: [limit] * 3)
        memory = Memory()
        target = memory.allocate(4 * 36 * layout.panels * size)
        source = Operand(memory.add(w).shifted(offset), (0, o, c, 0, y, x))
        memory.run([winograd_filters.plan_filters(layout, source, Pointer(target))])
        found = memory.arrays[target].view(np.float32)
        for panel in range(layout.panels):
            first = panel * layout.panel
            width = min(layout.panel, layout.columns - first)
            step = winograd_filters.position_size(layout.inputs, width)
            for position in range(36):
                block = found[panel * 36 * size + position * step:][:layout.inputs * width]
                right = expected[position // 6, position % 6][:, first:first + width]
                block = block.reshape(layout.inputs, width)[:, :right.shape[1]]
                np.testing.assert_allclose(block, right, rtol=1e-5, atol=1e-5)
