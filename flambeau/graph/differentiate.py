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
            building.site = None if node.site is None else node.site.gradient()
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
    if old is not None:
        contribution = (_joined(old, contribution) or _joined_products(old, contribution)
                        or p.add(old, contribution))
    grads[node] = contribution


def _joined(a: Node, b: Node) -> Node | None:
    """`a + b` as a concatenation, if both are gradients of neighbouring slices, else None.

    A loop over `x[t]` gives one padded gradient per step; adding T of them costs T * T.
    """
    first, second = _padded_dim(a), _padded_dim(b)
    if first is None or second is None or first[0] != second[0]:
        return None
    dim, low, extent = first
    if low + extent != second[1]:
        if second[1] + second[2] != low:
            return None
        a, b, low = b, a, second[1]
    parts = []
    for node in (a.inputs[0], b.inputs[0]):
        is_joined = node.op == "concatenate" and node.attrs["dim"] == dim
        parts.extend(node.inputs if is_joined else (node,))
    whole = p.concatenate(*parts, dim=dim)
    high = a.shape[dim] - low - whole.shape[dim]
    if low == high == 0:
        return whole
    around = [tuple(n if d == dim else 0 for d in range(a.ndim)) for n in (low, high)]
    return p.pad(whole, low=around[0], high=around[1], interior=(0,) * a.ndim, value=0)


def _joined_products(a: Node, b: Node) -> Node | None:
    """`a + b` as one product of longer operands, if both are small products of a shared weight.

    A recurrent weight is used in every step: T products of a few rows each become one.
    """
    if a.op == b.op == "permute" and a.attrs["dims"] == b.attrs["dims"]:
        inner = _joined_products(a.inputs[0], b.inputs[0])
        return None if inner is None else p.permute(inner, dims=a.attrs["dims"])
    if not a.op == b.op == "contract" or a.attrs != b.attrs or a.attrs["batch_a"]:
        return None
    if any(x.ndim != y.ndim for x, y in zip(a.inputs, b.inputs)):
        return None      # a matrix and a vector, and a vector and a matrix
    dims = a.attrs["contract_a"], a.attrs["contract_b"]
    if len(dims[0]) != 1 or sum(i.numel for i in b.inputs) > 4 * b.numel:
        return None      # copying the operands would cost more than adding the products
    operands = []
    for i, (dim,) in enumerate(dims):
        parts = []
        for node in (a.inputs[i], b.inputs[i]):
            is_joined = node.op == "concatenate" and node.attrs["dim"] == dim
            parts.extend(node.inputs if is_joined else (node,))
        operands.append(p.concatenate(*parts, dim=dim))
    return p.contract(*operands, **a.attrs)


def _padded_dim(node: Node) -> tuple[int, int, int] | None:
    """(dim, zeros before, extent of the rest) of a value padded with zeros along one dimension."""
    if node.op != "pad" or node.attrs["value"] != 0 or any(node.attrs["interior"]):
        return None
    low, high = node.attrs["low"], node.attrs["high"]
    dims = [d for d in range(node.ndim) if low[d] or high[d]]
    if len(dims) != 1 or min(low[dims[0]], high[dims[0]]) < 0:
        return None
    return dims[0], low[dims[0]], node.inputs[0].shape[dims[0]]


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
