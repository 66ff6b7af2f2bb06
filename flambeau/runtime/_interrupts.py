"""Signals: they arrive between two calls of Flambeau, and Ctrl-C stops a long program.

Python calls handlers of signals between any two of its instructions: in the middle of recording an
operation as well. A `KeyboardInterrupt` there would leave wrong books, or a ``no_grad()`` block
that never ends; a handler that saves a checkpoint would use the recorder while it is in use. So
`arrive_between_calls` puts a handler in front of each that looks where it is: in Flambeau's own
code it lets the call come to its end, and calls on the other one where Flambeau was called. A
program that is being compiled or interpreted has changed nothing yet, so Ctrl-C ends it at once;
as it does anything if it is pressed again after a second.

While native code runs, Python only notes the signal and calls its handler when the native call
has returned. Two things follow:

* A program that may take long has a handler of ours in front of Python's while it runs. It asks the
  threads to leave out the chunks that they have not begun, until the first task that writes over
  memory of the program's inputs: what was stopped before can run again from its beginning, and from
  there on a program runs to its end, so that no parameter is half updated.
* After a program that ran to its end, whoever called it (`held`) first hands its results over and
  raises then, where a handler raises at once all the same (a debugger watches). Otherwise a loop
  that catches KeyboardInterrupt to save its model would have lost it.
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
    handler = _signal.getsignal(_NUMBER)
    return (os.name == "posix" and threading.get_ident() == threading.main_thread().ident
            and (handler is signal.default_int_handler
                 or handler.__class__ is _AfterCall and handler.raises))


_NUMBER = int(signal.SIGINT)
_NUMBERS = tuple(int(getattr(signal, name)) for name in (
    "SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGCHLD", "SIGCONT", "SIGQUIT",
    "SIGTSTP", "SIGBREAK", "SIGWINCH", "SIGXCPU") if hasattr(signal, name))
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
#: What waits for others, or runs the user's code: there it is raised.
_OPEN = tuple(_PACKAGE + name.replace("/", os.sep) for name in (
    "utils/", "vision/", "demo/", "compat/", "cuda/", "distributed/", "_download.py", "_explain/",
    "_profiler/", "__main__.py", "hub.py", "multiprocessing.py", "profiler.py"))
#: What calls no code of the user's (but for `apply_` and `map_`, whose interrupts wait).
_CLOSED = tuple(_PACKAGE + name.replace("/", os.sep) for name in (
    "record/", "graph/", "codegen/", "runtime/", "ops/", "_methods/", "nn/_functional/",
    "autograd/engine.py", "optim/_update.py", "optim/_elementwise.py", "tensor.py", "indexing.py",
    "construct.py", "_sharing.py"))
_STANDARD = sysconfig.get_path("stdlib") + os.sep
_LIBRARIES = tuple(f"{os.sep}site-packages{os.sep}{name}{os.sep}" for name in ("llvmlite", "numpy"))
_ends_at_once: set[CodeType] = set()
_IMPATIENCE = 1.0                            # seconds
_watched: list[FrameType] = []               # where what is pending will be handled
_pending: list[tuple[int, Callable]] = []    # numbers of signals, and their handlers
_since = 0.0                                 # when the oldest of them arrived
_delivering = False


def ends_at_once(function: Callable) -> Callable:
    """Declare that a function may be left at any point, because it can simply run again."""
    _ends_at_once.add(function.__code__)
    return function


def arrive_between_calls() -> None:
    """Let handlers of signals wait for the end of calls of Flambeau.

    Called before every program, since programs set handlers at any time, and notebooks Python's
    usual one again for each cell.
    """
    for number in _NUMBERS:
        handler = _signal.getsignal(number)
        # known: ours; a number (default, ignored); None (not set from Python)
        if handler.__class__ not in _KNOWN_KINDS \
                and threading.get_ident() == threading.main_thread().ident:
            signal.signal(number, _AfterCall(handler))


class _AfterCall:
    """A handler of a signal that is called where no call of Flambeau is in the middle.

    The call is watched by a trace function, as by a debugger, and the handler called when it
    returns; after what Python calls by itself, at the caller's next instruction (which is in the
    ``with`` block that was entered). Where a debugger watches already, it is called at once.
    """

    def __init__(self, handler: Callable):
        self.__wrapped__ = handler
        self.raises = handler is signal.default_int_handler

    def __call__(self, number: int, frame: FrameType | None) -> None:
        global _since
        now = time.monotonic()
        if self.raises and _pending and now - _since > _IMPATIENCE:
            stop_waiting()
            signal.default_int_handler(number, frame)
        call = _call_to_end(frame, self.raises)
        if call is None or (sys.gettrace() is not None and not _watched):
            self.__wrapped__(number, frame)
            return
        _since = _since if _pending else now
        _pending.append((number, self.__wrapped__))
        if not (_watched or _delivering):
            _watch(call)


_KNOWN_KINDS = (_AfterCall, int, type(None))


def _watch(call: FrameType) -> None:
    """Let what is pending be handled when `call` returns."""
    caller = call.f_back
    assert caller is not None
    if (call.f_code.co_name not in ("__enter__", "__del__")
            and not call.f_code.co_flags & inspect.CO_GENERATOR):
        call.f_trace = _handle_at_return
        _watched.append(call)
    caller.f_trace, caller.f_trace_opcodes = _handle_here, True      # also if it ends by an error
    _watched.append(caller)
    sys.settrace(_watch_no_other)


def _call_to_end(frame: FrameType | None, may_leave: bool) -> FrameType | None:
    """The outermost call around `frame` that must come to its end; None if there is none.

    may_leave: what can run again need not.
    """
    call = frame
    inside = importing = False
    while frame is not None:
        name = frame.f_code.co_filename
        if may_leave and frame.f_code in _ends_at_once:
            return None
        # a module that is being imported is not yet what a handler would find
        importing |= (name.startswith("<frozen importlib")
                      or frame.f_code.co_name == "<module>" and name.startswith(_PACKAGE))
        if _is_ours(name, frame) or importing and name.startswith(_PACKAGE):
            inside = True
        elif not (_is_library(name) or _is_accident(frame)):
            return call if inside else None
        call, frame = frame, frame.f_back
    return None


def _is_ours(name: str, frame: FrameType) -> bool:
    if name == "<string>":
        return "_declaration" in frame.f_globals       # a declared operation's function
    return name.startswith(_PACKAGE) and not name.startswith(_OPEN)


def _is_accident(frame: FrameType | None) -> bool:
    """Whether a frame of the user's is one that Python called by itself in the middle of a call.

    The end of an object (``__del__``), or what is told of the collection of garbage: these parts
    of Flambeau call no code of the user's themselves.
    """
    importing = False
    while frame is not None:
        name = frame.f_code.co_filename
        importing |= name.startswith("<frozen importlib")
        if name.startswith(_PACKAGE) or name == "<string>" and _is_ours(name, frame):
            return (importing or name.startswith(_CLOSED) or name == "<string>"
                    or frame.f_code.co_name == "<module>")
        frame = frame.f_back
    return False


def _is_library(name: str) -> bool:
    return (name.startswith("<frozen ")
            or name.startswith(_STANDARD) and "-packages" + os.sep not in name
            or any(part in name for part in _LIBRARIES))


def _watch_no_other(frame: FrameType, event: str, argument: object) -> None:
    """The trace function of frames to come."""


def _handle_at_return(frame: FrameType, event: str, argument: object):
    if event == "return":
        _handle_here(frame, event, argument)
    return _handle_at_return


def _handle_here(frame: FrameType, event: str, argument: object) -> None:
    """Call the handlers of what is pending, and of what arrives meanwhile in calls of Flambeau."""
    global _delivering
    _stop_watching()
    _delivering, first = True, None
    while _pending:
        number, handler = _pending.pop(0)
        try:
            handler(number, frame)
        except BaseException as error:       # the others are called all the same
            first = first or error
    _delivering = False
    if first is not None:
        raise first


def _stop_watching() -> None:
    if _watched:
        sys.settrace(None)
        for frame in _watched:
            frame.f_trace, frame.f_trace_opcodes = None, False
        _watched.clear()


def stop_waiting() -> None:
    """Ctrl-C that waited for the end of a call waits no more: the caller raises what it raises."""
    _stop_watching()
    others = [n for n, handler in _pending if handler is not signal.default_int_handler]
    _pending.clear()
    for number in others:
        signal.raise_signal(number)


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
