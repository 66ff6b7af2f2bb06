"""What is raised for a name that a module does not have: PyTorch's words and the nearest name."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Iterable

__all__ = ["missing", "raise_missing"]


def missing(module: str, name: str, known: Iterable[str]) -> AttributeError:
    """The error for ``torch.<module>.<name>``; `known` are the names that exist."""
    near = difflib.get_close_matches(name, sorted(set(known) - {name}), 1)
    hint = f" The nearest name that exists is {module}.{near[0]}." if near else ""
    return AttributeError(f"module '{module}' has no attribute '{name}' (Flambeau does not have "
                          f"it).{hint}")


def raise_missing(module: str) -> Callable[[str], object]:
    """A module's ``__getattr__`` that raises; `module` is its Python name."""

    def __getattr__(name: str):
        from .compat.alias import public_name
        public = public_name(module)
        if name.startswith("__"):
            raise AttributeError(f"module '{public}' has no attribute '{name}'")
        raise missing(public, name, dir(sys.modules[module]))
    return __getattr__
