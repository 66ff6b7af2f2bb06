"""Collation: values, containers and error messages."""

from collections import OrderedDict, namedtuple

import numpy as np
import pytest

import flambeau as torch
from flambeau.utils.data import DataLoader, default_collate, default_convert
from flambeau.utils.data._utils.collate import collate, default_collate_fn_map

Point = namedtuple("Point", ["x", "y"])


def test_tensors():
    batch = default_collate([torch.ones(2, 3), torch.zeros(2, 3)])
    assert batch.shape == (2, 2, 3) and batch.dtype is torch.float32
    batch += 1  # a buffer of its own
    assert batch.sum().item() == 18
    mixed = default_collate([torch.tensor([1, 2]), torch.tensor([0.5, 1.0])])
    assert mixed.dtype is torch.float32
    half = default_collate([torch.ones(2, dtype=torch.bfloat16)] * 2)
    assert half.dtype is torch.bfloat16 and half.float().sum().item() == 4
    assert default_collate([torch.tensor(1), torch.tensor(2)]).tolist() == [1, 2]


def test_gradient_flows_through():
    weight = torch.ones(2, requires_grad=True)
    default_collate([weight, weight * 2]).sum().backward()
    assert weight.grad.tolist() == [3, 3]


@pytest.mark.parametrize(
    "batch, dtype",
    [
        ([1, 2], torch.int64),
        ([1.5, 2], torch.float64),
        ([True, False], torch.bool),
        ([np.float32(1), np.float32(2)], torch.float32),
        ([np.int16(1), np.int16(2)], torch.int16),
        ([np.bool_(True)], torch.bool),
        ([np.zeros(3, np.float16)] * 2, torch.float16),
    ],
)
def test_numbers(batch, dtype):
    found = default_collate(batch)
    assert found.dtype is dtype and len(found) == len(batch)


def test_containers():
    assert default_collate(["a", "b"]) == ["a", "b"]
    assert default_collate([b"a", b"b"]) == [b"a", b"b"]
    numbers, letters = default_collate([(0, "a"), (2, "b")])
    assert numbers.tolist() == [0, 2] and letters == ("a", "b")
    point = default_collate([Point(1, 2.0), Point(3, 4.0)])
    assert type(point) is Point and point.x.tolist() == [1, 3] and point.y.tolist() == [2, 4]
    ordered = default_collate([OrderedDict(a=[1]), OrderedDict(a=[2])])
    assert type(ordered) is OrderedDict and ordered["a"][0].tolist() == [1, 2]
    assert default_collate([range(2), range(2)])[1].tolist() == [1, 1]


def test_custom_map(monkeypatch):
    class Text(str):
        pass

    def join(batch, *, collate_fn_map):
        return "+".join(batch)

    monkeypatch.setitem(default_collate_fn_map, Text, join)
    assert default_collate([Text("a"), Text("b")]) == "a+b"
    assert collate([{"k": "a"}, {"k": "b"}], collate_fn_map={str: join}) == {"k": "a+b"}


def test_unknown_types():
    for value in (None, object(), np.array(["a"])):
        with pytest.raises(TypeError, match="default_collate: batch must contain tensors"):
            default_collate([value])


def test_unequal_shapes_are_placed():
    samples = [{"image": (np.zeros(3),)}, {"image": (np.zeros(4),)}]
    with pytest.raises(RuntimeError) as caught:
        default_collate(samples)
    text = str(caught.value)
    assert text.startswith(
        "stack expects each tensor to be equal size, but got [3] at entry 0 and [4] at entry 1"
    )
    assert "sample['image'][0]" in text
    with pytest.raises(RuntimeError, match="each element in list of batch should be of equal"):
        default_collate([(1, 2), (1,)])


@pytest.mark.parametrize("workers", [0, 1])
def test_unequal_shapes_name_samples(workers):
    data = [torch.zeros(3), torch.zeros(3), torch.zeros(5), torch.zeros(3)]
    loader = DataLoader(data, batch_sampler=[[1, 2]], num_workers=workers)
    with pytest.raises(RuntimeError, match="samples 1 and 2"):
        list(loader)


def test_default_convert():
    found = default_convert({"a": np.array([1, 2]), "b": (np.float32(1), "t"), "c": Point(1, 2)})
    assert found["a"].tolist() == [1, 2]
    assert found["b"][0].dtype is torch.float32 and found["b"][1] == "t"
    assert found["c"] == Point(1, 2)
    text = np.array(["a"])
    assert default_convert(text) is text
    tensor = torch.ones(1)
    assert default_convert(tensor) is tensor
