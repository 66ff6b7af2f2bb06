"""PyTorch's modes: which ones stay in the comparison, and what is remembered."""

import pytest
from suite import modes


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_modes_close_to_the_fastest_stay():
    seconds = {"eager": 1.0, "channels_last": 1.05, "compile": 1.2}
    assert modes.close_to_best(seconds, ("eager", "channels_last", "compile")) == [
        "eager", "channels_last"]
    assert modes.close_to_best(seconds, ("compile",)) == ["compile"]


def test_a_mode_that_failed_is_left_out():
    assert modes.close_to_best({"eager": 1.0, "compile": None}, ("eager", "compile")) == ["eager"]
    assert modes.close_to_best({"compile": None}, ("compile",)) == []


def test_what_was_tried_is_remembered_by_version_and_threads():
    modes.remember("cnn", "2.13.0", 2, {"eager": 1.0})
    modes.remember("cnn", "2.13.0", 2, {"compile": None})
    assert modes.recall("cnn", "2.13.0", 2) == {"eager": 1.0, "compile": None}
    assert modes.recall("cnn", "2.13.0", 1) == {} == modes.recall("gpt", "2.13.0", 2)
    modes.forget()
    assert modes.recall("cnn", "2.13.0", 2) == {}
