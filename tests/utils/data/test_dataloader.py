"""The DataLoader in one process: arguments, lengths, order, fetching."""

import random

import numpy as np
import pytest

import flambeau as torch
from flambeau.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    Subset,
    TensorDataset,
    get_worker_info,
    random_split,
)


class Squares(Dataset):
    def __init__(self, size=10):
        self.size = size

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        if not 0 <= index < self.size:
            raise IndexError(index)
        return index * index


class Count(IterableDataset):
    def __init__(self, size, announced=None):
        self.size, self.announced = size, announced

    def __iter__(self):
        return iter(range(self.size))

    def __len__(self):
        return self.size if self.announced is None else self.announced


def values(loader):
    return [batch.tolist() for batch in loader]


def test_order_and_length():
    loader = DataLoader(Squares(5), batch_size=2)
    assert values(loader) == [[0, 1], [4, 9], [16]] and len(loader) == 3
    loader = DataLoader(Squares(5), batch_size=2, drop_last=True)
    assert values(loader) == [[0, 1], [4, 9]] and len(loader) == 2
    assert list(DataLoader(Squares(3), batch_size=None)) == [0, 1, 4]
    assert values(DataLoader(Squares(5), sampler=[4, 1])) == [[16], [1]]
    assert values(DataLoader(Squares(5), batch_sampler=[[0, 2], [1]])) == [[0, 4], [1]]
    assert len(iter(DataLoader(Squares(5), batch_size=2))) == 3


def test_shuffle_repeats_with_seed():
    def epochs():
        torch.manual_seed(0)
        loader = DataLoader(Squares(20), batch_size=5, shuffle=True)
        return values(loader), values(loader)

    first, second = epochs()
    assert (first, second) == epochs() and first != second
    assert sorted(sum(first, [])) == [i * i for i in range(20)]
    generator = torch.Generator().manual_seed(1)
    loader = DataLoader(Squares(20), 20, shuffle=True, generator=generator)
    assert values(loader) != values(loader)


def test_streams():
    assert values(DataLoader(Count(5), 2)) == [[0, 1], [2, 3], [4]]
    assert values(DataLoader(Count(5), 2, drop_last=True)) == [[0, 1], [2, 3]]
    assert list(DataLoader(Count(2), None)) == [0, 1]
    assert len(DataLoader(Count(5), 2)) == 3
    assert len(DataLoader(Count(5), 2, drop_last=True)) == 2
    loader = DataLoader(Count(4, announced=2), None)
    assert len(loader) == 2
    with pytest.warns(UserWarning, match="was reported to be 2"):
        list(loader)


@pytest.mark.parametrize(
    "options, error, text",
    [
        (dict(num_workers=-1), ValueError, "num_workers option should be non-negative"),
        (dict(timeout=-1), ValueError, "timeout option should be non-negative"),
        (dict(prefetch_factor=2), ValueError, "prefetch_factor option could only be"),
        (dict(persistent_workers=True), ValueError, "persistent_workers option needs"),
        (dict(shuffle=True, sampler=[0]), ValueError, "sampler option is mutually exclusive"),
        (dict(batch_size=None, drop_last=True), ValueError, "batch_size=None option disables"),
        (dict(batch_sampler=[[0]], batch_size=2), ValueError, "batch_sampler option is mutually"),
        (dict(batch_size=0), ValueError, "batch_size should be a positive integer"),
        (dict(multiprocessing_context="fork"), ValueError, "can only be used with"),
        (dict(multiprocessing_context="x", num_workers=1), ValueError, "a valid start method"),
        (dict(multiprocessing_context=3, num_workers=1), TypeError, "should be a valid context"),
    ],
)
def test_contradictory_arguments(options, error, text):
    with pytest.raises(error, match=text):
        DataLoader(Squares(), **options)


@pytest.mark.parametrize(
    "options", [dict(shuffle=True), dict(sampler=[0]), dict(batch_sampler=[[0]])]
)
def test_streams_refuse_samplers(options):
    with pytest.raises(ValueError, match="DataLoader with IterableDataset: expected unspecified"):
        DataLoader(Count(3), **options)


def test_empty_and_shuffled():
    assert list(DataLoader([])) == []
    with pytest.raises(ValueError, match="num_samples=0"):
        DataLoader([], shuffle=True)


def test_attributes_are_fixed():
    loader = DataLoader(Squares())
    with pytest.raises(ValueError, match="batch_size attribute should not be set after DataLoader"):
        loader.batch_size = 3
    loader.collate_fn = len
    assert list(loader) == [1] * 10
    with pytest.raises(AssertionError, match="requires timeout == 0"):
        iter(DataLoader(Squares(), timeout=1))
    with pytest.raises(NotImplementedError, match="cannot be pickled"):
        iter(DataLoader(Squares())).__getstate__()


def test_warnings():
    with pytest.warns(UserWarning, match="will create 999 worker processes"):
        DataLoader(Squares(), num_workers=999)
    with pytest.warns(UserWarning, match="no accelerator is found"):
        list(DataLoader(Squares(), pin_memory=True))
    with pytest.warns(UserWarning, match="pin_memory_device is deprecated"):
        iter(DataLoader(Squares(), pin_memory=True, pin_memory_device="cuda"))


def test_getitems_fetches_whole_batches():
    class Batched(Squares):
        def __getitems__(self, indices):
            calls.append(indices)
            return [self[i] for i in indices]

    calls = []
    assert values(DataLoader(Batched(5), 3)) == [[0, 1, 4], [9, 16]]
    assert calls == [[0, 1, 2], [3, 4]]


def test_failing_sample_is_named():
    class Bad(Squares):
        def __getitem__(self, index):
            if index == 7:
                raise KeyError("label")
            return index

    with pytest.raises(KeyError) as caught:
        list(DataLoader(Bad(), 4))
    notes = getattr(caught.value, "__notes__", None) or caught.value.args
    assert "sample 7" in notes[0]

    class Stops(Squares):
        def __getitem__(self, index):
            raise StopIteration

    with pytest.raises(RuntimeError, match="raised StopIteration for sample 0"):
        list(DataLoader(Stops()))


@pytest.mark.parametrize("samples, kind, words, name", [
    ([torch.ones(2), None], TypeError, "expected Tensor as element 1 in argument 0, but got NoneTy",
     "the data set's sample 1"),
    ([(0, torch.ones(2)), (1, 3)], TypeError, "expected Tensor as element 1 in argument 0, but got",
     "sample[1]); this is the data set's sample 1"),
    ([None, None], TypeError, "default_collate: batch must contain", "samples [0, 1]"),
    ([{"a": 1}, {"b": 2}], KeyError, "a", "samples [0, 1]"),
    ([1.5, None], (TypeError, RuntimeError), "NoneType", "samples [0, 1]"),
])
def test_samples_that_do_not_collate_are_named(samples, kind, words, name):
    with pytest.raises(kind) as caught:
        list(DataLoader(samples, 2))
    told = str(caught.value) + "".join(getattr(caught.value, "__notes__", ()))
    assert words in told and name in told


def test_tensor_dataset_gathers_what_samples_give():
    x, y = torch.randn(12, 3), torch.arange(12)
    data = TensorDataset(x, y)
    for source in (data, Subset(data, [5, 2, 9, 0]), *random_split(data, [4, 8])):
        plain = DataLoader([source[i] for i in range(len(source))], 3)
        for (a, b), (c, d) in zip(DataLoader(source, 3), plain):
            assert a.tolist() == c.tolist() and b.tolist() == d.tolist()
    batch = next(iter(DataLoader(data, 3)))
    assert isinstance(batch, list)
    batch[0][:] = 0  # a buffer of its own
    assert x[:3].abs().sum().item() > 0


def test_tensor_dataset_with_own_collate():
    data = TensorDataset(torch.arange(4))
    seen = list(DataLoader(data, 2, collate_fn=lambda samples: samples))
    assert [type(samples) for samples in seen] == [list, list]
    assert seen[1][0][0].item() == 2


def test_tensor_dataset_out_of_range():
    with pytest.raises(IndexError):
        list(DataLoader(TensorDataset(torch.arange(4)), batch_sampler=[[1, 9]]))


def test_collated_batch_offer():
    class Offers(Squares):
        def _collated_batch(self, indices):
            return torch.tensor([i + 100 for i in indices])

    assert values(DataLoader(Offers(3), 3)) == [[100, 101, 102]]


def test_no_worker_here():
    assert get_worker_info() is None
    state = random.getstate(), np.random.get_state()[1].tolist()
    list(DataLoader(Squares(), shuffle=True))
    assert state == (random.getstate(), np.random.get_state()[1].tolist())
