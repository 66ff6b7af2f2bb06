"""Files that are written whole: to a temporary name, synced, renamed.

A Ctrl-C that arrives in between waits, so that no temporary file is left (`runtime/_interrupts`).
"""

from __future__ import annotations

import contextlib
import os
import uuid

__all__ = ["atomic_path", "new_file_beside"]


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike):
    """A new empty file in the same folder, that becomes `path` if the body succeeds."""
    temporary = new_file_beside(os.fspath(path))
    try:
        yield temporary
        with open(temporary, "r+b") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)


def new_file_beside(path: str) -> str:
    """The name of a new empty file in the folder of `path`."""
    # not tempfile.mkstemp, whose files only their owner can read, also after the renaming
    name = f"{path}.{uuid.uuid4().hex}.tmp"
    os.close(os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666))
    return name
