"""repr of tensors against PyTorch's, character by character."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import flambeau

TYPES = ["float32", "float64", "float16", "bfloat16", "int8", "int16", "int32", "int64", "uint8",
         "bool", "complex64", "complex128"]
SHAPES = [(), (0,), (1,), (3,), (2, 0), (0, 3), (2, 3), (1, 1, 1), (2, 3, 4), (30,), (100,),
          (1001,), (40, 40), (2, 30, 30), (5, 200), (3, 3, 120), (2, 2, 2, 2)]
SPECIAL = [[np.nan], [np.inf], [np.nan, 1.0], [np.inf, 1.5], [-np.inf, np.nan, 0.0], [0.0, 0.0],
           [-0.0], [1e10], [1e8, 1.0], [1e9, 2.0], [0.0001], [1e-5, 1.0], [123456789.0],
           [1.0, 1000.5], [1.0, 10000.0], [np.nan, 1e-8], [np.inf, 100000.0], [99999999.0, 1.0],
           [1.5, 1001.0], [1e38]]


def pair(array, name):
    array = np.asarray(array)
    return (flambeau.from_numpy(array.copy()).to(getattr(flambeau, name)),
            torch.from_numpy(array.copy()).to(getattr(torch, name)))


def same(ours, theirs):
    assert repr(ours) == repr(theirs)
    assert str(ours) == str(theirs)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", TYPES)
def test_types_shapes_and_magnitudes(name):
    rng = np.random.default_rng(0)
    for shape in SHAPES:
        normal = rng.standard_normal(shape)
        for array in (normal * 3, np.round(normal * 50), normal * 1e6, normal * 1e-5,
                      normal * 10 ** rng.uniform(-6, 6, shape)):
            if name.startswith("complex"):
                array = array + 1j * rng.standard_normal(shape)
            same(*pair(array, name))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["float32", "float64", "float16", "bfloat16"])
def test_special_numbers(name):
    for numbers in SPECIAL:
        same(*pair(np.array(numbers), name))
        same(*pair(np.array(numbers[0]), name))


def test_complex_special_numbers():
    for numbers in ([1 + 2j], [complex(np.nan, 1)], [1e10 + 1j, 1], [0j], [1.5 - 2.25j, 100j],
                    [complex(1, -0.0)], [complex(0, np.inf)]):
        same(*pair(np.array(numbers), "complex64"))


def test_gradients_are_named():
    ours = flambeau.ones(3, requires_grad=True)
    theirs = torch.ones(3, requires_grad=True)
    for f in (lambda x: x, lambda x: x * 2, lambda x: (x * 2).sum(), lambda x: x.exp(),
              lambda x: x.view(3, 1), lambda x: x[0], lambda x: x.reshape(1, 3) @ x.reshape(3, 1),
              lambda x: x.detach()):
        same(f(ours), f(theirs))
    same(flambeau.nn.Parameter(flambeau.ones(2)), torch.nn.Parameter(torch.ones(2)))
    wide = pair(np.ones((2, 30)), "float64")
    for x in wide:
        x.requires_grad_()
    same(*wide)
    same(*(x * 1.5 for x in wide))


@pytest.mark.parametrize("options", [
    {"precision": 2}, {"linewidth": 40}, {"threshold": 5}, {"edgeitems": 1, "threshold": 5},
    {"sci_mode": True}, {"sci_mode": False}, {"profile": "short"}, {"profile": "full"}],
    ids=str)
def test_print_options(options):
    rng = np.random.default_rng(1)
    try:
        for module in (flambeau, torch):
            module.set_printoptions(**options)
        for array in (rng.standard_normal((4, 10)), rng.standard_normal(9) * 1e5, np.arange(30.0)):
            same(*pair(array, "float32"))
    finally:
        for module in (flambeau, torch):
            module.set_printoptions(profile="default", sci_mode=None)
