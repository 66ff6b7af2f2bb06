"""Reverse-mode differentiation as a transformation of the graph.

Sits between recording and compilation: :func:`gradients` adds the gradient's nodes to a graph of
forward nodes, each primitive's own rule applied in reverse topological order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .ir import Node, building, p, topological_order

__all__ = ["gradients", "substitute"]


def gradients(roots: Sequence[Node], cotangents: Sequence[Node], wrt: Sequence[Node],
              create_graph: bool = False, cuts: frozenset[Node] = frozenset(),
              on_visit: Callable[[Node, tuple], None] | None = None) -> list[Node | None]:
    """The gradients of sum(root * cotangent) with respect to each node of `wrt`.

    None where a node does not influence the roots. Nothing flows through the nodes of `cuts`
    (other than from roots among them). `on_visit` sees every differentiated node and the
    gradients that its rule gave for its inputs.
    """
    wanted, starts = set(wrt), set(roots)
    order = topological_order([r for r in roots if r.requires_grad])
    useful = set()          # nodes from which a wanted node is reached through gradient edges
    for node in order:
        if node in wanted or (node.requires_grad and any(i in useful for i in node.inputs)):
            useful.add(node)
    grads: dict[Node, Node] = {}
    parts: dict[Node, list[Node | None]] = {}     # of nodes with several results
    for root, cotangent in zip(roots, cotangents):
        _accumulate(grads, root, cotangent)
    before = building.grad_enabled
    building.grad_enabled = create_graph
    try:
        for node in reversed(order):
            if node not in useful or (node in cuts and node not in starts):
                continue
            site = building.site
            building.site = node.site
            try:
                _visit(node, grads, parts, useful, on_visit)
            finally:
                building.site = site
    finally:
        building.grad_enabled = before
    return [grads.get(node) for node in wrt]


def _visit(node: Node, grads, parts, useful, on_visit) -> None:
    several = node in parts
    if not several and node not in grads:
        return
    if not node.requires_grad or node.primitive.vjp is None:
        return
    if not any(i in useful for i in node.inputs):
        return
    if node.op == "get":
        if on_visit is not None:
            on_visit(node, ())
        source = node.inputs[0]
        slots = parts.setdefault(source, [None] * len(source.attrs["result"]))
        index = node.attrs["index"]
        old = slots[index]
        slots[index] = grads[node] if old is None else p.add(old, grads[node])
        return
    contributions = node.primitive.vjp(node, parts[node] if several else grads[node])
    if on_visit is not None:
        on_visit(node, contributions)
    for source, contribution in zip(node.inputs, contributions):
        if contribution is not None and source in useful:
            _accumulate(grads, source, contribution)


def _accumulate(grads: dict[Node, Node], node: Node, contribution: Node) -> None:
    assert contribution.shape == node.shape and contribution.dtype is node.dtype, (
        node, contribution)
    old = grads.get(node)
    grads[node] = contribution if old is None else p.add(old, contribution)


def substitute(outputs: Sequence[Node], mapping: dict[Node, Node]) -> list[Node]:
    """`outputs` with the nodes of `mapping` replaced; what depends on them is rebuilt."""
    done = dict(mapping)
    for node in topological_order(outputs, stop=mapping):
        if node in done:
            continue
        inputs = tuple(done[i] for i in node.inputs)
        if inputs == node.inputs:
            done[node] = node
        else:
            done[node] = Node(node.primitive, inputs, node.attrs, node.shape, node.dtype,
                              node.requires_grad)
            done[node].site, done[node].scope = node.site, node.scope
    return [done[o] for o in outputs]
