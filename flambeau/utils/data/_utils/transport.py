"""How batches travel from a worker to the main process: shared memory, copied out on arrival.

Pipeline: fetch and collate (worker) -> **transport** -> DataLoader's ``__next__``. Each worker
has one anonymous shared file, mapped by both sides. It holds a few slots, sized by the first
batch and reused; a slot grows by doubling when a batch does not fit. No names lie in /dev/shm, no
file descriptors travel with batches, and nothing is left when processes die. Where no shared
memory can be had, arrays go through the pipe together with the rest of the batch.
"""

from __future__ import annotations

import copyreg
import io
import mmap
import os
import pickle
import tempfile
from multiprocessing import reduction
from typing import Any

import numpy as np

import flambeau

from ....tensor import from_array

#: Starts of arrays in a slot: one cache line.
ALIGNMENT = 64
#: Batches with less array data than this go through the pipe: 16 KiB fit its buffer.
INLINE_LIMIT = 1 << 14


def open_segment() -> int | None:
    """Return a file descriptor of an empty anonymous shared file, or None without shared memory.

    ``memfd_create`` is not bounded by the size of /dev/shm; elsewhere an unlinked file serves.
    """
    if os.name == "nt":  # a descriptor cannot be handed to a process
        return None
    if hasattr(os, "memfd_create"):
        try:
            return os.memfd_create("flambeau-batches")
        except OSError:
            pass
    directory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            return os.dup(file.fileno())
    except OSError:
        return None


def _reserve(descriptor: int, offset: int, size: int) -> None:
    """Grow the file, allocating its pages now: a later lack would be a SIGBUS.

    Raises:
        OSError: if the memory is not there.
    """
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, offset, size)
    else:
        os.ftruncate(descriptor, offset + size)


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _tensor_state(tensor: Any) -> tuple:
    """Return how to rebuild a tensor, with its values as a contiguous array."""
    if tensor.requires_grad and not tensor.is_leaf:
        raise RuntimeError(
            "Cowardly refusing to serialize non-leaf tensor which requires_grad, since autograd "
            "does not support crossing process boundaries.  If you just want to transfer the "
            "data, call detach() on the tensor before serializing (e.g., putting it on the queue)."
        )
    return tensor._array(), tensor.dtype, tensor.requires_grad


def _rebuild_tensor(array: Any, dtype: Any, requires_grad: bool) -> Any:
    tensor = from_array(array, dtype)
    return tensor.requires_grad_() if requires_grad else tensor


class _BatchPickler(pickle.Pickler):
    dispatch_table = copyreg.dispatch_table.copy()

    def reducer_override(self, value: Any) -> Any:
        if type(value) is flambeau.Tensor:
            return _rebuild_tensor, _tensor_state(value)
        return NotImplemented


_BatchPickler.dispatch_table.update(reduction.ForkingPickler._extra_reducers)  # type: ignore[attr-defined]


class SlotWriter:
    """The worker's end: packs a batch into a free slot, or into the message itself.

    Args:
        descriptor: of the shared file, or None.
        slots: how many batches may lie in it at a time.
    """

    def __init__(self, descriptor: int | None, slots: int) -> None:
        self._descriptor = descriptor
        self._regions: list[tuple[int, int]] = [(0, 0)] * slots  # offset, capacity
        self._free = list(range(slots))
        self._file_size = 0
        self._map: mmap.mmap | None = None
        self.shortage: str | None = None

    def release(self, slots: list[int]) -> None:
        """Take back slots whose batches have been copied out."""
        self._free.extend(slots)

    def _grow(self, slot: int, size: int) -> None:
        """Give a slot a new region at the file's end; the old one stays unused."""
        assert self._descriptor is not None
        capacity = _aligned(max(size, 2 * self._regions[slot][1]))
        _reserve(self._descriptor, self._file_size, capacity)
        self._regions[slot] = (self._file_size, capacity)
        self._file_size += capacity
        self._map = mmap.mmap(self._descriptor, self._file_size)

    def _place(self, views: list[memoryview]) -> tuple[int, int, list[tuple[int, int]]] | None:
        """Copy buffers into a slot; return (slot, file size, places), or None if there is none."""
        size = sum(_aligned(view.nbytes) for view in views)
        if size < INLINE_LIMIT or self._descriptor is None or not self._free:
            return None
        slot = self._free.pop()
        if self._regions[slot][1] < size:
            try:
                self._grow(slot, size)
            except OSError as error:
                self._free.append(slot)
                self._descriptor = None  # from now on through the pipe
                self.shortage = (
                    f"DataLoader: no shared memory for a batch of {size / 1e6:.1f} MB ({error}). "
                    "Batches go through a pipe instead, which is slower. In a container give it "
                    "more memory (docker: --shm-size), or lower prefetch_factor or num_workers."
                )
                return None
        assert self._map is not None
        offset = self._regions[slot][0]
        places = []
        for view in views:
            places.append((offset, view.nbytes))
            target = np.frombuffer(self._map, np.uint8, view.nbytes, offset)
            target[:] = np.frombuffer(view, np.uint8)
            offset += _aligned(view.nbytes)
        return slot, self._file_size, places

    def pack(self, batch: Any) -> tuple:
        """Return a picklable message that :meth:`SlotReader.unpack` turns into the batch."""
        buffers: list[pickle.PickleBuffer] = []
        stream = io.BytesIO()
        _BatchPickler(stream, 5, buffer_callback=buffers.append).dump(batch)
        views = [buffer.raw() for buffer in buffers]
        placed = self._place(views)
        if placed is None:
            placed = (-1, 0, [bytes(view) for view in views])  # type: ignore
        return (stream.getvalue(), *placed)  # type: ignore[misc]


class SlotReader:
    """The main process's end: copies batches out, so that slots are free at once."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        self._map: mmap.mmap | None = None
        self._map_size = 0

    def unpack(self, message: tuple) -> tuple[Any, int]:
        """Return the batch and the slot that it lay in (-1 if it came through the pipe)."""
        stream, slot, file_size, places = message
        if slot < 0:
            buffers = [np.frombuffer(data, np.uint8).copy() for data in places]
        else:
            assert self._descriptor is not None
            if self._map is None or self._map_size < file_size:
                self._map = mmap.mmap(self._descriptor, file_size)
                self._map_size = file_size
            buffers = [
                np.frombuffer(self._map, np.uint8, size, offset).copy() for offset, size in places
            ]
        return pickle.loads(stream, buffers=buffers), slot

    def close(self) -> None:
        """Unmap and close the shared file."""
        self._map = None
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class SegmentHandle:
    """A descriptor that survives the way into a worker, whatever the start method.

    A forked worker inherits it as it is; a spawned one receives a duplicate.
    """

    def __init__(self, descriptor: int | None) -> None:
        self.descriptor = descriptor

    def __reduce__(self) -> tuple:
        if self.descriptor is None:
            return SegmentHandle, (None,)
        return _handle_from_duplicate, (reduction.DupFd(self.descriptor),)


def _handle_from_duplicate(duplicate: Any) -> SegmentHandle:
    return SegmentHandle(duplicate.detach())
