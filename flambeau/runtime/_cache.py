"""The object cache on disk: compiled kernels by key, shared between processes and runs.

One file an entry, `objects/<2 hex digits>/<30 hex digits>`: magic number, checksum, data. An entry
is written under a temporary name and renamed, so readers see all of it or nothing; one that
is damaged all the same fails its checksum and counts as absent. Nothing here raises: a cache that
cannot be read or written makes programs compile again, no more.

The place is `$FLAMBEAU_CACHE` ("off" disables the cache) or `flambeau` in the platform's cache
directory; `$FLAMBEAU_CACHE_LIMIT` bounds it in megabytes (512), the least recently used go first.
"""

import contextlib
import os
import sys
import threading
import time

__all__ = ["cache_directory", "cache_size", "clear_cache", "entry_key", "read_entry",
           "write_entry"]

_MAGIC = b"FLBOBJ1\n"
_DIGEST_BYTES = 16
_DEFAULT_LIMIT_MEGABYTES = 512
# an entry's time of last use is refreshed at most this often: a hit costs no write
_REFRESH_SECONDS = 6 * 3600

_lock = threading.Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release,
                        after_in_child=_lock.release)
_state = {"written": None, "writable": True}


def cache_directory():
    """The directory of the cache, which may not exist yet; None when it is switched off."""
    place = os.environ.get("FLAMBEAU_CACHE")
    if place is not None and place.lower() in ("", "0", "off"):
        return None
    if place:
        return os.path.abspath(os.path.expanduser(place))
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or os.path.expanduser(r"~\AppData\Local")
    elif sys.platform == "darwin":
        base = os.path.expanduser("~/Library/Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(base, "flambeau")


def entry_key(*parts):
    """The key of what was made from the texts `parts`."""
    digest = _blake2b()(digest_size=16)
    for part in parts:
        data = part.encode()
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


def read_entry(key):
    """The data stored under `key`, or None."""
    path = _path(key)
    if path is None:
        return None
    try:
        with open(path, "rb", buffering=0) as file:
            content = file.read()
            old = time.time() - os.fstat(file.fileno()).st_mtime > _REFRESH_SECONDS
    except OSError:
        return None
    data = content[len(_MAGIC) + _DIGEST_BYTES:]
    if content[:-len(data) or None] != _MAGIC + _checksum(data) or not data:
        with contextlib.suppress(OSError):
            os.unlink(path)
        return None
    if old:
        with contextlib.suppress(OSError):
            os.utime(path)
    return data


def write_entry(key, data):
    """Stores `data` under `key`; does nothing where that is not possible."""
    import tempfile  # it and shutil take milliseconds to import, and a warm cache needs neither

    path = _path(key)
    if path is None or not _state["writable"]:
        return
    temporary = None
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=".new-", dir=os.path.dirname(path))
        # not fsynced, which would cost milliseconds a kernel: after a crash the checksum tells
        with os.fdopen(handle, "wb") as file:
            file.write(_MAGIC + _checksum(data) + data)
        os.replace(temporary, path)
    except OSError:
        _state["writable"] = False  # read-only or full: do not try for every kernel
        if temporary:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        return
    _account(len(data))


def cache_size():
    """(number of entries, bytes) of the cache on disk."""
    entries = _entries()
    return len(entries), sum(size for _, size, _ in entries)


def clear_cache():
    """Removes every entry; other processes merely compile again."""
    import shutil

    directory = cache_directory()
    if directory:
        shutil.rmtree(os.path.join(directory, "objects"), ignore_errors=True)
    _state.update(written=None, writable=True)


def _path(key):
    directory = cache_directory()
    return directory and os.path.join(directory, "objects", key[:2], key[2:])


def _blake2b():
    """The hash function; `hashlib` loads OpenSSL besides, 10 ms."""
    try:
        from _blake2 import blake2b
    except ImportError:
        from hashlib import blake2b
    return blake2b


def _checksum(data):
    return _blake2b()(data, digest_size=_DIGEST_BYTES).digest()


def _limit():
    text = os.environ.get("FLAMBEAU_CACHE_LIMIT", "")
    return (int(text) if text.isdigit() else _DEFAULT_LIMIT_MEGABYTES) << 20


def _entries():
    """[(time of last use, bytes, path)] of every file below objects/."""
    directory = cache_directory()
    found = []
    if directory is None:
        return found
    for folder, _, names in os.walk(os.path.join(directory, "objects")):
        for name in names:
            path = os.path.join(folder, name)
            with contextlib.suppress(OSError):
                status = os.stat(path)
                found.append((status.st_mtime, status.st_size, path))
    return found


def _account(nbytes):
    """Looks at the whole directory at a process's first write, and each limit / 16 later."""
    with _lock:
        limit = _limit()
        written = _state["written"]
        if written is not None and written + nbytes < limit // 16:
            _state["written"] = written + nbytes
            return
        _state["written"] = 0
    _evict(limit)


def _evict(limit):
    entries = sorted(_entries())
    total = sum(size for _, size, _ in entries)
    for _, size, path in entries if total > limit else ():
        if total <= limit * 3 // 4:
            break
        with contextlib.suppress(OSError):
            os.unlink(path)
        total -= size
