"""Arguments for every declared operation, as NumPy arrays: what test_declared.py and the parity
tests run. ``SAMPLES[key]`` lists calls; the keys are those of ``flambeau.ops.declare.DECLARED``.
"""

from __future__ import annotations

import zlib

import numpy as np

from flambeau import dtypes

SAMPLES: dict[str, list[Call]] = {}


class Call:
    """One call: positional and keyword arguments, arrays standing for tensors.

    smooth: whether finite differences can be taken at these arguments; symmetric: whether only
    symmetric changes of them make sense.
    """

    def __init__(self, args, options, smooth=True, symmetric=False):
        self.args, self.options, self.smooth = args, options, smooth
        self.symmetric = symmetric

    def __repr__(self):
        def short(x):
            return f"{x.dtype}{list(x.shape)}" if isinstance(x, np.ndarray) else repr(x)
        return ", ".join([short(a) for a in self.args]
                         + [f"{k}={short(v)}" for k, v in self.options.items()])


_rng = np.random.default_rng(7)


def call(*args, smooth=True, symmetric=False, **options):
    return Call(args, options, smooth, symmetric)


def sample(keys: str, *calls: Call):
    for key in keys.split():
        SAMPLES.setdefault(key, []).extend(calls)


def f(*shape):
    """Normal numbers, none near 0 or a whole number."""
    x = _rng.standard_normal(shape)
    near = np.abs(x - np.round(x)) < 0.1
    return np.where(near, x + 0.2, x)


def unit(*shape):
    """Between 0.1 and 0.9."""
    return _rng.uniform(0.1, 0.9, shape)


def positive(*shape):
    """Between 1.1 and 3."""
    return _rng.uniform(1.1, 3, shape)


def whole(high, *shape):
    """Whole numbers from 0 to high - 1."""
    return _rng.integers(0, high, shape)


def flags(*shape):
    return _rng.random(shape) < 0.5


def matrix(*shape):
    """Well-conditioned square matrices."""
    n = shape[-1]
    return _rng.standard_normal(shape) + 3 * np.eye(n)


def definite(*shape):
    """Symmetric positive-definite matrices."""
    a = matrix(*shape)
    return a @ np.swapaxes(a, -1, -2) + np.eye(shape[-1])


def symmetric(*shape):
    a = _rng.standard_normal(shape)
    return a + np.swapaxes(a, -1, -2) + 2 * np.diag(np.arange(shape[-1]))


def cx(*shape):
    return f(*shape) + 1j * f(*shape)


# ---- pointwise ----------------------------------------------------------------------------------

_EXTRA = (call(f()), call(np.zeros((0, 3))))
sample("""exp exp2 expm1 sin cos tan atan sinh cosh tanh asinh sigmoid erf erfc neg positive abs
    relu sgn square deg2rad rad2deg sinc clone sign conj conj_physical frac nn.functional.selu
    nn.functional.silu nn.functional.mish nn.functional.logsigmoid nn.functional.hardsigmoid
    nn.functional.hardswish nn.functional.softsign nn.functional.tanhshrink special.erfcx
    special.log_ndtr special.ndtr special.i0e special.i1 special.i1e i0
    special.spherical_bessel_j0 angle round floor ceil trunc""",
       call(f(3, 4)), call(f(20)), *_EXTRA)
sample("log log2 log10 log1p sqrt rsqrt reciprocal lgamma digamma acosh special.entr",
       call(positive(3, 4)), call(positive(20)), call(positive()), call(np.ones((0, 3)) * 2))
sample("asin acos atanh erfinv logit special.ndtri",
       call(unit(3, 4)), call(unit()), call(np.zeros((0, 2))))
sample("logit", call(unit(5), eps=0.3, smooth=False))
sample("round", call(f(4) * 100, decimals=-1), call(f(4), decimals=2))
sample("""isnan isinf isfinite isposinf isneginf isreal signbit nan_to_num""",
       call(np.array([[1.0, np.nan, -np.inf], [np.inf, -0.0, 3.0]]), smooth=False), *_EXTRA)
sample("nan_to_num", call(f(4), nan=1.0, posinf=2.0, neginf=-2.0))
sample("bitwise_not logical_not", call(whole(9, 3, 4)), call(flags(3)))
sample("""special.bessel_j0 special.bessel_j1 special.modified_bessel_i0
    special.modified_bessel_i1""", call(f(3, 4) * 10, smooth=False))
sample("""special.bessel_y0 special.bessel_y1 special.modified_bessel_k0
    special.modified_bessel_k1 special.scaled_modified_bessel_k0
    special.scaled_modified_bessel_k1""", call(positive(3, 4), smooth=False),
       call(unit(5) * 60, smooth=False))
sample("""add sub mul maximum minimum fmax fmin atan2 hypot copysign rsub lerp_ logaddexp
    logaddexp2 eq ne lt le gt ge nextafter""",
       call(f(3, 4), f(3, 4)), call(f(3, 1), f(4)), call(f(3, 4), f()),
       call(np.zeros((0, 3)), f(3)))
sample("add sub mul rsub eq lt ge div", call(f(2, 3), 2.5), call(whole(9, 4), 3))
sample("add sub rsub", call(f(3), f(3), alpha=2.5))
del SAMPLES["lerp_"]
sample("div remainder fmod floor_divide", call(f(3, 4), positive(3, 4)), call(f(3, 1), positive(4)),
       call(whole(20, 6) - 10, np.array([3, -3, 4, -4, 7, 2])))
sample("div", call(f(4), positive(4), rounding_mode="floor"),
       call(f(4), positive(4), rounding_mode="trunc"),
       call(whole(20, 6) - 10, np.array([3, -3, 4, -4, 7, 2]), rounding_mode="trunc"))
sample("remainder fmod", call(f(4), 0.7))
sample("pow float_power", call(positive(3, 4), f(3, 4)), call(positive(3, 4), 2.5),
       call(f(4), 3), call(whole(5, 4), whole(4, 4)))
sample("_private._pow_static", *[call(f(4), n) for n in (1, 2, 3)])
sample("bitwise_and bitwise_or bitwise_xor", call(whole(99, 3, 4), whole(99, 4)),
       call(flags(4), flags(4)), call(whole(99, 4), 7))
sample("bitwise_left_shift bitwise_right_shift", call(whole(99, 3, 4), whole(5, 3, 4)))
sample("gcd lcm", call(whole(99, 3, 4), whole(99, 4)))
sample("logical_and logical_or logical_xor", call(flags(3, 4), flags(4)),
       call(whole(2, 4), f(4)))
sample("isclose", call(f(4), f(4)), call(f(2, 1), f(3), rtol=0.5, atol=1.0))
sample("where", call(flags(3, 4), f(3, 4), f(4)), call(flags(3), f(3), 2.0))
sample("clamp", call(f(3, 4), -0.5, 0.5), call(f(3, 4), f(4) - 1, f(4) + 1), call(f(3), max=0.1))
sample("clamp_min clamp_max", call(f(3, 4), 0.15), call(f(3, 4), f(4)))
sample("lerp", call(f(3, 4), f(3, 4), 0.3), call(f(3, 4), f(3, 4), unit(4)))
sample("addcmul addcdiv", call(f(3, 4), f(3, 4), positive(3, 4), value=0.5),
       call(f(3, 4), f(4), positive(3, 1)))
sample("xlogy special.xlog1py", call(positive(3, 4), positive(4)), call(f(3), 2.0))
sample("heaviside", call(f(3, 4), f(4)))
sample("masked_fill", call(f(3, 4), flags(4), 2.0), call(f(3, 4), flags(3, 4), f()))
sample("complex", call(f(3, 4), f(3, 4)))
sample("polar", call(positive(3), f(3)))
sample("_private._fill", call(f(3, 4), 2.0), call(f(3), f()))
sample("_private.to_dtype", call(f(3, 4), dtypes.float32, smooth=False),
       call(f(4), dtypes.int64), call(whole(5, 3), dtypes.float64))
sample("_private._result_probe", call(f(3), 2))
sample("igamma igammac", call(positive(3, 4), positive(3, 4), smooth=False))
sample("special.zeta", call(positive(4), positive(4), smooth=False))
sample("ldexp", call(f(4), f(4)), call(f(4), whole(5, 4)))
sample("_private._frexp", call(f(4) * 50, smooth=False))
sample("_private._polygamma", *[call(positive(4), n) for n in range(4)])
sample("_private._mvlgamma", call(positive(4) + 3, 3))
for _name in ("chebyshev_polynomial_t", "chebyshev_polynomial_u", "chebyshev_polynomial_v",
              "chebyshev_polynomial_w", "hermite_polynomial_h", "hermite_polynomial_he",
              "laguerre_polynomial_l", "legendre_polynomial_p", "shifted_chebyshev_polynomial_t",
              "shifted_chebyshev_polynomial_u", "shifted_chebyshev_polynomial_v",
              "shifted_chebyshev_polynomial_w"):
    sample(f"special.{_name}", call(unit(6), whole(6, 6).astype(float), smooth=False))


# ---- reductions, sorting, scans -----------------------------------------------------------------

_REDUCED = (call(f(3, 4)), call(f(3, 4), 0), call(f(2, 3, 4), -1, True), call(f()))
sample("sum mean nansum nanmean amax amin var std count_nonzero logsumexp_", *_REDUCED[:2])
del SAMPLES["logsumexp_"]
sample("sum mean nansum amax amin", *_REDUCED[2:], call(f(2, 3, 4), (0, 2)))
sample("sum nansum", call(whole(5, 3, 4)), call(np.zeros((0, 3)), 0),
       call(f(3), dtype=dtypes.float32, smooth=False))
sample("prod", *_REDUCED, call(np.array([[1.0, 0.0, 2.0], [3.0, 4.0, 5.0]]), 1))
sample("var std var_mean std_mean", call(f(3, 4), 1, keepdim=True), call(f(3, 4), correction=0),
       call(f(2, 3, 4), (0, 2), False))
sample("var_mean std_mean", call(f(3, 4)))
sample("all any", call(flags(3, 4)), call(f(3, 4), 1), call(flags(3, 4), 0, True),
       call(np.zeros((0,), bool)))
sample("aminmax", call(f(3, 4)), call(f(3, 4), dim=1, keepdim=True))
sample("argmax argmin", call(f(3, 4)), call(f(3, 4), 1), call(f(3, 4), -1, True), call(f()))
sample("_private._max_dim _private._min_dim _private._median_dim _private._nanmedian_dim mode",
       call(f(3, 5), 1), call(f(3, 4), 0, True), call(f(), 0))
sample("sort", call(f(3, 5)), call(f(3, 5), 0, True), call(f()))
sample("argsort", call(f(3, 5)), call(f(3, 5), 0, True))
sample("msort", call(f(3, 5)))
sample("topk", call(f(3, 5), 2), call(f(3, 5), 2, 0, False))
sample("kthvalue", call(f(3, 5), 2), call(f(3, 5), 1, 0, True))
sample("_private._median_all _private._nanmedian_all", call(f(3, 5)), call(f(4)))
sample("cumsum cumprod logcumsumexp", call(f(3, 4), 1), call(f(3, 4), 0), call(f(), 0))
sample("cummax cummin", call(f(3, 6), 1), call(f(4), 0))
sample("softmax log_softmax", call(f(3, 4), 1), call(f(2, 3, 4), 0), call(f(), 0))
sample("logsumexp", call(f(3, 4), 1), call(f(2, 3, 4), (0, 2), True))
sample("_private._norm linalg.vector_norm", call(f(3, 4), 2.0), call(f(3, 4), 1.0, 1),
       call(f(3, 4), 3.0, 0, True), call(f(3, 4), float("inf"), 1))
sample("quantile nanquantile", call(f(3, 5), 0.3), call(f(3, 5), np.array([0.2, 0.7]), 1),
       call(f(3, 5), 0.4, 0, True, interpolation="lower"))
sample("cov", call(f(3, 6)), call(f(3, 6), correction=0), call(f(5)))
sample("corrcoef", call(f(3, 6)))
sample("diff", call(f(3, 5)), call(f(3, 5), 2, 0), call(f(3, 4), prepend=f(3, 1), append=f(3, 2)))
sample("trapezoid cumulative_trapezoid", call(f(3, 5)), call(f(3, 5), f(5)), call(f(5), dx=0.5))
sample("_private._gradient", call(f(5, 6), [np.array(1.0), np.array(0.5)], (0, 1), 1),
       call(f(6), [np.cumsum(positive(6))], (0,), 2))


# ---- products -----------------------------------------------------------------------------------

sample("matmul", call(f(3, 4), f(4, 5)), call(f(4), f(4)), call(f(2, 3, 4), f(4)),
       call(f(2, 1, 3, 4), f(5, 4, 2)), call(f(0, 4), f(4, 5)))
sample("mm", call(f(3, 4), f(4, 5)))
sample("bmm", call(f(2, 3, 4), f(2, 4, 5)))
sample("mv", call(f(3, 4), f(4)))
sample("dot vdot", call(f(4), f(4)))
sample("outer", call(f(3), f(4)))
sample("inner", call(f(3, 4), f(2, 4)), call(f(4), f()))
sample("addmm", call(f(3, 5), f(3, 4), f(4, 5)), call(f(5), f(3, 4), f(4, 5), beta=0.5, alpha=2))
sample("addmv", call(f(3), f(3, 4), f(4), beta=0.5))
sample("addbmm", call(f(3, 5), f(2, 3, 4), f(2, 4, 5), alpha=0.5))
sample("baddbmm", call(f(2, 3, 5), f(2, 3, 4), f(2, 4, 5), beta=2))
sample("addr", call(f(3, 4), f(3), f(4), alpha=0.5))
sample("_private._tensordot", call(f(3, 4, 5), f(4, 3, 2), (0, 1), (1, 0)))
sample("_private._einsum", call("ij,jk->ik", [f(3, 4), f(4, 5)]), call("bij,bjk,bk->bi", [
    f(2, 3, 4), f(2, 4, 5), f(2, 5)]), call("...ii->...i", [f(2, 3, 3)]))
sample("kron", call(f(2, 3), f(3, 2)), call(f(2), f(3, 2)))
sample("cross linalg.cross", call(f(4, 3), f(4, 3), dim=1))
sample("cdist", call(f(3, 4), f(5, 4)), call(f(2, 3, 4), f(2, 5, 4), 1.0))
sample("dist", call(f(3, 4), f(3, 4)), call(f(3, 4), f(4), 1.0))
sample("renorm", call(f(3, 4), 2.0, 0, 1.0))


# ---- indexing and writing -----------------------------------------------------------------------

_I = np.array([2, 0, 2])
sample("_private._index", call(f(3, 4), [_I], (0,)), call(f(3, 4, 5), [_I, _I], (0, 2)))
sample("_private._index_put", call(f(3, 4), f(2, 4), [np.array([2, 0])], (0,)),
       call(f(3, 4), f(3, 4), [_I], (0,), True), call(f(3, 4), 2.0, [_I, _I], (0, 1)))
sample("index_select", call(f(3, 4), 0, _I), call(f(3, 4), 1, _I))
sample("index_add", call(f(3, 4), 0, _I, f(3, 4)), call(f(3, 4), 1, _I, f(3, 3), alpha=2.0))
sample("index_copy", call(f(3, 4), 0, np.array([2, 0]), f(2, 4)))
sample("index_fill", call(f(3, 4), 1, _I, 2.0), call(f(3, 4), 0, _I, f()))
sample("gather", call(f(3, 4), 1, whole(4, 3, 2)), call(f(3, 4), 0, whole(3, 5, 4)))
sample("take_along_dim", call(f(3, 4), whole(4, 3, 2), 1), call(f(3, 4), whole(12, 5)))
_distinct = np.array([[0, 2, 1], [2, 1, 0]])
sample("_private._scatter", call(f(3, 3), 0, _distinct, f(2, 3)), call(f(3, 3), 1, _distinct, 2.0),
       call(f(3, 3), 1, _distinct, f(2, 3), "add"))
sample("scatter_add", call(f(3, 4), 0, whole(3, 2, 4), f(2, 4)))
sample("scatter_reduce", *[call(f(3, 4), 0, whole(3, 5, 4), f(5, 4), kind, include_self=own)
                           for kind in ("sum", "prod", "mean", "amax", "amin")
                           for own in (True, False)])
sample("index_reduce", *[call(f(3, 4), 0, whole(3, 5), f(5, 4), kind)
                         for kind in ("prod", "mean", "amax", "amin")])
sample("take", call(f(3, 4), whole(12, 5)))
sample("put", call(f(3, 4), np.array([1, 5, 7]), f(3)), call(f(3, 4), whole(12, 5), f(5), True))
sample("_private._masked_scatter", call(f(3, 4), flags(3, 4), f(12)))


# ---- rearranging --------------------------------------------------------------------------------

sample("cat", call([f(2, 3), f(4, 3)]), call([f(2, 3), f(2, 1)], 1), call([f(2), whole(5, 2)]))
sample("stack", call([f(2, 3), f(2, 3)]), call([f(2), f(2)], -1))
sample("hstack vstack dstack column_stack", call([f(2, 3), f(2, 3)]), call([f(3), f(3)]))
sample("repeat tile", call(f(2, 3), (2, 2)), call(f(3), (2, 1, 2)))
sample("_private._repeat_interleave", call(f(2, 3), 2), call(f(2, 3), 3, 0))
sample("flip", call(f(3, 4), (0,)), call(f(2, 3, 4), (0, 2)))
sample("fliplr flipud", call(f(3, 4)))
sample("rot90", *[call(f(3, 4), k) for k in range(4)])
sample("roll", call(f(3, 4), 2), call(f(3, 4), (1, -1), (0, 1)))
sample("tril triu", call(f(3, 4)), call(f(2, 4, 4), 1), call(f(4, 3), -1))
sample("diag_embed", call(f(3)), call(f(2, 3), 1))
sample("diag", call(f(3)), call(f(4, 3), 1), call(f(3), -1))
sample("diagflat", call(f(2, 2)), call(f(3), 1))
sample("trace", call(f(3, 4)))
sample("_private._constant_pad", call(f(3, 4), (1, 2), 0.5), call(f(3, 4), (1, -1, 2, 0)))
sample("_private._meshgrid", call([f(3), f(4)], "ij"), call([f(3), f(4)], "xy"))
sample("_private._block_diag", call([f(2, 3), f(3), f(1, 1)]))
sample("_private._cartesian_prod", call([f(2), f(3)]))
sample("combinations", call(f(4)), call(f(3), 2, True))
sample("_private._vander", call(f(3), 4, True), call(f(3), 3, False))
sample("reshape _private.view", call(f(3, 4), (2, 6)), call(f(3, 4), (-1,)))
sample("flatten", call(f(2, 3, 4)), call(f(2, 3, 4), 1), call(f()))
sample("unflatten", call(f(6, 2), 0, (2, -1)))
sample("squeeze", call(f(1, 3, 1)), call(f(1, 3, 1), 0))
sample("unsqueeze", call(f(3, 4), 1), call(f(), 0))
sample("permute", call(f(2, 3, 4), (2, 0, 1)))
sample("transpose", call(f(2, 3, 4), 0, 2))
sample("t", call(f(3, 4)), call(f(3)))
sample("movedim", call(f(2, 3, 4), 0, 2))
sample("_private.mT adjoint", call(f(2, 3, 4)))
sample("expand", call(f(3, 1), (3, 4)), call(f(3), (2, -1)))
sample("broadcast_to", call(f(3, 1), (2, 3, 4)))
sample("select", call(f(3, 4), 1, -1))
sample("narrow", call(f(3, 4), 1, 1, 2))
sample("_private.basic_index", call(f(3, 4), (1, ("slice", None, None, 2))),
       call(f(3, 4), (None, Ellipsis, 0)))
sample("diagonal", call(f(3, 4)), call(f(2, 3, 4), 1, 1, 2), call(f(3, 4), -1))
sample("linalg.diagonal", call(f(2, 3, 4)))
sample("_private.unfold", call(f(7), 0, 3, 2), call(f(2, 5), 1, 2, 1))
sample("as_strided", call(f(4, 4), (3, 2), (4, 2), 1), call(f(6), (4, 3), (1, 1)))
sample("split", call(f(5, 2), 2), call(f(5, 2), (2, 3)))
sample("chunk tensor_split", call(f(5, 2), 2), call(f(2, 5), 3, 1))
sample("tensor_split", call(f(5, 2), (1, 4)))
sample("hsplit vsplit", call(f(4, 4), 2), call(f(4, 4), (1, 3)))
sample("dsplit", call(f(2, 2, 4), 2))
sample("unbind", call(f(3, 4)), call(f(3, 4), 1))
sample("detach _private.data _private.alias real", call(f(3, 4), smooth=False))
sample("imag real", call(cx(3, 4), smooth=False))
sample("view_as_real", call(cx(3), smooth=False))
sample("view_as_complex", call(f(3, 2)))
sample("diagonal_scatter", call(f(3, 4), f(3)), call(f(3, 4), f(2), -1))
sample("select_scatter", call(f(3, 4), f(4), 0, 1))
sample("slice_scatter", call(f(6, 2), f(2, 2), 0, 1, 5, 2))
sample("as_strided_scatter", call(f(4, 4), f(2, 2), (2, 2), (1, 4), 1))


# ---- linear algebra -----------------------------------------------------------------------------

sample("linalg.cholesky linalg.cholesky_ex", call(definite(3, 3), symmetric=True),
       call(definite(2, 3, 3), upper=True, symmetric=True))
sample("linalg.qr", call(f(4, 3)), call(f(2, 3, 4)), call(f(3, 3), "complete"))
sample("linalg.svd", call(f(4, 3), False), call(f(2, 3, 4), False))
sample("linalg.svdvals", call(f(4, 3)), call(f(2, 3, 4)))
sample("linalg.eigh linalg.eigvalsh", call(symmetric(4, 4), symmetric=True))
sample("linalg.eig linalg.eigvals", call(matrix(3, 3), smooth=False))
sample("linalg.det linalg.slogdet linalg.inv linalg.inv_ex", call(matrix(3, 3)),
       call(matrix(2, 3, 3)))
sample("linalg._logdet", call(definite(3, 3)))
sample("linalg._pinv", call(f(4, 3)), call(f(3, 4)))
sample("linalg.matrix_exp", call(f(3, 3)), call(f(2, 3, 3)))
sample("linalg.matrix_power", *[call(matrix(3, 3), n) for n in (-2, 0, 1, 5)])
sample("linalg.solve linalg.solve_ex", call(matrix(3, 3), f(3, 2)), call(matrix(2, 3, 3), f(2, 3)),
       call(matrix(3, 3), f(2, 3), left=False))
sample("linalg.solve_triangular", call(matrix(3, 3), f(3, 2), upper=True),
       call(matrix(3, 3), f(3, 2), upper=False, unitriangular=True))
sample("cholesky_solve", call(f(3, 2), np.linalg.cholesky(definite(3, 3)), smooth=False))
sample("cholesky_inverse", call(np.linalg.cholesky(definite(3, 3)), smooth=False))
sample("triangular_solve", call(f(3, 2), matrix(3, 3)), call(f(3, 2), matrix(3, 3), False, True))
sample("linalg._lstsq", call(f(5, 3), f(5, 2)))
sample("linalg.lu linalg.lu_factor linalg.lu_factor_ex", call(matrix(3, 3)), call(f(4, 3)),
       call(f(3, 4)))
_pivots = np.array([2, 3, 3], np.int32)
sample("lu_unpack", call(f(3, 3), _pivots))
sample("linalg._lu_solve", call(matrix(3, 3), _pivots, f(3, 2)),
       call(matrix(3, 3), _pivots, f(2, 3), False),
       call(matrix(3, 3), _pivots, f(3, 2), True, True))
sample("geqrf", call(f(4, 3), smooth=False))
sample("linalg.householder_product", call(f(4, 3), unit(3)))
sample("ormqr", call(f(4, 3), unit(3), f(4, 2)), call(f(4, 3), unit(3), f(2, 4), False, True))
sample("linalg.matrix_norm linalg.norm", call(f(3, 4), "fro"), call(f(3, 4), "nuc"),
       call(f(3, 4), 2), call(f(3, 4), float("inf")), call(f(2, 3, 4), 1, (1, 2), True))
sample("linalg.norm", call(f(3, 4)), call(f(4), 3))
sample("linalg._condition", call(matrix(3, 3)), call(matrix(3, 3), "fro"))
sample("linalg._rank", call(matrix(3, 3), None, None, False))
sample("linalg.vecdot", call(f(3, 4), f(3, 4)))
sample("linalg.multi_dot", call([f(3), f(3, 4), f(4, 2)]), call([f(2, 5), f(5, 3), f(3, 4)]))
sample("linalg.tensorinv", call(f(6, 2, 3), 1))
sample("linalg.tensorsolve", call(f(2, 3, 6), f(2, 3)))


# ---- Fourier transforms -------------------------------------------------------------------------

sample("fft.fft fft.ifft", call(f(3, 5)), call(f(6, 2), 4, 0, "ortho"),
       call(cx(4), 6, smooth=False))
sample("fft.rfft fft.ihfft", call(f(3, 5)), call(f(6, 2), 4, 0, "ortho"))
sample("fft.irfft fft.hfft", call(cx(3, 4), smooth=False), call(f(5), 7))
sample("fft.fft2 fft.ifft2 fft.fftn fft.ifftn fft.rfft2 fft.rfftn fft.ihfft2 fft.ihfftn",
       call(f(3, 4)), call(f(2, 3, 4), (2, 4), (0, 2), "forward"))
sample("fft.irfft2 fft.irfftn fft.hfft2 fft.hfftn", call(cx(3, 4), smooth=False))
sample("fft.fftshift fft.ifftshift", call(f(5)), call(f(3, 4), (1,)))
sample("_private._stft", call(f(16), 4, 2, 4, None, False, True),
       call(f(2, 16), 6, 3, 4, unit(4), True, False))
sample("_private._istft", call(cx(3, 8), 4, 2, 4, None, True, False, True, None, False,
                               smooth=False))


def seed_of(key: str) -> int:
    """A number that belongs to an operation, for random directions."""
    return zlib.crc32(key.encode())


from . import samples_nn  # noqa: F401
