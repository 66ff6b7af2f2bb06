"""torch.special: functions beyond the elementary ones; also their names in torch.

Loaded when first named. Functions that the compiler has (erf, lgamma, digamma …) are declared in
pointwise.py; the others call float64 NumPy code in graph/primitives/special.py.
"""

from __future__ import annotations

import math

from .. import dtypes
from ..dtypes import default_dtype
from ..graph.ir import Node, full_like, p
from ..graph.primitives.special import POLYNOMIALS, special_node
from .build import cast, operands, result_dtype, to_float
from .declare import operation

__all__: list[str] = []


def _special(name: str, **options):
    return operation(name, namespace="special", method=False, out=True, **options)


# ---- one argument -------------------------------------------------------------------------------


def _declare_unary(name: str, description: str) -> None:
    def body(input: Tensor):
        return special_node(name, to_float(input))

    body.__name__, body.__doc__ = name, description
    if name == "i0":
        operation("i0", inplace=True, out=True, aliases=("special_i0",))(body)
    else:
        _special(name)(body)


for _name, _description in (
        ("i0", "The modified Bessel function of the first kind of order 0."),
        ("i0e", "exp(-|x|) i0(x)."), ("i1", "The modified Bessel function of order 1."),
        ("i1e", "exp(-|x|) i1(x)."), ("bessel_j0", "The Bessel function of order 0."),
        ("bessel_j1", "The Bessel function of order 1."),
        ("bessel_y0", "The Bessel function of the second kind of order 0."),
        ("bessel_y1", "The Bessel function of the second kind of order 1."),
        ("modified_bessel_i0", "The same as i0."), ("modified_bessel_i1", "The same as i1."),
        ("modified_bessel_k0", "The modified Bessel function of the second kind of order 0."),
        ("modified_bessel_k1", "The modified Bessel function of the second kind of order 1."),
        ("scaled_modified_bessel_k0", "exp(x) k0(x)."),
        ("scaled_modified_bessel_k1", "exp(x) k1(x)."),
        ("erfcx", "exp(x * x) erfc(x)."),
        ("ndtri", "The inverse of the normal distribution function."),
        ("log_ndtr", "The logarithm of the normal distribution function.")):
    _declare_unary(_name, _description)


@_special("ndtr")
def ndtr(input: Tensor):
    """The normal distribution function."""
    x = to_float(input)
    return p.mul(p.erfc(p.mul(x, full_like(x, -math.sqrt(0.5)))), full_like(x, 0.5))


@_special("entr")
def entr(input: Tensor):
    """-x log(x), 0 at 0 and -inf below."""
    x = to_float(input)
    positive = p.gt(x, full_like(x, 0))
    safe = p.where(positive, x, full_like(x, 1))
    out = p.where(positive, p.neg(p.mul(safe, p.log(safe))), full_like(x, -math.inf))
    out = p.where(p.eq(x, full_like(x, 0)), full_like(x, 0), out)
    return p.where(p.isnan(x), x, out)


@_special("spherical_bessel_j0")
def spherical_bessel_j0(input: Tensor):
    """sin(x) / x, 1 at 0."""
    x = to_float(input)
    zero = p.eq(x, full_like(x, 0))
    safe = p.where(zero, full_like(x, 1), x)
    out = p.where(zero, full_like(x, 1), p.div(p.sin(safe), safe))
    return p.where(p.isinf(x), full_like(x, 0), out)


# ---- two arguments ------------------------------------------------------------------------------


def _floating(a, b) -> list[Node]:
    kind = result_dtype(a, b)
    return operands(a, b, dtype=default_dtype() if kind.category < 2 else kind)


@_special("xlog1py")
def xlog1py(input: Tensor | Number, other: Tensor | Number):
    """input * log1p(other), 0 where input is 0."""
    a, b = _floating(input, other)
    zero = p.bitwise_and(p.eq(a, full_like(a, 0)), p.logical_not(p.isnan(b)))
    safe = p.where(zero, full_like(b, 0), b)
    return p.where(zero, full_like(a, 0), p.mul(a, p.log1p(safe)))


@_special("zeta")
def zeta(input: Tensor | Number, other: Tensor | Number):
    """The Hurwitz zeta function, the sum of (k + other)**-input."""
    return special_node("zeta", *_floating(input, other))


def _declare_polynomial(name: str) -> None:
    def body(input: Tensor | Number, n: Tensor | Number):
        return special_node(name, *_floating(input, n))

    body.__name__ = name
    body.__doc__ = f"The {name.replace('_polynomial_', ' polynomial ')} of degree n."
    _special(name)(body)


for _name in (*POLYNOMIALS, *("shifted_" + n for n in POLYNOMIALS if n.startswith("chebyshev"))):
    _declare_polynomial(_name)


def _declare_gamma(name: str, alias: str, description: str) -> None:
    def body(input: Tensor, other: Tensor):
        a, b = _floating(input, other)
        return special_node(name, a, b)

    body.__name__, body.__doc__ = name, description
    operation(name, inplace=True, out=True, aliases=(alias,))(body)


_declare_gamma("igamma", "special_gammainc", "The regularised lower incomplete gamma function.")
_declare_gamma("igammac", "special_gammaincc", "The regularised upper incomplete gamma function.")


@operation("_polygamma", namespace="_private")
def polygamma(input: Tensor, n: int):
    """The n-th derivative of digamma."""
    if n < 0:
        raise RuntimeError("polygamma(n, x) does not support negative n.")
    x = to_float(input)
    return p.digamma(x) if n == 0 else special_node("polygamma", x, static=(n,))


@operation("_mvlgamma", namespace="_private")
def mvlgamma(input: Tensor, order: int):
    """The logarithm of the multivariate gamma function of dimension `order`."""
    if input.dtype is dtypes.bool_:
        raise NotImplementedError('"mvlgamma_check" not implemented for \'Bool\'')
    x = to_float(input)
    if order < 1:
        raise RuntimeError("p has to be greater than or equal to 1")
    total = full_like(x, order * (order - 1) / 4 * math.log(math.pi))
    for j in range(order):
        total = p.add(total, p.lgamma(p.sub(x, full_like(x, j / 2))))
    return total


@operation(inplace=True, out=True)
def logaddexp2(input: Tensor, other: Tensor):
    """log2(2**input + 2**other), without overflow."""
    a, b = operands(input, other)
    high, low = p.maximum(a, b), p.minimum(a, b)
    same = p.bitwise_and(p.eq(a, b), p.isinf(a))
    gap = p.where(same, full_like(a, 0), p.sub(low, high))
    scale = full_like(a, 1 / math.log(2))
    return p.add(high, p.mul(p.log1p(p.exp2(gap)), scale))


@operation(inplace=True, out=True)
def ldexp(input: Tensor, other: Tensor):
    """input * 2**other."""
    a, b = _floating(input, other)
    return p.mul(a, p.pow(full_like(b, 2), b))


@operation("_frexp", namespace="_private")
def frexp(input: Tensor):
    """Mantissas in [0.5, 1) and exponents of 2."""
    from ..graph.primitives.external import call
    from .reduce import results
    if input.dtype.category != 2:
        raise RuntimeError("torch.frexp() only supports floating-point dtypes")
    exponent = call("frexp_exponent", input, result=((input.shape, dtypes.int32),))
    power = p.pow(full_like(input, 2), p.neg(cast(exponent, input.dtype)))
    return results("frexp", "mantissa exponent")((p.mul(input, power), exponent))


def _exponent(static, x):
    import numpy as np
    return np.frexp(x)[1]


def _register() -> None:
    from ..graph.primitives.external import CALLS
    CALLS["frexp_exponent"] = _exponent


_register()
