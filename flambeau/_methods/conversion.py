"""Tensor's methods that convert: to numbers, other types and devices, and to text."""

from __future__ import annotations

import ctypes
from typing import Any

from .. import _printing, dtypes
from ..construct import check_device
from ..dtypes import dtype as DType
from ..graph.interpret import from_storage
from ..ops._arguments import type_name
from ..ops.declare import DECLARED
from ..tensor import Tensor

__all__: list[str] = []

_NUMBERS: dict[DType, Any] = {dtypes.float32: ctypes.c_float, dtypes.float64: ctypes.c_double,
                              dtypes.int64: ctypes.c_int64, dtypes.int32: ctypes.c_int32}


def _item(self) -> Any:
    """The element of a one-element tensor as a Python number."""
    value = self._value if self._storage is None else self._fetch()
    aval = value.aval
    if aval.numel != 1:
        raise RuntimeError(f"a Tensor with {aval.numel} elements cannot be converted to Scalar")
    if value.trace is not None and not value.is_concrete:
        value.trace.flush_here()
    kind = _NUMBERS.get(aval.dtype)
    if kind is not None and value._array is None and value._buffer is not None:
        return kind.from_address(value._buffer.pointer).value        # NumPy would take 4 us
    return from_storage(self._array(), aval.dtype).item()


def _tolist(self):
    """The elements as nested lists of Python numbers."""
    return from_storage(self._array(), self.dtype).tolist()


def _to_dtype(self, dtype: DType, copy: bool = False):
    if dtype is self.dtype:
        return DECLARED["clone"].function(self) if copy else self
    dtype = dtypes.as_dtype(dtype)
    if not isinstance(dtype, DType):
        raise TypeError("to() received an invalid combination of arguments - got "
                        f"({type_name(dtype)}): a torch.dtype, a device or a tensor is expected")
    return DECLARED["_private.to_dtype"].function(self, dtype)


def _to(self, *given, device=None, dtype=None, non_blocking=False, copy=False,
        memory_format=None):
    """This tensor with another dtype or on another device."""
    for x in given:
        if isinstance(x, (DType, type)):
            dtype = x
        elif isinstance(x, Tensor):
            dtype, device = x.dtype, x.device
        elif x is not None and not isinstance(x, bool):      # a bool is non_blocking
            device = x
    if device is not None:
        if dtypes.device(device).type == "meta":
            raise NotImplementedError("meta tensors are not supported")
        check_device(device)
    out = _to_dtype(self, dtype if dtype is not None else self.dtype, copy)
    if memory_format in (dtypes.channels_last, dtypes.channels_last_3d):
        # the compiler chooses layouts itself; the wish is remembered for is_contiguous()
        out = out if out is not self else DECLARED["_private.alias"].function(self)
        out._memory_format = memory_format
    return out


def _caster(kind: DType):
    def method(self, memory_format=None):
        return _to_dtype(self, kind)
    method.__doc__ = f"The elements as {kind!r}."
    return method


def _type(self, dtype=None, non_blocking=False):
    """The name of the tensor's type, or the tensor as another type."""
    if dtype is None:
        return f"torch.{self.dtype.legacy_name}Tensor"
    if isinstance(dtype, str):
        found = [d for d in dtypes.ALL_DTYPES if dtype == f"torch.{d.legacy_name}Tensor"]
        if not found:
            raise ValueError(f"invalid type: '{dtype}'")
        return _to_dtype(self, found[0])
    kind = getattr(dtype, "dtype", dtype) if not isinstance(dtype, DType) else dtype
    return _to_dtype(self, kind)


def _cuda(self, device=None, non_blocking=False, memory_format=None):
    """This tensor on a CUDA device; raises without one."""
    check_device("cuda" if device is None else device)
    return self


def _bool(self) -> bool:
    if self.numel() != 1:
        if self.numel() == 0:
            raise RuntimeError("Boolean value of Tensor with no values is ambiguous")
        raise RuntimeError("Boolean value of Tensor with more than one value is ambiguous")
    return bool(_item(self))


def _integer(self) -> int:
    if self.dtype.category > 1 or self.numel() != 1:
        raise TypeError("only integer tensors of a single element can be converted to an index")
    return int(_item(self))


def _iterate(self):
    if self.ndim == 0:
        raise TypeError("iteration over a 0-d tensor")
    return iter(DECLARED["unbind"].function(self, 0))


def _repr(self, *, tensor_contents=None) -> str:
    remarks = []
    array = from_storage(self._array(), self.dtype)
    kind = self.dtype
    plain = (kind is dtypes.default_dtype() or kind is dtypes.bool_
             or kind is dtypes.int64 or kind is dtypes.default_dtype().to_complex())
    if not plain or (self.numel() == 0 and kind is not dtypes.default_dtype()):
        remarks.append(f"dtype={kind!r}")
    if self._requires_grad:
        remarks.append("requires_grad=True")
    elif self.requires_grad:
        remarks.append(f"grad_fn=<{_grad_fn_name(self)}>")
    prefix = getattr(type(self), "_print_prefix", "tensor(")
    return _printing.tensor_text(array, kind, remarks, prefix)


_BACKWARD_NAMES = {"contract": "Mm", "reduce_sum": "Sum", "reshape": "View", "slice": "Slice",
                   "permute": "Permute", "concatenate": "Cat", "cast": "ToCopy",
                   "convolve": "Convolution", "take": "Index", "reduce_max": "Amax"}


def _grad_fn_name(self) -> str:
    from ..autograd.nodes import node_name
    return node_name(self)


def _format(self, spec: str) -> str:
    if self.ndim == 0 and type(self) is not None:
        return format(_item(self), spec) if spec else (
            str(self) if self.requires_grad else format(_item(self), spec))
    return object.__format__(self, spec)


def _contains(self, element) -> bool:
    return bool(_item(DECLARED["any"].function(DECLARED["eq"].function(self, element))))
