"""Storages: the memory behind tensors, as far as programs look at it.

``t.untyped_storage().data_ptr()`` tells whether tensors share memory; sizes and bytes can be read.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import dtypes
from .record.values import concrete
from .tensor import Tensor, from_value

__all__ = ["TypedStorage", "UntypedStorage"]


def _base(tensor: Tensor) -> np.ndarray:
    """The memory that `tensor` is a view of, as an array in the storage type."""
    storage = tensor._storage
    if storage is None:
        return tensor._array()
    tensor._fetch()                        # NumPy code may have written
    storage = storage.whole or storage
    if storage.pinned is not None:
        return storage.pinned
    value = storage.value
    if value.trace is not None:
        value.trace.flush_here()
    return value.array


class UntypedStorage:
    """The bytes of a tensor's memory.

    >>> import flambeau as torch
    >>> torch.zeros(3).untyped_storage().nbytes()
    12
    """

    def __init__(self, tensor: Tensor):
        self._tensor = tensor

    def nbytes(self) -> int:
        """How many bytes there are."""
        return _base(self._tensor).nbytes

    size = nbytes
    __len__ = nbytes

    def data_ptr(self) -> int:
        """The address of the first byte (0 if there are none)."""
        array = _base(self._tensor)
        return array.__array_interface__["data"][0] if array.size else 0

    @property
    def device(self) -> dtypes.device:
        return self._tensor.device

    def tolist(self) -> list[int]:
        """The bytes as numbers."""
        return _base(self._tensor).reshape(-1).view(np.uint8).tolist()

    def __getitem__(self, index):
        return self.tolist()[index]

    def cpu(self) -> UntypedStorage:
        return self

    def is_shared(self) -> bool:
        return self._tensor.is_shared()

    def resize_(self, size: int):
        """Raises: the size of a tensor's memory follows its elements here."""
        raise NotImplementedError("UntypedStorage.resize_ is not supported: use Tensor.resize_")

    def __repr__(self) -> str:
        shown = "\n".join(f" {b}" for b in self.tolist()[:20])
        return f"{shown}\n[torch.storage.UntypedStorage(device=cpu) of size {self.nbytes()}]"


class TypedStorage:
    """The elements of a tensor's memory."""

    def __init__(self, tensor: Tensor):
        self._tensor = tensor
        self.dtype = tensor.dtype

    def _flat(self) -> Tensor:
        return from_value(concrete(_base(self._tensor).reshape(-1), self.dtype))

    def untyped(self) -> UntypedStorage:
        return UntypedStorage(self._tensor)

    def size(self) -> int:
        """How many elements there are."""
        return _base(self._tensor).size

    __len__ = size

    def nbytes(self) -> int:
        return _base(self._tensor).nbytes

    def data_ptr(self) -> int:
        return UntypedStorage(self._tensor).data_ptr()

    @property
    def device(self) -> dtypes.device:
        return self._tensor.device

    def tolist(self) -> list[Any]:
        """The elements as numbers."""
        return self._flat().tolist()

    def __getitem__(self, index):
        return self.tolist()[index]

    def __iter__(self):
        return iter(self.tolist())

    def __repr__(self) -> str:
        shown = "\n".join(f" {v}" for v in self.tolist())
        return (f"{shown}\n[torch.storage.TypedStorage(dtype={self.dtype!r}, device=cpu) of size "
                f"{self.size()}]")


def data_ptr(tensor: Tensor) -> int:
    """The address of the tensor's first element (0 if it has none)."""
    if tensor.numel() == 0:
        return 0
    return UntypedStorage(tensor).data_ptr() + tensor.storage_offset() * tensor.element_size()
