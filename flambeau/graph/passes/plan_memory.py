"""Gives every kept value a place: offsets in one arena, with reuse after the last reader.

After `partition`. A value lives from the step that writes it to the last step that reads it; a
planner's temporary lives during its own step. Places are found by first fit.
"""

from __future__ import annotations

import bisect

__all__ = ["ALIGNMENT", "Arena", "last_readers"]

ALIGNMENT = 64


class Arena:
    """Offsets in one block of memory that grows as needed."""

    def __init__(self, reuse: bool = True):
        self.size = 0
        self._reuse = reuse
        self._free: list[tuple[int, int]] = []      # (offset, size), by offset

    def allocate(self, nbytes: int) -> tuple[int, int]:
        """(offset, reserved bytes) of a new block: the tightest hole, or the end."""
        nbytes = -(-max(nbytes, 1) // ALIGNMENT) * ALIGNMENT
        best = None
        for i, (_, size) in enumerate(self._free):
            if size >= nbytes and (best is None or size < self._free[best][1]):
                best = i
        if best is not None:
            offset, size = self._free.pop(best)
            if size > nbytes:
                bisect.insort(self._free, (offset + nbytes, size - nbytes))
            return offset, nbytes
        if self._free and sum(self._free[-1]) == self.size:      # grow the hole at the end
            offset, _ = self._free.pop()
        else:
            offset = self.size
        self.size = offset + nbytes
        return offset, nbytes

    def release(self, block: tuple[int, int]) -> None:
        """Makes a block's memory available again."""
        if not self._reuse:
            return
        offset, size = block
        at = bisect.bisect(self._free, (offset, size))
        if at < len(self._free) and offset + size == self._free[at][0]:
            size += self._free.pop(at)[1]
        if at and sum(self._free[at - 1]) == offset:
            before, more = self._free.pop(at - 1)
            offset, size, at = before, size + more, at - 1
        self._free.insert(at, (offset, size))


def last_readers(reads: list[set]) -> dict:
    """{value: the last step that reads it} from what each step reads."""
    last = {}
    for i, nodes in enumerate(reads):
        for node in nodes:
            last[node] = i
    return last
