"""The error of memory that runs out: PyTorch's words, whoever asked for the memory."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

__all__ = ["OutOfMemoryError", "told"]


class OutOfMemoryError(RuntimeError, MemoryError):
    """Memory ran out, of the CPU as well: smaller batches or shapes need less.

    PyTorch's programs catch a RuntimeError, Python's a MemoryError: it is both. What the program
    was to write is as it was, so the loop may go on with a smaller batch.

    >>> import flambeau as torch
    >>> try:
    ...     torch.zeros(10 ** 15)
    ... except torch.OutOfMemoryError as error:
    ...     print(str(error)[:51])
    DefaultCPUAllocator: can't allocate memory: you tri
    """

    @classmethod
    def of(cls, nbytes: int, more: str = "try a smaller batch") -> OutOfMemoryError:
        """The error of a request for `nbytes`."""
        return cls(f"DefaultCPUAllocator: can't allocate memory: you tried to allocate {nbytes} "
                   f"bytes; {more}")


def told(function: Callable) -> Callable:
    """Let an error of memory that NumPy asked for be an `OutOfMemoryError`."""
    @functools.wraps(function)
    def telling(*arguments, **options):
        try:
            return function(*arguments, **options)
        except OutOfMemoryError:
            raise
        except MemoryError as error:
            shape, dtype = getattr(error, "shape", None), getattr(error, "dtype", None)
            if shape is None or dtype is None:
                raise OutOfMemoryError(str(error) or "memory ran out") from None
            size = math.prod(shape) * dtype.itemsize
            raise OutOfMemoryError.of(size, f"shape {list(shape)}, {dtype}") from None
    return telling
