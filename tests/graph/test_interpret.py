"""Tier 0: the NumPy interpreter."""

import numpy as np
import pytest
from graphs import array_for, input_node, scalar_node

from flambeau import dtypes
from flambeau.graph.interpret import (
    InterpreterPlan,
    from_storage,
    interpret,
    round_to_bfloat16,
    to_storage,
)
from flambeau.graph.ir import constant, expand_to, full, iota, p


def test_outputs_never_alias_inputs_nor_each_other():
    x = input_node(0, (3, 4))
    outputs = [x, p.detach(x), p.reshape(x, shape=(12,)), p.permute(x, dims=(1, 0)), x,
               constant(2.0), iota((3, 2), 0)]
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    results = interpret(outputs, [array])
    for i, result in enumerate(results):
        assert result.flags.c_contiguous and result.flags.writeable
        assert not np.shares_memory(result, array)
        assert not any(np.shares_memory(result, other) for other in results[:i])
    np.testing.assert_array_equal(results[3], array.T)
    np.testing.assert_array_equal(results[6], [[0, 0], [1, 1], [2, 2]])


def test_scalars_are_read_at_each_run():
    x, s = input_node(0, (2,)), scalar_node(0)
    plan = InterpreterPlan([p.mul(x, expand_to(s, (2,)))])
    array = np.array([1, 2], np.float32)
    for number in (2.0, -0.5):
        np.testing.assert_array_equal(plan.run([array], [number])[0], array * number)


def test_bfloat16_rounds_every_result_to_nearest_even():
    x = input_node(0, (4,), dtypes.bfloat16)
    values = np.array([1.0, 1 + 2**-7, 3.0, np.inf], np.float32)
    stored = round_to_bfloat16(values)
    tiny = full((4,), 2**-8, dtypes.bfloat16)
    total, = interpret([p.add(x, tiny)], [stored])
    # 1 + 2**-8 is a tie and goes to the even 1; 1 + 3 * 2**-8 goes to the even 1 + 2**-6
    np.testing.assert_array_equal(from_storage(total, dtypes.bfloat16),
                                  [1, 1 + 2**-6, 3, np.inf])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40, 3.4e38])
def test_bfloat16_special_values(value):
    bits = round_to_bfloat16(np.array([value], np.float32))
    back = from_storage(bits, dtypes.bfloat16)
    if np.isnan(value):
        assert np.isnan(back[0])
    else:
        assert back[0] == pytest.approx(value, rel=2**-8) or np.isinf(back[0])
        assert np.signbit(back[0]) == np.signbit(np.float32(value))


def test_float16_is_computed_in_float32():
    x = input_node(0, (1,), dtypes.float16)
    array = np.array([60000], np.float16)
    doubled, = interpret([p.mul(p.add(x, x), full((1,), 0.5, dtypes.float16))], [array])
    assert doubled.dtype == np.float16 and np.isinf(doubled[0])     # x + x rounds to infinity
    assert to_storage(np.float32([1.5]), dtypes.float16).dtype == np.float16


def test_intermediates_are_freed_and_runs_repeat():
    x = input_node(0, (5,))
    y = p.exp(x)
    plan = InterpreterPlan([p.add(y, y), p.reduce_sum(y, dims=(0,))])
    array = array_for(x, np.random.default_rng(0))
    first, second = plan.run([array]), plan.run([array])
    for a, b in zip(first, second):
        np.testing.assert_array_equal(a, b)
    assert first[1].shape == ()
