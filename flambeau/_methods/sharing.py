"""Tensors whose memory several processes see: ``share_memory_``.

The memory is a file without a name, mapped. A forked process inherits the mapping; any other
receives the file's descriptor when the tensor is pickled on its way there. As with memory that
NumPy sees, a write runs at once, and what other processes wrote is there at the next use.
"""

from __future__ import annotations

import mmap
import os
import weakref
from typing import Any

import numpy as np

from ..record.values import concrete
from ..tensor import Tensor, from_value

__all__: list[str] = []


class SharedFile(mmap.mmap):
    """A mapped file without a name; keeps the descriptor that opens it elsewhere."""

    descriptor: int

    @classmethod
    def create(cls, size: int) -> SharedFile:
        """A new file of `size` zeros."""
        if hasattr(os, "memfd_create"):
            descriptor = os.memfd_create("flambeau")
        else:
            import tempfile
            descriptor, name = tempfile.mkstemp()
            os.unlink(name)
        os.ftruncate(descriptor, max(size, 1))
        return cls.of(descriptor, size)

    @classmethod
    def of(cls, descriptor: int, size: int) -> SharedFile:
        """The file of an open descriptor, which is closed with the last use of the memory."""
        made = cls(descriptor, max(size, 1))
        made.descriptor = descriptor
        weakref.finalize(made, os.close, descriptor)
        return made


def _file_of(tensor: Tensor) -> SharedFile | None:
    """The file in which a tensor's memory lies."""
    storage = tensor._storage
    owner: Any = None if storage is None else storage.pinned
    while isinstance(owner, (np.ndarray, memoryview)):
        owner = owner.base if isinstance(owner, np.ndarray) else owner.obj
    return owner if isinstance(owner, SharedFile) else None


def _is_shared(self) -> bool:
    """Whether other processes see this tensor's memory: see ``share_memory_``."""
    return _file_of(self) is not None


def _share_memory(self):
    """Move this tensor into memory that processes share; return it.

    Raises:
        NotImplementedError: for a view: share the tensor that it is a view of.
    """
    if _is_shared(self):
        return self
    if self._chain:
        raise NotImplementedError("share_memory_() of a view is not supported: share the tensor "
                                  "that it is a view of, and take the view afterwards")
    present = self.detach()._array()
    array = _array_in(SharedFile.create(present.nbytes), present.dtype, present.shape)
    np.copyto(array, present)
    _lie_in(self, array)
    _register()
    return self


def _array_in(file: SharedFile, kind: np.dtype, shape: tuple) -> np.ndarray:
    count = int(np.prod(shape, dtype=np.int64))
    return np.frombuffer(file, kind, count).reshape(shape)


def _lie_in(tensor: Tensor, array: np.ndarray) -> None:
    """Let `array`, which holds a tensor's elements, be its memory."""
    storage = tensor._share()
    value = storage.value.successor(array)
    value.shared = True
    storage.value, storage.pinned = value, array
    storage.version += 1                  # whoever else refers to the storage looks again
    tensor._value, tensor._seen = value, storage.version
    if tensor._requires_grad:
        tensor._own(value)


# ---- on the way to another process ------------------------------------------------------------


def _register() -> None:
    """Send shared tensors as descriptors from now on."""
    from multiprocessing.reduction import ForkingPickler

    from ..nn.parameter import Parameter
    ForkingPickler.register(Tensor, _reduce)
    ForkingPickler.register(Parameter, _reduce)


def _reduce(tensor: Tensor) -> tuple:
    file = _file_of(tensor)
    if file is None or tensor._chain:
        return tensor.__reduce_ex__(2)  # type: ignore[return-value]
    from multiprocessing.reduction import DupFd
    array = tensor.detach()._array()
    return _rebuild, (type(tensor), DupFd(file.descriptor), array.dtype.str, array.shape,
                      tensor.dtype, tensor.requires_grad)


def _rebuild(kind: type, duplicate: Any, stored: str, shape: tuple, dtype: Any,
             requires_grad: bool) -> Tensor:
    stored_as = np.dtype(stored)
    size = int(np.prod(shape, dtype=np.int64)) * stored_as.itemsize
    array = _array_in(SharedFile.of(duplicate.detach(), size), stored_as, tuple(shape))
    made = from_value(concrete(array, dtype))
    if kind is not Tensor:
        made = kind(made, requires_grad)
    else:
        made.requires_grad_(requires_grad)
    _lie_in(made, array)
    _register()
    return made
