"""Making tensors: from data, from NumPy, filled, and by ranges."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import dtypes
from .dtypes import Size, default_dtype
from .dtypes import dtype as DType
from .graph.ir import full, p
from .ops.build import expand_to, node_of
from .ops.declare import operation
from .record.values import concrete
from .tensor import Tensor, from_array, from_value, pin

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


def _infer(data) -> tuple[Any, DType | None]:
    """(nested lists of numbers or an array, dtype that PyTorch infers)."""
    if isinstance(data, (bool, np.bool_)):
        return data, dtypes.bool_
    if isinstance(data, (int, np.integer)):
        if isinstance(data, np.integer):
            return data, dtypes.dtype_from_numpy(data.dtype)
        return data, dtypes.int64
    if isinstance(data, (float, np.floating)):
        if isinstance(data, np.floating):
            return data, dtypes.dtype_from_numpy(data.dtype)
        return data, default_dtype()
    if isinstance(data, (complex, np.complexfloating)):
        return data, default_dtype().to_complex()
    return data, None


def _array_of(data) -> tuple[np.ndarray, DType]:
    if isinstance(data, np.ndarray):
        return data, dtypes.dtype_from_numpy(data.dtype)
    if isinstance(data, Tensor):
        from .graph.interpret import from_storage
        return from_storage(data._array(), data.dtype), data.dtype
    plain, kind = _infer(data)
    if kind is not None:
        return np.array(plain, dtype=kind.compute), kind
    if hasattr(data, "__array__") and not isinstance(data, (list, tuple)):
        array = np.asarray(data)
        return array, dtypes.dtype_from_numpy(array.dtype)
    if isinstance(data, str):
        raise TypeError("new(): invalid data type 'str'")
    if not hasattr(data, "__len__") or not hasattr(data, "__getitem__"):
        raise TypeError(f"Could not infer dtype of {type(data).__name__}")
    return _array_of_sequence(data)


def _array_of_sequence(data) -> tuple[np.ndarray, DType]:
    if len(data) == 0:
        return np.zeros((0,), np.float32), default_dtype()
    flat = _flat_types(data)
    if flat and flat <= {bool, int, float, complex}:
        _check_ragged(data)
        kind = (default_dtype().to_complex() if complex in flat else default_dtype()
                if float in flat else dtypes.int64 if int in flat else dtypes.bool_)
        try:
            return np.array(data, dtype=kind.compute), kind
        except OverflowError:
            raise RuntimeError("Overflow when unpacking long long: an integer does not fit into "
                               "64 bits") from None
    parts = [_array_of(item) for item in data]
    shape = parts[0][0].shape
    for i, (array, _) in enumerate(parts):
        if array.shape != shape:
            raise ValueError(f"expected sequence of length {shape[0] if shape else 1} at dim 1 "
                             f"(got {array.shape[0] if array.shape else 1}): item {i} has another "
                             "shape")
    kind = parts[0][1]
    for _, other in parts[1:]:
        kind = dtypes.promote_types(kind, other)
    return np.stack([a.astype(kind.compute) for a, _ in parts]), kind


def _flat_types(data) -> set[type]:
    found: set[type] = set()
    stack = [data]
    while stack:
        for item in stack.pop():
            kind = type(item)
            if kind is list or kind is tuple:
                stack.append(item)
            else:
                found.add(kind)
    return found


def _check_ragged(data) -> None:
    def check(item, depth):
        lengths = [len(i) if isinstance(i, (list, tuple)) else None for i in item]
        for length in lengths:
            if length != lengths[0]:
                if length is None or lengths[0] is None:
                    raise TypeError("must be real number, not list" if lengths[0] is None else
                                    f"expected sequence of length {lengths[0]} at dim {depth} "
                                    "(got a number)")
                raise ValueError(f"expected sequence of length {lengths[0]} at dim {depth} (got "
                                 f"{length})")
        if lengths and lengths[0] is not None:
            for inner in item:
                check(inner, depth + 1)
    check(data, 1)


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
    array, kind = _array_of(data)
    if isinstance(data, np.ndarray) or array.base is not None:
        array = array.copy()
    if dtype is not None:
        if kind.category == 3 and dtype.category < 3:
            raise TypeError(f"can't convert complex to {dtype}")
        array = _convert(array, dtype)
    return _finish(new_array_tensor(array, dtype or kind), requires_grad)


def _convert(array: np.ndarray, dtype: DType) -> np.ndarray:
    if dtype.category == 1 and array.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            return np.trunc(array).astype(np.int64).astype(dtype.compute)
    return array.astype(dtype.compute)


def from_numpy(ndarray: np.ndarray) -> Tensor:
    """A tensor that shares memory with `ndarray`: writes on either side are seen by the other."""
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
    made._value.shared = True
    pin(made, ndarray)
    return made


def as_tensor(data, dtype: DType | None = None, device=None) -> Tensor:
    """`data` as a tensor, sharing memory with arrays and tensors where types allow."""
    check_device(device)
    if isinstance(data, Tensor):
        return data if dtype is None or data.dtype is dtype else data.to(dtype)
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
    made._value.shared = True
    pin(made, array)
    return _finish(made, requires_grad)


def scalar_tensor(s, *, dtype=None, device=None, requires_grad=False) -> Tensor:
    """A 0-d tensor of a number."""
    return tensor(s, dtype=dtype or default_dtype(), device=device, requires_grad=requires_grad)


# ---- filled -----------------------------------------------------------------------------------


def shape_of(size) -> tuple[int, ...]:
    """Sizes given as numbers or one sequence."""
    if len(size) == 1 and not isinstance(size[0], (int, np.integer)):
        first = size[0]
        if isinstance(first, Tensor) and first.ndim == 0:
            return (first.__index__(),)
        size = tuple(first)
    found = []
    for extent in size:
        if not isinstance(extent, int):
            if not hasattr(extent, "__index__"):
                raise TypeError(f"sizes must be integers, not {type(extent).__name__}: received "
                                f"{size!r}")
            extent = extent.__index__()
        if extent < 0:
            raise RuntimeError(f"Trying to create tensor with negative dimension {extent}: "
                               f"{list(size)}")
        found.append(extent)
    return tuple(found)


def _filled(shape, value, dtype, requires_grad: bool) -> Tensor:
    if value == 0:
        array = np.zeros(shape, dtype.storage)       # pages are not touched before they are used
        return _finish(from_value(concrete(array, dtype)), requires_grad)
    return _finish(new_array_tensor(np.full(shape, value, dtype.compute), dtype), requires_grad)


def _sized(value):
    def make(*size, out=None, dtype=None, layout=None, device=None, requires_grad=False,
             pin_memory=False, memory_format=None, names=None):
        check_device(device)
        check_options(layout)
        if names is not None:
            raise NotImplementedError("named tensors are not supported")
        made = _filled(shape_of(size), value, dtype or (out.dtype if out is not None else
                                                        default_dtype()), requires_grad)
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


zeros = _with_size_keyword(_sized(0), "zeros", "A tensor of zeros.")
ones = _with_size_keyword(_sized(1), "ones", "A tensor of ones.")
empty = _with_size_keyword(_sized(0), "empty",
                           "A tensor whose elements may be anything (here: zeros).")


def full_tensor(size, fill_value, *, out=None, dtype=None, layout=None, device=None,
                requires_grad=False, pin_memory=False) -> Tensor:
    """A tensor filled with a number."""
    check_device(device)
    check_options(layout)
    if isinstance(fill_value, Tensor):
        fill_value = fill_value.item()
    shape = shape_of(size if isinstance(size, (tuple, list, Size)) else (size,))
    kind = dtype or _infer(fill_value)[1]
    made = _filled(shape, fill_value, kind, requires_grad)
    if out is None:
        return made
    out._write_out(made)
    return out


def _like(value):
    def make(input, *, dtype=None, layout=None, device=None, requires_grad=False,
             memory_format=None, pin_memory=False):
        check_device(device)
        check_options(layout)
        return _filled(tuple(input.shape), value, dtype or input.dtype, requires_grad)
    return make


zeros_like, ones_like, empty_like = _like(0), _like(1), _like(0)
for _name, _function in (("zeros_like", zeros_like), ("ones_like", ones_like),
                         ("empty_like", empty_like)):
    _function.__name__ = _function.__qualname__ = _name
    _function.__doc__ = f"{_name.split('_')[0].capitalize()} in the shape and dtype of `input`."


def full_like(input, fill_value, *, dtype=None, layout=None, device=None, requires_grad=False,
              memory_format=None, pin_memory=False) -> Tensor:
    """A tensor in the shape and dtype of `input`, filled with a number."""
    return full_tensor(tuple(input.shape), fill_value, dtype=dtype or input.dtype, layout=layout,
                       device=device, requires_grad=requires_grad)


# ---- ranges -----------------------------------------------------------------------------------


def _number(x):
    return x.item() if isinstance(x, (Tensor, np.generic)) else x


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
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    kind = dtype or (out.dtype if out is not None else None)
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


def linspace(start, end, steps, *, out=None, dtype=None, layout=None, device=None,
             requires_grad=False) -> Tensor:
    """`steps` numbers from start to end, both included."""
    check_device(device)
    check_options(layout)
    kind = dtype or default_dtype()
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
    made = _finish(new_array_tensor(_convert(array, kind), kind), requires_grad)
    if out is None:
        return made
    out._write_out(made)
    return out


def logspace(start, end, steps, base=10.0, *, out=None, dtype=None, layout=None, device=None,
             requires_grad=False) -> Tensor:
    """base to the powers of linspace(start, end, steps)."""
    kind = dtype or default_dtype()
    powers = linspace(start, end, steps, dtype=dtypes.float64)._array()
    made = _finish(new_array_tensor(_convert(np.power(float(base), powers), kind), kind),
                   requires_grad)
    if out is None:
        return made
    out._write_out(made)
    return out


def eye(n, m=None, *, out=None, dtype=None, layout=None, device=None,
        requires_grad=False) -> Tensor:
    """The identity matrix."""
    check_device(device)
    check_options(layout)
    kind = dtype or default_dtype()
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
    kind = dtype or default_dtype()
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
