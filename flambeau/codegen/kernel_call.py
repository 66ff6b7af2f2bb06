"""What a planner hands to the compiler: one native kernel with its arguments and its work.

Below the planners (`contract`, `convolve`, `pooling`, the fused loops) and above the executor: a
planner returns a list of :class:`KernelCall` objects, to be run one after another; the compiler
replaces the symbolic buffers by places in memory and the executor splits the items over threads.

A planner that needs memory between its calls asks for it by `allocate(nbytes)`, which returns a
buffer id. Two calls of one name have the same machine code, so nothing that may change from step
to step (batch extents, pointers, learning rates) may enter a name or an IR text.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable
from typing import Any

from flambeau.codegen.types import I64, PTR

__all__ = ["ArgumentTable", "Epilogue", "Integer", "KernelCall", "Operand", "Pointer",
           "default_grain"]


@dataclasses.dataclass(frozen=True)
class Pointer:
    """An argument slot that holds the address of a byte in a symbolic buffer."""

    buffer: Hashable
    offset: int = 0

    def shifted(self, nbytes: int) -> Pointer:
        """The pointer `nbytes` further on."""
        return Pointer(self.buffer, self.offset + nbytes)


@dataclasses.dataclass(frozen=True)
class Integer:
    """An argument slot that holds an i64."""

    value: int


@dataclasses.dataclass(frozen=True)
class Operand:
    """An array in memory: the address of its first element, and its strides in elements."""

    pointer: Pointer
    strides: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Epilogue:
    """What is done to each vector of results before it is stored.

    `emit(f, value, row, column, mask, slot)` returns the new vector: `f` is the emitter's Function,
    `value` a vector of results (its type tells the lanes, which vary), `row` the i64 index of the
    row of the output (batch and rows, or batch and pixels, counted through), `column` that of the
    first lane, `mask` the lanes that exist or None for all, and `slot` the index of the first of
    `args` in the argument table, for `f.pointer_arg(slot + i)`. It may read the output's own memory
    at its own elements, which still hold what was there before. `key` names the code: equal keys,
    equal code. `prefetch(f, row, column, slot)` asks for the lines that `emit` reads and writes
    there beside the output's.
    """

    key: str
    emit: Callable[..., Any]
    args: tuple[Pointer | Integer, ...] = ()
    prefetch: Callable[..., Any] = lambda f, row, column, slot: None


@dataclasses.dataclass
class KernelCall:
    """One parallel loop over `items`, of which a thread takes `grain` at a time.

    `name` is canonical and `str(ir_text)` its code; `args` fills the table of 8-byte slots;
    `scratch` is in bytes per thread. `flops` and `bytes` estimate the work, `label` is for people.
    """

    name: str
    ir_text: object
    args: list[Pointer | Integer]
    items: int
    grain: int = 1
    scratch: int = 0
    flops: int = 0
    bytes: int = 0
    label: str = ""


class ArgumentTable:
    """The slots of a kernel by name: pointers, an epilogue's own slots, then integers.

    >>> table = ArgumentTable(("x", "y"), ("rows",))
    >>> table.slot("rows")
    2
    """

    def __init__(self, pointers, integers, epilogue: Epilogue | None = None):
        extra = len(epilogue.args) if epilogue else 0
        self.epilogue = epilogue
        self.epilogue_slot = len(pointers)
        self._pointers, self._integers = tuple(pointers), tuple(integers)
        self._slots = {name: i for i, name in enumerate(self._pointers)}
        first = len(self._pointers) + extra
        self._slots.update((name, first + i) for i, name in enumerate(self._integers))
        self.size = first + len(self._integers)

    def slot(self, name: str) -> int:
        """The index of the slot called `name`."""
        return self._slots[name]

    def load(self, f, *names):
        """The values of slots in the function `f`, whose first parameter is the table."""
        values = [f.pointer_arg(self._slots[name]) if name in self._pointers
                  else f.int_arg(self._slots[name]) for name in names]
        return values[0] if len(values) == 1 else values

    def load_here(self, f, name: str):
        """The value of a slot, loaded where it is used: for functions with many of them.

        Loaded on entry (`load`), dozens of integers live through every loop of a driver, and LLVM
        spends most of its time on placing them in registers and on the stack.
        """
        pointer = f.parameters[0]
        return f.load(PTR if name in self._pointers else I64, f.at(pointer, self._slots[name], I64))

    def fill(self, **values) -> list[Pointer | Integer]:
        """The argument list; pointers are given as Pointer, integers as int."""
        if set(values) != set(self._slots):
            raise ValueError(f"slots {sorted(self._slots)} take values; "
                             f"received {sorted(values)}")
        args: list[Pointer | Integer] = [values[name] for name in self._pointers]
        args.extend(self.epilogue.args if self.epilogue else ())
        args.extend(Integer(int(values[name])) for name in self._integers)
        return args


def default_grain(items: int, work_per_item: int, least: int = 200_000) -> int:
    """Items of one chunk: enough work (flops or bytes) to be worth handing to a thread."""
    return max(1, min(items, -(-least // max(1, work_per_item))))
