"""Checkpoints exchanged with PyTorch, both ways."""

import collections
import io
import pickle

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import flambeau

DTYPES = [
    "float32", "float64", "float16", "bfloat16", "int8", "int16", "int32", "int64", "uint8",
    "bool", "complex64", "complex128",
]  # fmt: skip


def state(framework):
    """The same checkpoint in either framework."""
    base = framework.arange(12).float()
    value = {
        "model": collections.OrderedDict(
            (f"p.{name}", framework.tensor([[0, 1, 2], [3, 0, 5]]).to(getattr(framework, name)))
            for name in DTYPES
        ),
        "views": [base, base.view(3, 4), base[2:5], base.view(3, 4)[:, 1]],
        "parameter": framework.nn.Parameter(framework.ones(2, 2)),
        "frozen": framework.nn.Parameter(framework.ones(2), requires_grad=False),
        "leaf": framework.zeros(3, requires_grad=True),
        "shapes": [framework.ones(()), framework.ones(0, 2), framework.ones(1, 3, 1)],
        "plain": [1, 2.5, "é", b"x", None, True, 2**70, -3, {1, 2}, (1, 2, 3, 4), 3 + 4j],
        "constants": [framework.float16, framework.Size([1, 2]), framework.device("cpu")],
        "param_groups": [{"lr": 0.1, "betas": (0.9, 0.999), "params": [0, 1]}],
    }
    value["model"]._metadata = collections.OrderedDict([("", {"version": 1})])
    return value


def plain(value):
    """A checkpoint as comparable Python values."""
    if hasattr(value, "tolist") and not isinstance(value, (np.ndarray, np.generic)):
        values = value.detach()
        if "bfloat16" in str(value.dtype):
            values = values.float()
        return (
            type(value).__name__, str(value.dtype), tuple(value.shape), values.tolist(),
            value.requires_grad,
        )  # fmt: skip
    if isinstance(value, dict):
        items = [(key, plain(item)) for key, item in value.items()]
        return type(value).__name__, items, getattr(value, "_metadata", None)
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [plain(item) for item in value]
    return str(value)


@pytest.mark.parametrize("weights_only", [True, False])
@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("to_torch", [True, False])
def test_exchange(to_torch, zipped, weights_only):
    writer, reader = (flambeau, torch) if to_torch else (torch, flambeau)
    file = io.BytesIO()
    value = state(writer)
    writer.save(value, file, _use_new_zipfile_serialization=zipped)
    file.seek(0)
    found = reader.load(file, weights_only=weights_only)
    assert plain(found) == plain(value)
    base, rows, part, column = found["views"]
    base[5] = -1
    assert rows[1, 1] == -1 and column[1] == -1
    base[3] = -2
    assert part[1] == -2


@pytest.mark.parametrize("to_torch", [True, False])
def test_mapped(to_torch, tmp_path):
    writer, reader = (flambeau, torch) if to_torch else (torch, flambeau)
    path = tmp_path / "state.pth"
    value = state(writer)
    writer.save(value, path)
    assert plain(reader.load(path, mmap=True, weights_only=True)) == plain(value)


def test_new_element_types_of_torch():
    file = io.BytesIO()
    torch.save({"a": torch.ones(2, dtype=torch.uint16)}, file)
    file.seek(0)
    if hasattr(flambeau, "uint16"):
        assert flambeau.load(file)["a"].tolist() == [1, 1]
    else:
        with pytest.raises(pickle.UnpicklingError, match="uint16"):
            flambeau.load(file)


def test_conjugate_views():
    file = io.BytesIO()
    torch.save(torch.tensor([1 + 2j, 3j]).conj(), file)
    file.seek(0)
    assert flambeau.load(file).tolist() == [1 - 2j, -3j]


def network(framework):
    nn = framework.nn
    return nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(8, 3), nn.Dropout(0.5), nn.LayerNorm(3),
    )  # fmt: skip


@pytest.mark.parametrize("to_torch", [True, False])
def test_whole_modules(to_torch):
    writer, reader = (flambeau, torch) if to_torch else (torch, flambeau)
    model = network(writer).eval()
    file = io.BytesIO()
    writer.save(model, file)
    file.seek(0)
    found = reader.load(file, weights_only=False)
    values = np.random.default_rng(0).standard_normal((2, 1, 4, 4)).astype(np.float32)
    ours = model(writer.from_numpy(values.copy())).detach().numpy()
    theirs = found(reader.from_numpy(values.copy())).detach().numpy()
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    assert list(found.state_dict()) == list(model.state_dict())


MODULES = [
    lambda nn: nn.LSTM(4, 3, num_layers=2, bidirectional=True),
    lambda nn: nn.GRU(4, 3, bias=False),
    lambda nn: nn.MultiheadAttention(8, 2),
    lambda nn: nn.Embedding(5, 3, padding_idx=0),
    lambda nn: nn.ConvTranspose2d(2, 3, 3, stride=2),
    lambda nn: nn.ModuleDict({"a": nn.GroupNorm(2, 4), "b": nn.ModuleList([nn.GELU()])}),
    lambda nn: nn.ParameterList([nn.Parameter(nn.Linear(2, 1).weight.detach())]),
    lambda nn: nn.CrossEntropyLoss(label_smoothing=0.1),
]


@pytest.mark.parametrize("to_torch", [True, False])
@pytest.mark.parametrize("make", MODULES)
def test_kinds_of_modules(make, to_torch):
    writer, reader = (flambeau, torch) if to_torch else (torch, flambeau)
    model = make(writer.nn)
    file = io.BytesIO()
    writer.save(model, file)
    file.seek(0)
    found = reader.load(file, weights_only=False)
    assert type(found) is getattr(reader.nn, type(model).__name__)
    assert plain(found.state_dict()) == plain(model.state_dict())
    assert repr(found) == repr(model)


@pytest.mark.parametrize("to_torch", [True, False])
@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad"])
def test_optimizers(name, to_torch):
    writer, reader = (flambeau, torch) if to_torch else (torch, flambeau)

    def trained(framework):
        weight = framework.nn.Parameter(framework.ones(3))
        optimizer = getattr(framework.optim, name)([weight], lr=0.1)
        return weight, optimizer

    def step(weight, optimizer):
        optimizer.zero_grad()
        (weight**2).sum().backward()
        optimizer.step()

    weight, optimizer = trained(writer)
    step(weight, optimizer)
    file = io.BytesIO()
    writer.save({"w": weight.detach(), "o": optimizer.state_dict()}, file)
    file.seek(0)
    other, continued = trained(reader)
    found = reader.load(file, weights_only=True)
    with reader.no_grad():
        other.copy_(found["w"])
    continued.load_state_dict(found["o"])
    step(weight, optimizer)
    step(other, continued)
    np.testing.assert_allclose(weight.tolist(), other.tolist(), rtol=1e-5)


class Config:
    rate = 0.1


def test_refusals_begin_alike():
    for value in (Config(), collections.defaultdict(int)):
        file = io.BytesIO()
        torch.save(value, file)
        messages = []
        for framework in (torch, flambeau):
            file.seek(0)
            with pytest.raises(pickle.UnpicklingError) as caught:
                framework.load(file)
            messages.append(str(caught.value))
        beginning = "Weights only load failed. This file can still be loaded"
        assert all(message.startswith(beginning) for message in messages)
        key = messages[0].partition("WeightsUnpickler error: ")[2].partition("\n")[0]
        assert key in messages[1]


def test_numpy_values_of_torch():
    file = io.BytesIO()
    torch.save({"best": np.float64(0.5), "curve": np.arange(3.0)}, file)
    file.seek(0)
    found = flambeau.load(file)
    assert found["best"] == 0.5 and found["curve"].tolist() == [0, 1, 2]


def test_legacy_views_of_storages():
    """A storage that is a view of another one, which files before 1.0 have."""
    base = torch.arange(6).float()
    stream = io.BytesIO()
    torch.save([base[:4].clone()], stream, _use_new_zipfile_serialization=False)
    found = flambeau.load(io.BytesIO(stream.getvalue()))
    assert found[0].tolist() == [0, 1, 2, 3]


def test_gpu_location_error_is_the_same():
    file = io.BytesIO()
    torch.save(torch.ones(1), file, _use_new_zipfile_serialization=False)
    data = file.getvalue().replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0")
    messages = []
    for framework in (torch, flambeau):
        with pytest.raises(RuntimeError) as caught:
            framework.load(io.BytesIO(data))
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
