"""``tensor[...]``: turns Python indices into view operations and index operations."""

from __future__ import annotations

import numpy as np

from . import dtypes
from .construct import from_numpy, tensor
from .graph.ir import building
from .ops._arguments import type_name
from .ops.declare import DECLARED
from .record.saved import mark_written
from .record.trace import current_trace
from .record.values import concrete, references
from .tensor import Tensor, from_value

__all__: list[str] = []

_basic = DECLARED["_private.basic_index"]
_FULL = ("slice", None, None, None)


def _bound(x):
    if x is None or x.__class__ is int:
        return x
    return x.__index__()


def _parse(index, rank: int):
    """(spec for basic indexing, {position in its result: index tensor})."""
    if index.__class__ is list and len(index) < 32 and any(
            i is None or i is Ellipsis or isinstance(i, (list, tuple, slice, Tensor, np.ndarray))
            for i in index):
        index = tuple(index)              # as PyTorch still takes nested lists
    items = index if isinstance(index, tuple) else (index,)
    spec, advanced = [], []
    for item in items:
        kind = item.__class__
        if kind is int:
            spec.append(item)
        elif kind is slice:
            step = _bound(item.step)
            if step is not None and step <= 0:
                raise ValueError("slice step cannot be zero" if step == 0 else
                                 "step must be greater than zero")
            spec.append(("slice", _bound(item.start), _bound(item.stop), step))
        elif item is Ellipsis:
            if Ellipsis not in spec:          # a second one stands for no dimension
                spec.append(item)
        elif item is None:
            spec.append(item)
        elif kind is bool or isinstance(item, np.bool_):
            advanced.append((len(spec), tensor(bool(item))))
            spec.append(_Mark)
        elif isinstance(item, Tensor):
            if item.ndim == 0 and item.dtype.category == 1:
                spec.append(int(item))
            else:
                advanced.append((len(spec), item))
                spec.append(_Mark)
        elif isinstance(item, (list, tuple, range)):
            made = tensor(list(item))
            made = made.long() if made.numel() == 0 else made
            advanced.append((len(spec), made))
            spec.append(_Mark)
        elif isinstance(item, np.ndarray):
            if item.ndim == 0 and item.dtype.kind in "iu":
                spec.append(int(item))
            else:
                advanced.append((len(spec), from_numpy(np.ascontiguousarray(item))))
                spec.append(_Mark)
        elif hasattr(item, "__index__"):
            spec.append(item.__index__())
        else:
            if kind is str:
                raise TypeError("new(): invalid data type 'str': indices are numbers, slices, "
                                "masks and index tensors")
            raise IndexError("only integers, slices (`:`), ellipsis (`...`), None and long or byte "
                             f"Variables are valid indices (got {kind.__name__})")
    return spec, advanced


class _Mark:
    """Stands for an index tensor in a basic index."""


def _resolve(index, rank: int):
    """(basic spec, positions of index tensors in the basic result, index tensors)."""
    spec, advanced = _parse(index, rank)
    if not advanced:
        return tuple(spec), (), ()
    tensors = {}
    for place, item in advanced:
        if item.dtype in (dtypes.bool_, dtypes.uint8):
            tensors[place] = item
        elif item.dtype.category == 1:
            tensors[place] = item
        else:
            raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
    used = 0
    for place, s in enumerate(spec):
        if s is _Mark:
            item = tensors[place]
            used += item.ndim if item.dtype in (dtypes.bool_, dtypes.uint8) else 1
        elif s is not None and s is not Ellipsis:
            used += 1
    if used and not rank:
        raise IndexError("invalid index of a 0-dim tensor. Use `tensor.item()` in Python or "
                         "`tensor.item<T>()` in C++ to convert a 0-dim tensor to a number")
    if used > rank:
        raise IndexError(f"too many indices for tensor of dimension {rank}")
    if Ellipsis not in spec:
        spec = spec + [Ellipsis]
    basic: list[tuple | None] = []
    positions, indices, dim = [], [], 0
    for place, s in enumerate(spec):
        if s is Ellipsis:
            fill = rank - used
            basic.extend([_FULL] * fill)
            dim += fill
        elif s is _Mark:
            item = tensors[place]
            if item.dtype in (dtypes.bool_, dtypes.uint8):
                if item.ndim == 0:
                    basic.append(None)
                    positions.append(dim)
                    indices.append(tensor([0] if bool(item) else [], dtype=dtypes.int64))
                    dim += 1
                    continue
                found = np.nonzero(item._array())
                for part in found:
                    basic.append(_FULL)
                    positions.append(dim)
                    indices.append(from_value(concrete(np.ascontiguousarray(part),
                                                       dtypes.int64)))
                    dim += 1
            else:
                basic.append(_FULL)
                positions.append(dim)
                indices.append(item)
                dim += 1
        else:
            basic.append(s)
            if s is None or isinstance(s, tuple):
                dim += 1
    return tuple(basic), tuple(positions), tuple(indices)


def _check_masks(self, index) -> None:
    items = index if isinstance(index, tuple) else (index,)
    if not any(isinstance(i, Tensor) and i.dtype in (dtypes.bool_, dtypes.uint8) for i in items):
        return
    used = [0 if i is None or i is Ellipsis or i.__class__ is bool else i.ndim
            if isinstance(i, Tensor) and i.dtype in (dtypes.bool_, dtypes.uint8) else 1
            for i in items]
    dim = 0
    for place, item in enumerate(items):
        if isinstance(item, Tensor) and item.dtype in (dtypes.bool_, dtypes.uint8) and item.ndim:
            for d, extent in enumerate(item.shape):
                if dim + d < self.ndim and self.shape[dim + d] != extent:
                    raise IndexError(
                        f"The shape of the mask {list(item.shape)} at index {d} does not match the "
                        f"shape of the indexed tensor {list(self.shape)} at index {dim + d}")
            dim += item.ndim
        elif item is Ellipsis:
            dim = max(dim, self.ndim - sum(used[place:]))
        else:
            dim += used[place]


def _getitem(self, index):
    """Elements at numbers, slices, None, Ellipsis, index tensors and masks."""
    if index.__class__ is int:            # rows, as data sets take them: half the time
        made = _concrete_view(self, (index,))
        return _basic.function(self, (index,)) if made is None else made
    _check_masks(self, index)
    spec, positions, indices = _resolve(index, self.ndim)
    if not positions:
        made = _concrete_view(self, spec)
        return _basic.function(self, spec) if made is None else made
    out = self if all(s == _FULL for s in spec) else _basic.function(self, spec)
    _check_bounds(out, indices, positions)
    return DECLARED["_private._index"].function(out, list(indices), positions)


_CHECKED_AT_ONCE = 1 << 16


def _check_bounds(source, indices, positions) -> None:
    """Raise now for indices that lie in memory and are out of range; others raise when run."""
    for index, position in zip(indices, positions):
        value = index._fetch()
        if not value.is_concrete or not 0 < value.aval.numel <= _CHECKED_AT_ONCE:
            continue
        extent = source.shape[position]
        low, high = int(value.array.min()), int(value.array.max())
        if low < -extent or high >= extent:
            bad = low if low < -extent else high
            raise IndexError(f"index {bad} is out of bounds for dimension {position} with size "
                             f"{extent}")


def _numpy_index(spec) -> tuple:
    return tuple(slice(*s[1:]) if s.__class__ is tuple else s for s in spec)


def _concrete_view(self, spec):
    """Basic indexing of memory that exists and needs no gradient: nothing is recorded.

    Numbers and bounds would be part of a program's identity, so that a loop over rows or batches
    (``x[i:i + 64]``) would make a new program each time.
    """
    value = self._fetch()
    if value.requires_grad or not value.is_concrete:
        return None
    try:
        part = value.array[_numpy_index(spec)]
    except IndexError:
        return None                       # the operation's own check words the error
    if not isinstance(part, np.ndarray):
        part = np.asarray(part)
    is_seen = part.flags.c_contiguous
    if is_seen:
        value.shared = True
    else:
        part = np.ascontiguousarray(part)
    made = from_value(concrete(part, value.aval.dtype))
    made._value.shared = True
    made._value.volatile = is_seen and value.volatile
    storage = self._share()
    made._storage = storage
    made._chain = self._chain + ((_basic, (spec,), 0),)
    made._seen = storage.version
    return made


def _write_concrete(self, index, given) -> bool:
    """Write into memory that exists and needs no gradient, without recording; whether done."""
    if self._chain or self._requires_grad:
        return False
    value = self._fetch()
    storage = self._storage
    if (value.requires_grad or not value.is_concrete
            or (storage is not None and (storage.pinned is not None
                                         or storage.whole is not None))):
        return False
    if isinstance(given, Tensor):
        source = given._fetch()
        if source.requires_grad:
            return False
        if given.dtype is not self.dtype:
            given = given.to(self.dtype)
        content = given._array()
    elif self.dtype is dtypes.bfloat16 or isinstance(given, complex):
        return False
    else:
        content = given
        if self.dtype.category == 1 and isinstance(given, float):
            content = int(given)
    place = index if isinstance(index, tuple) else (index,)
    if any(isinstance(i, Tensor) and i.requires_grad for i in place):
        return False
    place = tuple(_plain_index(i) for i in place)
    array = value.array
    # held by this tensor, the name here, and perhaps a storage; others read this memory too
    alone = references(value) <= (2 if storage is None else 3)
    fresh = value
    if value.trace is not None or value.shared or not array.flags.writeable or not alone:
        array = array.copy()
        fresh = concrete(array, value.aval.dtype)
    try:
        target = array[place]
        if isinstance(content, np.ndarray) and content.ndim > target.ndim:
            extra = content.ndim - target.ndim
            if content.shape[:extra] != (1,) * extra:
                return False
            content = content.reshape(content.shape[extra:])
        array[place] = content
    except (IndexError, ValueError, OverflowError):
        return False                      # the recorded operation words the error
    if value.trace is not None and value.trace is current_trace():
        mark_written(value.trace, value, None)
    if fresh is not value:
        value.replace()
    self._value = fresh
    if storage is None:
        self._version_count += 1
    else:
        storage.value = fresh
        storage.version += 1
        storage.writes[0] += 1
        self._seen = storage.version
    return True


def _plain_index(i):
    if isinstance(i, Tensor):
        return i._array() if i.dtype is not dtypes.uint8 else i._array().astype(bool)
    return i


def _setitem(self, index, given):
    """Write numbers or tensors at an index."""
    if self._requires_grad and building.grad_enabled:
        raise RuntimeError("a view of a leaf Variable that requires grad is being used in an "
                           "in-place operation. Write under torch.no_grad(), or to a clone.")
    self._check_writable()
    if not isinstance(given, (Tensor, int, float, complex, np.number, np.bool_)):
        raise TypeError(f"can't assign a {type_name(given)} to a "
                        f"torch.{self.dtype.legacy_name}Tensor: make it a tensor")
    if _write_concrete(self, index, given):
        return
    if isinstance(index, Tensor) and index.dtype in (dtypes.bool_, dtypes.uint8) and (
            index.shape == self.shape) and index.ndim and (
            not isinstance(given, Tensor) or given.numel() == 1):
        mask = index if index.dtype is dtypes.bool_ else index.bool()
        value = given if not isinstance(given, Tensor) else given.reshape(()).to(self.dtype)
        made = DECLARED["where"].function(mask, value, self)
        self._assign(made if made.dtype is self.dtype else made.to(self.dtype))
        return
    _check_masks(self, index)
    spec, positions, indices = _resolve(index, self.ndim)
    if not positions:
        target = _basic.function(self, spec)
        if isinstance(given, Tensor):
            extra = given.ndim - target.ndim
            if extra > 0 and given.shape[:extra] == (1,) * extra:
                given = given.reshape(tuple(given.shape[extra:]))
            DECLARED["expand"].function(given, tuple(target.shape))       # or its error
            target.copy_(given)
        else:
            target.fill_(given)
        return
    target = self if all(s == _FULL for s in spec) else _basic.function(self, spec)
    _check_bounds(target, indices, positions)
    target._assign(DECLARED["_private._index_put"].function(target, given, list(indices),
                                                            positions))


Tensor.__getitem__ = _getitem       # type: ignore[attr-defined]
Tensor.__setitem__ = _setitem       # type: ignore[attr-defined]
