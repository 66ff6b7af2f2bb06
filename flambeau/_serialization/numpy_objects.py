"""NumPy scalars and arrays in a checkpoint, decoded without running NumPy's own unpickling.

Checkpoints often hold a ``best_accuracy`` that is a NumPy scalar. Plain element types (numbers,
bools, fixed-width text) are decoded here from their bytes; objects and records are refused.
"""

from __future__ import annotations

import math
import re
from pickle import UnpicklingError
from typing import Any

import numpy as np

#: Kind, width: bool, (unsigned) integers, floats, complex numbers, bytes, text.
_PLAIN_TYPE = re.compile(r"[<>=|]?([?biufcSU])(\d{0,6})")
_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")


class DtypeShell:
    """A NumPy dtype whose byte order is still to come (by a BUILD)."""

    def __init__(self, code: Any = None, align: Any = False, copy: Any = True) -> None:
        match = _PLAIN_TYPE.fullmatch(code) if isinstance(code, str) else None
        if match is None:
            raise UnpicklingError(f"a NumPy array of type {code!r} is not allowed")
        self.dtype = np.dtype(code)

    def finish(self, state: Any) -> np.dtype:
        """Return the dtype for the state that NumPy pickles: (version, byte order, ...)."""
        if not isinstance(state, tuple) or len(state) < 5 or any(state[2:5]):
            raise UnpicklingError("a NumPy array of records is not allowed")
        if state[1] not in ("<", ">", "=", "|"):
            raise UnpicklingError(f"unknown byte order {state[1]!r}")
        if self.dtype.kind in "SU" and len(state) > 5 and isinstance(state[5], int):
            code = f"{self.dtype.kind}{max(state[5], 0) // (4 if self.dtype.kind == 'U' else 1)}"
            return np.dtype(state[1].replace("|", "=") + code)
        return self.dtype.newbyteorder(state[1])


class ArrayShell:
    """A NumPy array whose contents are still to come (by a BUILD)."""

    def __init__(self, kind: Any = None, shape: Any = None, code: Any = None) -> None:
        pass  # NumPy pickles a class, (0,) and b"b" here, whatever the array

    def finish(self, state: Any) -> np.ndarray:
        """Return the array for the state (version, shape, dtype, Fortran order, bytes)."""
        if not isinstance(state, tuple) or len(state) != 5:
            raise UnpicklingError("a NumPy array's state is malformed")
        _, shape, dtype, fortran, data = state
        flat = _elements(dtype, data)
        if not isinstance(shape, tuple) or not all(
            type(extent) is int and extent >= 0 for extent in shape
        ):
            raise UnpicklingError(f"a NumPy array's shape is {shape!r}")
        if math.prod(shape) != len(flat) or len(shape) > 32:
            raise UnpicklingError(f"a NumPy array of shape {shape} has {len(flat)} elements")
        return flat.reshape(shape, order="F" if fortran else "C").copy()


def _elements(dtype: Any, data: Any) -> np.ndarray:
    if isinstance(dtype, DtypeShell):
        dtype = dtype.dtype
    if not isinstance(dtype, np.dtype) or dtype.kind not in "biufcSU" or not dtype.itemsize:
        raise UnpicklingError(f"a NumPy array of type {dtype!r} is not allowed")
    if isinstance(data, str):
        data = data.encode("latin1")
    if not isinstance(data, bytes) or len(data) % dtype.itemsize:
        raise UnpicklingError("a NumPy array's bytes do not fit its type")
    return np.frombuffer(data, dtype)


def build_scalar(dtype: Any, data: Any) -> Any:
    """Return the NumPy scalar for a dtype and its bytes."""
    elements = _elements(dtype, data)
    if len(elements) != 1:
        raise UnpicklingError("a NumPy scalar's bytes do not fit its type")
    return elements.astype(elements.dtype.newbyteorder("="))[0]


#: The same form as ``names.SAFE``.
SAFE: dict[str, tuple[Any, Any]] = {
    "numpy.dtype": (np.dtype, DtypeShell),
    "numpy.ndarray": (np.ndarray, None),
}
for _module in _MODULES:
    SAFE[_module + ".scalar"] = (build_scalar, build_scalar)
    SAFE[_module + "._reconstruct"] = (ArrayShell, ArrayShell)
