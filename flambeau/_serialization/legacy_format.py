"""The format before PyTorch 1.6: pickles one after the other, then the storages' bytes.

In order: a magic number, the protocol version, a description of the machine, the object, the
list of storage keys; then for each key its number of elements and its elements.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from pickle import UnpicklingError
from typing import Any, BinaryIO

import numpy as np

from .tensors import aligned_bytes

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001
#: How a legacy file begins: protocol 2, LONG1 of the magic number.
MAGIC_BYTES = b"\x80\x02\x8a\x0a" + MAGIC_NUMBER.to_bytes(10, "little")


def write_legacy(
    file: BinaryIO, dump: Callable[[Any], bytes], pickled: bytes, storages: dict
) -> None:
    """Write a legacy file.

    Args:
        file: where to.
        dump: pickles one plain value.
        pickled: the object's stream.
        storages: key -> array.
    """
    little = sys.byteorder == "little"
    sizes = {"short": 2, "int": 4, "long": 4}
    system = {"protocol_version": PROTOCOL_VERSION, "little_endian": little, "type_sizes": sizes}
    keys = sorted(storages)
    for part in (dump(MAGIC_NUMBER), dump(PROTOCOL_VERSION), dump(system), pickled, dump(keys)):
        file.write(part)
    for key in keys:
        file.write(struct.pack("<q", len(storages[key])))
        file.write(memoryview(storages[key]).cast("B"))


class LegacyReader:
    """Reads a legacy file pickle by pickle.

    Storages are described in the object's pickle, while their bytes come after it, so that
    loading has two steps: make storages of the declared sizes, then fill them.

    Args:
        data: the whole file.
        load_pickle: (bytes, position, persistent_load) -> (object, position after it).
    """

    def __init__(self, data: memoryview, load_pickle: Callable) -> None:
        self.data = data
        self.load_pickle = load_pickle
        self.position = 0

    def next_pickle(self, persistent_load: Callable | None = None) -> Any:
        """Return the next object of the file."""
        value, self.position = self.load_pickle(self.data, self.position, persistent_load)
        return value

    def read_header(self) -> None:
        """Read the first three pickles.

        Raises:
            RuntimeError: if they are not what they should be.
        """
        magic = self.next_pickle()
        if magic != MAGIC_NUMBER:
            raise RuntimeError("Invalid magic number; corrupt file?")
        version = self.next_pickle()
        if version != PROTOCOL_VERSION:
            raise RuntimeError(f"Invalid protocol version: {version}")
        system = self.next_pickle()
        if not isinstance(system, dict):
            raise UnpicklingError("the description of the machine is no dict")
        self.little_endian = bool(system.get("little_endian", True))

    def new_storage(self, count: Any, dtype: Any) -> np.ndarray:
        """Return room for a storage, refusing more than the file can hold."""
        size = count * dtype.itemsize if type(count) is int and count >= 0 else -1
        if not 0 <= size <= len(self.data):
            raise UnpicklingError(
                f"a storage claims {count!r} elements of {dtype}, and the file has "
                f"{len(self.data)} bytes: it is truncated or hostile"
            )
        return aligned_bytes(size)

    def fill(self, storages: dict) -> None:
        """Read the bytes of the storages, key -> LoadedStorage."""
        keys = self.next_pickle()
        if not isinstance(keys, list):
            raise UnpicklingError("the list of storages is no list")
        for key in keys:
            if key not in storages:
                raise UnpicklingError(f"the file has a storage {key!r} that nothing uses")
            self._fill_one(key, storages[key])

    def _fill_one(self, key: Any, storage: Any) -> None:
        header = bytes(self.data[self.position : self.position + 8])
        size = storage.nbytes()
        start = self.position + 8
        end = start + size
        if len(header) < 8 or end > len(self.data):
            raise UnpicklingError(
                f"the file ends within storage {key!r}: it has {len(self.data)} bytes and needs "
                f"{end}; it was cut short"
            )
        (count,) = struct.unpack("<q", header)
        if count != storage.size():
            raise UnpicklingError(
                f"storage {key!r} is declared with {storage.size()} elements and has {count}"
            )
        storage.data[:] = np.frombuffer(self.data[start:end], np.uint8)
        swap_bytes(storage.data, storage.dtype, self.little_endian)
        self.position = end


def swap_bytes(data: np.ndarray, dtype: Any, little_endian: bool) -> None:
    """Turn elements of the other byte order into this machine's, in place."""
    if little_endian == (sys.byteorder == "little") or dtype is None:
        return
    parts = data.view(np.dtype(f"u{dtype.itemsize // (2 if dtype.is_complex else 1)}"))
    parts.byteswap(inplace=True)
