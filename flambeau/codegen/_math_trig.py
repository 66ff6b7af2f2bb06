"""Sine, cosine and their inverses for `vector_math`, with exact reduction of huge arguments."""

import math

from flambeau.codegen import _coefficients as table
from flambeau.codegen._math_core import exact_product, exact_sum, polynomial, round_to_int
from flambeau.codegen.types import F32, F64, I64, PTR, float_bits, integer
from flambeau.runtime import _cpu

__all__ = ["acos", "asin", "atan", "atan2", "cos", "sin", "tan"]

PI_2, PI_2_LOW = 1.5707963267948966, 6.123233995736766e-17
TWO_OVER_PI = 0.6366197723675814
# pi / 2 in three parts: of 33 bits, times n < 2^20 exact in float64; of 24 bits for fused float32
_PARTS_64 = (1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21)
_PARTS_32 = (1.5707963705062866, -4.371138828673793e-08, -1.7151245100058819e-15)
_HUGE = {32: 1e5, 64: 1e6}  # from here on the exact reduction


def _reduce(f, x):
    """(r, low part of r, quadrant) with |x| = quadrant pi/2 + r, |r| <= pi/4, for moderate x."""
    if x.type.element is F32:
        if not _cpu.has_fma():  # then float64 takes its place
            r, _, n = _reduce(f, f.cast(x, F64))
            return f.cast(r, F32), None, f.cast(n, float_bits(x.type))
        n, quadrant = round_to_int(f, x * TWO_OVER_PI)
        r = x
        for part in _PARTS_32:
            r = f.fma(n, -part, r)
        return r, None, quadrant
    n, quadrant = round_to_int(f, x * TWO_OVER_PI)
    first, second, third = _PARTS_64
    t = x - n * first
    w = n * second
    r = t - w
    low = (t - r) - w
    w = n * third
    high = r - w
    return high, ((r - high) - w) + low, quadrant


def _reduce_any(f, x):
    """`_reduce` for every x >= 0: lanes with huge values take the exact way, one by one."""
    r, low, quadrant = _reduce(f, x)
    huge = ~f.lt(x, _HUGE[x.type.bits])  # NaN counts as huge
    low = f.constant(x.type, 0.0) if low is None else low
    with f.if_(f.any(huge)) as branch:
        exact = _reduce_lanes(f, x)
        branch.give(*(f.select(huge, a, b) for a, b in zip(exact, (r, low, quadrant))))
    with branch.otherwise():
        branch.give(r, low, quadrant)
    return branch.results


def _reduce_lanes(f, x):
    name = f.module.define_once("exact_reduction", _define_exact_reduction)
    lanes = x.type.lanes or 1
    out = [f.alloca(F64, lanes) for _ in range(3)]
    source = f.alloca(F64, lanes)
    f.store(f.cast(x, F64), source)
    with f.loop(0, lanes, at_least_once=True) as loop:
        f.call(name, I64, [f.load(F64, source, loop.index)] +
               [f.at(pointer, loop.index, F64) for pointer in out])
    high, low = (f.load(F64.with_lanes(x.type.lanes), p) for p in out[:2])
    if x.type.element is F32:
        # one float32 with its error, of the sum in float64
        wide = high
        high = f.cast(wide, F32)
        low = f.cast(wide - f.cast(high, F64), F32)
    quadrant = f.load(I64.with_lanes(x.type.lanes), out[2])
    return high, low, f.cast(quadrant, float_bits(x.type))


def _define_exact_reduction(module):
    """exact_reduction(x, high, low, quadrant): Payne and Hanek's, with 192 bits of 2 / pi.

    x = m 2^e; only the bits of 2 / pi that meet m above 2^-190 and below 4 matter, so three words
    of the table, from a place that depends on e, give the quadrant and 190 bits of fraction.
    """
    words = module.constant_array("two_over_pi", I64, [0] + table.TWO_OVER_PI)
    f = module.function("exact_reduction", I64, [F64, PTR, PTR, PTR], "nounwind noinline",
                        "internal")
    wide = integer(128)
    x, high_out, low_out, quadrant_out = f.parameters
    with f.fast_math(""):
        bits = f.bitcast(x, I64)
        exponent = f.binary("lshr", bits, 52) & 0x7FF
        finite = f.lt(exponent, 0x7FF)
        # NaN and infinity read the table anywhere inside it; so does what is too small to be huge
        place = f.select(finite, exponent, 1023) - (1075 - 62)
        place = f.select(f.lt(place, 0), 0, place)
        m = (bits & ((1 << 52) - 1)) | (1 << 52)
        index, shift = f.binary("lshr", place, 6), place & 63
        found = [f.load(I64, f.address(words), index + i) for i in range(4)]
        w = [f.intrinsic("fshl", I64, [found[i], found[i + 1], shift]) for i in range(3)]

        def product(a, b):
            return f.cast(a, wide, signed=False) * f.cast(b, wide, signed=False)

        def upper(v):
            return f.cast(f.binary("lshr", v, 64), I64)

        lowest = product(m, w[2])
        middle = product(m, w[1]) + f.binary("lshr", lowest, 64)
        top = m * w[0] + upper(middle)
        below = f.cast(middle, I64)
        # the two highest bits are the quadrant; the next 128, read as signed, the fraction
        fraction = f.binary("shl", f.cast(
            f.intrinsic("fshl", I64, [top, below, f.i64(2)]), wide, signed=False), 64)
        fraction = fraction | f.cast(f.intrinsic(
            "fshl", I64, [below, f.cast(lowest, I64), f.i64(2)]), wide, signed=False)
        negative = f.lt(fraction, 0)
        quadrant = f.binary("lshr", top, 62) + f.cast(negative, I64)
        size = f.select(negative, f.neg(fraction), fraction)
        zeros = f.intrinsic("ctlz", wide, [size, f.constant(integer(1), 0)], [wide])
        size = f.binary("shl", size, zeros & 127)
        first = f.binary("lshr", size, 128 - 53)
        second = f.binary("lshr", size, 128 - 53 - 53) & ((1 << 53) - 1)
        scale = f.bitcast((1023 - 53 - f.cast(zeros, I64)) << 52, F64)
        a = f.cast(f.cast(first, I64), F64) * scale
        b = f.cast(f.cast(second, I64), F64) * scale * 2.0 ** -53
        p, e = exact_product(f, a, PI_2)
        e = e + (a * PI_2_LOW + b * PI_2)
        high, low = exact_sum(f, p, e)
        sign = f.select(negative, f.constant(F64, -1.0), 1.0)
        f.store(f.select(finite, high * sign, x - x), high_out)
        f.store(f.select(finite, low * sign, x - x), low_out)
        f.store(quadrant, quadrant_out)
    f.ret(quadrant)


def _sine(f, r, low):
    z = r * r
    single = r.type.element is F32
    s = polynomial(f, z, table.SIN_32 if single else table.SIN_64)
    tail = f.fma(z * -0.5, low, low)
    return r + f.fma(z * r, s, tail)


def _cosine(f, r, low):
    z = r * r
    single = r.type.element is F32
    c = polynomial(f, z, table.COS_32 if single else table.COS_64)
    half = z * 0.5
    w = 1.0 - half
    return w + (((1.0 - w) - half) + f.fma(z * z, c, -(r * low)))


def _odd(f, quadrant):
    return f.ne(quadrant & 1, 0)


def _negated_if(f, value, bit):
    """`value` with its sign changed where bit 1 of the integer lanes is set."""
    sign = (bit & 2) << (value.type.bits - 2)
    return f.bitcast(f.bitcast(value, bit.type) ^ sign, value.type)


def sin(f, x):
    r, low, quadrant = _reduce_any(f, f.abs(x))
    result = f.select(_odd(f, quadrant), _cosine(f, r, low), _sine(f, r, low))
    result = _negated_if(f, result, quadrant)
    sign = f.bitcast(x, quadrant.type) & -(1 << (x.type.bits - 1))
    return f.bitcast(f.bitcast(result, quadrant.type) ^ sign, x.type)


def cos(f, x):
    r, low, quadrant = _reduce_any(f, f.abs(x))
    result = f.select(_odd(f, quadrant), _sine(f, r, low), _cosine(f, r, low))
    return _negated_if(f, result, quadrant + 1)


def tan(f, x):
    r, low, quadrant = _reduce_any(f, f.abs(x))
    s, c = _sine(f, r, low), _cosine(f, r, low)
    odd = _odd(f, quadrant)
    result = f.select(odd, -c, s) / f.select(odd, s, c)
    sign = f.copysign(f.constant(x.type, 1.0), x)
    return f.select(f.eq(x, 0.0), x, result * sign)


# ---- inverses -----------------------------------------------------------------------------------


def _asin_near_zero(f, x):
    z = x * x
    return x * z * polynomial(f, z, table.ASIN_64)


def asin(f, x):
    a = f.abs(x)
    far = f.gt(a, 0.5)
    # asin(a) = pi/2 - 2 asin(sqrt((1 - a) / 2)); the root's rounding error is carried along
    z = (1.0 - a) * 0.5
    root, root_low = _exact_root(f, z)
    t = f.select(far, root, a)
    tail = _asin_near_zero(f, t)
    beyond = PI_2 - (2.0 * root + (2.0 * (tail + root_low) - PI_2_LOW))
    return f.copysign(f.select(far, beyond, a + tail), x)


def _exact_root(f, z):
    root = f.sqrt(z)
    p, e = exact_product(f, root, root)
    low = ((z - p) - e) / (root * 2.0)
    return root, f.select(f.gt(root, 0.0), low, 0.0)


def acos(f, x):
    a = f.abs(x)
    far = f.gt(a, 0.5)
    z = (1.0 - a) * 0.5
    root, root_low = _exact_root(f, z)
    t = f.select(far, root, x)
    tail = _asin_near_zero(f, t)
    near = PI_2 - (x - (PI_2_LOW - tail))
    to_zero = 2.0 * (root + (tail + root_low))
    to_pi = 2.0 * (PI_2 - (root + ((tail + root_low) - PI_2_LOW)))
    return f.select(far, f.select(f.lt(x, 0.0), to_pi, to_zero), near)


def _atan_of_ratio(f, y, x):
    """(high, low) of atan(y / x) for 0 <= y, x, not both 0 or infinite."""
    root = math.sqrt(2) - 1
    steep = f.gt(y, x * (math.sqrt(2) + 1))
    middle = f.gt(y, x * root) & ~steep
    zero = f.constant(x.type, 0.0)
    top = f.select(steep, -x, f.select(middle, y - x, y))
    bottom = f.select(steep, y, f.select(middle, y + x, x))
    t = top / bottom
    z = t * t
    tail = t * z * polynomial(f, z, table.ATAN_64)
    high = f.select(steep, PI_2, f.select(middle, PI_2 / 2, zero))
    low = f.select(steep, PI_2_LOW, f.select(middle, PI_2_LOW / 2, zero))
    return high, t, tail + low


def atan(f, x):
    high, t, low = _atan_of_ratio(f, f.abs(x), f.constant(x.type, 1.0))
    return f.copysign(high + (t + low), x)


def atan2(f, y, x):
    a, b = f.abs(y), f.abs(x)
    # a common scale keeps the sums below from overflow and the ratio of denormals exact
    big = f.gt(f.fmax(a, b), 2.0 ** 1000)
    small = f.lt(f.fmax(a, b), 2.0 ** -900)
    scale = f.select(big, 2.0 ** -60, f.select(small, f.constant(x.type, 2.0 ** 100), 1.0))
    both = f.eq(a, math.inf) & f.eq(b, math.inf)
    a, b = (f.select(both, 1.0, v * scale) for v in (a, b))
    zero = f.eq(a, 0.0)
    b = f.select(zero & f.eq(b, 0.0), 1.0, b)
    high, t, low = _atan_of_ratio(f, a, b)
    left = f.lt(f.copysign(f.constant(x.type, 1.0), x), 0.0)
    plain = high + (t + low)
    turned = (2 * PI_2 - high) - (t + (low - 2 * PI_2_LOW))
    result = f.copysign(f.select(left, turned, plain), y)
    return f.select(f.isnan(x) | f.isnan(y), x + y, result)
