"""Functions whose result's shape depends on data: they run what is pending and use NumPy."""

from __future__ import annotations

from typing import Literal

import numpy as np

from .. import dtypes
from ..graph.interpret import from_storage, to_storage
from ..record.values import concrete
from .declare import DECLARED

__all__ = ["argwhere", "bincount", "bucketize", "histc", "index_put", "isin", "masked_scatter",
           "masked_select", "nonzero", "searchsorted", "unique", "unique_consecutive"]


def _tensor(array: np.ndarray, kind: dtypes.dtype):
    from ..tensor import from_value
    stored = np.ascontiguousarray(to_storage(array, kind), dtype=kind.storage)
    return from_value(concrete(stored.reshape(array.shape), kind))


def _array(tensor) -> np.ndarray:
    return from_storage(tensor.detach()._array(), tensor.dtype)


def _written(made, out):
    """`made`, or `out` with its elements."""
    if out is None:
        return made
    out._write_out(made)
    return out


def nonzero(input, *, out=None, as_tuple: bool = False):
    """The indices of the elements that are not zero, one row (or tensor) each."""
    found = np.nonzero(np.atleast_1d(_array(input)))
    if as_tuple:
        return tuple(_tensor(f, dtypes.int64) for f in found)
    rows = np.stack(found, 1) if input.ndim else np.zeros((len(found[0]), 0), np.int64)
    return _written(_tensor(rows, dtypes.int64), out)


def argwhere(input):
    """nonzero as one tensor."""
    return nonzero(input)


def masked_select(input, mask, *, out=None):
    """The elements where mask holds, in order, as a vector."""
    if mask.dtype is not dtypes.bool_:
        raise RuntimeError("masked_select: expected BoolTensor for mask")
    from .overloads import broadcast_tensors
    x, mask = broadcast_tensors(input, mask)
    places = np.flatnonzero(_array(mask))
    made = DECLARED["index_select"].function(x.reshape(-1), 0, _tensor(places, dtypes.int64))
    return _written(made, out)


def masked_scatter(input, mask, source):
    """input with the elements where mask holds taken from source in order."""
    if mask.dtype is not dtypes.bool_:
        raise RuntimeError("masked_scatter_ only supports boolean masks, but got mask with dtype "
                           f"{mask.dtype}")
    return DECLARED["_private._masked_scatter"].function(input, mask, source)


def unique(input, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False,
           dim: int | None = None):
    """The different elements (or slices along dim), sorted."""
    array = _array(input)
    found = np.unique(array, return_inverse=True, return_counts=True, axis=dim)
    values, inverse, counts = found
    inverse = inverse.reshape(array.shape if dim is None else (array.shape[dim],))
    results = [_tensor(values, input.dtype)]
    if return_inverse:
        results.append(_tensor(inverse, dtypes.int64))
    if return_counts:
        results.append(_tensor(counts, dtypes.int64))
    return results[0] if len(results) == 1 else tuple(results)


def unique_consecutive(input, return_inverse: bool = False, return_counts: bool = False,
                       dim: int | None = None):
    """Runs of equal elements (or slices) reduced to one."""
    array = _array(input)
    if dim is None:
        rows = array.reshape(-1, 1)
    else:
        extent = array.shape[dim]
        rows = np.moveaxis(array, dim, 0).reshape(extent, array.size // max(1, extent))
    first = np.ones(len(rows), bool)
    first[1:] = (rows[1:] != rows[:-1]).any(1)
    places = np.flatnonzero(first)
    values = array.reshape(-1)[places] if dim is None else np.take(array, places, dim)
    results = [_tensor(values, input.dtype)]
    if return_inverse:
        inverse = np.cumsum(first) - 1
        results.append(_tensor(inverse.reshape(array.shape) if dim is None else inverse,
                               dtypes.int64))
    if return_counts:
        results.append(_tensor(np.diff(np.r_[places, len(rows)]), dtypes.int64))
    return results[0] if len(results) == 1 else tuple(results)


def bincount(input, weights=None, minlength: int = 0):
    """How often each whole number occurs, or the sum of its weights."""
    array = _array(input)
    if input.dtype.category > 1:
        raise NotImplementedError(f'"bincount_cpu" not implemented for '
                                  f"'{input.dtype.legacy_name}'")
    if array.ndim != 1 or (array.size and array.min() < 0):
        raise RuntimeError("bincount only supports 1-d non-negative integral inputs.")
    if weights is None:
        return _tensor(np.bincount(array, minlength=minlength), dtypes.int64)
    kind = weights.dtype if weights.dtype.category == 2 else dtypes.float64
    return _tensor(np.bincount(array, _array(weights), minlength), kind)


def histc(input, bins: int = 100, min: float = 0, max: float = 0, *, out=None):
    """Counts of elements in equal bins between min and max (of the data if both are 0)."""
    if bins <= 0:
        raise RuntimeError(f"torch.histogram(): bins must be > 0, but got {bins} for dimension 0")
    array = _array(input).reshape(-1)
    low, high = float(min), float(max)
    if low > high:
        raise RuntimeError("torch.histc: max must be larger than min")
    if low == high == 0 and array.size:
        low, high = float(array.min()), float(array.max())
    if low == high:
        low, high = low - 1, high + 1
    counts = np.histogram(array, bins, (low, high))[0].astype(np.float64)
    return _written(_tensor(counts, input.dtype), out)


def searchsorted(sorted_sequence, input, *, out_int32: bool = False, right: bool = False,
                 side: str | None = None, sorter=None, out=None):
    """Where elements would be inserted to keep the last dimension sorted."""
    name = "torch.searchsorted():"
    if side not in (None, "left", "right"):
        raise RuntimeError(f"{name} side can only be 'left' or 'right' but got {side}")
    if side == "left" and right:
        raise RuntimeError(f"{name} side and right can't be set to opposites, got side of left "
                           "while right was True")
    from ..tensor import Tensor
    edges = _array(sorted_sequence)
    values = _array(input) if isinstance(input, Tensor) else np.asarray(input)
    if not edges.ndim:
        raise RuntimeError(f"{name} boundaries tensor should have positive dimension, but got 0 "
                           "dimension")
    if edges.ndim > 1 and not values.ndim:
        raise RuntimeError(f"{name} input value can be a scalar only when boundaries tensor "
                           f"dimension is 1, but we got boundaries tensor dim({edges.ndim}) and "
                           f"input value's dim(0) numel(1)")
    if edges.ndim > 1 and edges.shape[:-1] != values.shape[:-1]:
        raise RuntimeError(f"{name} boundaries tensor should be 1 dimension or the first N-1 "
                           "dimensions of boundaries tensor and input value tensor must match, "
                           f"but we got boundaries tensor {list(edges.shape)} and input value "
                           f"tensor {list(values.shape)}")
    if sorter is not None:
        if sorter.shape != sorted_sequence.shape:
            raise RuntimeError(f"{name} boundary and sorter must have the same size, but got "
                               f"boundary tensor {list(edges.shape)}and got sorter tensor "
                               f"{list(sorter.shape)}")
        edges = np.take_along_axis(edges, _array(sorter), -1)
    from_side: Literal["left", "right"] = "right" if side == "right" or right else "left"
    found = np.empty(values.shape, np.int64)
    if edges.ndim == 1:
        found[...] = np.searchsorted(edges, values, from_side)
    else:
        for place in np.ndindex(edges.shape[:-1]):
            found[place] = np.searchsorted(edges[place], values[place], from_side)
    kind = dtypes.int32 if out_int32 else dtypes.int64
    if out is not None and out.dtype is not kind:
        raise RuntimeError(f"{name} output tensor's dtype is wrong, it can only be Int(int32) or "
                           "Long(int64) depending on whether out_int32 flag is True, but we got "
                           f"an output tensor of {out.dtype} and out_int32 flag is {out_int32}")
    return _written(_tensor(found, kind), out)


def bucketize(input, boundaries, *, out_int32: bool = False, right: bool = False, out=None):
    """The bucket between boundaries that each element falls into."""
    if boundaries.ndim != 1:
        raise RuntimeError("boundaries tensor must be 1 dimension, but got "
                           f"dim({boundaries.ndim})")
    return searchsorted(boundaries, input, out_int32=out_int32, right=right, out=out)


def isin(elements, test_elements, *, assume_unique: bool = False, invert: bool = False,
         out=None):
    """Whether elements occur among test_elements."""
    from ..tensor import Tensor
    a = _array(elements) if isinstance(elements, Tensor) else np.asarray(elements)
    b = _array(test_elements) if isinstance(test_elements, Tensor) else np.asarray(test_elements)
    return _written(_tensor(np.isin(a, b, invert=invert), dtypes.bool_), out)


def index_put(input, indices, values, accumulate: bool = False):
    """input with values written (or added) at index tensors, one per leading dimension."""
    chosen, positions = [], []
    dim = 0
    for index in indices:
        if index is None:
            dim += 1
        elif index.dtype is dtypes.bool_:
            for part in np.nonzero(_array(index)):
                chosen.append(_tensor(part, dtypes.int64))
                positions.append(dim)
                dim += 1
        else:
            chosen.append(index)
            positions.append(dim)
            dim += 1
    return DECLARED["_private._index_put"].function(input, values, chosen, tuple(positions),
                                                    bool(accumulate))
