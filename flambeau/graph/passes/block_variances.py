"""Variances from one pass over memory: each block's own mean and squares, combined afterwards.

A part of `split_reductions`, which cuts the sum behind a mean into sums of blocks. The squares of
x - mean(x) would need a second pass over all of x, since they wait for the mean. With the sum s,
the mean m and the squares q of deviations from m of each block of n values (Chan, Golub, LeVeque,
https://doi.org/10.1080/00031305.1983.10483115),

    sum((x - mean)^2) = sum over blocks of q + n (m - mean)^2

where s and q are one kernel, whose second walk over a block finds it in the cache. Nothing is
subtracted from sums of squares, so that the result is as accurate as from two passes.
"""

from __future__ import annotations

from ..ir import Node, full_like, p
from ..primitives.reduce import spread
from .factor_sums import mean_of, unspread

__all__ = ["block_variance"]


def block_variance(node: Node, new: dict[Node, Node]) -> Node | None:
    """What replaces a sum of squared deviations from a mean whose sum `new` has in blocks."""
    square = node.inputs[0]
    if node.op != "reduce_sum" or square.op != "mul" or square.inputs[0] is not square.inputs[1]:
        return None
    centred, dims = square.inputs[0], node.attrs["dims"]
    if centred.op != "sub":
        return None
    average = unspread(centred.inputs[1], dims)
    while average is not None and average.op == "reshape":
        average = average.inputs[0]
    if average is None or mean_of(average, dims) is not centred.inputs[0] \
            or average.shape != node.shape:
        return None
    total = new[average.inputs[0]]
    partial = total.inputs[0]
    if total.op != "reduce_sum" or partial.op != "reduce_sum" or total.shape != node.shape:
        return None
    x, first, second = partial.inputs[0], partial.attrs["dims"], total.attrs["dims"]
    if x is not new[centred.inputs[0]] and (
            x.op != "reshape" or x.inputs[0] is not new[centred.inputs[0]]):
        return None
    count = full_like(partial, x.numel // partial.numel)
    means = p.div(partial, count)
    inner = p.sub(x, spread(means, x.shape, first))
    squares = p.reduce_sum(p.mul(inner, inner), dims=first)
    outer = p.sub(means, spread(new[average], partial.shape, second))
    between = p.mul(p.mul(outer, outer), count)
    return p.reduce_sum(p.add(squares, between), dims=second)
