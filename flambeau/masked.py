"""torch.masked: reductions and normalisations of the elements that a mask keeps."""

from __future__ import annotations

import math

from . import dtypes
from .ops.declare import DECLARED as _DECLARED

__all__ = ["amax", "amin", "argmax", "argmin", "cumprod", "cumsum", "log_softmax", "logaddexp",
           "logsumexp", "mean", "median", "norm", "normalize", "prod", "softmax", "softmin", "std",
           "sum", "var"]


def _f(name: str):
    return _DECLARED[name].function


def _kept(input, mask, fill):
    """`input` with `fill` where the mask does not hold."""
    if mask is None:
        return input
    if mask.ndim > input.ndim:
        raise IndexError("_input_mask expected mask dimensionality to be less than or equal to "
                         f"that of the input, got {mask.ndim} and {input.ndim}")
    mask = mask.bool() if mask.dtype is not dtypes.bool_ else mask
    return _f("where")(mask.broadcast_to(tuple(input.shape)), input, fill)


def _extreme_of(dtype, highest: bool):
    if dtype.category == 2:
        return math.inf if highest else -math.inf
    limits = dtypes.iinfo(dtype)
    return limits.max if highest else limits.min


def _typed(input, dtype):
    return input if dtype is None else input.to(dtype)


def _dims(dim):
    return dim if dim is None or isinstance(dim, int) else tuple(dim)


def sum(input, dim=None, *, keepdim=False, dtype=None, mask=None):
    """The sum of the elements that the mask keeps."""
    return _f("sum")(_kept(_typed(input, dtype), mask, 0), _dims(dim), keepdim)


def prod(input, dim=None, *, keepdim=False, dtype=None, mask=None):
    """The product of the elements that the mask keeps."""
    x = _kept(_typed(input, dtype), mask, 1)
    if x.dtype.category < 2:
        x = x.long()
    dims = range(x.ndim) if dim is None else (dim,) if isinstance(dim, int) else dim
    for d in sorted((d % max(1, x.ndim) for d in dims), reverse=True):
        x = _f("prod")(x, d, True)
    return x if keepdim else x.squeeze(tuple(d % max(1, x.ndim) for d in dims)) if x.ndim else x


def _extreme(name: str, highest: bool):
    def function(input, dim=None, *, keepdim=False, dtype=None, mask=None):
        x = _typed(input, dtype)
        found = _f(name)(_kept(x, mask, _extreme_of(x.dtype, highest)), _dims(dim), keepdim)
        return found.to(x.dtype)            # indices as well: PyTorch returns the input's type

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{name} of the elements that the mask keeps."
    return function


amax, amin = _extreme("amax", False), _extreme("amin", True)
argmax, argmin = _extreme("argmax", False), _extreme("argmin", True)


def _scan(name: str, fill: int):
    def function(input, dim, *, dtype=None, mask=None):
        return _f(name)(_kept(_typed(input, dtype), mask, fill), dim)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{name} with the elements that the mask drops counted as {fill}."
    return function


cumsum, cumprod = _scan("cumsum", 0), _scan("cumprod", 1)


def _count(input, dim, keepdim, mask):
    from .construct import ones
    held = ones(tuple(input.shape), dtype=dtypes.int64)
    return _f("sum")(_kept(held, mask, 0), _dims(dim), keepdim)


def mean(input, dim=None, *, keepdim=False, dtype=None, mask=None):
    """The mean of the elements that the mask keeps."""
    x = _typed(input, dtype)
    if x.dtype.category < 2:
        x = x.float()
    total = _f("sum")(_kept(x, mask, 0), _dims(dim), keepdim)
    return total / _count(input, dim, keepdim, mask)


def median(input, dim=-1, *, keepdim=False, dtype=None, mask=None):
    """The lower median of the elements that the mask keeps; NaN where it keeps none."""
    from .ops.composed import nanmedian
    x = _typed(input, dtype)
    return nanmedian(_kept(x.float() if x.dtype.category < 2 else x, mask, math.nan), dim,
                     keepdim)[0]


def norm(input, ord=2.0, dim=None, *, keepdim=False, dtype=None, mask=None):
    """The vector norm of the elements that the mask keeps."""
    x = _typed(input, dtype)
    fill = math.inf if ord == -math.inf else 0
    return _f("_private._norm")(_kept(x, mask, fill), float(ord), _dims(dim), keepdim, None)


def var(input, dim=None, unbiased=None, *, correction=None, keepdim=False, dtype=None, mask=None):
    """The variance of the elements that the mask keeps."""
    if correction is None:
        correction = 1 if unbiased is None or unbiased else 0
    x = _typed(input, dtype)
    if x.dtype.category < 2:
        x = x.float()
    count = _count(input, dim, True, mask)
    centre = _f("sum")(_kept(x, mask, 0), _dims(dim), True) / count
    gap = _kept(x - centre, mask, 0)
    total = _f("sum")(gap * gap.conj() if gap.is_complex() else gap * gap, _dims(dim), keepdim)
    if gap.is_complex():
        total = total.real
    count = _count(input, dim, keepdim, mask)
    if correction:
        count = (count - correction).clamp(min=0)
    return total / count


def std(input, dim=None, unbiased=None, *, correction=None, keepdim=False, dtype=None, mask=None):
    """The standard deviation of the elements that the mask keeps."""
    return var(input, dim, unbiased, correction=correction, keepdim=keepdim, dtype=dtype,
               mask=mask).sqrt()


def softmax(input, dim, *, dtype=None, mask=None):
    """softmax over the elements that the mask keeps."""
    return _f("softmax")(_kept(_typed(input, dtype), mask, -math.inf), dim)


def log_softmax(input, dim, *, dtype=None, mask=None):
    """log_softmax over the elements that the mask keeps."""
    return _f("log_softmax")(_kept(_typed(input, dtype), mask, -math.inf), dim)


def softmin(input, dim, *, dtype=None, mask=None):
    """softmax of the negated elements that the mask keeps."""
    return _f("softmax")(_kept(-_typed(input, dtype), mask, -math.inf), dim)


def normalize(input, ord, dim, *, eps=1e-12, dtype=None, mask=None):
    """The kept elements divided by their norm along dim (at least eps)."""
    x = _kept(_typed(input, dtype), mask, 0)
    return x / norm(x, ord, dim, keepdim=True, mask=mask).clamp(min=eps)


def logsumexp(input, dim=None, *, keepdim=False, dtype=None, mask=None):
    """logsumexp over the elements that the mask keeps."""
    dim = tuple(range(input.ndim)) if dim is None else dim
    return _f("logsumexp")(_kept(_typed(input, dtype), mask, -math.inf), _dims(dim), keepdim)


def logaddexp(input, other, *, dtype=None, input_mask=None, other_mask=None):
    """logaddexp of two tensors, each with a mask."""
    return _f("logaddexp")(_kept(_typed(input, dtype), input_mask, -math.inf),
                           _kept(_typed(other, dtype), other_mask, -math.inf))
