"""The import path while ``python -m flambeau`` starts.

Python puts the current folder first on the path, and a file there that is named like a standard
module (``types.py``, ``random.py``) would be imported in its place. Running a script does not look
in the current folder but in the script's, which the runner puts first when everything is loaded.
"""

from __future__ import annotations

import os
import sys

__all__: list[str] = []


def _runs_this_package(arguments: list[str]) -> bool:
    """Whether the command line is ``python [option ...] -m flambeau ...``."""
    for position, argument in enumerate(arguments[1:], 1):
        if argument == "-m":
            return arguments[position + 1:position + 2] == [__package__]
        if argument == f"-m{__package__}":
            return True
    return False


if _runs_this_package(sys.orig_argv) and not getattr(sys.flags, "safe_path", False):
    sys.path[0] = os.path.dirname(os.__file__)  # keeps the place, and stands on the path already
