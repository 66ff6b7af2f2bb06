"""Reductions, extremes and scans."""

from __future__ import annotations

import math
from collections import namedtuple

from .. import dtypes
from ..graph.ir import Node, full_like, p
from .build import (
    attached,
    cast,
    keep_dims,
    normalise_dim,
    normalise_dims,
    ordered,
    reduced,
    spread,
    to_float,
)
from .comparison import truth
from .declare import operation

__all__: list[str] = []


def _result_text(self) -> str:
    parts = ",\n".join(f"{field}={value!r}" for field, value in zip(self._fields, self))
    return f"torch.return_types.{type(self).__name__}(\n{parts})"


def results(name: str, fields: str):
    """A tuple of nodes whose tensors come out as torch.return_types.<name>."""
    made = namedtuple(name, fields)
    made.__module__ = "torch.return_types"
    made.__repr__ = _result_text

    class Nodes(tuple):
        structure = made
    return Nodes


Extremes = {name: results(name, "values indices")
            for name in ("max", "min", "median", "nanmedian", "mode", "sort", "topk", "kthvalue",
                         "cummax", "cummin")}


# ---- sums and products --------------------------------------------------------------------------


def _summable(input: Node, dtype) -> Node:
    if dtype is not None:
        return cast(input, dtype)
    return cast(input, dtypes.int64) if input.dtype.category < 2 else input


@operation("sum", out=True)
def sum_(input: Tensor, dim: tuple = None, keepdim: bool = False, *,
         dtype: dtype = None):
    """The sum over dim (all dimensions by default)."""
    return reduced(p.reduce_sum, _summable(input, dtype), dim, keepdim)


@operation(out=True)
def nansum(input: Tensor, dim: tuple = None, keepdim: bool = False, *,
           dtype: dtype = None):
    """The sum, NaN counted as 0."""
    x = _summable(input, dtype)
    if x.dtype.category == 2:
        x = p.where(p.isnan(x), full_like(x, 0), x)
    return reduced(p.reduce_sum, x, dim, keepdim)


@operation("mean", out=True)
def mean_(input: Tensor, dim: tuple = None, keepdim: bool = False, *,
          dtype: dtype = None):
    """The arithmetic mean over dim."""
    x = input if dtype is None else cast(input, dtype)
    if x.dtype.category < 2:
        raise RuntimeError("mean(): could not infer output dtype. Input dtype must be either a "
                           "floating point or complex dtype. Got: "
                           f"{x.dtype.legacy_name}")
    total = reduced(p.reduce_sum, x, dim, keepdim)
    return p.div(total, full_like(total, count(x, dim)))


def count(input: Node, dim) -> int:
    """How many elements each result of a reduction over `dim` combines."""
    found = 1
    for d in normalise_dims(dim, input.ndim):
        found *= input.shape[d]
    return found


@operation(out=True)
def nanmean(input: Tensor, dim: tuple = None, keepdim: bool = False, *,
            dtype: dtype = None):
    """The mean of the elements that are not NaN."""
    x = input if dtype is None else cast(input, dtype)
    missing = p.isnan(x)
    total = reduced(p.reduce_sum, p.where(missing, full_like(x, 0), x), dim, keepdim)
    present = cast(p.logical_not(missing), x.dtype)
    return p.div(total, reduced(p.reduce_sum, present, dim, keepdim))


@operation(out=True)
def prod(input: Tensor, dim: int = None, keepdim: bool = False, *,
         dtype: dtype = None):
    """The product over dim."""
    return reduced(p.reduce_prod, _summable(input, dtype), dim, keepdim)


# ---- spread -------------------------------------------------------------------------------------


def variance(input: Node, dim, correction, keepdim: bool) -> Node:
    """sum((x - mean)^2) / max(0, n - correction)."""
    if input.dtype.category < 2:
        raise RuntimeError("std and var only support floating point and complex dtypes")
    dims = normalise_dims(dim, input.ndim)
    n = count(input, dims)
    total = p.reduce_sum(input, dims=dims)
    centre = spread(p.div(total, full_like(total, n)), input.shape, dims)
    gap = p.sub(input, centre)
    square = p.mul(gap, gap) if not gap.dtype.is_complex else p.real(p.mul(gap, p.conj(gap)))
    found = p.reduce_sum(square, dims=dims)
    found = p.div(found, full_like(found, max(0, n - correction)))
    return keep_dims(found, input.shape, dims) if keepdim else found


def _correction(unbiased, correction):
    if correction is not None:
        return correction
    return 1 if unbiased is None or unbiased else 0


def _dim_or_unbiased(dim, unbiased):
    """var(False) means unbiased=False."""
    return (None, dim) if isinstance(dim, bool) else (dim, unbiased)


@operation(out=True)
def var(input: Tensor, dim: tuple = None, unbiased: bool = None,
        keepdim: bool = False, *, correction: float = None):
    """The variance over dim, with n - correction in the denominator (1 by default)."""
    dim, unbiased = _dim_or_unbiased(dim, unbiased)
    return variance(input, dim, _correction(unbiased, correction), keepdim)


@operation(out=True)
def std(input: Tensor, dim: tuple = None, unbiased: bool = None,
        keepdim: bool = False, *, correction: float = None):
    """The standard deviation over dim."""
    dim, unbiased = _dim_or_unbiased(dim, unbiased)
    return p.sqrt(variance(input, dim, _correction(unbiased, correction), keepdim))


class _Pair(tuple):
    structure = tuple


def _mean(input, dim, keepdim):
    total = reduced(p.reduce_sum, input, dim, keepdim)
    return p.div(total, full_like(total, count(input, dim)))


@operation(method=False)
def var_mean(input: Tensor, dim: tuple = None, unbiased: bool = None,
             keepdim: bool = False, *, correction: float = None):
    """Variance and mean."""
    dim, unbiased = _dim_or_unbiased(dim, unbiased)
    return _Pair((variance(input, dim, _correction(unbiased, correction), keepdim),
                  _mean(input, dim, keepdim)))


@operation(method=False)
def std_mean(input: Tensor, dim: tuple = None, unbiased: bool = None,
             keepdim: bool = False, *, correction: float = None):
    """Standard deviation and mean."""
    dim, unbiased = _dim_or_unbiased(dim, unbiased)
    return _Pair((p.sqrt(variance(input, dim, _correction(unbiased, correction), keepdim)),
                  _mean(input, dim, keepdim)))


# ---- truth --------------------------------------------------------------------------------------


@operation("all", out=True)
def all_(input: Tensor, dim: tuple = None, keepdim: bool = False):
    """Whether all elements are not zero."""
    out = reduced(p.reduce_all, truth(input), dim, keepdim)
    return cast(out, dtypes.uint8) if input.dtype is dtypes.uint8 else out


@operation("any", out=True)
def any_(input: Tensor, dim: tuple = None, keepdim: bool = False):
    """Whether any element is not zero."""
    out = reduced(p.reduce_any, truth(input), dim, keepdim)
    return cast(out, dtypes.uint8) if input.dtype is dtypes.uint8 else out


@operation(out=True)
def count_nonzero(input: Tensor, dim: tuple = None):
    """How many elements are not zero."""
    return reduced(p.reduce_sum, cast(truth(input), dtypes.int64), dim, False)


# ---- extremes -----------------------------------------------------------------------------------


def _check_not_empty(input: Node, dim, name: str) -> None:
    dims = normalise_dims(dim, input.ndim)
    if any(input.shape[d] == 0 for d in dims):
        if dim is None:
            kind = IndexError if name.startswith("arg") else RuntimeError
            raise kind(f"{name}(): Expected reduction dim to be specified for input.numel()"
                               " == 0. Specify the reduction dim with the 'dim' argument.")
        raise IndexError(f"{name}(): Expected reduction dim {dims[0]} to have non-zero size.")


def _declare_extreme(name, description):
    primitive = getattr(p, f"reduce_{name[1:]}")

    def body(input: Tensor, dim: tuple = None, keepdim: bool = False):
        _check_not_empty(input, dim, name)
        ordered(input, f"{name[1:]}_all" if dim is None else f"{name[1:]}_values_cpu")
        return reduced(primitive, input, dim, keepdim)

    body.__name__, body.__doc__ = name, description
    globals()[name] = operation(name, out=True)(body)


_declare_extreme("amax", "The largest element over dim; the gradient is shared among ties.")
_declare_extreme("amin", "The smallest element over dim; the gradient is shared among ties.")


@operation(out=True)
def aminmax(input: Tensor, *, dim: int = None, keepdim: bool = False):
    """The smallest and the largest element."""
    dims = normalise_dims(dim, input.ndim)
    if any(input.shape[d] == 0 for d in dims):
        raise RuntimeError("aminmax(): cannot compute aminmax over an empty dimension as the "
                           "operation has no identity.")
    out = results("aminmax", "min max")
    return out((reduced(p.reduce_min, input, dim, keepdim),
                reduced(p.reduce_max, input, dim, keepdim)))


def arg_extreme(primitive, input: Node, dim, keepdim: bool, name: str) -> Node:
    """The index of the extreme along dim (of the flattened input if None)."""
    _check_not_empty(input, dim, name)
    if input.dtype.category == 3 or input.dtype is dtypes.bool_ and name in ("argmax", "argmin"):
        raise RuntimeError(f"{name}(): does not support "
                           f"{'bool' if input.dtype is dtypes.bool_ else 'complex'} input")
    x = cast(input, dtypes.uint8) if input.dtype is dtypes.bool_ else input
    if dim is None:
        flat = primitive(p.reshape(x, shape=(x.numel,)), dim=0)
        return p.reshape(flat, shape=(1,) * x.ndim) if keepdim else flat
    if x.ndim == 0:
        normalise_dim(dim, 0)
        return primitive(p.reshape(x, shape=(1,)), dim=0)
    dim = normalise_dim(dim, x.ndim)
    out = primitive(x, dim=dim)
    return keep_dims(out, x.shape, (dim,)) if keepdim else out


@operation(out=True)
def argmax(input: Tensor, dim: int = None, keepdim: bool = False):
    """The index of the first largest element."""
    return arg_extreme(p.argmax, input, dim, keepdim, "argmax")


@operation(out=True)
def argmin(input: Tensor, dim: int = None, keepdim: bool = False):
    """The index of the first smallest element."""
    return arg_extreme(p.argmin, input, dim, keepdim, "argmin")


def pick(input: Node, index: Node, dim: int) -> Node:
    """input at index along dim; index has the dimension as extent 1 or more."""
    if input.ndim == 0:
        return p.reshape(input, shape=())
    return p.gather(input, index, dim=dim, message="")


def extreme_along(name: str, input: Node, dim: int, keepdim: bool):
    """(values, indices) of the extreme along dim; the gradient goes to the index."""
    primitive = p.argmax if name == "max" else p.argmin
    index = arg_extreme(primitive, input, dim, True, name)
    if input.ndim == 0:
        return Extremes[name]((p.reshape(input, shape=()), index))
    dim = normalise_dim(dim, input.ndim)
    return picked_along(name, input, index, dim, keepdim)


def picked_along(name: str, input: Node, index: Node, dim: int, keepdim: bool):
    """(values, indices) where `index` has one element along dim."""
    values = pick(input, index, dim)
    if not keepdim:
        shape = input.shape[:dim] + input.shape[dim + 1:]
        values, index = p.reshape(values, shape=shape), p.reshape(index, shape=shape)
    return Extremes[name]((values, index))


@operation("_max_dim", namespace="_private")
def max_dim(input: Tensor, dim: int, keepdim: bool = False):
    """The largest elements along dim and their indices."""
    return extreme_along("max", input, dim, keepdim)


@operation("_min_dim", namespace="_private")
def min_dim(input: Tensor, dim: int, keepdim: bool = False):
    """The smallest elements along dim and their indices."""
    return extreme_along("min", input, dim, keepdim)


# ---- scans --------------------------------------------------------------------------------------


def _declare_scan(name, description):
    primitive = getattr(p, name)

    def body(input: Tensor, dim: int, *, dtype: dtype = None):
        x = _summable(input, dtype)
        if x.ndim == 0:
            return p.reshape(x, shape=())
        return primitive(x, dim=normalise_dim(dim, x.ndim))

    body.__name__, body.__doc__ = name, description
    globals()[name] = operation(name, inplace=True, out=True)(body)


_declare_scan("cumsum", "Sums of the elements up to each position of dim.")
_declare_scan("cumprod", "Products of the elements up to each position of dim.")


# ---- softmax and norms --------------------------------------------------------------------------


def shifted(input: Node, dims) -> Node:
    """input minus its maximum over dims; no gradient flows through the maximum."""
    high = p.detach(p.reduce_max(input, dims=dims))
    high.requires_grad = False
    return p.sub(input, spread(high, input.shape, dims))


def softmax_node(input: Node, dim: int) -> Node:
    if input.ndim == 0:
        return p.reshape(softmax_node(p.reshape(input, shape=(1,)), 0), shape=())
    dims = (normalise_dim(dim, input.ndim),)
    if input.numel == 0:
        return p.exp(input)
    power = p.exp(shifted(input, dims))
    return p.div(power, spread(p.reduce_sum(power, dims=dims), input.shape, dims))


def log_softmax_node(input: Node, dim: int) -> Node:
    if input.ndim == 0:
        return p.reshape(log_softmax_node(p.reshape(input, shape=(1,)), 0), shape=())
    dims = (normalise_dim(dim, input.ndim),)
    if input.numel == 0:
        return p.exp(input)
    low = shifted(input, dims)
    total = p.log(p.reduce_sum(p.exp(low), dims=dims))
    return p.sub(low, spread(total, input.shape, dims))


@operation("softmax", out=True)
def softmax(input: Tensor, dim: int, dtype: dtype = None):
    """exp(x) / sum(exp(x)) along dim."""
    return softmax_node(_floating(input, dtype, "softmax"), dim)


@operation("log_softmax", out=True)
def log_softmax(input: Tensor, dim: int, dtype: dtype = None):
    """log(softmax(x)) along dim."""
    return log_softmax_node(_floating(input, dtype, "log_softmax"), dim)


def _floating(input: Node, dtype, name: str) -> Node:
    x = input if dtype is None else cast(input, dtype)
    if x.dtype.category < 2:
        raise NotImplementedError(f'"{name}_lastdim_kernel_impl" not implemented for '
                           f"'{x.dtype.legacy_name}'")
    return x


@operation(out=True)
def logsumexp(input: Tensor, dim: tuple, keepdim: bool = False):
    """log(sum(exp(x))) over dim, without overflow."""
    x = to_float(input)
    dims = normalise_dims(dim, x.ndim)
    high = p.detach(p.reduce_max(x, dims=dims))
    high.requires_grad = False
    high = p.where(p.isinf(high), full_like(high, 0), high)
    total = p.reduce_sum(p.exp(p.sub(x, spread(high, x.shape, dims))), dims=dims)
    out = p.add(p.log(total), high)
    return keep_dims(out, x.shape, dims) if keepdim else out


def norm_node(input: Node, order, dim, keepdim: bool) -> Node:
    """The vector norm of `order` over dim."""
    if input.dtype.category < 2:
        raise RuntimeError("linalg.vector_norm: Expected a floating point or complex tensor as "
                           f"input. Got {input.dtype.legacy_name}")
    dims = normalise_dims(dim, input.ndim)
    size = p.abs(input)
    if order == math.inf:
        out = p.reduce_max(size, dims=dims)
    elif order == -math.inf:
        out = p.reduce_min(size, dims=dims)
    elif order == 0:
        out = attached(p.reduce_sum(cast(truth(size), size.dtype), dims=dims), size)
    elif order == 1:
        out = p.reduce_sum(size, dims=dims)
    elif order == 2:
        total = p.reduce_sum(p.mul(size, size) if input.dtype.is_complex
                             else p.mul(input, input), dims=dims)
        out = safe_root(total)
    else:
        powers = p.reduce_sum(p.pow(size, full_like(size, order)), dims=dims)
        out = p.pow(powers, full_like(powers, 1.0 / order))
    return keep_dims(out, input.shape, dims) if keepdim else out


def safe_root(total: Node) -> Node:
    """sqrt whose gradient at 0 is 0, as PyTorch gives norms of zero vectors."""
    zero = p.eq(total, full_like(total, 0))
    safe = p.where(zero, full_like(total, 1), total)
    return p.where(zero, full_like(total, 0), p.sqrt(safe))


@operation("_norm", namespace="_private")
def norm(input: Tensor, order: float, dim: tuple = None, keepdim: bool = False,
         dtype: dtype = None):
    """The vector norm."""
    x = input if dtype is None else cast(input, dtype)
    return norm_node(x, order, dim, keepdim)
