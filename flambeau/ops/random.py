"""Random tensors: factories (`rand`, `randn` ...), sampling, and the in-place methods of Tensor.

A draw happens when its function is called and enters the recorded program as a leaf, so the order
of calls decides the numbers, as in PyTorch. What is drawn is in `ops._sampling`, the streams are in
`runtime.random_streams`, generators in `flambeau.random`.
"""

from __future__ import annotations

import numpy as np

from .. import dtypes
from ..dtypes import default_dtype
from ..runtime._out_of_memory import told
from ..tensor import Tensor, from_array
from . import _sampling
from ._drawing import (
    check_dtype,
    check_options,
    check_tensor,
    constant_of,
    dense_order,
    fill,
    finish,
    invalid_arguments,
    is_integer,
    make,
    memory_order,
    numbers_of,
    overwrite,
    samples_of,
    shape_argument,
    stream_of,
)

__all__ = [
    "bernoulli", "binomial", "dropout_mask", "multinomial", "normal", "poisson", "rand",
    "rand_like", "randint", "randint_like", "randn", "randn_like", "randperm",
]


# Factories


def rand(*size, generator=None, out=None, dtype=None, layout=None, device=None,
         requires_grad=False, pin_memory=False, **keywords) -> Tensor:
    """Uniform samples on [0, 1).

    Args:
        size: the shape, as integers or one sequence.
        generator: a `torch.Generator`; the default one otherwise.
        dtype: a floating-point or complex dtype.

    >>> import flambeau as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.rand(2)
    tensor([0.4963, 0.7682])
    """
    shape = _size_argument("rand", size, keywords)
    check_options("rand", layout, device, pin_memory)
    return make("rand", "uniform", shape, dtype, default_dtype(), out, generator, requires_grad)


def randn(*size, generator=None, out=None, dtype=None, layout=None, device=None,
          requires_grad=False, pin_memory=False, **keywords) -> Tensor:
    """Samples of the normal distribution of mean 0 and variance 1.

    Args:
        size: the shape, as integers or one sequence.
        generator: a `torch.Generator`; the default one otherwise.
        dtype: a floating-point or complex dtype.

    >>> import flambeau as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.randn(2)
    tensor([ 1.5410, -0.2934])
    """
    shape = _size_argument("randn", size, keywords)
    check_options("randn", layout, device, pin_memory)
    return make("randn", "normal", shape, dtype, default_dtype(), out, generator, requires_grad)


def _size_argument(name: str, size, keywords) -> tuple[int, ...]:
    if "size" in keywords and not size:
        size = (tuple(keywords.pop("size")),)
    several = len(size) > 1 and any(isinstance(extent, (tuple, list)) for extent in size)
    if not size or keywords or several:
        received = [("", value) for value in size] + list(keywords.items())
        raise invalid_arguments(
            name,
            received,
            "tuple of ints size, *, torch.Generator generator, Tensor out = None, torch.dtype "
            "dtype = None, torch.layout layout = None, torch.device device = None, bool "
            "pin_memory = False, bool requires_grad = False",
        )
    return shape_argument(name, size)


def randint(*arguments, generator=None, out=None, dtype=None, layout=None, device=None,
            requires_grad=False, pin_memory=False, **keywords) -> Tensor:
    """Integers in [low, high): `randint(high, size)` or `randint(low, high, size)`.

    Args:
        low: the lowest integer, 0 if not given.
        high: one above the highest.
        size: the shape, a sequence.
        dtype: int64 if not given.

    >>> import flambeau as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.randint(3, 10, (4,))
    tensor([7, 6, 3, 5])
    """
    received = [("", value) for value in arguments] + list(keywords.items())
    names = ("low", "high", "size")[3 - len(arguments) - len(keywords):]
    given = dict(zip(names, arguments))
    valid = len(received) in (2, 3) and not given.keys() & keywords.keys()
    given.update(keywords)
    if not valid or given.keys() != set(names) or not all(
        is_integer(given[name]) for name in names[:-1]
    ):
        options = (
            "tuple of ints size, *, torch.Generator generator, Tensor out = None, torch.dtype "
            "dtype = None, torch.layout layout = None, torch.device device = None, bool "
            "pin_memory = False, bool requires_grad = False"
        )
        raise invalid_arguments(
            "randint", received, f"int high, {options}", f"int low, int high, {options}"
        )
    size = given["size"]
    if not isinstance(size, (tuple, list)):
        raise TypeError(
            f"randint(): argument 'size' (position {len(names)}) must be tuple of ints, not "
            f"{type(size).__name__}"
        )
    shape = shape_argument("randint", (size,), len(names))
    bounds = int(given.get("low", 0)), int(given["high"])
    check_options("randint", layout, device, pin_memory)
    return make("randint", "random", shape, dtype, dtypes.int64, out, generator, requires_grad,
                 *bounds)


@told
def randperm(n: int, *, generator=None, out=None, dtype=None, layout=None, device=None,
             requires_grad=False, pin_memory=False) -> Tensor:
    """The integers 0 to n - 1 in random order.

    Args:
        n: how many.
        dtype: int64 if not given.

    >>> import flambeau as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.randperm(4)
    tensor([0, 1, 3, 2])

    Reference: Fisher and Yates' shuffle.
    """
    if not is_integer(n):
        raise TypeError(
            f"randperm(): argument 'n' (position 1) must be int, not {type(n).__name__}"
        )
    check_options("randperm", layout, device, pin_memory)
    dtype = check_dtype("randperm", dtype, dtypes.int64 if out is None else out.dtype)
    if out is not None and out.dtype is not dtype:
        raise RuntimeError(
            f"dtype {dtype.legacy_name} does not match dtype of out parameter "
            f"({out.dtype.legacy_name})"
        )
    samples = _sampling.permutation(stream_of(generator), int(n), dtype)
    return finish(from_array(samples, dtype), out, requires_grad)


def normal(mean=None, std=None, size=None, *, generator=None, out=None, dtype=None, layout=None,
           device=None, requires_grad=False, pin_memory=False) -> Tensor:
    """Normal samples: `normal(mean, std)` with a tensor among them, or `normal(mean, std, size)`.

    Args:
        mean: a number, or a tensor of means.
        std: a number or a tensor of standard deviations, at least 0.
        size: the shape, when both are numbers.

    Raises RuntimeError when a standard deviation is negative.

    >>> import flambeau as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.normal(torch.tensor([0., 100.]), 1.)
    tensor([ 1.5410, 99.7066])
    """
    if isinstance(mean, Tensor) or isinstance(std, Tensor):
        if size is None and dtype is None and layout is None and device is None \
                and not requires_grad and not pin_memory:
            return _normal_of_tensors(mean, 1.0 if std is None else std, generator, out)
    elif size is not None and mean is not None and std is not None \
            and isinstance(size, (tuple, list)):
        shape = shape_argument("normal", (size,), 3)
        check_options("normal", layout, device, pin_memory)
        return make("normal", "normal", shape, dtype, default_dtype(), out, generator,
                     requires_grad, mean, std)
    received = [("", value) for value in (mean, std, size) if value is not None]
    end = "torch.Generator generator = None, Tensor out = None"
    raise invalid_arguments(
        "normal",
        received,
        f"Tensor mean, Tensor std, *, {end}",
        f"Tensor mean, float std = 1, *, {end}",
        f"float mean, Tensor std, *, {end}",
        f"float mean, float std, tuple of ints size, *, {end}, torch.dtype dtype = None, "
        "torch.layout layout = None, torch.device device = None, bool pin_memory = False, bool "
        "requires_grad = False",
    )


def _normal_of_tensors(mean, std, generator, out) -> Tensor:
    inputs = [t for t in (mean, std) if isinstance(t, Tensor)]
    dtype = inputs[0].dtype if out is None else out.dtype
    if isinstance(std, Tensor):
        if std.dtype.is_complex:
            raise RuntimeError("normal expects standard deviation to be non-complex")
        if std.numel() and not (numbers_of(std) >= 0).all():
            raise RuntimeError("normal expects all elements of std >= 0.0")
        shape = tuple(std.shape)
        if isinstance(mean, Tensor):
            from .build import broadcast_shapes

            shape = broadcast_shapes(tuple(mean.shape), shape)
        scale = 1.0
    else:
        shape, scale = tuple(mean.shape), std
    samples = _sampling.normal(stream_of(generator), shape, dtype, True, 0.0, scale)
    result = from_array(samples, dtype)
    constants = [t.detach() if isinstance(t, Tensor) else t for t in (mean, std)]
    if isinstance(std, Tensor):
        result = result * constants[1].to(dtype)
    result = result + (constants[0].to(dtype) if isinstance(mean, Tensor) else mean)
    return finish(constant_of(result, *inputs), out, False)


def _like(name: str, kind: str, input, options, *parameters) -> Tensor:
    """Samples with the shape, dtype and order of memory of `input`."""
    check_tensor(name, "input", input)
    unknown = options.keys() - {
        "dtype", "layout", "device", "requires_grad", "memory_format", "generator", "pin_memory"
    }
    if unknown:
        raise TypeError(f"{name}() got an unexpected keyword argument '{sorted(unknown)[0]}'")
    check_options(
        name, options.get("layout"), options.get("device"), options.get("pin_memory", False)
    )
    memory_format = options.get("memory_format")
    dtype = check_dtype(name, options.get("dtype"), input.dtype)
    if memory_format not in (None, dtypes.preserve_format, dtypes.contiguous_format):
        raise NotImplementedError(
            f"{name}() supports memory_format=torch.preserve_format and torch.contiguous_format, "
            f"received {memory_format!r}"
        )
    order = None if memory_format is dtypes.contiguous_format else dense_order(input)
    samples = samples_of(
        tuple(input.shape), order, dtype, kind, options.get("generator"), *parameters
    )
    return finish(from_array(samples, dtype), None, bool(options.get("requires_grad")))


def rand_like(input: Tensor, **options) -> Tensor:
    """Uniform samples on [0, 1) with the shape and dtype of `input`.

    Keywords: dtype, layout, device, requires_grad, memory_format, generator.
    """
    return _like("rand_like", "uniform", input, options)


def randn_like(input: Tensor, **options) -> Tensor:
    """Normal samples of mean 0 and variance 1 with the shape and dtype of `input`.

    Keywords: dtype, layout, device, requires_grad, memory_format, generator.
    """
    return _like("randn_like", "normal", input, options)


def randint_like(input: Tensor, *bounds, **options) -> Tensor:
    """Integers in [low, high) with the shape and dtype of `input`.

    `randint_like(input, high)` or `randint_like(input, low, high)`; keywords as `rand_like`.
    """
    low = options.pop("low", None)
    high = options.pop("high", None)
    bounds = (*bounds, *(b for b in (low, high) if b is not None))
    if len(bounds) not in (1, 2) or not all(is_integer(bound) for bound in bounds):
        raise invalid_arguments(
            "randint_like",
            [("", input)] + [("", bound) for bound in bounds],
            "Tensor input, int high, *, ...",
            "Tensor input, int low, int high, *, ...",
        )
    low, high = (0, *bounds)[-2:]
    return _like("randint_like", "random", input, options, int(low), int(high))


# Sampling from tensors of parameters


def bernoulli(input: Tensor, p: float | None = None, *, generator=None, out=None) -> Tensor:
    """1 with the probability given by each element of `input` (or by `p`), else 0.

    Raises RuntimeError when a probability lies outside [0, 1].

    >>> import flambeau as torch
    >>> torch.bernoulli(torch.tensor([0., 1.]))
    tensor([0., 1.])
    """
    check_tensor("bernoulli", "input", input)
    dtype = input.dtype if out is None else out.dtype
    if p is None:
        samples = _sampling.bernoulli_each(
            stream_of(generator), numbers_of(input), input.dtype, dtype
        )
    else:
        samples = _sampling.bernoulli(stream_of(generator), tuple(input.shape), dtype, True, p)
    return finish(constant_of(from_array(samples, dtype), input), out, False)


def poisson(input: Tensor, generator=None) -> Tensor:
    """A Poisson sample for the rate in each element of `input`.

    Raises RuntimeError when a rate is negative.
    """
    check_tensor("poisson", "input", input)
    samples = _sampling.poisson(stream_of(generator), numbers_of(input), input.dtype)
    return constant_of(from_array(samples, input.dtype), input)


def binomial(count: Tensor, prob: Tensor, generator=None) -> Tensor:
    """The successes among `count` trials that each succeed with probability `prob`."""
    check_tensor("binomial", "count", count)
    check_tensor("binomial", "prob", prob, 2)
    from .build import broadcast_shapes

    broadcast_shapes(tuple(count.shape), tuple(prob.shape))
    samples = _sampling.binomial(
        stream_of(generator), numbers_of(count), numbers_of(prob), count.dtype
    )
    return constant_of(from_array(samples, count.dtype), count, prob)


def multinomial(input: Tensor, num_samples: int, replacement: bool = False, *, generator=None,
                out=None) -> Tensor:
    """Indices drawn with the weights in the last dimension of `input`.

    Args:
        input: weights (categories,) or (rows, categories), at least 0; they need not sum to 1.
        num_samples: how many indices a row.
        replacement: whether an index may come again.

    Returns int64 indices of shape (num_samples,) or (rows, num_samples).

    >>> import flambeau as torch
    >>> torch.multinomial(torch.tensor([0., 3., 0.]), 2, replacement=True)
    tensor([1, 1])
    """
    check_tensor("multinomial", "input", input)
    if out is not None and out.dtype is not dtypes.int64:
        raise RuntimeError(
            f"multinomial expects Long tensor out, got: {out.dtype.legacy_name}"
        )
    samples = _sampling.multinomial(
        stream_of(generator), numbers_of(input), input.dtype, int(num_samples), bool(replacement)
    )
    return finish(from_array(samples, dtypes.int64), out, False)


def dropout_mask(
    shape, p: float, dtype: dtypes.dtype | None = None, generator=None, like: Tensor | None = None
) -> Tensor:
    """The factors that dropout multiplies with, 0 < p < 1: 1 / (1 - p) where kept, else 0.

    Args:
        shape: of the input, or with extents of 1 where whole features are dropped.
        p: the probability of 0.
        like: the input, whose order of memory the factors follow if it has the same shape.
    """
    dtype = default_dtype() if dtype is None else dtype
    if not dtype.is_floating_point:
        raise RuntimeError(
            "result type Float can't be cast to the desired output type "
            f"{dtype.legacy_name}: dropout needs floating-point inputs"
        )
    shape = tuple(shape)
    order = None if like is None or tuple(like.shape) != shape else dense_order(like)
    in_memory = shape if order is None else tuple(shape[d] for d in order)
    mask = stream_of(generator).dropout_mask(in_memory, p, dtype.name)
    return from_array(mask if order is None else mask.transpose(np.argsort(order)), dtype)


# Methods


def _filler(name: str, parameters: tuple[tuple[str, float | None], ...], doc: str):
    """An in-place method whose parameters (name, default) go to the sampler of its name."""
    names = [parameter for parameter, _ in parameters]

    def method(self, *arguments, generator=None, **keywords):
        if len(arguments) > len(names):
            raise TypeError(
                f"{name}_() takes from 0 to {len(names)} positional arguments but "
                f"{len(arguments)} were given"
            )
        given = dict(zip(names, arguments))
        for keyword in keywords:
            if keyword not in names or keyword in given:
                raise TypeError(f"{name}_() got an unexpected keyword argument '{keyword}'")
        given.update(keywords)
        values = []
        for parameter, default in parameters:
            value = given.get(parameter, default)
            if value is None:
                raise TypeError(f'{name}_() missing 1 required positional arguments: "{parameter}"')
            if isinstance(value, Tensor):
                value = value.item()
            if isinstance(value, str) or not hasattr(value, "__float__"):
                raise TypeError(
                    f"{name}_(): argument '{parameter}' must be float, not "
                    f"{type(value).__name__}"
                )
            values.append(value)
        return fill(self, name, generator, *values)

    method.__name__ = f"{name}_"
    method.__qualname__ = f"Tensor.{name}_"
    method.__doc__ = f"Fills the tensor with {doc} and returns it."
    return method


def random_(self, *bounds, generator=None, **keywords):
    """Fills the tensor with integers: `random_()`, `random_(to)` or `random_(from, to)`.

    Without bounds they range over the non-negative integers of the dtype, or over those that a
    floating-point dtype holds exactly.
    """
    received = [("", bound) for bound in bounds] + list(keywords.items())
    if "from" in keywords and not bounds:
        bounds = (keywords.pop("from"), keywords.pop("to", None))
    elif "to" in keywords and len(bounds) < 2:
        bounds = (*bounds, keywords.pop("to"))
    valid = all(is_integer(bound) for bound in bounds[:1]) and all(
        bound is None or is_integer(bound) for bound in bounds[1:]
    )
    if keywords or len(bounds) > 2 or not valid:
        raise invalid_arguments(
            "random_",
            received,
            "*, torch.Generator generator = None",
            "int from, int to, *, torch.Generator generator = None",
            "int to, *, torch.Generator generator = None",
        )
    bounds = tuple(bound if bound is None else int(bound) for bound in bounds)
    return fill(self, "random", generator, *bounds)


def bernoulli_(self, p=0.5, *, generator=None):
    """Fills the tensor with 1 (probability `p`, a number or a tensor) and 0, and returns it."""
    if not isinstance(p, Tensor):
        return fill(self, "bernoulli", generator, p)
    self._check_writable()
    order = memory_order(self)
    chances = np.broadcast_to(numbers_of(p), tuple(self.shape))
    if order is not None:
        chances = chances.transpose(order)
    samples = _sampling.bernoulli_each(stream_of(generator), chances, p.dtype, self.dtype)
    return overwrite(self, samples if order is None else samples.transpose(np.argsort(order)))


METHODS = {
    "bernoulli": bernoulli,
    "bernoulli_": bernoulli_,
    "cauchy_": _filler("cauchy", (("median", 0.0), ("sigma", 1.0)), "Cauchy samples"),
    "exponential_": _filler("exponential", (("lambd", 1.0),), "exponential samples"),
    "geometric_": _filler("geometric", (("p", None),), "numbers of trials up to a success"),
    "log_normal_": _filler("log_normal", (("mean", 1.0), ("std", 2.0)), "log-normal samples"),
    "multinomial": multinomial,
    "normal_": _filler("normal", (("mean", 0.0), ("std", 1.0)), "normal samples"),
    "random_": random_,
    "uniform_": _filler("uniform", (("from", 0.0), ("to", 1.0)), "uniform samples"),
}
for _name, _method in METHODS.items():
    setattr(Tensor, _name, _method)
