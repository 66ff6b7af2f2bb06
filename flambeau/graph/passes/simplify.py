"""Rewrites nodes by local identities, from the leaves up; nothing that was shared is computed twice.

The first pass. Rules look at one node whose inputs are already rewritten and return a replacement
or None.
"""

from __future__ import annotations

from ... import dtypes
from ..ir import Node, expand_to, full, p, topological_order

__all__ = ["rebuild", "simplify"]

_INVISIBLE = frozenset(("detach", "variable", "boundary"))


def rebuild(node: Node, inputs: tuple[Node, ...]) -> Node:
    """`node` on other inputs, at the same place in the user's code."""
    new = Node(node.primitive, inputs, node.attrs, node.shape, node.dtype, False)
    new.site, new.scope = node.site, node.scope
    return new


def simplify(outputs: list[Node]) -> list[Node]:
    """The outputs of an equivalent graph with fewer operations."""
    new: dict[Node, Node] = {}
    for node in topological_order(outputs):
        inputs = tuple(new[i] for i in node.inputs)
        changed = any(a is not b for a, b in zip(inputs, node.inputs))
        built = rebuild(node, inputs) if changed else node
        for _ in range(8):
            found = _apply(built)
            if found is None:
                break
            if found.site is None:
                found.site, found.scope = node.site, node.scope
            built = found
        new[node] = built
    return [new[o] for o in outputs]


def _apply(node: Node):
    kind = node.primitive.kind
    if kind == "leaf":
        return None
    if node.numel == 0 and kind != "external":
        return full(node.shape, 0, node.dtype)
    rule = _RULES.get(node.op) or (_invisible if node.op in _INVISIBLE else None)
    return rule(node) if rule else None


def _invisible(node):
    return node.inputs[0]


_IDENTITY = {"reduce_sum": 0, "reduce_prod": 1, "reduce_any": False, "reduce_all": True}


def _reduce(node):
    source = node.inputs[0]
    if source.numel == 0:
        if node.op not in _IDENTITY:
            return None
        return full(node.shape, _IDENTITY[node.op], node.dtype)
    if source.numel == node.numel:
        if node.op in ("argmax", "argmin"):
            return full(node.shape, 0, dtypes.int64)
        return p.reshape(source, shape=node.shape)
    return None


def _pad(node):
    source, attrs = node.inputs[0], node.attrs
    if source.numel == 0:
        return full(node.shape, attrs["value"], node.dtype)
    if source.shape == node.shape and not any(attrs["low"]):
        return source
    return None


def _concatenate(node):
    filled = [i for i in node.inputs if i.numel]
    if len(filled) == 1:
        return filled[0]
    if len(filled) < len(node.inputs):
        return p.concatenate(*filled, dim=node.attrs["dim"])
    return None


_RULES = {name: _reduce for name in ("reduce_sum", "reduce_prod", "reduce_max", "reduce_min",
                                     "reduce_any", "reduce_all", "argmax", "argmin")}
_RULES.update(pad=_pad, concatenate=_concatenate)

__all__ += ["expand_to"]
