"""Functions that arrange their arguments before they record: the less common part of torch."""

from __future__ import annotations

import numpy as np

from .. import dtypes
from . import assemble, scans, statistics  # noqa: F401
from .declare import DECLARED, write_out
from .dynamic import _array, _tensor

__all__ = [
    "atleast_1d", "atleast_2d", "atleast_3d", "block_diag", "cartesian_prod", "constant_pad_nd",
    "empty_permuted", "empty_strided", "fill", "gradient", "histogram", "histogramdd", "nanmedian",
    "nonzero_static", "ravel", "resolve_conj", "resolve_neg", "split_with_sizes", "tril_indices",
    "triu_indices", "unravel_index", "unsafe_chunk", "unsafe_split", "vander",
]


def _sequence(tensors):
    if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)):
        return list(tensors[0])
    return list(tensors)


# ---- ranks and blocks --------------------------------------------------------------------------


def _declare_atleast(rank: int):
    def raised(x):
        if rank == 3 and x.ndim in (1, 2):
            return x.reshape((1,) * (2 - x.ndim) + tuple(x.shape) + (1,))
        if x.ndim >= rank:
            return x
        return x.reshape((1,) * (rank - x.ndim) + tuple(x.shape))

    def function(*tensors):
        if len(tensors) == 1 and not isinstance(tensors[0], (list, tuple)):
            return raised(tensors[0])
        return tuple(raised(x) for x in _sequence(tensors))

    function.__name__ = function.__qualname__ = f"atleast_{rank}d"
    function.__doc__ = f"Tensors of fewer than {rank} dimensions given dimensions of extent 1."
    return function


atleast_1d, atleast_2d, atleast_3d = (_declare_atleast(rank) for rank in (1, 2, 3))


def block_diag(*tensors):
    """A matrix with the given matrices along its diagonal.

    >>> import flambeau as torch
    >>> torch.block_diag(torch.ones(1, 2), torch.tensor([[5.]]))
    tensor([[1., 1., 0.],
            [0., 0., 5.]])
    """
    return DECLARED["_private._block_diag"].function(_sequence(tensors))


def cartesian_prod(*tensors):
    """All tuples with one element of each vector, as rows."""
    return DECLARED["_private._cartesian_prod"].function(_sequence(tensors))


def vander(x, N=None, increasing=False):
    """The Vandermonde matrix of a vector: powers N - 1 to 0, or 0 to N - 1 if increasing."""
    if x.ndim != 1:
        raise RuntimeError("x must be a one-dimensional tensor.")
    n = x.shape[0] if N is None else N
    if n < 0:
        raise RuntimeError("N must be non-negative.")
    return DECLARED["_private._vander"].function(x, n, increasing)


def _triangle_indices(name: str, choose):
    def function(row, col, offset=0, *, dtype=dtypes.int64, device=None, layout=None,
                 requires_grad=False, pin_memory=False):
        from ..construct import check_device
        check_device(device)
        if row < 0 or col < 0:
            word, extent = ("row", row) if row < 0 else ("col", col)
            raise RuntimeError(f"{word} must be non-negative, got{extent}")
        return _tensor(np.stack(choose(row, offset, col)), dtype)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"The row and column indices of a matrix's {name[:4]} triangle."
    return function


tril_indices = _triangle_indices("tril_indices", np.tril_indices)
triu_indices = _triangle_indices("triu_indices", np.triu_indices)


def unravel_index(indices, shape):
    """Places in a flattened tensor as indices along each dimension."""
    shape = (shape,) if isinstance(shape, int) else tuple(int(e) for e in shape)
    array = _array(indices)
    total = int(np.prod(shape, dtype=np.int64))
    if array.size and (array.min() < -total or array.max() >= total):
        raise ValueError(f"indices must be within the {total} elements of shape {list(shape)}")
    return tuple(_tensor(part, dtypes.int64) for part in np.unravel_index(array % total, shape))


# ---- derivatives and medians ---------------------------------------------------------------------


def gradient(input, *, spacing=None, dim=None, edge_order=1):
    """Slopes of sampled values along each dimension, by central differences.

    spacing: a step, a step per dimension, or vectors of places; edge_order (1 or 2) chooses the
    rule at the ends.
    """
    if edge_order not in (1, 2):
        raise RuntimeError("torch.gradient only supports edge_order=1 and edge_order=2.")
    dims = (dim,) if isinstance(dim, int) else tuple(range(input.ndim)) if dim is None else \
        tuple(dim)
    for d in dims:
        if dims.count(d) > 1:
            raise RuntimeError(f"dim {d} appears multiple times in the list of dims")
    spacing = 1 if spacing is None else spacing
    if isinstance(spacing, (list, tuple)):
        steps = list(spacing)
    else:
        steps = [spacing] * len(dims)
    if len(steps) != len(dims):
        raise RuntimeError("torch.gradient expected spacing to be unspecified, a scalar, or a list "
                           f"of length {len(dims)}, but got a list of length {len(steps)}")
    from ..construct import tensor
    steps = [s if hasattr(s, "_fetch") else tensor(
        float(s), dtype=input.dtype if input.dtype.category == 2 else None) for s in steps]
    return DECLARED["_private._gradient"].function(input, steps, dims, edge_order)


def nanmedian(input, dim=None, keepdim=False, *, out=None):
    """The lower median of the elements that are not NaN, with its index along a dimension."""
    if dim is None:
        return DECLARED["_private._nanmedian_all"].function(input)
    found = DECLARED["_private._nanmedian_dim"].function(input, dim, keepdim)
    if out is None:
        return found
    for o, f in zip(out, found):
        o._write_out(f)
    return out


# ---- counting -----------------------------------------------------------------------------------


def _result(name: str, fields: str, *values):
    from .reduce import results
    return results(name, fields).structure(*values)


def _edges_of(x: np.ndarray, bins, limits, kind):
    if hasattr(bins, "_fetch"):
        return _array(bins)
    if limits is None:
        low, high = (float(x.min()), float(x.max())) if x.size else (0.0, 1.0)
    else:
        low, high = (float(v) for v in limits)
    if low == high:
        low, high = low - 0.5, high + 0.5
    from ..construct import linspace
    return _array(linspace(low, high, int(bins) + 1, dtype=kind))


def histogram(input, bins, *, range=None, weight=None, density=False, out=None):
    """Counts (or sums of weights) of elements in bins, and the bins' edges."""
    x = _array(input).reshape(-1)
    edges = _edges_of(x, bins, range, input.dtype)
    weights = None if weight is None else _array(weight).reshape(-1)
    counts = np.histogram(x, edges, weights=weights, density=density)[0]
    found = _result("histogram", "hist bin_edges", _tensor(counts, input.dtype),
                    _tensor(edges, input.dtype))
    return found if out is None else write_out(out, found, "histogram")


def histogramdd(input, bins, *, range=None, weight=None, density=False):
    """Counts of points (rows) in a grid of bins, and the edges along each dimension."""
    x = _array(input)
    x = x.reshape(-1, x.shape[-1])
    n = x.shape[1]
    counts = [bins] * n if isinstance(bins, int) else list(bins)
    limits = [None] * n if range is None else [tuple(range[2 * i:2 * i + 2]) for i in
                                               np.arange(n)]
    edges = [_edges_of(x[:, i], counts[i], limits[i], input.dtype) for i in np.arange(n)]
    weights = None if weight is None else _array(weight).reshape(-1)
    found = np.histogramdd(x, edges, weights=weights, density=density)[0]
    return _result("histogramdd", "hist bin_edges", _tensor(found, input.dtype),
                   tuple(_tensor(e, input.dtype) for e in edges))


def nonzero_static(input, *, size, fill_value=-1, out=None):
    """nonzero with a fixed number of rows: cut, or filled up with fill_value."""
    found = np.stack(np.nonzero(np.atleast_1d(_array(input))), 1)
    if input.ndim == 0:
        found = found[:, :0]
    rows = np.full((size, found.shape[1]), fill_value, np.int64)
    rows[:min(size, len(found))] = found[:size]
    made = _tensor(rows, dtypes.int64)
    return made if out is None else write_out(out, made, "nonzero_static")


# ---- other names and arrangements ---------------------------------------------------------------


def fill(input, value):
    """A tensor in the shape and dtype of `input` filled with a number."""
    return DECLARED["_private._fill"].function(input, value)


def ravel(input):
    """The elements as a vector."""
    return DECLARED["reshape"].function(input, (-1,))


def split_with_sizes(input, split_sizes, dim=0):
    """Pieces of the given sizes."""
    return DECLARED["split"].function(input, tuple(split_sizes), dim)


def constant_pad_nd(input, pad, value=0):
    """Padding with a number, (low, high) pairs from the last dimension on."""
    return DECLARED["_private._constant_pad"].function(input, tuple(pad), value)


def resolve_conj(input):
    """The tensor itself: conjugation is never put off."""
    return input


def resolve_neg(input):
    """The tensor itself: negation is never put off."""
    return input


def unsafe_chunk(input, chunks, dim=0):
    """chunk."""
    return DECLARED["chunk"].function(input, chunks, dim)


def unsafe_split(tensor, split_size, dim=0):
    """split."""
    return DECLARED["split"].function(tensor, split_size, dim)


def empty_strided(size, stride, *, dtype=None, layout=None, device=None, requires_grad=False,
                  pin_memory=False):
    """A tensor of `size` whose elements may be anything; strides other than row-major ones raise
    unless they only reorder the dimensions.
    """
    from ..construct import empty
    size, stride = tuple(size), tuple(stride)
    if len(size) != len(stride):
        raise RuntimeError(f"mismatch in length of strides and shape: {list(stride)} and "
                           f"{list(size)}")
    order = sorted(range(len(size)), key=lambda d: (-stride[d], d))
    made = empty(tuple(size[d] for d in order), dtype=dtype, layout=layout, device=device)
    back = tuple(order.index(d) for d in range(len(size)))
    made = made if back == tuple(range(len(size))) else made.permute(back)
    return made.requires_grad_() if requires_grad else made


def empty_permuted(size, physical_layout, *, dtype=None, layout=None, device=None,
                   requires_grad=False, pin_memory=False):
    """A tensor of `size` whose dimensions lie in memory in the order `physical_layout`."""
    from ..construct import empty
    size, order = tuple(size), tuple(physical_layout)
    if sorted(order) != list(range(len(size))):
        raise RuntimeError("Duplicate dim not allowed, or the number of dimensions in the tensor "
                           f"input does not match: size {list(size)}, layout {list(order)}")
    made = empty(tuple(size[d] for d in order), dtype=dtype, layout=layout, device=device)
    back = tuple(order.index(d) for d in range(len(size)))
    made = made if back == tuple(range(len(size))) else made.permute(back)
    return made.requires_grad_() if requires_grad else made




# ---- views as copies ----------------------------------------------------------------------------

# name of the copying function -> the view that it copies
_COPIES = {
    "alias_copy": "_private.alias", "as_strided_copy": "as_strided", "detach_copy": "detach",
    "diagonal_copy": "diagonal", "expand_copy": "expand", "narrow_copy": "narrow",
    "permute_copy": "permute", "select_copy": "select", "split_copy": "split",
    "split_with_sizes_copy": "split", "squeeze_copy": "squeeze", "t_copy": "t",
    "transpose_copy": "transpose", "unbind_copy": "unbind", "unfold_copy": "_private.unfold",
    "unsqueeze_copy": "unsqueeze", "view_as_complex_copy": "view_as_complex",
    "view_as_real_copy": "view_as_real", "view_copy": "_private.view",
}


def _copying(name: str, of: str):
    view = DECLARED[of].function
    clone = DECLARED["clone"].function

    def function(*given, **options):
        found = view(*given, **options)
        return tuple(clone(f) for f in found) if isinstance(found, tuple) else clone(found)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"A copy of what the view {of.rpartition('.')[2]} shows."
    return function


for _name, _of in _COPIES.items():
    globals()[_name] = _copying(_name, _of)
__all__ = sorted([*__all__, *_COPIES])
