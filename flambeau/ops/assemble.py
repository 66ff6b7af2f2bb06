"""Building tensors of tensors: grids, blocks, products, and writing parts into copies."""

from __future__ import annotations

import itertools

from .. import dtypes
from ..graph.ir import Node, constant, full, full_like, p
from ..graph.primitives.movement import slice_dim
from .build import cast, expand_to, normalise_dim, operands, promote
from .declare import operation
from .index import wrap_index
from .reduce import norm_node
from .shape import embed_diagonal
from .view_writes import as_complex, as_pairs, put_back
from .views import _Views, sections

__all__: list[str] = []


# ---- splitting along a fixed dimension ----------------------------------------------------------


def _declare_split(name: str, least: int, description: str) -> None:
    def body(input: Tensor, indices_or_sections: tuple):
        if input.ndim < least:
            raise RuntimeError(f"torch.{name} requires a tensor with at least {least} dimension"
                               f"{'s' if least > 1 else ''}, but got a tensor with {input.ndim} "
                               "dimensions!")
        dim = {"hsplit": int(input.ndim > 1), "vsplit": 0, "dsplit": 2}[name]
        extent, given = input.shape[dim], indices_or_sections
        if isinstance(given, int):
            if given <= 0 or extent % given:
                raise RuntimeError(f"torch.{name} attempted to split along dimension {dim}, but "
                                   f"the size of the dimension {extent} is not divisible by the "
                                   f"split_size {given}!")
            return sections(input, (extent // given,) * given, dim)
        edges = [0] + [min(max(i + extent if i < 0 else i, 0), extent) for i in given] + [extent]
        parts = []
        for begin, end in zip(edges, edges[1:]):
            part = slice_dim(input, dim, begin, max(begin, end))
            parts.append(p.reshape(part, shape=part.shape) if part is input else part)
        return _Views(parts)

    body.__name__, body.__doc__ = name, description
    operation(name, view=True)(body)


_declare_split("hsplit", 1, "Pieces along the second dimension (the first of vectors).")
_declare_split("vsplit", 2, "Pieces along the first dimension.")
_declare_split("dsplit", 3, "Pieces along the third dimension.")


# ---- blocks and products ------------------------------------------------------------------------


@operation("_block_diag", namespace="_private", method=False)
def block_diag(tensors: Tensors):
    """A matrix with the given matrices along its diagonal."""
    parts = []
    for i, x in enumerate(promote(*tensors)):
        if x.ndim > 2:
            raise RuntimeError("torch.block_diag: Input tensors must have 2 or fewer dimensions. "
                               f"Input {i} has {x.ndim} dimensions")
        parts.append(p.reshape(x, shape=(1,) * (2 - x.ndim) + x.shape))
    width, begin, rows = sum(x.shape[1] for x in parts), 0, []
    for x in parts:
        rows.append(p.pad(x, low=(0, begin), high=(0, width - begin - x.shape[1]),
                          interior=(0, 0), value=0))
        begin += x.shape[1]
    return p.concatenate(*rows, dim=0)


@operation(out=True)
def kron(input: Tensor, other: Tensor):
    """The Kronecker product."""
    a, b = promote(input, other)
    rank = max(a.ndim, b.ndim)
    shape_a, shape_b = ((1,) * (rank - n.ndim) + n.shape for n in (a, b))
    wide = tuple(e for pair in zip(shape_a, shape_b) for e in pair)
    a = p.reshape(a, shape=tuple(e for pair in zip(shape_a, (1,) * rank) for e in pair))
    b = p.reshape(b, shape=tuple(e for pair in zip((1,) * rank, shape_b) for e in pair))
    found = p.mul(expand_to(a, wide), expand_to(b, wide)) if a.dtype is not dtypes.bool_ else \
        p.bitwise_and(expand_to(a, wide), expand_to(b, wide))
    return p.reshape(found, shape=tuple(x * y for x, y in zip(shape_a, shape_b)))


@operation("_cartesian_prod", namespace="_private", method=False)
def cartesian_prod(tensors: Tensors):
    """All tuples with one element of each vector, as rows."""
    for x in tensors:
        if x.ndim != 1:
            raise RuntimeError(f"Expect a 1D vector, but got shape {list(x.shape)}")
    if len(tensors) == 1:
        return tensors[0]
    shape, columns = tuple(x.numel for x in tensors), []
    for d, x in enumerate(promote(*tensors)):
        line = p.reshape(x, shape=tuple(e if i == d else 1 for i, e in enumerate(shape)))
        grid = expand_to(line, shape)
        columns.append(p.reshape(grid, shape=(grid.numel, 1)))
    return p.concatenate(*columns, dim=1)


@operation(method=False)
def combinations(input: Tensor, r: int = 2, with_replacement: bool = False):
    """All choices of r elements of a vector, as rows."""
    if input.ndim != 1:
        raise RuntimeError("Expect a 1D vector, but got shape " + str(list(input.shape)))
    if r < 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    if r == 0:
        return full((0,), 0, input.dtype)
    choose = itertools.combinations_with_replacement if with_replacement else \
        itertools.combinations
    rows = list(choose(range(input.numel), r))
    if not rows:
        return p.reshape(slice_dim(input, 0, 0, 0), shape=(0,)) if r == 0 else \
            expand_to(p.reshape(slice_dim(input, 0, 0, 0), shape=(0, 1)), (0, r))
    numbers = [p.reshape(constant(i, dtypes.int64), shape=(1,)) for row in rows for i in row]
    index = numbers[0] if len(numbers) == 1 else p.concatenate(*numbers, dim=0)
    return p.reshape(p.take(input, index, dim=0, message=""), shape=(len(rows), r))


@operation()
def diagflat(input: Tensor, offset: int = 0):
    """A matrix whose diagonal is the flattened input."""
    return embed_diagonal(p.reshape(input, shape=(input.numel,)), offset, 0, 1)


@operation("_vander", namespace="_private", method=False)
def vander(x: Tensor, N: int, increasing: bool):
    """Powers 0 to N - 1 of the last dimension."""
    kind = dtypes.int64 if x.dtype is dtypes.bool_ else x.dtype
    x = cast(x, kind)
    powers = [full_like(x, 1)]
    for _ in range(N - 1):
        powers.append(p.mul(powers[-1], x))
    powers = powers[:N] if increasing else powers[:N][::-1]
    if not powers:
        return full(x.shape + (0,), 0, kind)
    return p.concatenate(*[p.reshape(c, shape=c.shape + (1,)) for c in powers], dim=x.ndim)


# ---- a copy with one part replaced --------------------------------------------------------------


def _declare_scatter(name: str, of: str, description: str) -> None:
    """``X_scatter(input, src, …)``: what a write to the view ``X(input, …)`` would leave."""
    from .declare import DECLARED
    view = DECLARED[of].body

    def written(input, src, *place):
        part = view(input, *place)
        if src.shape != part.shape:
            raise RuntimeError(f"expected src to have a size equal to the slice of self. src size "
                               f"= {list(src.shape)}, slice size = {list(part.shape)}")
        if part is input:
            return cast(src, input.dtype)
        return put_back(part, input, cast(src, input.dtype))

    if name == "diagonal_scatter":
        def body(input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1):
            return written(input, src, offset, dim1, dim2)
    elif name == "select_scatter":
        def body(input: Tensor, src: Tensor, dim: int, index: int):
            return written(input, src, dim, index)
    else:
        def body(input: Tensor, src: Tensor, size: tuple, stride: tuple,
                 storage_offset: int = None):
            return written(input, src, size, stride, storage_offset or 0)
    body.__name__, body.__doc__ = name, description
    operation(name)(body)


_declare_scatter("diagonal_scatter", "diagonal", "input with a diagonal replaced by src.")
_declare_scatter("select_scatter", "select", "input with one position of dim replaced by src.")
_declare_scatter("as_strided_scatter", "as_strided", "input with a strided window replaced by src.")


@operation()
def slice_scatter(input: Tensor, src: Tensor, dim: int = 0, start: int = None, end: int = None,
                  step: int = 1):
    """input with positions start to end of dim replaced by src."""
    dim = normalise_dim(dim, input.ndim)
    begin, stop, step = slice(start, end, step).indices(input.shape[dim])
    part = slice_dim(input, dim, begin, max(begin, stop), step)
    if src.shape != part.shape:
        raise RuntimeError(f"expected src to have a size equal to the slice of self. src size = "
                           f"{list(src.shape)}, slice size = {list(part.shape)}")
    src = cast(src, input.dtype)
    return src if part is input else put_back(part, input, src)


# ---- writing at computed places -----------------------------------------------------------------


@operation(inplace=True)
def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False):
    """input with source written (or added) at places of the flattened input."""
    if index.dtype is not dtypes.int64:
        raise RuntimeError("put_(): Expected a long tensor for index, but got "
                           f"{index.dtype.legacy_name}")
    if source.dtype is not input.dtype:
        raise RuntimeError(f"put_(): self and source expected to have the same dtype, but got self"
                           f".dtype = {input.dtype.legacy_name} and source.dtype = "
                           f"{source.dtype.legacy_name}")
    if source.numel != index.numel:
        raise RuntimeError("put_(): Expected source and index to have the same number of elements, "
                           f"but got source.numel() = {source.numel}, index.numel() = "
                           f"{index.numel}")
    flat = p.reshape(input, shape=(input.numel,))
    place = wrap_index(p.reshape(index, shape=(index.numel,)), input.numel)
    out = p.put(flat, place, p.reshape(source, shape=(source.numel,)), dim=0, message="",
                mode="add" if accumulate else "set")
    return p.reshape(out, shape=input.shape)


@operation(inplace=True)
def index_reduce(input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *,
                 include_self: bool = True):
    """input combined with source at the positions `index` of dim: prod, mean, amax or amin."""
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise RuntimeError("index_reduce(): Expected reduce to be one of prod, mean, amax or amin "
                           f"but got {reduce}.")
    from .declare import DECLARED
    flat = input if input.ndim else p.reshape(input, shape=(1,))
    given = source if source.ndim else p.reshape(source, shape=(1,))
    axis = normalise_dim(dim, flat.ndim)
    shape = [1] * flat.ndim
    shape[axis] = index.numel
    place = expand_to(p.reshape(cast(index, dtypes.int64), shape=tuple(shape)), given.shape)
    out = DECLARED["scatter_reduce"].body(flat, axis, place, given, reduce,
                                          include_self=include_self)
    return p.reshape(out, shape=input.shape) if out.shape != input.shape else out


# ---- complex numbers as pairs -------------------------------------------------------------------


@operation(method=False, view=True)
def view_as_complex(input: Tensor):
    """Pairs in a last dimension of 2 as complex numbers."""
    if input.ndim == 0 or input.shape[-1] != 2:
        raise RuntimeError("Tensor must have a last dimension of size 2")
    if input.dtype not in (dtypes.float32, dtypes.float64):
        raise RuntimeError("view_as_complex is only supported for half, float and double tensors, "
                           f"but got a tensor of scalar type: {input.dtype.legacy_name}")
    return as_complex(input)


@operation(method=False, view=True)
def view_as_real(input: Tensor):
    """Complex numbers as pairs in a new last dimension."""
    if not input.dtype.is_complex:
        raise RuntimeError("view_as_real is only supported for complex tensors")
    return as_pairs(input)


# ---- distances and products of vectors ----------------------------------------------------------


@operation(out=True)
def vdot(input: Tensor, other: Tensor):
    """The sum of conj(input) * other over two vectors."""
    if input.ndim != 1 or other.ndim != 1:
        raise RuntimeError(f"1D tensors expected, but got {input.ndim}D and {other.ndim}D tensors")
    from .contract import matmul_node
    return matmul_node(p.conj(input) if input.dtype.is_complex else input, other)


@operation(out=True)
def inner(input: Tensor, other: Tensor):
    """The sums of products over the last dimensions."""
    a, b = operands(input, other) if not (input.ndim and other.ndim) else (input, other)
    if not (input.ndim and other.ndim):
        return p.mul(a, b)
    if a.shape[-1] != b.shape[-1]:
        raise RuntimeError("inner() the last dimension must match on both input tensors but got "
                           f"shapes {list(a.shape)} and {list(b.shape)}")
    return p.contract(a, b, batch_a=(), batch_b=(), contract_a=(a.ndim - 1,),
                      contract_b=(b.ndim - 1,))


@operation("cross", out=True)
def cross(input: Tensor, other: Tensor, dim: int = None):
    """The cross product along a dimension of extent 3 (the first such by default)."""
    a, b = operands(input, other)
    if dim is None:
        dim = next((d for d, e in enumerate(a.shape) if e == 3), None)
        if dim is None:
            raise RuntimeError("no dimension of size 3 in input")
    return cross_node(a, b, dim)


def cross_node(a: Node, b: Node, dim: int) -> Node:
    a, b = operands(a, b)
    dim = normalise_dim(dim, a.ndim)
    if a.shape[dim] != 3:
        raise RuntimeError("linalg.cross: inputs dimension " + str(dim) + " must have length 3. "
                           f"Got {a.shape[dim]} and {b.shape[dim]}")

    def turned(x, by):
        return p.concatenate(slice_dim(x, dim, by, 3), slice_dim(x, dim, 0, by), dim=dim)

    return p.sub(p.mul(turned(a, 1), turned(b, 2)), p.mul(turned(a, 2), turned(b, 1)))


def distances(x1: Node, x2: Node, order: float) -> Node:
    if x1.ndim < 2 or x2.ndim < 2:
        raise RuntimeError("cdist only supports at least 2D tensors, "
                           f"X{1 if x1.ndim < 2 else 2} got: {min(x1.ndim, x2.ndim)}D")
    if x1.shape[-1] != x2.shape[-1]:
        raise RuntimeError("X1 and X2 must have the same number of columns. X1: "
                           f"{x1.shape[-1]} X2: {x2.shape[-1]}")
    if order < 0:
        raise RuntimeError("cdist only supports non-negative p values")
    a = p.reshape(x1, shape=x1.shape[:-1] + (1,) + x1.shape[-1:])
    b = p.reshape(x2, shape=x2.shape[:-2] + (1,) + x2.shape[-2:])
    a, b = operands(a, b)
    gap = p.sub(a, b)
    if gap.shape[-1] == 0:
        return p.reduce_sum(gap, dims=(gap.ndim - 1,))
    return norm_node(gap, order, gap.ndim - 1, False)


def renormalised(input: Node, order: float, dim: int, limit: float) -> Node:
    dim = normalise_dim(dim, input.ndim)
    if input.ndim < 2:
        raise RuntimeError("renorm: input needs at least 2 dimensions, got " + str(input.ndim)
                           + " dimensions")
    rest = tuple(d for d in range(input.ndim) if d != dim)
    size = norm_node(input, order, rest, True)
    most = full_like(size, limit)
    factor = p.where(p.gt(size, most), p.div(most, p.add(size, full_like(size, 1e-7))),
                     full_like(size, 1))
    return p.mul(input, expand_to(cast(factor, input.dtype), input.shape))


def _declare_with_order() -> None:
    """Operations whose order is called p, which elsewhere in this file means the primitives."""
    @operation(method=False)
    def cdist(x1: Tensor, x2: Tensor, p: float = 2.0,
              compute_mode: str = "use_mm_for_euclid_dist_if_necessary"):
        """The p-distances between the rows of x1 and those of x2."""
        return distances(x1, x2, p)

    @operation()
    def dist(input: Tensor, other: Tensor, p: float = 2.0):
        """The p-norm of input - other."""
        return norm_of_difference(input, other, p)

    @operation(inplace=True, out=True)
    def renorm(input: Tensor, p: float, dim: int, maxnorm: float):
        """Slices along dim scaled down to a p-norm of at most maxnorm."""
        return renormalised(input, p, dim, maxnorm)


def norm_of_difference(a: Node, b: Node, order: float) -> Node:
    a, b = operands(a, b)
    return norm_node(p.sub(a, b), order, None, False)


_declare_with_order()
