"""Ctrl-C while native code runs: long programs stop, short ones end before Python hears of it.

Beside `_pool`. Python's own handler of SIGINT only notes the signal; `KeyboardInterrupt` is raised
when the native call has returned. Two things follow:

* A program that may take long has a handler of ours in front of Python's while it runs. It asks the
  threads to leave out the chunks that they have not begun, until the first task that writes over
  memory of the program's inputs: what was stopped before can run again from its beginning, and from
  there on a program runs to its end, so that no parameter is half updated.
* After a program that ran to its end, whoever called it (`held`) first hands its results over and
  raises then. Otherwise a loop that catches KeyboardInterrupt to save its model would have lost it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import threading

__all__ = ["MESSAGE", "Handler", "held", "may_stop"]

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
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler)


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
        number = int(signal.SIGINT)
        self._libc.sigaction(number, None, self._old)
        self._previous.value = int.from_bytes(self._old[:8], "little")
        self._new.raw = self._address.to_bytes(8, "little") + self._old.raw[8:]
        self._libc.sigaction(number, self._new, None)

    def __exit__(self, *_):
        self._libc.sigaction(int(signal.SIGINT), self._old, None)
