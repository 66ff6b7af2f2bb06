"""Merges nodes that compute the same value: one pass by hashing, operands first."""

from __future__ import annotations

from ..ir import Node, topological_order
from .simplify import rebuild

__all__ = ["eliminate_common"]


def eliminate_common(outputs: list[Node]) -> list[Node]:
    """The outputs of a graph in which no two nodes have equal operation, attributes and inputs."""
    new: dict[Node, Node] = {}
    known: dict[tuple, Node] = {}
    for node in topological_order(outputs):
        inputs = tuple([new[i] for i in node.inputs])
        # repr tells 1 from True and 0.0 from -0.0
        key = (node.op, inputs, node.shape, node.dtype,
               repr(node.attrs) if node.attrs else "")
        found = known.get(key)
        if found is None:
            found = node
            for a, b in zip(inputs, node.inputs):
                if a is not b:
                    found = rebuild(node, inputs)
                    break
            known[key] = found
        new[node] = found
    return [new[o] for o in outputs]
