"""Arithmetic whose rounding matches PyTorch's compiled kernels.

The compiler contracts `a * b + c` to one fused operation there, so the product must not be rounded.
Used by `box_muller` and `generator_state`.
"""

from __future__ import annotations

import math

import numpy as np

__all__ = ["cast", "fma32", "fma64", "libm"]


def fma32(a, b, c) -> np.ndarray:
    """`a * b + c` rounded once to float32.

    The product of two float32 is exact in float64; rounding the sum twice differs from rounding it
    once about every 2**-29 times, by one unit in the last place.
    """
    total = np.multiply(a, b, dtype=np.float64)
    total += c
    return total.astype(np.float32)


def fma64(a: np.ndarray, b: float, c: float) -> np.ndarray:
    """`a * b + c` in float64 with an unrounded product (Dekker's product, Knuth's sum)."""
    product = a * b
    if c == 0.0 or b == 1.0 or not abs(b) < 1e140:  # exact anyway, or splitting would overflow
        return product + c
    a_high = a * 134217729.0
    a_high = a_high - (a_high - a)
    a_low = a - a_high
    b_high = b * 134217729.0
    b_high = b_high - (b_high - b)
    b_low = b - b_high
    error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    total = product + c
    shadow = total - product
    error += (product - (total - shadow)) + (c - shadow)
    return total + error


def libm(name: str, values: np.ndarray) -> np.ndarray:
    """`math.name` of each float64 value.

    PyTorch calls the C library here. NumPy's own vector functions differ from it by a unit in the
    last place once in a few hundred values; these do not, at 50 ns a value.
    """
    function = getattr(math, name)
    flat = values.reshape(-1)
    return np.fromiter(map(function, flat.tolist()), np.float64, flat.size).reshape(values.shape)


def cast(values: np.ndarray, dtype: str) -> np.ndarray:
    """`values` in the dtype named; "bfloat16" gives its bits as uint16.

    Half precision goes through float32 as in PyTorch, whose half types convert from float only.
    """
    if dtype == "bfloat16":
        bits = values.astype(np.float32).view(np.uint32)
        rounded = (bits + (np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1)))) >> 16
        is_nan = (bits & np.uint32(0x7FFFFFFF)) > np.uint32(0x7F800000)
        return np.where(is_nan, np.uint32(0x7FC0), rounded).astype(np.uint16)
    if dtype == "float16":
        with np.errstate(over="ignore"):
            return values.astype(np.float32).astype(np.float16)
    return values.astype(dtype, copy=False)
