"""Samplers that draw as many words as it takes: Poisson, binomial and gamma.

Each element is a loop of its own, so these run in plain Python. `UniformReader` hands out the
samples one by one and, at the end, leaves the generator where PyTorch would have left it.

References: Hoermann, "The transformed rejection method for generating Poisson random variables"
(1993) and "The generation of binomial random variates" (1993); Marsaglia and Tsang, "A simple
method for generating gamma variables" (2000).
"""

from __future__ import annotations

import math

import numpy as np

from .mersenne_twister import MersenneTwister

__all__ = ["UniformReader", "binomial", "gamma", "poisson"]

_BLOCK = 256


class UniformReader:
    """Uniform float64 samples of a generator, one at a time, drawn in blocks."""

    def __init__(self, state: MersenneTwister):
        self._state = state

    def __enter__(self) -> UniformReader:
        self._block: list[float] = []
        self._place = _BLOCK
        self._before = None
        return self

    def __call__(self) -> float:
        if self._place == _BLOCK:
            self._before = self._state.get_state()
            self._block = self._state.doubles(_BLOCK).tolist()
            self._place = 0
        sample = self._block[self._place]
        self._place += 1
        return sample

    def __exit__(self, *exception) -> None:
        if self._before is not None:
            # Only the position in the stream goes back, not the waiting normal sample.
            waiting = self._state.next_normal
            self._state.set_state(self._before)
            self._state.next_normal = waiting
            self._state.words64(self._place)

    def normal(self) -> float:
        """A standard normal sample, from the pair that waits or a new one."""
        state = self._state
        waiting, state.next_normal = state.next_normal, None
        if waiting is not None:
            return waiting
        first, second = self(), self()
        radius = math.sqrt(-2.0 * math.log1p(-second))
        theta = 2.0 * math.pi * first
        state.next_normal = radius * math.sin(theta)
        return radius * math.cos(theta)


def poisson(rate: float, uniform: UniformReader) -> int:
    """A Poisson sample: products of uniforms below rate 10, transformed rejection above."""
    if rate == 0:
        return 0
    if rate < 10:
        bound, product, count = math.exp(-rate), 1.0, 0
        while True:
            product *= uniform()
            if product <= bound:
                return count
            count += 1
    log_rate = math.log(rate)
    b = 0.931 + 2.53 * math.sqrt(rate)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    v_r = 0.9277 - 3.6224 / (b - 2)
    while True:
        u = uniform() - 0.5
        v = uniform()
        us = 0.5 - abs(u)
        k = math.floor((2 * a / us + b) * u + rate + 0.43)
        if us >= 0.07 and v <= v_r:
            return k
        if k < 0 or (us < 0.013 and v > us):
            continue
        accept = math.log(v) + math.log(inverse_alpha) - math.log(a / (us * us) + b)
        if accept <= -rate + k * log_rate - math.lgamma(k + 1.0):
            return k


_STIRLING_TAIL = (
    0.0810614667953272,
    0.0413406959554092,
    0.0276779256849983,
    0.02079067210376509,
    0.0166446911898211,
    0.0138761288230707,
    0.0118967099458917,
    0.0104112652619720,
    0.00925546218271273,
    0.00833056343336287,
)


def _stirling_tail(k: float) -> float:
    if k < len(_STIRLING_TAIL):
        return _STIRLING_TAIL[int(k)]
    square = (k + 1) * (k + 1)
    return (1.0 / 12 - (1.0 / 360 - 1.0 / 1260 / square) / square) / (k + 1)


def _binomial_by_waiting_times(count, p, uniform: UniformReader) -> float:
    log_miss = float(type(p)(math.log1p(-float(p))))
    trials, successes = 0.0, 0
    while True:
        u = uniform()
        trials += math.ceil(math.log(u) / log_miss) if u > 0 else math.inf
        if trials > count:
            return successes
        successes += 1


def _binomial_by_rejection(count, p, uniform: UniformReader) -> float:
    one = type(p)(1)
    deviation = float(np.sqrt(count * p * (one - p)))
    r = float(p / (one - p))
    m = math.floor((count + one) * p)
    c = float(count * p) + 0.5
    count, p = float(count), float(p)
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * p
    v_r = 0.92 - 4.2 / b
    alpha = (2.83 + 5.1 / b) * deviation
    while True:
        u = uniform() - 0.5
        v = uniform()
        us = 0.5 - abs(u)
        k = math.floor((2 * a / us + b) * u + c)
        if k < 0 or k > count:
            continue
        if us >= 0.07 and v <= v_r:
            return k
        v = v * alpha / (a / (us * us) + b)
        bound = (
            (m + 0.5) * math.log((m + 1) / (r * (count - m + 1)))
            + (count + 1) * math.log((count - m + 1) / (count - k + 1))
            + (k + 0.5) * math.log(r * (count - k + 1) / (k + 1))
            + _stirling_tail(m)
            + _stirling_tail(count - m)
            - _stirling_tail(k)
            - _stirling_tail(count - k)
        )
        if (math.log(v) if v > 0 else -math.inf) <= bound:
            return k


def binomial(count, p, uniform: UniformReader) -> float:
    """The number of successes in `count` trials of probability p.

    Both are NumPy scalars of one dtype, in which the constants are computed, as PyTorch does.
    """
    one = type(p)(1)
    if np.isnan(p):
        return math.nan
    if count <= 0 or p <= 0:
        return 0.0
    if p >= 1:
        return float(count)
    smaller = p if p <= 0.5 else one - p
    by_rejection = count * smaller >= 10
    sample = _binomial_by_rejection if by_rejection else _binomial_by_waiting_times
    successes = sample(count, smaller, uniform)
    return float(successes if p <= 0.5 else count - successes)


def gamma(alpha, uniform: UniformReader) -> float:
    """A gamma sample of shape alpha (a NumPy scalar) and rate 1."""
    real = type(alpha)
    scale = 1.0
    if alpha < 1:
        if alpha == 0:
            return 0.0
        scale = math.pow(1 - uniform(), float(real(1) / alpha))
        alpha = alpha + real(1)
    d = float(alpha - real(np.float32(1) / np.float32(3)))
    c = 1.0 / math.sqrt(9.0 * d)
    squeeze = float(np.float32(0.0331))
    while True:
        y = 0.0
        while y <= 0:
            x = uniform.normal()
            y = 1.0 + c * x
        v = y * y * y
        u = 1 - uniform()
        xx = x * x
        if u < 1.0 - squeeze * xx * xx:
            return scale * d * v
        if math.log(u) < 0.5 * xx + d * (1.0 - v + math.log(v)):
            return scale * d * v
