"""Memory that several tensors share, and NumPy code with them.

Values never change, so tensors that share memory refer to a :class:`Storage`: its value is replaced
by a write, and each tensor derives its own from it again, by its chain of view operations. Tensors
of one storage have one history of gradients. ``detach()``, ``.data`` and a view that was made a
leaf begin another: a storage that sees the memory of the `whole` one and has a value of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import flambeau.graph.primitives  # noqa: F401

from .graph.ir import building
from .graph.ir import p as primitives
from .ops.declare import DECLARED
from .record.rollback import note_write
from .record.saved import mark_rewritten, mark_written
from .record.trace import Operation, flush, reads_numpy, record, state
from .record.values import Value, references

__all__ = ["BOUNDARY", "OVERWRITE", "VARIABLE", "Bare", "Storage", "cut_off", "pin", "read_view",
           "replay", "with_gradient_of", "write_through"]

COMPARED_BYTES = 1 << 18     # larger memory of NumPy's is not copied and compared: see `_look`


class Bare:
    """An operand that is only a value."""

    __slots__ = ("_value",)
    _storage = None

    def __init__(self, value: Value):
        self._value = value


class Storage:
    """The present value of memory, as tensors of one history of gradients see it."""

    __slots__ = ("value", "version", "writes", "pinned", "whole", "chain", "seen", "__weakref__")

    def __init__(self, value: Value, writes: list[int], whole: Storage | None = None,
                 chain: tuple = ()):
        self.value = value
        self.version = 0              # changes with the value
        self.writes = writes          # PyTorch's count; `detach()` has the same, `.data` its own
        self.pinned: np.ndarray | None = None     # memory that NumPy code can see as well
        self.whole = whole            # the storage that has the memory, if this one is a part
        self.chain = chain            # leads from the whole to this part
        self.seen = 0 if whole is None else whole.version

    def part(self, value: Value, chain: tuple, counted: bool = True) -> Storage:
        """What `chain` leads to, with `value` and a history of its own."""
        return Storage(value, self.writes if counted else [0], self.whole or self,
                       self.chain + chain)

    def refresh(self) -> None:
        """Take what was written by others: NumPy code, or tensors of another history."""
        whole = self.whole
        if whole is None:
            _look(self)
            return
        if whole.pinned is not None:
            _look(whole)
        # held here and by the name: nobody else has the memory any more
        elif references(whole) == 2 and not self.chain and self.seen == whole.version:
            self.whole = None
            return
        if self.seen != whole.version or (whole.value.volatile and not self.value.volatile):
            self.seen = whole.version
            self.take(_part_of(whole, self))

    def prepare_write(self) -> None:
        """Keep what an in-place operation is about to overwrite: backward may read it."""
        whole = self.whole or self
        if whole.value.volatile and whole.pinned is not None:
            _copy(whole, whole.pinned)

    def take(self, numbers: Value) -> None:
        """Hold other numbers; what gradients belong to stays as it was."""
        old, self.version = self.value, self.version + 1
        note_write(state.trace, self, old)
        leaf = self.leaf()
        if leaf is None:
            self.value = with_gradient_of(old, numbers) if old.requires_grad else numbers
        else:
            leaf._own(numbers)                   # which sets the value
            leaf._seen = self.version

    @property
    def _value(self) -> Value:
        return self.value

    def _restore(self, value: Value) -> None:
        """Hold again what was here before a write of a program that failed."""
        leaf = self.leaf()
        self.value, self.version = value.restored(), self.version + 1
        if leaf is not None:
            leaf._value, leaf._seen = self.value, self.version

    def leaf(self) -> Any:
        """The leaf tensor whose value this is, or None."""
        owner = self.value.owner
        leaf = None if owner is None else owner()
        return leaf if leaf is not None and leaf._storage is self else None

    def write(self, chain: tuple, old: Value, value: Value, mark: bool) -> None:
        """Let `value` be what `chain` leads to, where `old` was."""
        base, leaf = self.value, self.leaf()
        before = building.grad_enabled
        building.grad_enabled = before and leaf is None      # `.data`, or no_grad: stays a leaf
        try:
            base.replace()
            if chain:
                value = write_through(base, chain, value)
            if leaf is None and base.requires_grad and not building.grad_enabled:
                value = with_gradient_of(base, value)
            counts = "always"
            if mark and mark_written(state.trace, old, value, base if chain else None):
                counts = "elsewhere"
        finally:
            building.grad_enabled = before
        note_write(state.trace, self, base)
        self.value = value
        self.version += 1
        self.writes[0] += 1
        if leaf is not None:
            leaf._own(value)
            leaf._seen = self.version
        whole = self.whole or self
        if whole is not self:
            whole.take_part(self, counts if self.writes is whole.writes else "never")
        if whole.pinned is not None:
            _write_pinned(whole)

    def take_part(self, part: Storage, counts: str) -> None:
        """Hold what was written to a part."""
        old = self.value
        building.grad_enabled, before = False, building.grad_enabled
        try:
            numbers = _numbers(part.value, self.writes is part.writes)
            if part.chain:
                numbers = write_through(old, part.chain, numbers)
            if counts != "never":
                old.replace()
            self.take(numbers)
            mark_rewritten(state.trace, old, self.value, counts)
        finally:
            building.grad_enabled = before
        part.seen = self.version


def replay(value: Value, chain: tuple) -> Value:
    """What a chain of views leads to."""
    before, building.grad_enabled = building.grad_enabled, True
    try:
        for declaration, static, index in chain:
            value = record(declaration.operation, (Bare(value),), static)[1][index]
    finally:
        building.grad_enabled = before
    return value


def cut_off(value: Value, kind: str) -> Value:
    """The same numbers without gradient; kind: "detach" or "_private.data", see `DECLARED`."""
    return record(DECLARED[kind].operation, (Bare(value),), ())[1][0]


def _numbers(value: Value, counted: bool) -> Value:
    """A value without gradient; counted: whether writes to it and to that one are counted as one.

    Nothing is recorded where both exist.
    """
    if value.is_concrete and value.trace is None:
        return value.sibling()
    if value.requires_grad or not counted:
        return cut_off(value, "detach" if counted else "_private.data")
    return value


def _part_of(whole: Storage, part: Storage) -> Value:
    """The numbers that a part of memory holds now."""
    value = whole.value
    if value.trace is not None and value.trace.ended:
        value.trace.flush_here()                 # a step, of which this is no part
    if value.volatile:
        found = _read(value, part.chain)
        if found is not None:
            return found
        reads_numpy[0] = True
    before, building.grad_enabled = building.grad_enabled, False
    try:
        value = _numbers(value, part.writes is whole.writes)
        for declaration, static, index in part.chain:
            value = record(declaration.operation, (Bare(value),), static)[1][index]
    finally:
        building.grad_enabled = before
    return value


def with_gradient_of(old: Value, new: Value) -> Value:
    """What a tensor holds after a write that is not differentiated: its gradient stays the old one.

    A leaf's does not need this: it is what gradients are accumulated for.
    """
    before, building.grad_enabled = building.grad_enabled, True
    try:
        return record(_INSTEAD, (Bare(new), Bare(old)), ())[1][0]
    finally:
        building.grad_enabled = before


def write_through(base: Value, chain: tuple, new: Value) -> Value:
    """The base after `new` is written to the view that `chain` leads to."""
    from .ops.view_writes import write_view
    return record(write_view, (Bare(base), Bare(new)), chain)[1][0]


_INSTEAD = Operation("instead", lambda arguments, static: primitives.instead(*arguments))
OVERWRITE = Operation("overwrite", lambda arguments, static: primitives.overwrite(*arguments))


def _beginning(primitive):
    """A body whose result requires gradients, wherever it comes from."""
    def build(arguments, static):
        node = primitive(arguments[0])
        node.requires_grad = True
        return node
    return build


VARIABLE = Operation("variable", _beginning(primitives.variable))
BOUNDARY = Operation("boundary", _beginning(primitives.boundary))


# ---- memory that NumPy sees -------------------------------------------------------------------


def pin(storage: Storage, array: np.ndarray | None = None) -> None:
    """Let a whole storage and `array`, or an array of its value, be the same memory from now on.

    A value that others read (backward, a pending program, tensors that do not know of this
    storage) keeps its memory to itself, NumPy code sees a copy. Large memory is copied for
    backward alone: what is pending runs.
    """
    value = storage.value
    if array is None:
        if not value.is_concrete and value.trace is not None:
            value.trace.flush_here()
        array = value.array
        is_small = array.nbytes <= COMPARED_BYTES
        if not is_small:
            flush()
        if not array.flags.writeable or value.history is not None or (
                is_small and (value.shared or value.trace is not None)):
            array = array.copy()
    storage.pinned = array
    value.volatile = value._array is array
    value.shared = True


def _look(storage: Storage) -> None:
    """Take what NumPy code wrote as the present value.

    Values do not change, so the value is a copy of the memory, made once and compared at each use:
    200 kB in 20 us, where running at once what is recorded, so that nothing can change before,
    makes a step of an MLP two or three programs (0.8 ms became 1.5). Large memory is not copied:
    its value is volatile, the memory itself, and what reads it runs at once.
    """
    memory, value = storage.pinned, storage.value
    if memory is None or not value.is_concrete:
        return                            # a write whose run was interrupted comes first
    # held by the storage, by the name here and by the value: nobody outside sees it any more
    if _is_private(memory) and references(memory) <= 2 + value.references_to(memory):
        storage.pinned = None
        if value.volatile:
            value.volatile = False
            storage.version += 1          # views may be copies from before NumPy's last writes
            return
    elif value.volatile and memory.nbytes > COMPARED_BYTES:
        return
    if not value.volatile and np.array_equal(_bytes(value.array), _bytes(memory)):
        return
    _copy(storage, memory)


def _copy(storage: Storage, memory: np.ndarray) -> None:
    """Let a copy of the memory be the value."""
    value = storage.value
    storage.value = value.successor(memory.copy())
    storage.version += 1
    mark_rewritten(state.trace, value, storage.value, "never")


def _bytes(array: np.ndarray) -> np.ndarray:
    return array.reshape(-1).view(np.uint8)


def _is_private(array: np.ndarray) -> bool:
    """Whether its memory is reached through the array alone: it owns it, or a buffer does."""
    if array.base is None:
        return True
    from .runtime.buffer import is_view
    return is_view(array)


def read_view(view: Any, storage: Storage) -> Value:
    """The present elements of a view of volatile memory, which its value is no longer sure to be.

    Nothing is recorded where that is possible: see `_concrete_view` in indexing.py.
    """
    base, view._seen = storage.value, storage.version
    found = None if base.requires_grad else _read(base, view._chain)
    if found is None:
        reads_numpy[0] = True
        found = replay(base, view._chain)
    view._value = found
    return found


def _read(base: Value, chain: tuple) -> Value | None:
    """What a chain leads to, as memory where that is in order, else copied; None: neither."""
    from ._methods.memory import strided_array
    from .record.values import aval_of
    array = strided_array(base.array, chain)
    if array is None:
        return None
    found = Value(aval_of(array.shape, base.aval.dtype),
                  np.ascontiguousarray(array).reshape(array.shape))
    found.shared = True
    found.volatile = np.may_share_memory(found.array, array)
    return found


def _write_pinned(storage: Storage) -> None:
    """Run what is pending and copy the result into the memory that NumPy sees."""
    value, array = storage.value, storage.pinned
    assert array is not None
    if value.trace is not None:
        value.trace.flush_here()
    np.copyto(array, value.array)
    if array.nbytes > COMPARED_BYTES and array.flags.c_contiguous and not value.requires_grad:
        value.set_array(array)            # one memory again, which nobody compares
        value.set_buffer(None)
        value.volatile = value.shared = True
