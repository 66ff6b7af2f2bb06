"""Tensors as checkpoints hold them: a window on a storage of bytes.

The one place of the package that takes tensors apart and puts them together.
"""

from __future__ import annotations

import copy
import math
import re
import warnings
from collections.abc import Callable, Sequence
from pickle import UnpicklingError
from typing import Any

import numpy as np

import flambeau

from .. import dtypes
from ..tensor import from_array

#: PyTorch writes element types that came after these by name, with untyped storages.
_TYPED = (
    "float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8",
    "bool", "complex64", "complex128",
)  # fmt: skip
#: "FloatStorage" -> float32, and so on.
STORAGE_TYPES = {
    dtypes.dtype.by_name[name].legacy_name + "Storage": dtypes.dtype.by_name[name]
    for name in _TYPED
}
#: PyTorch's limit on the number of dimensions.
MAX_DIMENSIONS = 64
#: What strides of zero may make of a small storage, in bytes.
_EXPANDED_LIMIT = 1 << 34
#: Start of arrays read from files: one cache line, as compiled kernels like it.
ALIGNMENT = 64


def storage_class_name(dtype: Any) -> str | None:
    """Return for example ``FloatStorage``, or None for a type without typed storages."""
    return dtype.legacy_name + "Storage" if dtype.name in _TYPED else None


def aligned_bytes(size: int) -> np.ndarray:
    """Return an uninitialised array of bytes that starts at a cache line."""
    room = np.empty(size + ALIGNMENT, np.uint8)
    start = -room.ctypes.data % ALIGNMENT
    return room[start : start + size]


class LoadedStorage:
    """The bytes of one storage while a file is being read.

    Args:
        data: a 1-d array of bytes.
        dtype: element type, None if untyped.
        location: where it was when saved, such as ``cpu`` or ``cuda:0``.
    """

    def __init__(self, data: np.ndarray, dtype: Any, location: str) -> None:
        self.data = data
        self.dtype = dtype
        self.location = location
        self.base: Any = None  # the first tensor that covers it all, for others to be views of

    def nbytes(self) -> int:
        """Return the size in bytes."""
        return self.data.nbytes

    def size(self) -> int:
        """Return the size in elements."""
        return self.data.nbytes // (1 if self.dtype is None else self.dtype.itemsize)

    __len__ = size

    def cpu(self) -> LoadedStorage:
        """Return itself: it lies in main memory."""
        return self

    def cuda(self, device: Any = None, non_blocking: bool = False) -> LoadedStorage:
        """Move to a CUDA device."""
        return self.to("cuda" if device is None else device)

    def to(self, device: Any) -> LoadedStorage:
        """Move to a device; there is only the CPU so far."""
        return restore(self, str(flambeau.device(device)))

    def array(self, dtype: Any) -> np.ndarray:
        """Return the elements as a 1-d array in the storage type of ``dtype``."""
        count = self.data.nbytes // dtype.itemsize
        data = self.data[: count * dtype.itemsize]
        if data.ctypes.data % dtype.itemsize:
            data = data.copy()
        return data.view(dtype.storage)


def restore(storage: LoadedStorage, location: str) -> LoadedStorage:
    """Return the storage at ``location``.

    Raises:
        RuntimeError: if there is no such device here.
    """
    if location in ("cpu", ""):
        return storage
    if location == "meta":
        raise RuntimeError(
            "map_location='meta' is not supported: tensors without data do not exist here"
        )
    match = re.match(r"(cuda|mps|xpu|hpu)(?::?\d+)?$", location)
    if match:
        name = match.group(1)
        raise RuntimeError(
            f"Attempting to deserialize object on a {name.upper()} device but "
            f"torch.{name}.is_available() is False. If you are running on a CPU-only machine, "
            "please use torch.load with map_location=torch.device('cpu') to map your storages "
            "to the CPU."
        )
    raise RuntimeError(
        f"don't know how to restore data location of torch.storage.UntypedStorage (tagged with "
        f"{location}): pass map_location='cpu'"
    )


def restorer(map_location: Any) -> Callable[[LoadedStorage, str], LoadedStorage]:
    """Return what moves a storage from its saved location, for any form of ``map_location``."""
    if map_location is None:
        return restore
    if isinstance(map_location, dict):
        return lambda storage, location: restore(storage, map_location.get(location, location))
    if isinstance(map_location, bytes):
        map_location = map_location.decode("ascii")
    if isinstance(map_location, (str, flambeau.device)):
        return lambda storage, location: restore(storage, str(map_location))
    if not callable(map_location):
        raise TypeError(
            "map_location should be None, a device, a string, a dict or a function "
            f"(storage, location) -> storage; received {type(map_location).__name__}"
        )

    def call(storage: LoadedStorage, location: str) -> LoadedStorage:
        moved = map_location(storage, location)
        if moved is None:
            return restore(storage, location)
        if not isinstance(moved, LoadedStorage):
            raise TypeError(
                "map_location should return the storage that it received, moved or not, or "
                f"None; it returned {type(moved).__name__}"
            )
        return moved

    return call


def natural_numbers(name: str, values: Any) -> tuple[int, ...]:
    """Return a tuple of natural numbers from a file, checked."""
    if not isinstance(values, (tuple, list)):
        raise UnpicklingError(f"a tensor's {name} should be a tuple, but is {type(values)}")
    for value in values:
        if type(value) is not int or value < 0:
            raise UnpicklingError(f"a tensor's {name} should be natural numbers, but is {values}")
    if len(values) > MAX_DIMENSIONS:
        raise UnpicklingError(f"a tensor has {len(values)} dimensions; {MAX_DIMENSIONS} at most")
    return tuple(values)


def _check_window(
    storage: LoadedStorage, dtype: Any, offset: Any, size: tuple, stride: tuple
) -> None:
    """Raise unless every element of the tensor lies within the storage."""
    if type(offset) is not int or offset < 0:
        raise UnpicklingError(f"a tensor's storage offset is {offset!r}")
    if len(size) != len(stride):
        raise UnpicklingError(f"a tensor's size {size} and stride {stride} differ in length")
    needed = _end_of((offset, size, stride)) if math.prod(size) else offset
    available = storage.nbytes() // dtype.itemsize
    if needed > available:
        raise UnpicklingError(
            f"a tensor of size {size}, stride {stride} and offset {offset} needs {needed} "
            f"elements of {dtype}, but its storage has {available}: the file is damaged or "
            "hostile"
        )
    if math.prod(size) * dtype.itemsize > max(_EXPANDED_LIMIT, storage.nbytes()):
        raise UnpicklingError(
            f"a tensor of size {size} would expand {available} elements to more than 16 GiB"
        )


def contiguous_strides(size: Sequence[int]) -> tuple[int, ...]:
    """Return the strides of a row-major tensor, in elements."""
    strides, step = [], 1
    for extent in reversed(size):
        strides.append(step)
        step *= max(extent, 1)
    return tuple(reversed(strides))


def _is_row_major(size: tuple, stride: tuple) -> bool:
    natural = contiguous_strides(size)
    return not math.prod(size) or all(
        n == 1 or step == wanted for n, step, wanted in zip(size, stride, natural)
    )


def build_tensor(
    storage: Any, offset: Any, size: Any, stride: Any, dtype: Any = None, metadata: Any = None
) -> Any:
    """Return the tensor for a window on a loaded storage.

    The first tensor that covers a storage owns it; further ones are views of that, so that
    sharing is what it was when saved.

    Raises:
        pickle.UnpicklingError: if the window does not fit.
    """
    if not isinstance(storage, LoadedStorage):
        raise UnpicklingError(f"a tensor's storage should be a storage, but is {type(storage)}")
    dtype = dtype or storage.dtype
    if not isinstance(dtype, dtypes.dtype):
        raise UnpicklingError(f"a tensor's element type should be a dtype, but is {dtype!r}")
    size, stride = natural_numbers("size", size), natural_numbers("stride", stride)
    _check_window(storage, dtype, offset, size, stride)
    flat = storage.array(dtype)
    if metadata:
        return _build_lazy_conjugate(flat, offset, size, stride, dtype, metadata)
    count = math.prod(size)
    base = storage.base
    if base is None or base.dtype is not dtype:
        if offset == 0 and count == len(flat) and _is_row_major(size, stride):
            storage.base = from_array(flat.reshape(size), dtype)
            return storage.base
        base = storage.base = from_array(flat, dtype)
    return base.as_strided(size, stride, offset)


def _build_lazy_conjugate(
    flat: np.ndarray, offset: int, size: tuple, stride: tuple, dtype: Any, metadata: Any
) -> Any:
    """Return a tensor saved with a pending conjugation or negation, carried out."""
    if not isinstance(metadata, dict) or not set(metadata) <= {"conj", "neg"}:
        raise UnpicklingError(f"unknown tensor metadata {metadata!r}")
    steps = [step * flat.itemsize for step in stride]
    values = np.lib.stride_tricks.as_strided(flat[offset:], size, steps).copy()
    if metadata.get("conj"):
        values = np.conj(values)
    if metadata.get("neg"):
        values = np.negative(values)
    return from_array(values, dtype)


Window = tuple[int, tuple, tuple]  # offset, size and stride in a storage, in elements


class SavedStorage:
    """A storage to be written, and the windows of it that the saved tensors are.

    Args:
        elements: all elements, 1-d, in the storage type.
        dtype: their type.
    """

    def __init__(self, elements: np.ndarray, dtype: Any) -> None:
        self.data = elements  # what is written
        self.dtype = dtype
        self.windows: set[Window] = set()
        self._start = 0
        self._packed = False

    def trim(self) -> bool:
        """Leave out what no saved tensor uses, where that is more than half; say if so.

        A slice of a large tensor would otherwise bring the whole of it into the file.
        """
        used = [window for window in self.windows if math.prod(window[1])]
        start = min((offset for offset, _, _ in used), default=0)
        end = max((_end_of(window) for window in used), default=0)
        if len(used) == 1 and 2 * math.prod(used[0][1]) < min(end - start, len(self.data)):
            offset, size, stride = used[0]
            steps = [step * self.data.itemsize for step in stride]
            window = np.lib.stride_tricks.as_strided(self.data[offset:], size, steps)
            self.data, self._packed = np.ascontiguousarray(window).reshape(-1), True
            return True
        if 2 * (end - start) < len(self.data):
            self.data, self._start = self.data[start:end], start
            return True
        return False

    def place(self, window: Window) -> Window:
        """Return where a window lies in what is written."""
        offset, size, stride = window
        if not math.prod(size):
            return 0, size, stride
        if self._packed:
            return 0, size, contiguous_strides(size)
        return offset - self._start, size, stride


def _end_of(window: Window) -> int:
    """Return the index after a non-empty window's last element."""
    offset, size, stride = window
    return offset + sum((n - 1) * step for n, step in zip(size, stride)) + 1


def take_apart(tensor: Any) -> tuple[Any, np.ndarray, Window]:
    """Return (identity of the storage, its elements as a 1-d array, the tensor's window)."""
    size = tuple(tensor.shape)
    values = tensor._array()
    storage = tensor._storage
    whole = (0, size, contiguous_strides(size))
    if storage is None:
        return id(tensor), values.reshape(-1), whole
    storage = storage.whole or storage
    base = storage.value
    if base.trace is not None:
        base.trace.flush_here()
    if base.aval.dtype is tensor.dtype:
        elements = base.array.reshape(-1)
        window = (tensor.storage_offset(), size, tuple(tensor.stride()))
        if not tensor._path() or _shows(elements, window, values):
            return id(storage), elements, window
    # A view of another element type, or one that strides cannot express: it stands alone.
    return id(tensor), values.reshape(-1), whole


def _shows(elements: np.ndarray, window: Window, values: np.ndarray) -> bool:
    """Whether a window of elements holds these values."""
    offset, size, stride = window
    if math.prod(size) and _end_of(window) > len(elements):
        return False
    steps = [step * elements.itemsize for step in stride]
    view = np.lib.stride_tricks.as_strided(elements[offset:], size, steps)
    found = np.ascontiguousarray(view).reshape(-1)
    return np.array_equal(found.view(np.uint8), values.reshape(-1).view(np.uint8))


def deepcopy_tensor(tensor: Any, memo: dict) -> Any:
    """Return a tensor's ``__deepcopy__``: views that share memory share that of the copies.

    Raises:
        RuntimeError: if the tensor was computed with gradients.
    """
    if id(tensor) in memo:
        return memo[id(tensor)]
    if not tensor.is_leaf:
        raise RuntimeError(
            "Only Tensors created explicitly by the user (graph leaves) support the deepcopy "
            "protocol at the moment.  If you were attempting to deepcopy a module, this may be "
            "because of a torch.nn.utils.weight_norm usage, see "
            "https://github.com/pytorch/pytorch/pull/103001. detach() the tensor first"
        )
    identity, elements, (offset, size, stride) = take_apart(tensor)
    storage = memo.get(("storage", identity))
    if storage is None:
        data = elements.copy().view(np.uint8)
        storage = memo[("storage", identity)] = LoadedStorage(data, tensor.dtype, "cpu")
    copied = build_tensor(storage, offset, size, stride)
    if type(tensor) is not type(copied):
        copied = copied.as_subclass(type(tensor))
    if tensor.requires_grad:
        copied.requires_grad_()
        if tensor.grad is not None:
            copied.grad = copy.deepcopy(tensor.grad, memo)
    memo[id(tensor)] = copied
    copied.__dict__.update(copy.deepcopy(tensor.__dict__, memo))
    return copied


def rebuild_from_array(kind: type, array: Any, dtype: Any, requires_grad: bool, state: Any) -> Any:
    """Return the tensor that :func:`reduce_tensor` took apart."""
    tensor = from_array(array, dtype)
    if kind is not type(tensor):
        tensor = tensor.as_subclass(kind)
    if requires_grad:
        tensor.requires_grad_()
    if state:
        tensor.__dict__.update(state)
    return tensor


def reduce_tensor(tensor: Any) -> tuple:
    """Return a tensor's ``__reduce_ex__``: its values as an array, for ordinary pickling."""
    arguments = (tensor._array(), tensor.dtype, bool(tensor.requires_grad), dict(tensor.__dict__))
    return rebuild_from_array, (type(tensor), *arguments)


def parameter_from(tensor: Any, requires_grad: Any = True, state: Any = None) -> Any:
    """Return a Parameter of a tensor, with Python attributes ``state``."""
    if not isinstance(tensor, flambeau.Tensor):
        raise UnpicklingError(f"a parameter should hold a tensor, but holds {type(tensor)}")
    from ..nn.parameter import Parameter

    parameter = Parameter(tensor, bool(requires_grad))
    if state:
        set_attributes(parameter, state)
    return parameter


def set_attributes(target: Any, state: Any) -> None:
    """Set Python attributes from a dict, or from a (dict, slots) pair."""
    slots = None
    if isinstance(state, tuple) and len(state) == 2:
        state, slots = state
    for attributes in (state, slots):
        if attributes:
            if not isinstance(attributes, dict):
                raise UnpicklingError(f"attributes should be a dict, but are {type(attributes)}")
            for name, value in attributes.items():
                setattr(target, name, value)


def check_no_hooks(hooks: Any) -> None:
    """Warn of backward hooks in a file, which are not restored."""
    if hooks:
        warnings.warn("backward hooks in the checkpoint are left out", stacklevel=4)

