"""What a convolution wrote channels-last, seen in shapes that cut its dimensions elsewhere."""

import numpy as np
import pytest

import flambeau as torch
from flambeau.nn import functional as F
from flambeau.record import execute
from flambeau.record.trace import reset_programs

SEEN = {
    "reshape": lambda y: y.reshape(8, 45).tanh(),
    "two reshapes": lambda y: y.reshape(8, 45).reshape(24, 15).t().reshape(9, 40).tanh(),
    "reshape, slice": lambda y: y.reshape(40, 3, 3)[1:7].tanh(),
    "reshape, padded": lambda y: F.pad(y.reshape(-1), (0, 8)).reshape(16, 23).sum(0),
    "reshape, reduced": lambda y: (y.reshape(8, 45) + y.reshape(8, 45).mean(1, True)).sum(0),
    "mirrored": lambda y: y.flip(1).reshape(8, 45).flip(0, 1).reshape(24, 15).tanh(),
    "outer product": lambda y: torch.outer(y.reshape(8, 45)[0][:9], y.reshape(8, 45)[:, 0][:9]),
    "windows": lambda y: y.reshape(-1).unfold(0, 7, 3).sum(1),
    "as_strided": lambda y: y.as_strided((3, 7), (2, 5), 4).tanh(),
    "as it is": lambda y: y.reshape(8, 45),
}


@pytest.mark.parametrize("name", SEEN)
@pytest.mark.parametrize("activation", [False, True])
def test_other_shapes_of_channels_last(name, activation, monkeypatch):
    monkeypatch.setattr(execute.settings, "verify", 1e-4)
    monkeypatch.setattr(execute.settings, "interpreted_runs", 0)
    reset_programs()
    torch.manual_seed(0)
    x, weight = torch.randn(2, 3, 8, 8), torch.randn(5, 3, 3, 3)
    weight.requires_grad_()
    y = F.conv2d(x, weight)
    seen = SEEN[name](y.relu() if activation else y)
    (seen * torch.linspace(-1, 1, seen.numel()).reshape(seen.shape)).sum().backward()
    assert np.isfinite(weight.grad.numpy()).all()
    known = SEEN[name](torch.from_numpy((y.relu() if activation else y).detach().numpy().copy()))
    np.testing.assert_allclose(seen.detach().numpy(), known.numpy(), rtol=1e-4, atol=1e-4)
