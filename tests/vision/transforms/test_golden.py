"""Every transform on every kind of input equals torchvision's result for the same seed."""

import pathlib
import random

import numpy as np
import pytest

import flambeau as torch
from flambeau.vision import transforms as T

from .cases import CASES, INPUTS, SEED, inputs

GOLDEN = pathlib.Path(__file__).parents[2] / "golden"


@pytest.fixture(scope="module")
def wanted():
    return dict(np.load(GOLDEN / "vision_transforms.npz"))


@pytest.fixture(scope="module")
def images(wanted):
    return inputs(wanted["image"], T)


@pytest.mark.parametrize("kind", INPUTS)
@pytest.mark.parametrize("name", CASES)
def test_result(name, kind, wanted, images):
    torch.manual_seed(SEED)
    random.seed(SEED)
    if f"{name}.{kind}" not in wanted:
        with pytest.raises((TypeError, AttributeError)):
            CASES[name](T)(images[kind])
        return
    result = CASES[name](T)(images[kind])
    assert isinstance(result, torch.Tensor) == (kind != "pil" or "tensor" in name)
    result, expected = np.asarray(result), wanted[f"{name}.{kind}"]
    if result.dtype.kind == "f":
        assert result.shape == expected.shape
        np.testing.assert_allclose(result, expected, rtol=1e-3, atol=1e-3)
    elif kind == "pil":  # both call Pillow
        np.testing.assert_array_equal(result, expected)
    else:
        assert result.dtype == expected.dtype and result.shape == expected.shape
        difference = np.abs(result.astype(int) - expected)
        assert difference.max() <= 1 and (difference > 0).mean() < 0.005  # ties of rounding


def test_reprs():
    text = (GOLDEN / "vision_transform_reprs.txt").read_text()
    expected = dict(part.split("\t", 1) for part in text.split("\n----\n") if part)
    assert {name: repr(make(T)) for name, make in CASES.items()} == expected
