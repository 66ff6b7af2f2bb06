"""Weight enums, builders' arguments, the registry, and loading from the cache."""

import hashlib
import pickle

import numpy as np
import pytest

import flambeau as torch
from flambeau import hub
from flambeau.vision import models
from flambeau.vision.models import _api


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder; anything fetched from the network fails."""
    monkeypatch.setattr(hub, "_hub_dir", str(tmp_path))
    monkeypatch.setenv("FLAMBEAU_MIRROR", "http://127.0.0.1:9")
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    return folder


def test_members():
    weights = models.ResNet50_Weights.IMAGENET1K_V2
    assert repr(weights) == "ResNet50_Weights.IMAGENET1K_V2"
    assert models.ResNet50_Weights.DEFAULT is weights
    assert weights.url == "https://download.pytorch.org/models/resnet50-11ad3fa6.pth"
    assert weights.meta["num_params"] == 25557032 and weights.meta["min_size"] == (1, 1)
    assert weights.meta["_metrics"] == {"ImageNet-1K": {"acc@1": 80.858, "acc@5": 95.434}}
    assert len(weights.meta["categories"]) == 1000 and weights.meta["categories"][281] == "tabby"
    assert weights.meta["recipe"] == "https://github.com/pytorch/vision/issues/3995#issuecomment-1013906621"
    assert pickle.loads(pickle.dumps(weights)) is weights
    assert isinstance(weights, models.WeightsEnum) and isinstance(weights.value, models.Weights)
    swag = models.ViT_B_16_Weights.IMAGENET1K_SWAG_E2E_V1
    assert swag.meta["license"].endswith("SWAG/blob/main/LICENSE")
    assert swag.transforms().crop_size == [384] and swag.meta["min_size"] == (384, 384)
    assert models.VGG16_Weights.IMAGENET1K_FEATURES.meta["categories"] is None


def test_every_builder_has_weights():
    for name in models.list_models():
        enum = models.get_model_weights(name)
        assert issubclass(enum, models.WeightsEnum)
        assert getattr(models, enum.__name__) is enum
        assert models.get_model_weights(getattr(models, name)) is enum


def test_registry():
    assert models.list_models(include="vgg1[13]*") == ["vgg11", "vgg11_bn", "vgg13", "vgg13_bn"]
    assert models.list_models(module=models, include="alex*") == ["alexnet"]
    names = models.list_models(include=["resnet*", "alexnet"], exclude="*1*")
    assert names == ["alexnet", "resnet34", "resnet50"]
    assert models.get_model_builder("ResNet18") is models.resnet18
    assert models.get_weight("AlexNet_Weights.DEFAULT") is models.AlexNet_Weights.DEFAULT
    with pytest.raises(ValueError, match="Unknown model resnet19"):
        models.get_model("resnet19")
    with pytest.raises(ValueError, match="Invalid weight name provided: 'x'."):
        models.get_weight("x")
    with pytest.raises(ValueError, match="The weight enum 'X' for the specific method couldn't be"):
        models.get_weight("X.Y")
    with pytest.raises(KeyError):
        models.get_weight("AlexNet_Weights.IMAGENET1K_V7")


def test_wrong_weights():
    with pytest.raises(TypeError, match="Invalid Weight class provided; expected ResNet18_Weights"):
        models.resnet18(weights=models.AlexNet_Weights.DEFAULT)
    with pytest.raises(KeyError):
        models.resnet18(weights="IMAGENET1K_V9")
    with pytest.raises(ValueError, match="'num_classes' expected value 1000 but got 10 instead."):
        models.resnet18(weights="DEFAULT", num_classes=10)
    with pytest.raises(TypeError, match=r"resnet18\(\) takes 0 positional arguments but 3 were"):
        models.resnet18(None, True, 3)


def small_builder(monkeypatch, cache, **options):
    """A builder whose network is one layer, with a weights file in the cache."""
    known = {k: v for k, v in _api.BUILTIN_MODELS.items() if k != "small"}
    monkeypatch.setattr(_api, "BUILTIN_MODELS", known)

    class Small(torch.nn.Module):
        def __init__(self, num_classes=1000):
            super().__init__()
            self.fc = torch.nn.Linear(2, num_classes)

    torch.manual_seed(1)
    wanted = Small()
    path = cache / "small.pth"
    torch.save(wanted.state_dict(), path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path = path.rename(cache / f"small-{digest[:8]}.pth")
    value = models.Weights(f"https://host.invalid/{path.name}", None, {"categories": [""] * 1000})
    enum = models.WeightsEnum(
        "Small_Weights", [("IMAGENET1K_V1", value), ("DEFAULT", value)], module=__name__
    )
    return _api.model_builder("small", enum, Small, **options), enum, wanted, path


def equal(a, b):
    pairs = zip(a.state_dict().values(), b.state_dict().values())
    return all(np.array_equal(x.numpy(), y.numpy()) for x, y in pairs)


def test_loads_from_the_cache(monkeypatch, cache):
    small, enum, wanted, _ = small_builder(monkeypatch, cache)
    for weights in (enum.DEFAULT, "DEFAULT", "IMAGENET1K_V1", "Small_Weights.IMAGENET1K_V1"):
        assert equal(small(weights=weights), wanted)
    assert not equal(small(weights=None), wanted) and not equal(small(), wanted)
    assert models.get_model("small", weights="DEFAULT").fc.out_features == 1000


def test_old_arguments(monkeypatch, cache):
    small, enum, wanted, _ = small_builder(monkeypatch, cache)
    with pytest.warns(UserWarning) as caught:
        assert equal(small(pretrained=True), wanted)
    assert [str(w.message).split(",")[0] for w in caught] == [
        "The parameter 'pretrained' is deprecated since 0.13 and may be removed in the future",
        "Arguments other than a weight enum or `None` for 'weights' are deprecated since 0.13 and "
        "may be removed in the future. The current behavior is equivalent to passing "
        "`weights=Small_Weights.IMAGENET1K_V1`. You can also use `weights=Small_Weights.DEFAULT` "
        "to get the most up-to-date weights.",
    ]
    with pytest.warns(UserWarning, match="Using 'weights' as positional parameter") as caught:
        assert equal(small(True), wanted)
    assert len(caught) == 2
    with pytest.warns(UserWarning, match="equivalent to passing `weights=None`"):
        assert not equal(small(pretrained=False), wanted)
    with pytest.warns(UserWarning, match="Using 'weights' and 'progress' as positional"):
        assert equal(small(enum.DEFAULT, False), wanted)
    without, *_ = small_builder(monkeypatch, cache, legacy=None)
    with pytest.raises(ValueError, match="No weights available"), pytest.warns(UserWarning):
        without(pretrained=True)


def test_missing_weights_say_where_to_put_them(monkeypatch, cache):
    small, _, _, path = small_builder(monkeypatch, cache)
    path.unlink()
    with pytest.raises(RuntimeError, match="^Error downloading small-") as info:
        small(weights="DEFAULT", progress=False)
    assert f"at {path} by hand" in str(info.value)


def test_densenet_reads_old_names():
    from flambeau.vision.models.densenet import _OLD_KEY

    def new(key):
        return _OLD_KEY.sub(r"\1\2", key)

    assert (
        new("features.denseblock1.denselayer2.norm.1.running_mean")
        == "features.denseblock1.denselayer2.norm1.running_mean"
    )
    assert new("features.transition1.norm.weight") == "features.transition1.norm.weight"
    assert new("features.denseblock1.denselayer2.conv1.weight").endswith("conv1.weight")
