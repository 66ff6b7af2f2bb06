"""Images, transforms and networks against torchvision itself, to the last digits."""

import pathlib
import random
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")
torchvision = pytest.importorskip("torchvision")
pytest.importorskip("PIL")

import flambeau
from flambeau import vision

TESTS = pathlib.Path(__file__).parents[1]
sys.path.insert(0, str(TESTS))
from vision.transforms.cases import CASES, INPUTS, inputs


@pytest.fixture(scope="module")
def image():
    return np.load(TESTS / "golden" / "vision_transforms.npz")["image"]


@pytest.mark.parametrize("name", CASES)
def test_transforms(name, image):
    for kind in INPUTS:
        results = []
        for library, T in ((torch, torchvision.transforms), (flambeau, vision.transforms)):
            library.manual_seed(11)
            random.seed(11)
            try:
                results.append(np.asarray(CASES[name](T)(inputs(image, T)[kind])))
            except (TypeError, AttributeError) as error:
                results.append(type(error))
            # the same number of draws
            results.append(library.rand(1).item())
        expected, expected_next, received, received_next = results
        assert received_next == expected_next
        if isinstance(expected, type):
            assert received is expected
        elif expected.dtype.kind == "f":
            np.testing.assert_allclose(received, expected, atol=2e-5)
        else:
            assert received.dtype == expected.dtype and received.shape == expected.shape
            difference = np.abs(received.astype(int) - expected)
            assert difference.max() <= (kind != "pil") and (difference > 0).mean() < 0.005


NETWORKS = ["resnet18", "squeezenet1_1", "mobilenet_v2", "shufflenet_v2_x0_5"]


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_start_and_answer_alike(name):
    outputs = []
    x = np.random.default_rng(0).standard_normal((2, 3, 64, 64)).astype(np.float32)
    for library, models in ((torch, torchvision.models), (flambeau, vision.models)):
        library.manual_seed(0)
        model = models.get_model(name, num_classes=7).eval()
        with library.no_grad():
            logits = model(library.from_numpy(x)).numpy()
        outputs.append(({k: v.numpy() for k, v in model.state_dict().items()}, logits))
    (expected, wanted), (received, got) = outputs
    assert list(received) == list(expected)
    for key, value in expected.items():
        np.testing.assert_allclose(received[key], value, rtol=2e-6, atol=1e-7, err_msg=key)
    np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-3 * np.abs(wanted).max())


def test_fake_data():
    for i in range(3):
        (expected, wanted), (received, got) = (
            library.datasets.FakeData(5, (3, 9, 8), 4, random_offset=2)[i]
            for library in (torchvision, vision)
        )
        np.testing.assert_array_equal(np.asarray(received), np.asarray(expected))
        assert got == wanted


@pytest.mark.parametrize(
    "options", [{}, {"nrow": 2, "padding": 1, "pad_value": 0.5}, {"normalize": True},
                {"normalize": True, "scale_each": True, "value_range": (-1, 1)}]
)
def test_grids(options):
    images = np.random.default_rng(1).standard_normal((5, 3, 4, 6)).astype(np.float32)
    expected = torchvision.utils.make_grid(torch.from_numpy(images), **options).numpy()
    received = vision.utils.make_grid(flambeau.from_numpy(images), **options).numpy()
    np.testing.assert_allclose(received, expected, atol=1e-6)


@pytest.mark.parametrize(
    "name", ["box_iou", "generalized_box_iou", "distance_box_iou", "complete_box_iou"]
)
def test_overlaps(name):
    rng = np.random.default_rng(2)
    corners = rng.random((2, 6, 4)).astype(np.float32)
    corners[..., 2:] += corners[..., :2]
    expected = getattr(torchvision.ops, name)(*map(torch.from_numpy, corners)).numpy()
    received = getattr(vision.ops, name)(*map(flambeau.from_numpy, corners)).numpy()
    np.testing.assert_allclose(received, expected, atol=1e-6)


def test_signatures():
    """Constructors and functions take torchvision's arguments, in its order."""
    import inspect

    def parameters(function):
        return [
            (p.name, p.kind, str(getattr(p.default, "__name__", p.default)))
            for p in inspect.signature(function).parameters.values()
        ]

    pairs = [(torchvision.transforms, vision.transforms, vision.transforms.__all__)]
    functional = vision.transforms.functional
    pairs.append((torchvision.transforms.functional, functional, functional.__all__))
    for module in ("datasets", "utils"):
        ours = getattr(vision, module)
        pairs.append((getattr(torchvision, module), ours, ours.__all__))
    for theirs, ours, names in pairs:
        for name in names:
            if "mbedded" in name or name in ("InterpolationMode", "AutoAugmentPolicy"):
                continue
            if not hasattr(theirs, name):
                theirs_of = getattr(theirs, "transforms", None)
                assert hasattr(theirs_of, name), name
                continue
            expected, received = parameters(getattr(theirs, name)), parameters(getattr(ours, name))
            if name == "convert_image_dtype":  # the default is a dtype of either library
                expected, received = ([p[:2] for p in pair] for pair in (expected, received))
            assert received == expected, name
