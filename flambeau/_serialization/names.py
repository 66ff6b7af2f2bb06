"""Names in a checkpoint: PyTorch's, whichever framework wrote it.

``torch.nn.modules.linear Linear`` in a file is Flambeau's class of that name, and a class or
function of Flambeau is written under PyTorch's name. :data:`SAFE` lists what weights-only loading
may name, with the function of this package that stands for it.
"""

from __future__ import annotations

import importlib
import sys
from collections import Counter, OrderedDict
from pickle import UnpicklingError
from typing import Any

import flambeau

from .. import dtypes
from . import tensors

#: Top-level packages of PyTorch's family, and where Flambeau keeps their like.
PACKAGES = {
    "torch": "flambeau",
    "torchvision": "flambeau.vision",
    "torchaudio": "flambeau.audio",
    "torchtext": "flambeau.text",
}


def torch_module_of(module: str) -> str:
    """Return PyTorch's name for a module of Flambeau, other names unchanged.

    >>> torch_module_of("flambeau.nn.modules.linear")
    'torch.nn.modules.linear'
    """
    for theirs, ours in reversed(PACKAGES.items()):
        if module == ours or module.startswith(ours + "."):
            return theirs + module[len(ours) :]
    return module


def torch_name_of(value: Any, name: str | None = None) -> tuple[str, str] | None:
    """Return (module, name) under which PyTorch has a class or function of Flambeau.

    None for what is not Flambeau's own.
    """
    module = getattr(value, "__module__", None) or ""
    public = torch_module_of(module)
    if public == module:
        return None
    name = name or value.__qualname__
    if isinstance(value, type) and "._" not in public:
        return public, name
    # Private modules and the declarations of operations are found where they are exported.
    siblings = [path for path in sys.modules if path.startswith("flambeau.nn.modules.")]
    for path in [*_FUNCTION_MODULES, *sorted(siblings), module.partition("._")[0]]:
        if "._" not in path and getattr(sys.modules.get(path), name, None) is value:
            return torch_module_of(path), name
    return public, name


_FUNCTION_MODULES = ("flambeau.nn.functional", "flambeau")

#: Modules whose names may be kept in another file here, and where all of them are found.
_EXPORTS = {
    "flambeau": "flambeau",
    "flambeau.nn.modules": "flambeau.nn",
    "flambeau.optim": "flambeau.optim",
    "flambeau.utils.data": "flambeau.utils.data",
    "flambeau.vision.datasets": "flambeau.vision.datasets",
    "flambeau.vision.models": "flambeau.vision.models",
    "flambeau.vision.transforms": "flambeau.vision.transforms",
}


def resolve(module: str, name: str) -> Any:
    """Return Flambeau's object for a name of PyTorch's family.

    Raises:
        AttributeError: if there is none.
    """
    top, dot, rest = module.partition(".")
    path = PACKAGES[top] + dot + rest
    paths = [path]
    if path.rpartition(".")[0] in _EXPORTS:
        paths.append(_EXPORTS[path.rpartition(".")[0]])
    for path in paths:
        try:
            found: Any = importlib.import_module(path)
            for part in name.split("."):
                found = getattr(found, part)
            return found
        except (ImportError, AttributeError):
            continue
    raise AttributeError(
        f"the checkpoint names {module}.{name}, which Flambeau does not have: load it with "
        "PyTorch, save the state_dict() and load that"
    )


def parameter_class() -> Any:
    """Return ``nn.Parameter``, whose module is loaded when first needed."""
    return importlib.import_module("flambeau.nn.parameter").Parameter


class StorageClass:
    """What ``torch FloatStorage`` in a file stands for."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype  # None: UntypedStorage, counted in bytes


# The functions below stand for PyTorch's; arguments come from the file and are checked.


def rebuild_tensor(storage: Any, offset: Any, size: Any, stride: Any) -> Any:
    return tensors.build_tensor(storage, offset, size, stride)


def rebuild_tensor_v2(
    storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any, hooks: Any,
    metadata: Any = None,
) -> Any:  # fmt: skip
    tensors.check_no_hooks(hooks)
    tensor = tensors.build_tensor(storage, offset, size, stride, metadata=metadata)
    return tensor.requires_grad_() if requires_grad else tensor


def rebuild_tensor_v3(
    storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any, hooks: Any, dtype: Any,
    metadata: Any = None,
) -> Any:  # fmt: skip
    tensors.check_no_hooks(hooks)
    tensor = tensors.build_tensor(storage, offset, size, stride, dtype, metadata)
    return tensor.requires_grad_() if requires_grad else tensor


def rebuild_parameter(data: Any, requires_grad: Any, hooks: Any) -> Any:
    tensors.check_no_hooks(hooks)
    return tensors.parameter_from(data, requires_grad)


def rebuild_parameter_with_state(data: Any, requires_grad: Any, hooks: Any, state: Any) -> Any:
    tensors.check_no_hooks(hooks)
    return tensors.parameter_from(data, requires_grad, state)


def rebuild_from_type(function: Any, kind: Any, arguments: Any, state: Any) -> Any:
    """Rebuild a tensor of a subclass, or one with Python attributes."""
    if function not in (rebuild_tensor, rebuild_tensor_v2, rebuild_tensor_v3):
        raise UnpicklingError(f"cannot rebuild a tensor by {function!r}")
    if not isinstance(kind, type) or not issubclass(kind, flambeau.Tensor):
        raise UnpicklingError(f"cannot rebuild a tensor as {kind!r}, which is no tensor type")
    tensor = function(*arguments)
    if type(tensor) is not kind:
        tensor = tensor.as_subclass(kind)
    tensors.set_attributes(tensor, state)
    return tensor


def build_ordered_dict(items: Any = ()) -> OrderedDict:
    return OrderedDict(items)


def build_counter(items: Any = ()) -> Counter:
    if not isinstance(items, dict):
        raise UnpicklingError(f"a Counter should be made from a dict, not from {type(items)}")
    return Counter(items)


def build_set(items: Any = ()) -> set:
    if not isinstance(items, (list, tuple)):
        raise UnpicklingError(f"a set should be made from a list, not from {type(items)}")
    for item in items:
        check_hashable(item)
    return set(items)


def build_complex(real: Any, imaginary: Any) -> complex:
    return complex(float(real), float(imaginary))


def build_bytearray(data: Any = b"", encoding: Any = None) -> bytearray:
    if isinstance(data, str):
        data = encode(data, encoding)
    if not isinstance(data, bytes):  # an integer would allocate that many bytes
        raise UnpicklingError(f"a bytearray should be made from bytes, not from {type(data)}")
    return bytearray(data)


def encode(text: Any, encoding: Any) -> bytes:
    """Protocol 2 has no bytes: they come as text with this call."""
    if type(text) is not str or encoding not in ("latin1", "latin-1", "ascii", "utf-8"):
        raise UnpicklingError(f"_codecs.encode with encoding {encoding!r} is not allowed")
    return text.encode(encoding)


def build_size(extents: Any) -> Any:
    return dtypes.Size(tensors.natural_numbers("shape", extents))


def build_device(kind: Any, index: Any = None) -> Any:
    return dtypes.device(kind, index)


def get_layout(name: Any) -> Any:
    found = getattr(dtypes, str(name).rpartition(".")[2], None)
    if not isinstance(found, dtypes.layout):
        raise UnpicklingError(f"the layout {name!r} is not supported")
    return found


def check_hashable(key: Any, depth: int = 0) -> None:
    """Refuse keys that have no hash, or one that recurses so deeply that the stack overflows."""
    if isinstance(key, tuple):
        if depth > 16:
            raise UnpicklingError("a key of the checkpoint is nested too deeply")
        for item in key:
            check_hashable(item, depth + 1)
    elif type(key).__hash__ is None:
        raise UnpicklingError(f"a key of the checkpoint is a {type(key).__name__}")


_REBUILD = "torch._utils._rebuild_"

#: Name in a file -> (object to put on the stack, function that a REDUCE calls instead).
SAFE: dict[str, tuple[Any, Any]] = {
    "collections.OrderedDict": (OrderedDict, build_ordered_dict),
    "collections.Counter": (Counter, build_counter),
    "builtins.set": (set, build_set),
    "builtins.complex": (complex, build_complex),
    "builtins.bytearray": (bytearray, build_bytearray),
    "_codecs.encode": (encode, encode),
    "torch.Size": (dtypes.Size, build_size),
    "torch.device": (dtypes.device, build_device),
    "torch.serialization._get_layout": (get_layout, get_layout),
    "torch._tensor._rebuild_from_type_v2": (rebuild_from_type, rebuild_from_type),
    "torch.storage.UntypedStorage": (StorageClass(None), None),
    "torch.UntypedStorage": (StorageClass(None), None),
    _REBUILD + "tensor": (rebuild_tensor, rebuild_tensor),
    _REBUILD + "tensor_v2": (rebuild_tensor_v2, rebuild_tensor_v2),
    _REBUILD + "tensor_v3": (rebuild_tensor_v3, rebuild_tensor_v3),
    _REBUILD + "parameter": (rebuild_parameter, rebuild_parameter),
    _REBUILD + "parameter_with_state": (rebuild_parameter_with_state,) * 2,
}
for _name, _dtype in dtypes.dtype.by_name.items():
    SAFE[f"torch.{_name}"] = (_dtype, None)
for _name, _dtype in tensors.STORAGE_TYPES.items():
    for _prefix in ("torch.", "torch.cuda."):
        SAFE[_prefix + _name] = (StorageClass(_dtype), None)

#: Names that PyTorch allows and that hold kinds of tensors which do not exist here.
UNSUPPORTED = {
    _REBUILD + "sparse_tensor": "a sparse tensor",
    _REBUILD + "meta_tensor_no_storage": "a tensor on the meta device",
    _REBUILD + "nested_tensor": "a nested tensor",
    _REBUILD + "qtensor": "a quantized tensor",
    _REBUILD + "wrapper_subclass": "a wrapper subclass of Tensor",
    _REBUILD + "device_tensor_from_numpy": "a tensor of a foreign device",
    _REBUILD + "device_tensor_from_cpu_tensor": "a tensor of a foreign device",
}


def safe_entry(path: str) -> tuple[Any, Any] | None:
    """Return :data:`SAFE`'s entry for a name, None if weights-only loading refuses it."""
    if path == "torch.nn.parameter.Parameter":
        return parameter_class(), tensors.parameter_from
    if path == "torch.Tensor":
        return flambeau.Tensor, None
    if path in UNSUPPORTED:
        raise UnpicklingError(f"the checkpoint holds {UNSUPPORTED[path]}, which is not supported")
    return SAFE.get(path)
