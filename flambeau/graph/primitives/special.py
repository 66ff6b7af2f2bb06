"""Special functions that neither NumPy nor the compiler has, evaluated in float64.

Each is an ``external`` call; gradients are written in the functions themselves.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..ir import full_like, p
from .external import CALLS, VJPS

__all__ = ["special_node"]


def special_node(name: str, *inputs, static: tuple = ()):
    """The function `name` of inputs of one shape and dtype."""
    first = inputs[0]
    return p.external(*inputs, call=name, static=static, result=((first.shape, first.dtype),))


def _register(name: str, function: Callable, vjp: Callable | None = None) -> None:
    def evaluate(static, *arrays):
        kind = arrays[0].dtype
        wide = [np.asarray(a, np.float64) for a in arrays]
        with np.errstate(all="ignore"):
            found = function(*static, *wide)
        return np.asarray(found).reshape(arrays[0].shape).astype(kind)
    CALLS[name] = evaluate
    if vjp is not None:
        VJPS[name] = vjp


def _c(node, value):
    return full_like(node, value)


# ---- zeta and the derivatives of digamma --------------------------------------------------------

# B_2k / (2k)! of the Euler-Maclaurin formula
_BERNOULLI = [1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000,
              1 / 74724249600, -3617 / 10670622842880000, 43867 / 5109094217170944000]
_SUMMED = 12                 # terms added one by one before the formula takes over


def zeta(s, q):
    """The Hurwitz zeta function, the sum of (k + q)**-s over k >= 0, for s > 1."""
    s, q = np.broadcast_arrays(np.asarray(s, np.float64), np.asarray(q, np.float64))
    found = np.zeros(q.shape)
    lowest = float(np.nanmin(q, initial=0.0))
    count = _SUMMED + (min(2000, math.ceil(-lowest)) if lowest > -math.inf else 0)
    for k in range(count):
        found = found + np.power(q + k, -s)
    x = q + count
    found = found + x ** (1 - s) / (s - 1) + 0.5 * x ** -s
    factor, power = s.astype(np.float64), x ** (-s - 1)
    for k, weight in enumerate(_BERNOULLI):
        found = found + weight * factor * power
        factor = factor * (s + 2 * k + 1) * (s + 2 * k + 2)
        power = power / (x * x)
    pole = (q <= 0) & (q == np.floor(q))
    found = np.where(pole, np.inf, found)
    found = np.where((q < 0) & ~pole & (s != np.floor(s)), np.nan, found)
    return np.where(s == 1, np.inf, np.where(s < 1, np.nan, found))


def polygamma(n: int, x):
    """(-1)**(n + 1) * n! * zeta(n + 1, x), also for negative x (the sum converges there too)."""
    return (-1.0) ** (n + 1) * math.factorial(n) * zeta(float(n + 1), x)


def _polygamma_vjp(node, g):
    x = node.inputs[0]
    return (p.mul(g, special_node("polygamma", x, static=(node.attrs["static"][0] + 1,))),)


_register("polygamma", polygamma, _polygamma_vjp)
_register("zeta", zeta, lambda node, g: (None, p.neg(p.mul(p.mul(g, node.inputs[0]), special_node(
    "zeta", p.add(node.inputs[0], _c(g, 1)), node.inputs[1])))))


# ---- Bessel functions: trapezoidal sums of their integrals, which converge geometrically --------


def _angles(n: int):
    t = (np.arange(n) + 0.5) * (math.pi / n)
    return np.cos(t), np.sin(t), t


def _scaled_i(order: int, x):
    """exp(-|x|) I_order(x)."""
    size = np.abs(x).reshape(-1)
    found = np.empty(size.shape)
    near = size < 800
    cosine, _, t = _angles(160)
    weight = np.cos(order * t)
    for begin in range(0, int(near.sum()), 65536):
        part = size[near][begin:begin + 65536, None]
        sums = (np.exp(part * (cosine - 1)) * weight).mean(1)
        found[np.flatnonzero(near)[begin:begin + 65536]] = sums
    far = size[~near]
    series, term, mu = np.ones(far.shape), np.ones(far.shape), 4.0 * order * order
    for k in range(1, 8):
        term = -term * (mu - (2 * k - 1) ** 2) / (k * 8 * far)
        series = series + term
    found[~near] = np.where(np.isinf(far), 0.0, series / np.sqrt(2 * math.pi * far))
    found = np.where(np.isnan(size), np.nan, found).reshape(np.shape(x))
    return found * np.sign(x) if order % 2 else found


def _hankel(order: int, x):
    """(P, Q) of the asymptotic expansion of Bessel functions at large x."""
    mu, term = 4.0 * order * order, np.ones(x.shape)
    parts = [np.ones(x.shape), np.zeros(x.shape)]
    for k in range(1, 12):
        term = term * (mu - (2 * k - 1) ** 2) / (k * 8 * x)
        parts[k % 2] = parts[k % 2] + term * (-1) ** (k // 2)
    return parts


def _bessel_j(order: int, x):
    size = np.abs(np.asarray(x, np.float64))
    _, sine, t = _angles(96)
    near = np.where(size < 40, size, 0.0)
    low = np.cos(order * t - near[..., None] * sine).mean(-1)
    far = np.where(size < 40, 40.0, size)
    even, odd = _hankel(order, far)
    phase = far - (0.5 * order + 0.25) * math.pi
    high = np.sqrt(2 / (math.pi * far)) * (even * np.cos(phase) - odd * np.sin(phase))
    found = np.where(size < 40, low, np.where(np.isinf(size), 0.0, high))
    found = np.where(np.isnan(x), np.nan, found)
    return found * np.sign(x) if order % 2 else found


def _bessel_y(order: int, x):
    x = np.asarray(x, np.float64)
    node, weight = np.polynomial.legendre.leggauss(80)
    near = np.where((x > 0) & (x < 40), x, 1.0)[..., None]
    t = (node + 1) * (math.pi / 2)
    low = (np.sin(near * np.sin(t) - order * t) * weight).sum(-1) / 2
    # the second integral ends where exp(-x sinh t) vanishes
    reach = np.arcsinh(745 / near) + order
    total = np.zeros(near.shape[:-1])
    for begin in range(8):
        t = reach * (begin + (node + 1) / 2) / 8
        growth = np.exp(order * t - near * np.sinh(t)) + (-1) ** order * np.exp(
            -order * t - near * np.sinh(t))
        total = total + (growth * weight).sum(-1) * reach[..., 0] / 16
    low = low - total / math.pi
    far = np.where(x < 40, 40.0, x)
    even, odd = _hankel(order, far)
    phase = far - (0.5 * order + 0.25) * math.pi
    high = np.sqrt(2 / (math.pi * far)) * (even * np.sin(phase) + odd * np.cos(phase))
    found = np.where(x < 40, low, np.where(np.isinf(x), 0.0, high))
    return np.where(x == 0, -np.inf, np.where(x < 0, np.nan, np.where(np.isnan(x), x, found)))


def _scaled_k(order: int, x):
    """exp(x) K_order(x), the integral of exp(-x (cosh t - 1)) cosh(order t)."""
    x = np.asarray(x, np.float64)
    safe = np.where(x > 0, x, 1.0)[..., None]
    reach = np.arccosh(1 + 745 / safe) + order
    t = (np.arange(400) + 0.5) / 400 * reach
    found = (np.exp(-safe * (np.cosh(t) - 1)) * np.cosh(order * t)).mean(-1) * reach[..., 0]
    return np.where(x == 0, np.inf, np.where(x < 0, np.nan, np.where(np.isnan(x), x, found)))


def _i0_vjp(node, g):
    return (p.mul(g, special_node("i1", node.inputs[0])),)


def _i1_over_x(node, bent):
    """y / x, or its limit 1/2 at 0."""
    x = node.inputs[0]
    zero = p.eq(x, _c(x, 0))
    quotient = p.div(node, p.where(zero, _c(x, 1), x))
    return p.where(zero, _c(x, 0.5), p.sub(bent, quotient)), zero


def _i1_vjp(node, g):
    return (p.mul(g, _i1_over_x(node, special_node("i0", node.inputs[0]))[0]),)


def _i0e_vjp(node, g):
    x = node.inputs[0]
    return (p.mul(g, p.sub(special_node("i1e", x), p.mul(p.sign(x), node))),)


def _i1e_vjp(node, g):
    x = node.inputs[0]
    slope = _i1_over_x(node, special_node("i0e", x))[0]
    return (p.mul(g, p.sub(slope, p.mul(p.sign(x), node))),)


_register("i0", lambda x: _scaled_i(0, x) * np.exp(np.abs(x)), _i0_vjp)
_register("i1", lambda x: _scaled_i(1, x) * np.exp(np.abs(x)), _i1_vjp)
_register("i0e", lambda x: _scaled_i(0, x), _i0e_vjp)
_register("i1e", lambda x: _scaled_i(1, x), _i1e_vjp)
CALLS["modified_bessel_i0"], CALLS["modified_bessel_i1"] = CALLS["i0"], CALLS["i1"]
_register("bessel_j0", lambda x: _bessel_j(0, x))
_register("bessel_j1", lambda x: _bessel_j(1, x))
_register("bessel_y0", lambda x: _bessel_y(0, x))
_register("bessel_y1", lambda x: _bessel_y(1, x))
_register("modified_bessel_k0", lambda x: _scaled_k(0, x) * np.exp(-x))
_register("modified_bessel_k1", lambda x: _scaled_k(1, x) * np.exp(-x))
_register("scaled_modified_bessel_k0", lambda x: _scaled_k(0, x))
_register("scaled_modified_bessel_k1", lambda x: _scaled_k(1, x))


# ---- incomplete gamma functions -----------------------------------------------------------------


def _log_gamma(a):
    return np.array([math.lgamma(v) if 0 < v < math.inf else math.inf for v in a.ravel()]
                    ).reshape(a.shape)


def gamma_pair(a, x):
    """(P, Q): the regularised lower and upper incomplete gamma functions."""
    a, x = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(x, np.float64))
    series = x < a + 1
    front = np.exp(a * np.log(np.where(x > 0, x, 1)) - x - _log_gamma(a))
    xs, ends = np.where(series, x, 0.0), 200 + int(6 * math.sqrt(float(np.nanmax(
        np.where(np.isfinite(a), a, 0), initial=1))))
    term = 1 / np.where(a == 0, 1, a)
    total, divisor = term.copy(), a.astype(np.float64)
    for _ in range(ends):
        divisor = divisor + 1
        term = term * xs / divisor
        total = total + term
    lower = front * total
    xc = np.where(series, a + 2, x)           # Lentz's continued fraction
    b = xc + 1 - a
    c = np.full(a.shape, 1e300)
    d = 1 / b
    fraction = d
    for i in range(1, ends):
        an = -i * (i - a)
        b = b + 2
        d = an * d + b
        d = 1 / np.where(np.abs(d) < 1e-300, 1e-300, d)
        c = b + an / c
        c = np.where(np.abs(c) < 1e-300, 1e-300, c)
        fraction = fraction * d * c
    upper = front * fraction
    low = np.where(series, lower, 1 - upper)
    high = np.where(series, 1 - lower, upper)
    zero, infinite = x == 0, np.isinf(x)
    low = np.where(zero, 0.0, np.where(infinite, 1.0, low))
    high = np.where(zero, 1.0, np.where(infinite, 0.0, high))
    low, high = np.where(a == 0, 1.0, low), np.where(a == 0, 0.0, high)
    low = np.where(np.isinf(a), np.where(infinite, np.nan, 0.0), low)
    high = np.where(np.isinf(a), np.where(infinite, np.nan, 1.0), high)
    bad = (a < 0) | (x < 0) | np.isnan(a) | np.isnan(x) | ((a == 0) & zero)
    return np.where(bad, np.nan, low), np.where(bad, np.nan, high)


def _gamma_density(node, g):
    a, x = node.inputs
    log = p.sub(p.sub(p.mul(p.sub(a, _c(a, 1)), p.log(x)), x), p.lgamma(a))
    return p.mul(g, p.exp(log))


_register("igamma", lambda a, x: gamma_pair(a, x)[0],
          lambda node, g: (None, _gamma_density(node, g)))
_register("igammac", lambda a, x: gamma_pair(a, x)[1],
          lambda node, g: (None, p.neg(_gamma_density(node, g))))


# ---- the normal distribution --------------------------------------------------------------------

_erfc = np.frompyfunc(math.erfc, 1, 1)


def erfcx(x):
    """exp(x * x) * erfc(x)."""
    x = np.asarray(x, np.float64)
    near = np.where(np.abs(x) < 20, x, 0.0)
    low = np.exp(near * near) * np.asarray(_erfc(near), np.float64)
    far = np.where(x > 20, x, 20.0)
    fraction = np.zeros(x.shape)
    for k in range(20, 0, -1):
        fraction = (k / 2) / (far + fraction)
    high = 1 / (math.sqrt(math.pi) * (far + fraction))
    return np.where(np.isnan(x), x, np.where(x < -20, np.inf, np.where(x > 20, high, low)))


def log_ndtr(x):
    """The logarithm of the normal distribution function."""
    x = np.asarray(x, np.float64)
    t = x / math.sqrt(2)
    low = np.log(erfcx(-np.minimum(t, 0)) / 2) - t * t
    high = np.log1p(-np.asarray(_erfc(np.where(np.isnan(t), 0.0, t)), np.float64) / 2)
    return np.where(np.isnan(x), x, np.where(x < -1, low, high))


def ndtri(q):
    """The inverse of the normal distribution function, by Halley steps from a rough start."""
    q = np.asarray(q, np.float64)
    tail = np.minimum(q, 1 - q)
    safe = np.clip(tail, 1e-320, 0.5)
    t = np.sqrt(-2 * np.log(safe))
    x = -(t - (2.515517 + t * (0.802853 + t * 0.010328)) / (
        1 + t * (1.432788 + t * (0.189269 + t * 0.001308))))
    for _ in range(4):
        value = np.asarray(_erfc(-x / math.sqrt(2)), np.float64) / 2
        step = (value - safe) * math.sqrt(2 * math.pi) * np.exp(np.minimum(x * x / 2, 700))
        x = x - step / (1 + step * x / 2)
    x = np.where(q > 0.5, -x, x)
    x = np.where(q == 0, -np.inf, np.where(q == 1, np.inf, x))
    return np.where((q < 0) | (q > 1) | np.isnan(q), np.nan, x)


_ROOT_TAU = math.sqrt(2 * math.pi)
_register("erfcx", erfcx, lambda node, g: (p.mul(g, p.sub(
    p.mul(_c(g, 2), p.mul(node.inputs[0], node)), _c(g, 2 / math.sqrt(math.pi)))),))
_register("log_ndtr", log_ndtr, lambda node, g: (p.mul(g, p.div(
    _c(g, math.sqrt(2 / math.pi)), special_node(
        "erfcx", p.mul(node.inputs[0], _c(g, -1 / math.sqrt(2)))))),))
_register("ndtri", ndtri, lambda node, g: (p.mul(g, p.mul(
    _c(g, _ROOT_TAU), p.exp(p.mul(p.mul(node, node), _c(g, 0.5))))),))


# ---- orthogonal polynomials, by their three-term recurrences ------------------------------------

# name: (p1 from x, next from (k, x, p_k, p_{k-1})), p0 = 1
POLYNOMIALS: dict[str, tuple[Callable, Callable]] = {
    "chebyshev_polynomial_t": (lambda x: x, lambda k, x, a, b: 2 * x * a - b),
    "chebyshev_polynomial_u": (lambda x: 2 * x, lambda k, x, a, b: 2 * x * a - b),
    "chebyshev_polynomial_v": (lambda x: 2 * x - 1, lambda k, x, a, b: 2 * x * a - b),
    "chebyshev_polynomial_w": (lambda x: 2 * x + 1, lambda k, x, a, b: 2 * x * a - b),
    "hermite_polynomial_h": (lambda x: 2 * x, lambda k, x, a, b: 2 * x * a - 2 * k * b),
    "hermite_polynomial_he": (lambda x: x, lambda k, x, a, b: x * a - k * b),
    "laguerre_polynomial_l": (lambda x: 1 - x,
                              lambda k, x, a, b: ((2 * k + 1 - x) * a - k * b) / (k + 1)),
    "legendre_polynomial_p": (lambda x: x,
                              lambda k, x, a, b: ((2 * k + 1) * x * a - k * b) / (k + 1)),
}


def _polynomial(name: str):
    first, following = POLYNOMIALS[name]

    def evaluate(x, n):
        x, n = np.broadcast_arrays(x, np.trunc(n))
        before, now = np.ones(x.shape), first(x)
        found = np.where(n < 0, 0.0, np.where(n == 0, before, now))
        for k in range(1, int(np.nanmax(n, initial=1))):
            before, now = now, following(k, x, now, before)
            found = np.where(n == k + 1, now, found)
        return found
    return evaluate


for _name in tuple(POLYNOMIALS):
    _register(_name, _polynomial(_name))
    if _name.startswith("chebyshev"):
        _register("shifted_" + _name, lambda x, n, of=_polynomial(_name): of(2 * x - 1, n))
