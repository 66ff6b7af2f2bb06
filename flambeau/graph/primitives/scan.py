"""Scans beside cumsum and cumprod: running extremes and running log-sums."""

from __future__ import annotations

import numpy as np

from ... import dtypes
from ..ir import full_like, p
from .external import external

__all__ = ["logcumsumexp", "running_index"]


def running_index(node, dim: int, largest: bool):
    """The index of the extreme among the elements up to each position (the last of equal ones)."""
    return p.external(node, call="running_index", static=(dim, largest),
                      result=((node.shape, dtypes.int64),))


@external("running_index")
def _running_index(static, x):
    dim, largest = static
    best = (np.maximum if largest else np.minimum).accumulate(x, axis=dim)
    hit = (x >= best) if largest else (x <= best)
    if x.dtype.kind == "f":
        hit |= np.isnan(x)
    shape = [1] * x.ndim
    shape[dim] = x.shape[dim]
    places = np.arange(x.shape[dim]).reshape(shape)
    return np.maximum.accumulate(np.where(hit, places, 0), axis=dim)


def logcumsumexp(node, dim: int):
    """log(cumsum(exp(x))) without overflow."""
    return p.external(node, call="logcumsumexp", static=(dim,),
                      result=((node.shape, node.dtype),))


def _logcumsumexp_vjp(node, g):
    """exp(x_i) * sum of g_j * exp(-y_j) over j >= i; positive and negative g as logarithms."""
    x, dim = node.inputs[0], node.attrs["static"][0]

    def part(positive):
        size = positive if positive is g else p.neg(g)
        zero = full_like(g, 0)
        lowest = full_like(g, dtypes.finfo(g.dtype).min)
        held = p.gt(size, zero)
        logs = p.where(held, p.log(p.where(held, size, full_like(g, 1))), lowest)
        back = logcumsumexp(p.flip(p.sub(logs, node), dims=(dim,)), dim)
        return p.exp(p.add(p.flip(back, dims=(dim,)), x))

    return (p.sub(part(g), part(None)),)


@external("logcumsumexp", _logcumsumexp_vjp)
def _logcumsumexp(static, x):
    with np.errstate(invalid="ignore"):
        return np.logaddexp.accumulate(x, axis=static[0])
