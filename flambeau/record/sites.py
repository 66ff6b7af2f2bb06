"""Where in the user's code an operation was called, and which operation it was.

Every graph node carries a :class:`Site`; the passes hand it on, so that a kernel knows the calls
that it computes. It is made when an operation is recorded for the first time, never afterwards.
"""

from __future__ import annotations

import os
import sys

__all__ = ["Site", "user_site"]

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


class Site(tuple):
    """(file name, line) of one call, false where unknown; `operation` is what was called.

    Two calls have two sites, which are equal where their lines are. `forward` is, for the gradient
    of a call, the site of the call itself.
    """

    operation: str = ""
    forward: Site | None = None
    _gradient: Site | None = None

    def __bool__(self) -> bool:
        return bool(self[0])

    def gradient(self) -> Site:
        """The site of what differentiates this call; of a gradient, itself."""
        if self.forward is not None:
            return self
        if self._gradient is None:
            self._gradient = Site(self)
            self._gradient.operation, self._gradient.forward = self.operation, self
        return self._gradient


def user_site(operation: str = "") -> Site:
    """The innermost frame outside this package, and what it called."""
    frame = sys._getframe(1)
    found = Site(("", 0))
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith(_PACKAGE) and (name[:1] != "<" or _is_typed(name, frame)):
            found = Site((name, frame.f_lineno))
            break
        frame = frame.f_back
    found.operation = operation
    return found


def _is_typed(name: str, frame) -> bool:
    """Whether a frame without a file is the user's: an interactive line, or `python -c`."""
    return not name.startswith("<frozen ") and "_declaration" not in frame.f_globals
