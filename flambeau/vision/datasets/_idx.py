"""Reading IDX files, the format of MNIST."""

from __future__ import annotations

import gzip
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
    opener = gzip.open if os.fspath(path).endswith(".gz") else open
    with opener(path, "rb") as file:
        content = file.read()
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _IDX_DTYPES:
        raise ValueError(f"{path} is not an IDX file: it begins with {content[:4]!r}")
    rank = content[3]
    shape = np.frombuffer(content, ">u4", count=rank, offset=4).tolist()
    dtype = np.dtype(_IDX_DTYPES[content[2]])
    begin, needed = 4 + 4 * rank, math.prod(shape) * dtype.itemsize
    if len(content) - begin < needed:
        raise ValueError(
            f"{path} is cut short: its header promises {needed} bytes of data, "
            f"{len(content) - begin} are there. Delete it and download it again."
        )
    values = np.frombuffer(content, dtype, count=math.prod(shape), offset=begin)
    return values.reshape(shape).astype(dtype.newbyteorder("="))


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
