"""The import alias: ``import torch`` and its companions mean Flambeau.

A finder ahead of all others maps names of modules, so that ``torch.nn.functional`` and
``flambeau.nn.functional`` are the same module object. What Flambeau lacks raises ImportError with
the nearest name that exists.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.abc
import importlib.machinery
import importlib.metadata
import pkgutil
import sys

__all__ = ["ALIASES", "install", "public_name", "uninstall"]

ALIASES = {"torch": "flambeau", "torchvision": "flambeau.vision", "torchtext": "flambeau.text",
           "torchaudio": "flambeau.audio"}
_LATER = "Flambeau does not have {0} yet: remove the import, or install {0} and run with Python."
_VERSIONS = {"torch": "2.13.0", "torchvision": "0.28.0"}


def real_name(name: str) -> str | None:
    """Flambeau's name of a module of PyTorch's, or None for other modules."""
    top, dot, rest = name.partition(".")
    return ALIASES[top] + dot + rest if top in ALIASES else None


def public_name(name: str) -> str:
    """The name that users of PyTorch know for one of Flambeau's modules."""
    for alias in ("torchvision", "torchtext", "torchaudio", "torch"):
        real = ALIASES[alias]
        if name == real or name.startswith(real + "."):
            return alias + name[len(real):]
    return name


class _Loader(importlib.abc.Loader):
    """Hands out a module that is imported already."""

    def __init__(self, module):
        self.module, self.spec = module, module.__spec__

    def create_module(self, spec):
        return self.module

    def exec_module(self, module):
        module.__spec__ = self.spec       # the import system put the alias's there


class _AliasFinder(importlib.abc.MetaPathFinder):
    """Finds torch, torchvision … and everything below them."""

    def find_spec(self, fullname, path=None, target=None):
        real = real_name(fullname)
        if real is None:
            return None
        try:
            module = importlib.import_module(real)
        except ModuleNotFoundError as error:
            if error.name is None or not (real + ".").startswith(error.name + "."):
                raise
            raise _missing_module(fullname, real) from None
        spec = importlib.machinery.ModuleSpec(fullname, _Loader(module),
                                              origin=getattr(module, "__file__", None),
                                              is_package=hasattr(module, "__path__"))
        spec.submodule_search_locations = getattr(module, "__path__", None)
        return spec

    def find_distributions(self, context=None):
        """Package metadata, for programs that ask which version of torch is installed."""
        name = getattr(context, "name", None)
        if name in _VERSIONS:
            yield _Distribution(name)


class _Distribution(importlib.metadata.Distribution):
    def __init__(self, name: str):
        self._alias = name

    def read_text(self, filename):
        if filename != "METADATA":
            return None
        return (f"Metadata-Version: 2.1\nName: {self._alias}\n"
                f"Version: {_VERSIONS[self._alias]}\n")

    def locate_file(self, path):
        raise FileNotFoundError(f"{self._alias} is provided by Flambeau")


class _LastFinder(importlib.abc.MetaPathFinder):
    """Explains ``from torch import name`` for a name that does not exist."""

    def find_spec(self, fullname, path=None, target=None):
        parent, _, name = fullname.rpartition(".")
        if not parent or public_name(parent) == parent or not _is_from_import():
            return None
        module = sys.modules.get(parent)
        if module is None:
            return None
        shown = public_name(parent)
        hint = nearest(name, dir(module), shown)
        raise ImportError(f"cannot import name '{name}' from '{shown}' (Flambeau does not have "
                          f"it).{hint}", name=shown)


def _is_from_import() -> bool:
    frame = sys._getframe(2)
    while frame is not None and "importlib" in frame.f_code.co_filename:
        if frame.f_code.co_name == "_handle_fromlist":
            return True
        frame = frame.f_back
    return False


def nearest(name: str, known, prefix: str) -> str:
    """A sentence that names what `name` may have meant, or nothing."""
    near = difflib.get_close_matches(name, [k for k in known if not k.startswith("_")], 1)
    return f" The nearest name that exists is {prefix}.{near[0]}." if near else ""


def _missing_module(fullname: str, real: str) -> ImportError:
    top = fullname.partition(".")[0]
    parent, _, name = real.rpartition(".")
    if fullname == top:
        return ModuleNotFoundError(f"No module named '{top}'. " + _LATER.format(top), name=top)
    package = sys.modules.get(parent)
    siblings = [m.name for m in pkgutil.iter_modules(getattr(package, "__path__", []))]
    hint = nearest(name, siblings, public_name(parent))
    return ModuleNotFoundError(f"No module named '{fullname}' (Flambeau does not have it).{hint}",
                               name=fullname)


_finders = (_AliasFinder(), _LastFinder())


def install() -> None:
    """Let ``torch`` and its companions mean Flambeau in this process from now on.

    Raises:
        RuntimeError: the real PyTorch is imported already.

    >>> from flambeau.compat import install, uninstall
    >>> install()
    >>> import torch.nn.functional as F
    >>> F.__name__
    'flambeau.nn.functional'
    >>> uninstall()
    """
    if _finders[0] in sys.meta_path:
        return
    for name in ALIASES:
        module = sys.modules.get(name)
        if module is not None and module.__name__ != ALIASES[name]:
            raise RuntimeError(f"{name} is imported already, from "
                               f"{getattr(module, '__file__', '?')}: install the alias first")
    sys.meta_path.insert(0, _finders[0])
    sys.meta_path.append(_finders[1])


def uninstall() -> None:
    """Undo :func:`install`; modules already imported under their aliases are forgotten."""
    for finder in _finders:
        if finder in sys.meta_path:
            sys.meta_path.remove(finder)
    for name in [n for n in sys.modules if real_name(n) is not None]:
        if sys.modules[name].__name__ == real_name(name):
            del sys.modules[name]
