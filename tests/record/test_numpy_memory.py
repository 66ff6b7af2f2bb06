"""Memory that NumPy code sees, and gradients: a look at a result keeps its graph."""

import numpy as np
import pytest

import flambeau as torch


@pytest.fixture
def inputs():
    torch.manual_seed(0)
    return torch.randn(4, 5), torch.nn.Linear(5, 3)


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("state", [True, False])
def test_a_result_that_numpy_saw_is_differentiated(inputs, keep, state):
    x, layer = inputs
    seen = [v.numpy() for v in layer.state_dict().values()] if state else None
    y = layer(x)
    array = y.detach().numpy()
    before = array.copy()
    if not keep:
        del array
    assert y.requires_grad and y.grad_fn is not None and not y.is_leaf
    (y * y).sum().backward()
    np.testing.assert_allclose(layer.bias.grad, 2 * before.sum(0), 1e-5)
    np.testing.assert_allclose(layer.weight.grad, 2 * before.T @ x.numpy(), 1e-5)
    del seen


def test_what_numpy_writes_is_read_through_a_result(inputs):
    x, layer = inputs
    y = layer(x)
    view = y[1:]
    array = y.detach().numpy()
    array[:] = 2
    assert (y == 2).all() and (view == 2).all()
    (view * y[1:]).sum().backward()
    np.testing.assert_allclose(layer.bias.grad, [12.0] * 3)


def test_a_write_after_numpy_looked_is_noticed_by_backward(inputs):
    x, layer = inputs
    y = torch.sigmoid(layer(x))
    array = y.detach().numpy()
    y.detach().mul_(2)
    assert (array == y.detach().numpy()).all()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()
