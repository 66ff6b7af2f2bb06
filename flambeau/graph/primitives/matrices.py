"""Small algebra over nodes that are matrices, for the rules of linear algebra.

Matrices are the last two dimensions; the leading ones are a batch.
"""

from __future__ import annotations

from ..ir import Node, constant, expand_to, full_like, iota, p

__all__ = [
    "adjoint", "band", "chain", "column_scaled", "columns", "diagonal_matrix", "identity",
    "matmul", "row_scaled", "rows", "scaled", "transposed",
]


def transposed(a: Node) -> Node:
    """The last two dimensions exchanged."""
    dims = tuple(range(a.ndim - 2)) + (a.ndim - 1, a.ndim - 2)
    return p.permute(a, dims=dims)


def adjoint(a: Node) -> Node:
    """The conjugate transpose."""
    return p.conj(transposed(a)) if a.dtype.is_complex else transposed(a)


def matmul(a: Node, b: Node) -> Node:
    """The product of matrices of one batch shape."""
    lead = tuple(range(a.ndim - 2))
    return p.contract(a, b, batch_a=lead, batch_b=lead, contract_a=(a.ndim - 1,),
                      contract_b=(b.ndim - 2,))


def chain(*factors: Node) -> Node:
    """The product of several matrices, from the left."""
    product = factors[0]
    for factor in factors[1:]:
        product = matmul(product, factor)
    return product


def band(a: Node, keep: str, offset: int = 0) -> Node:
    """`a` where column - row is <= ("lower"), >= ("upper") or == ("diagonal") offset, else 0."""
    gap = p.sub(iota(a.shape, a.ndim - 1), iota(a.shape, a.ndim - 2))
    compare = {"lower": p.le, "upper": p.ge, "diagonal": p.eq}[keep]
    return p.where(compare(gap, full_like(gap, offset)), a, full_like(a, 0))


def diagonal_matrix(v: Node) -> Node:
    """Square matrices with `v` on the diagonal."""
    wide = expand_to(p.reshape(v, shape=v.shape + (1,)), v.shape + (v.shape[-1],))
    return band(wide, "diagonal")


def column_scaled(a: Node, v: Node) -> Node:
    """a @ diag(v)."""
    return p.mul(a, expand_to(p.reshape(v, shape=v.shape[:-1] + (1,) + v.shape[-1:]), a.shape))


def row_scaled(v: Node, a: Node) -> Node:
    """diag(v) @ a."""
    return p.mul(expand_to(p.reshape(v, shape=v.shape + (1,)), a.shape), a)


def scaled(a: Node, factor: float) -> Node:
    return p.mul(a, expand_to(constant(factor, a.dtype), a.shape))


def identity(like: Node, n: int) -> Node:
    """Identity matrices in the batch shape and dtype of `like`."""
    shape = like.shape[:-2] + (n, n)
    one = expand_to(constant(1, like.dtype), shape)
    return band(one, "diagonal")


def columns(a: Node, start: int, stop: int) -> Node:
    starts = (0,) * (a.ndim - 1) + (start,)
    return p.slice(a, starts=starts, stops=a.shape[:-1] + (stop,), steps=(1,) * a.ndim)


def rows(a: Node, start: int, stop: int) -> Node:
    starts = (0,) * (a.ndim - 2) + (start, 0)
    return p.slice(a, starts=starts, stops=a.shape[:-2] + (stop, a.shape[-1]),
                   steps=(1,) * a.ndim)
