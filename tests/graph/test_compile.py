"""Compiled programs against the interpreter, on random graphs and on the shapes of training."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from graphs import (
    FLOATS,
    INTEGERS,
    RandomGraph,
    array_for,
    assert_same,
    input_node,
    pick_outputs,
    run_compiled,
    scalar_node,
    spread,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flambeau import dtypes
from flambeau.graph.compile import compile_program
from flambeau.graph.interpret import interpret
from flambeau.graph.ir import expand_to, full, p, topological_order
from flambeau.runtime._pool import get_num_threads, set_num_threads

ALL = FLOATS + INTEGERS + (dtypes.bool_,)


def tolerance_scale(outputs, node):
    """Results carry the error of the coarsest type on their way."""
    worst = {"float64": 1.0}
    base = {"float32": 2e-5, "float64": 1e-12, "float16": 4e-3, "bfloat16": 3e-2}
    for n in topological_order([node]):
        if n.dtype.name in base:
            worst[n.dtype.name] = base[n.dtype.name]
    own = base.get(node.dtype.name, 1.0)
    return 4 * max(v for k, v in worst.items() if k in base and k != "float64") / own \
        if len(worst) > 1 else 4


def compare(outputs, inputs, arrays, scalars=(), numbers=(), **options):
    expected = interpret(outputs, arrays, numbers)
    executable = compile_program(outputs, inputs, scalars, **options)
    got = run_compiled(executable, outputs, arrays, numbers)
    for result, reference, node in zip(got, expected, outputs):
        assert_same(result, reference, node, tolerance_scale(outputs, node))
    return executable


def random_case(choose, rng, steps):
    shape = tuple(choose((1, 2, 3, 4, 5, 7, 16, 17, 33, 64, 70))
                  for _ in range(choose((0, 1, 2, 2, 3, 3, 4))))
    while int(np.prod(shape)) > 20_000:
        shape = shape[:-1]
    if shape and choose(range(20)) == 0:
        shape = shape[:-1] + (0,)
    dtype = choose((dtypes.float32,) * 5 + ALL)
    inputs = [input_node(0, shape, dtype), input_node(1, shape[-1:], dtype)]
    scalars = [scalar_node(0)]
    graph = RandomGraph(choose, inputs, scalars).grow(steps)
    return pick_outputs(choose, graph.nodes), inputs, [array_for(i, rng) for i in inputs], scalars


@settings(max_examples=60, deadline=None, derandomize=True,
          suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False), st.booleans())
def test_random_graphs(random, reuse):
    rng = np.random.default_rng(random.randrange(1 << 30))
    outputs, inputs, arrays, scalars = random_case(random.choice, rng, 10)
    compare(outputs, inputs, arrays, scalars, [1.5], reuse=reuse)


_SCRIPT = """
import random, sys
import numpy as np
sys.path.insert(0, {folder!r})
from test_compile import compare, random_case
for seed in range({first}, {first} + {count}):
    rng = np.random.default_rng(seed)
    outputs, inputs, arrays, scalars = random_case(random.Random(seed).choice, rng, 8)
    compare(outputs, inputs, arrays, scalars, [1.5])
"""


@pytest.mark.parametrize("width", ["4", "8"])
def test_random_graphs_with_narrow_vectors(width):
    """The vector width is read once a process, so narrower code needs one of its own."""
    from flambeau.runtime import _cpu
    if _cpu.vector_width() < int(width):
        pytest.skip("this CPU has narrower vectors")
    folder = str(pathlib.Path(__file__).parent)
    environment = dict(os.environ, FLAMBEAU_VECTOR_WIDTH=width)
    script = _SCRIPT.format(folder=folder, first=int(width) * 100, count=12)
    root = str(pathlib.Path(__file__).parents[2])
    environment["PYTHONPATH"] = root + os.pathsep + environment.get("PYTHONPATH", "")
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True,
                          text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture
def threads():
    before = get_num_threads()
    yield set_num_threads
    set_num_threads(before)


def test_results_do_not_depend_on_threads(threads):
    rng = np.random.default_rng(3)
    x, w = input_node(0, (300, 257)), input_node(1, (257, 129))
    h = p.relu(p.contract(x, w, batch_a=(), batch_b=(), contract_a=(1,), contract_b=(0,)))
    top = p.reduce_max(h, dims=(1,))
    soft = p.exp(p.sub(h, spread(top, h, (1,))))
    soft = p.div(soft, spread(p.reduce_sum(soft, dims=(1,)), h, (1,)))
    outputs = [soft, p.reduce_sum(h, dims=(0,)), p.reduce_sum(h, dims=(0, 1)),
               p.argmax(h, dim=1)]
    inputs = [x, w]
    arrays = [array_for(i, rng) for i in inputs]
    results = []
    for count in (1, 2, 3):
        threads(count)
        executable = compile_program(outputs, inputs)
        results.append(run_compiled(executable, outputs, arrays))
        assert all((a == b).all() for a, b in zip(results[0], results[-1]))
    for got, expected, node in zip(results[0], interpret(outputs, arrays), outputs):
        assert_same(got, expected, node, 4)


# ---- programs as training makes them -------------------------------------------------------------


def linear(x, w, b):
    y = p.contract(x, w, batch_a=(), batch_b=(), contract_a=(1,), contract_b=(1,))
    return p.add(y, expand_to(b, y.shape))


def mlp_step(batch=32, sizes=(20, 40, 10)):
    """One SGD step with momentum of a network of two layers, differentiated by hand."""
    x = input_node(0, (batch, sizes[0]))
    w1, b1 = input_node(1, (sizes[1], sizes[0])), input_node(2, (sizes[1],))
    w2, b2 = input_node(3, (sizes[2], sizes[1])), input_node(4, (sizes[2],))
    target = input_node(5, (batch, 1), dtypes.int64)
    moments = [input_node(6 + i, n.shape) for i, n in enumerate((w1, b1, w2, b2))]
    rate = scalar_node(0)
    before = linear(x, w1, b1)
    hidden = p.relu(before)
    logits = linear(hidden, w2, b2)
    shifted = p.sub(logits, spread(p.reduce_max(logits, dims=(1,)), logits, (1,)))
    total = p.reduce_sum(p.exp(shifted), dims=(1,))
    logp = p.sub(shifted, spread(p.log(total), logits, (1,)))
    picked = p.gather(logp, target, dim=1, message="target")
    loss = p.div(p.neg(p.reduce_sum(picked, dims=(0, 1))), full((), batch, dtypes.float32))
    hot = p.scatter(full(logp.shape, 0, dtypes.float32), target,
                    full((batch, 1), 1, dtypes.float32), dim=1, mode="add", message="target")
    g = p.div(p.sub(p.exp(logp), hot), full(logp.shape, batch, dtypes.float32))

    def transposed(a, b):
        return p.permute(p.contract(a, b, batch_a=(), batch_b=(), contract_a=(0,),
                                    contract_b=(0,)), dims=(1, 0))
    gw2, gb2 = transposed(hidden, g), p.reduce_sum(g, dims=(0,))
    gh = p.contract(g, w2, batch_a=(), batch_b=(), contract_a=(1,), contract_b=(0,))
    gh = p.where(p.gt(hidden, full(hidden.shape, 0, dtypes.float32)), gh,
                 full(hidden.shape, 0, dtypes.float32))
    gw1, gb1 = transposed(x, gh), p.reduce_sum(gh, dims=(0,))
    outputs = [loss]
    for value, moment, grad in zip((w1, b1, w2, b2), moments, (gw1, gb1, gw2, gb2)):
        new = p.add(p.mul(moment, full(moment.shape, 0.9, dtypes.float32)), grad)
        outputs += [p.sub(value, p.mul(new, expand_to(rate, value.shape))), new]
    inputs = [x, w1, b1, w2, b2, target, *moments]
    return outputs, inputs, [rate]


def step_arrays(inputs, classes, rng):
    return [rng.integers(0, classes, i.shape) if i.dtype is dtypes.int64 else array_for(i, rng)
            for i in inputs]


def test_training_step_updates_in_place():
    outputs, inputs, scalars = mlp_step()
    arrays = step_arrays(inputs, 10, np.random.default_rng(0))
    donated = {1, 2, 3, 4, 6, 7, 8, 9}
    executable = compare(outputs, inputs, arrays, scalars, [0.1], donated=donated)
    from flambeau.runtime.buffer import Buffer
    buffers = [Buffer.from_array(a.copy()) for a in arrays]
    results = executable.run(buffers, [0.1])
    reused = {id(b) for b in buffers} & {id(r) for r in results}
    assert len(reused) == len(donated)          # every parameter and moment is updated in place
    assert not any(r is buffers[0] or r is buffers[5] for r in results)


def test_softmax_and_its_gradient_are_few_kernels():
    outputs, inputs, scalars = mlp_step()
    executable = compile_program(outputs, inputs, scalars)
    fused = [k for k in executable.kernels if k.name.startswith("fused")]
    # softmax with the picked logarithm, loss, its gradient, two bias gradients with their
    # updates, and the updates of the weights
    assert len(fused) <= 8, executable.describe()
    assert all(k.items is not None for k in executable.kernels)     # nothing runs through NumPy


def test_second_batch_size_compiles_nothing():
    rng = np.random.default_rng(1)
    for batch in (32, 24):
        outputs, inputs, scalars = mlp_step(batch)
        executable = compare(outputs, inputs, step_arrays(inputs, 10, rng), scalars, [0.1])
    assert executable.compiled == 0 and executable.cached == 0


def test_scalars_change_without_compiling():
    outputs, inputs, scalars = mlp_step()
    arrays = step_arrays(inputs, 10, np.random.default_rng(2))
    executable = compile_program(outputs, inputs, scalars)
    for rate in (0.1, 0.0, -3.0):
        got = run_compiled(executable, outputs, arrays, [rate])
        for a, b, node in zip(got, interpret(outputs, arrays, [rate]), outputs):
            assert_same(a, b, node, 10)


def convolution_net(batch=4):
    x = input_node(0, (batch, 3, 14, 14))
    w, b = input_node(1, (20, 3, 5, 5)), input_node(2, (20,))
    attrs = {"stride": (1, 1), "padding": ((2, 2), (2, 2)), "dilation": (1, 1),
             "base_dilation": (1, 1), "groups": 1}
    y = p.convolve(x, w, **attrs)
    y = p.relu(p.add(y, p.expand(p.reshape(b, shape=(1, 20, 1, 1)), shape=y.shape)))
    pool = {"size": (2, 2), "stride": (2, 2), "padding": ((0, 0), (0, 0)), "dilation": (1, 1)}
    small = p.max_pool(y, **pool)
    flat = p.reshape(small, shape=(batch, 20 * 49))
    g = p.reshape(p.mul(flat, flat), shape=small.shape)
    gy = p.max_pool_gradient(y, g, **pool)
    gy = p.where(p.gt(y, full(y.shape, 0, dtypes.float32)), gy, full(y.shape, 0, dtypes.float32))
    gw = p.convolve_weight(x, gy, size=(5, 5), **attrs)
    return [flat, y, gw, p.reduce_sum(gy, dims=(0, 2, 3)),
            p.sum_pool(y, **pool)], [x, w, b]


def test_convolutions_and_pools():
    outputs, inputs = convolution_net()
    arrays = [array_for(i, np.random.default_rng(5)) for i in inputs]
    expected = interpret(outputs, arrays)
    got = run_compiled(compile_program(outputs, inputs), outputs, arrays)
    for a, b, node in zip(got, expected, outputs):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3 * abs(b).max(), err_msg=repr(node))


def batch_norm(x, gamma, beta):
    """Training statistics over all but the channels, as PyTorch composes them."""
    dims = tuple(d for d in range(x.ndim) if d != 1)
    count = x.numel // x.shape[1]
    shape = tuple(x.shape[1] if d == 1 else 1 for d in range(x.ndim))

    def wide(v):
        return p.expand(p.reshape(v, shape=shape), shape=x.shape)
    size = full((x.shape[1],), count, dtypes.float32)
    mean = p.div(p.reduce_sum(x, dims=dims), size)
    centred = p.sub(x, wide(mean))
    variance = p.div(p.reduce_sum(p.mul(centred, centred), dims=dims), size)
    scale = p.rsqrt(p.add(variance, full(variance.shape, 1e-5, dtypes.float32)))
    return p.add(p.mul(p.mul(centred, wide(scale)), wide(gamma)), wide(beta)), mean, variance


@pytest.mark.parametrize("first", [True, False])
def test_batch_norm_in_both_layouts(first):
    x = input_node(0, (4, 24, 20, 20))
    gamma, beta = input_node(1, (24,)), input_node(2, (24,))
    source = x
    if first:       # behind a convolution it is channels-last
        w = input_node(3, (24, 24, 1, 1))
        source = p.convolve(x, w, stride=(1, 1), padding=((0, 0), (0, 0)), dilation=(1, 1),
                            base_dilation=(1, 1), groups=1)
    y, mean, variance = batch_norm(source, gamma, beta)
    inputs = [x, gamma, beta] + ([w] if first else [])
    arrays = [array_for(i, np.random.default_rng(7)) for i in inputs]
    outputs = [p.relu(y), mean, variance]
    expected = interpret(outputs, arrays)
    got = run_compiled(compile_program(outputs, inputs), outputs, arrays)
    for a, b in zip(got, expected):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-4)


# ---- indices ------------------------------------------------------------------------------------


def index_case():
    rng = np.random.default_rng(4)
    table, places = input_node(0, (13, 40)), input_node(1, (5, 29), dtypes.int64)
    rows = input_node(2, (5, 29, 40))
    columns, values = input_node(3, (13, 3), dtypes.int64), input_node(4, (13, 3))
    outputs = [
        p.put(full((13, 40), 0, dtypes.float32), places, rows, dim=0, mode="add",
              message="embedding"),
        p.take(table, places, dim=0, message="embedding"),
        p.scatter(table, columns, values, dim=1, mode="add", message=""),
        p.scatter(p.mul(table, table), columns, values, dim=1, mode="max", message=""),
        p.gather(table, columns, dim=1, message=""),
        p.concatenate(p.mul(table, table), table, dim=1),
        p.cumsum(table, dim=0), p.cumprod(table, dim=1)]
    inputs = [table, places, rows, columns, values]
    arrays = [array_for(table, rng), rng.integers(0, 13, (5, 29)), array_for(rows, rng),
              rng.integers(0, 40, (13, 3)), array_for(values, rng)]
    return outputs, inputs, arrays


def test_indices_scans_and_concatenation_are_native():
    outputs, inputs, arrays = index_case()
    executable = compare(outputs, inputs, arrays)
    assert not [k.label for k in executable.kernels if k.items is None]


def test_index_out_of_range_raises_before_anything_is_written():
    outputs, inputs, arrays = index_case()
    executable = compile_program(outputs[1:2], inputs)
    arrays[1][2, 3] = 77
    with pytest.raises(IndexError, match="index out of range in self: index 77 in a table of 13"):
        run_compiled(executable, outputs[1:2], arrays)
    arrays[1][2, 3] = 7
    run_compiled(executable, outputs[1:2], arrays)          # the program is still usable


@pytest.mark.parametrize("shift", [100, -100])
def test_computed_index_out_of_range_raises(shift):
    outputs, inputs, arrays = index_case()
    table, columns, values = inputs[0], inputs[3], inputs[4]
    bad = p.add(columns, full(columns.shape, shift, dtypes.int64))
    for node in (p.gather(table, bad, dim=1, message=""),
                 p.scatter(table, bad, values, dim=1, mode="add", message="")):
        executable = compile_program([node], inputs)
        with pytest.raises(IndexError, match="is out of bounds for dimension 1 with size 40"):
            run_compiled(executable, [node], arrays)


# ---- what has no native code --------------------------------------------------------------------


def test_numpy_runs_between_native_segments():
    x = input_node(0, (6, 50))
    order = p.argsort(p.mul(x, x), dim=1, descending=True)
    picked = p.gather(x, order, dim=1, message="")
    outputs = [p.exp(picked), order]
    arrays = [array_for(x, np.random.default_rng(8))]
    executable = compare(outputs, [x], arrays)
    assert [k.label for k in executable.kernels if k.items is None] == ["numpy argsort"]


def test_complex_numbers_run_through_numpy():
    x = input_node(0, (6,), dtypes.complex64)
    array = (np.arange(6) + 1j).astype(np.complex64)
    y = p.mul(x, p.conj(x))
    expected = interpret([y, p.real(y)], [array])
    executable = compile_program([y, p.real(y)], [x])
    for a, b in zip(run_compiled(executable, [y, p.real(y)], [array]), expected):
        np.testing.assert_allclose(a, b)


def test_wrong_number_of_inputs():
    x = input_node(0, (2,))
    executable = compile_program([p.neg(x)], [x])
    with pytest.raises(ValueError, match="takes 1 inputs and 0 scalars; received 0 and 0"):
        executable.run([])
