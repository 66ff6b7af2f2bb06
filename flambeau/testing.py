"""``torch.testing``: comparisons of tensors with explained failures."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from . import dtypes
from .tensor import Tensor

__all__ = ["assert_allclose", "assert_close", "make_tensor"]

# dtype: (rtol, atol) where none are given
_TOLERANCES: dict[dtypes.dtype | None, tuple[float, float]] = {
    dtypes.float16: (1e-3, 1e-5), dtypes.bfloat16: (1.6e-2, 1e-5), dtypes.float32: (1.3e-6, 1e-5),
    dtypes.float64: (1e-7, 1e-7), dtypes.complex64: (1.3e-6, 1e-5),
    dtypes.complex128: (1e-7, 1e-7)}


def assert_close(actual: Any, expected: Any, *, allow_subclasses=True, rtol=None, atol=None,
                 equal_nan=False, check_device=True, check_dtype=True, check_layout=True,
                 check_stride=False, msg=None) -> None:
    """Raise AssertionError unless |actual - expected| <= atol + rtol * |expected| everywhere.

    Args:
        actual, expected: tensors, arrays, numbers, or sequences and mappings of them.
        rtol, atol: tolerances; both or none (then by dtype).
        equal_nan: whether NaN equals NaN.
        check_dtype, check_device, check_layout, check_stride: what else must agree.
        msg: the message, or a function of the generated one.

    >>> import flambeau as torch
    >>> torch.testing.assert_close(torch.tensor(1.0), torch.tensor(1.0 + 1e-7))
    """
    if (rtol is None) != (atol is None):
        raise ValueError("Both 'rtol' and 'atol' must be either specified or omitted, but got no "
                         f"{'atol' if atol is None else 'rtol'}.")
    problem = _compare(actual, expected, "", dict(
        rtol=rtol, atol=atol, equal_nan=equal_nan, check_dtype=check_dtype,
        check_stride=check_stride, allow_subclasses=allow_subclasses))
    if problem is not None:
        raise AssertionError(msg(problem) if callable(msg) else msg or problem)


def assert_allclose(actual, expected, rtol=None, atol=None, equal_nan=True, msg="") -> None:
    """Deprecated: assert_close that compares values only."""
    warnings.warn("`torch.testing.assert_allclose()` is deprecated since 1.12 and will be removed "
                  "in a future release. Please use `torch.testing.assert_close()` instead.",
                  FutureWarning, stacklevel=2)
    assert_close(actual, expected, rtol=rtol, atol=atol, equal_nan=equal_nan, check_dtype=False,
                 msg=msg or None)


def _compare(actual, expected, where, options) -> str | None:
    suffix = f"\n\nThe failure occurred for item {where}" if where else ""
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        if set(actual) != set(expected):
            return ("The keys of the mappings do not match:\nMissing keys in the actual mapping: "
                    f"{sorted(set(expected) - set(actual))}\nAdditional keys in the actual "
                    f"mapping: {sorted(set(actual) - set(expected))}" + suffix)
        pairs = [(actual[k], expected[k], f"{where}[{k!r}]") for k in expected]
    elif _is_sequence(expected) and _is_sequence(actual):
        if len(actual) != len(expected):
            return (f"The length of the sequences mismatch: {len(actual)} != {len(expected)}"
                    + suffix)
        pairs = [(a, e, f"{where}[{i}]") for i, (a, e) in enumerate(zip(actual, expected))]
    else:
        problem = _compare_values(actual, expected, options)
        return None if problem is None else problem + suffix
    return next((p for p in (_compare(a, e, w, options) for a, e, w in pairs) if p), None)


def _is_sequence(x) -> bool:
    return isinstance(x, Sequence) and not isinstance(x, (str, bytes))


def _compare_values(actual, expected, options) -> str | None:
    if actual is None or expected is None:
        return None if actual is expected else f"{actual} is not {expected}"
    for x in (actual, expected):
        if not isinstance(x, (Tensor, np.ndarray, np.generic, bool, int, float, complex)):
            raise TypeError("No comparison pair was able to handle inputs of type "
                            f"{type(actual)} and {type(expected)}.")
    numbers = not isinstance(actual, Tensor) and not isinstance(expected, Tensor)
    a, a_dtype = _array(actual)
    e, e_dtype = _array(expected)
    name = "Scalars" if a.ndim == e.ndim == 0 else "Tensor-likes"
    if a.shape != e.shape:
        return (f"The values for attribute 'shape' do not match: {_size(a)} != {_size(e)}.")
    if options["check_dtype"] and a_dtype is not e_dtype and not numbers:
        return f"The values for attribute 'dtype' do not match: {a_dtype} != {e_dtype}."
    if options["check_stride"] and not numbers and actual.stride() != expected.stride():
        return (f"The values for attribute 'stride()' do not match: {actual.stride()} != "
                f"{expected.stride()}.")
    rtol, atol = options["rtol"], options["atol"]
    if rtol is None:
        both = [_TOLERANCES.get(d, (0.0, 0.0)) for d in (a_dtype, e_dtype)]
        rtol, atol = (max(pair) for pair in zip(*both))
    return _describe(a, e, rtol, atol, options["equal_nan"], name)


def _array(x) -> tuple[np.ndarray, dtypes.dtype | None]:
    if isinstance(x, Tensor):
        wide = x.detach()
        if x.dtype is dtypes.bfloat16:
            wide = wide.float()
        return wide.resolve_conj().numpy(), x.dtype
    array = np.asarray(x)
    try:
        return array, dtypes.dtype_from_numpy(array.dtype)
    except TypeError:
        return array, None


def _size(a: np.ndarray) -> str:
    return f"torch.Size({list(a.shape)})"


def _describe(a, e, rtol, atol, equal_nan, name) -> str | None:
    exact = a.dtype.kind in "biu" and e.dtype.kind in "biu"
    kind = np.int64 if exact else np.result_type(a, e)
    a, e = a.astype(kind), e.astype(kind)
    with np.errstate(all="ignore"):
        difference = np.abs(a - e)
        bad = ~((a == e) | (difference <= atol + rtol * np.abs(e)))
        if equal_nan:
            bad &= ~(np.isnan(a) & np.isnan(e))
        if not bad.any():
            return None
        relative = np.where(bad, difference / np.abs(e), 0)
        if relative.dtype.kind == "f" and not exact:
            relative = relative.astype(difference.dtype)
    equal = rtol == 0 and atol == 0
    if a.ndim == 0:
        allowed = "" if equal else f" (up to {atol} allowed)"
        allowed_relative = "" if equal else f" (up to {rtol} allowed)"
        return (f"{name} are not {'equal' if equal else 'close'}!\n\nExpected {e.item()} but got "
                f"{a.item()}.\nAbsolute difference: {difference.item()}{allowed}\n"
                f"Relative difference: {relative.item()}{allowed_relative}")
    count, total = int(bad.sum()), a.size
    masked = np.where(bad, difference, 0)
    at, at_relative = (tuple(int(i) for i in np.unravel_index(np.argmax(d), d.shape))
                       for d in (masked, relative))
    limits = ("", "") if equal else (f" (up to {atol} allowed)", f" (up to {rtol} allowed)")
    return (f"{name} are not {'equal' if equal else 'close'}!\n\n"
            f"Mismatched elements: {count} / {total} ({count / total:.1%})\n"
            f"Greatest absolute difference: {masked[at].item()} at index {at}{limits[0]}\n"
            f"Greatest relative difference: {relative[at_relative].item()} at index "
            f"{at_relative}{limits[1]}")


def make_tensor(*shape, dtype, device=None, low=None, high=None, requires_grad=False,
                noncontiguous=False, exclude_zero=False, memory_format=None) -> Tensor:
    """A tensor of uniform random numbers in [low, high)."""
    from .ops.random import rand, randint
    from .random import default_generator  # noqa: F401  (seeds as the other functions)
    if noncontiguous or memory_format is not None:
        raise NotImplementedError("make_tensor: noncontiguous and memory_format are not supported")
    if len(shape) == 1 and not isinstance(shape[0], int):
        shape = tuple(shape[0])
    if dtype is dtypes.bool_:
        return randint(0, 2, shape).to(dtype)
    if dtype.category == 1:
        low = (0 if dtype is dtypes.uint8 else -9) if low is None else int(low)
        made = randint(low, 10 if high is None else int(high), shape).to(dtype)
    else:
        low, high = -9 if low is None else low, 9 if high is None else high
        made = (rand(shape, dtype=dtypes.float64) * (high - low) + low).to(dtype)
        if dtype.is_complex:
            made = made + 1j * (rand(shape, dtype=dtypes.float64) * (high - low) + low).to(dtype)
    if exclude_zero:
        made = made.masked_fill(made == 0, 1)
    return made.requires_grad_(requires_grad)
