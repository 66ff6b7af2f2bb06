"""Samplers."""

from collections import Counter

import pytest

import flambeau as torch
from flambeau.utils.data import (
    BatchSampler,
    DistributedSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_sequential_sampler():
    sampler = SequentialSampler("abc")
    assert list(sampler) == [0, 1, 2] and len(sampler) == 3
    with pytest.raises(NotImplementedError):
        iter(Sampler())


def test_random_sampler():
    sampler = RandomSampler(range(20), generator=seeded())
    first, second = list(sampler), list(sampler)
    assert sorted(first) == sorted(second) == list(range(20)) and first != second
    torch.manual_seed(1)
    own = list(RandomSampler(range(20)))
    torch.manual_seed(1)
    assert list(RandomSampler(range(20))) == own
    more = list(RandomSampler(range(3), num_samples=8))
    assert len(more) == 8 and sorted(more[:3]) == sorted(more[3:6]) == [0, 1, 2]
    drawn = list(RandomSampler(range(5), replacement=True, num_samples=70))
    assert len(drawn) == 70 and set(drawn) <= set(range(5))


def test_an_endless_sampler_takes_no_memory_for_what_is_to_come():
    endless = RandomSampler(range(5), replacement=True, num_samples=10**15)
    assert {next(iter(endless)) for _ in range(3)} <= set(range(5))


def test_random_sampler_refuses():
    with pytest.raises(TypeError, match="replacement should be a boolean"):
        RandomSampler([1], replacement=1)
    for count in (0, -1, 2.5):
        with pytest.raises(ValueError, match="num_samples should be a positive integer"):
            RandomSampler([1], num_samples=count)
    with pytest.raises(ValueError, match="num_samples=0"):
        RandomSampler([])


def test_random_sampler_follows_growth():
    data = [1, 2]
    sampler = RandomSampler(data)
    data.append(3)
    assert len(sampler) == 3 and sorted(sampler) == [0, 1, 2]


def test_subset_random_sampler():
    sampler = SubsetRandomSampler([3, 5, 7], generator=seeded())
    assert sorted(sampler) == [3, 5, 7] and len(sampler) == 3


def test_weighted_random_sampler():
    sampler = WeightedRandomSampler([0.0, 3.0, 1.0], 400, generator=seeded())
    counts = Counter(sampler)
    assert counts[0] == 0 and 250 < counts[1] < 350
    assert sorted(WeightedRandomSampler([1.0, 1.0, 1.0], 3, replacement=False)) == [0, 1, 2]
    for arguments in [([1.0], 0), ([1.0], True), ([1.0], 1, 1), ([[1.0]], 1)]:
        with pytest.raises(ValueError):
            WeightedRandomSampler(*arguments)


def test_batch_sampler():
    assert list(BatchSampler(range(5), 2, False)) == [[0, 1], [2, 3], [4]]
    assert list(BatchSampler(range(5), 2, True)) == [[0, 1], [2, 3]]
    assert [len(BatchSampler(range(n), 3, d)) for n in (6, 7) for d in (False, True)] == [
        2, 2, 3, 2,
    ]  # fmt: skip
    for size, drop in [(0, False), (True, False), (1.5, False), (2, 1)]:
        with pytest.raises(ValueError):
            BatchSampler(range(5), size, drop)


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("size", [1, 7, 8, 9])
def test_distributed_sampler(size, drop_last):
    shares = [
        list(DistributedSampler(range(size), 4, rank, drop_last=drop_last, shuffle=False))
        for rank in range(4)
    ]
    assert len({len(share) for share in shares}) == 1
    together = [index for row in zip(*shares) for index in row]
    if drop_last:
        assert together == list(range(size - size % 4 if size >= 4 else 0))
    else:
        assert set(together) == set(range(size))


def test_distributed_sampler_epochs():
    sampler = DistributedSampler(range(10), 2, 0, seed=3)
    first = list(sampler)
    assert list(sampler) == first and len(sampler) == 5
    sampler.set_epoch(1)
    assert list(sampler) != first
    with pytest.raises(ValueError, match="Invalid rank 2"):
        DistributedSampler(range(10), 2, 2)
