"""The object cache: shared, damaged, read-only, full, too large."""

import os
import subprocess
import sys
import threading

import pytest

from flambeau.runtime import _cache


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("FLAMBEAU_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(_cache, "_state", {"written": None, "writable": True})
    return tmp_path / "cache"


def entries(place):
    return [p for p in (place / "objects").rglob("*") if p.is_file()]


def test_written_entries_are_read_back(place):
    key = _cache.entry_key("text", "target")
    assert _cache.read_entry(key) is None
    _cache.write_entry(key, b"machine code")
    assert _cache.read_entry(key) == b"machine code"
    assert _cache.cache_size()[0] == 1 and _cache.cache_size()[1] > 12
    assert [p.name for p in entries(place)] == [key[2:]]  # no temporary file is left
    _cache.clear_cache()
    assert _cache.read_entry(key) is None and _cache.cache_size() == (0, 0)


def test_keys_tell_parts_apart():
    keys = {_cache.entry_key(*parts) for parts in (("ab", "c"), ("a", "bc"), ("abc",), ("abc", ""))}
    assert len(keys) == 4


@pytest.mark.parametrize("damage", [lambda d: d[:-1], lambda d: d[:20], lambda d: b"",
                                    lambda d: d[:-1] + b"?", lambda d: b"x" + d[1:],
                                    lambda d: d + b"more"])
def test_damaged_entries_count_as_absent_and_are_replaced(place, damage):
    key = _cache.entry_key("a")
    _cache.write_entry(key, b"machine code")
    path, = entries(place)
    path.write_bytes(damage(path.read_bytes()))
    assert _cache.read_entry(key) is None
    _cache.write_entry(key, b"machine code")
    assert _cache.read_entry(key) == b"machine code"


def test_the_oldest_go_when_it_grows_too_large(place, monkeypatch):
    monkeypatch.setenv("FLAMBEAU_CACHE_LIMIT", "1")
    keys = [_cache.entry_key(str(i)) for i in range(30)]
    for age, key in enumerate(keys):
        _cache.write_entry(key, bytes(100_000))
        path = place / "objects" / key[:2] / key[2:]
        if path.exists():
            os.utime(path, (1e9 + age, 1e9 + age))
    assert _cache.cache_size()[1] <= 1.2 * 2 ** 20
    assert _cache.read_entry(keys[-1]) is not None and _cache.read_entry(keys[0]) is None


def test_a_hit_refreshes_an_old_entry(place):
    key = _cache.entry_key("a")
    _cache.write_entry(key, b"x")
    path, = entries(place)
    os.utime(path, (1e9, 1e9))
    _cache.read_entry(key)
    assert path.stat().st_mtime > 1.7e9


def test_a_place_that_cannot_be_written_is_no_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a directory")
    monkeypatch.setenv("FLAMBEAU_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(_cache, "_state", {"written": None, "writable": True})
    _cache.write_entry(_cache.entry_key("a"), b"x")
    assert _cache.read_entry(_cache.entry_key("a")) is None
    assert _cache.cache_size() == (0, 0)
    _cache.clear_cache()


def test_a_full_disk_is_no_error_and_leaves_nothing(place, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    _cache.write_entry(_cache.entry_key("a"), b"x")
    assert entries(place) == []


@pytest.mark.parametrize("value", ["off", "0", ""])
def test_it_can_be_switched_off(monkeypatch, value):
    monkeypatch.setenv("FLAMBEAU_CACHE", value)
    assert _cache.cache_directory() is None
    _cache.write_entry("00" * 16, b"x")
    assert _cache.read_entry("00" * 16) is None and _cache.cache_size() == (0, 0)
    _cache.clear_cache()


def test_default_place(monkeypatch, tmp_path):
    monkeypatch.delenv("FLAMBEAU_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if sys.platform.startswith("linux"):
        assert _cache.cache_directory() == str(tmp_path / "flambeau")


def test_threads_write_and_read_the_same_entries(place):
    keys = [_cache.entry_key(str(i)) for i in range(8)]
    wrong = []

    def work():
        for _ in range(30):
            for i, key in enumerate(keys):
                data = _cache.read_entry(key)
                if data not in (None, bytes([i]) * 5000):
                    wrong.append(key)
                _cache.write_entry(key, bytes([i]) * 5000)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong and _cache.cache_size()[0] == 8


_PROGRAM = """if True:
    import sys
    from flambeau.codegen.emitter import F32, Module
    from flambeau.runtime import _jit
    def text(name):
        f = Module(name).kernel(name)
        f.store(f.constant(F32, 1.0), f.pointer_arg(0))
        return f.module.text()
    _jit.compile_kernels([(f"k{i}", text(f"k{i}")) for i in range(12)])
    s = _jit.statistics()
    print(s["compiled"], s["cache_hits"])"""


def run_program(place):
    return subprocess.Popen([sys.executable, "-c", _PROGRAM], stdout=subprocess.PIPE, text=True,
                            env={**os.environ, "FLAMBEAU_CACHE": str(place)})


def test_processes_share_it_and_a_second_run_compiles_nothing(tmp_path):
    both = [run_program(tmp_path) for _ in range(2)]
    for process in both:
        compiled, hits = map(int, process.communicate(timeout=120)[0].split())
        assert process.returncode == 0 and compiled + hits == 12
    for path in entries(tmp_path)[:3]:  # and damaged entries are compiled again, silently
        path.write_bytes(path.read_bytes()[:-7])
    assert run_program(tmp_path).communicate(timeout=120)[0].split() == ["3", "9"]
    assert run_program(tmp_path).communicate(timeout=120)[0].split() == ["0", "12"]
