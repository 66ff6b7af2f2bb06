"""Linear algebra under torch's older names, and functions of torch.linalg with options."""

from __future__ import annotations

from . import linalg, linalg_norms  # noqa: F401
from .declare import DECLARED, write_out
from .reduce import results

__all__ = [
    "chain_matmul", "cholesky", "cond", "det", "inverse", "logdet", "lstsq", "lu", "lu_solve",
    "matrix_exp", "matrix_power", "matrix_rank", "pca_lowrank", "pinv", "pinverse", "qr",
    "slogdet", "svd", "svd_lowrank",
]


def _finished(found, out):
    if out is None:
        return found
    if isinstance(found, tuple):
        for o, f in zip(out, found):
            o._write_out(f)
    else:
        out._write_out(found)
    return out


def _linalg(name: str):
    return DECLARED[f"linalg.{name}"].function


det, slogdet = _linalg("det"), _linalg("slogdet")
inverse, matrix_exp, matrix_power = _linalg("inv"), _linalg("matrix_exp"), _linalg("matrix_power")
logdet = _linalg("_logdet")


def cholesky(input, upper=False, *, out=None):
    """The triangular factor of a Hermitian positive-definite matrix."""
    return _finished(_linalg("cholesky")(input, upper=upper), out)


def qr(input, some=True, *, out=None):
    """(Q, R), reduced if some, else complete."""
    q, r = _linalg("qr")(input, "reduced" if some else "complete")
    return _finished(results("qr", "Q R").structure(q, r), out)


def svd(input, some=True, compute_uv=True, *, out=None):
    """(U, S, V) with input = U diag(S) V^H; V itself, unlike linalg.svd's Vh."""
    u, s, vh = _linalg("svd")(input, not some)
    if not compute_uv:
        from ..construct import zeros
        m, n = input.shape[-2:]
        lead = tuple(input.shape[:-2])
        u, v = (zeros(lead + (e, e), dtype=input.dtype) for e in (m, n))
    else:
        v = vh.mH
    return _finished(results("svd", "U S V").structure(u, s, v), out)


def pinv(A, *, atol=None, rtol=None, hermitian=False, out=None):
    """The Moore-Penrose pseudo-inverse."""
    if atol is not None:
        values = _linalg("svdvals")(A.detach())
        high = float(values.max()) if values.numel() else 0.0
        relative = float(rtol) if rtol is not None else 0.0
        rtol = max(float(atol) / high if high else 0.0, relative)
    if hasattr(rtol, "_fetch"):
        rtol = float(rtol.max())
    return _finished(_linalg("_pinv")(A, rtol, hermitian), out)


def pinverse(input, rcond=1e-15):
    """The pseudo-inverse, singular values up to rcond times the largest taken as 0."""
    return pinv(input, rtol=rcond)


def cond(A, p=None, *, out=None):
    """The condition number in the norm p (2 by default)."""
    return _finished(_linalg("_condition")(A, p), out)


def matrix_rank(A, tol=None, *, atol=None, rtol=None, hermitian=False, out=None):
    """How many singular values are larger than max(atol, rtol * the largest one)."""
    from ..construct import tensor
    if tol is not None:
        atol, rtol = tol, 0.0
    atol, rtol = (x if x is None or hasattr(x, "_fetch") else tensor(float(x), dtype=A.dtype)
                  for x in (atol, rtol))
    return _finished(_linalg("_rank")(A, atol, rtol, hermitian), out)


def lstsq(A, B, *, rcond=None, driver=None):
    """(solution, residuals, rank, singular values) of minimising |A X - B|.

    Singular values below rcond times the largest count as zero, except with driver="gels".
    """
    if driver not in (None, "gels", "gelsy", "gelsd", "gelss"):
        raise RuntimeError("torch.linalg.lstsq: parameter `driver` should be one of (gels, gelsy, "
                           f"gelsd, gelss), got {driver}")
    from ..construct import zeros
    if driver == "gels":
        rcond = None
    solution = _linalg("_lstsq")(A, B, rcond)
    m, n = A.shape[-2:]
    lead = tuple(A.shape[:-2])
    empty = zeros((0,), dtype=A.dtype)
    rank = matrix_rank(A, rtol=rcond) if driver != "gels" else zeros((0,), dtype=_int64())
    values = _linalg("svdvals")(A) if driver in ("gelsd", "gelss") else empty
    residuals = empty
    full_rank = driver == "gels" or bool((rank == n).all())
    if m > n and full_rank and driver != "gelsy":
        gap = A @ solution - B
        residuals = (gap.abs() ** 2).sum(-2) if B.ndim > len(lead) + 1 else (gap.abs() ** 2).sum(-1)
    return results("linalg_lstsq", "solution residuals rank singular_values").structure(
        solution, residuals, rank, values)


def _int64():
    from ..dtypes import int64
    return int64


def lu(A, pivot=True, get_infos=False, out=None):
    """(LU, pivots), and a status of zeros if get_infos."""
    packed, pivots, info = _linalg("lu_factor_ex")(A, pivot=pivot)
    found = (packed, pivots, info) if get_infos else (packed, pivots)
    return found if out is None else write_out(out, found, "lu")


def lu_solve(b, LU_data, LU_pivots, *, out=None):
    """X of A X = b from what torch.lu gave for A."""
    return _finished(_linalg("_lu_solve")(LU_data, LU_pivots, b), out)


def linalg_lu_solve(LU, pivots, B, *, left=True, adjoint=False, out=None):
    """X of A X = B (left), or X A = B, or with A^H (adjoint), from A's lu_factor."""
    return _finished(_linalg("_lu_solve")(LU, pivots, B, left, adjoint), out)


def chain_matmul(*matrices, out=None):
    """The product of matrices in the cheapest order."""
    return _finished(_linalg("multi_dot")(list(matrices)) if len(matrices) > 1
                     else matrices[0].clone(), out)


# ---- randomised factorisations (Halko, Martinsson, Tropp 2011) ----------------------------------


def svd_lowrank(A, q=6, niter=2, M=None):
    """(U, S, V) of rank q that nearly gives A (minus M), found by random projections."""
    from .random import randn
    if M is not None:
        A = A - M.broadcast_to(tuple(A.shape))
    m, n = A.shape[-2:]
    wide = m < n
    x = A.mH if wide else A
    found = x @ randn(x.shape[-1], q, dtype=x.dtype)
    basis = _linalg("qr")(found)[0]
    for _ in range(niter):
        basis = _linalg("qr")(x.mH @ basis)[0]
        basis = _linalg("qr")(x @ basis)[0]
    u, s, vh = _linalg("svd")(basis.mH @ x, False)
    u, v = basis @ u, vh.mH
    return (v, s, u) if wide else (u, s, v)


def pca_lowrank(A, q=None, center=True, niter=2):
    """svd_lowrank of A with its columns centred."""
    m, n = A.shape[-2:]
    q = min(6, m, n) if q is None else q
    if not 0 <= q <= min(m, n):
        raise ValueError(f"q(={q}) must be non-negative integer and not greater than min(m, n)="
                         f"{min(m, n)}")
    return svd_lowrank(A - A.mean(-2, keepdim=True) if center else A, q, niter)
