"""The distributions of PyTorch's CPU generator, drawn in its order and with its rounding.

Each method takes a number of elements or a shape and a dtype name, and returns a NumPy array; the
k-th element is what PyTorch writes into the k-th place of memory. `flambeau.random` wraps them.
"""

from __future__ import annotations

import math

import numpy as np

from . import box_muller, rejection
from .mersenne_twister import MersenneTwister
from .rounding import cast, fma32, fma64, libm

__all__ = ["GeneratorState"]

_CHUNK = 16384  # elements at a time, so that words and intermediates stay in the L2 cache
_DIGITS = {"float64": 53, "float32": 24, "float16": 11, "bfloat16": 8}
_LONG_RANGE = 1 << 28  # from here on 64-bit words are drawn, so that % hardly skews
_LONG_PERMUTATION = 0xFFFFFFFF // 20


def _storage(dtype: str) -> np.dtype:
    return np.dtype("uint16" if dtype == "bfloat16" else dtype)


def _count(shape) -> int:
    return shape if isinstance(shape, int) else math.prod(shape)


class GeneratorState(MersenneTwister):
    """A generator whose draws equal those of `torch.Generator()` on the CPU, seed by seed.

    >>> from flambeau.runtime.random_streams import GeneratorState
    >>> GeneratorState(0).uniform(2).tolist()
    [0.49625658988952637, 0.7682217955589294]
    """

    def _fill(self, shape, dtype: str, draw) -> np.ndarray:
        """An array of `shape` from `draw(count)`, called for one chunk after another."""
        count = _count(shape)
        if count <= _CHUNK:
            return cast(draw(count), dtype).reshape(shape)
        samples = np.empty(count, _storage(dtype))
        for start in range(0, count, _CHUNK):
            stop = min(start + _CHUNK, count)
            samples[start:stop] = cast(draw(stop - start), dtype)
        return samples.reshape(shape)

    # Continuous

    def uniform(
        self, shape, low: float = 0.0, high: float = 1.0, dtype: str = "float32"
    ) -> np.ndarray:
        """Uniform samples on [low, high)."""
        unit = low == 0.0 and high == 1.0
        first, span = np.float32(low), np.float32(high) - np.float32(low)
        if dtype == "float64":
            draw = self.doubles if unit else (
                lambda count: fma64(self.doubles(count), high - low, low)
            )
        else:
            draw = self.floats if unit else (
                lambda count: fma32(self.floats(count), span, first)
            )
        count = _count(shape)
        if dtype != "float64" and self._is_hot(count, 3):
            end = high if dtype == "float32" else math.nan
            samples = np.empty(shape, np.float32)
            self._run("random_uniform", samples, count, first, span, end)
            if dtype == "float32":
                return samples
            samples = cast(samples, dtype)
        else:
            samples = self._fill(shape, dtype, draw)
            if unit and _DIGITS[dtype] >= 24:
                return samples
        # Rounding may reach `high`, which is outside: PyTorch puts `low` there.
        ends = cast(np.array([low, high]), dtype)
        outside = samples == ends[1]
        if outside.any():
            samples[outside] = ends[0]
        return samples

    def normal(
        self,
        shape,
        mean: float = 0.0,
        std: float = 1.0,
        dtype: str = "float32",
        contiguous: bool = True,
    ) -> np.ndarray:
        """Normal samples; a contiguous tensor of 16 elements or more is drawn in blocks of 16."""
        count = _count(shape)
        if count < box_muller.BLOCK or not contiguous:
            return cast(self._normal_pairs(count, mean, std, dtype), dtype).reshape(shape)
        blocks, draw = box_muller.float32_blocks, self.floats
        if dtype == "float64":
            blocks, draw = box_muller.float64_blocks, self.doubles
        whole = count - count % box_muller.BLOCK
        if dtype != "float64" and self._is_hot(count, 10) and self._has_native_normal():
            samples = np.empty(count, np.float32)
            self._run("random_normal", samples, whole, mean, std)
            samples = cast(samples, dtype)
        else:
            samples = np.empty(count, _storage(dtype))
            for start in range(0, whole, _CHUNK):
                stop = min(start + _CHUNK, whole)
                samples[start:stop] = cast(blocks(draw(stop - start), mean, std), dtype)
        if whole < count:
            # The last 16 elements are drawn anew. The full-precision kernels have by then drawn
            # words for the remainder too.
            if dtype in ("float32", "float64"):
                draw(count - whole)
            samples[-box_muller.BLOCK :] = cast(blocks(draw(box_muller.BLOCK), mean, std), dtype)
        return samples.reshape(shape)

    @staticmethod
    def _has_native_normal() -> bool:
        """Processors without fused multiply-add would round differently."""
        from . import native

        return "random_normal" in native.functions()

    def _normal_pairs(
        self, count: int, mean: float, std: float, dtype: str = "float64"
    ) -> np.ndarray:
        """`count` float64 normal samples, two from a pair of words, an odd one kept for later."""
        exact = dtype == "float64" or count < 64
        function = libm if exact else lambda name, values: getattr(np, name)(values)
        standard = np.empty(count, np.float64)
        start = 0
        if count and self.next_normal is not None:
            standard[0], self.next_normal, start = self.next_normal, None, 1
        while start < count:
            pairs = min(_CHUNK, count - start + 1) // 2
            uniform = self.doubles(2 * pairs)
            radius = np.sqrt(-2.0 * function("log1p", -uniform[1::2]))
            theta = 2.0 * math.pi * uniform[0::2]
            both = np.empty(2 * pairs, np.float64)
            np.multiply(radius, function("cos", theta), out=both[0::2])
            np.multiply(radius, function("sin", theta), out=both[1::2])
            taken = min(2 * pairs, count - start)
            standard[start : start + taken] = both[:taken]
            if taken < 2 * pairs:
                self.next_normal = float(both[-1])
            start += taken
        return fma64(standard, std, mean)

    def log_normal(
        self, shape, mean: float = 1.0, std: float = 2.0, dtype: str = "float32"
    ) -> np.ndarray:
        """Samples whose logarithm is normal."""
        normal = self._normal_pairs(_count(shape), mean, std, dtype)
        with np.errstate(over="ignore"):
            samples = libm("exp", normal) if dtype == "float64" else np.exp(normal)
            return cast(samples, dtype).reshape(shape)

    def exponential(self, shape, rate: float = 1.0, dtype: str = "float32") -> np.ndarray:
        """Exponential samples of mean 1 / rate."""
        scale = -1.0 / rate
        if dtype == "float64":
            draw = lambda count: scale * libm("log1p", -self.doubles(count))
        else:
            draw = lambda count: scale * np.log1p(-self.doubles(count))
        return self._fill(shape, dtype, draw)

    def cauchy(
        self, shape, median: float = 0.0, sigma: float = 1.0, dtype: str = "float32"
    ) -> np.ndarray:
        """Cauchy samples."""

        def draw(count):
            angle = math.pi * (self.doubles(count) - 0.5)
            tangent = libm("tan", angle) if dtype == "float64" else np.tan(angle)
            return fma64(tangent, sigma, median)

        return self._fill(shape, dtype, draw)

    # Discrete

    def geometric(self, shape, p: float, dtype: str = "float32") -> np.ndarray:
        """Numbers of trials up to the first success."""
        scale = math.log1p(-p)

        def draw(count):
            with np.errstate(divide="ignore"):
                return np.ceil(np.log(self.doubles(count)) / scale)

        return self._fill(shape, dtype, draw)

    def bernoulli(self, shape, p: float, dtype: str = "float32") -> np.ndarray:
        """1 with probability p, else 0; one 64-bit word an element."""
        # u < p for u = k / 2**53 is k < p * 2**53; the shift drops the 11 bits not used.
        bound = math.ceil(math.ldexp(p, 53))
        limit = np.uint64(min(bound << 11, 0xFFFFFFFFFFFFFFFF))
        count = _count(shape)
        if bound < 1 << 53 and self._is_hot(count, 2):
            if dtype == "float32":
                mask = self._run("random_mask", np.empty(shape, dtype), count, bound << 11, 1.0)
            else:
                mask = cast(
                    self._run("random_bits", np.empty(shape, bool), count, bound << 11), dtype
                )
            return mask

        def draw(count):
            words = self.words64(count)
            if bound >= 1 << 53:
                return np.ones(count, bool)
            words <<= np.uint64(11)
            return words < limit

        return self._fill(shape, dtype, draw)

    def bernoulli_each(self, p: np.ndarray, dtype: str = "float32") -> np.ndarray:
        """1 with the probability at the same place of `p`, whose dtype chooses the word size."""
        if p.dtype == np.float64:
            hits = self.doubles(p.size).reshape(p.shape) < p
        else:
            hits = self.floats(p.size).reshape(p.shape) < p.astype(np.float32)
        return cast(hits, dtype)

    def random_range(self, shape, low: int, span: int, dtype: str = "int64") -> np.ndarray:
        """Integers in [low, low + span), as `random_(from, to)` and `randint` draw them."""

        def draw(count):
            if span >= _LONG_RANGE:
                words = self.words64(count)
                words %= np.uint64(span)
            else:
                words = self.words(count)
                words %= np.uint32(span)
            return words.astype(np.int64) + np.int64(low)

        return self._fill(shape, dtype, draw)

    def random_any(self, shape, dtype: str = "int64") -> np.ndarray:
        """`random_()`: the non-negative integers of the dtype, or those a float holds exactly."""
        wide = dtype in ("int64", "float64")
        if dtype == "bool":
            span = 2
        elif dtype in _DIGITS:
            span = (1 << _DIGITS[dtype]) + 1
        else:
            span = int(np.iinfo(dtype).max) + 1

        def draw(count):
            if wide:
                return self.words64(count) % np.uint64(span)
            return self.words(count) % np.uint32(span)

        return self._fill(shape, dtype, draw)

    def random_full(self, shape, dtype: str = "int64") -> np.ndarray:
        """`random_(-2**63, None)`: all 64-bit integers."""
        return self._fill(shape, dtype, lambda count: self.words64(count).view(np.int64))

    def permutation(self, n: int, dtype: str = "int64") -> np.ndarray:
        """A random order of 0 to n - 1 by Fisher and Yates' shuffle."""
        if n >= _LONG_PERMUTATION:
            return self._long_permutation(n, dtype)
        if self._is_hot(n, 16):
            order = np.empty(n, np.int64)
            from . import native

            words = self.words(n - 1)
            native.functions()["random_shuffle"](order.ctypes.data, words.ctypes.data, n)
            return cast(order, dtype)
        order = list(range(n))
        if n > 1:
            left = np.arange(n, 1, -1, dtype=np.uint32)
            target = self.words(n - 1)
            target %= left
            target += np.arange(n - 1, dtype=np.uint32)
            for i, j in enumerate(target.tolist()):
                order[i], order[j] = order[j], order[i]
        return cast(np.array(order, np.int64), dtype)

    def _long_permutation(self, n: int, dtype: str) -> np.ndarray:
        """The "inside-out" shuffle, for lengths near the number of 32-bit words."""
        order = np.empty(n, np.int64)
        for start in range(0, n, _CHUNK):
            stop = min(start + _CHUNK, n)
            targets = self.words64(stop - start) % np.arange(start + 1, stop + 1, dtype=np.uint64)
            for i, j in zip(range(start, stop), targets.tolist()):
                order[i] = i
                order[i] = order[j]
                order[j] = i
        return cast(order, dtype)

    def poisson(self, rate: np.ndarray, dtype: str = "float32") -> np.ndarray:
        """A Poisson sample for each rate."""
        with rejection.UniformReader(self) as uniform:
            samples = [rejection.poisson(r, uniform) for r in rate.reshape(-1).tolist()]
        return cast(np.array(samples, np.int64), dtype).reshape(rate.shape)

    def binomial(self, count: np.ndarray, p: np.ndarray, dtype: str = "float32") -> np.ndarray:
        """The successes among `count` trials of probability `p`, for two arrays of one shape."""
        trials = zip(count.reshape(-1), p.reshape(-1))
        with rejection.UniformReader(self) as uniform:
            samples = [rejection.binomial(n, chance, uniform) for n, chance in trials]
        return cast(np.array(samples, np.float64), dtype).reshape(count.shape)

    def gamma(self, alpha: np.ndarray, dtype: str = "float32") -> np.ndarray:
        """A sample of the gamma distribution of rate 1 for each shape parameter of `alpha`."""
        with rejection.UniformReader(self) as uniform:
            samples = [rejection.gamma(a, uniform) for a in alpha.reshape(-1)]
        smallest = np.finfo(dtype).tiny
        return np.maximum(cast(np.array(samples), dtype), smallest).reshape(alpha.shape)

    # Sampling by weight, dropout

    def multinomial(self, weights: np.ndarray, count: int, replacement: bool, dtype: str):
        """`count` categories for each row of `weights` (rows, categories), as int64.

        `dtype` is the name of the dtype of the weights (bfloat16 arrives here as float32).
        """
        if count == 1 or not replacement:
            # The Gumbel trick: the largest of p / q, q exponential.
            q = self.exponential(weights.shape, 1.0, dtype)
            if dtype == "bfloat16":
                q = (q.astype(np.uint32) << 16).view(np.float32)
            with np.errstate(divide="ignore", invalid="ignore"):
                keys = weights / q
            if dtype == "bfloat16":
                keys = (cast(keys, dtype).astype(np.uint32) << 16).view(np.float32)
            if count == 1:
                return np.argmax(keys, -1, keepdims=True)
            return np.argsort(-keys, -1, kind="stable")[..., :count]
        if dtype in ("float16", "bfloat16"):
            weights = weights.astype(np.float32)
        result = np.empty((weights.shape[0], count), np.int64)
        for row, chosen in zip(weights, result):
            cumulative = np.cumsum(row, dtype=row.dtype)
            cumulative /= cumulative[-1]
            cumulative[-1] = 1
            uniform = self.doubles(count)
            chosen[:] = np.searchsorted(cumulative.astype(np.float64), uniform, "left")
        return result

    def dropout_mask(self, shape, p: float, dtype: str = "float32") -> np.ndarray:
        """The factors of `dropout(p)`, 0 < p < 1: 1 / (1 - p) where an element is kept, else 0."""
        keep = 1.0 - p
        if dtype == "float32":
            bound = math.ceil(math.ldexp(keep, 53))
            if self._is_hot(_count(shape), 2) and bound < 1 << 53:
                kept = np.float32(1) / np.float32(keep)
                mask = np.empty(shape, dtype)
                return self._run("random_mask", mask, mask.size, bound << 11, kept)
            mask = self.bernoulli(shape, keep, "bool")
            return mask * (np.float32(1) / np.float32(keep))
        if dtype == "float64":
            return self.bernoulli(shape, keep, "bool") * (1.0 / keep)
        kept = cast(np.float32(1) / np.array([keep], np.float32), dtype)[0]
        return self.bernoulli(shape, keep, "bool") * kept
