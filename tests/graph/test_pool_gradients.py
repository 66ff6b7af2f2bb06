"""Masks and sums move to the pooled side of a max-pool's gradient, and mean the same there."""

import numpy as np
import pytest
from graphs import array_for, assert_same, input_node

from flambeau.graph.interpret import interpret
from flambeau.graph.ir import check, full, p, topological_order
from flambeau.graph.passes.pool_gradients import narrow_pool_gradients


def window(size, stride, padding=0):
    return {"size": (size,) * 2, "stride": (stride,) * 2, "padding": ((padding, padding),) * 2,
            "dilation": (1, 1)}


@pytest.mark.parametrize("attrs", [window(2, 2), window(3, 2, 1), window(3, 3)])
def test_a_mask_and_a_sum_move_to_the_pooled_side(attrs):
    y = p.relu(input_node(0, (3, 5, 9, 9)))
    pooled = p.max_pool(y, **attrs)
    g = input_node(1, pooled.shape)
    zero = full(y.shape, 0, y.dtype)
    masked = p.where(p.gt(y, zero), p.max_pool_gradient(y, g, **attrs), zero)
    outputs = [masked, p.reduce_sum(masked, dims=(0, 2, 3))]
    rng = np.random.default_rng(0)
    arrays = [array_for(n, rng) for n in (y.inputs[0], g)]
    rewritten = narrow_pool_gradients(outputs)
    check(rewritten)
    for a, b, node in zip(interpret(rewritten, arrays), interpret(outputs, arrays), outputs):
        assert_same(a, b, node, 4)
    sizes = {n.op: n.shape for n in topological_order(rewritten)}
    assert rewritten[0].op == "max_pool_gradient"
    assert sizes["where"] == pooled.shape


def test_other_masks_and_sums_stay():
    attrs = window(2, 2)
    y, other, g = (input_node(i, (2, 3, e, e)) for i, e in enumerate((8, 8, 4)))
    zero = full(y.shape, 0, y.dtype)
    gradient = p.max_pool_gradient(y, g, **attrs)
    outputs = [p.where(p.gt(other, zero), gradient, zero),
               p.where(p.gt(y, zero), gradient, other), p.reduce_sum(gradient, dims=(0, 2))]
    assert [n.op for n in narrow_pool_gradients(outputs)] == ["where", "where", "reduce_sum"]
    assert narrow_pool_gradients(outputs)[0].inputs[1].op == "max_pool_gradient"
