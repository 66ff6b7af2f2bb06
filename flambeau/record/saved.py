"""What each operation keeps for its gradient, and whether it was overwritten since.

Values never change here, so a gradient would be right all the same; PyTorch, which keeps the
memory itself, raises, and so do we (`_kept` says what is kept). Writes are events of the program
("written"), so the check runs once, when a backward pass is recorded that no known program has: a
known one passed it. Writes after the program ran mark the values that they replace.

Tensors on one memory share one count of writes, `detach()` included; `.data` has a count of its
own, as in PyTorch. Where the sharing is not known for certain (views made in an earlier program)
a write is not noticed.
"""

from __future__ import annotations

from typing import Any

from ..graph.ir import Node
from ._kept import RESULT, is_known, kept_places
from .sites import Site, user_site
from .trace import Operation, Step, Trace
from .values import Aval, Value

__all__ = ["inplace_error", "mark_rewritten", "mark_written", "refuse_overwritten"]

# PyTorch's names where they are not the operation's
_NAMES = {"_pow_static": "pow", "matmul": "mm", "linear": "addmm", "log1p": "log1P"}


class _Saved:
    """One tensor kept by one operation."""

    __slots__ = ("step", "slot", "place", "memory", "version")

    def __init__(self, step: Step, slot: int, place: int, memory: int, version: int):
        self.step = step              # whose nodes are the operation's results
        self.slot = slot
        self.place = place            # among the operands; -1: the result itself
        self.memory = memory
        self.version = version


def mark_written(trace: Trace, old: Value, new: Value | None, base: Value | None = None) -> bool:
    """Record that `new` replaced `old`, or `base` because `old`, a view of it, was written.

    Whether that is known in this program.
    """
    if old.trace is not trace or (base is not None and base.trace is not trace):
        return False
    slot = new.slot if new is not None and new.trace is trace else None
    key = ("written", old.slot, slot, None if base is None else base.slot)
    step = trace.cursor.children.get(key)
    if step is None:
        step = trace.add_step(key, (), 0, written=True, extra=_place(user_site()))
    trace.cursor = step
    return True


def mark_rewritten(trace: Trace, old: Value, new: Value, counts: str) -> None:
    """Record that `new` is what the memory of `old` holds after another writer was there.

    counts: whether that counts as a write: "never" (NumPy's, and those through `.data`), "always",
    or "elsewhere", if `mark_written` has just recorded it, and for the same memory.
    """
    if old.trace is not trace:
        return
    slot = new.slot if new.trace is trace else trace.enter(new)
    key = ("rewritten", old.slot, slot, counts)
    step = trace.cursor.children.get(key)
    if step is None:
        step = trace.add_step(key, (), 0, written=trace.cursor.written or counts != "never",
                              extra=_place(user_site()))
    trace.cursor = step


def _place(site: Site) -> str:
    return f"at {site[0]}:{site[1]}" if site else "in place"


class _Memory:
    """Follows a program: which slots share memory, how often it was written, what is kept."""

    def __init__(self):
        self.nodes: list[Node] = []
        self.memory: list[int] = []                 # by slot: the slot that stands for its memory
        self.is_view: list[bool] = []
        self.maker: list[Step] = []
        self.writes: dict[int, list[Step]] = {}
        self.saved: list[_Saved] = []
        self.latest: set[int] = set()               # memory that was written last

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
        elif first == "rewritten":
            self.rewrite(step, *step.key[1:])
        elif isinstance(first, Operation) and step.nodes and shared is None:
            self.keep(first.name, step, operands)

    def is_result(self, slot: int) -> bool:
        """Whether an operation made it, row by row: in another shape it is surely a view."""
        return not self.is_view[slot] and isinstance(self.maker[slot].key[0], Operation)

    def keep(self, name: str, step: Step, operands: list[Any]) -> None:
        first = len(self.nodes) - len(step.nodes)
        out = next((i for i, node in enumerate(step.nodes) if node.requires_grad), None)
        if out is None:
            return
        given = [self.nodes[s] if type(s) is int else None for s in operands]
        for place in kept_places(name, step.key[1], given, step.nodes[out],
                                 lambda place: self.is_result(operands[place])):
            slot = operands[place] if place != RESULT else first + out
            dtype, result = self.nodes[slot].dtype, step.nodes[out].dtype
            if dtype is not result and dtype.category == result.category == 2:
                continue                         # what is kept is a copy in another type
            memory = self.memory[slot]
            version = len(self.writes.get(memory, ()))
            self.saved.append(_Saved(step, slot, place, memory, version))

    def write(self, step: Step, old: int, new: int | None, base: int | None) -> None:
        memory = self.memory[old if base is None else base]
        self.latest = {memory, self.memory[old]}  # they differ where an earlier program made a view
        for one in self.latest:
            self.writes.setdefault(one, []).append(step)
        if new is None:
            return
        outer = self.maker[new].key[0]
        if outer.__class__ is Operation and outer.name in ("instead", "overwrite"):
            self.memory[new], self.is_view[new] = memory, self.is_view[old]
            new = self.maker[new].key[3]
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
            if s.slot == new and s.place == RESULT:
                s.memory, s.version = memory, len(self.writes[memory])


    def rewrite(self, step: Step, old: int, new: int, counts: str) -> None:
        memory = self.memory[old]
        if counts == "always" or (counts == "elsewhere" and memory not in self.latest):
            self.writes.setdefault(memory, []).append(step)
        self.memory[new], self.is_view[new] = memory, self.is_view[old]


def refuse_overwritten(last: Step, visited: list[Node], execution: Any = None) -> None:
    """Raise if a gradient of `visited` nodes needs what was replaced.

    By a write up to the event `last`, or by one after the run `execution` of these events.
    """
    changed = _changed_since(execution) if execution is not None else set()
    if not last.written and not changed:
        return
    memory = _Memory()
    for step in last.path():
        if step.key is not None:
            memory.follow(step)
    passed = set(visited)
    replaced = {memory.memory[slot] for slot, node in enumerate(memory.nodes) if node in changed}
    for s in reversed(memory.saved):
        writes = memory.writes.get(s.memory, ())
        late = s.memory in replaced
        if (late or len(writes) > s.version) and not passed.isdisjoint(s.step.nodes):
            where, maker = "in place after its use", None
            if len(writes) > s.version:
                where, maker = writes[-1].extra, _present_name(memory, s, writes[-1])
            elif s.place == RESULT:
                maker = _title(s.step.key[0].name)
            raise RuntimeError(inplace_error(memory.nodes[s.slot], where, maker,
                                             len(writes) + late, s.version))
    _refuse_unknown(memory, passed, changed)


def _changed_since(execution: Any) -> set[Node]:
    """The nodes of a run whose tensors were written later."""
    return {node for node, value in execution.known.items()
            if value.written and node not in execution.written_before}


def _refuse_unknown(memory: _Memory, passed: set[Node], changed: set[Node]) -> None:
    """A changed leaf that an operation reads of which it is not known what it keeps."""
    for slot, node in enumerate(memory.nodes):
        if node in changed and node.op == "input" and node.requires_grad:
            for step in {id(s): s for s in memory.maker}.values():
                first = step.key[0] if step.key else None
                if (isinstance(first, Operation) and slot in step.key[3:]
                        and not is_known(first.name) and not first.shares_memory
                        and not passed.isdisjoint(step.nodes)):
                    raise RuntimeError(inplace_error(node, "in place after its use", None))


def _present_name(memory: _Memory, saved: _Saved, write: Step) -> str | None:
    """The operation that made what is kept, as it is now; None for a leaf."""
    if saved.place == RESULT:
        return _title(saved.step.key[0].name)
    kind, old, new, base = write.key
    if kind == "rewritten":
        base = None
    if not any(n is not None and memory.nodes[n].requires_grad for n in (old, new, base)):
        return None
    if memory.is_view[saved.slot] or (saved.step.key[0].name == "linear" and saved.place == 1):
        return "AsStrided"                   # PyTorch transposes the weight, which is a view
    if base is not None:
        return "torch::autograd::CopySlices"
    maker = None if new is None else memory.maker[new].key[0]
    if not isinstance(maker, Operation):
        return None
    if maker.name in ("clone", "overwrite"):
        return "torch::autograd::CopyBackwards"
    return _title(maker.name)


def _title(name: str) -> str:
    words = _NAMES.get(name, name).strip("_").split("_")
    return "".join(w[:1].upper() + w[1:] for w in words)


def inplace_error(node: Node | Aval, where: str, maker: str | None, present: int = 1,
                  expected: int = 0) -> str:
    """PyTorch's message, with the line that wrote and, of a node, the one that made it."""
    kind = f"[torch.{node.dtype.legacy_name}Tensor {list(node.shape)}]"
    kind += f", which is output 0 of {maker}," if maker else ""
    site = node.site if isinstance(node, Node) else None
    made = f" (made at {site[0]}:{site[1]})" if site else ""
    return ("one of the variables needed for gradient computation has been modified by an inplace "
            f"operation: {kind} is at version {present}; expected version {expected} instead. "
            f"Written {where}{made}. Hint: use an operation that makes a new tensor there, or "
            "clone the tensor before writing.")
