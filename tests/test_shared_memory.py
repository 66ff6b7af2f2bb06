"""Tensors in memory that processes share, under both ways to start a process."""

import copy
import multiprocessing
import os

import pytest

import flambeau as torch

METHODS = [m for m in ("fork", "spawn") if m in multiprocessing.get_all_start_methods()]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="files without a name")


def run(method, function, *arguments):
    process = torch.multiprocessing.get_context(method).Process(target=function, args=arguments)
    process.start()
    process.join(60)
    assert process.exitcode == 0


def write(tensor):
    tensor.add_(1)
    tensor[0] = 50


def train(model):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.ones(2, 3)).sum().backward()
        optimizer.step()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["float32", "bfloat16", "int64"])
def test_writes_are_seen(method, kind):
    dtype = getattr(torch, kind)
    tensor = torch.zeros(4, dtype=dtype)
    view = tensor[1:]
    assert not tensor.is_shared()
    assert tensor.share_memory_() is tensor and tensor.is_shared()
    assert tensor.share_memory_() is tensor and view.is_shared()
    run(method, write, tensor)
    wanted = torch.tensor([50, 1, 1, 1]).to(dtype)
    assert tensor.tolist() == wanted.tolist() and view.tolist() == wanted[1:].tolist()
    assert (tensor + 0).tolist() == wanted.tolist()
    tensor.mul_(2)
    run(method, torch.nn.init.zeros_, tensor)
    assert not tensor.any()


@pytest.mark.parametrize("method", METHODS)
def test_a_model_trained_elsewhere(method):
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2)
    alone = copy.deepcopy(model)
    model.share_memory()
    assert model.weight.is_shared() and model.weight.is_leaf
    assert not copy.deepcopy(model).weight.is_shared()
    run(method, train, model)
    train(alone)
    assert torch.equal(model.weight, alone.weight) and torch.equal(model.bias, alone.bias)
    train(model)
    train(alone)
    assert torch.equal(model.weight, alone.weight)
    assert model.weight.untyped_storage().is_shared()


def test_sizes_and_views():
    for shape in ((), (0, 3), (2, 0)):
        assert torch.zeros(shape).share_memory_().shape == shape
    with pytest.raises(NotImplementedError, match="share_memory_\\(\\) of a view"):
        torch.zeros(4)[1:].share_memory_()


def test_descriptors_are_closed():
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("no list of descriptors")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        torch.zeros(1000).share_memory_().add_(1)
    assert len(os.listdir("/proc/self/fd")) <= before + 2
