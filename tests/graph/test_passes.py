"""Every rewriting pass keeps the meaning of a graph."""

import numpy as np
import pytest
from graphs import array_for, assert_same, input_node, run_compiled, scalar_node
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_compile import convolution_net, mlp_step, random_case, step_arrays, tolerance_scale

from flambeau import dtypes
from flambeau.graph.compile import compile_program
from flambeau.graph.interpret import interpret
from flambeau.graph.ir import check, constant, expand_to, full, p, topological_order
from flambeau.graph.passes.assign_layouts import assign_layouts, channels_last_strides
from flambeau.graph.passes.eliminate_common import eliminate_common
from flambeau.graph.passes.plan_memory import Arena
from flambeau.graph.passes.simplify import simplify
from flambeau.graph.passes.split_reductions import split_reductions

PASSES = {"simplify": simplify, "eliminate_common": eliminate_common,
          "assign_layouts": lambda outputs: assign_layouts(outputs)[0],
          "split_reductions": lambda outputs: split_reductions(outputs, {})}


def same_meaning(run, outputs, arrays, numbers=()):
    before = interpret(outputs, arrays, numbers)
    rewritten = run(outputs)
    check(rewritten)
    for a, b, node in zip(interpret(rewritten, arrays, numbers), before, outputs):
        assert_same(a, b, node, tolerance_scale(outputs, node))
    return rewritten


@pytest.mark.parametrize("name", PASSES)
@settings(max_examples=40, deadline=None, derandomize=True,
          suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False))
def test_passes_keep_the_meaning_of_random_graphs(name, random):
    rng = np.random.default_rng(random.randrange(1 << 30))
    outputs, _, arrays, _ = random_case(random.choice, rng, 12)
    same_meaning(PASSES[name], outputs, arrays, [1.5])


@pytest.mark.parametrize("name", PASSES)
def test_passes_keep_training_steps(name):
    outputs, inputs, _ = mlp_step()
    arrays = step_arrays(inputs, 10, np.random.default_rng(0))
    same_meaning(PASSES[name], outputs, arrays, [0.1])
    outputs, inputs = convolution_net(2)
    arrays = [array_for(i, np.random.default_rng(1)) for i in inputs]
    before = interpret(outputs, arrays)
    for a, b in zip(interpret(PASSES[name](outputs), arrays), before):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4 * abs(b).max())


def operations(outputs):
    return [n.op for n in topological_order(outputs) if n.primitive.kind != "leaf"]


X = input_node(0, (4, 6))


def ones(value, shape=(4, 6), dtype=dtypes.float32):
    return full(shape, value, dtype)


@pytest.mark.parametrize("node, left", [
    (p.mul(X, ones(1)), []),
    (p.add(p.detach(X), ones(0)), []),
    (p.div(X, ones(1)), []),
    (p.neg(p.neg(X)), []),
    (p.cast(p.cast(X, dtype=dtypes.float64), dtype=dtypes.float32), []),
    (p.cast(p.cast(X, dtype=dtypes.int32), dtype=dtypes.float32), ["cast", "cast"]),
    (p.permute(p.permute(X, dims=(1, 0)), dims=(1, 0)), []),
    (p.reshape(p.reshape(X, shape=(2, 12)), shape=(4, 6)), []),
    (p.pow(X, ones(2)), ["mul"]),
    (p.add(X, p.neg(X)), ["sub"]),
    (p.slice(p.slice(X, starts=(1, 0), stops=(4, 6), steps=(1, 2)), starts=(1, 1), stops=(3, 3),
             steps=(1, 1)), ["slice"]),
    (p.flip(p.flip(X, dims=(0, 1)), dims=(0,)), ["flip"]),
    (p.where(ones(True, dtype=dtypes.bool_), X, ones(3)), []),
    (p.reduce_sum(p.reshape(X, shape=(4, 1, 6)), dims=(1,)), []),
    (p.exp(ones(0)), ["reshape", "expand"]),
    (p.relu(p.relu(X)), ["relu"]),
    (p.add(p.add(p.pad(X, low=(0, 2), high=(0, 6), interior=(0, 0), value=0),
                 p.pad(p.neg(X), low=(0, 8), high=(0, 0), interior=(0, 0), value=0)),
           p.pad(p.slice(X, starts=(0, 0), stops=(4, 2), steps=(1, 1)), low=(0, 0), high=(0, 12),
                 interior=(0, 0), value=0)), ["neg", "slice", "concatenate"]),
])
def test_identities(node, left):
    result = same_meaning(simplify, [node], [array_for(X, np.random.default_rng(0))])
    found = [op for op in operations(result) if op not in ("reshape", "expand") or op in left]
    assert sorted(found) == sorted(left), operations(result)


def test_transposed_product_swaps_its_operands():
    a, b = input_node(0, (8, 3)), input_node(1, (8, 5))
    node = p.permute(p.contract(a, b, batch_a=(), batch_b=(), contract_a=(0,), contract_b=(0,)),
                     dims=(1, 0))
    rng = np.random.default_rng(0)
    result = same_meaning(simplify, [node], [array_for(a, rng), array_for(b, rng)])
    assert operations(result) == ["contract"]


def test_scalars_are_not_folded():
    s = scalar_node(0)
    node = p.mul(X, expand_to(p.mul(s, constant(2.0)), X.shape))
    assert operations(simplify([node])).count("mul") == 2


def test_common_expressions_are_computed_once():
    a = p.exp(p.neg(X))
    b = p.exp(p.neg(X))
    assert operations(eliminate_common([p.add(a, b)])) == ["neg", "exp", "add"]
    different = p.add(p.cast(X, dtype=dtypes.int32), p.cast(p.exp(X), dtype=dtypes.int32))
    assert len(operations(eliminate_common([different]))) == 4


def test_long_reductions_are_split():
    x = input_node(0, (65536, 16))
    outputs = split_reductions([p.reduce_sum(x, dims=(0,)), p.reduce_max(x, dims=(0, 1))], {})
    assert operations(outputs).count("reduce_sum") == 2
    assert operations(outputs).count("reduce_max") == 2
    small = p.reduce_sum(input_node(0, (64, 16)), dims=(0,))
    assert split_reductions([small], {}) == [small]


@pytest.mark.parametrize("shape, dims", [((100_003,), (0,)), ((65537, 3), (0,)),
                                         ((40_009, 2), (0, 1)), ((1_000_000,), (0,))])
def test_long_reductions_of_any_extent(shape, dims):
    x = input_node(0, shape)
    array = array_for(x, np.random.default_rng(9)) + 1
    outputs = [p.reduce_sum(x, dims=dims), p.reduce_min(x, dims=dims)]
    rewritten = split_reductions(outputs, {})
    assert operations(rewritten).count("reduce_sum") >= 2
    total, least = run_compiled(compile_program(outputs, [x]), outputs, [array])
    np.testing.assert_allclose(total, array.astype(np.float64).sum(dims), rtol=1e-6)
    np.testing.assert_array_equal(least, array.min(dims))


def test_layouts_are_channels_last_between_convolutions():
    outputs, _ = convolution_net()
    rewritten, layouts = assign_layouts(outputs)
    for node in topological_order(rewritten):
        if node.op in ("convolve", "max_pool", "max_pool_gradient"):
            assert layouts[node] == channels_last_strides(node.shape)
    assert not any(o in layouts for o in rewritten)


@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 10)), max_size=60))
def test_arena_blocks_do_not_overlap(requests):
    arena, live = Arena(), []
    for nbytes, age in requests:
        if age < len(live):
            arena.release(live.pop(age))
        block = arena.allocate(nbytes)
        assert block[0] % 64 == 0 and block[1] >= nbytes
        assert all(block[0] + block[1] <= o or o + n <= block[0] for o, n in live)
        live.append(block)
    assert arena.size <= sum(-(-max(n, 1) // 64) * 64 for n, _ in requests)


def test_arena_reuses_memory():
    arena = Arena()
    first = arena.allocate(1000)
    arena.release(first)
    assert arena.allocate(900)[0] == first[0] and arena.size == 1024
    apart = Arena(reuse=False)
    apart.release(apart.allocate(1000))
    assert apart.allocate(900)[0] == 1024
