"""How a run may end early, and the sentence that says so instead of a traceback.

Nothing of this needs the framework, so that Ctrl-C while it is being imported ends in a sentence
as well.
"""

from __future__ import annotations

import errno
import os
import sys

__all__ = ["Progress", "UnusableData", "close_broken_pipe", "reason_of"]


class UnusableData(Exception):
    """Files of the data set are there, and are not what they should be."""


class Progress:
    """How far a run came, for the sentence that ends an interrupted one."""

    saved = ""
    where = "before the first step"


def reason_of(error: OSError) -> str | None:
    """What to tell about an error of the file system; None for other errors."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ("no space left on the device. Free some, or choose another folder with --out (and "
                "--data).")
    if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
        return "no permission. Choose another folder with --out (and --data)."
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return "a file of that name is in the way. Choose another folder with --out (or --data)."
    if error.errno == errno.EISDIR:
        return "a folder of that name is in the way. Choose another folder with --out (or --data)."
    if error.errno == errno.ENOENT:
        return "the folder is gone, or cannot be made. Choose another with --out (or --data)."
    return None


def close_broken_pipe() -> None:
    """Whoever read the output (``| head``) is gone: let Python's last flush write to nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
