"""What is solved with matrices: inverses, determinants, least squares; by NumPy's LAPACK.

Gradients are in the graph. Their rules follow Giles, "Collected matrix derivative results for
forward and reverse mode", 2008, and, for rank deficiency and rectangles, Golub and Pereyra 1973.
"""

from __future__ import annotations

import numpy as np

from ..ir import Node, expand_to, full_like, p
from .external import call, external
from .matrices import adjoint, chain, matmul, scaled, transposed

__all__ = [
    "determinant", "error", "inverse", "least_squares", "pseudo_inverse",
    "sign_and_log_determinant", "solve",
]


def inverse(a: Node) -> Node:
    return call("inverse", a, result=((a.shape, a.dtype),))


@external("inverse", lambda node, g: (
    scaled(chain(adjoint(node), g, adjoint(node)), -1),))
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
    return error(f"linalg.inv: {batch}The diagonal element {pivot} is zero, the inversion could "
                  "not be completed because the input matrix is singular.")


def error(message: str) -> Exception:
    from .external import LinAlgError
    return LinAlgError(message)


def solve(a: Node, b: Node) -> Node:
    """x of a @ x = b; both are matrices of one batch shape."""
    return call("solve", a, b, result=((b.shape, b.dtype),))


def _solve_vjp(node, g):
    a = node.inputs[0]
    gb = solve(adjoint(a), g)
    return scaled(matmul(gb, adjoint(node)), -1) if a.requires_grad else None, gb


@external("solve", _solve_vjp)
def _solve(static, a, b):
    try:
        return np.linalg.solve(a, b)
    except np.linalg.LinAlgError:
        raise error("torch.linalg.solve: The solver failed because the input matrix is "
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


def least_squares(a: Node, b: Node, rcond: float | None = None) -> Node:
    """x that minimises |a @ x - b|, the shortest if several do.

    Singular values below `rcond` times the largest count as zero: machine precision times the
    larger extent unless given.
    """
    shape = b.shape[:-2] + (a.shape[-1], b.shape[-1])
    return call("lstsq", a, b, static=(rcond,), result=((shape, b.dtype),))


def _lstsq_vjp(node, g):
    a, b = node.inputs
    rcond, = node.attrs["static"]
    if rcond is None:
        rcond = float(np.finfo(a.dtype.compute).eps) * max(a.shape[-2:])
    inverted = pseudo_inverse(a, rcond, False)
    ga = _pinv_rule(a, inverted, matmul(g, adjoint(b))) if a.requires_grad else None
    return ga, matmul(adjoint(inverted), g)


@external("lstsq", _lstsq_vjp)
def _lstsq(static, a, b):
    out = np.empty(b.shape[:-2] + (a.shape[-1], b.shape[-1]), b.dtype)
    for place in np.ndindex(*b.shape[:-2]):
        out[place] = np.linalg.lstsq(a[place], b[place], rcond=static[0])[0]
    return out
