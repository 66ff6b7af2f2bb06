"""Programs that differ by a shorter batch are recognised, others are not."""

import pytest

from flambeau import dtypes
from flambeau.codegen.extents import usual
from flambeau.graph.ir import expand_to, p, topological_order
from flambeau.graph.resemblance import _Pairing


def leaf(index, *shape, parameter=False):
    node = p.input(index=index, shape=shape, dtype=dtypes.float32)
    node.requires_grad = parameter
    return node


def layer(batch, inputs=5, outputs=7):
    """The sum of a linear layer's outputs over the batch, and the outputs."""
    x = leaf(0, batch, inputs)
    w, b = leaf(1, outputs, inputs, parameter=True), leaf(2, outputs, parameter=True)
    y = p.contract(x, w, batch_a=(), batch_b=(), contract_a=(1,), contract_b=(1,))
    y = p.add(y, expand_to(b, y.shape))
    return [p.reduce_sum(y, dims=(0,)), y]


@pytest.mark.parametrize("batch", [1, 2, 63])
def test_shapes_know_the_larger_batch(batch):
    sums, y = _Pairing(layer(batch), layer(64)).run()
    assert y.shape == sums.inputs[0].shape and sums.shape == (7,)
    assert [int(n) for n in y.shape] == [batch, 7]
    assert [usual(n) for n in y.shape] == [64, 7]


def test_broadcasting_along_one_sample_is_put_back():
    _, y = _Pairing(layer(1), layer(64)).run()
    assert [n.op for n in topological_order([y])].count("expand") == 1
    assert "expand" not in [n.op for n in topological_order(layer(1))]


def test_one_sample_is_not_an_extent_of_one():
    _, y = _Pairing(layer(1), layer(64)).run()
    assert y.shape[0] != 1 and y.shape[0] == y.shape[0] and not y.shape[0] > 1


def test_larger_batches_and_other_widths_are_other_programs():
    assert _Pairing(layer(64), layer(64)).run() is None
    assert _Pairing(layer(65), layer(64)).run() is None
    assert _Pairing(layer(64, inputs=4), layer(64)).run() is None
    assert _Pairing(layer(64, outputs=6), layer(64)).run() is None
    assert _Pairing(layer(32, inputs=4), layer(64)).run() is None
