"""torch.linalg's norms, products and tensor equations, written with its decompositions."""

from __future__ import annotations

import math
from typing import Any

from .. import dtypes
from ..graph.ir import Node, full_like, p
from ..graph.primitives import decompose as d
from ..graph.primitives import matrices as algebra
from ..graph.primitives import solving
from .assemble import cross_node
from .build import (
    broadcast_shapes,
    cast,
    expand_to,
    keep_dims,
    node_of,
    normalise_dim,
    normalise_dims,
    operands,
)
from .declare import DECLARED, operation
from .linalg import check_matrix
from .reduce import norm_node

__all__: list[str] = []


def _linalg(name: str | None = None, **options):
    return operation(name, namespace="linalg", method=False, **options)


# ---- norms --------------------------------------------------------------------------------------


@_linalg(out=True)
def vector_norm(x: Tensor, ord: float = 2, dim: tuple = None, keepdim: bool = False, *,
                dtype: dtype = None):
    """sum(|x|**ord)**(1 / ord) over dim."""
    x = x if dtype is None else cast(x, dtype)
    if ord < 0 or ord == math.inf:
        dims = normalise_dims(dim, x.ndim)
        if any(x.shape[i] == 0 for i in dims):
            raise RuntimeError(f"linalg.vector_norm cannot compute the {ord} norm on an empty "
                               "tensor because the operation does not have an identity")
    return norm_node(x, float(ord), dim, keepdim)


def matrix_norm_node(a: Node, order, dim, keepdim: bool) -> Node:
    if a.dtype.category < 2:
        raise RuntimeError("linalg.matrix_norm: Expected a floating point or complex tensor as "
                           f"input. Got {a.dtype.legacy_name}")
    if a.ndim < 2:
        raise RuntimeError("linalg.matrix_norm: The input tensor A must have at least 2 "
                           "dimensions.")
    if not isinstance(dim, tuple) or len(dim) != 2:
        raise RuntimeError("linalg.matrix_norm: dim must be a 2-tuple. Got "
                           + str(dim if isinstance(dim, int) else list(dim)))
    row, column = (normalise_dim(i, a.ndim) for i in dim)
    if row == column:
        raise RuntimeError(f"linalg.matrix_norm: dims must be different. Got ({row}, {column})")
    if order == "fro":
        return norm_node(a, 2.0, (row, column), keepdim)
    if order in ("nuc", 2, -2):
        lead = tuple(i for i in range(a.ndim) if i not in (row, column))
        values = d.svd(p.permute(a, dims=lead + (row, column)), False)[1]
        last = (values.ndim - 1,)
        reduce = {"nuc": p.reduce_sum, 2: p.reduce_max, -2: p.reduce_min}[order]
        out = reduce(values, dims=last)
        return keep_dims(out, a.shape, (row, column)) if keepdim else out
    if order not in (1, -1, math.inf, -math.inf):
        raise RuntimeError(f"linalg.matrix_norm: Order {order} not supported.")
    summed, other = (row, column) if abs(order) == 1 else (column, row)
    sums = p.reduce_sum(p.abs(a), dims=(summed,))
    other -= other > summed
    out = (p.reduce_max if order > 0 else p.reduce_min)(sums, dims=(other,))
    return keep_dims(out, a.shape, (row, column)) if keepdim else out


@_linalg(out=True)
def matrix_norm(A: Tensor, ord: object = "fro", dim: tuple = (-2, -1), keepdim: bool = False, *,
                dtype: dtype = None):
    """The matrix norm: "fro", "nuc", inf, -inf, 1, -1, 2 or -2."""
    return matrix_norm_node(A if dtype is None else cast(A, dtype), ord, dim, keepdim)


@_linalg("norm", out=True)
def norm(A: Tensor, ord: Any = None, dim: tuple = None, keepdim: bool = False, *,
         dtype: dtype = None):
    """The norm of a vector or matrix, by what `dim` names."""
    A = A if dtype is None else cast(A, dtype)
    if isinstance(dim, int):
        dim = (dim,)
    if ord is None:
        return norm_node(A, 2.0, dim, keepdim)
    if dim is None and A.ndim not in (1, 2):
        raise RuntimeError(f"linalg.norm: If dim is not specified but ord is, the input must be 1D "
                           f"or 2D. Got {A.ndim}D.")
    if isinstance(ord, str) or (dim is None and A.ndim == 2) or (dim is not None
                                                                 and len(dim) == 2):
        return matrix_norm_node(A, ord, dim or (0, 1), keepdim)
    return norm_node(A, float(ord), dim, keepdim)


@_linalg("_condition")
def condition(A: Tensor, order: object = None):
    """The condition number."""
    if order in (None, 2, -2):
        values = d.svd(check_matrix(A, "linalg.cond"), False)[1]
        last = (values.ndim - 1,)
        high, low = p.reduce_max(values, dims=last), p.reduce_min(values, dims=last)
        return p.div(low, high) if order == -2 else p.div(high, low)
    check_matrix(A, "linalg.cond", True)
    return p.mul(matrix_norm_node(A, order, (-2, -1), False),
                 matrix_norm_node(solving.inverse(A), order, (-2, -1), False))


@_linalg("_rank")
def rank(A: Tensor, atol: Tensor | None, rtol: Tensor | None, hermitian: bool):
    """How many singular values exceed max(atol, rtol * the largest)."""
    check_matrix(A, "linalg.matrix_rank", hermitian)
    if hermitian:
        values = p.abs(d.eigh(A)[0])
    else:
        values = d.svd(A, False)[1]
    last = values.ndim - 1
    lead = values.shape[:-1]
    if values.shape[-1] == 0:
        return p.reduce_sum(cast(values, dtypes.int64), dims=(last,))
    if rtol is None:
        size = dtypes.finfo(values.dtype).eps * max(A.shape[-2:])
        rtol = node_of(0.0 if atol is not None else size, values.dtype)
        if atol is not None:
            rtol = cast(p.where(p.gt(atol, full_like(atol, 0)), full_like(atol, 0),
                                full_like(atol, size)), values.dtype)
    relative = p.mul(*operands(p.reduce_max(values, dims=(last,)), cast(rtol, values.dtype)))
    if atol is not None:
        relative = p.maximum(*operands(relative, cast(atol, values.dtype)))
    shape = broadcast_shapes(lead, relative.shape) + values.shape[-1:]
    bound = expand_to(p.reshape(relative, shape=relative.shape + (1,)), shape)
    hits = p.gt(expand_to(values, shape), bound)
    return p.reduce_sum(cast(hits, dtypes.int64), dims=(len(shape) - 1,))


# ---- products -----------------------------------------------------------------------------------


@_linalg("cross", out=True)
def cross(input: Tensor, other: Tensor, *, dim: int = -1):
    """The cross product along dim."""
    if input.ndim != other.ndim:
        raise RuntimeError("linalg.cross: inputs must have the same number of dimensions.")
    return cross_node(input, other, dim)


@_linalg(out=True)
def vecdot(x: Tensor, y: Tensor, *, dim: int = -1):
    """The sum of conj(x) * y along dim."""
    if x.dtype is not y.dtype:
        raise RuntimeError("linalg.vecdot: Expected vectors of same dtype but got "
                           f"{x.dtype.legacy_name} and {y.dtype.legacy_name}")
    a, b = operands(x, y)
    dim = normalise_dim(dim, a.ndim)
    return p.reduce_sum(p.mul(p.conj(a) if a.dtype.is_complex else a, b), dims=(dim,))


@_linalg(out=True)
def multi_dot(tensors: Tensors):
    """The product of matrices in the cheapest order; the first and last may be vectors."""
    if len(tensors) < 2:
        raise RuntimeError("multi_dot(): expected at least 2 tensors but got "
                           f"{len(tensors)}")
    nodes = list(tensors)
    shape: list[int] = []
    if nodes[0].ndim == 1:
        nodes[0] = p.reshape(nodes[0], shape=(1,) + nodes[0].shape)
    else:
        shape.append(nodes[0].shape[0])
    if nodes[-1].ndim == 1:
        nodes[-1] = p.reshape(nodes[-1], shape=nodes[-1].shape + (1,))
    else:
        shape.append(nodes[-1].shape[1])
    for i, (a, b) in enumerate(zip(nodes, nodes[1:])):
        if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0]:
            raise RuntimeError(f"multi_dot(): tensors {i} and {i + 1} with shapes {list(a.shape)} "
                               f"and {list(b.shape)} cannot be multiplied")
    extents = [n.shape[0] for n in nodes] + [nodes[-1].shape[1]]
    return p.reshape(_product(nodes, _best_splits(extents), 0, len(nodes) - 1),
                     shape=tuple(shape))


def _best_splits(extents):
    """Where to split each range of factors so that the fewest multiplications are needed."""
    n = len(extents) - 1
    cost = {(i, i): 0 for i in range(n)}
    splits = {}
    for width in range(1, n):
        for i in range(n - width):
            j = i + width
            choices = [(cost[i, k] + cost[k + 1, j] + extents[i] * extents[k + 1]
                        * extents[j + 1], k) for k in range(i, j)]
            cost[i, j], splits[i, j] = min(choices)
    return splits


def _product(nodes, splits, i, j):
    if i == j:
        return nodes[i]
    k = splits[i, j]
    return algebra.matmul(_product(nodes, splits, i, k), _product(nodes, splits, k + 1, j))


# ---- tensor equations ---------------------------------------------------------------------------


def _size(shape) -> int:
    total = 1
    for extent in shape:
        total *= extent
    return total


@_linalg(out=True)
def tensorinv(A: Tensor, ind: int = 2):
    """The inverse of A as a map from its last dimensions to its first `ind`."""
    if ind <= 0:
        raise RuntimeError("Expected a strictly positive integer for 'ind'")
    front, back = A.shape[:ind], A.shape[ind:]
    if _size(front) != _size(back):
        raise RuntimeError("Expected self to satisfy the requirement prod(self.shape[ind:]) == "
                           f"prod(self.shape[:ind]), but got {_size(back)} != {_size(front)}")
    flat = p.reshape(A, shape=(_size(front), _size(back)))
    return p.reshape(solving.inverse(flat), shape=back + front)


@_linalg(out=True)
def tensorsolve(A: Tensor, B: Tensor, dims: tuple = None):
    """X with tensordot(A, X, X.ndim) = B."""
    if dims is not None:
        moved = [normalise_dim(i, A.ndim) for i in dims]
        A = p.permute(A, dims=tuple(i for i in range(A.ndim) if i not in moved) + tuple(moved))
    shape = A.shape[B.ndim:]
    if _size(shape) != _size(A.shape[:B.ndim]):
        raise RuntimeError("Expected self to satisfy the requirement prod(self.shape[other.ndim:]) "
                           f"== prod(self.shape[:other.ndim]), but got {_size(shape)} != "
                           f"{_size(A.shape[:B.ndim])}")
    flat = p.reshape(A, shape=(B.numel, _size(shape)))
    out = solving.solve(flat, p.reshape(B, shape=(B.numel, 1)))
    return p.reshape(out, shape=shape)


@_linalg("diagonal", view=True)
def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1):
    """A diagonal of the last two dimensions."""
    return DECLARED["diagonal"].body(A, offset, dim1, dim2)
