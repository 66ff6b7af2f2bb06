"""How the fused kernels reduce: start values, steps, and the end over lanes and accumulators.

Every order of combination is fixed by the shapes and the vector width, never by threads.
"""

from __future__ import annotations

import math

from .. import dtypes
from .emitter import I64, vector
from .fused_operations import register_type

__all__ = ["Reducer"]

_COMBINE = {"reduce_sum": "add", "reduce_prod": "mul", "reduce_max": "maximum",
            "reduce_min": "minimum", "reduce_any": "or", "reduce_all": "and"}


class Reducer:
    """One reduction: an accumulator is a tuple of values (two for argmax and argmin)."""

    def __init__(self, f, kind, dtype):
        self.f, self.kind, self.dtype = f, kind, dtype
        self.with_index = kind in ("argmax", "argmin")
        self.type = register_type(dtype)
        self.greatest = kind in ("argmax", "reduce_max")

    def start(self, lanes):
        """The accumulator of nothing, in `lanes` lanes (0: scalar)."""
        f, type = self.f, vector(self.type, lanes)
        value = f.constant(type, self._identity())
        if not self.with_index:
            return (value,)
        return value, f.constant(vector(I64, lanes), (1 << 63) - 1)

    def _identity(self):
        kind = self.kind
        if kind == "reduce_sum" or kind == "reduce_any":
            return 0
        if kind == "reduce_prod" or kind == "reduce_all":
            return 1
        if self.dtype.category == 2:
            return -math.inf if self.greatest else math.inf
        if self.dtype is dtypes.bool_:
            return 0 if self.greatest else 1
        bits = self.type.bits
        if not self.dtype.is_signed:
            return 0 if self.greatest else (1 << bits) - 1
        return -(1 << (bits - 1)) if self.greatest else (1 << (bits - 1)) - 1

    def step(self, accumulator, item, mask=None):
        """The accumulator with one more item (a tuple like it); lanes outside mask do not count."""
        f = self.f
        if mask is not None:
            item = tuple(f.select(mask, v, s)
                         for v, s in zip(item, self.start(item[0].type.lanes)))
        return self.combine(accumulator, item)

    def combine(self, a, b):
        f = self.f
        if self.with_index:
            return self._pick(a, b)
        a, b = a[0], b[0]
        name = _COMBINE[self.kind]
        if self.dtype is dtypes.bool_ and name not in ("or", "and"):
            name = "or" if name in ("add", "maximum") else "and"
        if name in ("or", "and"):
            return (f.binary(name, a, b),)
        if name in ("maximum", "minimum") and self.dtype.category == 1 \
                and not self.dtype.is_signed:
            first = f.compare("ugt" if name == "maximum" else "ult", a, b)
            return (f.select(first, a, b),)
        return (getattr(f, name)(a, b),)

    def _pick(self, a, b):
        f = self.f
        (best, at), (value, here) = a, b
        if self.dtype.category == 2:
            ahead = f.gt(value, best) if self.greatest else f.lt(value, best)
            nan, known = f.isnan(value), f.isnan(best)
            ahead = ahead | (nan & ~known)
            equal = f.eq(value, best) | (nan & known)
        else:
            signed = self.dtype.is_signed and self.dtype is not dtypes.bool_
            predicate = ("s" if signed else "u") + ("gt" if self.greatest else "lt")
            ahead = f.compare(predicate, value, best)
            equal = f.eq(value, best)
        ahead = ahead | (equal & f.lt(here, at))
        return f.select(ahead, value, best), f.select(ahead, here, at)

    def fold(self, accumulator):
        """The accumulator of one lane from those of all lanes."""
        f = self.f
        lanes = accumulator[0].type.lanes
        while lanes > 1:
            half = lanes // 2
            low = tuple(f.shuffle(v, range(half)) for v in accumulator)
            high = tuple(f.shuffle(v, range(half, lanes)) for v in accumulator)
            accumulator = self.combine(low, high)
            lanes = half
        if accumulator[0].type.lanes:
            accumulator = tuple(f.extract(v, 0) for v in accumulator)
        return accumulator

    def result(self, accumulator):
        """What the reduction gives."""
        return accumulator[1] if self.with_index else accumulator[0]
