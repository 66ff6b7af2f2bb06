"""Fetching one file: the machinery under `flambeau.hub` and `flambeau.vision.datasets.utils`.

A file arrives under a temporary name beside its destination, is checked, flushed to the disk and
renamed, so a destination that exists is complete. What a broken connection left behind is kept
as `NAME.part` and completed by the next attempt, if a checksum can prove the joined file right.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from ._atomic_file import new_file_beside

MIRROR_VARIABLE = "FLAMBEAU_MIRROR"
USER_AGENT = "flambeau/vision"
_CHUNK = 1 << 16
_TIMEOUT_SECONDS = 30.0
_ATTEMPTS = 3


class ChecksumError(RuntimeError):
    """A downloaded file is not the expected one."""


class DownloadError(urllib.error.URLError, RuntimeError):
    """No source could deliver a file; the message lists what was tried."""

    def __init__(self, message: str):
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True)
class Checksum:
    """A hash algorithm of hashlib and the first hexadecimal digits that a file must have."""

    algorithm: str
    digits: str

    def of(self, path: str | os.PathLike) -> str:
        """The file's whole digest."""
        digest = hashlib.new(self.algorithm, usedforsecurity=False)
        with open(path, "rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
        return digest.hexdigest()

    def matches(self, path: str | os.PathLike) -> bool:
        return self.of(path).startswith(self.digits.lower())

    def __str__(self) -> str:
        return f"{self.algorithm} {self.digits}"


def mirrored(urls: list[str]) -> list[str]:
    """`urls`, preceded by where `$FLAMBEAU_MIRROR` (addresses or folders) would hold each.

    A mirror holds a file either under the original host and path, as `wget -r` stores it, or
    directly under its name.

    >>> os.environ["FLAMBEAU_MIRROR"] = "https://mirror.example/data"
    >>> mirrored(["https://host.org/mnist/t.gz"])[0]
    'https://mirror.example/data/host.org/mnist/t.gz'
    >>> del os.environ["FLAMBEAU_MIRROR"]
    """
    first = []
    for mirror in os.environ.get(MIRROR_VARIABLE, "").split():
        is_address = "://" in mirror
        for url in urls:
            parts = urllib.parse.urlsplit(url)
            for tail in (parts.netloc + parts.path, os.path.basename(parts.path)):
                if is_address:
                    first.append(mirror.rstrip("/") + "/" + tail)
                elif (place := Path(mirror).expanduser().absolute() / tail).is_file():
                    first.append(place.as_uri())
    return list(dict.fromkeys(first + urls))


def fetch_first(
    urls: list[str],
    path: str | os.PathLike,
    checksum: Checksum | None = None,
    progress: bool = True,
    user_agent: str = USER_AGENT,
) -> None:
    """Store the file that the first working one of `urls` (or a mirror of it) delivers at `path`.

    Raises `DownloadError`, which says what was tried and where to put the file by hand.
    """
    failures = []
    for url in mirrored(urls):
        try:
            return fetch(url, path, checksum, progress, user_agent)
        except (OSError, ChecksumError, ValueError) as error:
            failures.append(f"Tried {url}, got:\n{error}\n")
    name = os.path.basename(os.fspath(path))
    must_be = f" ({checksum})" if checksum else ""
    raise DownloadError(
        f"Error downloading {name}:\n{''.join(failures)}"
        f"To go on without this download, put the file{must_be} at {os.path.abspath(path)} "
        f"by hand, or set ${MIRROR_VARIABLE} to an address or folder that holds it."
    )


def fetch(
    url: str,
    path: str | os.PathLike,
    checksum: Checksum | None = None,
    progress: bool = True,
    user_agent: str = USER_AGENT,
) -> None:
    """Store `url` at `path`, completely or not at all.

    Raises `OSError` (as urllib does) if the transfer fails, `ChecksumError` if it is not the
    expected file.
    """
    path = os.fspath(path)
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with _partial_file(path, resumable=checksum is not None) as file:
        resumed = file.seek(0, os.SEEK_END) > 0
        _receive(url, file, progress, user_agent)
        if checksum and not checksum.matches(file.name):
            if resumed:  # the piece left behind may have been of an older file: start afresh
                _restart(file)
                _receive(url, file, progress, user_agent)
            if not resumed or not checksum.matches(file.name):
                received = checksum.of(file.name)
                _restart(file)
                raise ChecksumError(
                    f'invalid hash value (expected "{checksum.digits}", got "{received}")'
                )
        os.fsync(file.fileno())
        os.replace(file.name, path)


def _restart(file) -> None:
    file.seek(0)
    file.truncate()


@contextlib.contextmanager
def _partial_file(path: str, resumable: bool):
    """A file to receive into; `path`.part, if it may be resumed and nobody else is writing it."""
    file = _locked_part(path + ".part") if resumable else None
    keep = file is not None
    if file is None:
        file = open(new_file_beside(path), "r+b", buffering=0)
    try:
        yield file
    finally:
        if os.path.exists(file.name) and (not keep or file.seek(0, os.SEEK_END) == 0):
            os.unlink(file.name)
        file.close()


def _locked_part(name: str):
    try:
        import fcntl
    except ImportError:  # Windows: no advisory lock, hence no resuming
        return None
    os.close(os.open(name, os.O_RDWR | os.O_CREAT, 0o666))
    file = open(name, "r+b", buffering=0)
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        still_there = os.stat(name).st_ino == os.fstat(file.fileno()).st_ino
    except OSError:
        still_there = False
    if not still_there:
        file.close()
        return None
    return file


def _receive(url: str, file, progress: bool, user_agent: str) -> None:
    """Append to `file` until the whole of `url` is there, resuming a broken connection."""
    for attempt in range(_ATTEMPTS):
        start = file.seek(0, os.SEEK_END)
        try:
            _receive_once(url, file, start, progress, user_agent)
            return
        except urllib.error.HTTPError as error:
            if error.code == 416 and start:  # nothing beyond what we hold: the checksum decides
                return
            raise
        except (OSError, EOFError, http.client.HTTPException) as error:
            stuck = file.seek(0, os.SEEK_END) == start
            if attempt == _ATTEMPTS - 1 or stuck or url.startswith("file:"):
                if isinstance(error, OSError):
                    raise
                told = str(error) if isinstance(error, EOFError) else (
                    f"the server's answer is broken: {str(error).strip() or type(error).__name__}")
                raise urllib.error.URLError(told) from None


def _receive_once(url: str, file, start: int, progress: bool, user_agent: str) -> None:
    headers = {"User-Agent": user_agent}
    if start:
        headers["Range"] = f"bytes={start}-"
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:
        if start and not _continues_at(response, start):
            start = 0
            _restart(file)
        _refuse_page(url, response)
        length = response.headers.get("Content-Length")
        total = start + int(length) if length else None
        with progress_bar(total, start, os.path.basename(url), enabled=progress) as advance:
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                advance(len(chunk))
    received = file.seek(0, os.SEEK_END)
    if total is not None and received < total:
        raise EOFError(f"the connection ended after {received} of {total} bytes")


def _continues_at(response, start: int) -> bool:
    """True if the server answered with the rest of the file, from byte `start` on."""
    content_range = response.headers.get("Content-Range", "")
    match = re.match(r"bytes (\d+)-", content_range)
    resumed = getattr(response, "status", None) == 206
    return resumed and match is not None and int(match[1]) == start


def _refuse_page(url: str, response) -> None:
    """A web page in place of an archive is a log-in, quota or virus-scan notice."""
    kind = response.headers.get("Content-Type", "")
    wanted = os.path.splitext(urllib.parse.urlsplit(url).path)[1].lower()
    if kind.startswith("text/html") and wanted not in ("", ".html", ".htm", ".php", ".txt"):
        raise urllib.error.URLError(f"expected a {wanted} file, received a web page")


@contextlib.contextmanager
def progress_bar(total: int | None, done: int, description: str, enabled: bool = True):
    """A function to call with the number of further bytes; draws with tqdm where installed."""
    if not enabled:
        yield lambda count: None
        return
    try:
        from tqdm import tqdm
    except ImportError:
        yield _PlainProgress(total, done, description)
        sys.stderr.write("\n")
        return
    with tqdm(
        total=total, initial=done, unit="B", unit_scale=True, unit_divisor=1024, desc=description
    ) as bar:
        yield bar.update


class _PlainProgress:
    """Percent, or megabytes where the size is unknown, rewritten in place on the error stream."""

    def __init__(self, total: int | None, done: int, description: str):
        self.total, self.done, self.description, self.shown = total, done, description, None

    def __call__(self, count: int) -> None:
        self.done += count
        if self.total:
            text = f"{100 * self.done // self.total}%"
        else:
            text = f"{self.done >> 20} MB"
        if text != self.shown:
            self.shown = text
            sys.stderr.write(f"\r{self.description}: {text}")
            sys.stderr.flush()
