"""Running the pending program while Python does something else: a DataLoader loads a batch.

The native call of a run needs no interpreter, so a thread of its own makes it. It runs the whole
of `Trace.flush_here`; this thread goes on when the native call begins, or, where there is none
(a first run is interpreted, or compiles), when the run has ended. Whoever reads a value that is
being computed waits for the trace's lock, as with any two threads.

`run_meanwhile` returns, or raises, only when the run has ended: an error in it comes out there.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TypeVar

from ..graph.executable import thread
from ..runtime import _jit, _pool, buffer
from .execute import watchers
from .trace import Trace, flush, state

__all__ = ["run_meanwhile"]

T = TypeVar("T")


class _Job:
    """One run: `begun` and `done` are locks that are released when it is so far."""

    def __init__(self, trace: Trace):
        self.trace = trace
        self.begun, self.done = threading.Lock(), threading.Lock()
        self.begun.acquire()
        self.done.acquire()
        self.error: BaseException | None = None

    def run(self) -> None:
        thread.begun = self.begun
        try:
            self.trace.flush_here()
        except BaseException as error:       # raised where the run is waited for
            self.error = error
        finally:
            if thread.begun is not None:     # no native call, or not one alone
                thread.begun = None
                self.begun.release()

    def wait(self) -> None:
        with self.done:
            pass
        if self.error is not None:
            raise self.error


class _Runner:
    """The thread, started when first needed, and the job that it has."""

    def __init__(self):
        self.busy = threading.Lock()         # held while there is a job
        self.wake = threading.Lock()
        self.wake.acquire()
        self.job: _Job | None = None
        self.is_started = False

    def submit(self, job: _Job) -> None:
        """Run `job`; `busy` is held, and released when it is done."""
        self.job = job
        if not self.is_started:
            try:
                threading.Thread(target=self.loop, name="flambeau run", daemon=True).start()
            except RuntimeError:             # no more threads can be started
                self.run(job)
                return
            self.is_started = True
        self.wake.release()

    def loop(self) -> None:
        while True:
            self.wake.acquire()
            assert self.job is not None
            self.run(self.job)

    def run(self, job: _Job) -> None:
        job.run()
        self.job = None
        self.busy.release()
        job.done.release()                   # last, so that the next job finds nobody busy


_runner = _Runner()


def run_meanwhile(work: Callable[[], T]) -> T:
    """What `work()` returns; what is pending in this thread runs at the same time."""
    trace = state.trace
    if trace.cursor is trace.root or watchers or not _runner.busy.acquire(blocking=False):
        flush()                              # watchers want to see the run in its own thread
        return work()
    job = _Job(trace)
    state.trace = Trace()
    _runner.submit(job)
    try:
        with job.begun:
            pass
        return work()
    finally:
        job.wait()


def _wait_before_fork() -> None:
    """A child has no runner: nothing may be half done in it."""
    job = _runner.job
    if job is not None:
        with job.done:
            pass


def _forget_after_fork() -> None:
    global _runner
    _runner = _Runner()


if hasattr(os, "register_at_fork"):
    # the last registered is called first: before the locks of these are taken, or the run, which
    # needs them, would not end
    assert _jit and _pool and buffer
    os.register_at_fork(before=_wait_before_fork, after_in_child=_forget_after_fork)
