"""The zip format of checkpoints: one folder of records, stored without compression.

``data.pkl`` holds the object, ``data/0``, ``data/1`` ... the storages' bytes, each starting at a
multiple of 64 in the file so that it can be mapped; ``version`` and ``byteorder`` are text.
"""

from __future__ import annotations

import os
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np

from .tensors import ALIGNMENT, aligned_bytes

#: How often larger than the file a compressed record may be: DEFLATE reaches 1032.
_MAX_EXPANSION = 1100
#: Records below this are small whatever they claim.
_SMALL = 1 << 24
#: A compressed pickle that expands beyond this is no checkpoint's: PyTorch stores it as it is.
LARGEST_PACKED_PICKLE = 1 << 26
#: What zipfile raises for a directory that makes no sense, features of other archives included.
_DAMAGES = (zipfile.BadZipFile, ValueError, IndexError, OverflowError, NotImplementedError,
            struct.error)
_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
_PAD_FIELD = b"FB"


def record(name: str, size: int, position: int) -> zipfile.ZipInfo:
    """Return a zip entry whose data will start at a multiple of 64.

    Args:
        name: path in the archive.
        size: bytes of data.
        position: where in the file the entry starts.
    """
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    info.compress_type = zipfile.ZIP_STORED
    info.file_size = size
    info.flag_bits |= 0x800  # the name is UTF-8
    zip64 = 20 if size > zipfile.ZIP64_LIMIT else 0
    start = position + _LOCAL_HEADER.size + len(name.encode("utf-8")) + zip64 + 4
    pad = -start % ALIGNMENT
    info.extra = _PAD_FIELD + struct.pack("<H", pad) + b"Z" * pad
    return info


def write_zip(file: BinaryIO, folder: str, pickled: bytes, storages: list) -> None:
    """Write an archive that PyTorch reads, also mapped and weights-only.

    Args:
        file: where to; need not be seekable.
        folder: name of the one folder that holds all records.
        pickled: the stream of ``data.pkl``.
        storages: arrays, in the order of their keys.
    """
    records: list[tuple[str, Any]] = [("data.pkl", pickled), ("byteorder", sys.byteorder.encode())]
    records += [(f"data/{key}", memoryview(data).cast("B")) for key, data in enumerate(storages)]
    records.append(("version", b"3\n"))
    archive = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED)
    try:
        for name, data in records:
            size = data.nbytes if isinstance(data, memoryview) else len(data)
            # ZipFile keeps the position of the next entry here, for files that cannot tell.
            info = record(f"{folder}/{name}", size, archive.start_dir)
            with archive.open(info, "w", force_zip64=size > zipfile.ZIP64_LIMIT) as entry:
                entry.write(data)
        archive.close()
    except BaseException:
        # No end of the archive is written then, whose own error would stand in for this one.
        archive.fp = None
        raise


class ZipReader:
    """Reads records of an archive, checking what its directory claims.

    Args:
        file: open for reading, seekable.
        described: what to call the file in messages.

    Raises:
        RuntimeError: if the archive is truncated, damaged or not a checkpoint.
    """

    def __init__(self, file: BinaryIO, described: str) -> None:
        self.file = file
        self.described = described
        file.seek(0, os.SEEK_END)
        self.size = file.tell()
        try:
            self.archive = zipfile.ZipFile(file)
        except _DAMAGES as error:
            raise RuntimeError(
                "PytorchStreamReader failed reading zip archive: failed finding central "
                f"directory: {described} has {self.size} bytes and no intact end ({error}); it "
                "was cut short while being downloaded or saved. Fetch it again"
            ) from None
        self.entries: dict[str, zipfile.ZipInfo] = {}
        self._check_entries()

    def _fail(self, problem: str) -> RuntimeError:
        return RuntimeError(
            f"PytorchStreamReader failed reading zip archive: {problem} in {self.described}"
        )

    def _check_entries(self) -> None:
        folder = None
        stored = 0
        for info in self.archive.infolist():
            if info.is_dir():
                continue
            top, slash, name = info.filename.partition("/")
            if not slash:
                raise self._fail(f"file in archive is not in a subdirectory: {info.filename}")
            folder = folder or top
            if top != folder:
                continue  # PyTorch ignores what lies elsewhere
            if name in self.entries:
                raise self._fail(f"two records are called {name!r}")
            if info.flag_bits & 1:
                raise self._fail(f"the record {name!r} is encrypted")
            self._check_sizes(info, name)
            stored += info.compress_size
            self.entries[name] = info
        if stored > self.size:
            raise self._fail(
                f"the records claim {stored} bytes, more than the file's {self.size},"
            )
        self.folder = folder

    def _check_sizes(self, info: zipfile.ZipInfo, name: str) -> None:
        if not 0 <= info.header_offset <= self.size:
            raise self._fail(f"the record {name!r} lies outside of the file")
        if info.compress_type == zipfile.ZIP_STORED:
            if info.file_size != info.compress_size:
                raise self._fail(f"the record {name!r} has two different sizes")
        elif info.compress_type != zipfile.ZIP_DEFLATED:
            raise self._fail(f"the record {name!r} has an unknown compression")
        elif info.file_size > max(_SMALL, _MAX_EXPANSION * info.compress_size):
            raise self._fail(f"the record {name!r} claims to expand beyond what is possible")

    def __contains__(self, name: str) -> bool:
        return name in self.entries

    def _entry(self, name: str) -> zipfile.ZipInfo:
        if name not in self.entries:
            raise self._fail(f"file not found: {name}")
        return self.entries[name]

    def data_start(self, name: str) -> int:
        """Return where a stored record's bytes start in the file."""
        info = self._entry(name)
        self.file.seek(info.header_offset)
        header = self.file.read(_LOCAL_HEADER.size)
        if len(header) < _LOCAL_HEADER.size or header[:4] != b"PK\x03\x04":
            raise self._fail(f"the record {name!r} has no header")
        *_, name_length, extra_length = _LOCAL_HEADER.unpack(header)
        start = info.header_offset + _LOCAL_HEADER.size + name_length + extra_length
        if start + info.compress_size > self.size:
            raise self._fail(f"the record {name!r} reaches beyond the end of the file")
        return start

    def read(self, name: str, limit: int | None = None) -> np.ndarray:
        """Return a record's bytes, checked by their checksum.

        Args:
            name: the record, without the folder.
            limit: how many bytes are expected at most, which bounds what is decompressed.
        """
        info = self._entry(name)
        if limit is not None and info.compress_type != zipfile.ZIP_STORED:
            if info.file_size > max(limit, _SMALL):
                raise self._fail(f"the record {name!r} is larger than it should be")
        start = self.data_start(name)
        self.file.seek(start)
        if info.compress_type == zipfile.ZIP_STORED:
            data = aligned_bytes(info.file_size)
            _read_into(self.file, memoryview(data.data))
        else:
            unpacker = zlib.decompressobj(-15)
            packed = self.file.read(info.compress_size)
            try:
                plain = unpacker.decompress(packed, info.file_size + 1)
            except zlib.error as error:
                raise self._fail(f"the record {name!r} is damaged ({error})") from None
            if len(plain) != info.file_size:
                raise self._fail(f"the record {name!r} has not the size that it claims")
            data = aligned_bytes(len(plain))
            data[:] = np.frombuffer(plain, np.uint8)
        if zlib.crc32(data.data) != info.CRC:
            raise self._fail(f"the record {name!r} is damaged: its checksum is wrong,")
        return data

    def text(self, name: str) -> str:
        """Return a short text record, stripped."""
        if self._entry(name).file_size > 1024:
            raise self._fail(f"the record {name!r} is too long")
        return bytes(self.read(name)).decode("ascii", "replace").strip()

    def map(self, name: str, whole: np.ndarray) -> np.ndarray:
        """Return a record's bytes as a part of the mapped file."""
        info = self._entry(name)
        if info.compress_type != zipfile.ZIP_STORED:
            raise self._fail(f"the record {name!r} is compressed and cannot be mapped")
        start = self.data_start(name)
        return whole[start : start + info.file_size]


def _read_into(file: BinaryIO, target: memoryview) -> None:
    """Fill ``target``; files may return less than asked for."""
    position = 0
    while position < len(target):
        if hasattr(file, "readinto"):
            count = file.readinto(target[position:])  # type: ignore[attr-defined]
        else:
            chunk = file.read(len(target) - position)
            count = len(chunk)
            target[position : position + count] = chunk
        if not count:
            raise EOFError("the file ends early")
        position += count


@contextmanager
def new_file(path: str) -> Iterator[BinaryIO]:
    """Open ``path`` for writing so that it is complete or unchanged, whatever happens.

    Raises:
        RuntimeError: if the folder does not exist.
    """
    path = os.path.realpath(path)  # a link stays a link
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise RuntimeError(f"Parent directory {folder} does not exist.")
    if os.path.exists(path) and not os.path.isfile(path):  # /dev/null, a pipe
        with open(path, "wb") as device:
            yield device
        return
    from .._atomic_file import atomic_path

    mode = os.stat(path).st_mode & 0o7777 if os.path.exists(path) else None
    with atomic_path(path) as temporary:
        with open(temporary, "wb") as file:
            yield file
        if mode is not None:
            os.chmod(temporary, mode)
