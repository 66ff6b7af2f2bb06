"""What the modules of absent devices share (``torch.cuda``, ``torch.mps``, ``torch.xpu``).

Questions are answered ("no", 0), seeds are accepted, and everything that needs the device raises
PyTorch's error. Each module lists its names in tables; this file makes functions of them.
"""

from __future__ import annotations

import contextlib
from typing import Any

__all__ = ["answers", "raising", "stream_context", "unavailable_class"]


def answers(module: str, table: dict[str, Any]) -> dict[str, Any]:
    """Functions that take any arguments and return the value in the table."""
    def make(name, value):
        def function(*args, **kwargs):
            return type(value)(value) if isinstance(value, (list, dict)) else value
        function.__name__ = function.__qualname__ = name
        function.__module__ = module
        function.__doc__ = f"{value!r}: there is no such device."
        return function
    return {name: make(name, value) for name, value in table.items()}


def raising(module: str, names: str, error: type[Exception], message: str) -> dict[str, Any]:
    """Functions that raise `error`: they need the device. ``{name}`` in the message is filled."""
    def make(name):
        def function(*args, **kwargs):
            raise error(message.format(name=name))
        function.__name__ = function.__qualname__ = name
        function.__module__ = module
        function.__doc__ = "Needs the device; raises."
        return function
    return {name: make(name) for name in names.split()}


def unavailable_class(module: str, name: str, error: type[Exception], message: str) -> type:
    """A class that can be named, and tested for with isinstance, but not instantiated."""
    def refuse(cls, *args, **kwargs):
        raise error(message)
    return type(name, (), {"__new__": refuse, "__module__": module,
                           "__doc__": "Needs the device; cannot be made."})


class stream_context(contextlib.nullcontext):
    """Accepts no stream (None), as PyTorch's does without the device."""

    def __init__(self, stream=None):
        super().__init__(None)
        if stream is not None:
            raise RuntimeError(f"there are no device streams: received {stream!r}")
