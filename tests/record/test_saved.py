"""Writes over what an operation keeps for its gradient."""
import pytest

import flambeau as torch

MESSAGE = "has been modified by an inplace operation"


def leaf():
    return torch.full((2, 2), 0.5, requires_grad=True)


def write_result(x):
    y = x.exp()
    y += 1
    return y


def write_base_of_kept_view(x):
    y = x * 1
    v = y[0]
    z = v * v
    y.add_(1)
    return z


def write_view_of_kept_base(x):
    y = x * 1
    z = y * y
    y.view(4)[1:].mul_(2)
    return z


def write_factor(x):
    b = torch.ones(2, 2)
    z = x @ b
    b[0] = 2
    return z


def write_in_place_result(x):
    y = x * 1
    y.sigmoid_()
    y.mul_(2)
    return y


@pytest.mark.parametrize("program", [write_result, write_base_of_kept_view,
                                     write_view_of_kept_base, write_factor,
                                     write_in_place_result])
def test_what_the_gradient_needs_was_overwritten(program):
    for _ in range(2):                       # a refused program is not remembered as a good one
        with pytest.raises(RuntimeError, match=MESSAGE + ".*test_saved.py"):
            program(leaf()).sum().backward()


def write_kept_operand_after_its_result_was_kept(x):
    y = x * 1
    z = y.relu()                             # keeps its result, not y
    y.add_(1)
    return z


def write_a_sum(x):
    y = x * 2 + 1
    y.mul_(3)
    return y


def write_rows(x):
    out = torch.zeros(2, 2)
    for i in range(2):
        out[i] = x[i].exp()
    return out


def write_through_data(x):
    y = x * 1
    z = y * y
    y.data.add_(1)
    return z


def write_copied_result(x):
    y = x * 1
    y.copy_(x.exp())
    y.add_(1)
    return y


def write_after_copying_reshape(x):
    y = x * 1
    flat = y.t().reshape(4)
    z = y * y
    flat.add_(1)
    return z


def write_factor_nobody_needs(x):
    y = x * 1
    z = y * torch.ones(2, 2)
    y.add_(1)
    return z


@pytest.mark.parametrize("program", [
    write_kept_operand_after_its_result_was_kept, write_a_sum, write_rows, write_through_data,
    write_copied_result, write_after_copying_reshape, write_factor_nobody_needs])
def test_what_no_gradient_needs_may_be_overwritten(program):
    x = leaf()
    program(x).sum().backward()
    assert x.grad is not None


def test_the_count_of_writes_is_told():
    x = leaf()
    y = x * 1
    y.add_(1)
    z = y * y
    y.add_(1)
    y[0] = 0
    with pytest.raises(RuntimeError, match="is at version 3; expected version 1 instead"):
        z.sum().backward()


def test_a_write_before_the_program_ran_is_seen_after():
    x = leaf()
    y = x.exp()
    y += 1
    total = y.sum()
    total.item()
    with pytest.raises(RuntimeError, match=MESSAGE):
        total.backward()
