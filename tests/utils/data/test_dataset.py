"""Data sets and their combinations."""

import pytest

import flambeau as torch
from flambeau.utils.data import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)


class Stream(IterableDataset):
    def __init__(self, *items):
        self.items = items

    def __iter__(self):
        return iter(self.items)

    def __len__(self):
        return len(self.items)


def test_dataset_without_getitem():
    with pytest.raises(NotImplementedError, match="Subclasses of Dataset should implement"):
        Dataset()[0]


def test_tensor_dataset():
    data = TensorDataset(torch.arange(6).view(3, 2), torch.tensor([5.0, 6.0, 7.0]))
    assert len(data) == 3
    x, y = data[2]
    assert x.tolist() == [4, 5] and y.item() == 7.0
    with pytest.raises(AssertionError, match="Size mismatch between tensors"):
        TensorDataset(torch.zeros(3), torch.zeros(2))


def test_addition_concatenates():
    class Items(Dataset):
        def __init__(self, *items):
            self.items = items

        def __getitem__(self, index):
            return self.items[index]

        def __len__(self):
            return len(self.items)

    both = Items(1, 2) + Items(3)
    assert isinstance(both, ConcatDataset)
    assert [both[i] for i in range(3)] == [1, 2, 3]
    assert both[-1] == 3
    with pytest.raises(ValueError, match="absolute value of index"):
        both[-4]
    with pytest.raises(IndexError):
        both[3]
    assert isinstance(Stream(1) + Stream(2), ChainDataset)


def test_concat_dataset_refuses():
    with pytest.raises(AssertionError, match="empty iterable"):
        ConcatDataset([])
    with pytest.raises(AssertionError, match="does not support IterableDataset"):
        ConcatDataset([Stream(1)])
    with pytest.warns(FutureWarning):
        assert ConcatDataset([[1], [2, 3]]).cummulative_sizes == [1, 3]


def test_chain_dataset():
    chain = ChainDataset([Stream(1, 2), Stream(3)])
    assert list(chain) == [1, 2, 3] and len(chain) == 3
    with pytest.raises(AssertionError, match="only supports IterableDataset"):
        list(ChainDataset([[1]]))


def test_stack_dataset():
    pairs = StackDataset([1, 2, 3], "abc")
    assert pairs[1] == (2, "b") and len(pairs) == 3
    assert pairs.__getitems__([0, 2]) == [(1, "a"), (3, "c")]
    named = StackDataset(number=[1, 2], letter="ab")
    assert named[1] == {"number": 2, "letter": "b"}
    assert named.__getitems__([1]) == [{"number": 2, "letter": "b"}]
    for arguments, keywords in [(([1], [1, 2]), {}), (([1],), {"a": [1]}), ((), {})]:
        with pytest.raises(ValueError):
            StackDataset(*arguments, **keywords)


def test_stack_dataset_batched_parts():
    class Batched(Dataset):
        def __getitems__(self, indices):
            return [i * 10 for i in indices][: self.limit]

        def __len__(self):
            return 3

        limit = None

    data = Batched()
    assert StackDataset(data, [1, 2, 3]).__getitems__([0, 2]) == [(0, 1), (20, 3)]
    data.limit = 1
    with pytest.raises(ValueError, match="Expected 2, got 1"):
        StackDataset(data).__getitems__([0, 2])


def test_subset():
    part = Subset("abcdef", [5, 0, 3])
    assert len(part) == 3 and part[0] == "f"
    assert part.__getitems__([0, 2]) == ["f", "d"]
    tensors = Subset(torch.arange(10), [3, 4, 5])
    assert tensors[[0, 2]].tolist() == [3, 5]

    class Half(Subset):
        def __getitem__(self, index):
            return 0

    with pytest.raises(NotImplementedError, match="overrides __getitem__ but not __getitems__"):
        Half([1], [0])


def test_random_split():
    parts = random_split(range(10), [3, 7], generator=torch.Generator().manual_seed(0))
    assert [len(part) for part in parts] == [3, 7]
    assert sorted(item for part in parts for item in part) == list(range(10))
    parts = random_split(range(11), [0.5, 0.25, 0.25])
    assert [len(part) for part in parts] == [6, 3, 2]
    with pytest.raises(ValueError, match="Sum of input lengths does not equal"):
        random_split(range(10), [3, 3])
    with pytest.raises(ValueError, match="Fraction at index 0"):
        random_split(range(10), [-0.5, 1.5])
    with pytest.warns(UserWarning, match="Length of split at index 1 is 0"):
        random_split(range(1), [0.9, 0.1])
