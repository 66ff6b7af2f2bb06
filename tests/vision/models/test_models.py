"""The networks: names, shapes, initial values and outputs equal torchvision's."""

import hashlib
import math
import pathlib

import numpy as np
import pytest

import flambeau as torch
from flambeau.vision import models

GOLDEN = pathlib.Path(__file__).parents[2] / "golden"
LARGE = 1.5e7  # parameters of a network that takes long to build


def rows():
    lines = (GOLDEN / "vision_state_dicts.tsv").read_text().splitlines()[1:]
    return {line.split("\t")[0]: line.split("\t")[1:] for line in lines}


def facts_by_size():
    return [pytest.param(name, *facts, id=name,
                         marks=[pytest.mark.slow] if int(facts[1]) > LARGE else [])
            for name, facts in rows().items() if name in models.list_models()]


@pytest.mark.parametrize(("name", "entries", "parameters", "digest", "total"), facts_by_size())
def test_state_dict(name, entries, parameters, digest, total):
    torch.manual_seed(0)
    model = models.get_model(name)
    state = model.state_dict()
    assert len(state) == int(entries)
    assert sum(p.numel() for p in model.parameters()) == int(parameters)
    lines = "".join(f"{k} {tuple(v.shape)} {v.dtype}\n" for k, v in state.items())
    assert hashlib.sha256(lines.encode()).hexdigest()[:16] == digest
    if total:
        received = sum(float(np.abs(v.numpy().astype(np.float64)).sum()) for v in state.values())
        assert received == pytest.approx(float(total), rel=1e-6)


def uniform(k: int, n: int) -> np.ndarray:
    """The k-th sequence of n numbers in [-1, 1) that filled the golden networks (splitmix64)."""
    with np.errstate(over="ignore"):
        z = np.arange(n, dtype=np.uint64) + np.uint64(k * 1000003 + 1)
        z *= np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(40)) / 2.0**24 * 2 - 1


def fill(model) -> None:
    state = model.state_dict()
    for k, (name, old) in enumerate(state.items()):
        if not old.dtype.is_floating_point:
            continue
        u = uniform(k, old.numel())
        if name.endswith("running_var"):
            u = 1 + 0.5 * u
        elif old.dim() >= 2 and not name.endswith("running_mean"):
            rows = old.shape[0]
            u = 0.02 * u if rows == 1 else u * math.sqrt(3 / (old.numel() / rows))
        elif name.endswith("weight"):
            u = 1 + 0.1 * u
        else:
            u = 0.1 * u
        state[name] = torch.from_numpy(u.astype(np.float32).reshape(tuple(old.shape)))
    model.load_state_dict(state)


QUICK = ("resnet18", "squeezenet1_1", "mobilenet_v2")
REST = ("alexnet", "vgg11", "resnet50", "densenet121", "vit_b_16")


@pytest.mark.parametrize(
    "name", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in REST)]
)
def test_logits(name):
    expected = np.load(GOLDEN / "vision_logits.npz")[name].reshape(1, -1)
    model = models.get_model(name).eval()
    fill(model)
    x = uniform(999999, 3 * 224 * 224).astype(np.float32).reshape(1, 3, 224, 224)
    with torch.no_grad():
        logits = model(torch.from_numpy(x)).numpy()
    scale = np.abs(expected).max()
    np.testing.assert_allclose(logits, expected, rtol=1e-3, atol=2e-4 * scale)


def test_small_networks_train():
    torch.manual_seed(0)
    model = models.resnet18(num_classes=4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    x, y = torch.randn(4, 3, 64, 64), torch.tensor([0, 1, 2, 3])
    losses = []
    for _ in range(3):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_options_of_resnets():
    model = models.resnet50(replace_stride_with_dilation=[False, True, True], num_classes=3)
    assert model.layer4[1].conv2.dilation == (4, 4) and model.fc.out_features == 3
    model = models.resnet18(zero_init_residual=True, norm_layer=lambda n: torch.nn.GroupNorm(2, n))
    assert isinstance(model.bn1, torch.nn.GroupNorm)
    assert model.layer1[0].bn2.weight.abs().sum().item() == 0
    with pytest.raises(ValueError, match="BasicBlock only supports groups=1 and base_width=64"):
        models.resnet18(groups=2)
    with pytest.raises(ValueError, match="The parameter 'groups' expected value 32 but got 2"):
        models.resnext50_32x4d(groups=2)
    with pytest.raises(ValueError, match="should be None or a 3-element tuple"):
        models.resnet18(replace_stride_with_dilation=[True])


def test_transformer_checks_the_size_and_moves_its_positions():
    from flambeau.vision.models.vision_transformer import VisionTransformer, interpolate_embeddings

    model = VisionTransformer(32, 8, 1, 2, 16, 32, num_classes=3)
    assert model(torch.rand(2, 3, 32, 32)).shape == (2, 3)
    with pytest.raises(AssertionError, match="Wrong image height! Expected 32 but got 40!"):
        model(torch.rand(1, 3, 40, 32))
    state = interpolate_embeddings(64, 8, model.state_dict(), reset_heads=True)
    assert state["encoder.pos_embedding"].shape == (1, 65, 16)
    assert not any(key.startswith("heads") for key in state)


def test_intermediate_layers():
    from flambeau.vision.models._utils import IntermediateLayerGetter

    getter = IntermediateLayerGetter(models.resnet18(), {"layer1": "low", "layer3": "high"})
    outputs = getter(torch.rand(1, 3, 32, 32))
    assert {name: tuple(v.shape) for name, v in outputs.items()} == {
        "low": (1, 64, 8, 8),
        "high": (1, 256, 2, 2),
    }
    with pytest.raises(ValueError, match="return_layers are not present in model"):
        IntermediateLayerGetter(models.resnet18(), {"layer9": "x"})
