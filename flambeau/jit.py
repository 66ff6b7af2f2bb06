"""``torch.jit``: functions and modules stay what they are, since all programs are compiled.

``script`` and ``trace`` return their argument; TorchScript files cannot be written or read.
"""

from __future__ import annotations

import typing

from .nn import Module

__all__ = ["Attribute", "Final", "ScriptFunction", "ScriptModule", "TracerWarning", "annotate",
           "export", "freeze", "ignore", "interface", "is_scripting", "is_tracing", "load",
           "optimize_for_inference", "save", "script", "script_method", "trace", "trace_module",
           "unused"]

Final = typing.Final
_FILES = ("torch.jit.{name} is not supported: Flambeau has no TorchScript. Save "
          "module.state_dict() with torch.save, and load it into a module made by the same code.")


class TracerWarning(Warning):
    """Never given: tracing does not freeze anything here."""


class ScriptModule(Module):
    """An ordinary module."""


class ScriptFunction:
    """Only for isinstance tests: scripted functions stay functions."""


def script(obj, optimize=None, _frames_up=0, _rcb=None, example_inputs=None):
    """`obj` itself."""
    return obj


def trace(func, example_inputs=None, optimize=None, check_trace=True, check_inputs=None,
          check_tolerance=1e-5, strict=True, example_kwarg_inputs=None, **options):
    """`func` itself, after one call with the example inputs."""
    if example_inputs is not None or example_kwarg_inputs is not None:
        args = () if example_inputs is None else example_inputs
        func(*(args if isinstance(args, tuple) else (args,)), **(example_kwarg_inputs or {}))
    return func


def trace_module(mod, inputs, *args, **options):
    """`mod` itself, after a call of each method with its example inputs."""
    for method, given in inputs.items():
        getattr(mod, method)(*(given if isinstance(given, tuple) else (given,)))
    return mod


def save(m, f, _extra_files=None):
    """Raises: there is no TorchScript."""
    raise NotImplementedError(_FILES.format(name="save"))


def load(f, map_location=None, _extra_files=None, _restore_shapes=False):
    """Raises: there is no TorchScript."""
    raise NotImplementedError(_FILES.format(name="load"))


def is_scripting() -> bool:
    """False."""
    return False


def is_tracing() -> bool:
    """False: Python always runs."""
    return False


def _itself(fn=None, *args, **kwargs):
    """The function itself; also with arguments, as a decorator."""
    return fn if callable(fn) else (lambda f: f)


ignore = unused = export = script_method = interface = _itself


def freeze(mod, preserved_attrs=None, optimize_numerics=True):
    """`mod` itself."""
    return mod


optimize_for_inference = freeze


def annotate(the_type, the_value):
    """`the_value`."""
    return the_value


class Attribute(typing.NamedTuple):
    """A value with a type."""

    value: typing.Any
    type: typing.Any
