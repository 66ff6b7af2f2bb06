"""The intermediate representation: an immutable graph of primitive operations.

Recording builds these nodes, differentiation adds to them, the passes rewrite them, and code
generation or the interpreter runs them. A :class:`Node` has one output of a static shape and
dtype; an operation with several outputs is an ``external`` node followed by ``get`` nodes.

Conventions that every primitive keeps (the checker asserts them):

* pointwise inputs have equal shapes and, but for ``where`` and comparisons, the node's dtype:
  broadcasting is an explicit ``expand`` and promotion an explicit ``cast``;
* ``attrs`` is a dict of hashable values, never changed after construction;
* a gradient rule ``vjp(node, g)`` returns one node or None per input, built from primitives, so
  that gradients can be differentiated again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

from .. import dtypes
from ..dtypes import dtype as DType

__all__ = ["Node", "PRIMITIVES", "Primitive", "building", "check", "format_graph", "p",
           "primitive", "topological_order"]


# ---- the state of the builder ---------------------------------------------------------------


class _Building(threading.local):
    """What new nodes inherit, in each thread: the gradient mode, and where the user's code is."""

    grad_enabled = True
    site: Any = None          # record.sites.Site: (file name, line) of the user's call
    scope: str = ""           # dotted path of the module whose forward is running


building = _Building()


# ---- nodes ----------------------------------------------------------------------------------


class Node:
    """One operation: a primitive, its inputs and attributes, and the type of its output."""

    __slots__ = ("primitive", "inputs", "attrs", "shape", "dtype", "requires_grad", "site",
                 "scope", "__weakref__")

    def __init__(self, primitive: Primitive, inputs: tuple[Node, ...], attrs: dict[str, Any],
                 shape: tuple[int, ...], dtype: DType, requires_grad: bool):
        self.primitive = primitive
        self.inputs = inputs
        self.attrs = attrs
        self.shape = shape
        self.dtype = dtype
        self.requires_grad = requires_grad
        self.site = building.site
        self.scope = building.scope

    @property
    def op(self) -> str:
        """The primitive's name."""
        return self.primitive.name

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def numel(self) -> int:
        total = 1
        for extent in self.shape:
            total *= extent
        return total

    @property
    def nbytes(self) -> int:
        return self.numel * self.dtype.itemsize

    def __repr__(self) -> str:
        attrs = "".join(f" {k}={v!r}" for k, v in self.attrs.items())
        return f"<{self.op}{attrs}: {self.dtype.name}{list(self.shape)}>"


class Primitive:
    """A kind of operation: its shape rule, its NumPy meaning and its gradient.

    kind: "leaf", "pointwise", "reduce", "movement", "index", "contract", "window", "scan",
    "sort" or "external"; it tells the passes how the operation may be fused.
    infer(inputs, attrs) -> (shape, dtype); evaluate(node, *arrays) -> array, where arrays have
    each input's compute type; vjp(node, g) -> tuple of nodes or None, one per input.
    """

    __slots__ = ("name", "kind", "infer", "evaluate", "vjp", "saves")

    def __init__(self, name: str, kind: str, infer: Callable, evaluate: Callable | None,
                 vjp: Callable | None = None):
        self.name = name
        self.kind = kind
        self.infer = infer
        self.evaluate = evaluate
        self.vjp = vjp

    def __call__(self, *inputs: Node, **attrs) -> Node:
        shape, dtype = self.infer(inputs, attrs)
        requires_grad = (building.grad_enabled and self.vjp is not None and dtype.category >= 2
                         and any(i.requires_grad for i in inputs))
        return Node(self, inputs, attrs, tuple(shape), dtype, requires_grad)

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"


PRIMITIVES: dict[str, Primitive] = {}


class _Namespace:
    """``p.add(a, b)`` builds a node of the primitive ``add``."""

    def __getattr__(self, name: str) -> Primitive:
        try:
            found = PRIMITIVES[name]
        except KeyError:
            raise AttributeError(f"no primitive is called {name!r}") from None
        object.__setattr__(self, name, found)
        return found


p: Any = _Namespace()


def primitive(name: str, kind: str, infer: Callable, evaluate: Callable | None,
              vjp: Callable | None = None) -> Primitive:
    """Declare a primitive; names are unique."""
    if name in PRIMITIVES:
        raise ValueError(f"primitive {name!r} is declared twice")
    PRIMITIVES[name] = Primitive(name, kind, infer, evaluate, vjp)
    return PRIMITIVES[name]


# ---- walking, printing, checking ------------------------------------------------------------


def topological_order(outputs: Iterable[Node], stop: Any = ()) -> list[Node]:
    """The nodes that `outputs` need, inputs first; nodes in `stop` are listed, not entered."""
    order: list[Node] = []
    done: set[Node] = set()
    stack: list[Node | None] = list(outputs)[::-1]
    while stack:
        node = stack.pop()
        if node is None:                 # behind it: a node whose inputs are listed
            order.append(stack.pop())    # type: ignore[arg-type]
        elif node not in done:
            done.add(node)
            stack += (node, None)
            if node not in stop:
                stack += [i for i in node.inputs[::-1] if i not in done]
    return order


def format_graph(outputs: Iterable[Node], show_sites: bool = False) -> str:
    """The graph as text, one node a line: ``%3 = mul %1 %2 : float32[64, 10]``."""
    outputs = list(outputs)
    names: dict[Node, str] = {}
    lines = []
    for node in topological_order(outputs):
        names[node] = f"%{len(names)}"
        attrs = " ".join(f"{k}={v!r}" for k, v in node.attrs.items())
        operands = " ".join(names[i] for i in node.inputs)
        text = " ".join(part for part in (node.op, operands, attrs) if part)
        where = f"   # {node.site[0]}:{node.site[1]}" if show_sites and node.site else ""
        shape = ", ".join(map(str, node.shape))
        lines.append(f"{names[node]} = {text} : {node.dtype.name}[{shape}]{where}")
    lines.append("return " + " ".join(names[o] for o in outputs))
    return "\n".join(lines)


def check(outputs: Iterable[Node]) -> None:
    """Raise AssertionError where a node breaks a convention; run between passes under test."""
    for node in topological_order(outputs):
        where = f"in {node!r} with inputs {node.inputs!r}"
        assert node.primitive is PRIMITIVES.get(node.op), f"unknown primitive {where}"
        assert isinstance(node.dtype, DType), f"bad dtype {where}"
        assert all(isinstance(e, int) and e >= 0 for e in node.shape), f"bad shape {where}"
        hash(tuple(node.attrs.items()))
        if node.primitive.kind == "leaf":
            continue
        shape, dtype = node.primitive.infer(node.inputs, node.attrs)
        assert tuple(shape) == node.shape and dtype is node.dtype, f"stale type {where}"
        if node.primitive.kind == "pointwise":
            assert all(i.shape == node.shape for i in node.inputs), f"unequal shapes {where}"


# ---- leaves ---------------------------------------------------------------------------------


def _leaf(inputs, attrs):
    return attrs["shape"], attrs["dtype"]


# An input of the program: attrs index (its slot among the program's inputs), shape, dtype.
primitive("input", "leaf", _leaf, None)
# A Python number that may change from run to run: attrs index, shape (), dtype.
primitive("scalar", "leaf", _leaf, None)
# A number known when recording: attrs value, shape (), dtype.
primitive("constant", "leaf", _leaf, None)
# 0, 1, 2 … along dimension `dim`: attrs dim, shape, dtype.
primitive("iota", "leaf", _leaf, None)


def constant(value, dtype: DType = dtypes.float32) -> Node:
    """A 0-d node holding `value`."""
    return p.constant(value=value, shape=(), dtype=dtype)


def full(shape, value, dtype: DType) -> Node:
    """A node of `shape` filled with the number `value`."""
    node = constant(value, dtype)
    return expand_to(node, tuple(shape))


def full_like(node: Node, value) -> Node:
    return full(node.shape, value, node.dtype)


def expand_to(node: Node, shape: tuple[int, ...]) -> Node:
    """Broadcast `node` to `shape` by PyTorch's rules (checked by the caller)."""
    if node.shape == shape:
        return node
    if len(node.shape) < len(shape):
        lead = (1,) * (len(shape) - len(node.shape))
        node = p.reshape(node, shape=lead + node.shape)
    return node if node.shape == shape else p.expand(node, shape=shape)


def iota(shape, dim: int, dtype: DType = dtypes.int64) -> Node:
    return p.iota(dim=dim, shape=tuple(shape), dtype=dtype)
