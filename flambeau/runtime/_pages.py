"""Blocks of memory straight from the system, moved to huge pages once they are hot.

Below `buffer`. Huge pages make a step of ResNet-50 5 % faster (fewer misses of the TLB), a chain
over 64 MB 10 %, and on bare metal they are also the faster ones to touch first. Not so in a virtual
machine whose host takes back what the guest does not use: there 2 MB of small pages cost 1 ms,
which come from what the guest recycles, and a huge page 4.5 ms (2 s more in the first step of
ResNet-50). So blocks begin with small pages. Every `WARM_USES` uses some are moved, as long as a
huge page costs little more than the copy, 0.2 ms; after `HOT_USES`, when small pages have lost
about what huge ones cost at worst, the rest of them.
"""

import mmap
import time

import numpy as np

__all__ = ["HUGE_PAGE", "Block"]

HUGE_PAGE = 2 << 20
WARM_USES, HOT_USES = 8, 64
CHEAP_SECONDS = 0.8e-3     # for one huge page
_COLLAPSE = 25             # MADV_COLLAPSE of Linux 6.1: move to huge pages now
# Python maps shared memory unless told otherwise: a forked child would write into its parent's, and
# it gets no huge pages
_PRIVATE = ({"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE")
            else {})


class Block:
    """`size` bytes at `address`, mapped for this block alone and unmapped with it.

    From two huge pages on it is aligned to one.
    """

    __slots__ = ("address", "is_fresh", "_pages", "_start", "_end", "_uses")

    def __init__(self, size):
        large = size >= 2 * HUGE_PAGE
        self.is_fresh = True          # nothing was written yet: zeros
        self._pages = mmap.mmap(-1, size + (HUGE_PAGE if large else 0), **_PRIVATE)
        base = np.frombuffer(self._pages, np.uint8).ctypes.data
        self.address = -(-base // HUGE_PAGE) * HUGE_PAGE if large else base
        self._start = self.address - base          # of what has small pages
        self._end = self._start + size // HUGE_PAGE * HUGE_PAGE
        self._uses = 0 if large and hasattr(mmap, "MADV_HUGEPAGE") else HOT_USES + 1

    def use(self):
        """Counts one more use of the block's memory."""
        self.is_fresh = False
        self._uses += 1
        if self._uses <= HOT_USES and self._uses % WARM_USES == 0:
            self._move(CHEAP_SECONDS if self._uses < HOT_USES else float("inf"))

    def _move(self, patience):
        """Moves to huge pages one after the other, as long as each takes less than `patience`."""
        try:
            if self._start < self._end:
                self._pages.madvise(mmap.MADV_HUGEPAGE, self._start, self._end - self._start)
            while self._start < self._end:
                begin = time.perf_counter()
                self._pages.madvise(_COLLAPSE, self._start, HUGE_PAGE)
                self._start += HUGE_PAGE
                if time.perf_counter() - begin > patience:
                    break
        except OSError:      # an older Linux, or no huge page left: small ones stay
            self._uses = HOT_USES + 1
