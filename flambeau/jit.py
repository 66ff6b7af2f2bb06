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
    """`obj` itself: nothing is translated, and every language feature keeps working.

    Programs are compiled in either case, scripted or not. What a scripted module has beyond an
    ordinary one (``save``, ``graph``, ``code``) does not exist; asking for it raises.

    Args:
        obj: a module, function or class; a list or dict.
        optimize, example_inputs: without meaning: nothing is specialised on them.

    >>> import flambeau as torch
    >>> @torch.jit.script
    ... def double(x):
    ...     return 2 * x
    >>> double(torch.ones(2))
    tensor([2., 2.])
    """
    if not (callable(obj) or isinstance(obj, (list, dict))):
        raise TypeError("torch.jit.script takes a module, function or class, a list or dict; "
                        f"received {type(obj).__name__}")
    return obj


def trace(func, example_inputs=None, optimize=None, check_trace=True, check_inputs=None,
          check_tolerance=1e-5, strict=True, _force_outplace=False, _module_class=None,
          _compilation_unit=None, example_kwarg_inputs=None, _store_inputs=True):
    """`func` itself, after one call with the example inputs.

    Nothing is frozen: branches that depend on values are taken anew in every call. So there is
    nothing to check, and ``check_trace``, ``check_inputs`` and ``strict`` have no meaning.
    """
    if not callable(func):
        raise TypeError(f"torch.jit.trace takes a module or function; received "
                        f"{type(func).__name__}")
    if example_inputs is not None or example_kwarg_inputs is not None:
        args = () if example_inputs is None else example_inputs
        if isinstance(args, list):
            args = tuple(args)
        func(*(args if isinstance(args, tuple) else (args,)), **(example_kwarg_inputs or {}))
    return func


def trace_module(mod, inputs, optimize=None, check_trace=True, check_inputs=None,
                 check_tolerance=1e-5, strict=True, example_inputs_is_kwarg=False):
    """`mod` itself, after a call of each method with its example inputs (see :func:`trace`)."""
    for method, given in inputs.items():
        if example_inputs_is_kwarg:
            getattr(mod, method)(**given)
        else:
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


def _itself(fn=None, **options):
    """The function itself, which Python runs like all others; also as a decorator."""
    return fn if callable(fn) else (lambda f: f)


ignore = unused = export = script_method = interface = _itself


def freeze(mod, preserved_attrs=None, optimize_numerics=True):
    """`mod` itself, which must be in evaluation mode.

    Its attributes stay what they are; ``preserved_attrs`` has no meaning.
    """
    if getattr(mod, "training", False):
        raise RuntimeError("Freezing is currently only implemented for modules in eval mode. "
                           "Please call .eval() on your module before freezing.")
    return mod


def optimize_for_inference(mod, other_methods=None):
    """`mod` itself, which must be in evaluation mode: all programs are optimised."""
    return freeze(mod)


def annotate(the_type, the_value):
    """`the_value`."""
    return the_value


class Attribute(typing.NamedTuple):
    """A value with a type."""

    value: typing.Any
    type: typing.Any
