"""Reading IDX files, the format of MNIST."""

from __future__ import annotations

import gzip
import io
import math
import os

import numpy as np

import flambeau

_IDX_DTYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def read_idx(path: str | os.PathLike) -> np.ndarray:
    """The array of an IDX file, in the machine's byte order; `.gz` is decompressed.

    The header is two zero bytes, a type code, the number of dimensions, and each size as a
    big-endian 32-bit integer.
    """
    if os.fspath(path).endswith(".gz"):
        with gzip.open(path, "rb") as packed:
            content = packed.read()
        return _read(io.BytesIO(content), len(content), path)
    with open(path, "rb") as file:
        return _read(file, os.path.getsize(path), path)


def _read(file: io.BufferedIOBase, size: int, path: str | os.PathLike) -> np.ndarray:
    head = file.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _IDX_DTYPES:
        raise ValueError(f"{path} is not an IDX file: it begins with {head!r}. Delete it and "
                         "download it again.")
    rank = head[3]
    sizes = file.read(4 * rank)
    shape = np.frombuffer(sizes, ">u4", len(sizes) // 4).tolist()
    dtype = np.dtype(_IDX_DTYPES[head[2]])
    there, needed = size - 4 - 4 * rank, math.prod(shape) * dtype.itemsize
    if len(shape) < rank or there < needed:
        raise ValueError(
            f"{path} is cut short: its header promises {needed} bytes of data, "
            f"{max(there, 0)} are there. Delete it and download it again."
        )
    # straight into the array: the content twice would be the most that a small model's process
    # ever holds (47 MB for the images of MNIST)
    values = np.empty(shape, dtype)
    target = values.reshape(-1).view(np.uint8).data
    while target:
        count = file.readinto(target)
        if not count:
            raise ValueError(f"{path} is cut short: {len(target)} bytes are missing")
        target = target[count:]
    return values.astype(dtype.newbyteorder("="), copy=False)


def checked(array: np.ndarray, name: str, rank: int) -> np.ndarray:
    """`array`, if it holds bytes and has so many dimensions."""
    if array.dtype != np.uint8:
        raise TypeError(f"{name} should be of dtype torch.uint8 instead of torch.{array.dtype}")
    if array.ndim != rank:
        raise ValueError(f"{name} should have {rank} dimension instead of {array.ndim}")
    return array


def read_sn3_pascalvincent_tensor(path: str, strict: bool = True):
    """The tensor of an IDX file; `strict` refuses data beyond what the header promises."""
    array = read_idx(path)
    if strict and os.path.getsize(path) != 4 + 4 * array.ndim + array.nbytes:
        raise AssertionError(f"{path} is longer than its header says")
    return flambeau.from_numpy(array)


def read_label_file(path: str):
    """The labels of an IDX file, as an int64 tensor."""
    return flambeau.from_numpy(checked(read_idx(path), "x", 1).astype(np.int64))


def read_image_file(path: str):
    """The images of an IDX file, as a uint8 tensor of N x height x width."""
    return flambeau.from_numpy(checked(read_idx(path), "x", 3))
