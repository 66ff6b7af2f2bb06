"""Random tensors: factories (`rand`, `randn` ...), sampling, and the in-place methods of Tensor.

A draw happens when its function is called and enters the recorded program as a leaf, so the order
of calls decides the numbers, as in PyTorch. What is drawn is in `ops._sampling`, the streams are in
`runtime.random_streams`, generators in `flambeau.random`.
"""

from __future__ import annotations

import numpy as np

from .. import dtypes
from ..construct import check_device
from ..dtypes import default_dtype
from ..graph.interpret import from_storage
from ..graph.ir import building
from ..random import Generator, default_generator
from ..tensor import Tensor, from_array
from . import _sampling

__all__ = [
    "bernoulli", "binomial", "dropout_mask", "multinomial", "normal", "poisson", "rand",
    "rand_like", "randint", "randint_like", "randn", "randn_like", "randperm",
]


# Arguments


def _stream(generator):
    """The NumPy generator behind `generator`, or behind the default one."""
    if generator is None:
        return default_generator.stream
    if not isinstance(generator, Generator):
        raise TypeError(
            f"generator must be a torch.Generator or None, received {type(generator).__name__}"
        )
    return generator.stream


def _invalid(name: str, received, *forms: str) -> TypeError:
    """PyTorch's error for arguments that fit none of a function's forms."""
    got = ", ".join(
        f"{key}={type(value).__name__}" if key else type(value).__name__
        for key, value in received
    )
    if received and all(key for key, _ in received):
        got += ", "
    listed = "".join(f"\n * ({form})" for form in forms)
    return TypeError(
        f"{name}() received an invalid combination of arguments - got ({got}), but expected one "
        f"of:{listed}"
    )


def _extent(name: str, position: int, value) -> int:
    if type(value) is int:
        return value
    if isinstance(value, (bool, float, str)) or not hasattr(value, "__index__"):
        raise TypeError(
            f"{name}(): argument 'size' (position {position}) must be tuple of ints, not "
            f"{type(value).__name__}"
        )
    return value.__index__()


def _shape(name: str, size, position: int = 1) -> tuple[int, ...]:
    """A shape from a sequence of integers, or from integers given one by one as `(size,)`."""
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = size[0]
    shape = tuple(_extent(name, position, extent) for extent in size)
    for extent in shape:
        if extent < 0:
            raise RuntimeError(
                f"Trying to create tensor with negative dimension {extent}: {list(shape)}"
            )
    return shape


def _check_options(name: str, layout=None, device=None, pin_memory: bool = False) -> None:
    """Refuses what only other devices and layouts could do."""
    check_device(device)
    if layout is not None and layout is not dtypes.strided:
        raise NotImplementedError(
            f"Could not run '{name}' with layout {layout!r}: only torch.strided is supported"
        )
    if pin_memory:
        raise RuntimeError(
            "pin_memory=True requires a CUDA or other accelerator backend; no pinned memory "
            "allocator is available on this system."
        )


def _check_dtype(name: str, dtype, default) -> dtypes.dtype:
    if dtype is None:
        return default
    if not isinstance(dtype, dtypes.dtype):
        raise TypeError(
            f"{name}() received an invalid combination of arguments - got "
            f"(dtype={type(dtype).__name__}), but expected a torch.dtype"
        )
    return dtype


def _check_tensor(name: str, argument: str, value, position: int = 1) -> None:
    if not isinstance(value, Tensor):
        raise TypeError(
            f"{name}(): argument '{argument}' (position {position}) must be Tensor, not "
            f"{type(value).__name__}"
        )


def _numbers(tensor: Tensor) -> np.ndarray:
    """The elements in a type that NumPy computes with (bfloat16 as float32)."""
    return from_storage(tensor._array(), tensor.dtype)


# Filling memory


def _memory_order(tensor: Tensor) -> tuple[int, ...] | None:
    """The dimensions from the slowest to the fastest in memory; None when contiguous.

    PyTorch's kernels fill tensors in the order of memory, so `w.t().uniform_()` writes the same
    memory as `w.uniform_()`.
    """
    if not tensor._chain or tensor.is_contiguous():
        return None
    strides = tensor.stride()
    for extent, stride in zip(tensor.shape, strides):
        if stride == 0 and extent > 1:
            raise RuntimeError(
                "unsupported operation: more than one element of the written-to tensor refers to "
                "a single memory location. Please clone() the tensor before performing the "
                "operation."
            )
    return tuple(sorted(range(len(strides)), key=lambda d: -strides[d]))


def samples_for(tensor: Tensor, kind: str, generator, *parameters, fresh: bool = False):
    """Samples of a kind as an array of `tensor`'s shape, drawn in the order of its memory.

    `fresh` asks for what a new tensor like this one would be filled with.
    """
    order = _dense_order(tensor) if fresh else _memory_order(tensor)
    return _samples(tuple(tensor.shape), order, tensor.dtype, kind, generator, *parameters)


def _samples(shape, order, dtype, kind: str, generator, *parameters) -> np.ndarray:
    """Samples of `shape`, drawn with the dimensions in `order` (None: contiguous memory)."""
    sampler = _sampling.SAMPLERS[kind]
    stream = _stream(generator)
    if order is None:
        return sampler(stream, shape, dtype, True, *parameters)
    in_memory = tuple(shape[d] for d in order)
    samples = sampler(stream, in_memory, dtype, False, *parameters)
    return samples.transpose(np.argsort(order))


def _fill(tensor: Tensor, kind: str, generator, *parameters) -> Tensor:
    """Overwrites `tensor` with samples of a kind; the body of every in-place method."""
    tensor._check_writable()
    return overwrite(tensor, samples_for(tensor, kind, generator, *parameters))


def overwrite(tensor: Tensor, samples: np.ndarray) -> Tensor:
    """Writes an array in the storage type of `tensor` to it."""
    if tensor.numel():
        tensor._assign(_constant_of(from_array(samples, tensor.dtype), tensor))
    return tensor


def _constant_of(result: Tensor, *inputs: Tensor) -> Tensor:
    """`result`, with a gradient of zero towards those `inputs` that require one, as PyTorch has."""
    if building.grad_enabled:
        for tensor in inputs:
            if tensor.requires_grad and tensor.dtype.category >= 2:
                from .. import where

                never = from_array(np.zeros((), bool))
                result = where(never, tensor.to(result.dtype), result)
    return result


def _finish(result: Tensor, out: Tensor | None, requires_grad: bool) -> Tensor:
    if out is not None:
        out._write_out(result)
        return out
    if requires_grad:
        if result.dtype.category < 2:
            raise RuntimeError(
                "Only Tensors of floating point and complex dtype can require gradients: "
                f"received dtype {result.dtype}"
            )
        result.requires_grad_()
    return result


def _make(name, kind, shape, dtype, default, out, generator, requires_grad, *parameters):
    """A new tensor of samples, or `out` filled with them."""
    if out is not None:
        _check_tensor(name, "out", out)
        if dtype is not None and dtype is not out.dtype:
            raise RuntimeError(
                f"dtype {dtype.legacy_name} does not match dtype of out parameter "
                f"({out.dtype.legacy_name})"
            )
        dtype = out.dtype
        if out.shape == shape:
            return _fill(out, kind, generator, *parameters)
    dtype = _check_dtype(name, dtype, default)
    samples = _samples(shape, None, dtype, kind, generator, *parameters)
    return _finish(from_array(samples, dtype), out, requires_grad)


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
    _check_options("rand", layout, device, pin_memory)
    return _make("rand", "uniform", shape, dtype, default_dtype(), out, generator, requires_grad)


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
    _check_options("randn", layout, device, pin_memory)
    return _make("randn", "normal", shape, dtype, default_dtype(), out, generator, requires_grad)


def _size_argument(name: str, size, keywords) -> tuple[int, ...]:
    if "size" in keywords and not size:
        size = (tuple(keywords.pop("size")),)
    several = len(size) > 1 and any(isinstance(extent, (tuple, list)) for extent in size)
    if not size or keywords or several:
        received = [("", value) for value in size] + list(keywords.items())
        raise _invalid(
            name,
            received,
            "tuple of ints size, *, torch.Generator generator, Tensor out = None, torch.dtype "
            "dtype = None, torch.layout layout = None, torch.device device = None, bool "
            "pin_memory = False, bool requires_grad = False",
        )
    return _shape(name, size)


def _is_integer(value) -> bool:
    return (
        hasattr(value, "__index__")
        and not isinstance(value, bool)
        and not (isinstance(value, Tensor) and (value.numel() != 1 or value.dtype.category > 1))
    )


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
        _is_integer(given[name]) for name in names[:-1]
    ):
        options = (
            "tuple of ints size, *, torch.Generator generator, Tensor out = None, torch.dtype "
            "dtype = None, torch.layout layout = None, torch.device device = None, bool "
            "pin_memory = False, bool requires_grad = False"
        )
        raise _invalid("randint", received, f"int high, {options}", f"int low, int high, {options}")
    size = given["size"]
    if not isinstance(size, (tuple, list)):
        raise TypeError(
            f"randint(): argument 'size' (position {len(names)}) must be tuple of ints, not "
            f"{type(size).__name__}"
        )
    shape = _shape("randint", (size,), len(names))
    bounds = int(given.get("low", 0)), int(given["high"])
    _check_options("randint", layout, device, pin_memory)
    return _make("randint", "random", shape, dtype, dtypes.int64, out, generator, requires_grad,
                 *bounds)


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
    if not _is_integer(n):
        raise TypeError(
            f"randperm(): argument 'n' (position 1) must be int, not {type(n).__name__}"
        )
    _check_options("randperm", layout, device, pin_memory)
    dtype = _check_dtype("randperm", dtype, dtypes.int64 if out is None else out.dtype)
    if out is not None and out.dtype is not dtype:
        raise RuntimeError(
            f"dtype {dtype.legacy_name} does not match dtype of out parameter "
            f"({out.dtype.legacy_name})"
        )
    samples = _sampling.permutation(_stream(generator), int(n), dtype)
    return _finish(from_array(samples, dtype), out, requires_grad)


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
        shape = _shape("normal", (size,), 3)
        _check_options("normal", layout, device, pin_memory)
        return _make("normal", "normal", shape, dtype, default_dtype(), out, generator,
                     requires_grad, mean, std)
    received = [("", value) for value in (mean, std, size) if value is not None]
    end = "torch.Generator generator = None, Tensor out = None"
    raise _invalid(
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
        if std.numel() and not (_numbers(std) >= 0).all():
            raise RuntimeError("normal expects all elements of std >= 0.0")
        shape = tuple(std.shape)
        if isinstance(mean, Tensor):
            from .build import broadcast_shapes

            shape = broadcast_shapes(tuple(mean.shape), shape)
        scale = 1.0
    else:
        shape, scale = tuple(mean.shape), std
    samples = _sampling.normal(_stream(generator), shape, dtype, True, 0.0, scale)
    result = from_array(samples, dtype)
    constants = [t.detach() if isinstance(t, Tensor) else t for t in (mean, std)]
    if isinstance(std, Tensor):
        result = result * constants[1].to(dtype)
    result = result + (constants[0].to(dtype) if isinstance(mean, Tensor) else mean)
    return _finish(_constant_of(result, *inputs), out, False)


def _like(name: str, kind: str, input, options, *parameters) -> Tensor:
    """Samples with the shape, dtype and order of memory of `input`."""
    _check_tensor(name, "input", input)
    unknown = options.keys() - {
        "dtype", "layout", "device", "requires_grad", "memory_format", "generator", "pin_memory"
    }
    if unknown:
        raise TypeError(f"{name}() got an unexpected keyword argument '{sorted(unknown)[0]}'")
    _check_options(
        name, options.get("layout"), options.get("device"), options.get("pin_memory", False)
    )
    memory_format = options.get("memory_format")
    dtype = _check_dtype(name, options.get("dtype"), input.dtype)
    if memory_format not in (None, dtypes.preserve_format, dtypes.contiguous_format):
        raise NotImplementedError(
            f"{name}() supports memory_format=torch.preserve_format and torch.contiguous_format, "
            f"received {memory_format!r}"
        )
    order = None if memory_format is dtypes.contiguous_format else _dense_order(input)
    samples = _samples(
        tuple(input.shape), order, dtype, kind, options.get("generator"), *parameters
    )
    return _finish(from_array(samples, dtype), None, bool(options.get("requires_grad")))


def _dense_order(tensor: Tensor) -> tuple[int, ...] | None:
    """The order of dimensions in which a new tensor "like" this one lies in memory."""
    if not tensor._chain or tensor.is_contiguous():
        return None
    strides = tensor.stride()
    order = tuple(sorted(range(len(strides)), key=lambda d: -strides[d]))
    kept = [d for d in order if tensor.shape[d] != 1]
    return None if kept == sorted(kept) else order


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
    if len(bounds) not in (1, 2) or not all(_is_integer(bound) for bound in bounds):
        raise _invalid(
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
    _check_tensor("bernoulli", "input", input)
    dtype = input.dtype if out is None else out.dtype
    if p is None:
        samples = _sampling.bernoulli_each(
            _stream(generator), _numbers(input), input.dtype, dtype
        )
    else:
        samples = _sampling.bernoulli(_stream(generator), tuple(input.shape), dtype, True, p)
    return _finish(_constant_of(from_array(samples, dtype), input), out, False)


def poisson(input: Tensor, generator=None) -> Tensor:
    """A Poisson sample for the rate in each element of `input`.

    Raises RuntimeError when a rate is negative.
    """
    _check_tensor("poisson", "input", input)
    samples = _sampling.poisson(_stream(generator), _numbers(input), input.dtype)
    return _constant_of(from_array(samples, input.dtype), input)


def binomial(count: Tensor, prob: Tensor, generator=None) -> Tensor:
    """The successes among `count` trials that each succeed with probability `prob`."""
    _check_tensor("binomial", "count", count)
    _check_tensor("binomial", "prob", prob, 2)
    from .build import broadcast_shapes

    broadcast_shapes(tuple(count.shape), tuple(prob.shape))
    samples = _sampling.binomial(
        _stream(generator), _numbers(count), _numbers(prob), count.dtype
    )
    return _constant_of(from_array(samples, count.dtype), count, prob)


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
    _check_tensor("multinomial", "input", input)
    if out is not None and out.dtype is not dtypes.int64:
        raise RuntimeError(
            f"multinomial expects Long tensor out, got: {out.dtype.legacy_name}"
        )
    samples = _sampling.multinomial(
        _stream(generator), _numbers(input), input.dtype, int(num_samples), bool(replacement)
    )
    return _finish(from_array(samples, dtypes.int64), out, False)


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
    order = None if like is None or tuple(like.shape) != shape else _dense_order(like)
    in_memory = shape if order is None else tuple(shape[d] for d in order)
    mask = _stream(generator).dropout_mask(in_memory, p, dtype.name)
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
        return _fill(self, name, generator, *values)

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
    valid = all(_is_integer(bound) for bound in bounds[:1]) and all(
        bound is None or _is_integer(bound) for bound in bounds[1:]
    )
    if keywords or len(bounds) > 2 or not valid:
        raise _invalid(
            "random_",
            received,
            "*, torch.Generator generator = None",
            "int from, int to, *, torch.Generator generator = None",
            "int to, *, torch.Generator generator = None",
        )
    bounds = tuple(bound if bound is None else int(bound) for bound in bounds)
    return _fill(self, "random", generator, *bounds)


def bernoulli_(self, p=0.5, *, generator=None):
    """Fills the tensor with 1 (probability `p`, a number or a tensor) and 0, and returns it."""
    if not isinstance(p, Tensor):
        return _fill(self, "bernoulli", generator, p)
    self._check_writable()
    order = _memory_order(self)
    chances = np.broadcast_to(_numbers(p), tuple(self.shape))
    if order is not None:
        chances = chances.transpose(order)
    samples = _sampling.bernoulli_each(_stream(generator), chances, p.dtype, self.dtype)
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


# States of generators


def tensor_of_bytes(state: np.ndarray) -> Tensor:
    """A uint8 tensor of a generator's state."""
    return from_array(state, dtypes.uint8)


def bytes_of_tensor(state) -> np.ndarray:
    """The bytes of a generator's state given as a uint8 tensor."""
    if not isinstance(state, Tensor):
        raise TypeError(f"expected a torch.ByteTensor, but got {type(state).__name__}")
    if state.dtype is not dtypes.uint8:
        raise TypeError("RNG state must be a torch.ByteTensor")
    return state._array()
