"""Tensor's methods about memory: NumPy, strides, views and storages."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .. import dtypes
from .._sharing import pin
from ..dtypes import dtype as DType
from ..ops._arguments import type_name
from ..ops.declare import DECLARED
from ..record.values import concrete
from ..tensor import from_value

__all__: list[str] = []


def _numpy(self, *, force: bool = False) -> np.ndarray:
    """The elements as an array that shares memory with this tensor."""
    if force:
        return _numpy(self.detach().resolve_conj())
    if self.requires_grad:
        raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use "
                           "tensor.detach().numpy() instead.")
    if self.dtype is dtypes.bfloat16:
        raise TypeError("Got unsupported ScalarType BFloat16")
    part = self._share()
    storage = part.whole or part
    if storage.pinned is None:
        pin(storage)
    array = strided_array(storage.pinned, self._path())
    if array is None:
        return self._array().copy()
    return array.view()


def strided_array(base: np.ndarray, chain) -> np.ndarray | None:
    """The NumPy view that corresponds to a chain of view operations; None if there is none."""
    from ..graph.ir import p, topological_order
    array = base
    for declaration, static, number in chain:
        if declaration.name in _VIEWS:
            array = _VIEWS[declaration.name](array, *static)
            if array is None:
                return None
            continue
        start = p.input(index=0, shape=array.shape, dtype=dtypes.dtype_from_numpy(array.dtype))
        built = declaration.build([start], static)
        node = built[number] if isinstance(built, tuple) else built
        known = {start: array}
        for step in topological_order([node]):
            if step is start:
                continue
            source = known[step.inputs[0]]
            made = _view_of(step, source)
            if made is None:
                return None
            known[step] = made
        array = known[node]
    return array


def _view_of(node, source: np.ndarray) -> np.ndarray | None:
    """One movement as a NumPy view of `source`, or None."""
    if node.op in ("detach", "variable", "boundary"):
        return source
    if node.op == "as_strided":
        if not source.flags.c_contiguous:
            return _restrided(source, node.attrs["shape"], node.attrs["strides"],
                              node.attrs["offset"])
        size = source.itemsize
        return np.lib.stride_tricks.as_strided(
            source.reshape(-1)[node.attrs["offset"]:], node.attrs["shape"],
            tuple(s * size for s in node.attrs["strides"]))
    if node.op == "reshape":
        made = source.reshape(node.shape)      # NumPy 2.5 deprecates assigning to .shape
        return made if not made.size or np.may_share_memory(made, source) else None
    if node.op in ("permute", "slice", "flip", "real", "imag"):
        return node.primitive.evaluate(node, source)
    if node.op == "expand":
        made = np.lib.stride_tricks.as_strided(
            source, node.shape, tuple(0 if o != n else s for o, n, s in zip(
                source.shape, node.shape, source.strides)))
        return made
    return None


def _diagonal(array: np.ndarray, offset: int, dim1: int, dim2: int) -> np.ndarray:
    """NumPy's diagonal, but writable."""
    seen = array.diagonal(offset, dim1, dim2)
    corner = np.moveaxis(array, (dim1, dim2), (-2, -1))[..., max(0, -offset):, max(0, offset):]
    return np.lib.stride_tricks.as_strided(corner, seen.shape, seen.strides)


def _pairs(array: np.ndarray) -> np.ndarray:
    """Complex numbers as real and imaginary parts in a last dimension."""
    real = array.real
    return np.lib.stride_tricks.as_strided(
        real, (*real.shape, 2), (*real.strides, real.itemsize))


def _complex_numbers(array: np.ndarray) -> np.ndarray | None:
    """Pairs as complex numbers; None where the two do not lie next to each other."""
    if array.strides[-1] != array.itemsize:
        return None
    return array.view(np.result_type(array.dtype, np.complex64))[..., 0]


# views that NumPy has as a whole, rather than movement by movement
_VIEWS: dict[str, Callable[..., np.ndarray | None]] = {
    "diagonal": _diagonal, "view_as_real": _pairs, "view_as_complex": _complex_numbers,
}


def _restrided(source: np.ndarray, shape, strides, offset: int) -> np.ndarray | None:
    """A view by strides that count `source`'s elements in row-major order, which lie otherwise.

    Each stride is a number of steps along every dimension; without a carry from one dimension to
    the next (as in `unfold` and `diagonal`) these give the strides in memory. None with a carry.
    """
    steps = _row_major(source.shape)
    dims = [d for d, extent in enumerate(source.shape) if extent > 1]

    def along(distance: int) -> list[int]:
        counts = []
        for d in dims:
            count, distance = divmod(distance, steps[d])
            counts.append(count)
        return counts

    first, each = along(offset), [along(stride) for stride in strides]
    for i, d in enumerate(dims):
        if first[i] + sum((e - 1) * c[i] for e, c in zip(shape, each)) >= source.shape[d]:
            return None
    begin = [slice(None)] * source.ndim
    for i, d in enumerate(dims):
        begin[d] = slice(first[i], None)
    return np.lib.stride_tricks.as_strided(
        source[tuple(begin)], shape,
        tuple(sum(c * source.strides[d] for c, d in zip(counts, dims)) for counts in each))


def _array_protocol(self, dtype=None, copy=None):
    array = _numpy(self)
    return array if dtype is None else array.astype(dtype, copy=False)


def _strides(self) -> tuple[int, ...]:
    if not self._path():
        found, step = [], 1
        for extent in reversed(self.shape):
            found.append(step)
            step *= max(1, extent)
        return tuple(reversed(found))
    array, _ = _ghost(self)
    return _row_major(self.shape) if array is None else array.strides


_ghosts: dict[tuple, tuple[np.ndarray | None, int]] = {}


def _ghost(view) -> tuple[np.ndarray | None, int]:
    """An array of the strides of a view, in elements, which must not be read, and its offset.

    Remembered by the view's chain: models ask for the same layouts in every step.
    """
    storage, path = view._storage, view._path()
    base = (storage.whole or storage).value.aval
    key = (base, path)
    found = _ghosts.get(key)
    if found is None:
        whole = _ghost_of(base.shape, _row_major(base.shape), base.dtype.compute)
        array = strided_array(whole, path)
        offset = 0
        if array is not None:
            if 0 not in array.shape:
                offset = (array.__array_interface__["data"][0]
                          - whole.__array_interface__["data"][0]) // array.itemsize
            array = _ghost_of(array.shape, [s // array.itemsize for s in array.strides], np.int8)
        if len(_ghosts) > 10_000:
            _ghosts.clear()
        found = _ghosts[key] = array, offset
    return found


def _ghost_of(shape, strides, kind) -> np.ndarray:
    """An array of one element that says it has others, `strides` elements apart."""
    one = np.empty(1, kind)
    return np.lib.stride_tricks.as_strided(
        one, tuple(shape), tuple(s * one.itemsize for s in strides), writeable=False)


def _row_major(shape) -> tuple[int, ...]:
    found, step = [], 1
    for extent in reversed(tuple(shape)):
        found.append(step)
        step *= max(1, extent)
    return tuple(reversed(found))


def _stride(self, dim: int | None = None):
    """How many elements apart neighbours along each dimension lie."""
    found = _strides(self)
    return found if dim is None else found[dim]


def _storage_offset(self) -> int:
    """The place of the first element in the storage."""
    if not self._path():
        return 0
    return _ghost(self)[1]


def _is_contiguous(self, memory_format=dtypes.contiguous_format) -> bool:
    """Whether elements lie in row-major order without gaps."""
    if memory_format is not dtypes.contiguous_format:
        return getattr(self, "_memory_format", None) is memory_format
    if not self._path():
        return True
    expected = 1
    for extent, step in zip(reversed(self.shape), reversed(_strides(self))):
        if extent != 1 and step != expected and self.numel() != 0:
            return False
        expected *= extent
    return True


def _contiguous(self, memory_format=dtypes.contiguous_format):
    """This tensor, or a copy in row-major order."""
    if _is_contiguous(self):
        return self
    return DECLARED["clone"].function(self)


def _view(self, *size, dtype: DType | None = None):
    """The same memory in another shape (or, given a dtype, as another type of elements)."""
    if len(size) == 1 and isinstance(size[0], DType):
        dtype, size = size[0], ()
    elif not size and dtype is None:
        raise TypeError("view() received an invalid combination of arguments - got (), but "
                        "expected one of:\n * (torch.dtype dtype)\n * (tuple of ints size)\n")
    if dtype is not None:
        return _view_as_dtype(self, dtype)
    shape = _given_shape(size)
    if path := self._path():
        whole = self._storage.whole or self._storage
        key = (whole.value.aval, path, shape)
        if key not in _viewed:           # 20 us are asked once, not in every step of a transformer
            _check_view(self, shape)
            if len(_viewed) > 10_000:
                _viewed.clear()
            _viewed.add(key)
    return DECLARED["_private.view"].function(self, shape)


_viewed: set[tuple] = set()               # (base, chain, shape) of views that were allowed


def _check_view(tensor, shape: tuple[int, ...]) -> None:
    """Raise if a view cannot be seen in another shape without copying."""
    if _is_contiguous(tensor):
        return
    from ..ops.views import infer_shape
    if not can_be_viewed(tensor, infer_shape(shape, tensor.numel())):
        raise RuntimeError("view size is not compatible with input tensor's size and stride "
                           "(at least one dimension spans across two contiguous subspaces). "
                           "Use .reshape(...) instead.")


def can_be_viewed(tensor, shape: tuple[int, ...]) -> bool:
    """Whether the elements of a view can be seen in another shape without copying.

    Dimensions that lie without gaps form runs; each run must split into dimensions of the new
    shape. (NumPy's own answer copies the array where it is no, and a ghost must not be read.)
    """
    array, _ = _ghost(tensor)
    if array is None or array.size == 0:
        return True
    runs: list[int] = []
    expected = None
    for extent, step in zip(reversed(array.shape), reversed(array.strides)):
        if extent == 1:
            continue
        if step == expected:
            runs[-1] *= extent
        else:
            runs.append(extent)
        expected = step * extent
    left = 1
    for extent in reversed(shape):
        if extent == 1:
            continue
        if left == 1:
            left = runs.pop(0)
        if left % extent:
            return False
        left //= extent
    return True


def _given_shape(size) -> tuple[int, ...]:
    if len(size) == 1 and not isinstance(size[0], int):
        first = size[0]
        size = tuple(first) if isinstance(first, (tuple, list)) else size
    for s in size:
        if not hasattr(s, "__index__"):
            raise TypeError("view() received an invalid combination of arguments - got "
                            f"({', '.join(type_name(x) for x in size)}), but expected one of:\n "
                            "* (torch.dtype dtype)\n * (tuple of ints size)\n")
    return tuple(s if isinstance(s, int) else s.__index__() for s in size)


def _view_as_dtype(self, dtype: DType):
    if dtype is self.dtype:
        return DECLARED["_private.alias"].function(self)
    array = self._array()
    if dtype.itemsize == self.dtype.itemsize:
        return from_value(concrete(array.view(dtype.storage), dtype))
    if array.ndim == 0:
        raise RuntimeError("self.dim() cannot be 0 to view a tensor as a different element size")
    if (array.shape[-1] * self.dtype.itemsize) % dtype.itemsize:
        raise RuntimeError(f"self.size(-1) must be divisible by {dtype.itemsize // self.itemsize} "
                           f"to view {self.dtype.legacy_name} as {dtype.legacy_name} (different "
                           f"element sizes), but got {array.shape[-1]}")
    return from_value(concrete(array.view(dtype.storage), dtype))
