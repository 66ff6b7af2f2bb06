"""Downloading from a server of our own, and unpacking archives, good and hostile."""

import gzip
import hashlib
import http.server
import io
import os
import stat
import tarfile
import threading
import zipfile

import pytest

from flambeau._download import ChecksumError, fetch
from flambeau.vision.datasets import utils

CONTENT = bytes(range(256)) * 2000
MD5 = hashlib.md5(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT; breaks off, ignores ranges or answers with a page, as its path says."""

    def do_GET(self):
        self.server.requests.append((self.path, self.headers.get("Range")))
        begin = 0
        if "missing" in self.path:
            self.send_error(404)
            return
        if "garbage" in self.path:
            self.wfile.write(b"no answer of HTTP\r\n\r\n")
            return
        if "chunked" in self.path and not self.headers.get("Range"):
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n" % 150_000 + CONTENT[:150_000] + b"\r\n%x\r\nrest" % 150_000)
            self.close_connection = True
            return
        if self.headers.get("Range") and "norange" not in self.path:
            begin = int(self.headers["Range"][6:-1])
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {begin}-{len(CONTENT) - 1}/{len(CONTENT)}")
        else:
            self.send_response(200)
        body = CONTENT[begin:]
        if "page" in self.path:
            body = b"<html>quota</html>"
            self.send_header("Content-Type", "text/html")
        if "wrong" in self.path:
            body = b"?" * len(body)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if "breaks" in self.path and self.server.breaks > 0:
            self.server.breaks -= 1
            body = body[:100_000]
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def _server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def server(_server, monkeypatch):
    monkeypatch.delenv("FLAMBEAU_MIRROR", raising=False)
    _server.requests, _server.breaks = [], 0
    _server.url = f"http://127.0.0.1:{_server.server_port}/"
    return _server


def test_download(server, tmp_path):
    utils.download_url(server.url + "a.bin", tmp_path / "new", md5=MD5)
    path = tmp_path / "new" / "a.bin"
    assert path.read_bytes() == CONTENT and os.listdir(path.parent) == ["a.bin"]
    assert stat.S_IMODE(path.stat().st_mode) & 0o600 == 0o600
    utils.download_url(server.url + "a.bin", tmp_path / "new", md5=MD5)
    assert len(server.requests) == 1  # what is there is not fetched again
    utils.download_url(server.url + "a.bin", tmp_path, filename="b.bin")
    assert (tmp_path / "b.bin").read_bytes() == CONTENT


def test_readable_by_others_as_the_mask_allows(server, tmp_path):
    utils.download_url(server.url + "a.bin", tmp_path)
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((tmp_path / "a.bin").stat().st_mode) == 0o666 & ~mask


def test_resumes_within_a_call(server, tmp_path):
    server.breaks = 2
    utils.download_url(server.url + "breaks.bin", tmp_path, md5=MD5)
    assert (tmp_path / "breaks.bin").read_bytes() == CONTENT
    assert [r for _, r in server.requests] == [None, "bytes=100000-", "bytes=200000-"]


def test_resumes_in_a_later_call(server, tmp_path):
    server.breaks = 99
    with pytest.raises(RuntimeError, match="the connection ended after 300000 of 512000 bytes"):
        utils.download_url(server.url + "breaks.bin", tmp_path, md5=MD5)
    assert os.listdir(tmp_path) == ["breaks.bin.part"]
    server.breaks, server.requests = 0, []
    utils.download_url(server.url + "breaks.bin", tmp_path, md5=MD5)
    assert server.requests == [("/breaks.bin", "bytes=300000-")]
    assert os.listdir(tmp_path) == ["breaks.bin"]


def test_resumes_after_a_broken_chunk(server, tmp_path):
    utils.download_url(server.url + "chunked.bin", tmp_path, md5=MD5)
    assert (tmp_path / "chunked.bin").read_bytes() == CONTENT
    assert len(server.requests) == 2 and server.requests[1][1] > "bytes=1"


def test_without_checksum_nothing_partial_is_kept(server, tmp_path):
    server.breaks = 99
    with pytest.raises(RuntimeError, match="connection ended"):
        utils.download_url(server.url + "breaks.bin", tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_stale_part_is_replaced(server, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(b"of an older file")
    utils.download_url(server.url + "a.bin", tmp_path, md5=MD5)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_server_without_ranges(server, tmp_path):
    (tmp_path / "norange.bin.part").write_bytes(CONTENT[:1000])
    utils.download_url(server.url + "norange.bin", tmp_path, md5=MD5)
    assert (tmp_path / "norange.bin").read_bytes() == CONTENT


def test_wrong_checksum(server, tmp_path):
    with pytest.raises(RuntimeError, match="^Error downloading wrong.bin:\nTried") as info:
        utils.download_url(server.url + "wrong.bin", tmp_path, md5=MD5)
    message = str(info.value)
    assert f'invalid hash value (expected "{MD5}"' in message
    assert f"put the file (md5 {MD5}) at {tmp_path / 'wrong.bin'} by hand" in message
    assert os.listdir(tmp_path) == []
    with pytest.raises(ChecksumError):
        from flambeau._download import Checksum

        fetch(server.url + "wrong.bin", tmp_path / "w", Checksum("md5", MD5), progress=False)


def test_errors_of_the_transfer_are_url_errors(server, tmp_path):
    from urllib.error import URLError

    with pytest.raises(URLError, match="HTTP Error 404"):
        utils.download_url(server.url + "missing.bin", tmp_path)
    with pytest.raises(URLError, match="the server's answer is broken: no answer of HTTP"):
        utils.download_url(server.url + "garbage.bin", tmp_path)
    with pytest.raises(URLError, match="expected a .gz file, received a web page"):
        utils.download_url(server.url + "page.gz", tmp_path)


def test_several_addresses(server, tmp_path):
    urls = [server.url + "missing/a.bin", server.url + "wrong/a.bin", server.url + "right/a.bin"]
    utils.download_url(urls, tmp_path, md5=MD5)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_mirror_address(server, tmp_path, monkeypatch):
    monkeypatch.setenv("FLAMBEAU_MIRROR", server.url + "mirror")
    utils.download_url("https://host.invalid/path/a.bin", tmp_path, md5=MD5)
    assert server.requests == [("/mirror/host.invalid/path/a.bin", None)]


def test_mirror_folder(server, tmp_path, monkeypatch):
    folder = tmp_path / "mirror" / "host.invalid" / "path"
    folder.mkdir(parents=True)
    (folder / "a.bin").write_bytes(CONTENT)
    monkeypatch.setenv("FLAMBEAU_MIRROR", str(tmp_path / "mirror"))
    utils.download_url("https://host.invalid/path/a.bin", tmp_path, md5=MD5)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT and not server.requests


def test_progress_without_tqdm(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "tqdm", None)
    utils.download_url(server.url + "a.bin", tmp_path)
    assert "a.bin: 100%\n" in capsys.readouterr().err


def test_two_downloads_of_one_file(server, tmp_path):
    threads = [
        threading.Thread(target=utils.download_url, args=(server.url + "a.bin", tmp_path),
                         kwargs={"md5": MD5})
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert os.listdir(tmp_path) == ["a.bin"] and (tmp_path / "a.bin").read_bytes() == CONTENT


def test_integrity(tmp_path):
    path = tmp_path / "a"
    assert not utils.check_integrity(path)
    path.write_bytes(CONTENT)
    assert utils.check_integrity(path) and utils.check_integrity(path, MD5)
    assert not utils.check_integrity(path, "0" * 32)
    assert utils.calculate_md5(path) == MD5


@pytest.mark.parametrize("ending, mode", [(".tar", "w"), (".tar.gz", "w:gz"), (".tgz", "w:gz"),
                                          (".tar.bz2", "w:bz2"), (".tar.xz", "w:xz")])
def test_tar(tmp_path, ending, mode):
    archive = tmp_path / f"a{ending}"
    with tarfile.open(archive, mode) as tar:
        info = tarfile.TarInfo("folder/x.txt")
        info.size = 2
        tar.addfile(info, io.BytesIO(b"hi"))
    result = utils.extract_archive(str(archive), str(tmp_path / "out"), remove_finished=True)
    assert result == str(tmp_path / "out") and not archive.exists()
    assert (tmp_path / "out" / "folder" / "x.txt").read_text() == "hi"


def test_zip_and_single_files(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x.txt", "hi")
    utils.extract_archive(tmp_path / "a.zip", tmp_path / "out")
    assert (tmp_path / "out" / "x.txt").read_text() == "hi"
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(b"hi"))
    assert utils.extract_archive(str(tmp_path / "b.txt.gz")) == str(tmp_path / "b.txt")
    assert (tmp_path / "b.txt").read_text() == "hi"


def test_members_must_stay_inside(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("../outside.txt"), io.BytesIO(b""))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("../outside.txt", "")
    with pytest.raises((RuntimeError, tarfile.TarError)):
        utils.extract_archive(tmp_path / "a.tar", tmp_path / "out")
    with pytest.raises(RuntimeError, match="leads outside"):
        utils.extract_archive(tmp_path / "a.zip", tmp_path / "out")
    assert not (tmp_path / "outside.txt").exists()


def test_a_cut_off_archive_leaves_nothing(tmp_path):
    (tmp_path / "b.bin.gz").write_bytes(gzip.compress(os.urandom(10000))[:5000])
    with pytest.raises(EOFError):
        utils.extract_archive(tmp_path / "b.bin.gz")
    assert os.listdir(tmp_path) == ["b.bin.gz"]


def test_unknown_archives(tmp_path):
    with pytest.raises(RuntimeError, match="File 'x' has no suffixes that could be used to detect"):
        utils.extract_archive("x")
    with pytest.raises(RuntimeError, match="Unknown compression or archive type: '.7z'.\nKnown"):
        utils.extract_archive("x.7z")


def test_listing_and_arguments(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "a.png").touch()
    assert utils.list_dir(tmp_path) == ["d"]
    assert utils.list_files(tmp_path, ".png", prefix=True) == [str(tmp_path / "a.png")]
    with pytest.raises(ValueError, match="Expected type str for argument x, but got type"):
        utils.verify_str_arg(3, "x")
    with pytest.raises(ValueError, match="Unknown value 'c' for argument x. Valid values are"):
        utils.verify_str_arg("c", "x", ("a", "b"))


def test_google_drive_needs_gdown(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "gdown", None)
    with pytest.raises(RuntimeError, match="To download files from GDrive, 'gdown' is required"):
        utils.download_url("https://drive.google.com/file/d/abc/view", tmp_path, "x.zip")
