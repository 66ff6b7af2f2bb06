"""torch.nn.init without PyTorch; the numbers are compared in tests/parity."""

import math

import pytest

import flambeau as torch
from flambeau.nn import init


def test_parameters_keep_requiring_gradients():
    weight = torch.nn.Parameter(torch.zeros(4, 3))
    assert init.xavier_uniform_(weight) is weight
    assert weight.requires_grad and weight.is_leaf
    (weight * 2).sum().backward()
    assert weight.grad.tolist() == [[2.0] * 3] * 4


def test_fans():
    assert init._calculate_fan_in_and_fan_out(torch.zeros(20, 10, 5, 5)) == (250, 500)
    with pytest.raises(ValueError, match="fewer than 2 dimensions"):
        init._calculate_fan_in_and_fan_out(torch.zeros(3))


@pytest.mark.parametrize("std", [0.5, 2.0, 10.0])
def test_truncated_samples_lie_inside(std):
    weight = init.trunc_normal_(torch.zeros(100, 50), 0.0, std, -0.5, 1.0)
    assert weight.min().item() >= -0.5 and weight.max().item() <= 1.0
    assert weight.std().item() > 0.1


def test_truncated_normal_warns_far_from_the_mean():
    with pytest.warns(UserWarning, match="mean is more than 2 std from"):
        init.trunc_normal_(torch.zeros(3), 0.0, 1.0, 3.0, 5.0)


def test_orthogonal_matrices_are_orthogonal():
    for shape in ((5, 8), (8, 5), (6, 2, 3)):
        weight = init.orthogonal_(torch.zeros(shape), gain=2.0).reshape(shape[0], -1)
        product = weight @ weight.t() if shape[0] <= weight.shape[1] else weight.t() @ weight
        assert torch.allclose(product, 4 * torch.eye(product.shape[0]), atol=1e-5)


def test_empty_tensors_warn():
    with pytest.warns(UserWarning, match="zero-element tensors is a no-op"):
        init.kaiming_uniform_(torch.zeros(0, 3))
    with pytest.warns(UserWarning, match="zero-element tensors is a no-op"):
        init.kaiming_normal_(torch.zeros(3, 0))
    assert init.orthogonal_(torch.zeros(0, 3)).shape == (0, 3)


def test_old_names_warn_and_work():
    with pytest.warns(FutureWarning, match="`nn.init.constant` is now deprecated"):
        assert init.constant(torch.zeros(2), 3.0).tolist() == [3.0, 3.0]


def test_statistics():
    torch.manual_seed(0)
    weight = init.kaiming_normal_(torch.zeros(400, 300), nonlinearity="relu")
    assert abs(weight.std().item() / math.sqrt(2 / 300) - 1) < 0.01
    weight = init.xavier_uniform_(torch.zeros(400, 300))
    assert weight.abs().max().item() <= math.sqrt(6 / 700)
    column = init.sparse_(torch.zeros(10, 4), 0.25)
    assert ((column == 0).sum(0) == 3).all()
