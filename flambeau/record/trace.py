"""The recorder: every operation is matched against the programs seen so far.

Known programs form a trie of :class:`Step`. A :class:`Trace` is one pending program: a cursor into
the trie and the values made on the way. An operation whose event the cursor knows costs a dict
look-up; an unknown one builds graph nodes, which infers and checks. `flush` runs the program.

An event's key holds the operation, its static arguments, the slots of its operands and the type
of each Python number among them: the numbers themselves are inputs of the program.
"""

from __future__ import annotations

import os
import threading
from typing import Any

from .. import dtypes
from ..graph.ir import Node, building, p
from ..runtime._cpu import memory_bytes
from ..runtime._interrupts import arrive_between_calls
from .sites import user_site
from .values import Aval, Value, aval_of

__all__ = ["NUMBER_TYPES", "Operation", "Step", "Trace", "current_trace", "flush", "record",
           "reset_programs", "run_if_volatile", "run_later", "state"]

OPERATION_LIMIT = 4000          # a program longer than this runs: the loop it unrolls may not end
BYTE_LIMIT = 2 << 30            # likewise for what its results would occupy at once
# All that is known is forgotten after so many steps (about 2 kB each), or kernels of programs (11
# kB each, graph and tables included): data of ever new shapes would fill the memory otherwise.
TRIE_LIMIT = 60_000
KERNEL_LIMIT = min(2 << 30, (memory_bytes() or 8 << 30) // 8) // 11_000


class Operation:
    """What the trie knows of a declared operation: a name and a body over nodes."""

    __slots__ = ("name", "build", "refusal", "shares_memory")

    def __init__(self, name: str, build, refusal=None, shares_memory: bool | str = False):
        self.name = name
        self.build = build          # build(operands: list of Node, number nodes, None; static)
        self.refusal = refusal      # (place, operands, static) -> TypeError for an operand
        self.shares_memory = shares_memory     # with its first operand; or "if possible"

    def __repr__(self) -> str:
        return f"<operation {self.name}>"


class Step:
    """One event of known programs: the nodes it adds and what may follow."""

    __slots__ = ("children", "parent", "key", "nodes", "avals", "structure", "outputs", "depth",
                 "scalars", "bytes", "full", "programs", "variants", "extra", "site", "freed",
                 "written")

    def __init__(self, parent: Step | None, key: Any, nodes: tuple[Node, ...], scalars: int):
        self.children: dict[Any, Step] = {}
        self.parent = parent
        self.key = key
        self.nodes = nodes
        self.avals: tuple[Aval, ...] = tuple(aval_of(n.shape, n.dtype) for n in nodes)
        self.outputs = tuple((a, n.requires_grad) for a, n in zip(self.avals, nodes))
        self.structure: Any = None        # how the outputs are arranged: None for one tensor
        self.depth = 0 if parent is None else parent.depth + 1
        self.scalars = scalars            # Python numbers up to here
        self.bytes = sum(a.nbytes for a in self.avals) + (parent.bytes if parent else 0)
        self.full = self.depth > OPERATION_LIMIT or self.bytes > BYTE_LIMIT
        self.programs: dict[Any, Any] | None = None
        self.variants: dict[Any, Any] = {}        # the same by what execute() sees first
        self.extra: Any = None            # what macro events keep: see record/backward.py
        self.site = building.site
        self.freed: frozenset[Node] = parent.freed if parent else frozenset()
        self.written: bool = parent is not None and parent.written     # see record/saved.py

    def path(self) -> list[Step]:
        """The steps from the root to this one."""
        steps, step = [], self
        while step is not None:
            steps.append(step)
            step = step.parent
        return steps[::-1]


_claiming = threading.Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_claiming.acquire, after_in_parent=_claiming.release,
                        after_in_child=_claiming.release)
_FINISHED = Step(None, None, (), 0)
_FINISHED.full = True              # the next operation begins another program


class _State(threading.local):
    def __init__(self):
        self.trace = Trace()


class _Trie:
    def __init__(self):
        self.clear()

    def clear(self):
        building_site, building.site = building.site, None
        self.root = Step(None, None, (), 0)
        building.site = building_site
        self.size = 0
        self.kernels = 0               # of programs that were compiled


trie = _Trie()


class Trace:
    """A program being recorded. Values belong to it while their `trace` is this object."""

    __slots__ = ("cursor", "values", "scalars", "leaves", "executions", "_nodes", "root",
                 "hooked", "functions", "roots", "execution", "entered", "differentiated",
                 "updated", "ended", "foreign", "lock", "interrupted", "writes")

    def __init__(self):
        if trie.size > TRIE_LIMIT or trie.kernels > KERNEL_LIMIT:
            trie.clear()
            from .report import forget_programs
            forget_programs()
        self.root = trie.root
        self.cursor = trie.root
        self.values: list[Value] = []              # by slot: leaves and results
        self.scalars: list[Any] = []
        self.leaves: list[int] = []                # the slots that are leaves, in order
        self.executions: dict[Any, int] = {}       # whose values came in, numbered
        self._nodes: list[Node] | None = []        # by slot; None: to be rebuilt from the path
        self.hooked: dict[int, Any] = {}           # slots whose gradient passes through hooks
        self.functions: dict[int, Any] = {}        # slots made by user-defined functions
        self.roots: set[int] = set()               # slots a running backward still needs
        self.execution: Any = None                 # set when run, if gradients may be wanted
        self.entered: dict[Any, Value] = {}        # earlier results that are differentiated again
        self.differentiated = False                # a backward pass was recorded
        self.updated = False                       # and then a leaf was written
        self.ended = False                         # complete: runs before more is recorded
        self.lock = threading.RLock()
        self.interrupted: Any = None               # how it ran when Ctrl-C stopped it
        self.foreign: dict[int, int] = {}          # leaves that another thread holds: id, slot
        self.writes: list[tuple] = []              # what to undo if it fails: see rollback.py

    # ---- leaves ------------------------------------------------------------------------------

    def enter(self, value: Value) -> int:
        """Make `value`, computed earlier, a leaf of this program; its slot."""
        if value.trace is not None:
            if not value.is_concrete:
                value.trace.flush_here()           # pending in another thread or a lost trace
            elif id(value) in self.foreign:
                return self.foreign[id(value)]
        if not value.is_concrete:
            raise RuntimeError(value.failure())
        history = None
        if value.history is not None:
            execution, node = value.history
            number = self.executions.setdefault(execution, len(self.executions))
            # a consumed graph is like any other: a loop that uses its last loss is one program
            history = (execution.program, execution.program and node, number)
        if value.volatile:
            reads_numpy[0] = True
        owned = value.owner is not None
        key = (value.aval, owned, history)
        step = self.cursor.children.get(key)
        if step is None:
            before, building.site = building.site, building.site or user_site()
            node = p.input(index=len(self.leaves), shape=tuple(value.aval.shape),
                           dtype=value.aval.dtype)
            node.requires_grad = owned or history is not None
            step = self.add_step(key, (node,), 0)
            building.site = before
        elif self._nodes is not None:
            self._nodes = None
        self.cursor = step
        slot = len(self.values)
        self.values.append(value)
        self.leaves.append(slot)
        with _claiming:
            if value.trace is None:
                value.slot, value.trace = slot, self
            else:                                  # a leaf of another thread's program as well
                self.foreign[id(value)] = slot
        return slot

    # ---- the slow path ------------------------------------------------------------------------

    def add_step(self, key, nodes: tuple[Node, ...], scalars: int, **more) -> Step:
        """Extend the trie behind the cursor by a step with `more` attributes, complete at once."""
        known = self.nodes()
        step = Step(self.cursor, key, nodes, self.cursor.scalars + scalars)
        for name, value in more.items():
            setattr(step, name, value)
        self.cursor.children[key] = step
        trie.size += 1
        known.extend(nodes)
        return step

    def nodes(self) -> list[Node]:
        """The graph node of every slot."""
        if self._nodes is None:
            self._nodes = [node for step in self.cursor.path() for node in step.nodes]
        return self._nodes

    def extend(self, key, operation: Operation, operands, static) -> Step:
        """An event not seen here before: build its nodes (which checks shapes and types)."""
        nodes = self.nodes()
        arguments: list[Node | None] = []
        count = 0
        before, building.site = building.site, user_site(operation.name)
        try:
            for part in key[3:]:
                if part is None:
                    arguments.append(None)
                elif type(part) is int:
                    arguments.append(nodes[part])
                else:
                    arguments.append(p.scalar(index=self.cursor.scalars + count, shape=(),
                                              dtype=NUMBER_TYPES[part]))
                    count += 1
            built = operation.build(arguments, static)
            if isinstance(built, Node):
                return self.add_step(key, (built,), count)
            return self.add_step(key, tuple(built), count,
                                 structure=getattr(built, "structure", tuple))
        finally:
            building.site = before

    # ---- the barrier --------------------------------------------------------------------------

    def flush_here(self) -> None:
        """Run this program and give its living values memory; begin a new one."""
        arrive_between_calls()
        own = state.trace is self
        if own:
            state.trace = Trace()
        with self.lock:                # several threads may want a value that is pending here
            try:
                if self.cursor is not self.root and self.values:
                    from .execute import execute
                    execute(self)
            except BaseException as error:
                if self.interrupted is None:
                    from .rollback import roll_back
                    roll_back(self, error)
                    self._release(own)
                elif own:              # it runs when the next operation is recorded
                    state.trace, self.ended = self, True
                raise
            self._release(own)

    def _release(self, own: bool) -> None:
        """Forget the values of a program that ran, or failed."""
        for value in self.values:
            if value.trace is self:
                value.trace = None
        self.values = []
        if not own:                    # its own thread goes on with a new one
            self.cursor = self.root = _FINISHED


NUMBER_TYPES = {bool: dtypes.bool_, int: dtypes.int64, float: dtypes.float64,
                 complex: dtypes.complex128}

state = _State()


def current_trace() -> Trace:
    """The program that this thread records."""
    trace = state.trace
    if trace.ended:
        trace.flush_here()
    elif trace.root is _FINISHED:
        state.trace = Trace()
    return state.trace


def run_later() -> None:
    """End the program here: it runs when the next operation is recorded or a value is read.

    An optimizer's step ends so rather than by running, because ``zero_grad()`` often follows:
    gradients that nobody holds any more are not written to memory of their own.
    """
    trace = state.trace
    trace.ended = trace.cursor is not trace.root         # else it ran in the step


def flush() -> None:
    """Run what is pending in this thread."""
    trace = state.trace
    if trace.cursor is not trace.root or trace.root is _FINISHED:
        trace.flush_here()


def reset_programs() -> None:
    """Forget all known programs (what is pending runs first)."""
    flush()
    trie.clear()
    state.trace = Trace()


def plain_number(x):
    """`x` as a Python number, or a TypeError."""
    if type(x) in NUMBER_TYPES:
        return x
    if isinstance(x, (bool, int, float, complex)):
        return next(t for t in (bool, int, float, complex) if isinstance(x, t))(x)
    item = getattr(x, "item", None)
    if item is not None and getattr(x, "ndim", None) == 0:
        found = item()
        if type(found) in NUMBER_TYPES:
            return found
    if hasattr(x, "__index__"):
        return x.__index__()
    raise TypeError(f"must be Tensor or a number, not {type(x).__name__}")


# Whether what was recorded last reads memory that NumPy code may write before the program runs.
reads_numpy = [False]


def run_if_volatile() -> None:
    """Run what is pending where it reads such memory."""
    if reads_numpy[0]:
        reads_numpy[0] = False
        flush()


def record(operation: Operation, operands: tuple, static) -> tuple[Step, list[Value]]:
    """Record one operation; its step and the values of its outputs.

    Operands are tensors (anything with `_fetch()` giving a Value), None, or Python numbers.
    """
    trace = state.trace
    if trace.ended or trace.cursor.full or (trace.updated and _begins_step(operands)):
        flush()
        trace = state.trace
    key: list[Any] = [operation, static, building.grad_enabled]
    scalars = trace.scalars
    numbers = len(scalars)
    for x in operands:
        if x is None:
            key.append(None)
            continue
        kind = x.__class__
        if kind is float or kind is int:           # asking them for _value would cost 0.5 us
            scalars.append(x)
            key.append(kind)
            continue
        try:
            value = x._value
        except AttributeError:
            if type(x) not in NUMBER_TYPES:
                try:
                    x = plain_number(x)
                except TypeError as error:
                    del scalars[numbers:]
                    if operation.refusal is None:
                        raise TypeError(f"{operation.name}(): an operand {error}") from None
                    raise operation.refusal(len(key) - 3, operands, static) from None
            scalars.append(x)
            key.append(type(x))
            continue
        if x._storage is not None:
            value = x._fetch()
            if value.volatile:
                reads_numpy[0] = True
            if state.trace is not trace:           # fetching ran what was pending
                return record(operation, operands, static)
        key.append(value.slot if value.trace is trace else trace.enter(value))
    found = tuple(key)
    step = trace.cursor.children.get(found)
    if step is None:
        try:
            step = trace.extend(found, operation, operands, static)
        except BaseException:
            del scalars[numbers:]
            raise
    else:
        trace._nodes = None
    trace.cursor = step
    if len(step.outputs) != 1:
        return step, new_values(trace, step)
    (aval, requires_grad), = step.outputs            # written out: a tenth of an operation's time
    value = Value(aval, None, trace, len(trace.values), requires_grad)
    trace.values.append(value)
    return step, [value]


def _begins_step(operands) -> bool:
    """Whether an operation reads a leaf after a loop without an optimizer has updated it.

    The update ran to its end, as at the end of ``optimizer.step()``: running here makes every
    step the same program, where going on would unroll the loop until somebody reads a value.
    """
    return building.grad_enabled and any(
        getattr(x, "_requires_grad", False) for x in operands)


def new_values(trace: Trace, step: Step) -> list[Value]:
    """Pending values for the outputs of `step`, numbered."""
    slot = len(trace.values)
    made = [Value(aval, None, trace, slot + i, requires_grad)
            for i, (aval, requires_grad) in enumerate(step.outputs)]
    trace.values += made
    return made
