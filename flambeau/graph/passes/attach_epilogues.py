"""Moves products into the clusters that read their results: bias, activation, residual, mask.

The last part of `partition`. A cluster that `partition` began for a contraction or convolution (its
`product`) becomes that step's epilogue, if it reads the product element by element and nothing
that it needs waits for the product by another way.
"""

from __future__ import annotations

from ..ir import Node
from .steps import Gone, Opaque, columns_of, has_form, reads_in_place

__all__ = ["attach_epilogues"]

MAX_STREAMS = 2           # arrays that an epilogue may read and write beside the product's own:
#                           SGD's four in a weight gradient cost 1.5 times the kernel of their own


def attach_epilogues(attempt, wanted: set[Node]) -> None:
    """Changes the steps of a partition under way; `wanted` are the program's results."""
    readers: dict[Node, list[int]] = {}
    for i, step in enumerate(attempt.steps):
        for node in step.reads:
            readers.setdefault(node, []).append(i)
    for i, step in enumerate(attempt.steps):
        node = getattr(step, "product", None)
        if node is None or not step.stored or step.lowering.reduced:
            continue
        at = attempt.step_of[node]
        product = attempt.steps[at]
        if product.epilogue is not None or not reads_in_place(step.lowering, node):
            continue
        if node.op == "contract" and not has_form(node, product.operands):
            continue                        # runs in NumPy
        if not _has_row(step.lowering, node):
            continue
        others = [r for r in readers[node] if r != i]
        kept = bool(others) or node in wanted
        streams = kept + len(step.stored) - 1 + sum(
            r is not node and r.numel == node.numel for r in step.reads)
        if streams > MAX_STREAMS:
            continue
        main = _main_store(attempt, step, node, kept)
        if main is None:
            continue
        # whatever needs the product now also waits for what the cluster needs
        behind = [r for r, mask in enumerate(attempt.ancestors)
                  if mask & (1 << at) and r != i]
        if any(attempt.ancestors[i] & (1 << r) for r in behind):
            continue
        for r in behind:
            attempt.ancestors[r] |= attempt.ancestors[i] | (1 << i)
        bit = 1 << at
        attempt.ancestors = [mask & ~bit for mask in attempt.ancestors]
        attempt.steps[i] = Opaque(node, product.operands, [], step, main, kept)
        attempt.steps[at] = Gone()
        attempt.step_of[node] = i



def _main_store(attempt, cluster, node, kept):
    """What is stored in the product's layout; the product itself if that is needed."""
    if kept:
        return node
    layout = attempt.layouts.get(node)
    for member in cluster.stored:
        if member.dtype is node.dtype and cluster.lowering.buffer_index(
                member, cluster.lowering.anchors[member]) \
                == cluster.lowering.buffer_index(node, cluster.lowering.element_index(node)) \
                and (layout is None) == (member not in attempt.layouts):
            return member
    return None


def _has_row(lowering, node: Node) -> bool:
    """Whether a row of the product's results is one loop of the cluster that reads them."""
    place = lowering.buffer_index(node, lowering.element_index(node))
    columns = columns_of(node)
    steps = [c for k, c in place[1] if lowering.extents.get(k, 1) != 1 and c < columns]
    return steps == [1]
