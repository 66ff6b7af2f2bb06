"""Exponentials, logarithms, powers and hyperbolic functions for `vector_math`."""

import math

from flambeau.codegen import _coefficients as table
from flambeau.codegen._math_core import (
    constants,
    exact_product,
    exact_sum,
    polynomial,
    round_to_int,
    split_exponent,
    times_power_of_two,
)
from flambeau.codegen.types import F32, F64

__all__ = ["acosh", "asinh", "atanh", "cosh", "exp", "exp2", "expm1", "log", "log10", "log1p",
           "log2", "pow", "rsqrt", "sigmoid", "sinh", "tanh"]

LOG2_E = 1.4426950408889634


def _is_single(x):
    return x.type.element is F32


def _clamp(f, x, low, high):
    """x within [low, high]; NaN stays."""
    return f.fmin(f.constant(x.type, high), f.fmax(f.constant(x.type, low), x))


def _reduce(f, x):
    """(r, n as integer lanes, n as floats) with x = n log(2) + r, |r| <= log(2) / 2."""
    k = constants(x)
    n, integer = round_to_int(f, x * LOG2_E)
    r = f.fma(n, -k.ln2_low, f.fma(n, -k.ln2_high, x))
    return r, integer, n


def _expm1_near_zero(f, r):
    q = polynomial(f, r, table.EXPM1_32 if _is_single(r) else table.EXPM1_64)
    return f.fma(r * r, q, r)


def exp_shifted(f, x, shift=0):
    """exp(x) * 2^shift, without overflow before the product."""
    x = _clamp(f, x, *((-105.0, 90.0) if _is_single(x) else (-747.0, 711.0)))
    r, n, whole = _reduce(f, x)
    if shift:
        n, whole = n + shift, whole + float(shift)
    return times_power_of_two(f, _expm1_near_zero(f, r) + 1.0, n, whole)


def exp(f, x):
    return exp_shifted(f, x)


def _two_to(f, r, n, whole=None):
    q = polynomial(f, r, table.EXP2_32 if _is_single(r) else table.EXP2_64)
    return times_power_of_two(f, f.fma(r, q, 1.0), n, whole)


def exp2(f, x):
    x = _clamp(f, x, *((-152.0, 129.0) if _is_single(x) else (-1077.0, 1025.0)))
    n, integer = round_to_int(f, x)
    return _two_to(f, x - n, integer, n)


def expm1(f, x):
    tiny = 2.0 ** -25 if _is_single(x) else 2.0 ** -54
    clamped = _clamp(f, x, *((-20.0, 89.0) if _is_single(x) else (-40.0, 710.0)))
    r, n, whole = _reduce(f, clamped)
    # half of everything, so that n = 128 (1024) does not overflow too early
    half = times_power_of_two(f, f.constant(x.type, 1.0), n - 1, whole - 1.0)
    result = f.fma(half, _expm1_near_zero(f, r), half - 0.5) * 2.0
    return f.select(f.lt(f.abs(x), tiny), x, result)


def _log_of_mantissa(f, m1):
    """log(1 + m1) = m1 - (half_square - rest), for m1 in [sqrt(1/2) - 1, sqrt(2) - 1]."""
    half_square = m1 * m1 * 0.5
    if _is_single(m1):
        return half_square, m1 * m1 * m1 * polynomial(f, m1, table.LOG1P_32)
    s = m1 / (m1 + 2.0)
    z = s * s
    return half_square, s * (half_square + z * polynomial(f, z, table.ATANH_64))


def _log_specials(f, x, result):
    """log's results for infinity and NaN, 0, and below."""
    zero_or_less = f.select(f.eq(x, 0.0), -math.inf, f.constant(x.type, math.nan))
    return f.select(f.gt(x, 0.0), f.select(f.lt(x, math.inf), result, x),
                    f.select(f.isnan(x), x, zero_or_less))


def _log_sum(f, n, m1, correction=None):
    k = constants(m1)
    half_square, rest = _log_of_mantissa(f, m1)
    low = f.fma(n, k.ln2_low, rest) if correction is None else \
        f.fma(n, k.ln2_low, rest + correction)
    return f.fma(n, k.ln2_high, m1 - (half_square - low))


def log(f, x):
    n, m = split_exponent(f, x)
    return _log_specials(f, x, _log_sum(f, n, m - 1.0))


def log1p(f, x):
    u = x + 1.0
    n, m = split_exponent(f, u)
    # what rounding 1 + x lost, as a first order term; above 2^mantissa nothing matters was lost
    lost = f.select(f.gt(x, 1.0), 1.0 - (u - x), x - (u - 1.0))
    correction = f.select(f.lt(f.abs(lost), 2.0), lost / u, 0.0)
    result = _log_specials(f, u, _log_sum(f, n, m - 1.0, correction))
    tiny = 2.0 ** -25 if _is_single(x) else 2.0 ** -54
    return f.select(f.lt(f.abs(x), tiny), x, result)


def _log_scaled(f, x, scale_high, scale_low, power_high, power_low):
    """log(x) times a constant given in two parts, plus n times that of 2, without cancellation."""
    n, m = split_exponent(f, x)
    m1 = m - 1.0
    half_square, rest = _log_of_mantissa(f, m1)
    high, low = exact_sum(f, m1, -half_square)
    low = low + rest
    high, low = exact_sum(f, high, low)
    p, e = exact_product(f, high, scale_high)
    e = f.fma(low, scale_high, f.fma(high, scale_low, e))
    whole, whole_low = exact_product(f, n, power_high)
    s, t = exact_sum(f, whole, p)
    s = f.select(f.eq(n, 0.0), p, s)
    t = f.select(f.eq(n, 0.0), 0.0, t)
    return _log_specials(f, x, s + (t + f.fma(n, power_low, whole_low + e)))


def log2(f, x):
    return _log_scaled(f, x, LOG2_E, 2.0355273740931033e-17, 1.0, 0.0)


def log10(f, x):
    return _log_scaled(f, x, 0.4342944819032518, 1.098319650216765e-17,
                       0.3010299956639812, -2.8037281277851704e-18)


# ---- hyperbolic ---------------------------------------------------------------------------------


def tanh(f, x):
    # -t / (t + 2) with t = expm1(-2 |x|), which is -1 to the last place from 10 (20) on
    y = f.fmin(f.constant(x.type, 10.0 if _is_single(x) else 20.0), f.abs(x)) * -2.0
    n, integer = round_to_int(f, y * LOG2_E)
    r = f.fma(n, -math.log(2), y)      # one part is enough: 2^n makes its error small
    power = times_power_of_two(f, f.constant(x.type, 1.0), integer, n)
    t = f.fma(power, _expm1_near_zero(f, r), power - 1.0)
    return f.copysign(t / (t + 2.0), x)


def sigmoid(f, x):
    e = exp(f, -f.abs(x))
    return f.select(f.lt(x, 0.0), e, 1.0) / (e + 1.0)


def sinh(f, x):
    a = f.abs(x)
    t = expm1(f, a)
    small = (t + t / (t + 1.0)) * 0.5
    return f.copysign(f.select(f.lt(a, 22.0), small, exp_shifted(f, a, -1)), x)


def cosh(f, x):
    e = exp_shifted(f, f.abs(x), -1)
    return e + 0.25 / e


def asinh(f, x):
    a = f.abs(x)
    square = a * a
    near = log1p(f, a + square / (f.sqrt(square + 1.0) + 1.0))
    far = log(f, a) + math.log(2)
    return f.copysign(f.select(f.lt(a, 2.0 ** 28), near, far), x)


def acosh(f, x):
    t = x - 1.0
    near = log1p(f, t + f.sqrt(t * 2.0 + t * t))
    return f.select(f.lt(x, 2.0 ** 28), near, log(f, x) + math.log(2))


def atanh(f, x):
    a = f.abs(x)
    return f.copysign(log1p(f, a * 2.0 / (1.0 - a)) * 0.5, x)


def rsqrt(f, x):
    return 1.0 / f.sqrt(x)


# ---- powers -------------------------------------------------------------------------------------


def _log2_double_double(f, x):
    """(high, low) of log2(x) to about 65 bits, for finite x > 0."""
    n, m = split_exponent(f, x)
    m1 = m - 1.0
    d, d_low = exact_sum(f, f.constant(x.type, 2.0), m1)
    s = m1 / d
    p, e = exact_product(f, s, d)
    s_low = (((m1 - p) - e) - s * d_low) / d
    # 2 atanh(s) = 2 s + 2/3 s^3 + s^5 (...): the cube still in two parts
    z, z_low = exact_product(f, s, s)
    z_low = f.fma(s * 2.0, s_low, z_low)
    c, c_low = exact_product(f, z, s)
    c_low = c_low + f.fma(z, s_low, z_low * s)
    third, third_low = 2 / 3, 3.700743415417188e-17
    t, t_low = exact_product(f, c, third)
    t_low = t_low + f.fma(c, third_low, c_low * third)
    rest = c * z * polynomial(f, z, _AFTER_TWO_THIRDS)
    high, low = exact_sum(f, s * 2.0, t)
    low = low + (f.fma(s_low, 2.0, t_low) + rest)
    high, low = exact_sum(f, high, low)
    p, e = exact_product(f, high, LOG2_E)
    e = f.fma(low, LOG2_E, f.fma(high, 2.0355273740931033e-17, e))
    whole, part = exact_sum(f, n, p)
    zero = f.eq(n, 0.0)
    high, low = f.select(zero, p, whole), f.select(zero, e, part + e)
    return exact_sum(f, high, low)


# 2/5, 2/7 ... of the series of 2 atanh(s) / s^5 in s^2, |s| < 0.172: 2^-60 of the cube's term
_AFTER_TWO_THIRDS = [2 / (2 * i + 5) for i in range(11)]


def _power_double(f, a, y):
    """a ** y for finite a > 0 in float64."""
    high, low = _log2_double_double(f, a)
    p, e = exact_product(f, high, y)
    e = f.fma(low, y, e)
    far = f.gt(f.abs(p), 1080.0)
    p = _clamp(f, p, -1100.0, 1100.0)
    n, integer = round_to_int(f, p)
    return _two_to(f, (p - n) + f.select(far, 0.0, e), integer)


def _power_single(f, a, y):
    """a ** y for finite a > 0 in float64, exact enough to be rounded to float32."""
    n, m = split_exponent(f, a)
    half_square, rest = _log_of_mantissa(f, m - 1.0)
    logarithm = f.fma((m - 1.0) - (half_square - rest), LOG2_E, n)
    return exp2(f, _clamp(f, logarithm * y, -1100.0, 1100.0))


def pow(f, x, y, core=_power_double):
    if _is_single(x):
        wide = [f.cast(v, F64) for v in (x, y)]
        return f.cast(pow(f, *wide, core=_power_single), F32)
    a = f.abs(x)
    infinity = math.inf
    usual = f.gt(a, 0.0) & f.lt(a, infinity)
    result = core(f, f.select(usual, a, 1.0), y)
    positive = f.gt(y, 0.0)
    grows = f.select(positive, f.constant(x.type, infinity), 0.0)
    shrinks = f.select(positive, 0.0, f.constant(x.type, infinity))
    result = f.select(f.eq(a, 0.0), shrinks, f.select(f.eq(a, infinity), grows, result))
    by_side = f.select(f.gt(a, 1.0), grows, f.select(f.eq(a, 1.0), 1.0, shrinks))
    result = f.select(f.eq(f.abs(y), infinity), by_side, result)
    whole = f.eq(f.trunc(y), y)
    half = y * 0.5
    odd = whole & f.ne(f.trunc(half), half)
    # -0.0 counts as negative, so the sign is read from the bits
    negative = f.lt(f.copysign(f.constant(x.type, 1.0), x), 0.0)
    result = f.select(negative & odd, -result, result)
    undefined = f.lt(x, 0.0) & ~whole & usual
    result = f.select(undefined | f.isnan(x) | f.isnan(y), f.constant(x.type, math.nan), result)
    return f.select(f.eq(y, 0.0) | f.eq(x, 1.0), 1.0, result)
