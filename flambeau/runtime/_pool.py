"""Compiled programs and the thread pool that runs them: one native call a program.

A :class:`Program` is a list of kernel calls with their argument tables in native memory. `run`
writes the buffers' addresses into the tables and runs the kernels in order, each shared out over
the pool's threads; the interpreter lock is released meanwhile. `_pool_native` holds the native code
and says how work is shared. Workers pause for `SPIN_SECONDS` for more work, then sleep.

Programs run one at a time: a second Python thread waits. A forked child starts with an empty pool.
Where there are no POSIX threads (Windows) programs run on the calling thread alone.
"""

import atexit
import ctypes
import os
import signal
import struct
import threading
import time
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from flambeau.runtime import _cpu
from flambeau.runtime._interrupts import MESSAGE, Handler, held, may_stop, stop_waiting
from flambeau.runtime._jit import compile_ahead, compile_kernels

__all__ = ["Integer", "KernelCall", "Limit", "Pointer", "Program", "clock_ns", "get_num_threads",
           "last_run_was_complete", "prepare", "set_num_threads"]

# Python takes 40 to 200 us between two programs of a loop; waking a thread that sleeps takes 50 us
# in a virtual machine (an MLP's step: 1.68 ms with 50 us, 1.55 with 500). A thread that spins
# yields each microsecond: where another process holds a core, the step takes no longer than before.
SPIN_SECONDS = 500e-6
LONG_SECONDS = 0.05  # estimated: above, a program can be stopped; below, Ctrl-C waits for its end
INTERRUPTED, NOTHING_RAN, FLAGGED = -1, -2, -3     # instead of how many limits are exceeded
MAX_CHUNKS = 1 << 30  # of one task: slots of the pool pack two 32-bit chunk numbers


class Pointer(NamedTuple):
    """An argument slot: `offset` bytes into the buffer that is `bases[buffer]` at run time."""

    buffer: int
    offset: int = 0


class Integer(NamedTuple):
    """An argument slot that holds an i64."""

    value: int


@dataclass(slots=True)
class KernelCall:
    """One task of a program: a kernel, its argument slots, and how its loop is cut.

    Equal names mean equal machine code. The parallel loop [0, items) is cut into chunks of `grain`
    items (the last may be short), whatever the number of threads. `scratch` bytes, 64-byte aligned,
    are lent to each thread. `flops`, `bytes` and `label` are for reports.
    """

    name: str
    ir_text: str
    args: list
    items: int
    grain: int
    scratch: int = 0
    flops: int = 0
    bytes: int = 0
    label: str = ""


class Limit(NamedTuple):
    """What must hold before a program runs: integers in a buffer, seen unsigned, are below `limit`.

    `bytes` is the size of each of the `count` integers that begin at `bases[buffer]`.
    """

    buffer: int
    bytes: int
    count: int
    limit: int


class Program:
    """Kernel calls made ready to run: compiled, with their tables in native memory.

    `bases_count` is the number of addresses that `run` takes: bases[0] is the arena by convention,
    then inputs, outputs and the table of runtime scalars. The first `stoppable` calls write to no
    input: until they are done, Ctrl-C may stop the program. `flags` (address, number) are pairs of
    integers: once the first of one is not 0, no further call runs.
    """

    def __init__(self, calls, bases_count, limits=(), stoppable=0, flags=(0, 0)):
        from flambeau.runtime._pool_native import LIMIT_FIELDS, PROGRAM_FIELDS, TASK_FIELDS

        self.calls = tuple(calls)
        addresses = compile_kernels({c.name: c.ir_text for c in self.calls}.items())
        tasks, args, patches = [], [], []
        for call in self.calls:
            if call.grain < 1 or call.items < 0 or call.items > MAX_CHUNKS * call.grain:
                raise ValueError(f"a kernel call needs grain >= 1 and 0 <= items <= grain * 2**30; "
                                 f"{call.name} has items={call.items}, grain={call.grain}")
            tasks.append([addresses[call.name], len(args), call.items, call.grain, call.scratch])
            for slot in call.args:
                if isinstance(slot, Pointer):
                    if not 0 <= slot.buffer < bases_count:
                        raise ValueError(f"{call.name} uses buffer {slot.buffer} of a program "
                                         f"with {bases_count} buffers")
                    patches.append((len(args), slot.buffer, slot.offset))
                    args.append(0)
                else:
                    args.append(slot.value)
        self._args = np.array(args or [0], np.int64)
        base = self._args.ctypes.data
        for task in tasks:
            task[1] = base + 8 * task[1]
        self._tasks = np.array(tasks, np.int64).reshape(-1, len(TASK_FIELDS))
        self._patches = np.array([(base + 8 * at, b, o) for at, b, o in patches],
                                 np.int64).reshape(-1, 3)
        self._limits = np.array(limits, np.int64).reshape(-1, len(LIMIT_FIELDS))
        self._header = np.array([self._tasks.ctypes.data, len(tasks), self._patches.ctypes.data,
                                 len(patches), 0, 0, self._limits.ctypes.data, len(limits),
                                 stoppable, *flags],
                                np.int64)
        assert len(self._header) == len(PROGRAM_FIELDS)
        self._address = self._header.ctypes.data
        self._bases = ctypes.create_string_buffer(8 * max(1, bases_count))
        self._bases_address = ctypes.addressof(self._bases)
        self._pack = struct.Struct(f"{bases_count}Q").pack_into
        self._scratch = max((c.scratch for c in self.calls), default=0)
        seconds = sum(c.flops / 5e10 + c.bytes / 1e10 for c in self.calls)
        self._is_long = stoppable > 0 and seconds > LONG_SECONDS

    def run(self, bases):
        """Runs the kernels in order on the buffers at the addresses `bases`.

        Returns how many limits are exceeded, if any is, nothing runs; or `FLAGGED`.
        """
        with _lock:
            pool = _pool or _start()
            if self._scratch > pool.scratch_bytes:
                pool.reserve_scratch(self._scratch)
            self._pack(self._bases, 0, *bases)
            pool.result.value = NOTHING_RAN
            if self._is_long and may_stop():
                return self._run_stoppable(pool)
            try:
                return pool.execute(pool.address, self._address, self._bases_address)
            except KeyboardInterrupt:          # when the call had returned
                if not held.active:
                    raise
                held.pending = True
                return pool.result.value

    def _run_stoppable(self, pool):
        """`run` with our handler of interrupts; KeyboardInterrupt if one stopped the program."""
        try:
            with pool.handler():
                result = pool.execute(pool.address, self._address, self._bases_address)
            if result in (INTERRUPTED, NOTHING_RAN):
                time.sleep(0.001)              # Python's handler raises here, if not before
        except KeyboardInterrupt:
            result = pool.result.value
            if result not in (INTERRUPTED, NOTHING_RAN):
                if not held.active:
                    raise
                held.pending = True
        finally:
            pool.clear_interrupt()
        if result in (INTERRUPTED, NOTHING_RAN):
            stop_waiting()
            raise KeyboardInterrupt(MESSAGE) from None
        return result

    def run_timed(self, bases):
        """Runs the kernels; (moments, shares) in nanoseconds of `clock_ns`.

        moments: when the first kernel began and when each ended; shares[kernel, thread]: when the
        thread began and ended, and how many chunks it ran (0: nothing, or the kernel was not cut).
        None if a limit is exceeded, or a flag set.
        """
        if not _has_posix_threads():
            raise NotImplementedError("kernel times need clock_gettime, which this system lacks")
        moments = np.zeros(len(self.calls) + 1, np.int64)
        with _lock:
            threads = (_pool or _start()).threads
            shares = np.zeros((len(self.calls), threads, 3), np.int64)
            self._header[4:6] = moments.ctypes.data, shares.ctypes.data
            try:
                exceeded = self.run(bases)
            finally:
                self._header[4:6] = 0
        return None if exceeded else (moments, shares)


class _Pool:
    """The native state, its threads, and their scratch memory."""

    def __init__(self, threads):
        from flambeau.runtime import _pool_native as native

        entry = _native_code()
        if not _has_posix_threads():
            threads = 1
        self.threads = threads
        self._state, self.address = _aligned(native.STATE_BYTES, native.LINE)
        self._slots, slots = _aligned(native.LINE * threads, native.LINE)
        self._scratch_table = np.zeros(threads, np.int64)
        self._scratch_memory = None
        self.scratch_bytes = 0
        self.execute = entry.execute
        self._fields = native.STATE_FIELDS
        self.result = ctypes.c_int64.from_address(self.address + self._fields["result"])
        self._set(threads=threads, slots=slots, scratch=self._scratch_table.ctypes.data,
                  clock_id=getattr(time, "CLOCK_MONOTONIC", 0))
        self.reserve_scratch(4096)
        self._handles = []
        if _has_posix_threads():
            self._set(spin=max(1, round(SPIN_SECONDS / (native.PAUSES * _pause_seconds()))),
                      **{name: _symbol(symbol) for name, symbol in _API.items()})
            self._start_threads(entry.worker)

    def handler(self):
        """A context in which SIGINT asks programs to stop."""
        entry = _native_code()
        entry.watch(self.address)
        self.clear_interrupt()
        return Handler(_libc(), entry.on_interrupt, self.address + self._fields["previous"])

    def clear_interrupt(self):
        self._set(interrupt=0)

    def _set(self, **values):
        for name, value in values.items():
            ctypes.c_int64.from_address(self.address + self._fields[name]).value = value

    def _pointer(self, field):
        return ctypes.c_void_p(self.address + self._fields[field])

    def _start_threads(self, worker):
        libc = _libc()
        libc.pthread_mutex_init(self._pointer("mutex"), None)
        for condition in ("wake", "done"):
            libc.pthread_cond_init(self._pointer(condition), None)
        self._starts = np.array([(self.address, i) for i in range(self.threads)], np.int64)
        # signals belong to Python's threads: ours inherit a mask that blocks them
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            for i in range(1, self.threads):
                handle = ctypes.c_void_p()
                start = ctypes.c_void_p(self._starts[i:].ctypes.data)
                error = libc.pthread_create(ctypes.byref(handle), None, ctypes.c_void_p(worker),
                                            start)
                if error:  # out of threads: go on with those there are
                    self.threads = i
                    self._set(threads=i)
                    break
                self._handles.append(handle)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def reserve_scratch(self, nbytes):
        """Lends each thread at least `nbytes`; no program may be running."""
        nbytes = -(-nbytes // 4096) * 4096
        # one line more apart, so that equal offsets of two threads do not share a cache set
        stride = nbytes + 128
        memory, address = _aligned(stride * self.threads, 4096)
        self._scratch_table[:] = address + stride * np.arange(self.threads)
        self._scratch_memory, self.scratch_bytes = memory, nbytes

    def stop(self):
        """Ends the threads; no program may be running."""
        if not self._handles:
            return
        libc = _libc()
        libc.pthread_mutex_lock(self._pointer("mutex"))
        epoch = ctypes.c_int64.from_address(self.address + self._fields["epoch"])
        self._set(stop=1, epoch=epoch.value + 1)
        libc.pthread_cond_broadcast(self._pointer("wake"))
        libc.pthread_mutex_unlock(self._pointer("mutex"))
        for handle in self._handles:
            libc.pthread_join(handle, None)
        self._handles = []


_API = {"lock": "pthread_mutex_lock", "unlock": "pthread_mutex_unlock",
        "wait": "pthread_cond_wait", "signal": "pthread_cond_signal", "clock": "clock_gettime",
        "yield": "sched_yield"}
# reentrant, so that a signal handler or finalizer that interrupts `run` may run programs too
_lock = threading.RLock()
_pool = None
_wanted_threads = None
_code = None
_libc_handle = None
_pause = None


def _has_posix_threads():
    return os.name == "posix"


def clock_ns():
    """Now, by the clock of `Program.run_timed`."""
    if _has_posix_threads():
        return time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    return time.perf_counter_ns()


def _libc():
    global _libc_handle
    if _libc_handle is None:
        _libc_handle = ctypes.CDLL(None)
    return _libc_handle


def _symbol(name):
    return ctypes.cast(getattr(_libc(), name), ctypes.c_void_p).value


def _aligned(nbytes, alignment):
    """(array to keep alive, address) of zeroed memory."""
    memory = np.zeros(nbytes + alignment, np.uint8)
    return memory, -(-memory.ctypes.data // alignment) * alignment


class _NativeCode(NamedTuple):
    execute: object
    worker: int
    pauses: object
    watch: object
    on_interrupt: int


def _native_code():
    global _code
    if _code is None:
        from flambeau.runtime._jit import compile_module
        from flambeau.runtime._pool_native import pool_ir

        addresses = compile_module("thread pool", pool_ir(), (
            "execute", "worker", "pauses", "watch", "on_interrupt"))
        void_p = ctypes.c_void_p
        _code = _NativeCode(
            ctypes.CFUNCTYPE(ctypes.c_int64, void_p, void_p, void_p)(addresses["execute"]),
            addresses["worker"], ctypes.CFUNCTYPE(None, ctypes.c_int64)(addresses["pauses"]),
            ctypes.CFUNCTYPE(None, void_p)(addresses["watch"]), addresses["on_interrupt"])
    return _code


def last_run_was_complete():
    """Whether the last program ran to its end, and so may have written over its inputs."""
    return _pool is not None and _pool.result.value >= 0


def prepare():
    """Begins to compile the pool's own code, if there is none yet, on another core."""
    if _code is None:
        from flambeau.runtime._pool_native import pool_ir

        compile_ahead("thread pool", pool_ir())


def _pause_seconds():
    """How long one pause instruction takes: 10 to 140 cycles, by the CPU's generation."""
    global _pause
    if _pause is None:
        pauses, count, best = _native_code().pauses, 1000, 1.0
        for _ in range(3):
            begin = time.perf_counter()
            pauses(count)
            best = min(best, time.perf_counter() - begin)
        _pause = max(best / count, 1e-9)
    return _pause


def _start():
    """Starts the pool; `_lock` is held."""
    global _pool
    _pool = _Pool(_threads())
    return _pool


def _threads():
    global _wanted_threads
    if _wanted_threads is None:
        text = os.environ.get("OMP_NUM_THREADS", "")
        _wanted_threads = int(text) if text.isdigit() and int(text) else _cpu.usable_cores()
    return _wanted_threads


def get_num_threads():
    """The number of threads that programs run on: OMP_NUM_THREADS, or the usable cores."""
    return _threads() if _has_posix_threads() else 1


def set_num_threads(number):
    """Sets the number of threads that programs run on, the calling one included."""
    global _pool, _wanted_threads
    if not isinstance(number, int) or isinstance(number, bool):
        raise TypeError(f"set_num_threads expects an int, but got {type(number).__name__}")
    if number < 1:
        raise RuntimeError(f"set_num_threads expects a positive integer; received {number}")
    with _lock:
        if number != _wanted_threads:
            stopped, _pool = _pool, None
            _wanted_threads = number
            if stopped:
                stopped.stop()


def _forget_after_fork():
    """In a forked child, where the pool's threads do not exist."""
    global _pool
    _pool = None
    _lock.release()


def _stop_at_exit():
    global _pool
    if _lock.acquire(timeout=5):
        try:
            if _pool:
                _pool.stop()
                _pool = None
        finally:
            _lock.release()


atexit.register(_stop_at_exit)
if hasattr(os, "register_at_fork"):
    # a fork waits for the running program
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release,
                        after_in_child=_forget_after_fork)
