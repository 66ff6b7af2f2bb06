"""Error functions, gamma functions and remainders for `vector_math`."""

import math

from flambeau.codegen import _coefficients as table
from flambeau.codegen._math_core import (
    exact_product,
    polynomial,
    round_to_int,
    split_exponent,
    times_power_of_two,
)
from flambeau.codegen._math_exp import exp, log
from flambeau.codegen._math_trig import _cosine, _sine
from flambeau.codegen.types import F32
from flambeau.runtime import _cpu

__all__ = ["digamma", "erf", "erfc", "erfinv", "fmod", "lgamma", "remainder"]

_LOG_PI = math.log(math.pi)
_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


def _erf_near_zero(f, x):
    coefficients = table.ERF_32 if x.type.element is F32 else table.ERF_64
    return f.fma(x, polynomial(f, x * x, coefficients), x)


def _erfc_of_positive(f, a):
    """erfc(a) for a >= 0.4 in float64."""
    a = f.fmin(f.constant(a.type, 28.0), a)
    q = (a - 4.0) / (a + 4.0)
    square, low = exact_product(f, a, a)
    e = exp(f, -square)
    e = f.fma(e, -low, e)
    return e * polynomial(f, q, table.ERFCX_64) / (a * 2.0 + 1.0)


def erf(f, x):
    a = f.abs(x)
    if x.type.element is F32:
        near = f.lt(a, 0.875)
        b = f.fmin(f.constant(x.type, 4.0), a)
        far = 1.0 - exp(f, -(b * polynomial(f, b, table.LOG_ERFC_32)))
    else:
        near = f.lt(a, 0.5)
        far = 1.0 - _erfc_of_positive(f, a)
    return f.select(near, _erf_near_zero(f, x), f.copysign(far, x))


def erfc(f, x):
    a = f.abs(x)
    far = _erfc_of_positive(f, a)
    far = f.select(f.lt(x, 0.0), 2.0 - far, far)
    return f.select(f.lt(a, 0.5), 1.0 - _erf_near_zero(f, x), far)


def erfinv(f, x):
    a = f.abs(x)
    rest = 1.0 - a
    w = -log(f, rest * (a + 1.0))
    centre = a * polynomial(f, w - 2.5, table.ERFINV_CENTRE)
    tail = a * polynomial(f, f.sqrt(w) - 4.0, table.ERFINV_TAIL)
    y = f.select(f.lt(w, 5.0), centre, tail)
    # one step of Halley's method triples the digits
    error = f.select(f.lt(y, 0.5), _erf_near_zero(f, y) - a, rest - _erfc_of_positive(f, y))
    step = error * (0.5 * math.sqrt(math.pi)) * exp(f, y * y)
    y = y - step / f.fma(y, step, 1.0)
    y = f.select(f.eq(a, 1.0), math.inf, y)
    y = f.select(f.gt(a, 1.0), f.constant(x.type, math.nan), y)
    return f.copysign(y, x)


# ---- gamma --------------------------------------------------------------------------------------


def _sine_and_cosine_of_pi(f, x):
    """(sin(pi t), cos(pi t), t) with t = x - round(x), computed within a quarter turn."""
    t = x - f.rint(x)
    a = f.abs(t)
    outer = f.gt(a, 0.25)
    u = f.select(outer, 0.5 - a, a)
    p, low = exact_product(f, u, math.pi)
    low = f.fma(u, 1.2246467991473532e-16, low)
    s, c = _sine(f, p, low), _cosine(f, p, low)
    return f.copysign(f.select(outer, c, s), t), f.select(outer, s, c), t


def _lgamma_of_positive(f, x):
    """lgamma(x) for x > 0."""
    shifted = f.lt(x, 1.0)
    # up to 8 the argument comes down into [1, 3]; the factors taken off add their logarithm
    product = f.constant(x.type, 1.0)
    u = f.select(shifted, x + 1.0, x)
    for _ in range(6):
        above = f.ge(u, 3.0)
        lower = u - 1.0
        product = f.select(above, product * lower, product)
        u = f.select(above, lower, u)
    # (u - 1)(u - 2) from x itself below 1, where u - 1 would have lost digits
    first = f.select(shifted, x, u - 1.0)
    second = f.select(shifted, x - 1.0, u - 2.0)
    middle = first * second * polynomial(f, second, table.LGAMMA_64)
    logarithm = log(f, f.select(shifted, x, product))
    middle = middle + f.select(shifted, -logarithm, logarithm)
    inverse = 1.0 / x
    series = inverse * polynomial(f, inverse * inverse, table.STIRLING)
    far = f.fma(x - 0.5, log(f, x) - 1.0, (_HALF_LOG_TWO_PI - 0.5) + series)
    far = f.select(f.eq(x, math.inf), x, far)
    return f.select(f.lt(x, 8.0), middle, far)


def lgamma(f, x):
    a = f.abs(x)
    positive = _lgamma_of_positive(f, f.select(f.eq(a, 0.0), 1.0, a))
    s, _, t = _sine_and_cosine_of_pi(f, a)
    # lgamma(-a) = log(pi / (a |sin(pi a)|)) - lgamma(a)
    reflected = _LOG_PI - log(f, a * f.abs(s)) - positive
    pole = f.eq(t, 0.0) & f.le(x, 0.0)
    result = f.select(f.lt(x, 0.0), reflected, positive)
    result = f.select(pole | f.eq(a, math.inf), math.inf, result)
    return f.select(f.isnan(x), x, result)


def digamma(f, x):
    negative = f.lt(x, 0.0)
    s, c, t = _sine_and_cosine_of_pi(f, x)
    u = f.select(negative, 1.0 - x, x)
    total = f.constant(x.type, 0.0)
    for _ in range(10):
        small = f.lt(u, 10.0)
        total = f.select(small, total - 1.0 / u, total)
        u = f.select(small, u + 1.0, u)
    inverse = 1.0 / (u * u)
    series = inverse * polynomial(f, inverse, table.DIGAMMA)
    result = total + (log(f, u) - 0.5 / u - series)
    result = f.select(f.eq(u, math.inf), u, result)
    result = f.select(negative, result - math.pi * c / s, result)
    pole = f.copysign(f.constant(x.type, math.inf), -x)
    undefined = f.select(f.eq(t, 0.0) & negative, f.constant(x.type, math.nan), result)
    return f.select(f.eq(x, 0.0), pole, undefined)


# ---- remainders ---------------------------------------------------------------------------------


def fmod(f, x, y):
    """Exact: subtracts multiples of y scaled by powers of two until less than y is left."""
    size, a = f.abs(y), f.abs(x)
    proper = f.lt(a, math.inf) & f.gt(size, 0.0)
    with f.while_loop([f.select(proper, a, 0.0)]) as loop:
        left, = loop.carried
        more = f.ge(left, size)
        loop.leave_if(f.eq(f.any(more), 0))
        loop.next(f.select(more, _remainder_step(f, left, size), left))
    result = f.copysign(loop.results[0], x)
    result = f.select(proper, result, f.constant(x.type, math.nan))
    return f.select(f.isnan(x) | f.isnan(y), x + y, result)


def _remainder_step(f, left, size):
    """left modulo size * 2^e, where e >= 0 makes their quotient at most about 2^45 (float64)."""
    distance = split_exponent(f, left)[0] - split_exponent(f, size)[0]
    limit = f.constant(left.type, 2044.0)  # of what times_power_of_two can do
    e = f.fmin(limit, f.fmax(f.constant(left.type, 0.0), distance - 45.0))
    step = times_power_of_two(f, size, round_to_int(f, e)[1])
    q = f.trunc(left / step)
    if _cpu.has_fma():
        rest = f.fma(-q, step, left)
    else:
        # Dekker's splitting would overflow above 2^996
        scale = f.select(f.gt(left, 2.0 ** 900), f.constant(left.type, 2.0 ** -80), 1.0)
        p, low = exact_product(f, q, step * scale)
        rest = ((left * scale - p) - low) / scale
    for _ in range(2):  # the rounded quotient may be one too large, at that limit two
        rest = f.select(f.lt(rest, 0.0), rest + step, rest)
    return f.select(f.ge(rest, step), rest - step, rest)


def remainder(f, x, y):
    """The remainder with the sign of y, as torch.remainder."""
    r = fmod(f, x, y)
    opposite = f.ne(r, 0.0) & (f.lt(r, 0.0) ^ f.lt(y, 0.0))
    return f.select(opposite, r + y, r)
