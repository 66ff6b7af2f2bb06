"""Matrix products against NumPy in float64: shapes, strides, batches, splits of K, epilogues."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flambeau.codegen.contract import contraction_form, plan_contract
from flambeau.codegen.kernel_call import Epilogue, Operand
from tests.codegen.run_calls import Memory

extents = st.one_of(st.integers(1, 20), st.sampled_from([31, 64, 65, 80, 130, 257]))


def operand(memory, array):
    strides = tuple(s // array.itemsize for s in array.strides)
    return Operand(memory.add(array), (0,) * (4 - array.ndim) + strides)


def product(a, b, epilogue=None, out=None, memory=None):
    """The product of (batch, m, k) and (batch, k, n), through the kernels."""
    memory = memory or Memory()
    batch, m, k = a.shape
    n = b.shape[2]
    if out is None:
        out = np.full((batch, m, n), np.nan, a.dtype)
    calls = plan_contract(batch=(1, batch), m=m, n=n, k=k, a=operand(memory, a),
                          b=operand(memory, b), out=operand(memory, out), dtype=a.dtype.name,
                          allocate=memory.allocate, epilogue=epilogue)
    memory.run(calls)
    return out


def check(result, a, b, tolerance=None):
    expected = a.astype(np.float64) @ b.astype(np.float64)
    scale = np.abs(a).astype(np.float64) @ np.abs(b).astype(np.float64)
    tolerance = tolerance or (1e-6 if a.dtype == np.float32 else 1e-14)
    assert (np.abs(result - expected) <= tolerance * (scale + 1e-30)).all()


def random(generator, shape, dtype, order):
    """An array of a shape whose memory is row-major, column-major, spread or backward."""
    if order == "transposed":
        return np.swapaxes(random(generator, shape[:-2] + (shape[-1], shape[-2]), dtype, "plain"),
                           -1, -2)
    if order == "spread":
        return random(generator, shape[:-1] + (2 * shape[-1],), dtype, "plain")[..., ::2]
    if order == "backward":
        return random(generator, shape, dtype, "plain")[..., ::-1, :]
    return generator.standard_normal(shape).astype(dtype)


orders = st.sampled_from(["plain", "transposed", "spread", "backward"])


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 3), extents, extents, st.one_of(extents, st.just(900)), orders, orders,
       st.sampled_from(["float32", "float64"]), st.integers(0, 99))
def test_products_of_any_shape_and_order(batch, m, n, k, order_a, order_b, dtype, seed):
    generator = np.random.default_rng(seed)
    a = random(generator, (batch, m, k), dtype, order_a)
    b = random(generator, (batch, k, n), dtype, order_b)
    check(product(a, b), a, b)


@pytest.mark.parametrize("m,n,k", [(0, 3, 4), (3, 0, 4), (3, 4, 0)])
def test_empty_extents(m, n, k):
    out = product(np.ones((2, m, k), np.float32), np.ones((2, k, n), np.float32))
    assert (out == 0).all() and out.shape == (2, m, n)


@pytest.mark.parametrize("order_a,order_b", [("plain", "plain"), ("transposed", "transposed")])
@pytest.mark.parametrize("m,n,k", [(500, 300, 700), (64, 64, 20000), (7, 70, 9000), (1, 500, 515),
                                   (4, 37, 100), (300, 1, 70)])
def test_blocked_products_and_splits_of_k(m, n, k, order_a, order_b):
    generator = np.random.default_rng(0)
    a = random(generator, (1, m, k), np.float32, order_a)
    b = random(generator, (1, k, n), np.float32, order_b)
    check(product(a, b), a, b, 3e-6)


def test_a_repeated_batch_and_an_output_within_a_larger_array():
    generator = np.random.default_rng(1)
    a = np.broadcast_to(random(generator, (1, 9, 33), np.float32, "plain"), (4, 9, 33))
    b = random(generator, (4, 33, 50), np.float32, "plain")
    whole = np.full((4, 11, 60), 7, np.float32)
    check(product(a, b, out=whole[:, 1:10, 5:55]), a, b)
    whole[:, 1:10, 5:55] = 7
    assert (whole == 7).all()


def test_a_transposed_output():
    generator = np.random.default_rng(2)
    a = random(generator, (2, 30, 21), np.float32, "plain")
    b = random(generator, (2, 21, 40), np.float32, "plain")
    out = np.full((2, 40, 30), np.nan, np.float32)
    check(product(a, b, out=np.swapaxes(out, 1, 2)), a, b)


def bias_and_relu(memory, bias, residual):
    """relu(C + bias) + residual, where residual is read at the output's rows."""
    columns = len(bias)

    def emit(f, value, row, column, mask, slot):
        def read(pointer, index):
            if mask is None:
                return f.load(value.type, pointer, index)
            return f.load_masked(value.type, pointer, mask, index)

        added = value + read(f.pointer_arg(slot), column)
        positive = f.fmax(f.constant(value.type, 0.0), added)
        return positive + read(f.pointer_arg(slot + 1), row * columns + column)

    return Epilogue(f"bias_relu_residual_{columns}", emit,
                    (memory.add(bias), memory.add(residual)))


@pytest.mark.parametrize("m,n,k", [(13, 20, 9), (70, 130, 1000), (64, 64, 8000), (2, 45, 100)])
def test_epilogues_apply_once_to_finished_results(m, n, k):
    generator = np.random.default_rng(3)
    a = random(generator, (2, m, k), np.float32, "plain")
    b = random(generator, (2, k, n), np.float32, "transposed")
    bias = generator.standard_normal(n).astype(np.float32)
    residual = generator.standard_normal((2, m, n)).astype(np.float32)
    memory = Memory()
    out = product(a, b, bias_and_relu(memory, bias, residual), memory=memory)
    expected = np.maximum(a.astype(np.float64) @ b + bias, 0) + residual
    assert np.abs(out - expected).max() < 1e-6 * k


@pytest.mark.parametrize("m,n,k", [(70, 40, 1000), (100, 64, 5000), (64, 64, 20000), (3, 20, 900)])
def test_an_epilogue_may_update_the_output_in_place(m, n, k):
    def emit(f, value, row, column, mask, slot):
        pointer, index = f.pointer_arg(slot), row * n + column
        old = (f.load(value.type, pointer, index) if mask is None else
               f.load_masked(value.type, pointer, mask, index))
        return old - value * 0.5

    generator = np.random.default_rng(5)
    a = random(generator, (1, m, k), np.float32, "transposed")
    b = random(generator, (1, k, n), np.float32, "plain")
    weights = random(generator, (1, m, n), np.float32, "plain")
    expected = weights - 0.5 * (a.astype(np.float64) @ b)
    memory = Memory()
    update = Epilogue(f"update_{n}", emit, (memory.add(weights),))
    product(a, b, update, out=weights, memory=memory)
    assert np.abs(weights - expected).max() < 1e-6 * k


def test_results_do_not_depend_on_how_the_work_is_cut():
    generator = np.random.default_rng(4)
    a = random(generator, (1, 64, 20000), np.float32, "plain")
    b = random(generator, (1, 20000, 64), np.float32, "plain")
    memory, results = Memory(), []
    out = np.zeros((1, 64, 64), np.float32)
    calls = plan_contract(batch=(1, 1), m=64, n=64, k=20000, a=operand(memory, a),
                          b=operand(memory, b), out=operand(memory, out), dtype="float32",
                          allocate=memory.allocate)
    assert len(calls) == 2  # partial products, then their ordered sum
    for grain in (1, 5, 1000):
        for call in calls:
            call.grain = grain
        out[:] = np.nan
        memory.run(calls)
        results.append(out.copy())
    assert (results[0] == results[1]).all() and (results[0] == results[2]).all()


def test_extents_are_not_in_the_machine_code():
    def name(batch, m, n, k):
        memory = Memory()
        calls = plan_contract(
            batch=(1, batch), m=m, n=n, k=k, dtype="float32", allocate=memory.allocate,
            a=operand(memory, np.zeros((batch, m, k), np.float32)),
            b=operand(memory, np.zeros((batch, k, n), np.float32)),
            out=operand(memory, np.zeros((batch, m, n), np.float32)))
        return [(call.name, call.ir_text) for call in calls]

    assert name(1, 64, 512, 784) == name(5, 37, 1024, 100)


def test_contraction_form_merges_neighbouring_dimensions():
    # attention: scores[b, h, i, j] = sum over d of q[b, i, h, d] k[b, j, h, d]
    strides = (5 * 3 * 8, 3 * 8, 8, 1)
    shape = (2, 5, 3, 8)
    form = contraction_form(shape, strides, shape, strides, (0, 2), (0, 2), (3,), (3,))
    assert form == ((2, 3), 5, 5, 8, (120, 8, 24, 1), (120, 8, 1, 24))
    # a linear layer over (batch, time, features)
    form = contraction_form((4, 6, 8), (48, 8, 1), (10, 8), (8, 1), (), (), (2,), (1,))
    assert form == ((1, 1), 24, 10, 8, (0, 0, 8, 1), (0, 0, 1, 8))
    # a gap between two merged dimensions needs a copy first
    assert contraction_form((4, 6, 8), (96, 8, 1), (10, 8), (8, 1), (), (), (2,), (1,)) is None
