"""Tensor's methods that write or replace its memory."""

from __future__ import annotations

import numpy as np

from .._data import shape_of
from .._sharing import OVERWRITE
from ..construct import full_tensor, tensor
from ..dtypes import check_fits
from ..graph.ir import building
from ..ops._arguments import type_name
from ..ops.build import broadcast_shapes
from ..ops.declare import DECLARED
from ..record.trace import record
from ..record.values import concrete
from ..tensor import Tensor, from_array, from_value
from .conversion import _to_dtype
from .memory import _row_major

__all__: list[str] = []


def _overwriting(old: Tensor, new: Tensor) -> Tensor:
    """`new`, to be written over all of `old`, whose gradient is then zero rather than missing."""
    if not building.grad_enabled or old._requires_grad or not old.requires_grad:
        return new
    return from_value(record(OVERWRITE, (new, old), ())[1][0])


def _copy(self, src, non_blocking: bool = False):
    """Write the elements of src (broadcast and cast) into this tensor."""
    if not isinstance(src, Tensor):
        if not isinstance(src, (int, float, complex)):
            raise TypeError("copy_(): argument 'other' (position 1) must be Tensor, not "
                            f"{type_name(src)}")
        src = tensor(src)
    self._check_writable()
    given = src if src.dtype is self.dtype else _to_dtype(src, self.dtype)
    if given.shape != self.shape:
        broadcast_shapes(tuple(self.shape), tuple(given.shape))
        given = DECLARED["expand"].function(given, tuple(self.shape))
    if given is src or given._storage is not None:
        given = DECLARED["clone"].function(given)
    return self._assign(_overwriting(self, given))


def _fill(self, value):
    """Set all elements to a number."""
    self._check_writable()
    check_fits(value, self.dtype)
    return self._assign(DECLARED["_private._fill"].function(self, value))


def _fill_diagonal(self, fill_value, wrap: bool = False):
    """Set the elements of the main diagonal (all indices equal) to a number."""
    if not isinstance(fill_value, (int, float, complex)):
        raise TypeError("fill_diagonal_(): argument 'fill_value' (position 1) must be Number, not "
                        f"{type_name(fill_value)}")
    if self.ndim < 2:
        raise RuntimeError("dimensions must larger than 1")
    if self.ndim > 2 and len(set(self.shape)) > 1:
        raise RuntimeError("all dimensions of input must be of equal length")
    count, step = min(self.shape), sum(int(np.prod(self.shape[d + 1:])) for d in range(self.ndim))
    last = count * step if not wrap or self.ndim > 2 else self.numel()
    places = np.arange(0, last, step)
    mask = np.zeros(self.numel(), bool)
    mask[places[places < mask.size]] = True
    mask = from_array(mask.reshape(tuple(self.shape)))
    return self._assign(DECLARED["masked_fill"].function(self, mask, fill_value))


def _zero(self):
    """Set all elements to 0."""
    self._check_writable()
    if self._fetch().requires_grad:
        return self._assign(DECLARED["_private._fill"].function(self, 0))
    return self._assign(full_tensor(tuple(self.shape), 0, dtype=self.dtype))


def _resize(self, *size, memory_format=None):
    """Change the shape in place; elements beyond the old ones are 0."""
    size = shape_of(size, "resize_")
    if self.requires_grad:
        raise RuntimeError("cannot resize variables that require grad")
    count = int(np.prod(size, dtype=np.int64))
    array = np.zeros(count, self.dtype.storage)
    old = self._array().reshape(-1)
    array[:min(count, old.size)] = old[:count]
    self._storage, self._chain = None, ()
    self._value = concrete(array.reshape(size), self.dtype)
    self._version_count += 1
    return self


def _resize_as(self, the_template, *, memory_format=None):
    """Change the shape in place to that of another tensor."""
    return _resize(self, *the_template.shape)


def _as_strided_in_place(self, size, stride, storage_offset=0):
    """In-place form of :meth:`as_strided`."""
    made = DECLARED["as_strided"].function(self, tuple(size), tuple(stride), storage_offset)
    self._value, self._storage = made._value, made._storage
    self._chain, self._seen = made._chain, made._seen
    return self


def _new_empty_strided(self, size, stride, dtype=None, **options):
    """A tensor with the given strides whose elements may be anything."""
    from ..ops.composed import empty_strided
    return empty_strided(size, stride, dtype=dtype or self.dtype, **options)


def _set(self, source=None, storage_offset=0, size=None, stride=None):
    """Refer to the memory of another tensor."""
    if source is None:
        source = full_tensor((0,), 0, dtype=self.dtype)
    if not isinstance(source, Tensor):
        raise NotImplementedError("set_() with an untyped storage is not supported")
    if size is not None:
        source = DECLARED["as_strided"].function(
            source, tuple(size), tuple(stride or _row_major(size)), storage_offset)
    other = DECLARED["_private.alias"].function(source)
    self._value, self._storage = other._value, other._storage
    self._chain, self._seen = other._chain, other._seen
    return self


def _data_ptr(self) -> int:
    """The address of the first element; it changes when the tensor is written."""
    from .._storage import data_ptr
    return data_ptr(self)


def _untyped_storage(self):
    """The bytes that this tensor and its views share."""
    from .._storage import UntypedStorage
    return UntypedStorage(self)


def _typed_storage(self):
    """The elements that this tensor and its views share."""
    from .._storage import TypedStorage
    return TypedStorage(self)
