"""Memory of tensors and arenas: 64-byte aligned blocks that are kept and given out again.

Fresh memory costs 0.6 ms a megabyte in page faults (measured in a virtual machine; 0.1 to 0.3 on
bare metal), more than most kernels take to fill it. So a freed block goes back to the pool of its
size class, and the operating system sees it again only when the pool holds more than its limit.
Size classes lie 12.5 to 25 % apart. Large blocks are mapped (`_pages`), for huge pages.
"""

import os
import threading

import numpy as np

from flambeau.runtime import _cpu
from flambeau.runtime._out_of_memory import OutOfMemoryError
from flambeau.runtime._pages import Block

__all__ = ["Buffer", "is_view", "memory_statistics", "release_pool", "reset_peak",
           "set_pool_limit", "size_class"]

ALIGNMENT = 64
_MAPPED_FROM = 1 << 20  # larger blocks are mapped, so that releasing them gives the pages back
_SLAB = 1 << 18  # smaller ones than a sixteenth of this are cut from slabs
_DEFAULT_LIMIT = 4 << 30


class _Pool:
    """Free blocks by size class, and the counts of bytes."""

    def __init__(self):
        self.lock = threading.RLock()
        self.free = {}  # class size -> [(address, memory object)]
        # blocks come back here first: __del__ may run anywhere, even inside the code below, so it
        # does nothing but this one atomic append
        self.returned = []
        self.current = self.peak = self.held = 0
        self.slab = None
        self.slab_left = 0
        self.limit = min(_DEFAULT_LIMIT, (_cpu.memory_bytes() or _DEFAULT_LIMIT) // 4)

    def take(self, size):
        """A block of the class `size`."""
        with self.lock:
            if self.returned:
                self.collect()
            block = self.known(size)
        return block if block is not None else self.fresh(size)

    def known(self, size):
        """A block that is free or cut from a slab, else None; `lock` is held."""
        self.current += size
        if self.current > self.peak:
            self.peak = self.current
        stack = self.free.get(size)
        if stack:
            self.held -= size
            block = stack.pop()
            if size >= _MAPPED_FROM:
                block[1].use()
            return block
        return self.cut(size) if size <= _SLAB // 16 else None

    def fresh(self, size):
        """A block from the system, after `known` counted it."""
        try:
            return _fresh(size)
        except MemoryError:
            release_pool()
            try:
                return _fresh(size)
            except MemoryError:
                with self.lock:
                    self.current -= size
                raise OutOfMemoryError.of(
                    size, f"{self.current} are in use; try a smaller batch") from None

    def cut(self, size):
        if self.slab_left < size:
            self.slab, self.slab_left = _fresh(_SLAB), _SLAB
        address, memory = self.slab
        self.slab_left -= size
        return address + self.slab_left, memory

    def collect(self):
        """Sorts the returned blocks into the pool; `lock` is held."""
        returned, free, total = self.returned, self.free, 0
        while returned:
            size, block = returned.pop()
            total += size
            stack = free.get(size)
            if stack is None:
                free[size] = [block]
            else:
                stack.append(block)
        self.current -= total
        self.held += total
        if self.held > self.limit:
            self.trim(self.limit // 2)

    def trim(self, target):
        """Gives blocks back to the system, the largest first, until `target` bytes are held."""
        for size in sorted(self.free, reverse=True):
            stack = self.free[size]
            while stack and self.held > target:
                stack.pop()
                self.held -= size
            if not stack:
                del self.free[size]


def _fresh(size):
    """(address, object that owns the memory) of a new block."""
    if size < _MAPPED_FROM:
        memory = np.empty(size + ALIGNMENT, np.uint8)
        return -(-memory.ctypes.data // ALIGNMENT) * ALIGNMENT, memory
    try:
        block = Block(size)
    except (OSError, ValueError, OverflowError) as error:
        raise MemoryError(str(error)) from None
    return block.address, block


def size_class(nbytes):
    """The size of the block that a buffer of `nbytes` is given."""
    if nbytes <= 512:
        return (nbytes + 63) & -64 or 64
    step = 1 << ((nbytes - 1).bit_length() - 3)  # four to eight classes between powers of two
    if step < 64:
        step = 64
    return (nbytes + step - 1) & -step


_pool = _Pool()


class Buffer:
    """`nbytes` of memory at `pointer`, 64-byte aligned; its contents start out undefined.

    >>> buffer = Buffer(16)
    >>> view = buffer.array("float32", (2, 2))
    >>> view[:] = 1
    >>> buffer.array("float32", (4,)).tolist()
    [1.0, 1.0, 1.0, 1.0]
    """

    __slots__ = ("pointer", "nbytes", "_size", "_block", "__weakref__")

    def __init__(self, nbytes):
        self.nbytes = nbytes
        self._size = 0  # so that a failed allocation returns nothing
        size = size_class(nbytes)
        self._block = block = _pool.take(size)
        self.pointer = block[0]
        self._size = size

    def __del__(self):
        if self._size:
            _pool.returned.append((self._size, self._block))

    @classmethod
    def several(cls, sizes):
        """Buffers for pairs (bytes, size class): half the time of making one after the other."""
        pool, made, missing = _pool, [], []
        with pool.lock:
            if pool.returned:
                pool.collect()
            for nbytes, size in sizes:
                self = cls.__new__(cls)
                self.nbytes, self._size = nbytes, 0
                made.append(self)
                block = pool.known(size)
                if block is None:
                    missing.append((self, size))
                else:
                    self.pointer, self._block, self._size = block[0], block, size
        for self, size in missing:
            self._block = block = pool.fresh(size)
            self.pointer, self._size = block[0], size
        return made

    @classmethod
    def from_array(cls, array):
        """A buffer over the memory of a C-contiguous array, which it keeps alive.

        The pointer has the array's alignment, which may be less than 64.
        """
        if not isinstance(array, np.ndarray):   # a NumPy scalar's interface shows a passing copy
            raise TypeError(f"Buffer.from_array expects an array; received {type(array).__name__}")
        if not array.flags.c_contiguous:
            raise ValueError("Buffer.from_array expects a C-contiguous array; received strides "
                             f"{array.strides} for shape {array.shape}")
        self = cls.__new__(cls)
        self.nbytes = array.nbytes
        self._size, self._block = 0, array
        self.pointer = array.__array_interface__["data"][0]  # half the cost of .ctypes.data
        return self

    @classmethod
    def zeros(cls, nbytes):
        """A buffer of zeros; fresh pages are zeros, and cost nothing before they are used."""
        self = cls(nbytes)
        if self._size < _MAPPED_FROM or not self._block[1].is_fresh:
            self.array(np.uint8, (nbytes,)).fill(0)
        return self

    def copy(self):
        """Another buffer of the same bytes."""
        other = Buffer(self.nbytes)
        np.copyto(other.array(np.uint8, (self.nbytes,)), self.array(np.uint8, (self.nbytes,)))
        return other

    @property
    def block(self):
        """What owns the memory: a block of the pool, or the array given to `from_array`."""
        return self._block

    def array(self, dtype, shape, strides=None, offset=0):
        """A NumPy view, C-contiguous or with `strides` in bytes, that keeps this alive."""
        return np.asarray(_View(self, np.dtype(dtype), tuple(shape), strides, offset))

    def __repr__(self):
        return f"Buffer({self.nbytes} bytes at {self.pointer:#x})"


class _View:
    """What NumPy needs to make an array over a buffer; the array keeps it, and it the buffer."""

    __slots__ = ("__array_interface__", "buffer")

    def __init__(self, buffer, dtype, shape, strides, offset):
        extent = _extent(dtype.itemsize, shape, strides)
        if offset < 0 or offset + extent > buffer.nbytes:
            raise ValueError(f"an array of shape {shape}, {dtype}, at byte {offset} reaches beyond "
                             f"the {buffer.nbytes} bytes of its buffer")
        self.buffer = buffer
        self.__array_interface__ = {"version": 3, "typestr": dtype.str, "shape": shape,
                                    "strides": strides, "data": (buffer.pointer + offset, False)}


def is_view(array):
    """Whether `Buffer.array` made this array."""
    return type(array.base) is _View


def _extent(itemsize, shape, strides):
    """Bytes from the first element of an array to the end of the last."""
    if strides is None:
        for n in shape:
            itemsize *= n
        return itemsize
    if 0 in shape:
        return 0
    for n, stride in zip(shape, strides):
        if stride < 0:
            raise ValueError("negative strides are not supported; flip the array instead")
        itemsize += (n - 1) * stride
    return itemsize


def memory_statistics():
    """Bytes in use by buffers (`current`), their maximum (`peak`), and in the pool (`held`)."""
    with _pool.lock:
        _pool.collect()
        return {"current": _pool.current, "peak": _pool.peak, "held": _pool.held}


def reset_peak():
    """Makes the bytes in use now the peak."""
    with _pool.lock:
        _pool.collect()
        _pool.peak = _pool.current


def set_pool_limit(nbytes):
    """Bounds the free memory that is kept: by default 4 GB or a quarter of the memory."""
    with _pool.lock:
        _pool.limit = nbytes
        _pool.collect()


def release_pool():
    """Gives all free memory back to the operating system."""
    with _pool.lock:
        _pool.collect()
        _pool.trim(0)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_pool.lock.acquire, after_in_parent=_pool.lock.release,
                        after_in_child=_pool.lock.release)
