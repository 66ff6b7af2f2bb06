"""What each operation keeps for its gradient, and whether it was overwritten since.

Values never change here, so a gradient would be right all the same; PyTorch, which keeps the
memory itself, raises, and so do we. Writes are events of the program ("written"), so the check
runs once, when a backward pass is recorded that no known program has: a known one passed it.

Tensors on one memory share one count of writes. Where the sharing is not known for certain
(detached tensors, views made in an earlier program) a write is not noticed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..graph.ir import Node
from .sites import user_site
from .trace import Operation, Step, Trace
from .values import Value

__all__ = ["inplace_error", "mark_written", "refuse_overwritten"]

# By PyTorch's derivatives.yaml. "result": the result; "self": the first operand; "operands": all;
# "others": each operand whose gradient's factor is the other one, if that requires gradients.
_SAVED = {name: kinds for kinds, names in {
    ("result",): "exp exp2 expm1 sqrt rsqrt reciprocal tan tanh sigmoid relu softmax log_softmax",
    ("self",): "log log2 log10 log1p sin cos asin acos atan sinh cosh asinh acosh atanh erf erfc "
               "erfinv lgamma digamma abs square logit sinc nan_to_num _pow_static var elu gelu "
               "silu mish hardswish hardsigmoid logsigmoid softplus leaky_relu hardtanh threshold "
               "selu celu",
    ("operands",): "maximum minimum fmax fmin atan2 clamp xlogy logaddexp mse_loss "
                   "binary_cross_entropy smooth_l1_loss huber_loss",
    ("others",): "mul matmul mm mv dot linear",
    ("others", "divisor"): "div",
    ("self", "result"): "std prod amax amin cumprod logsumexp _norm",
}.items() for name in names.split()}
_MATRICES = {"matmul", "linear"}        # of more dimensions, PyTorch may keep copies

# PyTorch's names where they are not the operation's
_NAMES = {"_pow_static": "pow", "matmul": "mm", "linear": "addmm", "log1p": "log1P"}


class _Saved:
    """One tensor kept by one operation."""

    __slots__ = ("node", "step", "slot", "place", "memory", "version")

    def __init__(self, node: Node, step: Step, slot: int, place: int, memory: int, version: int):
        self.node = node              # the operation's result
        self.step = step
        self.slot = slot
        self.place = place            # among the operands; -1: the result itself
        self.memory = memory
        self.version = version


def mark_written(trace: Trace, old: Value, new: Value | None, base: Value | None = None) -> None:
    """Record that `new` replaced `old`, or `base` because `old`, a view of it, was written."""
    if old.trace is not trace or (base is not None and base.trace is not trace):
        return
    slot = new.slot if new is not None and new.trace is trace else None
    key = ("written", old.slot, slot, None if base is None else base.slot)
    step = trace.cursor.children.get(key)
    if step is None:
        site = user_site()
        step = trace.add_step(key, (), 0)
        step.written = True
        step.extra = f"at {site[0]}:{site[1]}" if site else "in place"
    trace.cursor = step


def _kept(name: str, static, operands: list[Any], nodes: list[Node], out: Node) -> Iterator[int]:
    """The places of the operands that the operation keeps, -1 for its result."""
    kinds = _SAVED.get(name, ())
    if name == "pow":
        kinds = ("operands", "result") if type(operands[1]) is int else ("self",)
    if name in _MATRICES and any(nodes[s].ndim > 2 for s in operands if type(s) is int):
        return
    if name == "div" and static[0] is not None:
        return
    two = [s if type(s) is int else None for s in operands[:2]]
    for kind in kinds:
        if kind == "result":
            yield -1
        elif kind == "divisor":
            if two[1] is not None:
                yield 1
        elif kind == "others":
            for place in range(len(two)):
                other = two[1 - place] if len(two) == 2 else None
                if two[place] is not None and other is not None and nodes[other].requires_grad:
                    yield place
        else:
            yield from range(1 if kind == "self" else len(operands))


class _Memory:
    """Follows a program: which slots share memory, how often it was written, what is kept."""

    def __init__(self):
        self.nodes: list[Node] = []
        self.memory: list[int] = []                 # by slot: the slot that stands for its memory
        self.is_view: list[bool] = []
        self.maker: list[Step] = []
        self.writes: dict[int, list[Step]] = {}
        self.saved: list[_Saved] = []

    def follow(self, step: Step) -> None:
        """Take in one event."""
        first = step.key[0]
        shared = None
        if isinstance(first, Operation):
            operands = list(step.key[3:])
            source = operands[0] if operands and type(operands[0]) is int else None
            if source is not None and first.shares_memory and (
                    first.shares_memory is True or self.is_result(source)):
                shared = self.memory[source]
        for node in step.nodes:
            slot = len(self.nodes)
            self.nodes.append(node)
            self.memory.append(slot if shared is None else shared)
            self.is_view.append(shared is not None)
            self.maker.append(step)
        if first == "written":
            self.write(step, *step.key[1:])
        elif isinstance(first, Operation) and step.nodes and shared is None:
            self.keep(first.name, step, operands)

    def is_result(self, slot: int) -> bool:
        """Whether an operation made it, row by row: in another shape it is surely a view."""
        return not self.is_view[slot] and isinstance(self.maker[slot].key[0], Operation)

    def keep(self, name: str, step: Step, operands: list[Any]) -> None:
        out = step.nodes[0]
        if not out.requires_grad:
            return
        for place in _kept(name, step.key[1], operands, self.nodes, out):
            slot = operands[place] if place >= 0 else len(self.nodes) - len(step.nodes)
            if type(slot) is not int or self.nodes[slot].dtype is not out.dtype:
                continue
            memory = self.memory[slot]
            version = len(self.writes.get(memory, ()))
            self.saved.append(_Saved(out, step, slot, place, memory, version))

    def write(self, step: Step, old: int, new: int | None, base: int | None) -> None:
        memory = self.memory[old]
        if base is not None and self.memory[base] != memory:
            return
        self.writes.setdefault(memory, []).append(step)
        if new is None:
            return
        if base is not None:       # `new` is the base with the view written, by an operation that
            self.memory[new] = memory            # reads the base and the view's new value
            new = self.maker[new].key[4]
        self.memory[new] = memory
        self.is_view[new] = self.is_view[old]
        maker = self.maker[new]
        if maker.key[0].__class__ is Operation and maker.key[0].name == "to_dtype" \
                and type(maker.key[3]) is int:
            maker = self.maker[maker.key[3]]
        # the in-place form keeps a copy of what it overwrites, and its result as written
        self.saved = [s for s in self.saved
                      if not (s.step is maker and s.place == 0 and s.slot == old)]
        for s in self.saved:
            if s.slot == new and s.place == -1:
                s.memory, s.version = memory, len(self.writes[memory])


def refuse_overwritten(last: Step, visited: list[Node]) -> None:
    """Raise if a gradient of `visited` nodes needs what a write up to `last` replaced."""
    memory = _Memory()
    for step in last.path():
        if step.key is not None:
            memory.follow(step)
    passed = set(visited)
    for s in reversed(memory.saved):
        writes = memory.writes.get(s.memory, ())
        if len(writes) > s.version and s.node in passed:
            raise RuntimeError(inplace_error(
                memory.nodes[s.slot], writes[-1].extra, _present_name(memory, s, writes[-1]),
                len(writes), s.version))


def _present_name(memory: _Memory, saved: _Saved, write: Step) -> str | None:
    """The operation that made what is kept, as it is now; None for a leaf."""
    if saved.place == -1:
        return _title(saved.step.key[0].name)
    _, old, new, base = write.key
    if not any(n is not None and memory.nodes[n].requires_grad for n in (old, new, base)):
        return None
    if memory.is_view[saved.slot] or (saved.step.key[0].name == "linear" and saved.place == 1):
        return "AsStrided"                   # PyTorch transposes the weight, which is a view
    if base is not None:
        return "torch::autograd::CopySlices"
    maker = None if new is None else memory.maker[new].key[0]
    if not isinstance(maker, Operation):
        return None
    return "torch::autograd::CopyBackwards" if maker.name == "clone" else _title(maker.name)


def _title(name: str) -> str:
    words = _NAMES.get(name, name).strip("_").split("_")
    return "".join(w[:1].upper() + w[1:] for w in words)


def inplace_error(node: Node, where: str, maker: str | None, present: int = 1,
                  expected: int = 0) -> str:
    """PyTorch's message, with the line that wrote."""
    kind = f"[torch.{node.dtype.legacy_name}Tensor {list(node.shape)}]"
    kind += f", which is output 0 of {maker}," if maker else ""
    made = f" (made at {node.site[0]}:{node.site[1]})" if node.site else ""
    return ("one of the variables needed for gradient computation has been modified by an inplace "
            f"operation: {kind} is at version {present}; expected version {expected} instead. "
            f"Written {where}{made}. Hint: use an operation that makes a new tensor there, or "
            "clone the tensor before writing.")
