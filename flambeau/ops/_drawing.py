"""How random operations read their arguments, draw, and write tensors.

The middle of `ops.random`: between the public functions there and `ops._sampling`, which checks and
draws without tensors.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .. import dtypes
from ..construct import check_device
from ..graph.interpret import from_storage
from ..graph.ir import building
from ..random import Generator, default_generator
from ..runtime._out_of_memory import told
from ..tensor import Tensor, from_array
from . import _sampling

__all__ = [
    "bytes_of_tensor", "check_dtype", "check_options", "check_tensor", "constant_of",
    "dense_order", "fill", "finish", "invalid_arguments", "is_integer", "make", "memory_order",
    "numbers_of", "overwrite", "samples_for", "samples_of", "shape_argument", "stream_of",
    "tensor_of_bytes",
]


# Arguments


def stream_of(generator):
    """The NumPy generator behind `generator`, or behind the default one."""
    if generator is None:
        return default_generator.stream
    if not isinstance(generator, Generator):
        raise TypeError(
            f"generator must be a torch.Generator or None, received {type(generator).__name__}"
        )
    return generator.stream


def invalid_arguments(name: str, received, *forms: str) -> TypeError:
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


def shape_argument(name: str, size, position: int = 1) -> tuple[int, ...]:
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


def check_options(name: str, layout=None, device=None, pin_memory: bool = False) -> None:
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


def check_dtype(name: str, dtype, default) -> dtypes.dtype:
    if dtype is None:
        return default
    dtype = dtypes.as_dtype(dtype)
    if not isinstance(dtype, dtypes.dtype):
        raise TypeError(
            f"{name}() received an invalid combination of arguments - got "
            f"(dtype={type(dtype).__name__}), but expected a torch.dtype"
        )
    return dtype


def check_tensor(name: str, argument: str, value, position: int = 1) -> None:
    if not isinstance(value, Tensor):
        raise TypeError(
            f"{name}(): argument '{argument}' (position {position}) must be Tensor, not "
            f"{type(value).__name__}"
        )


def numbers_of(tensor: Tensor) -> np.ndarray:
    """The elements in a type that NumPy computes with (bfloat16 as float32)."""
    return from_storage(tensor._array(), tensor.dtype)


def is_integer(value) -> bool:
    return (
        hasattr(value, "__index__")
        and not isinstance(value, bool)
        and not (isinstance(value, Tensor) and (value.numel() != 1 or value.dtype.category > 1))
    )


# Filling memory


def memory_order(tensor: Tensor) -> tuple[int, ...] | None:
    """The dimensions from the slowest to the fastest in memory; None when contiguous.

    PyTorch's kernels fill tensors in the order of memory, so `w.t().uniform_()` writes the same
    memory as `w.uniform_()`.
    """
    if not tensor._path() or tensor.is_contiguous():
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


def dense_order(tensor: Tensor) -> tuple[int, ...] | None:
    """The order of dimensions in which a new tensor "like" this one lies in memory."""
    if not tensor._path() or tensor.is_contiguous():
        return None
    strides = tensor.stride()
    order = tuple(sorted(range(len(strides)), key=lambda d: -strides[d]))
    kept = [d for d in order if tensor.shape[d] != 1]
    return None if kept == sorted(kept) else order


def samples_for(tensor: Tensor, kind: str, generator, *parameters, fresh: bool = False):
    """Samples of a kind as an array of `tensor`'s shape, drawn in the order of its memory.

    `fresh` asks for what a new tensor like this one would be filled with.
    """
    order = dense_order(tensor) if fresh else memory_order(tensor)
    return samples_of(tuple(tensor.shape), order, tensor.dtype, kind, generator, *parameters)


@told
def samples_of(shape, order, dtype, kind: str, generator, *parameters) -> np.ndarray:
    """Samples of `shape`, drawn with the dimensions in `order` (None: contiguous memory)."""
    sampler: Callable[..., np.ndarray] = _sampling.SAMPLERS[kind]
    stream = stream_of(generator)
    if order is None:
        return sampler(stream, shape, dtype, True, *parameters)
    in_memory = tuple(shape[d] for d in order)
    samples = sampler(stream, in_memory, dtype, False, *parameters)
    return samples.transpose(np.argsort(order))


def fill(tensor: Tensor, kind: str, generator, *parameters) -> Tensor:
    """Overwrites `tensor` with samples of a kind; the body of every in-place method."""
    tensor._check_writable()
    return overwrite(tensor, samples_for(tensor, kind, generator, *parameters))


def overwrite(tensor: Tensor, samples: np.ndarray) -> Tensor:
    """Writes an array in the storage type of `tensor` to it."""
    if tensor.numel():
        tensor._assign(constant_of(from_array(samples, tensor.dtype), tensor))
    return tensor


def constant_of(result: Tensor, *inputs: Tensor) -> Tensor:
    """`result`, with a gradient of zero towards those `inputs` that require one, as PyTorch has."""
    if building.grad_enabled:
        for tensor in inputs:
            if tensor.requires_grad and tensor.dtype.category >= 2:
                from .. import where

                never = from_array(np.zeros((), bool))
                result = where(never, tensor.to(result.dtype), result)
    return result


def finish(result: Tensor, out: Tensor | None, requires_grad: bool) -> Tensor:
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


def make(name, kind, shape, dtype, default, out, generator, requires_grad, *parameters):
    """A new tensor of samples, or `out` filled with them."""
    if out is not None:
        check_tensor(name, "out", out)
        if dtype is not None and dtype is not out.dtype:
            raise RuntimeError(
                f"dtype {dtype.legacy_name} does not match dtype of out parameter "
                f"({out.dtype.legacy_name})"
            )
        dtype = out.dtype
        if out.shape == shape:
            return fill(out, kind, generator, *parameters)
    dtype = check_dtype(name, dtype, default)
    samples = samples_of(shape, None, dtype, kind, generator, *parameters)
    return finish(from_array(samples, dtype), out, requires_grad)


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
