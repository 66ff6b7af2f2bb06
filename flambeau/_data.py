"""What users hand over to make tensors of: numbers, nested sequences, arrays and sizes."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from . import dtypes
from .dtypes import default_dtype
from .dtypes import dtype as DType
from .ops._arguments import type_name
from .tensor import Tensor

__all__ = ["array_of", "as_type", "check_like", "dtype_of_number", "shape_of"]

_limits = functools.cache(dtypes.iinfo)


def dtype_of_number(x) -> DType | None:
    """The dtype that PyTorch infers for a number; None for anything else."""
    if isinstance(x, np.generic):
        return dtypes.dtype_from_numpy(x.dtype)
    if isinstance(x, bool):
        return dtypes.bool_
    if isinstance(x, int):
        return dtypes.int64
    if isinstance(x, float):
        return default_dtype()
    if isinstance(x, complex):
        return default_dtype().to_complex()
    return None


def array_of(data, wide: bool = False) -> tuple[np.ndarray, DType]:
    """`data` as an array of the inferred dtype's compute type, and that dtype.

    wide: leave Python's floating-point numbers in double precision, for another dtype.
    """
    if isinstance(data, np.ndarray):
        return data, dtypes.dtype_from_numpy(data.dtype)
    if isinstance(data, Tensor):
        from .graph.interpret import from_storage
        return from_storage(data._array(), data.dtype), data.dtype
    kind = dtype_of_number(data)
    if kind is not None:
        return _as_array(data, kind, wide), kind
    if hasattr(data, "__array__") and not isinstance(data, (list, tuple)):
        array = np.asarray(data)
        return array, dtypes.dtype_from_numpy(array.dtype)
    if isinstance(data, str):
        raise TypeError("new(): invalid data type 'str'")
    if not hasattr(data, "__len__") or not hasattr(data, "__getitem__") or isinstance(data, dict):
        raise RuntimeError(f"Could not infer dtype of {type(data).__name__}: expected numbers, "
                           "sequences of numbers or arrays")
    return _array_of_sequence(data, wide)


_WIDE = {2: np.float64, 3: np.complex128}


def _as_array(data, kind: DType, wide: bool) -> np.ndarray:
    try:
        with np.errstate(over="ignore"):           # 1e39 is infinite in 32 bits
            return np.array(data, dtype=_WIDE.get(kind.category, kind.compute) if wide
                            else kind.compute)
    except OverflowError:
        raise ValueError("Overflow when unpacking long long: an integer does not fit into 64 "
                         "bits") from None


def _array_of_sequence(data, wide: bool) -> tuple[np.ndarray, DType]:
    if len(data) == 0:
        return np.zeros((0,), np.float32), default_dtype()
    flat = _flat_types(data)
    if flat and flat <= {bool, int, float, complex}:
        kind = (default_dtype().to_complex() if complex in flat else default_dtype()
                if float in flat else dtypes.int64 if int in flat else dtypes.bool_)
        _check_ragged(data, 1, kind)
        return _as_array(data, kind, wide), kind
    parts = [_item(item, wide) for item in data]
    shape = parts[0][0].shape
    for i, (array, _) in enumerate(parts):
        if array.shape != shape:
            raise ValueError(f"expected sequence of length {shape[0] if shape else 1} at dim 1 "
                             f"(got {array.shape[0] if array.shape else 1}): item {i} has another "
                             "shape")
    kind = parts[0][1]
    for _, other in parts[1:]:
        kind = dtypes.promote_types(kind, other)
    form = kind.compute if not wide else np.result_type(kind.compute, *(a for a, _ in parts))
    return np.stack([a.astype(form) for a, _ in parts]), kind


def _item(item, wide: bool) -> tuple[np.ndarray, DType]:
    """An element of a sequence; of tensors, those that stand for a number."""
    array, kind = array_of(item, wide)
    if isinstance(item, Tensor):
        if array.size != 1:
            raise ValueError("only one element tensors can be converted to Python scalars: "
                             f"received shape {list(item.shape)}; torch.stack joins tensors")
        array = array.reshape(())
    return array, kind


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


def _check_ragged(items, depth: int, kind: DType) -> None:
    lengths = [len(i) if isinstance(i, (list, tuple)) else None for i in items]
    for length in lengths:
        if length == lengths[0]:
            continue
        if lengths[0] is None:
            raise TypeError("'list' object cannot be interpreted as an integer" if kind.category < 2
                            else "must be real number, not list")
        if length is None:
            raise TypeError(f"not a sequence: expected one of length {lengths[0]} at dim {depth}, "
                            "received a number")
        raise ValueError(f"expected sequence of length {lengths[0]} at dim {depth} (got {length})")
    if lengths and lengths[0] is not None:
        for inner in items:
            _check_ragged(inner, depth + 1, kind)


def as_type(array: np.ndarray, dtype: DType, checked: bool = False) -> np.ndarray:
    """`array` in the compute type of `dtype`; checked: integers must fit, as Python numbers do."""
    if dtype.category == 1 and array.dtype.kind in "fi":
        if checked and array.size:
            limits = _limits(dtype)
            low = -limits.max - 1 if limits.min == 0 else limits.min    # -1 may mean 255
            if array.min() < low or array.max() > limits.max:
                raise RuntimeError(f"value cannot be converted to type {dtype.name} without "
                                   f"overflow: it must lie between {limits.min} and {limits.max}")
        if array.dtype.kind == "f":
            with np.errstate(invalid="ignore"):
                return np.trunc(array).astype(np.int64).astype(dtype.compute)
    return array.astype(dtype.compute)


def shape_of(size, name: str = "new") -> tuple[int, ...]:
    """Sizes given as numbers or one sequence, to the function `name`."""
    start = f"{name}(): argument 'size'"
    first = size[0] if size else None
    if len(size) == 1 and (isinstance(first, (bool, float, str, type(None)))
                           or not hasattr(first, "__index__") and not hasattr(first, "__iter__")):
        raise TypeError(f"{start} (position 1) must be tuple of ints, not {type_name(first)}")
    if len(size) == 1 and not isinstance(first, (int, np.integer)):
        if isinstance(first, Tensor) and first.ndim == 0:
            return (first.__index__(),)
        size = tuple(first)          # type: ignore[arg-type]
    found: list[Any] = []
    for place, extent in enumerate(size):
        if not isinstance(extent, int):
            if not hasattr(extent, "__index__"):
                if place == 0:
                    raise TypeError(f"{start} (position 1) must be tuple of ints, but found "
                                    f"element of type {type_name(extent)} at pos 0")
                raise TypeError(f"{start} failed to unpack the object at pos {place + 1} with "
                                f'error "type must be tuple of ints,but got {type_name(extent)}"')
            extent = extent.__index__()
        found.append(extent)
    if any(extent < 0 for extent in found):
        if name == "zeros":
            raise RuntimeError("zeros: Dimension size must be non-negative. Received "
                               f"{found}")
        worst = next(extent for extent in found if extent < 0)
        raise RuntimeError(f"Trying to create tensor with negative dimension {worst}: {found}")
    return tuple(found)


def check_like(name: str, input) -> None:
    """Raise unless `input`, whose shape and dtype are wanted, is a tensor."""
    if not isinstance(input, Tensor):
        raise TypeError(f"{name}(): argument 'input' (position 1) must be Tensor, not "
                        f"{type_name(input)}")
