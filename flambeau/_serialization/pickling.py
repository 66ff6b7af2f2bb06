"""Writing an object as a pickle stream that PyTorch reads.

Tensors become ``torch._utils._rebuild_tensor_v2`` of a storage, storages become persistent ids, and
Flambeau's classes and functions are written under PyTorch's names. Python's own pickler in C
insists that a name can be imported, hence the one in Python.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from typing import Any

import flambeau

from .. import dtypes
from . import names, tensors


class Global:
    """A name to be written, whether it can be imported here or not."""

    def __init__(self, module: str, name: str) -> None:
        self.module = module
        self.name = name

    def __call__(self, *args: Any) -> Any:
        raise TypeError(f"{self.module}.{self.name} stands for a name in a file")


class StorageReference:
    """A storage in the object that is being written."""

    def __init__(self, key: str, storage: tensors.SavedStorage) -> None:
        self.key = key
        self.storage = storage


class _ParameterData:
    """The plain tensor within a parameter."""

    def __init__(self, parameter: Any) -> None:
        self.parameter = parameter


_REBUILD_TENSOR = Global("torch._utils", "_rebuild_tensor_v2")
_REBUILD_TENSOR_V3 = Global("torch._utils", "_rebuild_tensor_v3")
_REBUILD_PARAMETER = Global("torch._utils", "_rebuild_parameter")
_REBUILD_PARAMETER_WITH_STATE = Global("torch._utils", "_rebuild_parameter_with_state")
_REBUILD_FROM_TYPE = Global("torch._tensor", "_rebuild_from_type_v2")
_UNTYPED_STORAGE = Global("torch.storage", "UntypedStorage")
_SIZE = Global("torch", "Size")
_DEVICE = Global("torch", "device")
_GET_LAYOUT = Global("torch.serialization", "_get_layout")
_CONSTANTS: dict[int, Global] = {}
_STORAGE_CLASSES: dict[str, Global] = {}


def _torch_constant(value: Any) -> Global:
    """Return the one reference for ``torch.<name of value>``."""
    reference = _CONSTANTS.get(id(value))
    if reference is None:
        reference = _CONSTANTS[id(value)] = Global("torch", value.name)
    return reference


def _storage_class(dtype: Any) -> Global:
    name = tensors.storage_class_name(dtype)
    if name is None:
        return _UNTYPED_STORAGE
    return _STORAGE_CLASSES.setdefault(name, Global("torch", name))


_Pickler: Any = pickle._Pickler  # type: ignore[attr-defined]


class CheckpointPickler(_Pickler):
    """One pass over an object.

    Args:
        protocol: of the stream.
        storages: decisions of an earlier pass, identity -> SavedStorage; None for a first one.
        legacy: whether storages carry the view metadata of the legacy format.
    """

    def __init__(
        self, protocol: int, storages: dict[Any, tensors.SavedStorage] | None, legacy: bool
    ) -> None:
        self.stream = io.BytesIO()
        super().__init__(self.stream, protocol)
        self.protocol = protocol
        self.legacy = legacy
        self.planned = storages
        self.storages: dict[Any, StorageReference] = {}
        self._alive: list = []  # ids serve as keys: what they belong to must live on

    # References

    def persistent_id(self, value: Any) -> tuple | None:
        if type(value) is not StorageReference:
            return None
        storage = value.storage
        count = len(storage.data)
        if tensors.storage_class_name(storage.dtype) is None:
            count = storage.data.nbytes
        description = ("storage", _storage_class(storage.dtype), value.key, "cpu", count)
        return (*description, None) if self.legacy else description

    def save_global(self, value: Any, name: str | None = None) -> None:
        torch_name = names.torch_name_of(value, name)
        if torch_name is None:
            super().save_global(value, name)
        else:
            self.save_reference(Global(*torch_name), value)

    def save_reference(self, reference: Global, value: Any = None) -> None:
        """Write a name."""
        if self.protocol >= 4:
            self.save(reference.module)
            self.save(reference.name)
            self.write(pickle.STACK_GLOBAL)
        else:
            text = f"{reference.module}\n{reference.name}\n"
            self.write(pickle.GLOBAL + text.encode("utf-8"))
        self.memoize(reference if value is None else value)

    dispatch = _Pickler.dispatch.copy()
    dispatch[Global] = save_reference

    # Reductions

    def reducer_override(self, value: Any) -> Any:
        kind = type(value)
        if isinstance(value, flambeau.Tensor):
            return self._reduce_tensor(value)
        if kind is _ParameterData:
            return self._rebuild_call(value.parameter, False)
        if kind is dtypes.Size:
            return _SIZE, (tuple(value),)
        if kind is dtypes.device:
            index = () if value.index is None else (value.index,)
            return _DEVICE, (value.type, *index)
        if kind is dtypes.layout:
            return _GET_LAYOUT, (str(value),)
        return NotImplemented

    def save(self, value: Any, save_persistent_id: bool = True) -> None:
        if type(value) in (dtypes.dtype, dtypes.memory_format):
            value = _torch_constant(value)
        super().save(value, save_persistent_id)

    def _reference(self, tensor: Any) -> tuple[StorageReference, tensors.Window]:
        identity, elements, window = tensors.take_apart(tensor)
        reference = self.storages.get(identity)
        if reference is None:
            if self.planned is None:
                storage = tensors.SavedStorage(elements, tensor.dtype)
            else:
                storage = self.planned[identity]
            key = str(len(self.storages))
            reference = self.storages[identity] = StorageReference(key, storage)
            self._alive.append(tensor)
        if reference.storage.dtype is not tensor.dtype:
            raise RuntimeError(
                "Cannot save multiple tensors or storages that view the same data as different "
                f"types: {reference.storage.dtype} and {tensor.dtype}. Save a clone() of one"
            )
        if self.planned is None:
            reference.storage.windows.add(window)
            return reference, window
        return reference, reference.storage.place(window)

    def _rebuild_call(self, tensor: Any, requires_grad: bool) -> tuple[Global, tuple]:
        """Return function and arguments that rebuild a tensor without attributes."""
        reference, (offset, size, stride) = self._reference(tensor)
        hooks: OrderedDict = OrderedDict()
        arguments = (reference, offset, size, stride, requires_grad, hooks)
        if tensors.storage_class_name(tensor.dtype) is None:
            return _REBUILD_TENSOR_V3, (*arguments, tensor.dtype)
        return _REBUILD_TENSOR, arguments

    def _reduce_tensor(self, tensor: Any) -> tuple:
        state = dict(tensor.__dict__)
        requires_grad = bool(tensor.requires_grad)
        if type(tensor) is names.parameter_class():
            arguments: tuple = (_ParameterData(tensor), requires_grad, OrderedDict())
            if state:
                return _REBUILD_PARAMETER_WITH_STATE, (*arguments, state)
            return _REBUILD_PARAMETER, arguments
        function, arguments = self._rebuild_call(tensor, requires_grad)
        if type(tensor) is flambeau.Tensor and not state:
            return function, arguments
        kind: Any = type(tensor)
        if kind is flambeau.Tensor:
            kind = Global("torch", "Tensor")
        return _REBUILD_FROM_TYPE, (function, kind, arguments, state)


def pickle_object(
    value: Any, protocol: int, legacy: bool = False
) -> tuple[bytes, list[tuple[str, tensors.SavedStorage]]]:
    """Return the stream and the storages, (key, storage) in order of their first use.

    A second pass is needed only where storages are saved in part.

    Raises:
        pickle.PicklingError, AttributeError: if something cannot be pickled.
    """
    pickler = CheckpointPickler(protocol, None, legacy)
    pickler.dump(value)
    planned = {identity: ref.storage for identity, ref in pickler.storages.items()}
    trimmed = [storage for storage in planned.values() if storage.trim()]
    if trimmed:
        first_pass, pickler = pickler, CheckpointPickler(protocol, planned, legacy)
        pickler.dump(value)
        del first_pass  # kept until now: ids identify storages in both passes
    references = pickler.storages.values()
    return pickler.stream.getvalue(), [(ref.key, ref.storage) for ref in references]


def dump_plain(value: Any) -> bytes:
    """Return a plain value as a pickle of protocol 2."""
    return pickle.dumps(value, protocol=2)
