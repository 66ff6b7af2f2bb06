"""Blocks of memory straight from the system, moved to huge pages once they are hot.

Below `buffer`. Huge pages make a step of ResNet-50 5 % faster (fewer misses of the TLB), and on
bare metal they are also the faster ones to touch first. Not so in a virtual machine whose host
takes back what the guest does not use: there 2 MB of small pages cost 1 ms, which come from what
the guest recycles, and a huge page 4.5 ms (2 s more in the first step of ResNet-50). So blocks
begin with small pages; after `HOT_USES` uses they have lost about what huge pages cost at worst.
"""

import mmap

import numpy as np

__all__ = ["HUGE_PAGE", "Block"]

HUGE_PAGE = 2 << 20
HOT_USES = 64
_COLLAPSE = 25             # MADV_COLLAPSE of Linux 6.1: move to huge pages now
# Python maps shared memory unless told otherwise: a forked child would write into its parent's, and
# it gets no huge pages
_PRIVATE = ({"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE")
            else {})


class Block:
    """`size` bytes at `address`, mapped for this block alone and unmapped with it.

    From two huge pages on it is aligned to one.
    """

    __slots__ = ("address", "is_fresh", "_pages", "_start", "_size", "_uses")

    def __init__(self, size):
        large = size >= 2 * HUGE_PAGE
        self.is_fresh = True          # nothing was written yet: zeros
        self._pages = mmap.mmap(-1, size + (HUGE_PAGE if large else 0), **_PRIVATE)
        base = np.frombuffer(self._pages, np.uint8).ctypes.data
        self.address = -(-base // HUGE_PAGE) * HUGE_PAGE if large else base
        self._start, self._size = self.address - base, size // HUGE_PAGE * HUGE_PAGE
        self._uses = 0 if large and hasattr(mmap, "MADV_HUGEPAGE") else HOT_USES + 1

    def use(self):
        """Counts one more use of the block's memory."""
        self.is_fresh = False
        self._uses += 1
        if self._uses == HOT_USES:
            self._advise(mmap.MADV_HUGEPAGE)
            self._advise(_COLLAPSE)

    def _advise(self, advice):
        try:
            self._pages.madvise(advice, self._start, self._size)
        except OSError:      # an older Linux, or no huge page left: small ones stay
            self._uses = HOT_USES + 1
