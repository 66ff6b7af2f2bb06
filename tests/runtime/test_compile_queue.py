import os
import threading

import pytest

from flambeau.codegen.emitter import F32, Module
from flambeau.runtime import _compile_queue, _jit


def text_of(name, number=1):
    f = Module(name).kernel(name)
    f.store(f.constant(F32, number), f.pointer_arg(0))
    return f.module.text()


@pytest.fixture(autouse=True)
def setting(monkeypatch):
    monkeypatch.setenv("FLAMBEAU_CACHE", "off")
    monkeypatch.setattr(_compile_queue._cpu, "usable_cores", lambda: 2)
    # what other tests announced and never needed stays in theirs
    monkeypatch.setattr(_compile_queue, "_queue", _compile_queue._Queue())


@pytest.fixture
def compiled(monkeypatch):
    """The texts that were compiled, in order, with the threads' names."""
    found, run = [], _compile_queue._Task.run

    def seen(task):
        found.append((threading.current_thread().name, task.text))
        run(task)

    monkeypatch.setattr(_compile_queue._Task, "run", seen)
    return found


def test_an_announced_kernel_is_compiled_once_and_by_another_thread(compiled):
    text = text_of("announced")
    _jit.compile_ahead("announced", text)
    _jit.compile_ahead("announced", text)
    for thread in threading.enumerate():
        if thread.name == "flambeau compile":
            thread.join()
    assert compiled == [("flambeau compile", text)]
    assert _jit.compile_kernels([("announced", text)])["announced"]
    _jit.compile_ahead("announced", text)            # it is there
    assert len(compiled) == 1
    assert not _compile_queue._queue.tasks


def test_nothing_is_begun_where_there_is_one_core(monkeypatch, compiled):
    monkeypatch.setattr(_compile_queue._cpu, "usable_cores", lambda: 1)
    _jit.compile_ahead("one_core", text_of("one_core"))
    assert not compiled and not _compile_queue._queue.tasks
    assert _jit.compile_kernels([("one_core", text_of("one_core"))])["one_core"]
    assert [thread for thread, _ in compiled] == ["MainThread"]


def test_an_error_comes_out_where_the_kernel_is_needed():
    text = "define void @wrong_ahead() {\n nonsense\n}"
    _jit.compile_ahead("wrong_ahead", text)
    assert _jit.compile_kernels([("beside_wrong", text_of("beside_wrong"))])
    for _ in range(2):
        with pytest.raises(RuntimeError, match="kernel 'wrong_ahead' could not be compiled"):
            _jit.compile_kernels([("wrong_ahead", text)])


def test_an_interrupted_request_can_be_made_again(monkeypatch):
    kernels = [(f"interrupted_{i}", text_of(f"interrupted_{i}", i)) for i in range(6)]
    monkeypatch.setattr(_compile_queue._cpu, "usable_cores", lambda: 1)
    with monkeypatch.context() as patch:
        run = _compile_queue._Task.run

        def interrupt(task):
            if "interrupted_3" in task.text:
                raise KeyboardInterrupt
            run(task)

        patch.setattr(_compile_queue._Task, "run", interrupt)
        with pytest.raises(KeyboardInterrupt):
            _jit.compile_kernels(kernels)
    assert len(_jit.compile_kernels(kernels)) == 6
    assert not _compile_queue._queue.tasks and not _compile_queue._queue.waiting


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_finishes_what_its_parent_announced():
    names = [f"forked_{i}" for i in range(8)]
    for name in names:
        _jit.compile_ahead(name, text_of(name))
    child = os.fork()
    if child == 0:
        try:
            found = _jit.compile_kernels([(name, text_of(name)) for name in names])
            os._exit(0 if len(found) == 8 else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(_jit.compile_kernels([(name, text_of(name)) for name in names])) == 8
