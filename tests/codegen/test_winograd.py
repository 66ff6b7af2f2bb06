"""Winograd's form of 3x3 convolutions: results, error against the direct form, the switch."""

import numpy as np
import pytest

from flambeau.codegen import convolve, convolve_weight, winograd
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
