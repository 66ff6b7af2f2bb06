"""Results that are others in another shape lie where these lie, and behave as in PyTorch."""

import numpy as np
import pytest

import flambeau as torch
from flambeau.record.trace import reset_programs


@pytest.fixture(autouse=True)
def forget():
    reset_programs()


def repeat(function, times=4):
    """The last result of a function whose programs are compiled by then."""
    for _ in range(times):
        result = function()
    return result


def pointer(x):
    x.sum().item()
    return x._fetch().array.ctypes.data


@pytest.mark.parametrize("change", [
    lambda y: y.view(-1), lambda y: y.reshape(6, 4), lambda y: y.flatten(), lambda y: y.detach(),
    lambda y: y.unsqueeze(0).detach().squeeze(0).view(3, 8)])
def test_a_view_has_the_memory_of_its_base(change):
    def step():
        y = torch.ones(4, 6).cumsum(0) * 3
        return y, change(y)

    y, seen = repeat(step)
    y.sum().item()
    assert pointer(y) == pointer(seen)
    np.testing.assert_array_equal(seen.numpy().ravel(), y.numpy().ravel())


def test_other_orders_have_memory_of_their_own():
    def step():
        y = torch.arange(6.).reshape(2, 3) * 2
        return y, y.t(), y.t().reshape(-1), y[0]

    y, *others = repeat(step)
    y.sum().item()
    assert all(pointer(y) != pointer(x) for x in others[:2])
    assert others[1].tolist() == [0, 6, 2, 8, 4, 10] and others[2].tolist() == [0, 2, 4]


def test_writes_reach_both_and_nobody_else():
    def step():
        y = torch.ones(2, 3) * 2
        z = y.view(-1)
        kept = y.clone()
        y.sum().item()
        z[0] = 7
        y[1, 2] = 9
        return y.tolist(), z.tolist(), kept.tolist()

    y, z, kept = repeat(step)
    assert y == [[7, 2, 2], [2, 2, 9]] and z == [7, 2, 2, 2, 2, 9] and kept == [[2] * 3] * 2


def test_updates_in_place_leave_a_view_of_the_old_value_alone():
    w = torch.ones(3, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=1.0)
    seen = []
    for _ in range(5):
        y = w * 2
        z = y.view(3, 1)
        optimizer.zero_grad()
        z.sum().backward()
        optimizer.step()
        seen.append((y, z))
    for number, (y, z) in enumerate(seen):
        assert y.tolist() == [2 - 4 * number] * 3 and z.tolist() == [[2 - 4 * number]] * 3


def test_both_are_differentiated():
    x = torch.ones(2, 3, requires_grad=True)
    for _ in range(4):
        x.grad = None
        y = x * 3
        z = y.view(-1)
        assert z.sum().item() == 18
        (y.sum() + (z * z).sum()).backward()
        assert x.grad.tolist() == [[21.0] * 3] * 2
