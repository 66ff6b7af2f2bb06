"""Quantiles, medians, modes and covariances."""

from __future__ import annotations

from .. import dtypes
from ..graph.ir import Node, full_like, iota, p
from ..graph.primitives.external import external
from .build import cast, expand_to, keep_dims, node_of, normalise_dim, spread, to_float
from .declare import operation
from .reduce import Extremes, pick
from .sort import sort_node

__all__: list[str] = []


# ---- quantiles ----------------------------------------------------------------------------------


def _mixed(low: Node, high: Node, weight: Node, how: str) -> Node:
    if how == "lower":
        return low
    if how == "higher":
        return high
    if how == "midpoint":
        weight = full_like(weight, 0.5)
    elif how == "nearest":
        weight = p.round(weight)
    # from the nearer end, so that equal neighbours give themselves exactly
    gap = p.sub(high, low)
    near = p.lt(weight, full_like(weight, 0.5))
    return p.where(near, p.add(low, p.mul(weight, gap)),
                   p.sub(high, p.mul(gap, p.sub(full_like(weight, 1), weight))))


_INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


def quantile_node(input: Node, q: Node, dim, keepdim: bool, how: str, skip_nan: bool) -> Node:
    name = "nanquantile" if skip_nan else "quantile"
    if input.dtype not in (dtypes.float32, dtypes.float64):
        raise RuntimeError(f"{name}() input tensor must be either float or double dtype")
    if how not in _INTERPOLATIONS:
        raise RuntimeError(f"{name}() interpolation must be one of linear, lower, higher, midpoint "
                           f"or nearest, but got {how}")
    if q.ndim > 1:
        raise RuntimeError(f"{name}() q must be a scalar or 1D tensor")
    if q.op in ("scalar", "constant"):
        q = cast(q, input.dtype)
    if q.dtype is not input.dtype:
        raise RuntimeError(f"{name}() q tensor must be same dtype as the input tensor")
    if input.numel == 0:
        raise RuntimeError(f"{name}() input tensor must be non-empty")
    shape = input.shape
    if dim is None:
        x, dim = p.reshape(input, shape=(input.numel,)), 0
        kept = (1,) * len(shape)
    else:
        dim = normalise_dim(dim, input.ndim)
        x = input if input.ndim else p.reshape(input, shape=(1,))
        kept = tuple(1 if d == dim else e for d, e in enumerate(shape))
    order = tuple(d for d in range(x.ndim) if d != dim) + (dim,)
    x = p.permute(sort_node(x, dim, False)[0], dims=order)
    n, lead = x.shape[-1], x.shape[:-1]
    count = q.numel
    wanted = lead + (count,)
    fractions = expand_to(p.reshape(q, shape=(1,) * len(lead) + (count,)), wanted)
    missing = cast(p.isnan(x), dtypes.int64)
    absent = p.reduce_sum(missing, dims=(len(lead),))
    if skip_nan:
        present = p.sub(full_like(absent, n), absent)
        last = p.sub(p.maximum(present, full_like(present, 1)), full_like(present, 1))
    else:
        last = full_like(absent, n - 1)
    last = expand_to(p.reshape(cast(last, x.dtype), shape=lead + (1,)), wanted)
    rank = p.mul(fractions, last)
    if not skip_nan:          # a NaN anywhere is the answer: it was sorted to the end
        spoiled = expand_to(p.reshape(p.gt(absent, full_like(absent, 0)), shape=lead + (1,)),
                            wanted)
        rank = p.where(spoiled, full_like(rank, n - 1), rank)
    below, above = p.floor(rank), p.ceil(rank)
    axis = len(lead)
    low = p.gather(x, cast(below, dtypes.int64), dim=axis, message="")
    high = p.gather(x, cast(above, dtypes.int64), dim=axis, message="")
    out = _mixed(low, high, p.sub(rank, below), how)
    out = p.permute(out, dims=(axis,) + tuple(range(axis)))
    out = p.reshape(out, shape=(count,) + kept) if keepdim else out
    if q.ndim == 0:
        out = p.reshape(out, shape=out.shape[1:])
    return out


def _declare_quantile(name: str, skip_nan: bool, description: str) -> None:
    def body(input: Tensor, q: Tensor | Number, dim: int = None, keepdim: bool = False, *,
             interpolation: str = "linear"):
        return quantile_node(input, node_of(q), dim, keepdim, interpolation, skip_nan)

    body.__name__, body.__doc__ = name, description
    operation(name, out=True)(body)


_declare_quantile("quantile", False, "The q-quantiles along dim (of all elements if None).")
_declare_quantile("nanquantile", True, "The q-quantiles of the elements that are not NaN.")


# ---- medians and modes --------------------------------------------------------------------------


def nanmedian_node(input: Node, dim: int, keepdim: bool):
    x = input if input.ndim else p.reshape(input, shape=(1,))
    dim = normalise_dim(dim, x.ndim)
    order = p.argsort(x, dim=dim, descending=False)
    present = p.isnan(x) if x.dtype.category == 2 else full_like(p.ne(x, x), False)
    count = p.reduce_sum(cast(p.logical_not(present), dtypes.int64), dims=(dim,))
    rank = p.floor_divide(p.maximum(p.sub(count, full_like(count, 1)), full_like(count, 0)),
                          full_like(count, 2))
    place = p.gather(order, keep_dims(rank, x.shape, (dim,)), dim=dim, message="")
    values = pick(x, place, dim)
    if input.ndim == 0:
        keepdim = False
    if not keepdim:
        shape = x.shape[:dim] + x.shape[dim + 1:]
        values, place = p.reshape(values, shape=shape), p.reshape(place, shape=shape)
    return Extremes["nanmedian"]((values, place))


@operation("_nanmedian_dim", namespace="_private")
def nanmedian_dim(input: Tensor, dim: int, keepdim: bool = False):
    """The lower median of the numbers along dim, and its index."""
    return nanmedian_node(input, dim, keepdim)


@operation("_nanmedian_all", namespace="_private")
def nanmedian_all(input: Tensor):
    """The lower median of all elements that are not NaN."""
    return nanmedian_node(p.reshape(input, shape=(input.numel,)), 0, False)[0]


@external("mode_index")
def _mode_index(static, x):
    import numpy as np
    dim = static[0]
    lines = np.moveaxis(x, dim, -1)
    out = np.empty(lines.shape[:-1], np.int64)
    for place in np.ndindex(*lines.shape[:-1]):
        values, counts = np.unique(lines[place], return_counts=True)
        out[place] = np.flatnonzero(lines[place] == values[np.argmax(counts)])[-1]
    return np.expand_dims(out, dim)


@operation(out=True)
def mode(input: Tensor, dim: int = -1, keepdim: bool = False):
    """The most frequent element along dim (the smallest of several), and its index."""
    x = input if input.ndim else p.reshape(input, shape=(1,))
    dim = normalise_dim(dim, x.ndim)
    if x.shape[dim] == 0:
        raise IndexError(f"mode(): Expected reduction dim {dim} to have non-zero size.")
    kept = tuple(1 if d == dim else e for d, e in enumerate(x.shape))
    index = p.external(x, call="mode_index", static=(dim,), result=((kept, dtypes.int64),))
    values = pick(x, index, dim)
    if not keepdim or not input.ndim:
        shape = kept[:dim] + kept[dim + 1:]
        values, index = p.reshape(values, shape=shape), p.reshape(index, shape=shape)
    return Extremes["mode"]((values, index))


# ---- covariance ---------------------------------------------------------------------------------


def covariance(x: Node, correction: float, fweights, aweights) -> Node:
    if x.ndim > 2:
        raise RuntimeError("cov(): expected input to have two or fewer dimensions but got an input "
                           f"with {x.ndim} dimensions")
    x = to_float(p.reshape(x, shape=(1, x.numel)) if x.ndim < 2 else x)
    weight = None
    for name, given in (("fweights", fweights), ("aweights", aweights)):
        if given is None:
            continue
        if given.ndim > 1 or given.numel != x.shape[1]:
            raise RuntimeError(f"cov(): expected {name} to have one or fewer dimensions and the "
                               "same numel as there are observations in the input")
        if (given.dtype.category == 1) != (name == "fweights"):
            wanted = "integral" if name == "fweights" else "floating point"
            raise RuntimeError(f"cov(): expected {name} to have {wanted} dtype but got {name} with "
                               f"{given.dtype.legacy_name} dtype")
        given = cast(p.reshape(given, shape=(given.numel,)), x.dtype.to_real())
        weight = given if weight is None else p.mul(weight, given)
    n = x.shape[1]
    if weight is None:
        mean = p.div(p.reduce_sum(x, dims=(1,)), full_like(p.reduce_sum(x, dims=(1,)), n))
        centred = p.sub(x, spread(mean, x.shape, (1,)))
        weighted = centred
        norm = full_like(p.reduce_sum(p.reduce_sum(x, dims=(1,)), dims=(0,)),
                         max(0.0, n - correction))
    else:
        total = p.reduce_sum(weight, dims=(0,))
        wide = expand_to(p.reshape(cast(weight, x.dtype), shape=(1, n)), x.shape)
        sums = p.reduce_sum(p.mul(x, wide), dims=(1,))
        mean = p.div(sums, expand_to(cast(total, x.dtype), sums.shape))
        centred = p.sub(x, spread(mean, x.shape, (1,)))
        weighted = p.mul(centred, wide)
        if aweights is not None and correction:
            a = cast(p.reshape(aweights, shape=(n,)), weight.dtype)
            share = p.div(p.reduce_sum(p.mul(weight, a), dims=(0,)), total)
            norm = p.sub(total, p.mul(full_like(share, correction), share))
        else:
            norm = p.sub(total, full_like(total, correction))
        norm = cast(p.maximum(norm, full_like(norm, 0)), x.dtype)
    other = p.conj(centred) if x.dtype.is_complex else centred
    out = p.contract(weighted, other, batch_a=(), batch_b=(), contract_a=(1,), contract_b=(1,))
    out = p.div(out, expand_to(norm, out.shape))
    return p.reshape(out, shape=()) if out.shape == (1, 1) else out


@operation()
def cov(input: Tensor, *, correction: int = 1, fweights: Tensor | None = None,
        aweights: Tensor | None = None):
    """The covariances of the rows (variables) over the columns (observations)."""
    return covariance(input, correction, fweights, aweights)


@operation()
def corrcoef(input: Tensor):
    """Pearson's correlation coefficients of the rows."""
    if input.ndim > 2:
        raise RuntimeError("corrcoef(): expected input to have two or fewer dimensions but got an "
                           f"input with {input.ndim} dimensions")
    c = covariance(input, 1, None, None)
    if c.ndim == 0:
        return p.div(c, c)
    n = c.shape[0]
    own = p.eq(iota(c.shape, 0), iota(c.shape, 1))
    diagonal = p.reduce_sum(p.where(own, c, full_like(c, 0)), dims=(1,))
    size = p.sqrt(p.real(diagonal) if c.dtype.is_complex else diagonal)
    size = cast(size, c.dtype)
    out = p.div(p.div(c, expand_to(p.reshape(size, shape=(n, 1)), c.shape)),
                expand_to(p.reshape(size, shape=(1, n)), c.shape))
    if out.dtype.is_complex:
        return out
    one = full_like(out, 1)
    out = p.where(p.gt(out, one), one, out)
    return p.where(p.lt(out, p.neg(one)), p.neg(one), out)
