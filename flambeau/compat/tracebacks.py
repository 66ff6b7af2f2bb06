"""Tracebacks of user programs: they end at the user's line, as if Flambeau were built in.

The frames of Flambeau, and of the libraries that it calls, are dropped from an error that the
program caused. An error that may be Flambeau's own fault keeps them: a report needs them.
"""

from __future__ import annotations

import opcode
import os
import sys
import types
from collections.abc import Iterator

__all__ = ["trim", "trim_in_threads"]

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_STANDARD = os.path.dirname(os.__file__) + os.sep
#: What Flambeau calls. Anything else below one of its frames is the user's: forward, __getitem__.
_LIBRARIES = ("numpy", "llvmlite", "PIL")
#: Kinds that say what the program did wrong, whoever noticed it.
_USER_ERRORS = (RuntimeError, ValueError, TypeError, IndexError, NotImplementedError, ImportError,
                OSError, EOFError, KeyboardInterrupt)
_RAISING = {opcode.opmap[name] for name in ("RAISE_VARARGS", "RERAISE") if name in opcode.opmap}


def trim(error: BaseException) -> None:
    """Drop Flambeau's frames from the tracebacks of an error, its causes and its parts."""
    if os.environ.get("FLAMBEAU_TRACEBACK") == "full":
        return
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        current = waiting.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        _trim_one(current)
        waiting += [current.__cause__, current.__context__]
        waiting += getattr(current, "exceptions", ())  # of an ExceptionGroup


def trim_in_threads() -> None:
    """Do the same for what ends a thread of the program."""
    import threading
    before = threading.excepthook

    def hook(arguments: threading.ExceptHookArgs) -> None:
        if arguments.exc_value is not None:
            trim(arguments.exc_value)
            arguments = threading.ExceptHookArgs((
                arguments.exc_type, arguments.exc_value, arguments.exc_value.__traceback__,
                arguments.thread))
        before(arguments)
    threading.excepthook = hook


def _trim_one(error: BaseException) -> None:
    frames = list(_frames(error.__traceback__))
    first = 0
    while first < len(frames) and _is_ours(frames[first]):
        first += 1
    kept = frames[first:]                 # without the runner, which called the program
    if not kept and isinstance(error, SyntaxError):
        error.__traceback__ = None        # of the program itself: Python shows no frames
        return
    if _is_the_programs_doing(error, frames):
        kept = list(_visible(kept)) or kept
    for left, right in zip(kept, [*kept[1:], None]):
        left.tb_next = right
    if kept:
        error.__traceback__ = kept[0]


def _frames(traceback: types.TracebackType | None) -> Iterator[types.TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


def _is_the_programs_doing(error: BaseException, frames: list[types.TracebackType]) -> bool:
    """Whether an error tells of the program: by its kind, its place, or raised on purpose."""
    if isinstance(error, _USER_ERRORS) or not frames:
        return True
    last = frames[-1]
    if not _is_ours(last):
        return True
    return last.tb_frame.f_code.co_code[last.tb_lasti] in _RAISING


def _visible(frames: list[types.TracebackType]) -> Iterator[types.TracebackType]:
    below = False                         # below one of Flambeau's frames, in what it calls
    for frame in frames:
        below = _is_ours(frame) or (below and _is_library(frame))
        if not below:
            yield frame


def _is_ours(traceback: types.TracebackType) -> bool:
    code = traceback.tb_frame.f_code
    name = code.co_filename
    generated = name == "<string>" and "_declaration" in traceback.tb_frame.f_globals
    return generated or name.startswith(_PACKAGE) or "importlib._bootstrap" in name


def _is_library(traceback: types.TracebackType) -> bool:
    name = traceback.tb_frame.f_code.co_filename
    if name.startswith("<frozen "):
        return True
    module = str(traceback.tb_frame.f_globals.get("__name__", ""))
    if module.partition(".")[0] in _LIBRARIES:
        return True
    inside = name.startswith(_STANDARD) and "-packages" + os.sep not in name
    return inside and module.partition(".")[0] in sys.stdlib_module_names
