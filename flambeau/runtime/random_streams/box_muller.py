"""Normal samples in blocks of 16: eight radii from the first half, eight angles from the second.

PyTorch's kernel for contiguous tensors of at least 16 elements. float32 uses the polynomials of
Cephes (Moshier, as rewritten for vector registers by Pommier and Garberoglio) with fused
multiply-adds; float64 uses the C library. Used by `generator_state.GeneratorState.normal`.

Reference: Box and Muller, "A note on the generation of random normal deviates" (1958).
"""

from __future__ import annotations

import math

import numpy as np

from .rounding import fma32, fma64, libm

__all__ = [
    "BLOCK", "COSINE", "LOG", "MINUS_QUARTER_PI", "SINE", "float32_blocks", "float64_blocks",
]

BLOCK = 16

_f4 = np.float32
LOG = [
    _f4(c)
    for c in (
        7.0376836292e-2,
        -1.1514610310e-1,
        1.1676998740e-1,
        -1.2420140846e-1,
        1.4249322787e-1,
        -1.6668057665e-1,
        2.0000714765e-1,
        -2.4999993993e-1,
        3.3333331174e-1,
    )
]
COSINE = [_f4(c) for c in (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)]
SINE = [_f4(c) for c in (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)]
MINUS_QUARTER_PI = [
    _f4(c) for c in (-0.78515625, -2.4187564849853515625e-4, -3.77489497744594108e-8)
]


def _polynomial(coefficients, x: np.ndarray) -> np.ndarray:
    """Horner's scheme in float32 with fused multiply-adds."""
    wide = x.astype(np.float64)
    value = coefficients[0]
    for coefficient in coefficients[1:]:
        total = wide * value
        total += coefficient
        value = total.astype(_f4)
    return value


def _log(x: np.ndarray) -> np.ndarray:
    """Natural logarithm of positive normal float32 values."""
    bits = x.view(np.int32)
    exponent = (bits >> 23) - 126
    mantissa = ((bits & 0x007FFFFF) | 0x3F000000).view(_f4)  # in [0.5, 1)
    small = mantissa < _f4(0.707106781186547524)
    exponent -= small
    e = exponent.astype(_f4)
    r = mantissa - _f4(1)
    np.add(r, mantissa, out=r, where=small)
    z = r * r
    y = _polynomial(LOG, r)
    y *= r
    y = fma32(y, z, e * _f4(-2.12194440e-4))
    y = fma32(z, _f4(-0.5), y)
    r += y
    return fma32(e, _f4(0.693359375), r)


def _sine_and_cosine(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """sin(x) and cos(x) of float32 angles in [0, 2 pi)."""
    octant = (x * _f4(1.27323954473516)).astype(np.int32)
    octant += 1
    octant &= ~1
    y = octant.astype(_f4)
    for part in MINUS_QUARTER_PI:
        x = fma32(y, part, x)
    z = x * x
    cosine = _polynomial(COSINE, z)
    cosine *= z
    cosine = fma32(cosine, z, z * _f4(-0.5))
    cosine += _f4(1)
    sine = _polynomial(SINE, z)
    sine *= z
    sine = fma32(sine, x, x)
    straight = (octant & 2) == 0
    # The sign bits: sine is negative in octants 4 to 7, cosine in 2 to 5.
    sine_sign = (octant & 4) << 29
    cosine_sign = (~(octant - 2) & 4) << 29
    in_sine = np.where(straight, sine, cosine).view(np.int32)
    in_cosine = np.where(straight, cosine, sine).view(np.int32)
    in_sine ^= sine_sign
    in_cosine ^= cosine_sign
    return in_sine.view(_f4), in_cosine.view(_f4)


def float32_blocks(uniform: np.ndarray, mean: float, std: float) -> np.ndarray:
    """Normal samples from uniform float32 samples, whose number is a multiple of 16."""
    halves = uniform.reshape(-1, 2, BLOCK // 2)
    radius = _log(_f4(1) - halves[:, 0])
    radius *= _f4(-2)
    np.sqrt(radius, out=radius)
    sine, cosine = _sine_and_cosine(halves[:, 1] * _f4(2 * math.pi))
    samples = np.empty(halves.shape, _f4)
    mean, std = _f4(mean), _f4(std)
    for half, direction in enumerate((cosine, sine)):
        direction *= radius
        if mean == 0:
            direction *= std
            np.add(direction, mean, out=samples[:, half])  # makes -0 a 0, as the fused form does
        else:
            samples[:, half] = fma32(direction, std, mean)
    return samples.reshape(-1)


def float64_blocks(uniform: np.ndarray, mean: float, std: float) -> np.ndarray:
    """Normal samples from uniform float64 samples, whose number is a multiple of 16."""
    halves = uniform.reshape(-1, 2, BLOCK // 2)
    radius = np.sqrt(-2.0 * libm("log", 1.0 - halves[:, 0]))
    theta = 2.0 * math.pi * halves[:, 1]
    samples = np.empty(halves.shape, np.float64)
    samples[:, 0] = fma64(radius * libm("cos", theta), std, mean)
    samples[:, 1] = fma64(radius * libm("sin", theta), std, mean)
    return samples.reshape(-1)
