"""Kernels on their way from IR text to object code, compiled by as many threads as there are cores.

Between `_llvm`, which compiles one text, and `_jit`, which asks for kernels. The compiler of
programs announces a kernel by `ahead` as soon as its text is written: the other cores compile while
Python goes on with the next one (the first step of a GPT with an empty cache: 0.77 to 0.72 s, the
least of seven). `finish` waits for what is needed, and its thread takes part meanwhile. Threads
end when there is nothing left to do, so that a process never ends in the middle of LLVM.

A task looks for its object in the cache on disk first, and leaves it there when it was compiled.
"""

import os
import threading
import time
from collections import deque

from flambeau.runtime import _cpu
from flambeau.runtime._cache import entry_key, read_entry, write_entry
from flambeau.runtime._llvm import Compiler, target_text

__all__ = ["ahead", "compiler", "finish"]


class _Task:
    """One text: `data` is its object code once `done`, `seconds` what compiling took, or None."""

    def __init__(self, key, text):
        self.key, self.text = key, text
        self.data = self.error = self.seconds = None
        self.done = False

    def run(self):
        try:
            self.data = read_entry(self.key)
            if self.data is None:
                begin = time.perf_counter()
                with compiler() as own:
                    data = own.compile(self.text)
                self.seconds = time.perf_counter() - begin
                write_entry(self.key, data)
                self.data = data
        except Exception as error:           # raised by `finish`
            self.error = error


class _Queue:
    def __init__(self):
        self.changed = threading.Condition()
        self.tasks = {}                      # key -> task, until `finish` takes it
        self.waiting = deque()               # the tasks that nobody has begun
        self.threads = 0
        self.running = 0                     # tasks that those threads have begun

    def add(self, tasks, threads):
        """Queues tasks, for at most `threads` threads besides the callers of `finish`."""
        with self.changed:
            self.tasks.update([(task.key, task) for task in tasks])
            self.waiting.extend(tasks)
            while self.threads < min(threads, len(self.waiting)):
                try:
                    threading.Thread(target=self.work, name="flambeau compile").start()
                except RuntimeError:         # no more threads: `finish` does it all
                    break
                self.threads += 1

    def work(self):
        """What a thread does: tasks, until there are none."""
        while True:
            with self.changed:
                if not self.waiting:
                    self.threads -= 1
                    return
                task = self.waiting.popleft()
                self.running += 1
            task.run()
            with self.changed:
                task.done = True
                self.running -= 1
                self.changed.notify_all()

    def help(self, wanted):
        """Runs tasks until those of `wanted` are done."""
        while True:
            with self.changed:
                while not (finished := all(task.done for task in wanted)) and not self.waiting:
                    self.changed.wait()
                if finished:
                    for task in wanted:
                        self.tasks.pop(task.key, None)
                    return
                task = self.waiting.popleft()
            try:
                task.run()
                task.done = True
            finally:
                with self.changed:
                    if not task.done:        # interrupted: another request may want it
                        self.waiting.appendleft(task)
                    self.changed.notify_all()


_queue = _Queue()
_compilers = []                              # those that no thread uses


class compiler:
    """`with compiler() as c`: a compiler that no other thread has."""

    def __enter__(self):
        try:
            self.own = _compilers.pop()
        except IndexError:
            self.own = Compiler()
        return self.own

    def __exit__(self, *error):
        _compilers.append(self.own)


def ahead(text):
    """Begins to compile a text that `finish` will ask for, if there is a core to do it."""
    cores = _cpu.usable_cores()
    if cores > 1:
        key = entry_key(text, target_text())
        if key not in _queue.tasks:
            _queue.add([_Task(key, text)], cores - 1)


def finish(texts):
    """{name: (key, object code, seconds or None where the cache had it)} of {name: IR text}."""
    keys = {name: entry_key(text, target_text()) for name, text in texts.items()}
    wanted = {}
    missing = []
    # the largest first, so that no thread is left with a long one at the end
    for name in sorted(texts, key=lambda name: -len(texts[name])):
        key = keys[name]
        task = wanted.get(key) or _queue.tasks.get(key)
        if task is None:
            task = _Task(key, texts[name])
            missing.append(task)
        wanted[key] = task
    _queue.add(missing, min(len(missing), _cpu.usable_cores()) - 1)
    _queue.help(list(wanted.values()))
    for name, key in keys.items():
        error = wanted[key].error
        if error is not None:
            raise RuntimeError(f"kernel {name!r} could not be compiled: {error}") from error
    return {name: (key, wanted[key].data, wanted[key].seconds) for name, key in keys.items()}


def _wait_before_fork():
    """Nothing may be half compiled in a child."""
    _queue.changed.acquire()
    while _queue.running:
        _queue.changed.wait()


def _go_on_in_parent():
    _queue.changed.release()


def _go_on_in_child():
    _queue.threads = 0                       # they do not exist there
    _queue.changed.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_wait_before_fork, after_in_parent=_go_on_in_parent,
                        after_in_child=_go_on_in_child)
