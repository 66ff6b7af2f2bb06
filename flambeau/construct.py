"""Making tensors: from data, from NumPy, filled, and by ranges."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import dtypes
from ._data import array_of, as_type, check_like, dtype_of_number, shape_of
from ._sharing import pin
from .dtypes import Size, check_fits, default_dtype
from .dtypes import dtype as DType
from .graph.ir import full, p
from .ops._arguments import type_name
from .ops.build import expand_to, node_of
from .ops.declare import operation
from .record.values import concrete
from .runtime._out_of_memory import told
from .tensor import Tensor, from_array, from_value

__all__ = [
    "arange", "as_tensor", "asarray", "check_device", "empty", "empty_like", "eye", "from_numpy",
    "frombuffer", "full_like", "full_tensor", "legacy_tensor", "linspace", "logspace",
    "new_array_tensor", "ones", "ones_like", "scalar_tensor", "shape_of", "tensor", "zeros",
    "zeros_like",
]

_CPU_ONLY = ("cpu",)
_default_device: list[Any] = [None]


def check_device(device) -> None:
    """Raise unless `device` can be used here."""
    if device is None:
        device = _default_device[0]
        if device is None:
            return
    kind = dtypes.device(device).type
    if kind == "cpu":
        return
    if isinstance(device, int):
        raise RuntimeError("Cannot access accelerator device when none is available: tensors live "
                           "on the CPU.")
    if kind == "cuda":
        raise AssertionError("Torch not compiled with CUDA enabled: this build has no CUDA device. "
                             "Use torch.cuda.is_available() before asking for one.")
    raise NotImplementedError(f"device '{kind}' is not supported; tensors live on the CPU")


def check_options(layout=None, pin_memory=False, memory_format=None) -> None:
    """Raise for options that have no meaning here."""
    if layout is not None and layout is not dtypes.strided:
        raise NotImplementedError(f"layout {layout} is not supported: tensors are dense (strided)")


def _finish(made: Tensor, requires_grad: bool) -> Tensor:
    if requires_grad:
        if made.dtype.category < 2:
            raise RuntimeError("Only Tensors of floating point and complex dtype can require "
                               f"gradients (received {made.dtype})")
        made.requires_grad_()
    return made


def new_array_tensor(array: np.ndarray, dtype: DType) -> Tensor:
    """A tensor of `dtype` owning `array` (in the dtype's compute type)."""
    if dtype is dtypes.bfloat16:
        from .graph.interpret import round_to_bfloat16
        array = round_to_bfloat16(array.astype(np.float32))
    else:
        array = np.ascontiguousarray(array, dtype=dtype.storage).reshape(array.shape)
    return from_value(concrete(array, dtype))


# ---- from data --------------------------------------------------------------------------------


def tensor(data, *, dtype: DType | None = None, device=None, requires_grad: bool = False,
           pin_memory: bool = False) -> Tensor:
    """A new tensor with a copy of `data` (numbers, nested sequences, arrays or tensors).

    >>> import flambeau as torch
    >>> torch.tensor([[1, 2], [3, 4]])
    tensor([[1, 2],
            [3, 4]])
    """
    check_device(device)
    if isinstance(data, Tensor):
        import warnings
        warnings.warn("To copy construct from a tensor, it is recommended to use "
                      "sourceTensor.detach().clone() or "
                      "sourceTensor.detach().clone().requires_grad_(True), rather than "
                      "torch.tensor(sourceTensor).", UserWarning, stacklevel=2)
        made = data.detach().clone()
        return _finish(made if dtype is None else made.to(dtype), requires_grad)
    dtype = dtypes.as_dtype(dtype)
    _check_types("tensor", dtype, device)
    array, kind = array_of(data, dtype is not None)
    if isinstance(data, np.ndarray) or array.base is not None:
        array = array.copy()
    if dtype is not None:
        if kind.category == 3 and dtype.category < 3:
            raise TypeError("must be real number, not complex" if dtype.category == 2 else
                            "'complex' object cannot be interpreted as an integer")
        array = as_type(array, dtype, not isinstance(data, np.ndarray))
    return _finish(new_array_tensor(array, dtype or kind), requires_grad)


def from_numpy(ndarray: np.ndarray) -> Tensor:
    """A tensor that shares memory with `ndarray`: writes on either side are seen by the other.

    An array whose elements do not lie in row-major order without gaps (``array.T``) is copied.
    """
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    kind = dtypes.dtype_from_numpy(ndarray.dtype)
    if any(s < 0 for s in ndarray.strides):
        raise ValueError("At least one stride in the given numpy array is negative, and tensors "
                         "with negative strides are not currently supported. (You can probably "
                         "work around this by making a copy of your array  with array.copy().)")
    if not ndarray.dtype.isnative:
        raise ValueError("given numpy array has byte order different from the native byte order. "
                         "Conversion between byte orders is currently not supported.")
    if ndarray.flags.c_contiguous:
        made = from_value(concrete(ndarray, kind))
    else:
        made = from_value(concrete(np.ascontiguousarray(ndarray).reshape(ndarray.shape), kind))
    pin(made._share(), ndarray)
    return made


def as_tensor(data, dtype: DType | None = None, device=None) -> Tensor:
    """`data` as a tensor, sharing memory with arrays and tensors where types allow."""
    check_device(device)
    if isinstance(data, Tensor):
        return data if dtype is None else data.to(dtype)
    if isinstance(data, np.ndarray) and (dtype is None
                                         or dtypes.dtype_from_numpy(data.dtype) is dtype):
        return from_numpy(data)
    return tensor(data, dtype=dtype)


def asarray(obj, *, dtype=None, device=None, copy=None, requires_grad=False) -> Tensor:
    """`obj` as a tensor; copy=True copies, copy=False raises if it must."""
    check_device(device)
    if copy:
        if isinstance(obj, Tensor):
            obj = obj.detach().clone()
            return _finish(obj if dtype is None else obj.to(dtype), requires_grad)
        return tensor(obj, dtype=dtype, requires_grad=requires_grad)
    return _finish(as_tensor(obj, dtype), requires_grad)


def frombuffer(buffer, *, dtype: DType, count: int = -1, offset: int = 0,
               requires_grad: bool = False) -> Tensor:
    """A 1-d tensor sharing memory with an object of the buffer protocol."""
    array = np.frombuffer(buffer, dtype.storage, count, offset)
    if not array.flags.writeable:          # nothing may be written through it: a copy is the same
        return _finish(from_array(array.copy(), dtype), requires_grad)
    made = from_value(concrete(array, dtype))
    pin(made._share(), array)
    return _finish(made, requires_grad)


def scalar_tensor(s, *, dtype=None, layout=None, device=None, requires_grad=False,
                  pin_memory=False) -> Tensor:
    """A 0-d tensor of a number."""
    check_options(layout)
    return tensor(s, dtype=dtype or default_dtype(), device=device, requires_grad=requires_grad)


# ---- filled -----------------------------------------------------------------------------------


@told
def _filled(shape, value, dtype, requires_grad: bool) -> Tensor:
    dtype = dtypes.as_dtype(dtype)
    if value == 0 and str(value)[0] != "-":
        array = np.zeros(shape, dtype.storage)       # pages are not touched before they are used
        return _finish(from_value(concrete(array, dtype)), requires_grad)
    check_fits(value, dtype)
    if dtype.category == 1:
        value = np.asarray(int(value)).astype(dtype.compute)
    return _finish(new_array_tensor(np.full(shape, value, dtype.compute), dtype), requires_grad)


def _check_types(name: str, dtype, device=None) -> None:
    if dtype is not None and not isinstance(dtype, DType):
        if not isinstance(dtypes.as_dtype(dtype), DType):
            raise TypeError(f"{name}(): argument 'dtype' must be torch.dtype, not "
                            f"{type_name(dtype)}")
    if not isinstance(device, (str, int, dtypes.device, type(None))):
        raise TypeError(f"{name}(): argument 'device' must be torch.device, not "
                        f"{type_name(device)}")


def _sized(name: str, value):
    def make(*size, out=None, dtype=None, layout=None, device=None, requires_grad=False,
             pin_memory=False, memory_format=None, names=None):
        _check_types(name, dtype, device)
        check_device(device)
        check_options(layout)
        if names is not None:
            raise NotImplementedError("named tensors are not supported")
        if out is not None and not isinstance(out, Tensor):
            raise TypeError(f"{name}(): argument 'out' must be Tensor, not {type_name(out)}")
        made = _filled(shape_of(size, name), value, dtype or (
            out.dtype if out is not None else default_dtype()), requires_grad)
        if out is None:
            return made
        out._write_out(made)
        return out
    return make


def _with_size_keyword(make, name, description):
    def function(*size, **options):
        if "size" in options:
            size = (options.pop("size"),)
        return make(*size, **options)
    function.__name__ = function.__qualname__ = name
    function.__doc__ = description
    return function


zeros = _with_size_keyword(_sized("zeros", 0), "zeros", "A tensor of zeros.")
ones = _with_size_keyword(_sized("ones", 1), "ones", "A tensor of ones.")
empty = _with_size_keyword(_sized("empty", 0), "empty",
                           "A tensor whose elements may be anything (here: zeros).")


def full_tensor(size, fill_value, *, out=None, dtype=None, layout=None, device=None,
                requires_grad=False, pin_memory=False) -> Tensor:
    """A tensor filled with a number."""
    check_device(device)
    check_options(layout)
    if isinstance(fill_value, Tensor):
        fill_value = fill_value.item()
    if dtype_of_number(fill_value) is None:
        raise TypeError("full(): argument 'fill_value' (position 2) must be Number, not "
                        f"{type_name(fill_value)}")
    shape = shape_of(size if isinstance(size, (tuple, list, Size)) else (size,), "full")
    kind = dtype or dtype_of_number(fill_value)
    made = _filled(shape, fill_value, kind, requires_grad)
    if out is None:
        return made
    out._write_out(made)
    return out


def _like(name: str, value):
    def make(input, *, dtype=None, layout=None, device=None, requires_grad=False,
             memory_format=None, pin_memory=False):
        check_device(device)
        check_options(layout)
        check_like(name, input)
        return _filled(tuple(input.shape), value, dtype or input.dtype, requires_grad)
    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"{name.split('_')[0].capitalize()} in the shape and dtype of `input`."
    return make


zeros_like, ones_like = _like("zeros_like", 0), _like("ones_like", 1)
empty_like = _like("empty_like", 0)


def full_like(input, fill_value, *, dtype=None, layout=None, device=None, requires_grad=False,
              memory_format=None, pin_memory=False) -> Tensor:
    """A tensor in the shape and dtype of `input`, filled with a number."""
    check_like("full_like", input)
    return full_tensor(tuple(input.shape), fill_value, dtype=dtype or input.dtype, layout=layout,
                       device=device, requires_grad=requires_grad)


# ---- ranges -----------------------------------------------------------------------------------


def _number(x):
    return x.item() if isinstance(x, (Tensor, np.generic)) else x


@told
def arange(start, end=None, step=1, *, out=None, dtype=None, layout=None, device=None,
           requires_grad=False, pin_memory=False) -> Tensor:
    """start, start + step, … below end.

    >>> import flambeau as torch
    >>> torch.arange(1, 2.5, 0.5)
    tensor([1.0000, 1.5000, 2.0000])
    """
    check_device(device)
    check_options(layout)
    if end is None:
        start, end = 0, start
    start, end, step = _number(start), _number(end), _number(step)
    for word, bound in (("start", start), ("end", end), ("step", step)):
        if dtype_of_number(bound) is None:
            raise TypeError(f"arange(): argument '{word}' must be Number, not {type_name(bound)}")
    if not (math.isfinite(start) and math.isfinite(end)):
        raise RuntimeError(f"unsupported range: {start} -> {end}")
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    kind = dtypes.as_dtype(dtype) or (out.dtype if out is not None else None)
    if kind is None:
        whole = all(isinstance(v, int) for v in (start, end, step))
        kind = dtypes.int64 if whole else default_dtype()
    count = max(0, math.ceil((end - start) / step))
    wide = np.float64 if kind.category == 2 else np.int64
    if kind.category < 2:
        start, step = int(start), int(step)
    array = (start + step * np.arange(count, dtype=wide)).astype(kind.compute)
    made = _finish(new_array_tensor(array, kind), requires_grad)
    if out is None:
        return made
    out._write_out(made)
    return out


def _check_steps(name: str, start, end, steps) -> None:
    if isinstance(steps, float):
        raise TypeError(f"{name}() received an invalid combination of arguments - got "
                        f"({type_name(start)}, {type_name(end)}, float), but expected one of: a "
                        "whole number of steps")


@told
def linspace(start, end, steps, *, out=None, dtype=None, layout=None, device=None,
             requires_grad=False, pin_memory=False) -> Tensor:
    """`steps` numbers from start to end, both included."""
    _check_steps("linspace", start, end, steps)
    check_device(device)
    check_options(layout)
    kind = dtypes.as_dtype(dtype) or default_dtype()
    start, end, steps = _number(start), _number(end), _number(steps)
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    real = kind.compute.type
    with np.errstate(all="ignore"):
        if kind.category == 2:
            # from both ends in the tensor's own precision, as PyTorch's kernel does
            step = real((real(end) - real(start)) / real(max(1, steps - 1)))
            index = np.arange(steps)
            low = real(start) + step * index.astype(kind.compute)
            high = real(end) - step * (steps - 1 - index).astype(kind.compute)
            array = np.where(index < steps // 2, low, high).astype(kind.compute)
            if steps == 1:
                array = np.array([start], kind.compute)
        else:
            array = np.linspace(start, end, steps)
    made = _finish(new_array_tensor(as_type(array, kind), kind), requires_grad)
    if out is None:
        return made
    out._write_out(made)
    return out


@told
def logspace(start, end, steps, base=10.0, *, out=None, dtype=None, layout=None, device=None,
             requires_grad=False, pin_memory=False) -> Tensor:
    """base to the powers of linspace(start, end, steps)."""
    _check_steps("logspace", start, end, steps)
    check_device(device)
    check_options(layout)
    kind = dtypes.as_dtype(dtype) or default_dtype()
    powers = linspace(start, end, steps, dtype=dtypes.float64)._array()
    made = _finish(new_array_tensor(as_type(np.power(float(base), powers), kind), kind),
                   requires_grad)
    if out is None:
        return made
    out._write_out(made)
    return out


@told
def eye(n, m=None, *, out=None, dtype=None, layout=None, device=None,
        requires_grad=False, pin_memory=False) -> Tensor:
    """The identity matrix."""
    check_device(device)
    check_options(layout)
    kind = dtypes.as_dtype(dtype) or default_dtype()
    for word, extent in (("n", n), ("m", n if m is None else m)):
        if not hasattr(extent, "__index__"):
            raise TypeError(f"eye(): argument '{word}' (position {1 + (word == 'm')}) must be "
                            f"int, not {type_name(extent)}")
        if extent < 0:
            raise RuntimeError(f"{word} must be greater or equal to 0, got {extent}")
    made = _finish(new_array_tensor(np.eye(n, m, dtype=kind.compute), kind), requires_grad)
    if out is None:
        return made
    out._write_out(made)
    return out


# ---- the old constructors ---------------------------------------------------------------------


def legacy_tensor(cls, *args, dtype: DType | None = None, device=None, **options) -> Tensor:
    """``Tensor(2, 3)``, ``Tensor([1, 2])``: sizes or data, in the default type."""
    check_device(device)
    if options:
        raise TypeError(f"new() received an unexpected keyword: {sorted(options)[0]}")
    kind = dtypes.as_dtype(dtype) or default_dtype()
    if not args:
        made = _filled((0,), 0, kind, False)
    elif len(args) == 1 and not isinstance(args[0], (int, Size, np.integer)):
        data = args[0]
        if isinstance(data, Tensor):
            made = data if data.dtype is kind else data.detach().to(kind)
        else:
            made = tensor(data, dtype=kind)
    else:
        made = _filled(shape_of(args), 0, kind, False)
    if cls is Tensor:
        return made
    other = from_value(made._fetch(), cls)
    return other


@operation("_fill", namespace="_private")
def fill(input: Tensor, value: Tensor | Number):
    """Every element `value`."""
    value = node_of(value)
    if value.ndim:
        raise RuntimeError("fill_ only supports 0-dimension value tensor but got tensor with "
                           f"{value.ndim} dimensions.")
    from .graph.primitives.pointwise import cast
    filled = expand_to(cast(value, input.dtype), input.shape)
    if not input.requires_grad:
        return filled
    # still a function of the input, whose gradient is 0: a computed tensor stays computed
    return p.where(full(input.shape, True, dtypes.bool_), filled, input)
