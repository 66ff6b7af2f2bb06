"""The safetensors format: a JSON header, then the tensors' bytes.

The first 8 bytes are the header's length; the header maps names to element type, shape and the
place of the bytes. Nothing in it can be executed.
"""

from __future__ import annotations

import json
import math
import sys
from pickle import UnpicklingError
from typing import Any, BinaryIO

import numpy as np

from .. import dtypes
from ..tensor import from_array
from .tensors import aligned_bytes, natural_numbers

#: The format's own limit.
_MAX_HEADER = 100_000_000
_TYPES = {
    "F64": dtypes.float64,
    "F32": dtypes.float32,
    "F16": dtypes.float16,
    "BF16": dtypes.bfloat16,
    "I64": dtypes.int64,
    "I32": dtypes.int32,
    "I16": dtypes.int16,
    "I8": dtypes.int8,
    "U8": dtypes.uint8,
    "BOOL": dtypes.bool_,
    "C64": dtypes.complex64,
}


def _read_header(file: BinaryIO, size: int) -> tuple[dict, int]:
    """Return the header and where the tensors' bytes start."""
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > min(size - 8, _MAX_HEADER):
        raise UnpicklingError(f"the safetensors header claims {length} bytes of {size}")
    try:
        header = json.loads(file.read(length))
    except (ValueError, RecursionError) as error:
        raise UnpicklingError(f"the safetensors header is damaged ({error})") from None
    if not isinstance(header, dict):
        raise UnpicklingError("the safetensors header is no mapping")
    header.pop("__metadata__", None)
    return header, 8 + length


def _describe(name: str, entry: Any) -> tuple[Any, tuple, int, int]:
    """Return (dtype, shape, first byte, byte after the last) of a tensor, checked."""
    if not isinstance(entry, dict) or not {"dtype", "shape", "data_offsets"} <= entry.keys():
        raise UnpicklingError(f"the safetensors entry {name!r} is malformed")
    dtype = _TYPES.get(entry["dtype"]) if isinstance(entry["dtype"], str) else None
    if dtype is None:
        raise UnpicklingError(f"{name!r} has the element type {entry['dtype']!r}: not supported")
    shape = natural_numbers("shape", entry["shape"])
    places = natural_numbers("place", entry["data_offsets"])
    if len(places) != 2 or places[1] - places[0] != math.prod(shape) * dtype.itemsize:
        raise UnpicklingError(f"{name!r} has a shape that does not fit its bytes")
    return dtype, shape, *places


def read_safetensors(file: BinaryIO, size: int) -> dict[str, Any]:
    """Return the tensors of a safetensors file by name.

    Args:
        file: open for reading, at its beginning.
        size: of the file, in bytes.

    Raises:
        pickle.UnpicklingError: if the file is damaged or holds unknown element types.
    """
    header, base = _read_header(file, size)
    found = {}
    for name, entry in header.items():
        dtype, shape, start, end = _describe(name, entry)
        if base + end > size:
            raise UnpicklingError(f"{name!r} reaches beyond the end of the file: it was cut short")
        data = aligned_bytes(end - start)
        file.seek(base + start)
        data[:] = np.frombuffer(file.read(end - start), np.uint8)
        elements = data.view(dtype.storage).reshape(shape)
        found[name] = from_array(elements if sys.byteorder == "little" else elements.byteswap(),
                                 dtype)  # fmt: skip
    return found
