import ctypes
import os
import threading

import numpy as np
import pytest

from flambeau.codegen.emitter import F32, Module
from flambeau.runtime import _jit

_SIGNATURE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64,
                              ctypes.c_void_p)


def store_kernel(name, number):
    f = Module(name).kernel(name)
    f.store(f.constant(F32, number), f.pointer_arg(0))
    return f.module.text()


def stored(address):
    out = np.zeros(1, "f4")
    _SIGNATURE(address)(np.array([out.ctypes.data]).ctypes.data, 0, 1, None)
    return out[0]


@pytest.fixture(params=["cached", "uncached"])
def cache(request, tmp_path, monkeypatch):
    monkeypatch.setenv("FLAMBEAU_CACHE", str(tmp_path) if request.param == "cached" else "off")
    return request.param


def test_many_kernels_in_one_request(cache):
    kernels = [(f"many_{i}_{cache}", i) for i in range(20)]
    before = _jit.statistics()
    found = _jit.compile_kernels((name, store_kernel(name, i)) for name, i in kernels)
    assert [stored(found[name]) for name, _ in kernels] == list(range(20))
    after = _jit.statistics()
    assert after["compiled"] + after["cache_hits"] - before["compiled"] - before["cache_hits"] == 20
    assert after["load_seconds"] > before["load_seconds"]
    again = _jit.compile_kernels((name, store_kernel(name, i)) for name, i in kernels[:3])
    assert again == {name: found[name] for name, _ in kernels[:3]}
    assert _jit.statistics() == after


def test_a_name_stands_for_one_text(monkeypatch):
    monkeypatch.setenv("FLAMBEAU_CACHE", "off")
    _jit.compile_kernels([("one_text", store_kernel("one_text", 1))])
    with pytest.raises(ValueError, match="two kernels with different code are called 'one_text'"):
        _jit.compile_kernels([("one_text", store_kernel("one_text", 2))])


def test_wrong_ir_is_told_with_the_kernel_and_llvms_words(monkeypatch):
    monkeypatch.setenv("FLAMBEAU_CACHE", "off")
    with pytest.raises(RuntimeError, match="kernel 'wrong_ir' could not be compiled(.|\n)*"
                                           "expected instruction opcode"):
        _jit.compile_kernels([("wrong_ir", "define void @wrong_ir() {\n nonsense\n}")])
    # and the next request is none the worse for it
    found = _jit.compile_kernels([("right_ir", store_kernel("right_ir", 5))])
    assert stored(found["right_ir"]) == 5


def test_threads_compile_at_once(monkeypatch):
    monkeypatch.setenv("FLAMBEAU_CACHE", "off")
    results = {}

    def work(number):
        name = f"threads_{number % 4}"
        results[number] = _jit.compile_kernels([(name, store_kernel(name, number % 4))])[name]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(12)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert [stored(results[i]) for i in range(12)] == [i % 4 for i in range(12)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_compiles(monkeypatch):
    monkeypatch.setenv("FLAMBEAU_CACHE", "off")
    _jit.compile_kernels([("before_fork", store_kernel("before_fork", 1))])
    child = os.fork()
    if not child:
        code = 1
        try:
            names = ["before_fork", "in_child_1", "in_child_2"]
            found = _jit.compile_kernels((n, store_kernel(n, 1)) for n in names)
            code = 0 if all(stored(a) == 1 for a in found.values()) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_assembly_listing():
    assert "store_number" in _jit.assembly(store_kernel("store_number", 1))
