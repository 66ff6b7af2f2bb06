"""Ctrl-C: it arrives between two calls of Flambeau, and stops a long program.

Python raises `KeyboardInterrupt` between any two of its instructions: in the middle of recording
an operation as well, whose books would be wrong from then on, or in the end of a ``no_grad()``
block, which would never end. `arrive_between_calls` puts a handler in the place of Python's usual
one that looks where it is: in Flambeau's own code it lets the call come to its end, and raises in
the code that called. A program that is being compiled or interpreted has changed nothing yet and
ends at once; so does anything if Ctrl-C is pressed again after a second.

While native code runs, Python only notes the signal and calls its handler when the native call
has returned. Two things follow:

* A program that may take long has a handler of ours in front of Python's while it runs. It asks the
  threads to leave out the chunks that they have not begun, until the first task that writes over
  memory of the program's inputs: what was stopped before can run again from its beginning, and from
  there on a program runs to its end, so that no parameter is half updated.
* After a program that ran to its end, whoever called it (`held`) first hands its results over and
  raises then, should a handler of the user's own raise. Otherwise a loop that catches
  KeyboardInterrupt to save its model would have lost it.
"""

from __future__ import annotations

import _signal  # `signal.getsignal` makes an enumeration of the answer, which takes 1 us
import ctypes
import inspect
import os
import signal
import sys
import sysconfig
import threading
import time
from collections.abc import Callable
from types import CodeType, FrameType

__all__ = ["MESSAGE", "Handler", "arrive_between_calls", "ends_at_once", "held", "may_stop",
           "stop_waiting"]

MESSAGE = ("the program that was running has been stopped; it runs again, from its beginning, when "
           "one of its results is read")
_ACTION_BYTES = 256        # of struct sigaction, with room; it begins with the handler's address


class _Held(threading.local):
    """active: interrupts after a complete run are not raised but noted in `pending`."""

    active = False
    pending = False


held = _Held()


def may_stop() -> bool:
    """Whether Ctrl-C would raise KeyboardInterrupt in this thread, by Python's usual handler."""
    return (os.name == "posix" and threading.get_ident() == threading.main_thread().ident
            and _signal.getsignal(_NUMBER) in (signal.default_int_handler, _on_interrupt))


_NUMBER = int(signal.SIGINT)
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
#: What waits for others, runs the user's code or cleans up after itself: there it is raised.
_OPEN = tuple(_PACKAGE + name for name in (
    f"utils{os.sep}", f"vision{os.sep}", f"demo{os.sep}", f"compat{os.sep}", f"cuda{os.sep}",
    f"distributed{os.sep}", "_download.py", "_explain", "_profiler", "_serialization", "__main__",
    "hub.py", "multiprocessing.py", "profiler.py", "serialization.py"))
_STANDARD = sysconfig.get_path("stdlib") + os.sep
_LIBRARIES = tuple(f"{os.sep}site-packages{os.sep}{name}{os.sep}" for name in ("llvmlite", "numpy"))
_ends_at_once: set[CodeType] = set()
_waiting: list[FrameType] = []               # the frames that are watched, to raise it there
_IMPATIENCE = 1.0                            # seconds
_since = 0.0                                 # when `_waiting` began


def ends_at_once(function: Callable) -> Callable:
    """Declare that a function may be left at any point, because it can simply run again."""
    _ends_at_once.add(function.__code__)
    return function


def arrive_between_calls() -> None:
    """Let Ctrl-C wait for the end of calls of Flambeau, if Python's usual handler is in place.

    Called before every program, since notebooks set the usual handler again for each cell.
    """
    if _signal.getsignal(_NUMBER) is signal.default_int_handler \
            and threading.get_ident() == threading.main_thread().ident:
        signal.signal(_NUMBER, _on_interrupt)


def _on_interrupt(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt, here or where Flambeau was called.

    The call is watched by a trace function, as by a debugger: the interrupt is raised in its place
    when it returns; after what Python calls by itself, at the caller's next instruction (which is
    in the ``with`` block that was entered). Where a debugger watches already, it is raised here.
    """
    global _since
    now = time.monotonic()
    if _waiting and now - _since < _IMPATIENCE:
        return
    again = bool(_waiting)
    stop_waiting()
    call = None if again or sys.gettrace() is not None else _call_to_end(frame)
    if call is None:
        signal.default_int_handler(number, frame)
        return
    caller = call.f_back
    assert caller is not None
    if (call.f_code.co_name not in ("__enter__", "__del__")
            and not call.f_code.co_flags & inspect.CO_GENERATOR):
        call.f_trace = _raise_at_return
        _waiting.append(call)
    caller.f_trace, caller.f_trace_opcodes = _raise_here, True      # also if it ends by an error
    _waiting.append(caller)
    _since = now
    sys.settrace(_watch_no_other)


def _call_to_end(frame: FrameType | None) -> FrameType | None:
    """The outermost call around `frame` that must come to its end; None if it may be left here."""
    call = frame
    inside = False
    while frame is not None:
        name = frame.f_code.co_filename
        if frame.f_code in _ends_at_once:
            return None
        if _is_ours(name, frame):
            inside = True
        elif not _is_library(name):
            return call if inside else None
        call, frame = frame, frame.f_back
    return None


def _is_ours(name: str, frame: FrameType) -> bool:
    if name == "<string>":
        return "_declaration" in frame.f_globals       # a declared operation's function
    return name.startswith(_PACKAGE) and not name.startswith(_OPEN)


def _is_library(name: str) -> bool:
    return (name.startswith("<frozen ")
            or name.startswith(_STANDARD) and "-packages" + os.sep not in name
            or any(part in name for part in _LIBRARIES))


def _watch_no_other(frame: FrameType, event: str, argument: object) -> None:
    """The trace function of frames to come."""


def _raise_at_return(frame: FrameType, event: str, argument: object):
    if event == "return":
        _raise_here(frame, event, argument)
    return _raise_at_return


def _raise_here(frame: FrameType, event: str, argument: object) -> None:
    stop_waiting()
    raise KeyboardInterrupt


def stop_waiting() -> None:
    """An interrupt that waited for a call to end waits no more: it is raised where it is."""
    if _waiting:
        sys.settrace(None)
        for frame in _waiting:
            frame.f_trace, frame.f_trace_opcodes = None, False
        _waiting.clear()


class Handler:
    """Our handler of SIGINT in front of Python's, inside a ``with`` statement.

    address: of the native handler; previous: the address of the word where it finds the one that
    it calls in turn.
    """

    def __init__(self, libc, address: int, previous: int):
        self._libc = libc
        self._previous = ctypes.c_int64.from_address(previous)
        self._address = address
        self._old = ctypes.create_string_buffer(_ACTION_BYTES)
        self._new = ctypes.create_string_buffer(_ACTION_BYTES)

    def __enter__(self):
        self._libc.sigaction(_NUMBER, None, self._old)
        self._previous.value = int.from_bytes(self._old[:8], "little")
        self._new.raw = self._address.to_bytes(8, "little") + self._old.raw[8:]
        self._libc.sigaction(_NUMBER, self._new, None)

    def __exit__(self, *_):
        self._libc.sigaction(_NUMBER, self._old, None)
