"""Downloading, checking and unpacking the files of data sets."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import os
import pathlib
import re
import shutil
import tarfile
import zipfile
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from flambeau._atomic_file import atomic_path
from flambeau._download import Checksum, fetch_first

__all__ = [
    "calculate_md5",
    "check_integrity",
    "check_md5",
    "download_and_extract_archive",
    "download_file_from_google_drive",
    "download_url",
    "extract_archive",
    "iterable_to_str",
    "list_dir",
    "list_files",
    "verify_str_arg",
]

USER_AGENT = "pytorch/vision"


def calculate_md5(fpath: str | os.PathLike, chunk_size: int = 1024 * 1024) -> str:
    """The MD5 digest of a file, in hexadecimal."""
    digest = hashlib.md5(usedforsecurity=False)
    with open(fpath, "rb") as file:
        while chunk := file.read(chunk_size):
            digest.update(chunk)
    return digest.hexdigest()


def check_md5(fpath: str | os.PathLike, md5: str, chunk_size: int = 1024 * 1024) -> bool:
    """True if the file has this MD5 digest."""
    return md5 == calculate_md5(fpath, chunk_size)


def check_integrity(fpath: str | os.PathLike, md5: str | None = None) -> bool:
    """True if the file exists and, where `md5` is given, has this digest."""
    return os.path.isfile(fpath) and (md5 is None or check_md5(fpath, md5))


def download_url(
    url: str | list[str],
    root: str | os.PathLike,
    filename: str | os.PathLike | None = None,
    md5: str | None = None,
    max_redirect_hops: int = 3,
) -> None:
    """Download a file into a folder, unless it is there already.

    Args:
        url: its address, or several of the same file, tried in order.
        root: the folder, made where missing.
        filename: the name to store it under; the last part of the address by default.
        md5: the digest to check. A transfer that broke off is resumed only with it.
        max_redirect_hops: redirections to follow; urllib's own limit (10) applies beyond it.

    Raises:
        RuntimeError: nothing delivered the expected file; says where to put it by hand.
    """
    if max_redirect_hops < 0:
        raise ValueError(f"max_redirect_hops must be 0 or more, got {max_redirect_hops}")
    urls = [url] if isinstance(url, str) else list(url)
    root = os.path.expanduser(root)
    path = os.path.join(root, filename or os.path.basename(urls[0]))
    os.makedirs(root, exist_ok=True)
    if check_integrity(path, md5):
        return
    file_id = _google_drive_file_id(urls[0])
    if file_id is not None:
        return download_file_from_google_drive(file_id, root, filename, md5)
    fetch_first(urls, path, Checksum("md5", md5) if md5 else None, user_agent=USER_AGENT)


def _google_drive_file_id(url: str) -> str | None:
    parts = urlsplit(url)
    if not re.match(r"(drive|docs)[.]google[.]com", parts.netloc):
        return None
    match = re.match(r"/file/d/([^/]*)", parts.path)
    return match[1] if match else None


def download_file_from_google_drive(
    file_id: str,
    root: str | os.PathLike,
    filename: str | os.PathLike | None = None,
    md5: str | None = None,
) -> None:
    """Download a file that Google Drive holds, with the package `gdown`."""
    root = os.path.expanduser(root)
    path = os.path.join(root, filename or file_id)
    os.makedirs(root, exist_ok=True)
    if check_integrity(path, md5):
        return
    try:
        import gdown
    except ModuleNotFoundError:
        raise RuntimeError(
            "To download files from GDrive, 'gdown' is required. You can install it with "
            f"'pip install gdown'. Or put the file at {os.path.abspath(path)} by hand."
        ) from None
    with atomic_path(path) as temporary:
        gdown.download(id=file_id, output=temporary, quiet=False, user_agent=USER_AGENT)
        if not check_integrity(temporary, md5):
            raise RuntimeError("File not found or corrupted.")


def _extract_tar(source: str, target: str, compression: str | None) -> None:
    mode: Any = f"r:{compression[1:]}" if compression else "r"
    with tarfile.open(source, mode) as archive:
        if hasattr(tarfile, "data_filter"):
            archive.extractall(target, filter="data")
            return
        for member in archive.getmembers():  # Pythons before the extraction filters
            _check_inside(member.name, target, source)
            if not (member.isfile() or member.isdir()):
                raise RuntimeError(f"{source} holds the special file {member.name!r}")
        archive.extractall(target)


def _extract_zip(source: str, target: str, compression: str | None) -> None:
    method = {None: zipfile.ZIP_STORED, ".bz2": zipfile.ZIP_BZIP2, ".xz": zipfile.ZIP_LZMA}
    with zipfile.ZipFile(source, "r", compression=method[compression]) as archive:
        for name in archive.namelist():
            _check_inside(name, target, source)
        archive.extractall(target)


def _check_inside(name: str, target: str, source: str) -> None:
    root = os.path.realpath(target)
    if os.path.commonpath([root, os.path.realpath(os.path.join(root, name))]) != root:
        raise RuntimeError(f"{source} holds the path {name!r}, which leads outside {target}")


_ARCHIVE_EXTRACTORS = {".tar": _extract_tar, ".zip": _extract_zip}
_COMPRESSED_FILE_OPENERS: dict[str, Any] = {".bz2": bz2.open, ".gz": gzip.open, ".xz": lzma.open}
_FILE_TYPE_ALIASES = {
    ".tbz": (".tar", ".bz2"),
    ".tbz2": (".tar", ".bz2"),
    ".tgz": (".tar", ".gz"),
}


def _detect_file_type(file: str | os.PathLike) -> tuple[str, str | None, str | None]:
    """(suffix, archive type, compression) that a file's name tells."""
    suffixes = pathlib.Path(file).suffixes
    if not suffixes:
        raise RuntimeError(
            f"File '{file}' has no suffixes that could be used to detect the archive type and "
            "compression."
        )
    last = suffixes[-1]
    if last in _FILE_TYPE_ALIASES:
        return (last, *_FILE_TYPE_ALIASES[last])
    if last in _ARCHIVE_EXTRACTORS:
        return last, last, None
    if last in _COMPRESSED_FILE_OPENERS:
        if len(suffixes) > 1 and suffixes[-2] in _ARCHIVE_EXTRACTORS:
            return suffixes[-2] + last, suffixes[-2], last
        return last, None, last
    known = sorted([*_FILE_TYPE_ALIASES, *_ARCHIVE_EXTRACTORS, *_COMPRESSED_FILE_OPENERS])
    raise RuntimeError(
        f"Unknown compression or archive type: '{last}'.\nKnown suffixes are: '{known}'."
    )


def _decompress(
    from_path: str | os.PathLike,
    to_path: str | os.PathLike | None = None,
    remove_finished: bool = False,
) -> pathlib.Path:
    """Decompress one file, by default beside itself without the suffix."""
    suffix, archive_type, compression = _detect_file_type(from_path)
    if not compression:
        raise RuntimeError(f"Couldn't detect a compression from suffix {suffix}.")
    if to_path is None:
        to_path = os.fspath(from_path).removesuffix(suffix) + (archive_type or "")
    with atomic_path(to_path) as temporary:
        with (
            _COMPRESSED_FILE_OPENERS[compression](from_path, "rb") as source,
            open(temporary, "wb") as target,
        ):
            shutil.copyfileobj(source, target, 1 << 20)
    if remove_finished:
        os.remove(from_path)
    return pathlib.Path(to_path)


def extract_archive(
    from_path: str | os.PathLike,
    to_path: str | os.PathLike | None = None,
    remove_finished: bool = False,
) -> str | os.PathLike:
    """Unpack an archive (.tar, .zip, .tgz, ...) or decompress a file (.gz, .bz2, .xz).

    Args:
        from_path: the archive; its name tells the kind.
        to_path: the folder to unpack into; the archive's own by default.
        remove_finished: delete the archive afterwards.

    Returns the folder, or the decompressed file, as the type of `from_path`. A member that
    would land outside the folder raises.
    """
    if to_path is None:
        to_path = os.path.dirname(from_path)
    suffix, archive_type, compression = _detect_file_type(from_path)
    if archive_type:
        source = os.fspath(from_path)
        _ARCHIVE_EXTRACTORS[archive_type](source, os.fspath(to_path) or ".", compression)
        if remove_finished:
            os.remove(from_path)
        result = pathlib.Path(to_path)
    else:
        name = os.path.basename(from_path).removesuffix(suffix)
        result = _decompress(from_path, os.path.join(to_path, name), remove_finished)
    return os.fspath(result) if isinstance(from_path, str) else result


def download_and_extract_archive(
    url: str | list[str],
    download_root: str | os.PathLike,
    extract_root: str | os.PathLike | None = None,
    filename: str | os.PathLike | None = None,
    md5: str | None = None,
    remove_finished: bool = False,
) -> None:
    """`download_url`, then `extract_archive` into `extract_root` (by default `download_root`)."""
    download_root = os.path.expanduser(download_root)
    if not filename:
        filename = os.path.basename(url if isinstance(url, str) else url[0])
    download_url(url, download_root, filename, md5)
    archive = os.path.join(download_root, filename)
    extract_archive(archive, extract_root or download_root, remove_finished)


def list_dir(root: str | os.PathLike, prefix: bool = False) -> list[str]:
    """The sub-folders of a folder; with `prefix`, as paths."""
    return _listed(root, prefix, os.path.isdir, "")


def list_files(
    root: str | os.PathLike, suffix: str | tuple[str, ...], prefix: bool = False
) -> list[str]:
    """The files of a folder whose names end with `suffix`; with `prefix`, as paths."""
    return _listed(root, prefix, os.path.isfile, suffix)


def _listed(root, prefix, wanted, suffix) -> list[str]:
    root = os.path.expanduser(root)
    names = [
        name
        for name in os.listdir(root)
        if wanted(os.path.join(root, name)) and name.endswith(suffix)
    ]
    return [os.path.join(root, name) for name in names] if prefix else names


def iterable_to_str(iterable: Iterable) -> str:
    """The items in quotes, separated by commas."""
    return "'" + "', '".join(str(item) for item in iterable) + "'"


def verify_str_arg(
    value: str,
    arg: str | None = None,
    valid_values: Iterable[str] | None = None,
    custom_msg: str | None = None,
) -> str:
    """`value`, if it is a string and one of `valid_values`; else a `ValueError` naming `arg`.

    >>> verify_str_arg("train", "split", ("train", "test"))
    'train'
    """
    if not isinstance(value, str):
        what = "" if arg is None else f" for argument {arg}"
        raise ValueError(f"Expected type str{what}, but got type {type(value)}.")
    if valid_values is not None and value not in valid_values:
        raise ValueError(
            custom_msg
            or f"Unknown value '{value}' for argument {arg}. "
            f"Valid values are {{{iterable_to_str(valid_values)}}}."
        )
    return value
