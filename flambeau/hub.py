"""Pretrained weights from the network, kept in the cache folder that PyTorch uses.

A file that PyTorch downloaded is found here and the other way round: the folder is
`$TORCH_HOME/hub`, by default `~/.cache/torch/hub`.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import re
import sys
import tempfile
import types
import warnings
import zipfile
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from flambeau._download import Checksum, fetch_first

__all__ = [
    "download_url_to_file",
    "get_dir",
    "help",
    "list",
    "load",
    "load_state_dict_from_url",
    "set_dir",
]

HASH_REGEX = re.compile(r"-([a-f0-9]*)\.")
MODULE_HUBCONF = "hubconf.py"
_hub_dir: str | None = None


def get_dir() -> str:
    """The cache folder: that of `set_dir`, else `$TORCH_HOME/hub`.

    `$TORCH_HOME` defaults to `$XDG_CACHE_HOME/torch`, and `$XDG_CACHE_HOME` to `~/.cache`.
    """
    if _hub_dir is not None:
        return _hub_dir
    cache = os.getenv("XDG_CACHE_HOME", "~/.cache")
    home = os.getenv("TORCH_HOME", os.path.join(cache, "torch"))
    return os.path.join(os.path.expanduser(home), "hub")


def set_dir(d: str | os.PathLike) -> None:
    """Choose the cache folder.

    >>> from flambeau import hub
    >>> before = hub.get_dir()
    >>> hub.set_dir("/tmp/weights")
    >>> hub.get_dir()
    '/tmp/weights'
    >>> hub.set_dir(before)
    """
    global _hub_dir
    _hub_dir = os.path.expanduser(d)


def download_url_to_file(
    url: str, dst: str | os.PathLike, hash_prefix: str | None = None, progress: bool = True
) -> None:
    """Download to a file, completely or not at all.

    Args:
        url: the address; a mirror named by `$FLAMBEAU_MIRROR` is asked first.
        dst: the path of the file.
        hash_prefix: how the file's SHA-256 must begin.
        progress: draw a bar on the error stream.

    Raises:
        RuntimeError: nothing delivered the expected file; says where to put it by hand.
    """
    checksum = Checksum("sha256", hash_prefix) if hash_prefix else None
    fetch_first([url], os.path.expanduser(dst), checksum, progress, user_agent="torch.hub")


def load_state_dict_from_url(
    url: str,
    model_dir: str | os.PathLike | None = None,
    map_location: Any = None,
    progress: bool = True,
    check_hash: bool = False,
    file_name: str | None = None,
    weights_only: bool = False,
) -> dict[str, Any]:
    """What `flambeau.load` reads from a file at an address, downloaded unless cached.

    Args:
        url: the address.
        model_dir: where to keep the file; `get_dir()/checkpoints` by default.
        map_location, weights_only: as for `flambeau.load`.
        progress: draw a bar while downloading.
        check_hash: the name ends in `-HASH.ext`, the beginning of the file's SHA-256; check it.
        file_name: the name to keep the file under; the last part of the address by default.
    """
    import flambeau

    if os.getenv("TORCH_MODEL_ZOO"):
        warnings.warn(
            "TORCH_MODEL_ZOO is deprecated, please use env TORCH_HOME instead", stacklevel=2
        )
    folder = os.path.join(get_dir(), "checkpoints") if model_dir is None else model_dir
    os.makedirs(folder, exist_ok=True)
    name = os.path.basename(urlsplit(url).path) if file_name is None else file_name
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        sys.stdout.write(f'Downloading: "{url}" to {path}\n')
        match = HASH_REGEX.search(name) if check_hash else None
        download_url_to_file(url, path, match[1] if match else None, progress=progress)
    if _wraps_one_file(path):
        return _load_wrapped(path, map_location, weights_only)
    return flambeau.load(path, map_location=map_location, weights_only=weights_only)


def _wraps_one_file(path: str) -> bool:
    """True for a zip archive of one plain file; `save` writes archives with several members."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    return len(members) == 1 and not members[0].is_dir()


def _load_wrapped(path: str, map_location: Any, weights_only: bool):
    import flambeau

    warnings.warn(
        "Falling back to the old format < 1.6. This support will be deprecated in favor of "
        "default zipfile format introduced in 1.6. Please redo torch.save() to save it in the "
        "new zipfile format.",
        stacklevel=3,
    )
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(path) as archive:
        inner = archive.extract(archive.infolist()[0], folder)
        return flambeau.load(inner, map_location=map_location, weights_only=weights_only)


def _hubconf(repo_or_dir: str | os.PathLike, source: str):
    """The module `hubconf.py` of a folder, imported with the folder on the search path.

    The repository pytorch/vision, whose entry points are the networks' builders, is here.
    """
    if source not in ("github", "local"):
        raise ValueError(
            f'Unknown source: "{source}". Allowed values: "github" | "local".'
        )
    if source == "github":
        if os.fspath(repo_or_dir).partition(":")[0] == "pytorch/vision":
            from flambeau.vision import models  # what its hubconf.py offers, of any version

            return models
        raise NotImplementedError(
            "Code from GitHub is not fetched here: clone the repository and pass its folder "
            "with source='local'. Only 'pytorch/vision' is known (flambeau.vision.models)."
        )
    path = os.path.join(os.path.expanduser(repo_or_dir), MODULE_HUBCONF)
    loader = importlib.machinery.SourceFileLoader(MODULE_HUBCONF, path)
    module = types.ModuleType(MODULE_HUBCONF)
    module.__file__ = path
    sys.path.insert(0, os.fspath(repo_or_dir))
    try:
        loader.exec_module(module)
    finally:
        sys.path.remove(os.fspath(repo_or_dir))
    missing = [
        name
        for name in getattr(module, "dependencies", [])
        if name not in sys.modules and importlib.util.find_spec(name) is None
    ]
    if missing:
        raise RuntimeError(f"Missing dependencies: {', '.join(missing)}")
    return module


def _entry(module, model: str):
    if not isinstance(model, str):
        raise ValueError("Invalid input: model should be a string of function name")
    function = getattr(module, model, None)
    if not callable(function):
        raise RuntimeError(f"Cannot find callable {model} in hubconf")
    return function


def load(
    repo_or_dir: str | os.PathLike,
    model: str,
    *args: Any,
    source: str = "github",
    trust_repo: bool | str | None = "check",
    force_reload: bool = False,
    verbose: bool = True,
    skip_validation: bool = False,
    **kwargs: Any,
) -> Any:
    """Call the entry point `model` of the `hubconf.py` in a folder.

    Args:
        repo_or_dir: the folder; or "pytorch/vision" (with a ":version"), which is built in.
        model: the entry point's name; `args` and `kwargs` are passed on.
        source: "local"; with "github", every repository but pytorch/vision raises.
        trust_repo, force_reload, verbose, skip_validation: of downloads, which do not happen.
    """
    return _entry(_hubconf(repo_or_dir, source), model)(*args, **kwargs)


def list(
    github: str | os.PathLike,
    force_reload: bool = False,
    skip_validation: bool = False,
    trust_repo: bool | str | None = "check",
    verbose: bool = True,
) -> Sequence[str]:
    """The entry points of a folder's `hubconf.py`, or of "pytorch/vision" (see `load`)."""
    module = _hubconf(github, "local" if os.path.isdir(github) else "github")
    return [
        name
        for name, value in vars(module).items()
        if callable(value) and not name.startswith("_")
    ]


def help(
    github: str | os.PathLike,
    model: str,
    force_reload: bool = False,
    skip_validation: bool = False,
    trust_repo: bool | str | None = "check",
) -> str | None:
    """The docstring of an entry point of a folder's `hubconf.py`."""
    module = _hubconf(github, "local" if os.path.isdir(github) else "github")
    return _entry(module, model).__doc__
