"""Decompositions of matrices and their exponential: NumPy's LAPACK, gradients in the graph.

Matrices are the last two dimensions; the leading ones are a batch. The gradient rules follow
Giles, "Collected matrix derivative results for forward and reverse mode", 2008, and Townsend's note
on the SVD, 2016.
"""

from __future__ import annotations

import numpy as np

from ... import dtypes
from ..ir import Node, expand_to, full_like, iota, p
from .external import call, external, results_of
from .matrices import (
    adjoint,
    band,
    chain,
    column_scaled,
    columns,
    diagonal_matrix,
    matmul,
    row_scaled,
    rows,
    scaled,
)
from .solving import error, solve

__all__ = [
    "cholesky", "eig", "eigh", "lower_upper", "matrix_exponential", "qr", "raw_qr", "svd",
]


def cholesky(a: Node) -> Node:
    """The lower triangular factor L of a = L @ L^H."""
    return call("cholesky", a, result=((a.shape, a.dtype),))


def _cholesky_vjp(node, g):
    inner = band(matmul(adjoint(node), band(g, "lower")), "lower")
    symmetric = p.sub(p.add(inner, adjoint(inner)), band(inner, "diagonal"))
    left = solve(adjoint(node), symmetric)                       # L^-H S
    return (scaled(adjoint(solve(adjoint(node), adjoint(left))), 0.5),)


def _not_positive(a):
    """The error for the first matrix of `a` without a Cholesky factor, and its first bad minor."""
    matrices = a.reshape((-1,) + a.shape[-2:])
    for place, matrix in enumerate(matrices):
        for order in range(1, len(matrix) + 1):
            try:
                np.linalg.cholesky(matrix[:order, :order])
            except np.linalg.LinAlgError:
                batch = f"(Batch element {place}): " if a.ndim > 2 else ""
                return error(f"linalg.cholesky: {batch}The factorization could not be completed "
                              "because the input is not positive-definite (the leading minor of "
                              f"order {order} is not positive-definite).")
    return error("linalg.cholesky: The factorization could not be completed because the input is "
                  "not positive-definite.")


@external("cholesky", _cholesky_vjp)
def _cholesky(static, a):
    try:
        return np.linalg.cholesky(a)
    except np.linalg.LinAlgError:
        raise _not_positive(a) from None


def qr(a: Node, complete: bool) -> tuple[Node, Node]:
    m, n = a.shape[-2:]
    k = m if complete else min(m, n)
    lead = a.shape[:-2]
    return call("qr", a, static=(complete,),
                result=((lead + (m, k), a.dtype), (lead + (k, n), a.dtype)))


def _qr_vjp(node, gs):
    q, r = results_of(node)
    gq, gr = (full_like(x, 0) if g is None else g for x, g in zip((q, r), gs))
    m, n = node.inputs[0].shape[-2:]
    if node.attrs["static"][0] and m > n:
        raise RuntimeError("The QR decomposition is not differentiable when mode='complete' and "
                           "nrows > ncols")
    if m >= n:
        return (_qr_tall(q, r, gq, gr),)
    left, right = columns(gr, 0, m), columns(gr, m, n)
    rest = columns(node.inputs[0], m, n)
    gx = _qr_tall(q, columns(r, 0, m), p.add(gq, matmul(rest, adjoint(right))), left)
    return (p.concatenate(gx, matmul(q, right), dim=gx.ndim - 1),)


def _qr_tall(q, r, gq, gr):
    inner = band(p.sub(matmul(gr, adjoint(r)), matmul(adjoint(q), gq)), "upper")
    symmetric = p.sub(p.add(inner, adjoint(inner)), band(inner, "diagonal"))
    out = p.add(gq, matmul(q, symmetric))
    return adjoint(solve(r, adjoint(out)))                        # out @ R^-H


@external("qr", _qr_vjp)
def _qr(static, a):
    return tuple(np.linalg.qr(a, "complete" if static[0] else "reduced"))


def raw_qr(a: Node) -> tuple[Node, Node]:
    """LAPACK's compact form: Householder vectors under R, and their factors tau."""
    k = min(a.shape[-2:])
    return call("geqrf", a, result=((a.shape, a.dtype), (a.shape[:-2] + (k,), a.dtype)))


@external("geqrf")
def _geqrf(static, a):
    packed, tau = np.linalg.qr(a, "raw")
    return np.swapaxes(packed, -1, -2), tau


def eigh(a: Node) -> tuple[Node, Node]:
    """Eigenvalues in ascending order and eigenvectors of Hermitian matrices (lower triangle)."""
    return call("eigh", a, result=((a.shape[:-1], a.dtype.to_real()), (a.shape, a.dtype)))


def _gaps(values: Node) -> Node:
    """[i, j]: values[j] - values[i], and 1 on the diagonal."""
    shape = values.shape + values.shape[-1:]
    row = expand_to(p.reshape(values, shape=values.shape[:-1] + (1,) + values.shape[-1:]), shape)
    column = expand_to(p.reshape(values, shape=values.shape + (1,)), shape)
    own = p.eq(iota(shape, len(shape) - 1), iota(shape, len(shape) - 2))
    return p.where(own, full_like(row, 1), p.sub(row, column))


def _as(a: Node, dtype) -> Node:
    return a if a.dtype is dtype else p.cast(a, dtype=dtype)


def _off_diagonal(a: Node) -> Node:
    return p.sub(a, band(a, "diagonal"))


def _eigh_vjp(node, gs):
    values, vectors = results_of(node)
    total = None
    if gs[1] is not None:
        inner = _off_diagonal(matmul(adjoint(vectors), gs[1]))
        total = p.div(inner, _as(_gaps(values), inner.dtype))
    if gs[0] is not None:
        diagonal = diagonal_matrix(_as(gs[0], vectors.dtype))
        total = diagonal if total is None else p.add(total, diagonal)
    return (chain(vectors, total, adjoint(vectors)),)


@external("eigh", _eigh_vjp)
def _eigh(static, a):
    return tuple(np.linalg.eigh(a))


def eig(a: Node) -> tuple[Node, Node]:
    """Complex eigenvalues and eigenvectors."""
    kind = a.dtype.to_complex()
    return call("eig", a, result=((a.shape[:-1], kind), (a.shape, kind)))


def _eig_vjp(node, gs):
    values, vectors = results_of(node)
    total = None
    if gs[1] is not None:
        inner = matmul(adjoint(vectors), gs[1])
        along = band(p.cast(p.real(inner), dtype=inner.dtype), "diagonal")
        inner = p.sub(inner, chain(adjoint(vectors), vectors, along))
        total = _off_diagonal(p.div(inner, p.conj(_gaps(values))))
    if gs[0] is not None:
        diagonal = diagonal_matrix(gs[0])
        total = diagonal if total is None else p.add(total, diagonal)
    out = solve(adjoint(vectors), matmul(total, adjoint(vectors)))
    return (out if node.inputs[0].dtype.is_complex else p.real(out),)


@external("eig", _eig_vjp)
def _eig(static, a):
    values, vectors = np.linalg.eig(a)
    kind = np.complex64 if a.dtype.itemsize <= 4 or a.dtype == np.complex64 else np.complex128
    return values.astype(kind), vectors.astype(kind)


def svd(a: Node, full: bool) -> tuple[Node, Node, Node]:
    """(U, S, V^H)."""
    m, n = a.shape[-2:]
    k, lead = min(m, n), a.shape[:-2]
    return call("svd", a, static=(full,),
                result=((lead + (m, m if full else k), a.dtype), (lead + (k,), a.dtype.to_real()),
                        (lead + (n if full else k, n), a.dtype)))


def _skew(a: Node) -> Node:
    return p.sub(a, adjoint(a))


def _svd_vjp(node, gs):
    u, s, vh = results_of(node)
    m, n = node.inputs[0].shape[-2:]
    k = min(m, n)
    gu, gsv, gvh = gs
    if node.inputs[0].dtype.is_complex and (gu is not None or gvh is not None):
        raise NotImplementedError("svd: gradients of complex singular vectors are not supported")
    u, vh = columns(u, 0, k), rows(vh, 0, k)
    size = _as(s, u.dtype)
    inverted = p.reciprocal(size)
    total = None if gsv is None else diagonal_matrix(_as(gsv, u.dtype))
    gaps = None
    outer = None

    def add(a, b):
        return b if a is None else p.add(a, b)

    if gu is not None or gvh is not None:
        gaps = _gaps(p.mul(size, size))
    if gu is not None:
        gu = columns(gu, 0, k)
        inner = _off_diagonal(p.div(_skew(matmul(adjoint(u), gu)), gaps))
        total = add(total, column_scaled(inner, size))
        if m > k:
            rest = p.sub(gu, chain(u, adjoint(u), gu))
            outer = add(outer, matmul(column_scaled(rest, inverted), vh))
    if gvh is not None:
        gvh = rows(gvh, 0, k)
        inner = _off_diagonal(p.div(_skew(matmul(vh, adjoint(gvh))), gaps))
        total = add(total, row_scaled(size, inner))
        if n > k:
            rest = p.sub(gvh, chain(gvh, adjoint(vh), vh))
            outer = add(outer, matmul(u, row_scaled(inverted, rest)))
    return (add(outer, chain(u, total, vh)),)


@external("svd", _svd_vjp)
def _svd(static, a):
    return tuple(np.linalg.svd(a, static[0]))


def lower_upper(a: Node) -> tuple[Node, Node, Node, Node]:
    """(L, U, row order, pivots as LAPACK counts them) of a[order] = L @ U."""
    m, n = a.shape[-2:]
    k, lead = min(m, n), a.shape[:-2]
    return call("lu", a, result=((lead + (m, k), a.dtype), (lead + (k, n), a.dtype),
                                 (lead + (m,), dtypes.int64), (lead + (k,), dtypes.int32)))


def _lu_vjp(node, gs):
    lower, upper, order, _ = results_of(node)
    a = node.inputs[0]
    m, n = a.shape[-2:]
    k = min(m, n)
    gl = full_like(lower, 0) if gs[0] is None else gs[0]
    gu = full_like(upper, 0) if gs[1] is None else gs[1]
    l1, u1 = rows(lower, 0, k), columns(upper, 0, k)
    below = matmul(adjoint(l1), rows(gl, 0, k))
    above = matmul(columns(gu, 0, k), adjoint(u1))
    if n > k:
        below = p.sub(below, matmul(columns(gu, k, n), adjoint(columns(upper, k, n))))
    if m > k:
        above = p.sub(above, matmul(adjoint(rows(lower, k, m)), rows(gl, k, m)))
    inner = p.add(band(below, "lower", -1), band(above, "upper"))
    out = solve(adjoint(l1), adjoint(solve(u1, adjoint(inner))))
    if n > k:
        out = p.concatenate(out, solve(adjoint(l1), columns(gu, k, n)), dim=a.ndim - 1)
    if m > k:
        out = p.concatenate(out, adjoint(solve(u1, adjoint(rows(gl, k, m)))), dim=a.ndim - 2)
    place = expand_to(p.reshape(order, shape=order.shape + (1,)), out.shape)
    return (p.scatter(full_like(out, 0), place, out, dim=a.ndim - 2, mode="set", message=""),)


@external("lu", _lu_vjp)
def _lu(static, a):
    m, n = a.shape[-2:]
    k = min(m, n)
    work = np.array(a).reshape((int(np.prod(a.shape[:-2], dtype=np.int64)), m, n))
    batch = np.arange(len(work))
    order = np.broadcast_to(np.arange(m), (len(work), m)).copy()
    pivots = np.empty((len(work), k), np.int32)
    for j in range(k):
        best = j + np.argmax(np.abs(work[:, j:, j]), axis=1) if len(work) else batch
        pivots[:, j] = best + 1
        for held in (work, order):
            held[batch, best], held[:, j] = held[:, j].copy(), held[batch, best].copy()
        pivot = work[:, j, j]
        factor = work[:, j + 1:, j] / np.where(pivot == 0, 1, pivot)[:, None]
        work[:, j + 1:, j] = factor
        work[:, j + 1:, j + 1:] -= factor[:, :, None] * work[:, j, None, j + 1:]
    lower = np.tril(work[:, :, :k], -1) + np.eye(m, k, dtype=a.dtype)
    upper = np.triu(work[:, :k])
    lead = a.shape[:-2]
    return (lower.reshape(lead + (m, k)), upper.reshape(lead + (k, n)),
            order.reshape(lead + (m,)), pivots.reshape(lead + (k,)))


@external("row_order")
def _row_order(static, pivots):
    """The order of rows after exchanging row j with row pivots[j] - 1, for each j in turn."""
    m = static[0]
    flat = pivots.reshape(int(np.prod(pivots.shape[:-1], dtype=np.int64)), pivots.shape[-1])
    order = np.broadcast_to(np.arange(m), (len(flat), m)).copy()
    batch = np.arange(len(flat))
    for j in range(flat.shape[1]):
        other = flat[:, j] - 1
        order[batch, other], order[:, j] = order[:, j].copy(), order[batch, other].copy()
    return order.reshape(pivots.shape[:-1] + (m,))


# ---- the exponential ----------------------------------------------------------------------------


def matrix_exponential(a: Node) -> Node:
    return call("matrix_exp", a, result=((a.shape, a.dtype),))


def _matrix_exponential_vjp(node, g):
    """The upper right block of exp([[A^H, g], [0, A^H]])."""
    a = adjoint(node.inputs[0])
    n = a.shape[-1]
    top = p.concatenate(a, g, dim=a.ndim - 1)
    bottom = p.concatenate(full_like(a, 0), a, dim=a.ndim - 1)
    whole = matrix_exponential(p.concatenate(top, bottom, dim=a.ndim - 2))
    return (columns(rows(whole, 0, n), n, 2 * n),)


_PADE = (64764752532480000., 32382376266240000., 7771770303897600., 1187353796428800.,
         129060195264000., 10559470521600., 670442572800., 33522128640., 1323241920., 40840800.,
         960960., 16380., 182., 1.)


@external("matrix_exp", _matrix_exponential_vjp)
def _matrix_exp(static, a):
    """Scaling and squaring with the Pade approximant of order 13 (Higham 2005)."""
    if a.size == 0:
        return a
    wide = a.astype(np.complex128 if a.dtype.kind == "c" else np.float64)
    size = float(np.max(np.abs(wide).sum(-2), initial=0))
    halvings = max(0, int(np.ceil(np.log2(size / 5.37)))) if 0 < size < np.inf else 0
    wide = wide / 2.0 ** halvings
    one = np.eye(a.shape[-1])
    a2 = wide @ wide
    a4 = a2 @ a2
    a6 = a4 @ a2
    b = _PADE
    u = wide @ (a6 @ (b[13] * a6 + b[11] * a4 + b[9] * a2) + b[7] * a6 + b[5] * a4 + b[3] * a2
                + b[1] * one)
    v = a6 @ (b[12] * a6 + b[10] * a4 + b[8] * a2) + b[6] * a6 + b[4] * a4 + b[2] * a2 + b[0] * one
    found = np.linalg.solve(v - u, v + u)
    for _ in range(halvings):
        found = found @ found
    return found.astype(a.dtype)
