"""Data loading compared with PyTorch: the order of samples and every draw, bit for bit."""

import random

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import flambeau

OPTIONS = [
    {},
    {"shuffle": True},
    {"shuffle": True, "drop_last": True},
    {"shuffle": True, "num_workers": 2},
    {"shuffle": True, "num_workers": 2, "persistent_workers": True, "prefetch_factor": 1},
]


class Random:
    """Samples that draw from all three generators."""

    def __init__(self, framework, size=11):
        self.framework, self.size = framework, size

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        draws = random.random(), np.random.rand()
        return index, *draws, self.framework.rand(2)


def plain(value):
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value.tolist() if hasattr(value, "tolist") else value


def run(framework, **options):
    framework.manual_seed(7)
    random.seed(1)
    np.random.seed(2)
    if options.pop("own_generator", False):
        options["generator"] = framework.Generator().manual_seed(3)
    loader = framework.utils.data.DataLoader(Random(framework), 4, **options)
    return plain([list(loader), list(loader), framework.rand(3)])


@pytest.mark.parametrize("own_generator", [False, True])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_loader(options, own_generator):
    options = {**options, "own_generator": own_generator}
    assert run(flambeau, **options) == run(torch, **options)


@pytest.mark.parametrize("workers", [0, 2])
def test_eager_sampler(workers):
    """A sampler that draws in ``__iter__``, before the loader's base seed."""

    def run(framework):
        class Eager:
            def __iter__(self):
                return iter(framework.randperm(9).tolist())

            def __len__(self):
                return 9

        framework.manual_seed(1)
        loader = framework.utils.data.DataLoader(
            range(9), 2, sampler=Eager(), num_workers=workers
        )
        return plain([list(loader), list(loader), framework.rand(1)])

    assert run(flambeau) == run(torch)


def samplers(data, framework):
    generator = framework.Generator().manual_seed(11)
    weights = [0.1, 0.0, 0.5, 2.0, 0.3]
    return [
        data.RandomSampler(range(100)),
        data.RandomSampler(range(30), generator=generator),
        data.RandomSampler(range(30), replacement=True, num_samples=100),
        data.RandomSampler(range(7), num_samples=20, generator=generator),
        data.SubsetRandomSampler(list(range(50, 80)), generator=generator),
        data.WeightedRandomSampler(weights, 20, generator=generator),
        data.WeightedRandomSampler(weights, 3, replacement=False),
        data.DistributedSampler(range(33), 4, 1, seed=5),
        data.DistributedSampler(range(33), 4, 3, shuffle=True, drop_last=True),
        data.BatchSampler(data.RandomSampler(range(10)), 3, False),
    ]


def test_samplers():
    found = []
    for framework in (flambeau, torch):
        framework.manual_seed(4)
        built = samplers(framework.utils.data, framework)
        found.append([(len(s), list(s), list(s)) for s in built] + [framework.rand(1).item()])
    assert found[0] == found[1]


def test_random_split():
    found = []
    for framework in (flambeau, torch):
        framework.manual_seed(4)
        split = framework.utils.data.random_split
        generator = framework.Generator().manual_seed(42)
        parts = split(range(30), [0.3, 0.3, 0.4], generator=generator) + split(range(9), [4, 5])
        found.append([list(part) for part in parts])
    assert found[0] == found[1]


BATCHES = [
    [1, 2],
    [1.5, 2.0],
    [True, False],
    ["a", "b"],
    [(1, "a"), (2, "b")],
    [[1, 2.0], [3, 4.0]],
    [{"a": 1, "b": [2]}, {"a": 3, "b": [4]}],
    [np.float32(1), np.float32(2)],
    [np.ones(2, np.uint8), np.zeros(2, np.uint8)],
    [np.array([1, 2]), np.array([0.5, 1])],
    [range(2), range(2)],
]


@pytest.mark.parametrize("batch", BATCHES, ids=str)
def test_collate(batch):
    def describe(value):
        if hasattr(value, "dtype"):
            return str(value.dtype), value.tolist()
        if isinstance(value, dict):
            return {key: describe(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value), [describe(item) for item in value]
        return value

    ours = flambeau.utils.data.default_collate(batch)
    assert describe(ours) == describe(torch.utils.data.default_collate(batch))


BAD = [
    lambda data: data.DataLoader([1], num_workers=-1),
    lambda data: data.DataLoader([1], timeout=-1),
    lambda data: data.DataLoader([1], prefetch_factor=1),
    lambda data: data.DataLoader([1], num_workers=1, prefetch_factor=-1),
    lambda data: data.DataLoader([1], shuffle=True, sampler=[0]),
    lambda data: data.DataLoader([1], batch_size=None, drop_last=True),
    lambda data: data.DataLoader([1], batch_size=2, batch_sampler=[[0]]),
    lambda data: data.DataLoader([1], batch_size=-1),
    lambda data: data.DataLoader([], shuffle=True),
    lambda data: data.RandomSampler([1], replacement=3),
    lambda data: data.WeightedRandomSampler([[1.0]], 1),
    lambda data: data.BatchSampler([1], 2, None),
    lambda data: data.DistributedSampler([1], 2, 5),
    lambda data: data.random_split([1, 2], [3]),
    lambda data: data.StackDataset([1], [1, 2]),
    lambda data: data.default_collate([None]),
    lambda data: data.default_collate([(1,), (1, 2)]),
    lambda data: data.default_collate([np.zeros(2), np.zeros(3)]),
]


@pytest.mark.parametrize("make", BAD)
def test_errors(make):
    raised = []
    for framework in (torch, flambeau):
        with pytest.raises(Exception) as caught:
            make(framework.utils.data)
        raised.append(caught.value)
    theirs, ours = raised
    assert isinstance(ours, type(theirs))
    assert str(ours).startswith(str(theirs))
