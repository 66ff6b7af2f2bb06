"""OpenBLAS's threads are left alone by small programs, and given back."""

import threading

import numpy as np
import pytest

import flambeau as torch
from flambeau.runtime import _blas


@pytest.fixture
def switch():
    found = _blas._found()
    if found is None:
        pytest.skip("NumPy is not linked to OpenBLAS")
    before = found.get()
    found.set(2)
    yield found
    found.set(before)


def test_one_thread_inside_and_the_number_from_before_behind(switch):
    with _blas.OneThread():
        assert switch.get() == 1
        with _blas.OneThread():
            assert switch.get() == 1
        assert switch.get() == 1
    assert switch.get() == 2


def test_an_error_gives_the_threads_back(switch):
    with pytest.raises(KeyError), _blas.OneThread():
        raise KeyError
    assert switch.get() == 2


def test_the_last_of_several_threads_gives_them_back(switch):
    inside, leave = threading.Barrier(2), threading.Event()

    def other():
        with _blas.OneThread():
            inside.wait()
            leave.wait()

    thread = threading.Thread(target=other)
    thread.start()
    inside.wait()
    with _blas.OneThread():
        pass
    assert switch.get() == 1
    leave.set()
    thread.join()
    assert switch.get() == 2


def test_interpreted_products_run_on_one(switch, monkeypatch):
    seen = []
    monkeypatch.setattr(np, "matmul", lambda *a, _own=np.matmul, **k: (
        seen.append(switch.get()), _own(*a, **k))[1])
    a = torch.ones(5, 7) @ torch.ones(7, 3)
    assert a.tolist() == [[7.0] * 3] * 5
    assert set(seen) == {1}
    assert switch.get() == 2


def test_nothing_happens_without_openblas(monkeypatch):
    monkeypatch.setattr(_blas, "_limit", _blas._Limit())
    monkeypatch.setattr(_blas, "_found", lambda: None)
    with _blas.OneThread():
        assert (np.ones((2, 2)) @ np.ones((2, 2))).tolist() == [[2.0, 2.0], [2.0, 2.0]]
