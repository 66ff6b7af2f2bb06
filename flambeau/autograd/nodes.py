"""``grad_fn``: a read-only picture of the graph that computed a tensor, in PyTorch's names."""

from __future__ import annotations

from ..graph.ir import Node
from ..record.trace import Step
from ..tensor import Tensor
from ._node_names import Event, backward_name

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
    """The node that computed `tensor`, and PyTorch's name of the recorded operation."""
    value = tensor._fetch()
    if value.history is not None:
        execution, node = value.history
        step = None if execution.program is None else execution.program.step
        function = execution.functions.get(node)
    elif value.trace is not None:
        node, step = value.trace.nodes()[value.slot], value.trace.cursor
        function = value.trace.functions.get(value.slot)
    else:
        return None, None
    if function is not None:
        return node, f"{function[0].function.__name__}Backward"
    while step is not None and node not in step.nodes:
        step = step.parent
    return node, None if step is None else _recorded_name(step, node)


def _recorded_name(step: Step, node: Node) -> str | None:
    """PyTorch's name of the event that made `node`."""
    operation, static = step.key[:2]
    name = getattr(operation, "name", None)
    if name is None:
        return None
    avals = [aval for known in step.path() for aval in known.avals]
    shapes = tuple(
        () if isinstance(slot, type) else avals[slot].shape if isinstance(slot, int) else None
        for slot in step.key[3:])
    return backward_name(name, Event(static, shapes, node.shape))


def grad_node(tensor: Tensor) -> GradNode | None:
    """The operation that computed `tensor`."""
    node, name = _find(tensor)
    return None if node is None else GradNode(node, name)


def node_name(tensor: Tensor) -> str:
    """The name of that operation."""
    found = grad_node(tensor)
    return "NotImplemented" if found is None else found.name()
