"""Checkpoints: ``torch.save`` and ``torch.load``, in PyTorch's own file formats.

Files written here are read by PyTorch (with ``weights_only=True`` too), and files written by
PyTorch since 0.1.10 are read here. Loading executes nothing unless asked to with
``weights_only=False``. The parts are in ``flambeau/_serialization``.
"""

from __future__ import annotations

import io
import mmap as memory_maps
import os
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ._serialization import names, tensors
from ._serialization.legacy_format import LegacyReader, swap_bytes, write_legacy
from ._serialization.pickling import dump_plain, pickle_object
from ._serialization.safetensors_format import read_safetensors
from ._serialization.weights_only import (
    Cursor,
    WeightsUnpickler,
    unsafe_names,
    user_globals,
)
from ._serialization.zip_format import LARGEST_PACKED_PICKLE, ZipReader, new_file, write_zip

__all__ = [
    "add_safe_globals",
    "clear_safe_globals",
    "get_safe_globals",
    "get_unsafe_globals_in_checkpoint",
    "load",
    "safe_globals",
    "save",
]

DEFAULT_PROTOCOL = 2
_TRUE = ("1", "y", "yes", "true")
_UNTRUSTED = (
    "In PyTorch 2.6, we changed the default value of the `weights_only` argument in `torch.load` "
    "from `False` to `True`. Re-running `torch.load` with `weights_only` set to `False` will "
    "likely succeed, but it can result in arbitrary code execution. Do it only if you got the "
    "file from a trusted source."
)


# ---- saving ------------------------------------------------------------------------------------


def save(
    obj: Any,
    f: Any,
    pickle_module: Any = pickle,
    pickle_protocol: int = DEFAULT_PROTOCOL,
    _use_new_zipfile_serialization: bool = True,
) -> None:
    """Write an object with its tensors to a file that PyTorch can read.

    A path is written under a temporary name and renamed: an interrupted save leaves the old file.
    Tensors that share memory share it in the file; of a storage of which the object uses less
    than half, only that part is written.

    Args:
        obj: tensors, modules, dicts, lists, numbers ...
        f: a path, or an object with ``write``.
        pickle_module: only Python's ``pickle``.
        pickle_protocol: 2 is what ``weights_only=True`` reads.

    Raises:
        RuntimeError: if the folder of ``f`` does not exist.
        AttributeError: if ``f`` is neither path nor file.

    >>> import flambeau as torch, io
    >>> file = io.BytesIO()
    >>> torch.save({"weight": torch.ones(2), "epoch": 3}, file)
    >>> _ = file.seek(0)
    >>> torch.load(file)
    {'weight': tensor([1., 1.]), 'epoch': 3}
    """
    if pickle_module is not pickle:
        raise ValueError(
            f"pickle_module {getattr(pickle_module, '__name__', pickle_module)!r} is not "
            "supported: only Python's pickle writes names that PyTorch reads"
        )
    legacy = not _use_new_zipfile_serialization
    is_path = isinstance(f, (str, os.PathLike))
    if not is_path and not hasattr(f, "write"):
        raise AttributeError(
            "expected 'f' to be string, path, or a file-like object with a 'write' attribute, "
            f"received {type(f).__name__}"
        )
    try:
        pickled, storages = pickle_object(obj, pickle_protocol, legacy)
    except (AttributeError, pickle.PicklingError) as error:
        if "local" in str(error) or "lambda" in str(error):
            raise type(error)(
                f"{error}. What is saved must be defined at the top level of a module; save "
                "the state_dict() rather than the whole object"
            ) from None
        raise

    def write(file: Any) -> None:
        if legacy:
            arrays = {key: storage.data for key, storage in storages}
            write_legacy(file, dump_plain, pickled, arrays)
        else:
            write_zip(file, folder, pickled, [storage.data for _, storage in storages])

    folder = "archive"
    if not is_path:
        write(f)
        return
    path = os.fspath(f)
    stem = os.path.splitext(os.path.basename(path))[0]
    if stem.isascii() and stem:
        folder = stem
    with new_file(path) as file:
        write(file)


# ---- loading -----------------------------------------------------------------------------------


def load(
    f: Any,
    map_location: Any = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    **pickle_load_args: Any,
) -> Any:
    """Read an object that ``torch.save`` wrote, here or in PyTorch.

    Args:
        f: a path, or a seekable object with ``read``.
        map_location: where storages go: None (where they were), a device, a string, a dict from
            saved to wanted locations, or a function (storage, location) -> storage.
        pickle_module: what unpickles when ``weights_only=False``.
        weights_only: True (the default) builds tensors, plain containers, numbers and NumPy
            arrays only and executes nothing. False runs what the file says: for trusted files.
        mmap: map the file's storages into memory instead of reading them (zip format, paths).
        **pickle_load_args: for the unpickler, such as ``encoding``.

    Raises:
        pickle.UnpicklingError: if the file holds anything else than allowed.
        RuntimeError: if the file is damaged, or needs a device that is not here.
    """
    weights_only, unpickler_module = _choose_unpickler(weights_only, pickle_module)
    encoding = pickle_load_args.pop("encoding", "utf-8")
    if weights_only and pickle_load_args:
        warnings.warn("pickle_load_args only works if `weights_only=False`.", stacklevel=2)
    if isinstance(f, (str, os.PathLike)):
        path = os.fspath(f)
        if path.endswith(".safetensors"):
            return _load_safetensors(path, map_location)
        with open(path, "rb") as file:
            described = repr(path)
            loader = _Loader(file, described, map_location, weights_only, unpickler_module)
            return loader.load(encoding, pickle_load_args, path if mmap else None, bool(mmap))
    if not all(hasattr(f, name) for name in ("read", "seek", "tell")):
        lacking = next(name for name in ("seek", "tell", "read") if not hasattr(f, name))
        raise AttributeError(
            f"'{type(f).__name__}' object has no attribute '{lacking}'. You can only torch.load "
            "from a file that is seekable. Please pre-load the data into a buffer like io.BytesIO "
            "and try to load from it instead."
        )
    loader = _Loader(f, "the file", map_location, weights_only, unpickler_module)
    return loader.load(encoding, pickle_load_args, None, bool(mmap))


def _load_safetensors(path: str, map_location: Any) -> dict[str, Any]:
    if isinstance(map_location, dict) or callable(map_location):
        raise RuntimeError(
            f"Loading safetensors file with {type(map_location).__name__} map_location is not "
            "supported. Use a device string or torch.device instead."
        )
    tensors.restorer(map_location)(tensors.LoadedStorage(np.empty(0, np.uint8), None, ""), "cpu")
    with open(path, "rb") as file:
        return read_safetensors(file, os.path.getsize(path))


def _choose_unpickler(weights_only: bool | None, pickle_module: Any) -> tuple[bool, Any]:
    """Return (weights_only, pickle module), from arguments and environment."""
    chosen = weights_only
    if chosen is None:
        chosen = pickle_module is None
    force = os.environ.get("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "0").lower() in _TRUE
    forbid = os.environ.get("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "0").lower() in _TRUE
    if force and forbid:
        raise RuntimeError(
            "Only one of `TORCH_FORCE_WEIGHTS_ONLY_LOAD` or `TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD` "
            "should be set, but both were set."
        )
    if force:
        chosen = True
    elif forbid and weights_only is None:
        warnings.warn(
            "Environment variable TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD detected, since the"
            "`weights_only` argument was not explicitly passed to `torch.load`, forcing "
            "weights_only=False.",
            UserWarning,
            stacklevel=3,
        )
        chosen = False
    if chosen and pickle_module is not None:
        raise RuntimeError("Can not safely load weights when explicit pickle_module is specified")
    return chosen, pickle_module or pickle


class _Loader:
    """One call of :func:`load`: a file, and what was asked for."""

    def __init__(
        self, file: Any, described: str, map_location: Any, weights_only: bool, module: Any
    ) -> None:
        self.file = file
        self.described = described
        self.restore = tensors.restorer(map_location)
        self.weights_only = weights_only
        self.module = module
        self.encoding = "utf-8"
        self.options: dict = {}

    def load(self, encoding: str, options: dict, map_path: str | None, mmap: bool) -> Any:
        """Recognise the format and read it."""
        self.encoding, self.options = encoding, options
        start = self.file.tell()
        head = self.file.read(4)
        self.file.seek(start)
        try:
            if head == b"PK\x03\x04":
                return self._load_zip(start, map_path, mmap)
            if mmap:
                raise RuntimeError(
                    "mmap can only be used with files saved with `torch.save("
                    "_use_new_zipfile_serialization=True), please torch.save your checkpoint "
                    "with this option in order to use mmap."
                )
            return self._load_legacy(start)
        except pickle.UnpicklingError as error:
            if not self.weights_only:
                raise
            raise pickle.UnpicklingError(_explain(str(error), self.described)) from None

    # The zip format

    def _load_zip(self, start: int, map_path: str | None, mmap: bool) -> Any:
        file = self.file
        if start:
            file = io.BytesIO(file.read())
        reader = ZipReader(file, self.described)
        if "constants.pkl" in reader:
            raise RuntimeError(
                "Cannot use ``weights_only=True`` with TorchScript archives passed to "
                f"``torch.load``: {self.described} is a compiled TorchScript program, not a "
                "checkpoint. Load it with PyTorch and save the state_dict()"
            )
        reader.text("version")
        little_endian = True
        if "byteorder" in reader:
            order = reader.text("byteorder")
            if order not in ("little", "big"):
                raise ValueError("Unknown endianness type: " + order)
            little_endian = order == "little"
        whole = None
        if mmap:
            if map_path is None:
                raise ValueError("f must be a file path in order to use the mmap argument")
            whole = _map_file(map_path)
        loaded: dict[str, tensors.LoadedStorage] = {}

        def persistent_load(description: tuple) -> tensors.LoadedStorage:
            key, dtype, location, count = _storage_description(description)
            if key not in loaded:
                size = count * (1 if dtype is None else dtype.itemsize)
                record = f"data/{key}"
                data = reader.read(record, size) if whole is None else reader.map(record, whole)
                if data.nbytes < size:
                    raise pickle.UnpicklingError(
                        f"storage {key!r} claims {size} bytes, and its record has {data.nbytes}: "
                        "the file is damaged or hostile"
                    )
                swap_bytes(data[:size], dtype, little_endian)
                storage = tensors.LoadedStorage(data[:size], dtype, location)
                loaded[key] = self.restore(storage, location)
            return loaded[key]

        pickled = reader.read("data.pkl", LARGEST_PACKED_PICKLE)
        return self._unpickle(pickled, 0, persistent_load)[0]

    # The legacy format

    def _load_legacy(self, start: int) -> Any:
        data = memoryview(self.file.read())
        if not len(data):
            raise EOFError(f"Ran out of input: {self.described} is empty")
        if bytes(data[257:262]) == b"ustar":
            raise pickle.UnpicklingError(
                "Cannot use ``weights_only=True`` with files saved in the legacy .tar format: "
                f"{self.described} comes from PyTorch before 0.1.10; convert it with PyTorch"
            )
        if data[0] != 0x80:
            hint = ""
            if bytes(data[:256]).lstrip()[:1] == b"<":
                hint = "; it looks like a web page, so the download went wrong"
            raise pickle.UnpicklingError(
                f"invalid load key, {bytes(data[:1])!r}: {self.described} is no checkpoint{hint}"
            )
        reader = LegacyReader(data, self._unpickle)
        reader.read_header()
        loaded: dict[str, tensors.LoadedStorage] = {}
        restored: dict[str, tensors.LoadedStorage] = {}

        def persistent_load(description: tuple) -> Any:
            if description[0] in ("module", b"module") and not self.weights_only:
                return description[1]  # the class; its source code follows
            key, dtype, location, count = _storage_description(description[:5])
            if key not in loaded:
                loaded[key] = tensors.LoadedStorage(
                    reader.new_storage(count, dtype or names.dtypes.uint8), dtype, location
                )
                restored[key] = self.restore(loaded[key], location)
            view = description[5] if len(description) > 5 else None
            return restored[key] if view is None else _storage_view(restored[key], view)

        value = reader.next_pickle(persistent_load)
        reader.fill(loaded)
        self.file.seek(start + reader.position)  # several objects may follow each other
        return value

    # Pickles

    def _unpickle(
        self, data: Any, position: int, persistent_load: Callable | None = None
    ) -> tuple[Any, int]:
        """Return the object whose pickle starts at ``position``, and where it ends."""
        if self.weights_only:
            cursor = Cursor(data, position)
            value = WeightsUnpickler(cursor, persistent_load, self.encoding).load()
            return value, cursor.position
        stream = io.BytesIO(memoryview(data)[position:])
        return self._trusting_unpickler(stream, persistent_load).load(), position + stream.tell()

    def _trusting_unpickler(self, stream: Any, persistent_load_function: Any) -> Any:
        base = self.module.Unpickler

        class Unpickler(base):  # type: ignore[valid-type,misc]
            def find_class(self, module: str, name: str) -> Any:
                entry = names.SAFE.get(f"{module}.{name}")
                if entry is not None and module.startswith("torch"):
                    return entry[0]
                if module.partition(".")[0] in names.PACKAGES:
                    return names.resolve(module, name)
                try:
                    return super().find_class(module, name)
                except (ImportError, AttributeError) as error:
                    raise type(error)(
                        f"{error}: the checkpoint holds an object of {module}.{name}, whose code "
                        "must be importable as it was when saved. Save the state_dict() instead "
                        "of whole objects to be free of this"
                    ) from None

            def persistent_load(self, description: tuple) -> Any:
                if persistent_load_function is None:
                    raise pickle.UnpicklingError("unsupported persistent id encountered")
                return persistent_load_function(description)

        return Unpickler(stream, encoding=self.encoding, **self.options)


def _storage_description(description: tuple) -> tuple[str, Any, str, int]:
    """Return (key, dtype or None, location, number of elements) from a persistent id, checked."""
    if len(description) != 5:
        raise pickle.UnpicklingError(f"a storage is described by {len(description)} values")
    _, kind, key, location, count = description
    key = key.decode("ascii") if isinstance(key, bytes) else key
    location = location.decode("ascii") if isinstance(location, bytes) else location
    if not isinstance(kind, names.StorageClass):
        raise pickle.UnpicklingError(f"a storage's class is {kind!r}")
    if type(key) is not str or type(location) is not str:
        raise pickle.UnpicklingError("a storage's key and location should be strings")
    if type(count) is not int or count < 0:
        raise pickle.UnpicklingError(f"a storage's number of elements is {count!r}")
    return key, kind.dtype, location, count


def _storage_view(storage: tensors.LoadedStorage, view: Any) -> tensors.LoadedStorage:
    """Return a part of a storage, which old files have: (key, offset, number of elements)."""
    if not isinstance(view, tuple) or len(view) != 3:
        raise pickle.UnpicklingError("a view of a storage is malformed")
    _, offset, count = view
    if type(offset) is not int or type(count) is not int:
        raise pickle.UnpicklingError("a view of a storage is malformed")
    if offset < 0 or count < 0 or offset + count > storage.size():
        raise pickle.UnpicklingError("a view of a storage lies outside of it")
    itemsize = 1 if storage.dtype is None else storage.dtype.itemsize
    data = storage.data[offset * itemsize : (offset + count) * itemsize]
    return tensors.LoadedStorage(data, storage.dtype, storage.location)


def _map_file(path: str) -> np.ndarray:
    """Return the bytes of a file as private memory: writes stay in this process."""
    with open(path, "rb") as file:
        mapped = memory_maps.mmap(file.fileno(), 0, access=memory_maps.ACCESS_COPY)
    return np.frombuffer(mapped, np.uint8)


def _explain(problem: str, described: str) -> str:
    """Return the message of a refused file, in PyTorch's words."""
    if "was not an allowed global by default" in problem:
        return (
            "Weights only load failed. This file can still be loaded, to do so you have two "
            "options, do those steps only if you trust the source of the checkpoint. "
            f"\n\t(1) {_UNTRUSTED}\n\t(2) Alternatively, to load with `weights_only=True` please "
            f"check the recommended steps in the following error message.\n\tIn {described}: "
            f"WeightsUnpickler error: {problem}"
        )
    return f"Weights only load failed. {_UNTRUSTED}\n\nIn {described}: {problem}"


# ---- what weights-only loading allows ----------------------------------------------------------


def add_safe_globals(safe_globals: list) -> None:
    """Allow classes or functions in weights-only loading, for this process.

    Args:
        safe_globals: objects, or pairs (object, full name in the file).

    >>> import flambeau as torch, argparse
    >>> torch.serialization.add_safe_globals([argparse.Namespace])
    >>> torch.serialization.get_safe_globals() == [argparse.Namespace]
    True
    >>> torch.serialization.clear_safe_globals()
    """
    for entry in safe_globals:
        if entry not in user_globals.entries:
            user_globals.entries.append(entry)


def get_safe_globals() -> list:
    """Return what :func:`add_safe_globals` allowed."""
    return list(user_globals.entries)


def clear_safe_globals() -> None:
    """Forget what :func:`add_safe_globals` allowed."""
    user_globals.entries.clear()


class safe_globals:
    """Allow classes or functions in weights-only loading within a ``with`` block.

    >>> import flambeau as torch, argparse
    >>> with torch.serialization.safe_globals([argparse.Namespace]):
    ...     len(torch.serialization.get_safe_globals())
    1
    """

    def __init__(self, safe_globals: list) -> None:
        self.safe_globals = safe_globals

    def __enter__(self) -> None:
        self._before = get_safe_globals()
        add_safe_globals(self.safe_globals)

    def __exit__(self, *exception: Any) -> None:
        user_globals.entries[:] = self._before


def get_unsafe_globals_in_checkpoint(f: Any) -> list[str]:
    """Return the names in a zip checkpoint that weights-only loading would refuse.

    Args:
        f: a path or a seekable file.

    Raises:
        ValueError: if the file has another format.
    """
    if isinstance(f, (str, os.PathLike)):
        with open(f, "rb") as file:
            return get_unsafe_globals_in_checkpoint(file)
    start = f.tell()
    if f.read(4) != b"PK\x03\x04":
        raise ValueError("Expected input to be a checkpoint returned by torch.save")
    f.seek(start)
    reader = ZipReader(io.BytesIO(f.read()), "the file")
    if "constants.pkl" in reader:
        raise ValueError("Expected input to be a checkpoint returned by torch.save but got a torchscript checkpoint")  # noqa: E501
    return unsafe_names(Cursor(reader.read("data.pkl", LARGEST_PACKED_PICKLE)))
