"""A leaf whose contribution is overwritten has zeros for its gradient, as in PyTorch."""

import pytest

torch = pytest.importorskip("torch")

import flambeau


def zeroed(library, y, w):
    y.zero_()


def filled(library, y, w):
    y.fill_(w.sum())


def copied(library, y, w):
    y.copy_(w)


def assigned(library, y, w):
    y[:] = w


def assigned_rows(library, y, w):
    for i in range(2):
        y[i] = w[i]


def assigned_detached(library, y, w):
    y[:] = y.detach() * w.detach()


def through_a_view(library, y, w):
    y.view(4).zero_()


def masked(library, y, w):
    y.masked_fill_(library.ones(2, 2).bool(), 0.0)


def drawn(library, y, w):
    y.normal_()


def copied_without_gradients(library, y, w):
    with library.no_grad():
        y.copy_(w)


WRITES = [zeroed, filled, copied, assigned, assigned_rows, assigned_detached, through_a_view,
          masked, drawn, copied_without_gradients]


def gradients(library, write, run_before):
    x = library.ones(2, 2, requires_grad=True)
    w = library.full((2, 2), 2.0, requires_grad=True)
    y = x * 3
    if run_before:
        y.tolist()
    write(library, y, w)
    y.sum().backward()
    return [None if t.grad is None else t.grad.tolist() for t in (x, w)]


@pytest.mark.parametrize("run_before", [False, True])
@pytest.mark.parametrize("write", WRITES)
def test_as_in_pytorch(write, run_before):
    assert gradients(flambeau, write, run_before) == gradients(torch, write, run_before)
