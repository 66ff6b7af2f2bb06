"""What each random operation checks and draws: dtypes and NumPy arrays, no tensors.

Between `runtime.random_streams`, which knows the streams, and `ops.random`, which makes tensors of
them. A sampler is called with the generator, the shape in memory order, the dtype and whether the
memory is contiguous (PyTorch's normal kernel draws differently where it is not).
"""

from __future__ import annotations

import math
import warnings

import numpy as np

from ..dtypes import bfloat16, dtype, finfo, iinfo

__all__ = ["SAMPLERS", "binomial", "multinomial", "normal", "permutation", "poisson"]

_DIGITS = {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}
_LOWEST, _HIGHEST = -(2**63), 2**63 - 1


def _not_implemented(kernel: str, d: dtype, wanted: str = "a floating-point dtype"):
    return NotImplementedError(
        f"\"{kernel}\" not implemented for '{d.legacy_name}': expected {wanted}, "
        f"received torch.{d.name}"
    )


def _as_complex(real: np.ndarray, d: dtype, shape) -> np.ndarray:
    return real.view(d.storage).reshape(shape)


# Continuous


def uniform(state, shape, d: dtype, contiguous: bool, low: float = 0.0, high: float = 1.0):
    if d.is_complex:
        pairs = uniform(state, (*shape, 2), d.to_real(), contiguous, low, high)
        return _as_complex(pairs, d, shape)
    if not d.is_floating_point:
        raise _not_implemented("check_uniform_bounds", d)
    limit = finfo(d).max
    for name, bound in (("from", low), ("to", high)):
        if not -limit <= bound <= limit:
            raise RuntimeError(f"{name} is out of bounds for {d.cpp_name}")
    if not low <= high:
        raise RuntimeError(
            f"uniform_ expects to return a [from, to) range, but found from={low:g} > to={high:g}"
        )
    if not high - low <= limit:
        raise RuntimeError(
            f"uniform_ expects to-from <= std::numeric_limits<{d.legacy_name}>::max(), but found "
            f"to={high:g} and from={low:g} which result in to-from to exceed the limit"
        )
    return state.uniform(shape, float(low), float(high), d.name)


def normal(state, shape, d: dtype, contiguous: bool, mean: float = 0.0, std: float = 1.0):
    if not std >= 0.0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std:g}")
    if d.is_complex:
        # The variance is split between the real and the imaginary part.
        std = std / math.sqrt(2)
        pairs = state.normal((*shape, 2), float(mean), std, d.to_real().name, contiguous)
        return _as_complex(pairs, d, shape)
    if not d.is_floating_point:
        raise _not_implemented("normal_kernel_cpu", d)
    return state.normal(shape, float(mean), float(std), d.name, contiguous)


def log_normal(state, shape, d: dtype, contiguous: bool, mean: float = 1.0, std: float = 2.0):
    if not std > 0.0:
        raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={std:g}")
    if not d.is_floating_point:
        raise _not_implemented("log_normal_cpu", d)
    return state.log_normal(shape, float(mean), float(std), d.name)


def exponential(state, shape, d: dtype, contiguous: bool, lambd: float = 1.0):
    if not lambd > 0.0:
        raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={lambd:g}")
    if not d.is_floating_point:
        raise RuntimeError(
            "Exponential distribution is a continuous probability distribution. dtype must be a "
            f"floating point but you specified {d.legacy_name}"
        )
    return state.exponential(shape, float(lambd), d.name)


def cauchy(state, shape, d: dtype, contiguous: bool, median: float = 0.0, sigma: float = 1.0):
    if not sigma > 0.0:
        raise RuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma:g}")
    if not d.is_floating_point:
        raise RuntimeError(
            "Cauchy distribution is a continuous probability distribution. dtype must be a "
            f"floating point but you specified {d.cpp_name}"
        )
    return state.cauchy(shape, float(median), float(sigma), d.name)


# Discrete


def geometric(state, shape, d: dtype, contiguous: bool, p: float):
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p:g}")
    if d.is_complex or d.name == "bool":
        raise _not_implemented("geometric_cpu", d, "a real dtype other than bool")
    return state.geometric(shape, float(p), d.name)


def bernoulli(state, shape, d: dtype, contiguous: bool, p: float = 0.5):
    if not 0 <= p <= 1:
        raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={p:g}")
    if d.is_complex:
        raise _not_implemented("bernoulli_scalar_cpu_", d, "a real dtype")
    return state.bernoulli(shape, float(p), d.name)


def bernoulli_each(state, p: np.ndarray, p_dtype: dtype, d: dtype) -> np.ndarray:
    """0 or 1 in dtype `d` for each probability of `p` (in the compute type of `p_dtype`)."""
    if d.is_complex:
        raise _not_implemented("bernoulli_tensor_cpu_self_", d, "a real dtype")
    if not p_dtype.is_floating_point:
        raise _not_implemented("bernoulli_tensor_cpu_p_", p_dtype)
    if not ((p >= 0) & (p <= 1)).all():
        raise RuntimeError(
            "Expected p_in >= 0 && p_in <= 1 to be true, but got false. The probabilities of "
            f"bernoulli must lie in [0, 1]; received values from {p.min():g} to {p.max():g}"
        )
    return state.bernoulli_each(p, d.name)


def _rounded(value: int, digits: int) -> int:
    """The integer that a float of `digits` binary digits holds when given `value`."""
    dropped = max(abs(value).bit_length() - digits, 0)
    if dropped == 0:
        return value
    kept, rest = divmod(abs(value), 1 << dropped)
    half = 1 << (dropped - 1)
    kept += rest > half or (rest == half and kept & 1)
    return (kept << dropped) * (1 if value > 0 else -1)


def _nearest_inside(bound: int, d: dtype, step: int) -> int:
    """`from` (step 1) or `to` (step -1), moved inwards to a value that the dtype can hold."""
    digits = _DIGITS[d.name]
    held = _rounded(bound + step, digits)
    if held < bound if step > 0 else held >= bound:
        spacing = max(abs(bound + step).bit_length() - digits, 0)
        bound = held + step * (1 << spacing)
    return bound


def random(state, shape, d: dtype, contiguous: bool, *bounds):
    """`random_()`, `random_(to)` and `random_(from, to)`; `to` may be None."""
    if not bounds:
        if d.is_complex:
            raise _not_implemented("random_kernel_cpu", d, "a real dtype")
        return state.random_any(shape, d.name)
    low, high = (0, bounds[0]) if len(bounds) == 1 else bounds
    for bound in (low, high):
        if bound is not None and not _LOWEST <= bound <= _HIGHEST:
            raise ValueError("Overflow when unpacking long long")
    if high is None and low == _LOWEST:
        if d.name not in ("int64", "float64", "float32", "bfloat16"):
            raise RuntimeError(
                "random_full_64_bits_range_kernel_cpu handles only int64, double, float and "
                "bfloat16"
            )
        return state.random_full(shape, d.name)
    if d.is_complex:
        raise RuntimeError(
            "check_random_bounds handles only integral, floating-point and boolean types"
        )
    if high is not None:
        if not low < high:
            raise RuntimeError(
                "random_ expects 'from' to be less than 'to', but got "
                f"from={low} >= to={high}"
            )
        if d.is_floating_point:
            low, high = _nearest_inside(low, d, 1), _nearest_inside(high, d, -1)
            if not low < high:
                raise RuntimeError(
                    "random_ expects 'from' casted to dtype to be less than 'to' casted to "
                    f"dtype, but got from={low} >= to={high}"
                )
        last = high - 1
    elif d.is_floating_point:
        last = min(1 << _DIGITS[d.name], _HIGHEST)
        low = _nearest_inside(low, d, 1)
        if not low < last:
            raise RuntimeError(
                "random_ expects 'from' casted to dtype to be less than or equal to 'to_inc' "
                f"casted to dtype, but got from={low} > to_inc={last}"
            )
    else:
        last = 1 if d.name == "bool" else iinfo(d).max
    _check_range(low, last, d)
    return state.random_range(shape, low, last - low + 1, d.name)


def _check_range(low: int, last: int, d: dtype) -> None:
    name = d.cpp_name
    if d.is_floating_point:
        least, most = -finfo(d).max, finfo(d).max
    elif d.name == "bool":
        least, most = 0, 1
    else:
        least, most = iinfo(d).min, iinfo(d).max
    for label, bound in (("from", low), ("to - 1", last)):
        if not least <= bound <= most:
            raise RuntimeError(f"{label} is out of bounds for {name}")
    if d.is_floating_point:
        digits = _DIGITS[d.name]
        for label, bound in (("from", low), ("to - 1", last)):
            if abs(bound) > 1 << digits:
                warnings.warn(
                    f"{label} is out of bounds [-(2^{digits}), 2^{digits}]. Due to precision "
                    f"limitations {name} can support discrete uniform distribution only within "
                    "this range.",
                    UserWarning,
                    stacklevel=5,
                )


def permutation(state, n: int, d: dtype) -> np.ndarray:
    if n < 0:
        raise RuntimeError(f"Trying to create tensor with negative dimension {n}: [{n}]")
    if d.is_complex or d.name == "bool":
        raise _not_implemented("randperm", d, "a real dtype other than bool")
    if d.is_floating_point:
        most = (1 << _DIGITS[d.name]) + 1
        if n > most:
            raise RuntimeError(f"n cannot be greater than {most} for {d.legacy_name} type.")
    elif n - 1 > iinfo(d).max:
        raise RuntimeError(
            f"value cannot be converted to type {d.name}_t without overflow: n is {n}"
        )
    return state.permutation(n, d.name)


# Samplers with a parameter an element


def poisson(state, rate: np.ndarray, d: dtype) -> np.ndarray:
    if not d.is_floating_point:
        raise _not_implemented("poisson_cpu", d)
    if not (rate >= 0).all():
        raise RuntimeError("invalid Poisson rate, expected rate to be non-negative")
    return state.poisson(rate, d.name)


def binomial(state, count: np.ndarray, p: np.ndarray, d: dtype) -> np.ndarray:
    if not d.is_floating_point:
        raise _not_implemented("binomial_cpu", d)
    count, p = np.broadcast_arrays(count, p)
    return state.binomial(count, p, d.name)


def multinomial(state, weights: np.ndarray, d: dtype, count: int, replacement: bool) -> np.ndarray:
    """Indices (rows, count) or (count,) for weights (rows, categories) or (categories,)."""
    if weights.ndim not in (1, 2):
        raise RuntimeError("prob_dist must be 1 or 2 dim")
    if not d.is_floating_point:
        raise RuntimeError(
            f"multinomial only supports floating-point dtypes for input, got: {d.legacy_name}"
        )
    if count <= 0:
        raise RuntimeError("cannot sample n_sample <= 0 samples")
    categories = weights.shape[-1]
    if not replacement and count > categories:
        raise RuntimeError(
            "cannot sample n_sample > prob_dist.size(-1) samples without replacement: asked for "
            f"{count} of {categories}"
        )
    if categories > 1 << 24:
        raise RuntimeError("number of categories cannot exceed 2^24")
    rows = weights.reshape(-1, categories) if weights.ndim == 2 else weights[None]
    shape = weights.shape[:-1] + (count,)
    if rows.shape[0] == 0:
        return np.empty(shape, np.int64)
    if count == 1 or not replacement:
        if not ((rows >= 0) & (rows < np.inf)).all():
            raise RuntimeError(
                "probability tensor contains either `inf`, `nan` or element < 0"
            )
    else:
        if (rows < 0).any():
            raise RuntimeError(
                "invalid multinomial distribution (encountering probability entry < 0)"
            )
        if not np.isfinite(rows).all():
            raise RuntimeError(
                "invalid multinomial distribution (encountering probability entry = infinity "
                "or NaN)"
            )
    if (rows.sum(-1) <= 0).any():
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
    if d is not bfloat16:
        rows = rows.astype(d.storage, copy=False)
    return state.multinomial(rows, count, replacement, d.name).reshape(shape)


SAMPLERS = {
    "bernoulli": bernoulli,
    "cauchy": cauchy,
    "exponential": exponential,
    "geometric": geometric,
    "log_normal": log_normal,
    "normal": normal,
    "random": random,
    "uniform": uniform,
}
