"""Keeps NumPy's OpenBLAS to one thread while small programs are interpreted.

Beside the pool, whose programs need the cores that OpenBLAS's threads would hold: these spin for
about 70 ms after each product before they sleep, and compiled programs take twice as long meanwhile
(a product of 512: 2.5 ms instead of 1.25). The products of a program that is small enough to be
interpreted take 3 ms at most on one thread.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from typing import NamedTuple

__all__ = ["OneThread"]


class _Switch(NamedTuple):
    get: Callable[[], int]
    set: Callable[[int], None]


# of the library in NumPy's wheels, with 64-bit and 32-bit integers, and of a system's own
_NAMES = ("scipy_openblas_{}_num_threads64_", "scipy_openblas_{}_num_threads",
          "openblas_{}_num_threads64_", "openblas_{}_num_threads")


def _found() -> _Switch | None:
    """OpenBLAS's functions, if NumPy is linked to it."""
    try:
        from numpy._core import _multiarray_umath as numpy_core
    except ImportError:                      # NumPy 1
        from numpy.core import _multiarray_umath as numpy_core
    try:
        # a look-up in a library goes on in those that it was linked to
        library = ctypes.CDLL(numpy_core.__file__)
    except OSError:
        return None
    for name in _NAMES:
        try:
            getter, setter = (getattr(library, name.format(way)) for way in ("get", "set"))
        except AttributeError:
            continue
        setter.argtypes, setter.restype = (ctypes.c_int,), None
        return _Switch(getter, setter)
    return None


class _Limit:
    """How many threads of Python are inside, and the number of OpenBLAS's to go back to."""

    def __init__(self):
        self.lock = threading.Lock()
        self.inside, self.before = 0, 0
        self.switch: _Switch | None = None
        self.is_known = False


_limit = _Limit()


class OneThread:
    """A context in which NumPy's products run on the calling thread.

    The number of threads is the whole process's: products of the user's other threads run on one
    as well until the last context ends, which gives OpenBLAS its number back.
    """

    def __enter__(self) -> None:
        with _limit.lock:
            if not _limit.is_known:
                _limit.switch, _limit.is_known = _found(), True
            if _limit.switch is not None and not _limit.inside:
                _limit.before = _limit.switch.get()
                _limit.switch.set(1)
            _limit.inside += 1

    def __exit__(self, *_: object) -> None:
        with _limit.lock:
            _limit.inside -= 1
            if _limit.switch is not None and not _limit.inside:
                _limit.switch.set(_limit.before)


def _forget_after_fork() -> None:
    """In a forked child, where the threads that were inside do not exist."""
    global _limit
    left, _limit = _limit, _Limit()
    if left.inside and left.switch is not None:
        left.switch.set(left.before)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
