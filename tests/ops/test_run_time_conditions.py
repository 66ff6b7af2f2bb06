"""What PyTorch checks at the call, and we where the values exist: when the program runs."""

import pytest

import flambeau as torch
from flambeau.nn import functional as F
from flambeau.record.execute import settings

LOSSES = {
    "probability": (lambda x: F.binary_cross_entropy(x, torch.full_like(x, 0.25)), 2.0,
                    RuntimeError, "all elements of input should be between 0 and 1: apply a"),
    "variance": (lambda x: F.gaussian_nll_loss(torch.ones_like(x), torch.zeros_like(x), x), -2.0,
                 ValueError, "var has negative entry/entries"),
    "variance of rows": (lambda x: F.gaussian_nll_loss(torch.ones(3, 4), torch.zeros(3, 4),
                                                       x[:, :1]), -2.0,
                         ValueError, "var has negative entry/entries"),
}


@pytest.mark.parametrize("runs", [0, 100], ids=["compiled", "interpreted"])
@pytest.mark.parametrize("name", LOSSES)
def test_pending_values_out_of_range(monkeypatch, name, runs):
    loss, factor, error, words = LOSSES[name]
    monkeypatch.setattr(settings, "interpreted_runs", runs)
    x = torch.full((3, 4), 0.75, requires_grad=True)

    def step(factor):
        value = loss(x * factor)
        x.grad = None
        value.backward()
        return value.item()

    good = step(1.0)
    gradient = x.grad.tolist()
    for _ in range(2):
        with pytest.raises(error, match=f"{words}.*line"):
            step(factor)
        assert step(1.0) == good and x.grad.tolist() == gradient


def test_bounds_and_what_is_not_a_number():
    x = torch.tensor([0.0, 1.0])
    assert F.binary_cross_entropy(x * 1, x).item() == 0.0
    with pytest.raises(RuntimeError, match="between 0 and 1"):
        F.binary_cross_entropy(x * float("nan"), x).item()


def test_without_elements():
    x = torch.zeros(0, 3)
    assert F.binary_cross_entropy(x * 2, x, reduction="sum").item() == 0.0
