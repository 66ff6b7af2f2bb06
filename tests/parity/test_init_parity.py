"""torch.nn.init of both packages on the same tensors: the same numbers and errors."""

import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import flambeau

SHAPES = [(3, 5), (64, 32), (20, 1, 5, 5), (2, 3, 4), (17, 9, 3, 3, 1)]
CALLS = {
    "uniform": lambda init, w: init.uniform_(w, -0.3, 0.7),
    "normal": lambda init, w: init.normal_(w, 0.1, 0.02),
    "constant": lambda init, w: init.constant_(w, 0.3),
    "ones": lambda init, w: init.ones_(w),
    "zeros": lambda init, w: init.zeros_(w),
    "xavier_uniform": lambda init, w: init.xavier_uniform_(w, 1.5),
    "xavier_normal": lambda init, w: init.xavier_normal_(w),
    "kaiming_uniform": lambda init, w: init.kaiming_uniform_(w, a=5**0.5),
    "kaiming_uniform_out": lambda init, w: init.kaiming_uniform_(w, mode="fan_out"),
    "kaiming_normal": lambda init, w: init.kaiming_normal_(w, nonlinearity="relu"),
    "trunc_normal": lambda init, w: init.trunc_normal_(w),
    "trunc_normal_small": lambda init, w: init.trunc_normal_(w, std=0.02),
    "trunc_normal_narrow": lambda init, w: init.trunc_normal_(w, 0.0, 1.0, -0.1, 0.2),
    "trunc_normal_aside": lambda init, w: init.trunc_normal_(w, 0.0, 1.0, 1.5, 2.0),
}


def bits(tensor):
    if tensor.dtype is torch.bfloat16:
        return tensor.detach().contiguous().view(torch.int16).numpy().view(np.uint16)
    if isinstance(tensor, torch.Tensor):
        return tensor.detach().contiguous().numpy()
    return np.ascontiguousarray(tensor._array())


def both(call, shape, dtype="float32", view=lambda w: w):
    results = []
    for module in (torch, flambeau):
        module.manual_seed(77)
        weight = module.zeros(shape, dtype=getattr(module, dtype))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert call(module.nn.init, view(weight)) is not None
        results.append(bits(weight))
    assert np.array_equal(bits(flambeau.get_rng_state()), torch.get_rng_state().numpy())
    return results


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("shape", SHAPES)
def test_fills(name, shape):
    theirs, ours = both(CALLS[name], shape)
    assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("dtype", ["float64", "bfloat16", "float16"])
def test_fills_in_other_dtypes(name, dtype):
    theirs, ours = both(CALLS[name], (40, 30), dtype)
    assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("name", CALLS)
def test_fills_of_views(name):
    for view in (lambda w: w.t(), lambda w: w[2:9, ::2], lambda w: w[3:7]):
        theirs, ours = both(CALLS[name], (12, 10), view=view)
        assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("shape", [(5, 8), (8, 5), (6, 6), (4, 3, 2, 2), (64, 16)])
@pytest.mark.parametrize("dtype,tolerance", [("float32", 2e-6), ("float64", 2e-15)])
def test_orthogonal(shape, dtype, tolerance):
    theirs, ours = both(lambda init, w: init.orthogonal_(w, gain=1.5), shape, dtype)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * 3)


@pytest.mark.parametrize("shape", [(3, 5), (5, 3)])
def test_eye(shape):
    theirs, ours = both(lambda init, w: init.eye_(w), shape)
    assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("shape", [(6, 4, 3), (4, 4, 3, 3), (6, 2, 3, 5), (4, 8, 2, 3, 1)])
@pytest.mark.parametrize("groups", [1, 2])
def test_dirac(shape, groups):
    theirs, ours = both(lambda init, w: init.dirac_(w, groups), shape)
    assert ours.tobytes() == theirs.tobytes()


def test_sparse():
    theirs, ours = both(lambda init, w: init.sparse_(w, 0.3), (20, 9))
    assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize(
    "name", ["uniform", "normal", "xavier_uniform", "xavier_normal", "kaiming_uniform"]
)
def test_generator_argument(name):
    drawn = []
    for module in (torch, flambeau):
        generator = module.Generator().manual_seed(4)
        function = getattr(module.nn.init, name + "_")
        drawn.append(bits(function(module.zeros(7, 5), generator=generator)))
    assert drawn[0].tobytes() == drawn[1].tobytes()


ERRORS = [
    lambda T: T.nn.init.calculate_gain("swish"),
    lambda T: T.nn.init.calculate_gain("leaky_relu", True),
    lambda T: T.nn.init.eye_(T.zeros(3)),
    lambda T: T.nn.init.dirac_(T.zeros(3, 3)),
    lambda T: T.nn.init.dirac_(T.zeros(3, 3, 3), 2),
    lambda T: T.nn.init.xavier_uniform_(T.zeros(3)),
    lambda T: T.nn.init.kaiming_normal_(T.zeros(3, 3), mode="fan"),
    lambda T: T.nn.init.orthogonal_(T.zeros(3)),
    lambda T: T.nn.init.sparse_(T.zeros(3), 0.1),
    lambda T: T.nn.init.uniform_(T.zeros(3), 2, 1),
    lambda T: T.nn.init.orthogonal_(T.zeros(3, 3, dtype=T.float16)),
]


@pytest.mark.parametrize("call", ERRORS)
def test_errors(call):
    with pytest.raises(Exception) as theirs:
        call(torch)
    with pytest.raises(theirs.type) as ours:
        call(flambeau)
    assert str(ours.value).startswith(str(theirs.value).split("\n")[0])


def test_gains():
    for name in ("linear", "conv_transpose2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"):
        theirs = torch.nn.init.calculate_gain(name)
        assert flambeau.nn.init.calculate_gain(name) == theirs
    assert flambeau.nn.init.calculate_gain("leaky_relu", 0.3) == torch.nn.init.calculate_gain(
        "leaky_relu", 0.3
    )


def test_every_public_name_exists_with_the_same_parameters():
    import inspect

    for name in torch.nn.init.__all__:
        ours = getattr(flambeau.nn.init, name)
        assert name in flambeau.nn.init.__all__
        if name.endswith("_"):
            theirs = inspect.signature(getattr(torch.nn.init, name))
            assert list(inspect.signature(ours).parameters) == list(theirs.parameters)
