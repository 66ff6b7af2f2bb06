"""The types that operations give for every pair of types and ranks, against PyTorch."""

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import flambeau

TYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32",
         "float64", "complex64", "complex128"]
NUMBERS = [True, 3, 2.5, 1 + 2j]


def both(function, *arguments):
    """The types of a function's results in Flambeau and PyTorch; "refused" for an error."""
    names = []
    for module in (flambeau, torch):
        try:
            names.append(str(function(module, *arguments).dtype))
        except (RuntimeError, NotImplementedError, TypeError):
            names.append("refused")
    return names


def agree(found, wanted):
    """Equal, or PyTorch refuses, or computes in complex32, which is not a type here."""
    return wanted in (found, "refused", "torch.complex32")


def made(module, name, shape):
    return module.ones(shape, dtype=getattr(module, name))


@pytest.mark.parametrize("op", ["add", "mul", "true_divide", "eq", "maximum", "pow"])
def test_tensors_with_tensors(op):
    def call(m, a, b, shapes):
        return getattr(m, op)(made(m, a, shapes[0]), made(m, b, shapes[1]))

    ranks = [((2,), (2,)), ((2,), ()), ((), (2,)), ((), ())]
    for (a, b), shapes in itertools.product(itertools.product(TYPES, TYPES), ranks):
        found, wanted = both(call, a, b, shapes)
        assert agree(found, wanted), f"{op} of {a}{list(shapes[0])} and {b}{list(shapes[1])}"


@pytest.mark.parametrize("op", ["add", "mul", "true_divide", "sub", "pow", "eq"])
def test_tensors_with_numbers(op):
    def call(m, a, number, shape):
        return getattr(m, op)(made(m, a, shape), number)

    for a, number, shape in itertools.product(TYPES, NUMBERS, [(2,), ()]):
        found, wanted = both(call, a, number, shape)
        assert agree(found, wanted), f"{op} of {a}{list(shape)} and {number!r}"


def test_result_type_and_promote_types():
    for a, b in itertools.product(TYPES, TYPES):
        assert agree(*(str(m.promote_types(getattr(m, a), getattr(m, b)))
                       for m in (flambeau, torch)))
        found, wanted = (str(m.result_type(made(m, a, (2,)), made(m, b, ())))
                         for m in (flambeau, torch))
        assert agree(found, wanted), (a, b)
        assert flambeau.can_cast(getattr(flambeau, a), getattr(flambeau, b)) == torch.can_cast(
            getattr(torch, a), getattr(torch, b))


@pytest.mark.parametrize("op", ["sum", "mean", "prod", "cumsum", "exp", "sqrt", "abs", "neg",
                                "floor", "argmax", "all", "square", "sign", "logical_not",
                                "sigmoid"])
def test_one_tensor(op):
    def call(m, a):
        return getattr(m, op)(made(m, a, (2,)), *arguments)

    arguments = (0,) if op == "cumsum" else ()
    for a in TYPES:
        found, wanted = both(call, a)
        assert agree(found, wanted), f"{op} of {a}"


@pytest.mark.parametrize("op", ["add_", "mul_", "div_", "pow_"])
def test_in_place(op):
    def call(m, a, b):
        return getattr(made(m, a, (2,)), op)(made(m, b, (2,)))

    for a, b in itertools.product(TYPES, TYPES):
        found, wanted = both(call, a, b)
        assert agree(found, wanted), f"{op} of {a} and {b}"


def test_constructors_infer_types():
    for data in (1, 1.5, True, 1j, [1, 2.0], [True, 2], [[1], [2]], [], [1, 1j], np.float32(1),
                 np.arange(3), np.array([1.5]), np.array([True]), np.int16(3), [np.float64(1.0)]):
        assert str(flambeau.tensor(data).dtype) == str(torch.tensor(data).dtype), data
    for make in (lambda m: m.arange(3), lambda m: m.arange(3.0), lambda m: m.full((2,), 1),
                 lambda m: m.full((2,), 1.0), lambda m: m.full((2,), True), lambda m: m.zeros(2),
                 lambda m: m.linspace(0, 1, 3), lambda m: m.eye(2), lambda m: m.Tensor([1, 2]),
                 lambda m: m.LongTensor([1]), lambda m: m.logspace(0, 1, 3)):
        assert str(make(flambeau).dtype) == str(make(torch).dtype)


def test_numpy_both_ways_without_copying():
    array = np.arange(6.0).reshape(2, 3)
    for module in (flambeau, torch):
        x = module.from_numpy(array)
        x[0, 0] = 9
        assert array[0, 0] == 9
        array[1, 1] = 7
        assert x[1, 1].item() == 7
        y = module.zeros(3)
        z = y.numpy()
        z[1] = 5
        assert y.tolist() == [0, 5, 0]
        y += 1
        assert z.tolist() == [1, 6, 1]
        assert np.asarray(y.t()).tolist() == [1, 6, 1]
        assert np.exp(module.zeros(2)).tolist() == [1, 1]
