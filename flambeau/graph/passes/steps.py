"""The steps of a partitioned graph, and which nodes are steps of their own.

What `partition` makes and `attach_epilogues`, `lower_opaque` and `compile` read.
"""

from __future__ import annotations

import dataclasses

from ... import dtypes
from ...codegen.contract import contraction_form
from ...codegen.extents import usual
from ...codegen.fused_operations import is_native, unsupported_dtype
from ..ir import Node
from .lower import CannotLower, Lowering, SplitNeeded

__all__ = [
    "Cluster", "DENSE", "Gone", "Opaque", "Partition", "Piece", "View", "columns_of", "has_form",
    "is_native_scatter", "is_opaque", "loaded", "piece_operands", "reads_in_place", "row_major",
    "takes_epilogue",
]

DENSE = frozenset(("put", "scatter", "cumsum", "cumprod"))   # their operands must be row-major
_FUSED_REDUCTIONS = frozenset(("reduce_sum", "reduce_prod", "reduce_max", "reduce_min",
                               "reduce_any", "reduce_all", "argmax", "argmin"))


@dataclasses.dataclass
class View:
    """Strided access to a node kept in memory: offset and strides in elements."""

    base: Node
    offset: int
    strides: tuple[int, ...]


@dataclasses.dataclass
class Piece:
    """An operand that a kernel of its own computes right into the node's memory, at `offset`."""

    lowering: Lowering
    source: Node
    index: tuple
    offset: int       # in elements
    strides: tuple    # of the operand's elements there


@dataclasses.dataclass(eq=False)
class Opaque:
    """A step of one node that is not fused: its operands are views of kept nodes, or pieces."""

    node: Node
    operands: list[View | None]
    pieces: list[Piece] = dataclasses.field(default_factory=list)
    epilogue: Cluster | None = None     # runs on the results before they are stored
    main: Node | None = None            # what is stored where the node's results would be
    kept: bool = True                   # whether the node's own value is needed, too

    @property
    def results(self):
        if self.epilogue is None:
            return [self.node]
        return self.epilogue.stored + ([self.node] if self.kept else [])

    @property
    def reads(self):
        """The kept nodes that are read."""
        found = {v.base for v in self.operands if v is not None}
        for piece in self.pieces:
            found |= loaded([piece.lowering.cells[piece.source, piece.index, None]])
        if self.epilogue is not None:
            found |= self.epilogue.reads - {self.node}
        return found


@dataclasses.dataclass(eq=False)
class Cluster:
    """A step of one fused kernel."""

    members: list[Node]
    lowering: Lowering
    stored: list[Node] = dataclasses.field(default_factory=list)
    reads: set[Node] = dataclasses.field(default_factory=set)
    product: Node | None = None         # a contraction whose epilogue this wants to be

    @property
    def results(self):
        return self.stored


@dataclasses.dataclass
class Partition:
    """The steps in an order in which they can run."""

    steps: list
    flags: list[Node]
    aliases: dict[Node, Node]     # an output that is a reshape of a kept node


def is_opaque(node: Node) -> bool:
    """Whether a node is a step of its own."""
    kind = node.primitive.kind
    if kind == "pointwise":
        return not is_native(node)
    if kind == "movement":
        if unsupported_dtype(node.dtype):
            return node.op not in ("reshape", "permute", "expand", "slice")
        return node.op == "concatenate" or (node.op == "pad" and any(node.attrs["interior"])) or (
            node.op == "pad" and len(node.shape) == 0)
    if kind == "reduce":
        return node.op not in _FUSED_REDUCTIONS or unsupported_dtype(node.inputs[0].dtype)
    if node.op in ("take", "gather"):
        return unsupported_dtype(node.dtype) or node.inputs[0].numel == 0
    return kind != "leaf"


def piece_operands(node: Node) -> list:
    """[(offset, strides)] of the leading operands that are written into the node's memory."""
    if unsupported_dtype(node.dtype):
        return []
    strides = row_major(node.shape)
    if node.op == "concatenate":
        places, begin = [], 0
        for operand in node.inputs:
            places.append((begin * strides[node.attrs["dim"]], strides))
            begin += operand.shape[node.attrs["dim"]]
        return places
    return [(0, strides)] if is_native_scatter(node) else []


def is_native_scatter(node: Node) -> bool:
    """Whether writing at computed places has native code."""
    if node.op not in ("put", "scatter") or unsupported_dtype(node.dtype):
        return False
    x, index, _ = node.inputs
    if index.dtype is not dtypes.int64 or index.numel == 0 or x.numel == 0:
        return False
    dim = node.attrs["dim"]
    return node.op == "put" or all(
        a == b for d, (a, b) in enumerate(zip(index.shape, x.shape)) if d != dim)


class Gone:
    """A step that became part of another."""

    results: tuple = ()
    reads: frozenset = frozenset()


def takes_epilogue(node: Node) -> bool:
    """Whether the planner of an opaque node takes an epilogue."""
    return (node.op in ("contract", "convolve") and node.dtype.name in ("float32", "float64")
            and usual(columns_of(node)) >= 4 and node.numel > 0)


def columns_of(node: Node) -> int:
    """The extent of the rows in which a product writes its results."""
    if node.op == "convolve":
        return node.shape[1]
    columns = 1
    for extent in node.shape[len(node.attrs["batch_a"]) + node.inputs[0].ndim
                             - len(node.attrs["batch_a"]) - len(node.attrs["contract_a"]):]:
        columns *= extent
    return columns


def has_form(node: Node, operands) -> bool:
    """Whether the contraction kernels take these operands."""
    a, b = node.inputs
    attrs = node.attrs
    return contraction_form(a.shape, operands[0].strides, b.shape, operands[1].strides,
                            attrs["batch_a"], attrs["batch_b"], attrs["contract_a"],
                            attrs["contract_b"]) is not None


def reads_in_place(lowering, node):
    """Whether a cluster reads of a product only the element that it works on, in whole rows."""
    try:
        place = lowering.buffer_index(node, lowering.element_index(node))
    except (CannotLower, SplitNeeded):
        return False
    found = False
    for key in lowering.cells:
        if key[0] == "load" and key[1] is node:
            if key[2] != place or key[3] is not None:
                return False
            found = True
    columns = columns_of(node)
    for k, c in place[1]:
        if c < columns and c * lowering.extents[k] > columns or c > columns and c % columns:
            return False
    return found


def loaded(roots):
    found, seen, stack = set(), set(), list(roots)
    while stack:
        cell = stack.pop()
        if cell in seen:
            continue
        seen.add(cell)
        if cell.op == "load":
            found.add(cell.attrs[0])
        stack.extend(cell.operands)
    return found


def row_major(shape) -> tuple[int, ...]:
    """The strides, in elements, of a C-contiguous array."""
    strides, step = [], 1
    for extent in reversed(shape):
        strides.append(step)
        step *= extent
    return tuple(reversed(strides))
