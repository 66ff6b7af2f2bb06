"""Building blocks of the vector mathematics: polynomials, exact sums and products, 2^n, frexp.

Everything here works on float32 and float64, on scalars and on vectors of any width, and is emitted
without fast-math flags: these sequences depend on every rounding.
"""

import math
from typing import NamedTuple

from flambeau.codegen.types import F32, I8, I16, I32, float_bits
from flambeau.runtime import _cpu

__all__ = ["FORMATS", "constants", "exact_product", "exact_sum", "float_of_exponent",
           "polynomial", "round_to_int", "split_exponent", "times_power_of_two"]


class Format(NamedTuple):
    """A float format; adding `magic`, 1.5 * 2^mantissa, rounds to an integer."""

    mantissa: int
    bias: int
    magic: float
    smallest_normal: float
    one_bits: int
    # log(2) as a sum whose first part times any exponent is exact, even without fused arithmetic
    ln2_high: float
    ln2_low: float


FORMATS = {
    32: Format(23, 127, 1.5 * 2.0 ** 23, 2.0 ** -126, 0x3F800000,
               0.693359375, -2.1219444005469057e-04),
    64: Format(52, 1023, 1.5 * 2.0 ** 52, 2.0 ** -1022, 0x3FF0000000000000,
               0.6931471803691238, 1.9082149292705877e-10),
}


def constants(x):
    """The :class:`Format` of a value."""
    return FORMATS[x.type.bits]


def polynomial(f, x, coefficients):
    """c0 + c1 x + c2 x^2 + ... by Horner's rule."""
    result = f.constant(x.type, coefficients[-1])
    for c in reversed(coefficients[:-1]):
        result = f.fma(result, x, c)
    return result


def exact_sum(f, a, b):
    """(s, e) with s + e = a + b exactly, where |a| >= |b| or a is 0."""
    s = a + b
    return s, b - (s - a)


def exact_product(f, a, b):
    """(p, e) with p + e = a * b exactly; by Dekker's splitting where nothing is fused."""
    b = f.like(a, b)
    p = a * b
    if _cpu.has_fma():
        return p, f.fma(a, b, -p)
    factor = 2.0 ** (12 if a.type.element is F32 else 27) + 1

    def split(v):
        t = v * factor
        high = t - (t - v)
        return high, v - high

    (ah, al), (bh, bl) = split(a), split(b)
    return p, ((ah * bh - p) + ah * bl + al * bh) + al * bl


def round_to_int(f, x):
    """(n as float, n as integer lanes) of the integer nearest to x, for |x| < 2^21."""
    k = constants(x)
    integers = float_bits(x.type)
    shifted = x + k.magic
    bits = f.bitcast(shifted, integers)
    return shifted - k.magic, bits - _bits_of(k.magic, x.type.bits)


def _bits_of(number, bits):
    fraction, exponent = math.frexp(number)
    form = FORMATS[bits]
    mantissa = int(math.ldexp(fraction, form.mantissa + 1)) - (1 << form.mantissa)
    return ((exponent - 1 + form.bias) << form.mantissa) + mantissa


def times_power_of_two(f, x, n, whole=None):
    """x * 2^n for integer lanes n, in two steps, so that n may leave the range of exponents.

    `whole` is n as floats, where the caller has it: AVX-512 multiplies by 2^whole in one
    instruction instead of eight.
    """
    if whole is not None and _cpu.has_scaling() and x.type.lanes and (
            x.type.lanes * x.type.bits % 512 == 0):
        return _scaled(f, x, whole)
    k = constants(x)
    half = n >> 1

    def power(e):
        return f.bitcast((e + k.bias) << k.mantissa, x.type)

    return x * power(half) * power(n - half)


def _scaled(f, x, whole):
    """x * 2^whole by the instruction that AVX-512 has for it, 512 bits at a time."""
    lanes = 512 // x.type.bits
    if x.type.lanes > lanes:
        half = x.type.lanes // 2
        low, high = (_scaled(f, f.shuffle(x, part), f.shuffle(whole, part))
                     for part in (range(half), range(half, 2 * half)))
        return f.concatenate(low, high)
    kind, mask = ("s", I16) if x.type.element is F32 else ("d", I8)
    everywhere, as_rounded = f.constant(mask, -1), f.constant(I32, 4)
    return f.call(f"llvm.x86.avx512.mask.scalef.p{kind}.512", x.type,
                  [x, whole, x, everywhere, as_rounded])


def float_of_exponent(f, n, type):
    """Integer lanes, small in magnitude, as float; without the slow 64-bit conversion of AVX2."""
    k = FORMATS[type.bits]
    return f.bitcast(n + _bits_of(k.magic, type.bits), type) - k.magic


def split_exponent(f, x):
    """(n as float, m) with x = m * 2^n and m in [sqrt(1/2), sqrt(2)), for finite x > 0."""
    k = constants(x)
    tiny = f.lt(x, k.smallest_normal)
    grown = f.select(tiny, x * 2.0 ** (k.mantissa + 2), x)
    bits = f.bitcast(grown, float_bits(x.type))
    root = _bits_of(math.sqrt(0.5), 32 if x.type.bits == 32 else 64)
    n = (bits - root) >> k.mantissa
    m = f.bitcast(bits - (n << k.mantissa), x.type)
    n = float_of_exponent(f, n, x.type)
    return f.select(tiny, n - float(k.mantissa + 2), n), m
