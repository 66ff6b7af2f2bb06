"""Moves what follows the gradient of a max-pool to its other, smaller side.

A rewriting pass after the first `simplify`. The gradient of a max-pool is g at the maximum of each
window and 0 elsewhere, so that with y the input of the pool

    where(y > 0, max_pool_gradient(y, g), 0) = max_pool_gradient(y, where(max_pool(y) > 0, g, 0))
    sum over the spatial extents of max_pool_gradient(y, g) = sum over those of g

ReLU's mask and the gradient of a bias in front of a 2x2 pool then read a quarter of the elements.
"""

from __future__ import annotations

from ..ir import Node, building, full, p, topological_order
from .simplify import rebuild, splat_value

__all__ = ["narrow_pool_gradients"]


def narrow_pool_gradients(outputs: list[Node]) -> list[Node]:
    """The outputs of an equivalent graph."""
    order = topological_order(outputs)
    if not any(node.op == "max_pool_gradient" for node in order):
        return outputs
    new: dict[Node, Node] = {}
    before = building.site, building.scope, building.grad_enabled
    building.grad_enabled = False
    try:
        for node in order:
            building.site, building.scope = node.site, node.scope
            inputs = tuple(new[i] for i in node.inputs)
            if any(a is not b for a, b in zip(inputs, node.inputs)):
                built = rebuild(node, inputs)
            else:
                built = node
            rule = _RULES.get(node.op)
            new[node] = (rule(built) if rule else None) or built
    finally:
        building.site, building.scope, building.grad_enabled = before
    return [new[o] for o in outputs]


def _masked(node):
    """ReLU's mask of a gradient: it is that of the maxima."""
    mask, gradient, other = node.inputs
    if gradient.op != "max_pool_gradient" or mask.op != "gt" or splat_value(other) != 0:
        return None
    y, g = gradient.inputs
    if mask.inputs[0] is not y or splat_value(mask.inputs[1]) != 0:
        return None
    zero = full(g.shape, 0, g.dtype)
    positive = p.gt(p.max_pool(y, **gradient.attrs), zero)
    return p.max_pool_gradient(y, p.where(positive, g, zero), **gradient.attrs)


def _summed(node):
    """A sum over all places of a plane does not depend on them."""
    gradient = node.inputs[0]
    if gradient.op != "max_pool_gradient":
        return None
    n, dims = len(gradient.attrs["size"]), node.attrs["dims"]
    if not set(range(gradient.ndim - n, gradient.ndim)) <= set(dims):
        return None
    return p.reduce_sum(gradient.inputs[1], **node.attrs)


_RULES = {"where": _masked, "reduce_sum": _summed}
