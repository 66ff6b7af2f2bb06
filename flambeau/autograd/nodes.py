"""``grad_fn``: a read-only picture of the graph that computed a tensor, in PyTorch's names."""

from __future__ import annotations

from ..graph.ir import Node
from ..tensor import Tensor

__all__ = ["GradNode", "grad_node", "node_name"]

_NAMES = {"contract": "MmBackward0", "reduce_sum": "SumBackward0", "reshape": "ViewBackward0",
          "permute": "PermuteBackward0", "concatenate": "CatBackward0", "cast": "ToCopyBackward0",
          "convolve": "ConvolutionBackward0", "take": "IndexBackward0",
          "reduce_max": "AmaxBackward0", "boundary": "FunctionBackward"}


class GradNode:
    """One operation of the gradient graph."""

    def __init__(self, node: Node, name: str | None = None, variable=None):
        self._node = node
        self._name = name
        if variable is not None:
            self.variable = variable

    def name(self) -> str:
        """The name that PyTorch would give, such as ``AddBackward0``."""
        if self._name is not None:
            return self._name
        op = self._node.op
        if op == "reshape" and self._node.inputs[0].op == "slice":
            return "SelectBackward0"
        return _NAMES.get(op, "".join(w.capitalize() for w in op.split("_")) + "Backward0")

    @property
    def next_functions(self) -> tuple:
        """The operations that made this one's inputs, with the number of their output."""
        return tuple((_next(i), 0) for i in self._node.inputs)

    def __repr__(self) -> str:
        return f"<{self.name()} object at {hex(id(self))}>"


def _next(node: Node):
    if not node.requires_grad:
        return None
    if node.op in ("input", "variable"):
        return GradNode(node, "AccumulateGrad")
    return GradNode(node)


def _find(tensor: Tensor) -> tuple[Node | None, str | None]:
    value = tensor._fetch()
    if value.history is not None:
        return value.history[1], None
    if value.trace is not None:
        step = value.trace.cursor
        node = value.trace.nodes()[value.slot]
        while step is not None and node not in step.nodes:
            step = step.parent
        name = getattr(step.key[0], "name", None) if step is not None else None
        return node, None if name is None else _backward_name(name)
    return None, None


def _backward_name(name: str) -> str:
    name = {"_sum": "sum", "linear": "addmm", "_index": "index"}.get(name, name).strip("_")
    return "".join(w.capitalize() for w in name.split("_")) + "Backward0"


def grad_node(tensor: Tensor) -> GradNode | None:
    """The operation that computed `tensor`."""
    node, name = _find(tensor)
    return None if node is None else GradNode(node, name)


def node_name(tensor: Tensor) -> str:
    """The name of that operation."""
    found = grad_node(tensor)
    return "NotImplemented" if found is None else found.name()
