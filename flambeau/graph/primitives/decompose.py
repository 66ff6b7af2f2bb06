"""Decompositions of matrices and what is solved with them: NumPy's LAPACK, gradients in the graph.

Matrices are the last two dimensions; the leading ones are a batch. The gradient rules follow
Giles, "Collected matrix derivative results for forward and reverse mode", 2008, and, for rank
deficiency and rectangles, Golub and Pereyra 1973 and Townsend's note on the SVD, 2016.
"""

from __future__ import annotations

import numpy as np

from ... import dtypes
from ..ir import Node, constant, expand_to, full_like, iota, p
from .external import call, external, results_of

__all__ = [
    "adjoint", "band", "cholesky", "determinant", "diagonal_matrix", "eig", "eigh", "inverse",
    "least_squares", "lower_upper", "matmul", "matrix_exponential", "pseudo_inverse", "qr",
    "raw_qr", "sign_and_log_determinant", "solve", "svd", "transposed",
]


# ---- small algebra over nodes ------------------------------------------------------------------


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


def _scaled(a: Node, factor: float) -> Node:
    return p.mul(a, expand_to(constant(factor, a.dtype), a.shape))


def identity(like: Node, n: int) -> Node:
    """Identity matrices in the batch shape and dtype of `like`."""
    shape = like.shape[:-2] + (n, n)
    one = expand_to(constant(1, like.dtype), shape)
    return band(one, "diagonal")


# ---- solving and inverting -----------------------------------------------------------------------


def inverse(a: Node) -> Node:
    return call("inverse", a, result=((a.shape, a.dtype),))


@external("inverse", lambda node, g: (
    _scaled(chain(adjoint(node), g, adjoint(node)), -1),))
def _inverse(static, a):
    try:
        return np.linalg.inv(a)
    except np.linalg.LinAlgError:
        raise _singular(a) from None


def _zero_pivot(matrix) -> int:
    """The first zero on the diagonal after elimination with row exchanges, from 1; or 0."""
    rest = np.array(matrix)
    for k in range(len(rest)):
        row = k + int(np.argmax(np.abs(rest[k:, k])))
        if rest[row, k] == 0:
            return k + 1
        rest[[k, row]] = rest[[row, k]]
        rest[k + 1:] -= np.outer(rest[k + 1:, k] / rest[k, k], rest[k])
    return 0


def _singular(a) -> Exception:
    """The error for the first matrix of `a` without an inverse."""
    pivots = [_zero_pivot(matrix) for matrix in a.reshape((-1,) + a.shape[-2:])]
    place, pivot = next(((i, k) for i, k in enumerate(pivots) if k), (0, 0))
    batch = f"(Batch element {place}): " if a.ndim > 2 else ""
    return _error(f"linalg.inv: {batch}The diagonal element {pivot} is zero, the inversion could "
                  "not be completed because the input matrix is singular.")


def _error(message: str) -> Exception:
    from .external import LinAlgError
    return LinAlgError(message)


def solve(a: Node, b: Node) -> Node:
    """x of a @ x = b; both are matrices of one batch shape."""
    return call("solve", a, b, result=((b.shape, b.dtype),))


def _solve_vjp(node, g):
    a = node.inputs[0]
    gb = solve(adjoint(a), g)
    return _scaled(matmul(gb, adjoint(node)), -1) if a.requires_grad else None, gb


@external("solve", _solve_vjp)
def _solve(static, a, b):
    try:
        return np.linalg.solve(a, b)
    except np.linalg.LinAlgError:
        raise _error("torch.linalg.solve: The solver failed because the input matrix is "
                     "singular.") from None


def determinant(a: Node) -> Node:
    return call("determinant", a, result=((a.shape[:-2], a.dtype),))


def _spread(scalars: Node, like: Node) -> Node:
    return expand_to(p.reshape(scalars, shape=scalars.shape + (1, 1)), like.shape)


def _determinant_vjp(node, g):
    a = node.inputs[0]
    return (p.mul(_spread(g, a), call("cofactors", a, result=((a.shape, a.dtype),))),)


@external("determinant", _determinant_vjp)
def _determinant(static, a):
    return np.linalg.det(a)


def _cofactors_vjp(node, g):
    """The cofactors are det * inverse^H; its derivative, at regular matrices."""
    a = node.inputs[0]
    inverted = inverse(a)
    low = tuple(range(a.ndim - 2, a.ndim))
    conj = p.conj if a.dtype.is_complex else lambda n: n
    weight = p.reduce_sum(p.mul(conj(g), node), dims=low)
    first = p.mul(_spread(weight, a), adjoint(inverted))
    second = chain(adjoint(inverted), transposed(conj(g)) if a.dtype.is_complex
                   else transposed(g), node)
    return (p.sub(first, second),)


@external("cofactors", _cofactors_vjp)
def _cofactors(static, a):
    """conj of d det / d a, also at singular matrices."""
    u, s, vh = np.linalg.svd(a)
    n = a.shape[-1]
    others = np.empty(s.shape, s.dtype)
    for i in range(n):
        others[..., i] = np.prod(np.delete(s, i, -1), -1)
    phase = np.conj(np.linalg.det(u) * np.linalg.det(vh))[..., None, None]
    return phase * ((u * others[..., None, :]) @ vh)


def sign_and_log_determinant(a: Node) -> tuple[Node, Node]:
    return call("slogdet", a, result=((a.shape[:-2], a.dtype), (a.shape[:-2], a.dtype.to_real())))


def _slogdet_vjp(node, gs):
    a = node.inputs[0]
    if gs[1] is None:
        return (full_like(a, 0),)
    g = p.cast(gs[1], dtype=a.dtype) if a.dtype.is_complex else gs[1]
    return (p.mul(_spread(g, a), adjoint(inverse(a))),)


@external("slogdet", _slogdet_vjp)
def _slogdet(static, a):
    return tuple(np.linalg.slogdet(a))


def pseudo_inverse(a: Node, rtol: float, hermitian: bool) -> Node:
    shape = a.shape[:-2] + (a.shape[-1], a.shape[-2])
    return call("pinv", a, static=(rtol, hermitian), result=((shape, a.dtype),))


def _pinv_rule(a, inverted, g):
    """The gradient with respect to `a` from the gradient of its pseudo-inverse."""
    ph, gh = adjoint(inverted), adjoint(g)
    if a.shape[-2] <= a.shape[-1]:
        k = matmul(gh, inverted)
        kp = matmul(k, ph)
        out = p.sub(kp, adjoint(matmul(inverted, k)))
        out = p.sub(out, chain(a, inverted, kp))
        return p.add(out, chain(ph, inverted, p.sub(gh, matmul(k, a))))
    k = matmul(inverted, gh)
    pk = matmul(ph, k)
    out = p.sub(pk, adjoint(matmul(k, inverted)))
    out = p.add(out, chain(p.sub(gh, matmul(a, k)), inverted, ph))
    return p.sub(out, chain(pk, inverted, a))


@external("pinv", lambda node, g: (_pinv_rule(node.inputs[0], node, g),))
def _pinv(static, a):
    rtol, hermitian = static
    if a.size == 0:
        return np.zeros(a.shape[:-2] + (a.shape[-1], a.shape[-2]), a.dtype)
    return np.linalg.pinv(a, rtol, hermitian=hermitian).astype(a.dtype)


def least_squares(a: Node, b: Node) -> Node:
    """x that minimises |a @ x - b|, the shortest if several do."""
    shape = b.shape[:-2] + (a.shape[-1], b.shape[-1])
    return call("lstsq", a, b, result=((shape, b.dtype),))


def _lstsq_vjp(node, g):
    a, b = node.inputs
    inverted = pseudo_inverse(a, float(np.finfo(a.dtype.compute).eps) * max(a.shape[-2:]), False)
    ga = _pinv_rule(a, inverted, matmul(g, adjoint(b))) if a.requires_grad else None
    return ga, matmul(adjoint(inverted), g)


@external("lstsq", _lstsq_vjp)
def _lstsq(static, a, b):
    out = np.empty(b.shape[:-2] + (a.shape[-1], b.shape[-1]), b.dtype)
    for place in np.ndindex(*b.shape[:-2]):
        out[place] = np.linalg.lstsq(a[place], b[place], rcond=None)[0]
    return out


# ---- factorisations -----------------------------------------------------------------------------


def cholesky(a: Node) -> Node:
    """The lower triangular factor L of a = L @ L^H."""
    return call("cholesky", a, result=((a.shape, a.dtype),))


def _cholesky_vjp(node, g):
    inner = band(matmul(adjoint(node), band(g, "lower")), "lower")
    symmetric = p.sub(p.add(inner, adjoint(inner)), band(inner, "diagonal"))
    left = solve(adjoint(node), symmetric)                       # L^-H S
    return (_scaled(adjoint(solve(adjoint(node), adjoint(left))), 0.5),)


def _not_positive(a):
    """The error for the first matrix of `a` without a Cholesky factor, and its first bad minor."""
    matrices = a.reshape((-1,) + a.shape[-2:])
    for place, matrix in enumerate(matrices):
        for order in range(1, len(matrix) + 1):
            try:
                np.linalg.cholesky(matrix[:order, :order])
            except np.linalg.LinAlgError:
                batch = f"(Batch element {place}): " if a.ndim > 2 else ""
                return _error(f"linalg.cholesky: {batch}The factorization could not be completed "
                              "because the input is not positive-definite (the leading minor of "
                              f"order {order} is not positive-definite).")
    return _error("linalg.cholesky: The factorization could not be completed because the input is "
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
    left, right = _columns(gr, 0, m), _columns(gr, m, n)
    rest = _columns(node.inputs[0], m, n)
    gx = _qr_tall(q, _columns(r, 0, m), p.add(gq, matmul(rest, adjoint(right))), left)
    return (p.concatenate(gx, matmul(q, right), dim=gx.ndim - 1),)


def _columns(a: Node, start: int, stop: int) -> Node:
    starts = (0,) * (a.ndim - 1) + (start,)
    return p.slice(a, starts=starts, stops=a.shape[:-1] + (stop,), steps=(1,) * a.ndim)


def _rows(a: Node, start: int, stop: int) -> Node:
    starts = (0,) * (a.ndim - 2) + (start, 0)
    return p.slice(a, starts=starts, stops=a.shape[:-2] + (stop, a.shape[-1]),
                   steps=(1,) * a.ndim)


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
    u, vh = _columns(u, 0, k), _rows(vh, 0, k)
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
        gu = _columns(gu, 0, k)
        inner = _off_diagonal(p.div(_skew(matmul(adjoint(u), gu)), gaps))
        total = add(total, column_scaled(inner, size))
        if m > k:
            rest = p.sub(gu, chain(u, adjoint(u), gu))
            outer = add(outer, matmul(column_scaled(rest, inverted), vh))
    if gvh is not None:
        gvh = _rows(gvh, 0, k)
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
    l1, u1 = _rows(lower, 0, k), _columns(upper, 0, k)
    below = matmul(adjoint(l1), _rows(gl, 0, k))
    above = matmul(_columns(gu, 0, k), adjoint(u1))
    if n > k:
        below = p.sub(below, matmul(_columns(gu, k, n), adjoint(_columns(upper, k, n))))
    if m > k:
        above = p.sub(above, matmul(adjoint(_rows(lower, k, m)), _rows(gl, k, m)))
    inner = p.add(band(below, "lower", -1), band(above, "upper"))
    out = solve(adjoint(l1), adjoint(solve(u1, adjoint(inner))))
    if n > k:
        out = p.concatenate(out, solve(adjoint(l1), _columns(gu, k, n)), dim=a.ndim - 1)
    if m > k:
        out = p.concatenate(out, adjoint(solve(u1, adjoint(_rows(gl, k, m)))), dim=a.ndim - 2)
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
    return (_columns(_rows(whole, 0, n), n, 2 * n),)


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
