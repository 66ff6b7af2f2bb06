"""Where in the user's code an operation was called."""

from __future__ import annotations

import os
import sys

__all__ = ["user_site"]

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def user_site() -> tuple[str, int] | None:
    """(file name, line) of the innermost frame outside this package."""
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith(_PACKAGE) and not name.startswith("<"):
            return name, frame.f_lineno
        frame = frame.f_back
    return None
