"""Reductions, scans and sorts. Reduced dimensions disappear; attrs ``dims`` are sorted, >= 0."""

from __future__ import annotations

import numpy as np

from ... import dtypes
from ..ir import expand_to, full_like, iota, p, primitive
from .pointwise import cast

__all__: list[str] = []


def keep_dims(node, source_shape, dims):
    """A reduced `node` with the dimensions `dims` of `source_shape` back as extents of 1."""
    shape = tuple(1 if d in dims else e for d, e in enumerate(source_shape))
    return p.reshape(node, shape=shape)


def spread(node, source_shape, dims):
    """A reduced `node` repeated along the dimensions that were reduced."""
    return expand_to(keep_dims(node, source_shape, dims), source_shape)


def _reduced(inputs, attrs):
    dims = attrs["dims"]
    return tuple(e for d, e in enumerate(inputs[0].shape) if d not in dims), inputs[0].dtype


def _along(inputs, attrs):
    return _reduced(inputs, {"dims": (attrs["dim"],)})[0], dtypes.int64


def _same(inputs, attrs):
    return inputs[0].shape, inputs[0].dtype


def _sum(node, x):
    # float32 sums in NumPy are pairwise only along the last axis: add in float64 elsewhere
    if x.dtype == np.float32 and node.attrs["dims"] != (x.ndim - 1,):
        return np.sum(x, node.attrs["dims"], dtype=np.float64).astype(np.float32)
    return np.sum(x, node.attrs["dims"], dtype=x.dtype)


primitive("reduce_sum", "reduce", _reduced, _sum,
          lambda node, g: (spread(g, node.inputs[0].shape, node.attrs["dims"]),))


def _prod_vjp(node, g):
    """The product of the others: exclusive products from both sides, right where x is zero."""
    x, dims = node.inputs[0], node.attrs["dims"]
    if len(dims) != 1:
        order = tuple(d for d in range(x.ndim) if d not in dims) + dims
        kept = tuple(x.shape[d] for d in order[:x.ndim - len(dims)])
        flat = p.reshape(p.permute(x, dims=order), shape=kept + (-1 if not x.numel else
                         x.numel // max(1, node.numel),))
        inner = p.reduce_prod(flat, dims=(flat.ndim - 1,))
        grad = _prod_vjp(inner, g)[0]
        grad = p.reshape(grad, shape=tuple(x.shape[d] for d in order))
        return (p.permute(grad, dims=tuple(np.argsort(order).tolist())),)
    dim = dims[0]
    low, high = [0] * x.ndim, [0] * x.ndim
    low[dim], high[dim] = 1, -1
    shift = {"interior": (0,) * x.ndim, "value": 1}
    before = p.cumprod(p.pad(x, low=tuple(low), high=tuple(high), **shift), dim=dim)
    mirrored = p.flip(x, dims=(dim,))
    after = p.flip(p.cumprod(p.pad(mirrored, low=tuple(low), high=tuple(high), **shift), dim=dim),
                   dims=(dim,))
    return (p.mul(spread(g, x.shape, dims), p.mul(before, after)),)


primitive("reduce_prod", "reduce", _reduced,
          lambda node, x: np.prod(x, node.attrs["dims"], dtype=x.dtype), _prod_vjp)


def _extreme_vjp(node, g):
    """Shared equally among the elements that attain the extreme, as amax does."""
    x, dims = node.inputs[0], node.attrs["dims"]
    hit = p.cast(p.eq(x, spread(node, x.shape, dims)), dtype=x.dtype)
    share = p.div(g, p.reduce_sum(hit, dims=dims))
    return (p.mul(hit, spread(share, x.shape, dims)),)


def _maximum(node, x):
    return np.max(x, node.attrs["dims"]) if x.size or node.numel == 0 else _no_identity(node)


def _minimum(node, x):
    return np.min(x, node.attrs["dims"]) if x.size or node.numel == 0 else _no_identity(node)


def _no_identity(node):
    raise IndexError(f"{node.op}: an empty reduction has no value")


primitive("reduce_max", "reduce", _reduced, _maximum, _extreme_vjp)
primitive("reduce_min", "reduce", _reduced, _minimum, _extreme_vjp)
primitive("reduce_any", "reduce", _reduced, lambda node, x: np.any(x, node.attrs["dims"]))
primitive("reduce_all", "reduce", _reduced, lambda node, x: np.all(x, node.attrs["dims"]))

# The first index of the extreme; NaN counts as the extreme.
primitive("argmax", "reduce", _along, lambda node, x: np.argmax(x, node.attrs["dim"]))
primitive("argmin", "reduce", _along, lambda node, x: np.argmin(x, node.attrs["dim"]))


# ---- scans --------------------------------------------------------------------------------------


def _reverse_cumsum(g, dim):
    return p.flip(p.cumsum(p.flip(g, dims=(dim,)), dim=dim), dims=(dim,))


def _cumprod_vjp(node, g):
    """dx_i = sum over j >= i of g_j times the product up to j without x_i (exact at zeros)."""
    x, dim = node.inputs[0], node.attrs["dim"]
    n = x.shape[dim]
    order = tuple(d for d in range(x.ndim) if d != dim) + (dim,)
    back = tuple(np.argsort(order).tolist())
    xs, gs = p.permute(x, dims=order), p.permute(g, dims=order)
    lead = xs.shape[:-1]
    square = lead + (n, n)                      # [..., i, k]: x_k, but 1 at k == i
    wide = p.expand(p.reshape(xs, shape=lead + (1, n)), shape=square)
    own = p.eq(iota(square, len(square) - 2), iota(square, len(square) - 1))
    others = p.cumprod(p.where(own, full_like(wide, 1), wide), dim=len(square) - 1)
    late = p.ge(iota(square, len(square) - 1), iota(square, len(square) - 2))
    weighted = p.mul(others, p.expand(p.reshape(gs, shape=lead + (1, n)), shape=square))
    total = p.reduce_sum(p.where(late, weighted, full_like(weighted, 0)),
                         dims=(len(square) - 1,))
    return (p.permute(total, dims=back),)


primitive("cumsum", "scan", _same,
          lambda node, x: np.cumsum(x, node.attrs["dim"], dtype=x.dtype),
          lambda node, g: (_reverse_cumsum(g, node.attrs["dim"]),))
primitive("cumprod", "scan", _same,
          lambda node, x: np.cumprod(x, node.attrs["dim"], dtype=x.dtype), _cumprod_vjp)


# ---- sorting ------------------------------------------------------------------------------------


def _argsort(node, x):
    dim, descending = node.attrs["dim"], node.attrs["descending"]
    if not descending:
        return np.argsort(x, dim, kind="stable")
    mirrored = np.flip(np.argsort(np.flip(x, dim), dim, kind="stable"), dim)
    return x.shape[dim] - 1 - mirrored          # stable in descending order too; NaN first


# Stable indices that sort along dim; NaN is the largest.
primitive("argsort", "sort", lambda inputs, attrs: (inputs[0].shape, dtypes.int64), _argsort)


def sum_to(node, shape):
    """The adjoint of broadcasting: `node` summed down to `shape`."""
    if node.shape == tuple(shape):
        return node
    extra = node.ndim - len(shape)
    dims = tuple(d for d in range(node.ndim)
                 if d < extra or (shape[d - extra] == 1 and node.shape[d] != 1))
    return p.reshape(p.reduce_sum(node, dims=dims) if dims else node, shape=tuple(shape))


def mean(node, dims):
    """The arithmetic mean over `dims`."""
    count = 1
    for d in dims:
        count *= node.shape[d]
    total = p.reduce_sum(node, dims=dims)
    return p.div(total, full_like(total, count))


__all__ = ["cast", "keep_dims", "mean", "spread", "sum_to"]
