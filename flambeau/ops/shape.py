"""Joining, repeating, padding and rearranging: results with memory of their own."""

from __future__ import annotations

from .. import dtypes
from ..graph.ir import Node, full_like, iota, p
from .build import cast, expand_to, normalise_dim, normalise_dims, promote
from .declare import operation

__all__: list[str] = []


def _legacy_empty(node: Node) -> bool:
    return node.shape == (0,)


def cat_nodes(tensors, dim: int) -> Node:
    """Concatenation with promotion and PyTorch's errors."""
    if not tensors:
        raise ValueError("torch.cat(): expected a non-empty list of Tensors")
    for i, node in enumerate(tensors):
        if node.ndim == 0:
            raise RuntimeError(f"zero-dimensional tensor (at position {i}) cannot be concatenated")
    tensors = promote(*tensors)
    solid = [n for n in tensors if not _legacy_empty(n)] or tensors[:1]
    first = solid[0]
    dim = normalise_dim(dim, first.ndim)
    for i, node in enumerate(solid):
        if node.ndim != first.ndim:
            raise RuntimeError(f"Tensors must have same number of dimensions: got {first.ndim} and "
                               f"{node.ndim}")
        for d in range(first.ndim):
            if d != dim and node.shape[d] != first.shape[d]:
                raise RuntimeError(
                    f"Sizes of tensors must match except in dimension {dim}. Expected size "
                    f"{first.shape[d]} but got size {node.shape[d]} for tensor number {i} in the "
                    "list.")
    return p.concatenate(*solid, dim=dim)


@operation(method=False, out=True, aliases=("concat", "concatenate"))
def cat(tensors: Tensors, dim: int = 0):
    """Tensors joined along an existing dimension."""
    return cat_nodes(tensors, dim)


@operation(method=False, out=True)
def stack(tensors: Tensors, dim: int = 0):
    """Tensors of equal shape joined along a new dimension."""
    if not tensors:
        raise RuntimeError("stack expects a non-empty TensorList")
    first = tensors[0]
    for i, node in enumerate(tensors):
        if node.shape != first.shape:
            raise RuntimeError("stack expects each tensor to be equal size, but got "
                               f"{list(first.shape)} at entry 0 and {list(node.shape)} at entry "
                               f"{i}")
    dim = normalise_dim(dim, first.ndim + 1)
    shape = first.shape[:dim] + (1,) + first.shape[dim:]
    return p.concatenate(*[p.reshape(n, shape=shape) for n in promote(*tensors)], dim=dim)


def _at_least(node: Node, rank: int) -> Node:
    if node.ndim >= rank:
        return node
    if rank == 3 and node.ndim == 2:
        return p.reshape(node, shape=node.shape + (1,))
    if rank == 3 and node.ndim == 1:
        return p.reshape(node, shape=(1,) + node.shape + (1,))
    return p.reshape(node, shape=(1,) * (rank - node.ndim) + node.shape)


def _some(tensors: list[Node], name: str) -> list[Node]:
    if not tensors:
        raise RuntimeError(f"{name} expects a non-empty TensorList")
    return tensors


@operation(method=False, out=True)
def hstack(tensors: Tensors):
    """Joined along the second dimension (the first of vectors)."""
    tensors = [_at_least(n, 1) for n in _some(tensors, "hstack")]
    return cat_nodes(tensors, 0 if tensors[0].ndim == 1 else 1)


@operation(method=False, out=True, aliases=("row_stack",))
def vstack(tensors: Tensors):
    """Joined along the first dimension, vectors being rows."""
    return cat_nodes([_at_least(n, 2) for n in _some(tensors, "vstack")], 0)


@operation(method=False, out=True)
def dstack(tensors: Tensors):
    """Joined along the third dimension."""
    return cat_nodes([_at_least(n, 3) for n in _some(tensors, "dstack")], 2)


@operation(method=False, out=True)
def column_stack(tensors: Tensors):
    """Joined as columns."""
    return cat_nodes([p.reshape(n, shape=(n.numel, 1)) if n.ndim < 2 else n for n in tensors], 1)


@operation()
def repeat(input: Tensor, repeats: Ints):
    """The whole tensor repeated along each dimension."""
    if len(repeats) < input.ndim:
        raise RuntimeError("Number of dimensions of repeat dims can not be smaller than number of "
                           "dimensions of tensor")
    return repeat_node(input, tuple(repeats))


def repeat_node(input: Node, repeats) -> Node:
    shape = (1,) * (len(repeats) - input.ndim) + input.shape
    for extent in (r * e for r, e in zip(repeats, shape)):
        if extent < 0:
            raise RuntimeError(f"Trying to create tensor with negative dimension {extent}: "
                               f"{[r * e for r, e in zip(repeats, shape)]}")
    paired = tuple(e for pair in zip((1,) * len(shape), shape) for e in pair)
    wide = tuple(e for pair in zip(repeats, shape) for e in pair)
    x = expand_to(p.reshape(input, shape=paired), wide)
    return p.reshape(x, shape=tuple(r * e for r, e in zip(repeats, shape)))


@operation()
def tile(input: Tensor, dims: Ints):
    """The whole tensor repeated; missing leading repeats are 1."""
    return repeat_node(input, (1,) * max(0, input.ndim - len(dims)) + tuple(dims))


@operation("_repeat_interleave", namespace="_private")
def repeat_interleave(input: Tensor, repeats: int, dim: int = None):
    """Each element repeated."""
    if repeats < 0:
        raise RuntimeError(f"Repeats must be non-negative, received {repeats}")
    if dim is None:
        input, dim = p.reshape(input, shape=(input.numel,)), 0
    dim = normalise_dim(dim, input.ndim)
    shape = input.shape[:dim + 1] + (1,) + input.shape[dim + 1:]
    wide = input.shape[:dim + 1] + (repeats,) + input.shape[dim + 1:]
    x = expand_to(p.reshape(input, shape=shape), wide)
    return p.reshape(x, shape=input.shape[:dim] + (input.shape[dim] * repeats,)
                     + input.shape[dim + 1:])


@operation()
def flip(input: Tensor, dims: Ints):
    """The order of elements reversed along dims."""
    return p.flip(input, dims=normalise_dims(tuple(dims), input.ndim) if dims else ())


@operation()
def fliplr(input: Tensor):
    """Columns reversed."""
    if input.ndim < 2:
        raise RuntimeError("Input must be >= 2-d.")
    return p.flip(input, dims=(1,))


@operation()
def flipud(input: Tensor):
    """Rows reversed."""
    if input.ndim < 1:
        raise RuntimeError("Input must be >= 1-d.")
    return p.flip(input, dims=(0,))


@operation()
def rot90(input: Tensor, k: int = 1, dims: tuple = (0, 1)):
    """Turned by 90 degrees k times from the first towards the second dim."""
    if len(dims) != 2:
        raise RuntimeError("expected total rotation dims == 2, but got dims = " + str(len(dims)))
    if input.ndim < 2:
        raise RuntimeError(f"expected total dims >= 2, but got total dims = {input.ndim}")
    a, b = (normalise_dim(d, input.ndim) for d in dims)
    if a == b:
        raise RuntimeError(f"expected rotation dims to be different, but got dim0 = {dims[0]} and "
                           f"dim1 = {dims[1]}")
    order = list(range(input.ndim))
    order[a], order[b] = b, a
    turn = k % 4
    if turn == 1:
        return p.permute(p.flip(input, dims=(b,)), dims=tuple(order))
    if turn == 2:
        return p.flip(input, dims=tuple(sorted((a, b))))
    if turn == 3:
        return p.flip(p.permute(input, dims=tuple(order)), dims=(b,))
    return p.reshape(input, shape=input.shape)


def roll_node(input: Node, shift: int, dim: int) -> Node:
    from ..graph.primitives.movement import slice_dim
    extent = input.shape[dim]
    if extent == 0 or shift % extent == 0:
        return input
    cut = extent - shift % extent
    return p.concatenate(slice_dim(input, dim, cut, extent), slice_dim(input, dim, 0, cut), dim=dim)


@operation()
def roll(input: Tensor, shifts: tuple, dims: tuple = None):
    """Elements moved along dims; those that leave come in at the other end."""
    shifts = (shifts,) if isinstance(shifts, int) else shifts
    if not shifts:
        raise RuntimeError("`shifts` required")
    if dims is None or dims == ():
        flat = roll_node(p.reshape(input, shape=(input.numel,)), shifts[0], 0)
        return p.reshape(flat, shape=input.shape)
    dims = (dims,) if isinstance(dims, int) else dims
    if len(dims) != len(shifts):
        raise RuntimeError(f"shifts and dimensions must align. shifts: {len(shifts)}, dims:"
                           f"{len(dims)}")
    x = p.reshape(input, shape=input.shape)
    for shift, dim in zip(shifts, dims):
        x = roll_node(x, shift, normalise_dim(dim, input.ndim))
    return x


def triangle(input: Node, diagonal: int, lower: bool) -> Node:
    if input.ndim < 2:
        raise RuntimeError(f"{'tril' if lower else 'triu'}: input tensor must have at least 2 "
                           "dimensions")
    row = iota(input.shape, input.ndim - 2)
    column = iota(input.shape, input.ndim - 1)
    gap = p.sub(column, row)
    keep = (p.le if lower else p.ge)(gap, full_like(gap, diagonal))
    return p.where(keep, input, full_like(input, 0))


@operation(inplace=True, out=True)
def tril(input: Tensor, diagonal: int = 0):
    """The lower triangle of matrices, zero above."""
    return triangle(input, diagonal, True)


@operation(inplace=True, out=True)
def triu(input: Tensor, diagonal: int = 0):
    """The upper triangle of matrices, zero below."""
    return triangle(input, diagonal, False)


def embed_diagonal(input: Node, offset: int, dim1: int, dim2: int) -> Node:
    n = input.shape[-1] + abs(offset)
    rank = input.ndim + 1
    a, b = normalise_dim(dim1, rank), normalise_dim(dim2, rank)
    if a == b:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    lead = input.shape[:-1]
    shape = lead + (n, n)
    # element i sits at flat place (i + max(-offset, 0)) * n + i + max(offset, 0)
    begin = max(-offset, 0) * n + max(offset, 0)
    used = max(0, (input.shape[-1] - 1) * (n + 1) + 1) if input.shape[-1] else 0
    zeros = (0,) * (input.ndim - 1)
    flat = p.pad(input, low=zeros + (begin,), high=zeros + (n * n - begin - used,),
                 interior=zeros + (n,), value=0)
    out = p.reshape(flat, shape=shape)
    order = [d for d in range(rank) if d not in (a, b)]
    dims: list[int] = [0] * rank
    for i, d in enumerate(order):
        dims[d] = i
    dims[a], dims[b] = rank - 2, rank - 1
    return p.permute(out, dims=tuple(dims))


@operation()
def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1):
    """Matrices whose diagonal is the last dimension."""
    return embed_diagonal(input, offset, dim1, dim2)


@operation(out=True)
def diag(input: Tensor, diagonal: int = 0):
    """A vector as a diagonal matrix, or the diagonal of a matrix."""
    if input.ndim == 1:
        return embed_diagonal(input, diagonal, 0, 1)
    if input.ndim != 2:
        raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {input.ndim}D")
    from .declare import DECLARED
    return DECLARED["diagonal"].body(input, diagonal)


@operation()
def trace(input: Tensor):
    """The sum of a matrix's diagonal."""
    if input.ndim != 2:
        raise RuntimeError("trace: expected a matrix, but got tensor with dim " + str(input.ndim))
    from .declare import DECLARED
    found = DECLARED["diagonal"].body(input)
    if found.dtype.category < 2:
        found = cast(found, dtypes.int64)
    return p.reduce_sum(found, dims=(0,))


@operation("_constant_pad", namespace="_private")
def constant_pad(input: Tensor, pad: tuple, value: float = 0.0):
    """Padding with a number, (low, high) pairs from the last dimension on."""
    low, high = [0] * input.ndim, [0] * input.ndim
    if len(pad) % 2:
        raise RuntimeError("Padding length must be divisible by 2")
    if len(pad) > 2 * input.ndim:
        raise RuntimeError(f"Padding length should be less than or equal to two times the input "
                           f"dimension but got padding length {len(pad)} and input of dimension "
                           f"{input.ndim}")
    for i in range(len(pad) // 2):
        low[input.ndim - 1 - i], high[input.ndim - 1 - i] = pad[2 * i], pad[2 * i + 1]
    for d in range(input.ndim):
        if input.shape[d] + low[d] + high[d] < 0:
            raise RuntimeError(f"The input size {input.shape[d]}, plus negative padding {low[d]} "
                               f"and {high[d]}, resulted in a negative output size, which is "
                               f"invalid. Check dimension {d} of your input.")
    return p.pad(input, low=tuple(low), high=tuple(high), interior=(0,) * input.ndim,
                 value=value or 0)


@operation("_meshgrid", namespace="_private", method=False)
def meshgrid(tensors: Tensors, indexing: str):
    """Coordinate grids."""
    from .views import _Views
    shape = tuple(n.numel for n in tensors)
    out = []
    for d, node in enumerate(tensors):
        line = p.reshape(node, shape=tuple(e if i == d else 1 for i, e in enumerate(shape)))
        grid = expand_to(line, shape)
        if indexing == "xy" and len(shape) >= 2:
            grid = p.permute(grid, dims=(1, 0) + tuple(range(2, len(shape))))
        out.append(grid)
    return _Views(out)
