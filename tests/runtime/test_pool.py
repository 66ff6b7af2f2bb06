"""Programs on the thread pool: every chunk once, in order, whatever the number of threads."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from flambeau.codegen.emitter import F64, I64, Module
from flambeau.runtime import _pool
from flambeau.runtime._pool import (
    Integer,
    KernelCall,
    Limit,
    Pointer,
    Program,
    clock_ns,
    get_num_threads,
    set_num_threads,
)


def counting_kernel():
    """Adds an integer to each element, and marks where chunks begin."""
    name = "pool_counting"
    f = Module(name).kernel(name)
    values, marks, number = f.pointer_arg(0), f.pointer_arg(1), f.int_arg(2)
    f.store(f.load(I64, marks, f.begin) + 1, marks, f.begin)
    with f.loop(f.begin, f.end) as loop:
        f.store(f.load(I64, values, loop.index) + number, values, loop.index)
    return name, f.module.text()


def prefix_kernel():
    """element = 2 * (sum of the two neighbours before it in the array before)."""
    name = "pool_doubling"
    f = Module(name).kernel(name)
    with f.loop(f.begin, f.end) as loop:
        source = f.pointer_arg(0)
        other = f.load(I64, source, (loop.index + 7) % f.int_arg(2))
        f.store(f.load(I64, source, loop.index) + other, f.pointer_arg(1), loop.index)
    return name, f.module.text()


def work_kernel():
    """A chain of additions, as long as an integer says."""
    name = "pool_work"
    f = Module(name).kernel(name)
    with f.loop(f.begin, f.end) as loop:
        with f.loop(0, f.int_arg(1), carried=[f.constant(F64, 0)]) as inner:
            inner.next(inner.carried[0] + 1.0)
        f.store(inner.results[0], f.pointer_arg(0), loop.index)
    return name, f.module.text()


def call(kernel, args, items, grain, scratch=0):
    name, text = kernel
    return KernelCall(name, text, args, items, grain, scratch)


@pytest.fixture(params=[1, 2, 5])
def threads(request):
    before = get_num_threads()
    set_num_threads(request.param)
    yield request.param
    set_num_threads(before)


@pytest.mark.parametrize("items,grain", [(0, 1), (1, 1), (2, 1), (7, 2), (1000, 1), (1000, 7),
                                         (1000, 1000), (1000, 5000)])
def test_every_chunk_runs_once_with_fixed_boundaries(threads, items, grain):
    calls = [call(counting_kernel(), [Pointer(0, 8), Pointer(1), Integer(3)], items, grain)]
    program = Program(calls * 4, 2)
    values, marks = np.zeros(items + 2, np.int64), np.zeros(items + 1, np.int64)
    for _ in range(5):
        program.run([values.ctypes.data, marks.ctypes.data])
    np.testing.assert_array_equal(values, [0] + [60] * items + [0])
    expected = np.zeros(items + 1, np.int64)
    expected[:items:grain] = 20
    np.testing.assert_array_equal(marks, expected)


def test_tasks_run_one_after_another(threads):
    n, steps = 500, 40
    calls = []
    for i in range(steps):
        calls.append(call(prefix_kernel(), [Pointer(i % 2), Pointer(1 - i % 2), Integer(n)], n, 3))
    program = Program(calls, 2)
    start = np.random.default_rng(0).integers(0, 9, n)
    expected = start.copy()
    for _ in range(steps):
        expected = expected + np.roll(expected, -7)
    for _ in range(10):
        a, b = start.copy(), np.zeros_like(start)
        program.run([a.ctypes.data, b.ctypes.data])
        np.testing.assert_array_equal(a, expected)


def test_scratch_is_each_threads_own_and_grows(threads):
    name = "pool_scratch"
    f = Module(name).kernel(name)
    n = f.int_arg(1)
    with f.loop(f.begin, f.end) as loop:
        with f.loop(0, n) as inner:
            f.store(loop.index, f.scratch, inner.index)
        with f.loop(0, n, carried=[f.i64(0)]) as inner:
            inner.next(inner.carried[0] + f.load(I64, f.scratch, inner.index))
        f.store(inner.results[0], f.pointer_arg(0), loop.index)
    text = f.module.text()
    for size in (10, 100_000):
        items = 64
        program = Program([KernelCall(name, text, [Pointer(0), Integer(size)], items, 1, 8 * size)],
                          1)
        out = np.zeros(items, np.int64)
        program.run([out.ctypes.data])
        np.testing.assert_array_equal(out, np.arange(items) * size)


def test_python_threads_take_turns(threads):
    program = Program([call(counting_kernel(), [Pointer(0), Pointer(1), Integer(1)], 64, 1)] * 3, 2)
    arrays = [(np.zeros(64, np.int64), np.zeros(64, np.int64)) for _ in range(4)]

    def work(values, marks):
        for _ in range(50):
            program.run([values.ctypes.data, marks.ctypes.data])

    workers = [threading.Thread(target=work, args=pair) for pair in arrays]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    assert all((values == 150).all() and (marks == 150).all() for values, marks in arrays)


def test_number_of_threads():
    before = get_num_threads()
    try:
        set_num_threads(3)
        assert get_num_threads() == 3
        out = np.zeros(8)
        Program([call(work_kernel(), [Pointer(0), Integer(1)], 8, 1)], 1).run([out.ctypes.data])
        assert _pool._pool.threads == 3
        with pytest.raises(RuntimeError, match="set_num_threads expects a positive integer"):
            set_num_threads(0)
        with pytest.raises(TypeError, match="set_num_threads expects an int, but got float"):
            set_num_threads(2.0)
    finally:
        set_num_threads(before)


def test_starting_and_stopping_pools_many_times():
    before = get_num_threads()
    out = np.zeros(16)
    program = Program([call(work_kernel(), [Pointer(0), Integer(100)], 16, 1)], 1)
    try:
        for number in [4, 1, 2, 3] * 15:
            set_num_threads(number)
            out[:] = 0
            program.run([out.ctypes.data])
            assert (out == 100).all()
    finally:
        set_num_threads(before)


def test_run_timed():
    calls = [call(work_kernel(), [Pointer(0), Integer(n)], 4, 1) for n in (10, 400_000)]
    out = np.zeros(4)
    before = clock_ns()
    moments, shares = Program(calls, 1).run_timed([out.ctypes.data])
    first, second = np.diff(moments)
    assert 0 <= first < second < 5e9 and before <= moments[0] and moments[-1] <= clock_ns()
    assert shares.shape == (2, get_num_threads(), 3)


def test_threads_tell_what_they_worked_on(threads):
    out = np.zeros(64)
    calls = [call(work_kernel(), [Pointer(0), Integer(20_000)], 64, 1),
             call(work_kernel(), [Pointer(0), Integer(10)], 1, 1)]
    program = Program(calls, 1)
    program.run([out.ctypes.data])                    # not asked for: nothing is written
    expected = out.copy()
    for _ in range(20):
        moments, shares = program.run_timed([out.ctypes.data])
        assert (out == expected).all()
        alone = threads == 1
        assert shares[0, :, 2].sum() == (0 if alone else 64)
        assert (shares[1] == 0).all()                 # one chunk: the calling thread, uncut
        for begin, end, chunks in shares[0]:
            if chunks:
                assert begin <= end and moments[0] <= end <= moments[1]


def test_wrong_calls_are_told():
    kernel = work_kernel()
    with pytest.raises(ValueError, match="needs grain >= 1"):
        Program([call(kernel, [], 1, 0)], 1)
    with pytest.raises(ValueError, match="uses buffer 1 of a program with 1 buffers"):
        Program([call(kernel, [Pointer(1)], 1, 1)], 1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forked_children_have_their_own_pool(threads):
    program = Program([call(work_kernel(), [Pointer(0), Integer(1000)], 64, 1)] * 20, 1)
    stop = threading.Event()

    def background():
        out = np.zeros(64)
        while not stop.is_set():
            program.run([out.ctypes.data])

    worker = threading.Thread(target=background)
    worker.start()  # forks fall into running programs
    try:
        for _ in range(5):
            child = os.fork()
            if not child:
                code = 1
                try:
                    out = np.zeros(64)
                    program.run([out.ctypes.data])
                    code = 0 if (out == 1000).all() else 2
                finally:
                    os._exit(code)
            deadline = time.time() + 30
            while True:
                done, status = os.waitpid(child, os.WNOHANG)
                if done:
                    break
                if time.time() > deadline:
                    os.kill(child, signal.SIGKILL)
                    os.waitpid(child, 0)
                    pytest.fail("the child hung")
                time.sleep(0.002)
            assert os.waitstatus_to_exitcode(status) == 0
    finally:
        stop.set()
        worker.join()
    out = np.zeros(64)
    program.run([out.ctypes.data])
    assert (out == 1000).all()


_LONG = """if True:
    import os, signal, sys, threading, time
    signal.signal(signal.SIGINT, signal.default_int_handler)  # it may be inherited as ignored
    sys.path.insert(0, {here!r})
    import numpy as np
    from test_pool import Integer, Pointer, Program, call, set_num_threads, work_kernel
    set_num_threads(3)
    program = Program([call(work_kernel(), [Pointer(0), Integer(20_000)], 64, 1)] * 10, 1)
    out = np.zeros(64)
    program.run([out.ctypes.data])
    print("ready", flush=True)
    """


def start(code):
    here = os.path.dirname(os.path.abspath(__file__))
    return subprocess.Popen([sys.executable, "-c", _LONG.format(here=here) + code],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_interpreter_exit_is_clean_with_and_without_a_running_program():
    for code in ("", "threading.Thread(target=lambda: [program.run([out.ctypes.data]) "
                     "for _ in range(100000)], daemon=True).start(); time.sleep(0.05)"):
        process = start(code)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0 and not errors, errors


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_interrupt_arrives_and_the_pool_goes_on():
    process = start("""
    try:
        while True:
            program.run([out.ctypes.data])
    except KeyboardInterrupt:
        program.run([out.ctypes.data])
        print((out == 20_000).all())""")
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    try:
        output, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert output == "True\n" and process.returncode == 0, errors


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.int64])
def test_nothing_runs_where_a_limit_is_exceeded(dtype):
    values, marks = np.zeros(8, np.int64), np.zeros(8, np.int64)
    indices = np.array([0, 4, 2], dtype)
    calls = [call(counting_kernel(), [Pointer(0), Pointer(1), Integer(1)], 8, 1)]
    size = indices.itemsize
    program = Program(calls, 3, [Limit(2, size, 3, 5), Limit(2, size, 1, 1)])
    bases = [a.ctypes.data for a in (values, marks, indices)]
    assert program.run(bases) == 0
    assert values.tolist() == [1] * 8
    for wrong in (5, -1):
        indices[1] = np.array(wrong).astype(dtype)
        assert program.run(bases) == 1
        assert program.run_timed(bases) is None
    indices[0] = 77
    assert program.run(bases) == 2
    assert values.tolist() == [1] * 8
