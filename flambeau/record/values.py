"""Values: what tensors are handles on, either concrete memory or a slot of the pending program."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from ..dtypes import Size
from ..dtypes import dtype as DType

__all__ = ["Aval", "Value", "aval_of", "concrete", "references"]


class Aval:
    """An abstract value: shape and dtype. Interned, so that equality is identity."""

    __slots__ = ("shape", "dtype", "numel", "nbytes")
    _known: dict[tuple, Aval] = {}

    def __init__(self, shape: Size, dtype: DType):
        self.shape = shape
        self.dtype = dtype
        self.numel = shape.numel()
        self.nbytes = self.numel * dtype.itemsize

    def __repr__(self) -> str:
        return f"{self.dtype.name}{list(self.shape)}"


def aval_of(shape, dtype: DType) -> Aval:
    """The interned abstract value of a shape and dtype."""
    key = (shape if type(shape) is tuple else tuple(shape), dtype)
    found = Aval._known.get(key)
    if found is None:
        if len(Aval._known) > 100_000:      # values keep theirs alive; only identity is lost
            Aval._known.clear()
        found = Aval._known[key] = Aval(Size(key[0]), dtype)
    return found


class Value:
    """An immutable tensor value.

    While pending, `trace` is the program being recorded and `slot` its number there. Once run it
    has memory: C-contiguous, in the dtype's storage type, as an array, a buffer or both. `owner`
    is a weak reference to the leaf tensor that accumulates this value's gradient; `history` is
    the (execution, node) that computed a value which requires gradients.
    """

    __slots__ = ("aval", "trace", "slot", "_array", "_buffer", "owner", "history",
                 "requires_grad", "shared", "volatile", "written", "error", "twin", "__weakref__")

    def __init__(self, aval: Aval, array: np.ndarray | None = None, trace: Any = None,
                 slot: int = -1, requires_grad: bool = False):
        self.aval = aval
        self.trace = trace
        self.slot = slot
        self._array = array
        self._buffer = None
        self.owner = None
        self.history = None
        self.requires_grad = requires_grad
        self.shared = False       # the memory is visible outside: never written by donation
        self.volatile = False     # NumPy code may write the memory: what reads it runs at once
        self.written = 0          # whether its tensor has another value now: see `replace`
        # why the program that should have computed it failed, in words: the exception would keep
        # alive what the frames of its traceback hold, such as a batch too large for the memory
        self.error: str | None = None
        # twin: a weak reference to the value on this memory that a run keeps for its gradients

    @property
    def is_concrete(self) -> bool:
        return self._array is not None or self._buffer is not None

    @property
    def array(self) -> np.ndarray:
        """The memory as an array of the logical shape (only when concrete)."""
        if self._array is None:
            if self._buffer is None:
                raise RuntimeError(self.failure())
            self._array = self._buffer.array(self.aval.dtype.storage, tuple(self.aval.shape))
        return self._array

    @property
    def buffer(self):
        """The memory as a runtime buffer (only when concrete)."""
        if self._buffer is None:
            from ..runtime.buffer import Buffer
            self._buffer = Buffer.from_array(self.array)
        return self._buffer

    def failure(self) -> str:
        """The message of an error where it is needed and has no memory."""
        if self.error is None:
            return "a pending value has no memory yet"
        return f"this tensor was to be computed by a program that failed: {self.error}"

    def set_memory(self, memory) -> None:
        """Take the memory that a run made: an array of the interpreter's or a buffer."""
        if memory.__class__ is np.ndarray:
            self._array = memory if memory.shape == self.aval.shape else memory.reshape(
                self.aval.shape)                   # a view of another result
        else:
            self._buffer = memory

    def set_buffer(self, buffer) -> None:
        self._buffer = buffer

    def set_array(self, array: np.ndarray) -> None:
        self._array = array

    def references_to(self, array: np.ndarray) -> int:
        """How many references to `array` this value holds."""
        buffer = self._buffer
        return (self._array is array) + (buffer is not None and buffer.block is array)

    def is_private(self) -> bool:
        """Whether nobody else can reach the memory, whatever `shared` says.

        Those who shared a new parameter's memory (the tensor it was made of) are mostly gone.
        """
        array, buffer = self._array, self._buffer
        if buffer is not None and references(buffer) > 2:          # held here and by the name
            return False
        if array is None and buffer is not None:
            array = buffer.block
            if not isinstance(array, np.ndarray):
                return True                                        # a block of the pool
        if (array is None or not array.flags.writeable
                or references(array) > 1 + self.references_to(array)):
            return False
        base = array.base
        while isinstance(base, np.ndarray):
            if references(base) > 2:                               # held by its view and the name
                return False
            base = base.base
        return base is None                                        # the last one owns its memory

    def replace(self, by: int = 1) -> None:
        """Its tensor gets another value: by an in-place operation (1), by an optimizer (2)."""
        self.written = by
        twin = getattr(self, "twin", None)
        if twin is not None and (kept := twin()) is not None:
            kept.written = by

    def sibling(self) -> Value:
        """Another value on the same memory, without owner or history."""
        other = Value(self.aval, self._array)
        other._buffer = self._buffer
        other.shared = self.shared = True       # neither may be donated: the other reads it
        other.volatile = self.volatile
        return other

    def restored(self) -> Value:
        """This value for the tensor that held it: with its owner or history."""
        other = self.sibling()
        other.owner, other.history = self.owner, self.history
        other.requires_grad = self.requires_grad
        return other

    def successor(self, array: np.ndarray) -> Value:
        """What stands here after NumPy code wrote: `array`, for the same leaf or the same history.

        Automatic differentiation does not see such a write, in PyTorch either.
        """
        other = Value(self.aval, array, requires_grad=self.requires_grad)
        other.owner, other.history, other.written = self.owner, self.history, self.written
        twin = getattr(self, "twin", None)
        if twin is not None:
            other.twin = twin
        return other

    def __repr__(self) -> str:
        return f"<Value {self.aval!r} {'concrete' if self.is_concrete else 'pending'}>"


def references(thing) -> int:
    """How many references to `thing` there are outside this call, the caller's names included."""
    return sys.getrefcount(thing) - _OWN_REFERENCES


_OWN_REFERENCES = 0


def _calibrate() -> int:
    """What `references` itself holds: versions of Python differ in what a call borrows."""
    thing = object()
    return references(thing) - 1


_OWN_REFERENCES = _calibrate()


def concrete(array: np.ndarray, dtype: DType) -> Value:
    """A value holding `array` (C-contiguous, in the storage type of `dtype`)."""
    return Value(aval_of(array.shape, dtype), array)
