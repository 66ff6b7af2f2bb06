"""torch.linalg: decompositions, solvers, determinants; shapes and broadcasting of batches.

Loaded when first named: the recorder and the training loop do without.
"""

from __future__ import annotations

import math

from .. import dtypes
from ..graph.ir import Node, expand_to, full, full_like, iota, p
from ..graph.primitives import decompose as d
from ..graph.primitives import matrices as algebra
from ..graph.primitives import solving
from .build import attached, broadcast_shapes, cast
from .declare import operation
from .reduce import results

__all__: list[str] = []


def _linalg(name: str | None = None, **options):
    options.setdefault("method", False)
    return operation(name, namespace="linalg", **options)


def check_matrix(a: Node, name: str, square: bool = False) -> Node:
    """Raise PyTorch's errors unless `a` holds (square) floating-point matrices."""
    if a.ndim < 2:
        raise RuntimeError(f"{name}: The input tensor A must have at least 2 dimensions.")
    if square and a.shape[-1] != a.shape[-2]:
        raise RuntimeError(f"{name}: A must be batches of square matrices, but they are "
                           f"{a.shape[-2]} by {a.shape[-1]} matrices")
    if a.dtype.category < 2:
        raise RuntimeError(f"{name}: Expected a floating point or complex tensor as input. Got "
                           f"{a.dtype.legacy_name}")
    if a.dtype in (dtypes.float16, dtypes.bfloat16):
        raise RuntimeError(f"{name}: Low precision dtypes not supported. Got "
                           f"{a.dtype.legacy_name}")
    return a


def batched(*matrices: Node) -> list[Node]:
    """Matrices expanded to their common batch shape."""
    lead = broadcast_shapes(*(m.shape[:-2] for m in matrices))
    return [expand_to(m, lead + m.shape[-2:]) for m in matrices]


# ---- decompositions -----------------------------------------------------------------------------


@_linalg(out=True)
def cholesky(input: Tensor, *, upper: bool = False):
    """The triangular factor L of a Hermitian positive-definite A = L L^H."""
    out = d.cholesky(check_matrix(input, "linalg.cholesky", True))
    return algebra.adjoint(out) if upper else out


_CholeskyEx = results("linalg_cholesky_ex", "L info")
_QR = results("linalg_qr", "Q R")
_SVD = results("linalg_svd", "U S Vh")
_Eig = results("linalg_eig", "eigenvalues eigenvectors")
_Eigh = results("linalg_eigh", "eigenvalues eigenvectors")
_Slogdet = results("linalg_slogdet", "sign logabsdet")
_LU = results("linalg_lu", "P L U")
_LUFactor = results("linalg_lu_factor", "LU pivots")
_LUFactorEx = results("linalg_lu_factor_ex", "LU pivots info")
_InvEx = results("linalg_inv_ex", "inverse info")
_SolveEx = results("linalg_solve_ex", "result info")


def _info(a: Node) -> Node:
    return full(a.shape[:-2], 0, dtypes.int32)


@_linalg()
def cholesky_ex(input: Tensor, *, upper: bool = False, check_errors: bool = False):
    """cholesky with a status of zeros (a matrix without factor raises)."""
    out = d.cholesky(check_matrix(input, "linalg.cholesky_ex", True))
    return _CholeskyEx((algebra.adjoint(out) if upper else out, _info(input)))


@_linalg("qr")
def qr_op(A: Tensor, mode: str = "reduced"):
    """A = Q R; mode "reduced", "complete" or "r" (R alone)."""
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(f"qr received unrecognized mode '{mode}' but expected one of 'reduced' "
                           "(default), 'r', or 'complete'")
    q, r = d.qr(check_matrix(A, "linalg.qr"), mode == "complete")
    return _QR((q if mode != "r" else full((0,), 0, A.dtype), r))


@_linalg("svd")
def svd_op(A: Tensor, full_matrices: bool = True, *, driver: str = None):
    """A = U diag(S) Vh."""
    return _SVD(d.svd(check_matrix(A, "linalg.svd"), full_matrices))


@_linalg()
def svdvals(A: Tensor, *, driver: str = None):
    """The singular values in descending order."""
    return d.svd(check_matrix(A, "linalg.svdvals"), False)[1]


def _hermitian(a: Node, uplo: str) -> Node:
    """The matrix that the given triangle describes; gradients reach both triangles evenly."""
    return algebra.adjoint(a) if uplo.upper() == "U" else a


def _check_triangle(uplo: str) -> None:
    if uplo.upper() not in ("L", "U"):
        raise RuntimeError(f"Expected UPLO argument to be 'L' or 'U', but got {uplo}")


@_linalg("eigh")
def eigh_op(A: Tensor, UPLO: str = "L"):
    """Eigenvalues, ascending, and eigenvectors of Hermitian matrices."""
    _check_triangle(UPLO)
    return _Eigh(d.eigh(_hermitian(check_matrix(A, "linalg.eigh", True), UPLO)))


@_linalg()
def eigvalsh(A: Tensor, UPLO: str = "L"):
    """The eigenvalues of Hermitian matrices, ascending."""
    _check_triangle(UPLO)
    return d.eigh(_hermitian(check_matrix(A, "linalg.eigvalsh", True), UPLO))[0]


@_linalg("eig")
def eig_op(A: Tensor):
    """Complex eigenvalues and eigenvectors."""
    return _Eig(d.eig(check_matrix(A, "linalg.eig", True)))


@_linalg()
def eigvals(A: Tensor):
    """The complex eigenvalues."""
    return d.eig(check_matrix(A, "linalg.eigvals", True))[0]


# ---- determinants and inverses ------------------------------------------------------------------


@_linalg()
def det(A: Tensor):
    """The determinant."""
    return solving.determinant(check_matrix(A, "linalg.det", True))


@_linalg()
def slogdet(A: Tensor):
    """The sign and the logarithm of the absolute value of the determinant."""
    return _Slogdet(solving.sign_and_log_determinant(check_matrix(A, "linalg.slogdet", True)))


@_linalg("_logdet")
def logdet(A: Tensor):
    """The logarithm of the determinant; NaN where that is negative."""
    sign, log = solving.sign_and_log_determinant(check_matrix(A, "logdet", True))
    if A.dtype.is_complex:
        return p.add(p.log(sign), p.cast(log, dtype=A.dtype))
    return p.where(p.lt(sign, full_like(sign, 0)), full_like(log, math.nan), log)


@_linalg(out=True)
def inv(A: Tensor):
    """The inverse."""
    return solving.inverse(check_matrix(A, "linalg.inv", True))


@_linalg()
def inv_ex(A: Tensor, *, check_errors: bool = False):
    """The inverse with a status of zeros (a singular matrix raises)."""
    return _InvEx((solving.inverse(check_matrix(A, "linalg.inv_ex", True)), _info(A)))


@_linalg("_pinv")
def pinv_op(A: Tensor, rtol: float = None, hermitian: bool = False):
    """The Moore-Penrose pseudo-inverse; singular values up to rtol times the largest count as 0."""
    check_matrix(A, "linalg.pinv", hermitian)
    if rtol is None:
        rtol = dtypes.finfo(A.dtype.to_real()).eps * max(A.shape[-2:])
    return solving.pseudo_inverse(A, rtol, hermitian)


@_linalg(out=True)
def matrix_exp(A: Tensor):
    """The matrix exponential."""
    return d.matrix_exponential(check_matrix(A, "linalg.matrix_exp", True))


def identity(a: Node) -> Node:
    """Identity matrices like `a`."""
    return algebra.band(full_like(a, 1), "diagonal")


@_linalg(out=True)
def matrix_power(A: Tensor, n: int):
    """A multiplied with itself n times; negative n for the inverse."""
    if A.ndim < 2 or A.shape[-1] != A.shape[-2]:
        check_matrix(cast(A, dtypes.float32), "linalg.matrix_power", True)
    if n == 0:
        return attached(identity(A), A)
    if n < 0:
        A, n = solving.inverse(check_matrix(A, "linalg.matrix_power", True)), -n
    out, square = None, A
    while n:
        if n & 1:
            out = square if out is None else algebra.matmul(out, square)
        n >>= 1
        if n:
            square = algebra.matmul(square, square)
    return out


# ---- solving ------------------------------------------------------------------------------------


def _is_vector(a: Node, b: Node) -> bool:
    """PyTorch's rule for telling a batch of vectors from a matrix of right-hand sides."""
    return b.ndim == 1 or (a.ndim - 1 == b.ndim and a.shape[:-1] == b.shape)


def solve_node(a: Node, b: Node, left: bool, name: str = "linalg.solve") -> Node:
    check_matrix(a, name, True)
    if a.dtype is not b.dtype:
        raise RuntimeError(f"{name}: Expected A and B to have the same dtype, but found A of type "
                           f"{a.dtype.legacy_name} and B of type {b.dtype.legacy_name} instead")
    vector = _is_vector(a, b)
    if vector and not left:
        raise RuntimeError(f"{name}: Vector broadcasting of the left hand side is not supported "
                           "for left=False. In this case linalg.solve is equivalent to B / A."
                           "squeeze(-1)")
    if vector:
        b = p.reshape(b, shape=b.shape + (1,))
    if not left:
        a, b = algebra.transposed(a), algebra.transposed(b)
    if a.shape[-1] != b.shape[-2]:
        raise RuntimeError(f"{name}: Incompatible shapes of A and B for the equation "
                           f"{'AX = B' if left else 'XA = B'} ({a.shape[-2]}x{a.shape[-1]} and "
                           f"{b.shape[-2]}x{b.shape[-1]})")
    out = solving.solve(*batched(a, b))
    if vector:
        return p.reshape(out, shape=out.shape[:-1])
    return out if left else algebra.transposed(out)


@_linalg("solve", out=True)
def solve_op(A: Tensor, B: Tensor, *, left: bool = True):
    """X of A X = B (left) or X A = B."""
    return solve_node(A, B, left)


@_linalg()
def solve_ex(A: Tensor, B: Tensor, *, left: bool = True, check_errors: bool = False):
    """solve with a status of zeros (a singular matrix raises)."""
    return _SolveEx((solve_node(A, B, left), _info(A)))


def triangular(a: Node, upper: bool, unit: bool) -> Node:
    """`a` with the other triangle cleared and, if unit, ones on the diagonal."""
    out = algebra.band(a, "upper" if upper else "lower")
    if not unit:
        return out
    return p.add(algebra.band(out, "upper" if upper else "lower", 1 if upper else -1), identity(a))


def solve_triangular_node(a: Node, b: Node, upper: bool, left: bool, unit: bool) -> Node:
    check_matrix(a, "linalg.solve_triangular", True)
    a = triangular(a, upper, unit)
    if not left:
        a, b = algebra.transposed(a), algebra.transposed(b)
    out = solving.solve(*batched(a, b))
    return out if left else algebra.transposed(out)


@_linalg(out=True)
def solve_triangular(input: Tensor, B: Tensor, *, upper: bool, left: bool = True,
                     unitriangular: bool = False):
    """X of A X = B (left) or X A = B, A triangular."""
    return solve_triangular_node(input, B, upper, left, unitriangular)


def _lower(a: Node, name: str) -> Node:
    """The lower triangle of `a`; its gradient is not cleared above, as in PyTorch."""
    held = p.detach(check_matrix(a, name, True))
    held.requires_grad = False
    return p.add(a, p.sub(algebra.band(held, "lower"), held))


@operation("cholesky_solve", out=True)
def cholesky_solve(input: Tensor, L: Tensor, upper: bool = False):
    """X of A X = input, given A's Cholesky factor."""
    factor = _lower(algebra.adjoint(L) if upper else L, "cholesky_solve")
    factor, b = batched(factor, input)
    return solving.solve(algebra.adjoint(factor), solving.solve(factor, b))


@operation("cholesky_inverse", out=True)
def cholesky_inverse(L: Tensor, upper: bool = False):
    """The inverse of A, given its Cholesky factor."""
    inverted = solving.inverse(_lower(algebra.adjoint(L) if upper else L, "cholesky_inverse"))
    return algebra.matmul(algebra.adjoint(inverted), inverted)


_Triangular = results("triangular_solve", "solution cloned_coefficient")


@operation("triangular_solve")
def triangular_solve(b: Tensor, A: Tensor, upper: bool = True, transpose: bool = False,
                     unitriangular: bool = False):
    """(X of A X = b, a copy of A), A triangular."""
    a = triangular(check_matrix(A, "triangular_solve", True), upper, unitriangular)
    a, b = batched(algebra.transposed(a) if transpose else a, b)
    return _Triangular((solving.solve(a, b), p.reshape(A, shape=A.shape)))


@_linalg("_lstsq")
def lstsq(A: Tensor, B: Tensor, rcond: float = None):
    """X that minimises |A X - B|."""
    check_matrix(A, "linalg.lstsq")
    vector = _is_vector(A, B)
    b = p.reshape(B, shape=B.shape + (1,)) if vector else B
    wide_a, wide_b = batched(A, b)
    out = solving.least_squares(wide_a, wide_b, rcond)
    return p.reshape(out, shape=out.shape[:-1]) if vector else out


# ---- LU -----------------------------------------------------------------------------------------


def permutation(order: Node, dtype) -> Node:
    """P with A = P L U from the order of rows in which A[order] = L U."""
    m = order.shape[-1]
    shape = order.shape + (m,)
    wide = expand_to(p.reshape(order, shape=order.shape[:-1] + (1, m)), shape)
    return cast(p.eq(wide, iota(shape, len(shape) - 2)), dtype)


@_linalg()
def lu(A: Tensor, *, pivot: bool = True):
    """A = P L U."""
    if not pivot:
        raise NotImplementedError("linalg.lu: pivot=False is not supported on the CPU")
    lower, upper, order, _ = d.lower_upper(check_matrix(A, "linalg.lu"))
    return _LU((permutation(order, A.dtype), lower, upper))


def packed(lower: Node, upper: Node, shape) -> Node:
    """L below the diagonal and U on and above it, in one matrix."""
    m, n = shape[-2:]
    wide = [(0,) * len(shape)] * 2

    def grown(x):
        high = list(wide[1])
        high[-2], high[-1] = m - x.shape[-2], n - x.shape[-1]
        return p.pad(x, low=wide[0], high=tuple(high), interior=wide[0], value=0)

    return p.add(algebra.band(grown(lower), "lower", -1), grown(upper))


def _factor(a: Node, name: str, pivot: bool):
    if not pivot:
        raise NotImplementedError(f"{name}: pivot=False is not supported on the CPU")
    lower, upper, _, pivots = d.lower_upper(check_matrix(a, name))
    return packed(lower, upper, a.shape), pivots


@_linalg()
def lu_factor(A: Tensor, *, pivot: bool = True):
    """L and U in one matrix, and the rows that were exchanged (counted from 1)."""
    return _LUFactor(_factor(A, "linalg.lu_factor", pivot))


@_linalg()
def lu_factor_ex(A: Tensor, *, pivot: bool = True, check_errors: bool = False):
    """lu_factor with a status of zeros."""
    return _LUFactorEx((*_factor(A, "linalg.lu_factor_ex", pivot), _info(A)))


def row_order(pivots: Node, m: int) -> Node:
    """The order of rows after the exchanges that `pivots` list."""
    from ..graph.primitives.external import call
    return call("row_order", pivots, static=(m,), result=((pivots.shape[:-1] + (m,),
                                                           dtypes.int64),))


def unpacked(LU: Node):
    m, n = LU.shape[-2:]
    k = min(m, n)
    lower = algebra.band(algebra.columns(LU, 0, k), "lower", -1)
    lower = p.add(lower, algebra.band(full_like(lower, 1), "diagonal"))
    return lower, algebra.band(algebra.rows(LU, 0, k), "upper")


_LUUnpack = results("lu_unpack", "P L U")


@operation("lu_unpack", method=False)
def lu_unpack(LU_data: Tensor, LU_pivots: Tensor, unpack_data: bool = True,
              unpack_pivots: bool = True):
    """P, L and U of what lu_factor gave."""
    nothing = full((0,), 0, LU_data.dtype)
    lower, upper = unpacked(LU_data) if unpack_data else (nothing, nothing)
    order = permutation(row_order(LU_pivots, LU_data.shape[-2]), LU_data.dtype) \
        if unpack_pivots else nothing
    return _LUUnpack((order, lower, upper))


@_linalg("_lu_solve")
def lu_solve(LU: Tensor, pivots: Tensor, B: Tensor, left: bool = True, adjoint: bool = False):
    """X of A X = B (or X A = B, or with A^H) from A's lu_factor."""
    lower, upper = unpacked(check_matrix(LU, "linalg.lu_solve", True))
    order = permutation(row_order(pivots, LU.shape[-1]), LU.dtype)
    order, lower, upper, b = batched(order, lower, upper, B)
    if not left:
        # X op(A) = B is op(A)^H X^H = B^H
        b, adjoint = algebra.adjoint(b), not adjoint
    if adjoint:
        inner = solving.solve(algebra.adjoint(upper), b)
        out = algebra.matmul(order, solving.solve(algebra.adjoint(lower), inner))
    else:
        out = solving.solve(upper, solving.solve(lower, algebra.matmul(algebra.adjoint(order), b)))
    return out if left else algebra.adjoint(out)


# ---- Householder reflections --------------------------------------------------------------------


_Geqrf = results("geqrf", "a tau")


@operation("geqrf")
def geqrf(input: Tensor):
    """QR in LAPACK's compact form: Householder vectors under R, and their factors."""
    return _Geqrf(d.raw_qr(check_matrix(input, "geqrf")))


def _reflections(vectors: Node, tau: Node, start: Node, order, adjoint: bool) -> Node:
    """start multiplied from the left by the reflections I - tau v v^H in `order`."""
    out = start
    for i in order:
        v = algebra.columns(vectors, i, i + 1)
        gap = p.sub(iota(v.shape, v.ndim - 2), full(v.shape, i, dtypes.int64))
        v = p.where(p.gt(gap, full_like(gap, 0)), v, full_like(v, 0))
        v = p.where(p.eq(gap, full_like(gap, 0)), full_like(v, 1), v)
        factor = p.slice(tau, starts=(0,) * (tau.ndim - 1) + (i,),
                         stops=tau.shape[:-1] + (i + 1,), steps=(1,) * tau.ndim)
        if adjoint and factor.dtype.is_complex:
            factor = p.conj(factor)
        change = algebra.matmul(v, algebra.matmul(algebra.adjoint(v), out))
        wide = expand_to(p.reshape(factor, shape=factor.shape + (1,)), change.shape)
        out = p.sub(out, p.mul(wide, change))
    return out


@_linalg()
def householder_product(A: Tensor, tau: Tensor):
    """The first columns of the product of Householder reflections."""
    check_matrix(A, "linalg.householder_product")
    k = tau.shape[-1]
    return attached(_reflections(A, tau, identity(A), range(k - 1, -1, -1), False), A)


@operation("ormqr", out=True)
def ormqr(input: Tensor, tau: Tensor, other: Tensor, left: bool = True, transpose: bool = False):
    """Q @ other, other @ Q, or with Q^H, for the Q that geqrf gave."""
    k = tau.shape[-1]
    if left:
        order = range(k) if transpose else range(k - 1, -1, -1)
        return _reflections(input, tau, other, order, transpose)
    # (other Q)^H = Q^H other^H
    order = range(k - 1, -1, -1) if transpose else range(k)
    return algebra.adjoint(_reflections(input, tau, algebra.adjoint(other), order, not transpose))
