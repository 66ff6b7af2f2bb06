"""``torch.compiler``: every program is compiled already, so there is nothing to switch."""

from __future__ import annotations

import contextlib

__all__ = ["allow_in_graph", "assume_constant_result", "cudagraph_mark_step_begin", "disable",
           "is_compiling", "is_dynamo_compiling", "is_exporting", "list_backends", "reset",
           "set_stance"]


def is_compiling() -> bool:
    """False: the user's Python always runs, it is never traced."""
    return False


is_dynamo_compiling = is_exporting = is_compiling


def reset() -> None:
    """Forget all known programs; they are recorded and compiled again."""
    from .record.trace import reset_programs
    reset_programs()


def disable(fn=None, recursive=True, *, reason=None):
    """The function itself."""
    return (lambda f: f) if fn is None else fn


def allow_in_graph(fn):
    """The function itself."""
    return fn


assume_constant_result = allow_in_graph


def cudagraph_mark_step_begin() -> None:
    """Nothing to mark."""


def set_stance(stance="default", **options):
    """A context that changes nothing: there is one way to run programs."""
    return contextlib.nullcontext()


def list_backends(exclude_tags=None) -> list[str]:
    """The compiler's one backend."""
    return ["flambeau"]
