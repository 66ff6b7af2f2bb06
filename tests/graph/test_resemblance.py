"""Programs that differ by a shorter batch are recognised, others are not."""

import pytest

from flambeau import dtypes
from flambeau.codegen.extents import usual
from flambeau.graph.ir import expand_to, p, topological_order
from flambeau.graph.resemblance import forget, forms_of_known, remember


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


def in_forms_of(new, known):
    """`new` in the forms of a known program, among others that do not resemble it; or None."""
    forget()
    remember(layer(64, inputs=9))
    remember(known)
    return forms_of_known(new)


@pytest.mark.parametrize("batch", [1, 2, 63])
def test_shapes_know_the_larger_batch(batch):
    sums, y = in_forms_of(layer(batch), layer(64))
    assert y.shape == sums.inputs[0].shape and sums.shape == (7,)
    assert [int(n) for n in y.shape] == [batch, 7]
    assert [usual(n) for n in y.shape] == [64, 7]


def test_broadcasting_along_one_sample_is_put_back():
    _, y = in_forms_of(layer(1), layer(64))
    assert [n.op for n in topological_order([y])].count("expand") == 1
    assert "expand" not in [n.op for n in topological_order(layer(1))]


def test_one_sample_is_not_an_extent_of_one():
    _, y = in_forms_of(layer(1), layer(64))
    assert y.shape[0] != 1 and y.shape[0] == y.shape[0] and not y.shape[0] > 1


def test_larger_batches_and_other_widths_are_other_programs():
    assert in_forms_of(layer(64), layer(64)) is None
    assert in_forms_of(layer(65), layer(64)) is None
    assert in_forms_of(layer(64, inputs=4), layer(64)) is None
    assert in_forms_of(layer(64, outputs=6), layer(64)) is None
    assert in_forms_of(layer(32, inputs=4), layer(64)) is None
