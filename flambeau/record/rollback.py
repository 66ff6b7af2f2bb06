"""What is left when a program fails: the tensors that it was to write are what they were before.

An index out of range, or memory that runs out, is noticed when a program runs: the update of the
parameters was recorded by then. It has not been written yet, so their former values are still among
the program's leaves. As in PyTorch, where the step would have ended in its forward pass, the model
can be used, and the loop can go on with the next batch.
"""

from __future__ import annotations

from typing import Any
from weakref import ref

from .trace import Trace
from .values import Value

__all__ = ["hand_over", "note_write", "roll_back"]


def note_write(trace: Trace, place: Any, old: Value, is_small: bool = False) -> None:
    """Remember that a tensor, or a storage, which holds `old` is about to hold another value.

    What the program does not read is not kept for this, unless it is small: its memory would be
    taken until the program has run. What it held is lost if that fails.
    """
    if old.trace is trace:
        trace.writes.append((ref(place), old.slot))
    elif is_small:
        trace.writes.append((ref(place), old))


def hand_over(trace: Trace, storage: Any, tensor: Any) -> None:
    """Let a tensor, which holds its value itself from now on, have the writes of its storage."""
    trace.writes[:] = [(ref(tensor), old) if place() is storage else (place, old)
                       for place, old in trace.writes]


def roll_back(trace: Trace, error: BaseException) -> None:
    """Undo the writes of a program that `error` ended; what else it was to compute is an error."""
    values = trace.values
    words = str(error) or type(error).__name__
    for value in values:
        if not value.is_concrete:
            value.error = words
    for reference, slot in reversed(trace.writes):
        place = reference()
        if place is None:
            continue
        if isinstance(slot, Value):
            place._restore(slot)
        elif values[slot].is_concrete and not place._value.is_concrete:
            place._restore(values[slot])
    for slot in trace.leaves:
        owner = values[slot].owner
        leaf = None if owner is None else owner()
        if leaf is not None and leaf._grad is not None and leaf._grad._value.error is not None:
            leaf._grad = None
