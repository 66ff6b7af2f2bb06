"""Training loops without an optimizer: every way to write the update and to clear gradients.

The recorder must find the leaf whatever wrote it and wherever the program was run.
"""

import numpy as np
import pytest

import flambeau as torch

RATE = 0.01


def _no_grad(w):
    with torch.no_grad():
        w -= RATE * w.grad


def _copy(w):
    with torch.no_grad():
        w.copy_(w - RATE * w.grad)


def _slice(w):
    with torch.no_grad():
        w[:] = w - RATE * w.grad


def _rows(w):
    with torch.no_grad():
        for i in range(len(w)):
            w[i] -= RATE * w.grad[i]


def _data_minus(w):
    w.data -= RATE * w.grad.data


def _new_data(w):
    w.data = w.data - RATE * w.grad


UPDATES = {
    "w -=": _no_grad,
    "copy_": _copy,
    "w[:] =": _slice,
    "w[i] -=": _rows,
    "data.add_": lambda w: w.data.add_(-RATE * w.grad),
    "data -=": _data_minus,
    "data =": _new_data,
    "detach().sub_": lambda w: w.detach().sub_(RATE * w.grad),
    "data.view.add_": lambda w: w.data.view(-1).add_(w.grad.view(-1), alpha=-RATE),
}


def _times_zero(w):
    w.grad *= 0


def _forget(w):
    w.grad = None


CLEARINGS = {
    "grad.zero_": lambda w: w.grad.zero_(),
    "grad = None": _forget,
    "grad.data.zero_": lambda w: w.grad.data.zero_(),
    "grad *= 0": _times_zero,
    "detach_, zero_": lambda w: w.grad.detach_().zero_(),
}


def _expected(x, y, a, b, steps):
    losses = []
    for _ in range(steps):
        hidden = np.maximum(x @ a, 0)
        error = hidden @ b - y
        losses.append((error ** 2).sum())
        down = (2 * error) @ b.T * (hidden > 0)
        a, b = a - RATE * x.T @ down, b - RATE * hidden.T @ (2 * error)
    return losses, a


def _check(update, clear, read, clear_first):
    torch.manual_seed(0)
    weights = [torch.randn(3, 4, requires_grad=True), torch.randn(4, 2, requires_grad=True)]
    x, y = torch.randn(5, 3), torch.randn(5, 2)
    start = [t.detach().numpy().astype("float64") for t in (x, y, *weights)]
    expected, first = _expected(*start, steps=6)
    losses = []
    for _ in range(6):
        if clear_first:
            for w in weights:
                if w.grad is not None:
                    clear(w)
        loss = (x.mm(weights[0]).clamp(min=0).mm(weights[1]) - y).pow(2).sum()
        if read == "before backward":
            loss.item()
        loss.backward()
        if read == "after backward":
            loss.item()
        for w in weights:
            update(w)
        if not clear_first:
            for w in weights:
                clear(w)
        losses.append(loss)
    np.testing.assert_allclose([float(loss) for loss in losses], expected, rtol=1e-4)
    np.testing.assert_allclose(weights[0].detach().numpy(), first, rtol=1e-4, atol=1e-5)
    assert weights[0].is_leaf and weights[0].requires_grad


@pytest.mark.parametrize("read", ["before backward", "after backward", "at the end"])
@pytest.mark.parametrize("update", UPDATES)
def test_every_update(update, read):
    _check(UPDATES[update], CLEARINGS["grad.zero_"], read, clear_first=False)


@pytest.mark.parametrize("clear_first", [True, False])
@pytest.mark.parametrize("read", ["before backward", "at the end"])
@pytest.mark.parametrize("clear", CLEARINGS)
def test_every_clearing(clear, read, clear_first):
    _check(UPDATES["w -="], CLEARINGS[clear], read, clear_first)
