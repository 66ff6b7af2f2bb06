"""Indexing by tensors: reading and writing at computed places."""

from __future__ import annotations

from .. import dtypes
from ..graph.ir import Node, full, full_like, p
from .build import broadcast, broadcast_shapes, cast, expand_to, node_of, normalise_dim
from .declare import operation

__all__: list[str] = []


def wrap_index(index: Node, extent: int) -> Node:
    """Negative indices counted from the end, as int64."""
    index = cast(index, dtypes.int64)
    negative = p.lt(index, full_like(index, 0))
    return p.where(negative, p.add(index, full_like(index, extent)), index)


# ---- x[i, j, …] with index tensors --------------------------------------------------------------


def _split_index(input: Node, positions, indices):
    """Move the indexed dims together: (permuted input, dims order, where they stand)."""
    dims = list(positions)
    adjacent = dims == list(range(dims[0], dims[0] + len(dims)))
    first = dims[0] if adjacent else 0
    rest = [d for d in range(input.ndim) if d not in dims]
    order = rest[:first] + dims + rest[first:]
    return p.permute(input, dims=tuple(order)), order, first


def _linear(input: Node, order, first, indices) -> tuple[Node, int]:
    """One index over the flattened indexed dims."""
    extents = [input.shape[d] for d in order[first:first + len(indices)]]
    try:
        indices = broadcast(*indices)
    except RuntimeError:
        shapes = ", ".join(str(list(i.shape)) for i in indices)
        raise IndexError("shape mismatch: indexing tensors could not be broadcast together with "
                         f"shapes {shapes}") from None
    total: Node | None = None
    wrong: Node | None = None
    size = 1
    for index, extent in zip(indices, extents):
        index = wrap_index(index, extent)
        outside = p.bitwise_or(p.lt(index, full_like(index, 0)), p.ge(index, full_like(index,
                                                                                       extent)))
        wrong = outside if wrong is None else p.bitwise_or(wrong, outside)
        size *= extent
        if total is None:
            total = index
        else:
            total = p.add(p.mul(total, full_like(total, extent)), index)
    assert total is not None and wrong is not None
    # the sum may lie within all elements though one of its terms does not: no element then
    return p.where(wrong, full_like(total, -1), total), size


@operation("_index", namespace="_private")
def index_read(input: Tensor, indices: Tensors, positions: tuple):
    """input at index tensors that stand at `positions`."""
    x, order, first = _split_index(input, positions, indices)
    if len(positions) == 1:
        index = wrap_index(indices[0], input.shape[positions[0]])
        return p.take(x, index, dim=first, message="")
    index, size = _linear(input, order, first, indices)
    n = len(positions)
    flat = p.reshape(x, shape=x.shape[:first] + (size,) + x.shape[first + n:])
    return p.take(flat, index, dim=first, message="")


@operation("_index_put", namespace="_private")
def index_write(input: Tensor, values: Tensor | Number, indices: Tensors,
                positions: tuple, accumulate: bool = False):
    """input with values written at index tensors."""
    x, order, first = _split_index(input, positions, indices)
    n = len(positions)
    if n == 1:
        size = input.shape[positions[0]]
        index = wrap_index(indices[0], size)
    else:
        index, size = _linear(input, order, first, indices)
    flat = p.reshape(x, shape=x.shape[:first] + (size,) + x.shape[first + n:])
    shape = flat.shape[:first] + index.shape + flat.shape[first + 1:]
    values = node_of(values, input.dtype)
    try:
        common = broadcast_shapes(values.shape, shape)
    except RuntimeError:
        common = ()
    if common != shape:
        if values.ndim > len(shape) and values.shape[:values.ndim - len(shape)] == (1,) * (
                values.ndim - len(shape)):
            values = p.reshape(values, shape=values.shape[values.ndim - len(shape):])
        else:
            raise RuntimeError(f"shape mismatch: value tensor of shape {list(values.shape)} cannot "
                               f"be broadcast to indexing result of shape {list(shape)}")
    out = p.put(flat, index, expand_to(values, shape), dim=first, message="",
                mode="add" if accumulate else "set")
    out = p.reshape(out, shape=x.shape)
    inverse = [0] * len(order)
    for i, d in enumerate(order):
        inverse[d] = i
    return p.permute(out, dims=tuple(inverse))


# ---- one dimension ------------------------------------------------------------------------------


@operation(out=True)
def index_select(input: Tensor, dim: int, index: Tensor):
    """The positions `index` of dimension `dim`."""
    if index.dtype not in (dtypes.int64, dtypes.int32):
        raise RuntimeError("index_select(): Expected dtype int32 or int64 for index")
    if index.ndim > 1:
        raise IndexError("index_select(): Index is supposed to be a vector")
    index = cast(index, dtypes.int64)
    if input.ndim == 0:
        return p.reshape(p.take(p.reshape(input, shape=(1,)), index, dim=0, message="select"),
                         shape=())
    if index.ndim == 0:
        index = p.reshape(index, shape=(1,))
    return p.take(input, index, dim=normalise_dim(dim, input.ndim), message="select")


def _along(input: Node, dim: int, index: Node, source, mode: str, message: str) -> Node:
    index = cast(index, dtypes.int64)
    if index.ndim == 0:
        index = p.reshape(index, shape=(1,))
    flat = input if input.ndim else p.reshape(input, shape=(1,))
    dim = normalise_dim(dim, flat.ndim)
    shape = flat.shape[:dim] + index.shape + flat.shape[dim + 1:]
    out = p.put(flat, index, expand_to(node_of(source, input.dtype), shape), dim=dim,
                message=message, mode=mode)
    return out if input.ndim else p.reshape(out, shape=())


@operation(inplace=True, out=True)
def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *,
              alpha: Number = 1):
    """input with alpha * source added at the positions `index` of dim."""
    if alpha is not None and alpha != 1:
        source = p.mul(source, expand_to(node_of(alpha, source.dtype), source.shape))
    if index.dtype not in (dtypes.int64, dtypes.int32):
        raise RuntimeError("index_add_(): Expected dtype int32/int64 for index but got: "
                           f"{index.dtype.legacy_name}")
    if input.ndim and source.ndim:
        axis = normalise_dim(dim, input.ndim)
        if source.ndim != input.ndim or any(
                a != b for d, (a, b) in enumerate(zip(input.shape, source.shape)) if d != axis):
            raise RuntimeError("source tensor shape must match self tensor shape, excluding the "
                               f"specified dimension. Got self.shape = {list(input.shape)} "
                               f"source.shape = {list(source.shape)}")
        if index.numel != source.shape[axis]:
            raise RuntimeError(f"index_add_(): Number of indices ({index.numel}) should be equal "
                               f"to source.size(dim): ({source.shape[axis]}), for dim: {dim}")
    # PyTorch has a kernel of its own for vectors
    return _along(input, dim, index, source, "add", "select" if input.ndim < 2 else "along")


@operation(inplace=True, out=True)
def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor):
    """input with source written at the positions `index` of dim."""
    if index.dtype is not dtypes.int64:
        raise RuntimeError("index_copy_(): Expected a long tensor for index, but got "
                           f"{index.dtype.legacy_name}")
    if input.ndim and source.ndim:
        axis = normalise_dim(dim, input.ndim)
        slices = [s.shape[:axis] + s.shape[axis + 1:] for s in (input, source)]
        if slices[0] != slices[1]:
            mine, its = (" ".join(str(e) for e in shape) for shape in slices)
            raise RuntimeError("index_copy_(): Source/destination tensor must have same slice "
                               f"shapes. Destination slice shape: {mine} at dimension {axis} and "
                               f"source slice shape: {its} at dimension {axis}.")
        if index.numel != source.shape[axis]:
            raise IndexError(f"index_copy_(): Number of indices ({index.numel}) should be equal "
                             f"to source.size(dim) ({source.shape[axis]})")
    return _along(input, dim, index, source, "set", "index_copy")


@operation(inplace=True)
def index_fill(input: Tensor, dim: int, index: Tensor, value: Tensor | Number):
    """input with the positions `index` of dim set to a number."""
    value = node_of(value)
    if value.ndim:
        raise RuntimeError("index_fill_ only supports a 0-dimensional value tensor, but got tensor "
                           f"with {value.ndim} dimension(s).")
    if value.dtype.category > input.dtype.category:
        raise RuntimeError(f"value cannot be converted to type {input.dtype.name} without "
                           "overflow")
    if index.dtype is not dtypes.int64:
        raise IndexError("index_fill_(): Expected dtype int64 for index.")
    hit = _along(full(input.shape, False, dtypes.bool_), dim, index,
                 full((), True, dtypes.bool_), "set", "")
    return p.where(hit, expand_to(cast(value, input.dtype), input.shape), input)


@operation(out=True)
def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False):
    """input at index along dim: out[i][j] = input[index[i][j]][j] for dim = 0."""
    if sparse_grad:
        raise NotImplementedError("gather: sparse_grad=True is not supported: there are no sparse "
                                  "gradients")
    if index.dtype not in (dtypes.int64, dtypes.int32) and index.numel:
        raise RuntimeError("gather(): Expected dtype int32/int64 for index")
    index = cast(index, dtypes.int64)
    if index.numel == 0:      # still a function of the input, so that its gradient is 0
        total = p.reduce_sum(input, dims=tuple(range(input.ndim)))
        return expand_to(total, index.shape)
    if input.ndim == 0 or index.ndim == 0:
        flat = input if input.ndim else p.reshape(input, shape=(1,))
        place = index if index.ndim else p.reshape(index, shape=(1,))
        return p.reshape(p.gather(flat, place, dim=0, message="along"), shape=index.shape)
    dim = normalise_dim(dim, input.ndim)
    if index.ndim != input.ndim:
        raise RuntimeError("Index tensor must have the same number of dimensions as input tensor")
    for d in range(input.ndim):
        if d != dim and index.shape[d] > input.shape[d]:
            raise RuntimeError(f"Size does not match at dimension {d} expected index "
                               f"{list(index.shape)} to be no larger than self "
                               f"{list(input.shape)} apart from dimension {dim}")
    return p.gather(input, index, dim=dim, message="along")


def scatter_node(input: Node, dim: int, index: Node, source, mode: str) -> Node:
    if index.dtype not in (dtypes.int64, dtypes.int32):
        raise RuntimeError("scatter(): Expected dtype int32/int64 for index")
    index = cast(index, dtypes.int64)
    shape = input.shape
    if input.ndim == 0:
        input = p.reshape(input, shape=(1,))
    if index.ndim == 0:
        index = p.reshape(index, shape=(1,))
    dim = normalise_dim(dim, input.ndim)
    if index.numel == 0:
        return p.reshape(input, shape=shape)
    if index.ndim != input.ndim:
        raise RuntimeError("Index tensor must have the same number of dimensions as self tensor")
    source = node_of(source)
    if source.ndim and source.ndim != index.ndim:
        raise RuntimeError("Index tensor must have the same number of dimensions as src tensor: "
                           f"received {list(index.shape)} and {list(source.shape)}")
    outside = (f"Expected index {list(index.shape)} to be no larger than self "
               f"{list(input.shape)} apart from dimension {dim}")
    if source.ndim:
        outside += f" and to be no larger size than src {list(source.shape)}"
    if any(i > e for d, (i, e) in enumerate(zip(index.shape, input.shape)) if d != dim):
        raise RuntimeError(outside)
    if source.ndim == 0:
        values = expand_to(cast(source, input.dtype), index.shape)
    else:
        if source.dtype is not input.dtype:
            raise RuntimeError("scatter(): Expected self.dtype to be equal to src.dtype")
        if any(i > s for i, s in zip(index.shape, source.shape)):
            raise RuntimeError(outside)
        values = source if source.shape == index.shape else p.slice(
            source, starts=(0,) * source.ndim, stops=index.shape, steps=(1,) * source.ndim)
    out = p.scatter(input, index, values, dim=dim, mode=mode, message="along")
    return p.reshape(out, shape=shape) if out.shape != shape else out


_MODES = {None: "set", "add": "add", "multiply": "mul", "sum": "add", "prod": "mul",
          "amax": "max", "amin": "min"}


@operation("_scatter", namespace="_private")
def scatter_op(input: Tensor, dim: int, index: Tensor, src: Tensor | Number,
               reduce: str = None):
    """input with src written (or combined) at index along dim."""
    if reduce not in _MODES:
        raise RuntimeError("reduce argument must be either add or multiply.")
    return scatter_node(input, dim, index, src, _MODES[reduce])


@operation(inplace=True, out=True)
def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor):
    """input with src added at index along dim."""
    return scatter_node(input, dim, index, src, "add")


@operation(inplace=True, out=True)
def scatter_reduce(input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str,
                   *, include_self: bool = True):
    """input combined with src at index along dim: sum, prod, mean, amax or amin."""
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise RuntimeError(f"scatter_reduce(): reduce argument must be either sum, prod, mean, amax"
                           f" or amin, got {reduce}")
    base = input
    if not include_self:
        import math
        start = {"sum": 0, "mean": 0, "prod": 1, "amax": -math.inf, "amin": math.inf}[reduce]
        if input.dtype is dtypes.bool_ and reduce in ("amax", "amin"):
            start = reduce == "amin"
        elif input.dtype.category < 2 and reduce in ("amax", "amin"):
            limits = dtypes.iinfo(input.dtype)
            start = limits.min if reduce == "amax" else limits.max
        base = scatter_node(input, dim, index, full_like(src, start), "set")
    if reduce != "mean":
        return scatter_node(base, dim, index, src, _MODES[reduce])
    total = scatter_node(base, dim, index, src, "add")
    begin = full_like(input, 1)
    if not include_self:
        begin = scatter_node(begin, dim, index, full_like(src, 0), "set")
    number = scatter_node(begin, dim, index, full_like(src, 1), "add")
    number = p.maximum(number, full_like(number, 1))
    return p.div(total, number) if total.dtype.category > 1 else p.floor_divide(total, number)


@operation(out=True)
def take(input: Tensor, index: Tensor):
    """Elements of the flattened input."""
    if index.dtype is not dtypes.int64:
        raise RuntimeError("take(): Expected a long tensor for index, but got "
                           f"{index.dtype.legacy_name}")
    flat = p.reshape(input, shape=(input.numel,))
    return p.take(flat, wrap_index(index, input.numel), dim=0, message="take")


@operation(out=True)
def take_along_dim(input: Tensor, indices: Tensor, dim: int = None):
    """gather with broadcasting; over the flattened input if dim is None."""
    if dim is None:
        flat = p.reshape(input, shape=(input.numel,))
        index = wrap_index(p.reshape(indices, shape=(indices.numel,)), input.numel)
        return p.gather(flat, index, dim=0, message="")
    dim = normalise_dim(dim, input.ndim)
    one = tuple(1 if d == dim else e for d, e in enumerate(input.shape))
    other = tuple(1 if d == dim else e for d, e in enumerate(indices.shape))
    shape = broadcast_shapes(one, other)
    x = expand_to(input, shape[:dim] + (input.shape[dim],) + shape[dim + 1:])
    index = expand_to(indices, shape[:dim] + (indices.shape[dim],) + shape[dim + 1:])
    return p.gather(x, wrap_index(index, input.shape[dim]), dim=dim, message="")


@operation("_masked_scatter", namespace="_private")
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor):
    """input with the elements where mask holds taken from source in order."""
    shape = broadcast_shapes(input.shape, mask.shape)
    x, mask = expand_to(input, shape), expand_to(mask, shape)
    n = x.numel
    flat = p.reshape(mask, shape=(n,))
    place = p.cumsum(cast(flat, dtypes.int64), dim=0)
    place = p.sub(place, full_like(place, 1))
    place = p.where(flat, place, full_like(place, 0))
    values = p.take(p.reshape(source, shape=(source.numel,)), place, dim=0, message="")
    return p.where(mask, p.reshape(values, shape=shape), x)
