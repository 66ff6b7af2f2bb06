"""When a view's elements can be seen in another shape: NumPy's answer, without reading anything."""

import itertools

import numpy as np
import pytest

import flambeau as torch
from flambeau._methods.memory import can_be_viewed

SHAPES = [(24,), (2, 12), (4, 6), (6, 4), (12, 2), (2, 3, 4), (4, 3, 2), (1, 24), (2, 1, 12),
          (3, 8, 1), (2, 2, 2, 3)]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_permuted_dimensions(order):
    array = np.arange(24).reshape(2, 3, 4).transpose(order)
    view = torch.zeros(2, 3, 4).permute(order)
    for shape in SHAPES:
        shares = np.shares_memory(array, array.reshape(shape))
        assert can_be_viewed(view, shape) == shares, (order, shape)


def test_gaps_and_repeats():
    array, tensor = np.zeros((4, 12)), torch.zeros(4, 12)
    for pick in (np.s_[:, :6], np.s_[::2], np.s_[:2, ::2], np.s_[1:3, 3:9]):
        count = array[pick].size
        for shape in [(count,), (2, count // 2), (count // 2, 2), (2, 2, count // 4)]:
            shares = np.shares_memory(array, array[pick].reshape(shape))
            assert can_be_viewed(tensor[pick], shape) == shares, (pick, shape)
    assert can_be_viewed(torch.zeros(1, 3).expand(4, 3), (2, 2, 3))
    assert not can_be_viewed(torch.zeros(1, 3).expand(4, 3), (12,))
    assert can_be_viewed(torch.zeros(3, 1).expand(3, 4), (3, 2, 2))


def test_a_large_tensor_is_not_read():
    large = torch.empty(1 << 10, 1 << 10, 1 << 10, dtype=torch.uint8)       # memory not touched
    assert not can_be_viewed(large.transpose(0, 1), (1 << 20, 1 << 10))
    assert can_be_viewed(large.transpose(0, 1), (1 << 5, 1 << 5, 1 << 10, 1 << 10))
