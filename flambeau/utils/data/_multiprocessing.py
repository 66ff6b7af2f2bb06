"""The DataLoader's iterator with worker processes.

Pipeline: sampler -> **this file** hands index lists to the workers in turn -> workers fetch,
collate and pack -> **this file** copies batches out in order -> training loop.

Each worker has a pipe and a shared file of its own; there are no queues, feeder threads or
signal handlers. A worker's death closes its pipe, which is how it is noticed at once.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import sys
import time
import warnings
import weakref
from multiprocessing import connection as connections
from typing import Any

from ...record.trace import flush
from ._utils import MP_STATUS_CHECK_INTERVAL
from ._utils.fetch import describe_indices
from ._utils.transport import SegmentHandle, SlotReader, open_segment
from ._utils.worker import Restart, Result, Stop, Task, WorkerPlan, run_worker
from .dataloader import DataLoader, FetcherFactory, _BaseDataLoaderIter

#: The main process's ends of all workers' pipes: a newly forked worker closes its copies.
_open_connections: weakref.WeakSet = weakref.WeakSet()

#: Seconds that stopping workers may take to finish a sample before they are terminated.
STOP_GRACE = 1.0


def default_context() -> Any:
    """The start method that was chosen; else fork where Python forked before 3.14.

    Programs without ``if __name__ == "__main__":``, and data sets that cannot be pickled, work
    then under every Python; the runtime is made to survive a fork. A program's choice of Python's
    own default cannot be told from none, once anything else has asked for the start method.
    """
    chosen = multiprocessing.get_start_method(allow_none=True)
    if sys.platform.startswith("linux") and chosen in (
            None, multiprocessing.get_all_start_methods()[0]):
        return multiprocessing.get_context("fork")
    return multiprocessing.get_context(chosen)


class _Worker:
    """A worker process, the main process's end of its pipe, and its tasks."""

    def __init__(self, context: Any, plan: WorkerPlan) -> None:
        self.id = plan.worker_id
        self.connection, theirs = context.Pipe(duplex=True)
        self.reader = SlotReader(plan.segment.descriptor)
        self.active = True
        self.outstanding = 0
        self.released: list[int] = []
        _open_connections.add(self.connection)
        forks = context.get_start_method() == "fork"
        self.process = context.Process(
            target=run_worker,
            args=(plan, theirs, list(_open_connections) if forks else []),
            daemon=True,
        )
        try:
            with warnings.catch_warnings():
                # Python 3.12 and later warn when a process with threads forks. The pool's threads
                # hold no lock that a worker takes: its runtime starts afresh after a fork.
                warnings.filterwarnings("ignore", message=".*multi-threaded, use of fork")
                self.process.start()
        except BaseException:
            self.close()
            raise
        finally:
            theirs.close()

    def send(self, message: Any) -> None:
        try:
            self.connection.send(message)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the worker died: found out, with a better text, when its batch is due

    def close(self) -> None:
        _open_connections.discard(self.connection)
        self.connection.close()
        self.reader.close()


def _stop_workers(workers: list[_Worker], owner_pid: int) -> None:
    """End all workers: ask, wait a moment, terminate, kill."""
    if os.getpid() != owner_pid:
        return  # a forked copy of the iterator: the workers are not its children
    running = [worker for worker in workers if worker.process.is_alive()]
    for worker in running:
        try:
            worker.connection.send(Stop())
        except (OSError, ValueError):
            pass
    for worker in workers:
        worker.close()  # unblocks a worker that is sending a batch
    deadline = time.monotonic() + STOP_GRACE
    for worker in running:
        worker.process.join(max(0.0, deadline - time.monotonic()))
    for end in ("terminate", "kill"):
        stubborn = [worker for worker in running if worker.process.is_alive()]
        for worker in stubborn:
            getattr(worker.process, end)()
        for worker in stubborn:
            worker.process.join(STOP_GRACE)
    workers.clear()


def _describe_exit(code: int | None) -> str:
    if code is None:
        return "its pipe is closed"
    if code >= 0:
        return f"exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    if name == "SIGKILL":
        return f"killed by {name}, which is how the system ends processes when memory runs out"
    return f"killed by {name}"


class _MultiProcessingDataLoaderIter(_BaseDataLoaderIter):
    """A pass (or, with persistent workers, several) that loads in worker processes."""

    def __init__(self, loader: DataLoader) -> None:
        super().__init__(loader)
        if not loader.prefetch_factor:
            raise AssertionError(
                "prefetch_factor must be greater than 0 for MultiProcessingDataLoaderIter"
            )
        self._prefetch_factor = loader.prefetch_factor
        self._in_order = loader.in_order
        self._persistent_workers = loader.persistent_workers
        self._failure: str | None = None
        self._warned_about_shortage = False
        self._send_idx = 0
        self._workers: list[_Worker] = []
        # Runs when the iterator is collected, and at exit before the pipes go.
        self._shutdown_workers = weakref.finalize(
            self, _stop_workers, self._workers, os.getpid()
        )
        self._start_workers(loader)
        self._reset(loader, first_iter=True)

    def _start_workers(self, loader: DataLoader) -> None:
        context = loader.multiprocessing_context or default_context()
        fetcher_factory = FetcherFactory(loader)
        flush()  # else each forked worker would run what is pending here
        try:
            for worker_id in range(self._num_workers):
                plan = WorkerPlan(
                    worker_id=worker_id,
                    num_workers=self._num_workers,
                    base_seed=self._base_seed,
                    dataset=self._dataset,
                    make_fetcher=fetcher_factory,
                    worker_init_fn=loader.worker_init_fn,
                    segment=SegmentHandle(open_segment()),
                    slots=self._prefetch_factor,
                )
                self._workers.append(_Worker(context, plan))
        except BaseException as error:
            self._shutdown_workers()
            import pickle

            if isinstance(error, (TypeError, AttributeError, pickle.PicklingError)):
                warnings.warn(
                    "Got pickle error when attempting to start a worker Process. The data set, "
                    "collate_fn and worker_init_fn must be picklable under the start method "
                    f"{context.get_start_method()!r}: define functions and classes at the top "
                    "level of a module (no lambda), or pass multiprocessing_context='fork'.",
                    stacklevel=5,
                )
            raise

    def _reset(self, loader: DataLoader, first_iter: bool = False) -> None:
        super()._reset(loader)
        self._raise_if_failed()
        # Task numbers go on from pass to pass: late answers to an abandoned pass are known
        # by a number that nobody waits for.
        self._rcvd_idx = self._send_idx
        #: Task number -> (worker, index list) of what has been asked for and not delivered.
        self._tasks: dict[int, tuple[_Worker, Any]] = {}
        for worker in self._workers:
            worker.active = True
            worker.outstanding = 0
            if not first_iter:
                worker.send(Restart())
        self._turn = itertools.cycle(self._workers)
        for _ in range(self._prefetch_factor * self._num_workers):
            self._try_put_index()

    def _raise_if_failed(self) -> None:
        if self._failure is not None:
            raise RuntimeError(self._failure)

    def _next_worker(self) -> _Worker | None:
        """Return the worker whose turn it is, None if there is none with capacity."""
        active = sum(worker.active for worker in self._workers)
        for worker in itertools.islice(self._turn, self._num_workers):
            if not worker.active:
                continue
            limit = self._prefetch_factor * self._num_workers // active
            if self._in_order or worker.outstanding < limit:
                return worker
        return None

    def _try_put_index(self) -> None:
        try:
            index = next(self._sampler_iter)
        except StopIteration:
            return
        worker = self._next_worker()
        if worker is None:
            return
        self._tasks[self._send_idx] = (worker, index)
        worker.outstanding += 1
        worker.send(Task(self._send_idx, index, worker.released))
        worker.released = []
        self._send_idx += 1

    def _death_of(self, worker: _Worker) -> RuntimeError:
        """Stop all workers and return the error for a dead one, which later calls repeat."""
        worker.process.join(MP_STATUS_CHECK_INTERVAL)
        due = [index for owner, index in self._tasks.values() if owner is worker]
        loading = f" while it had to load the samples {describe_indices(due[0])}" if due else ""
        self._failure = (
            f"DataLoader worker (pid(s) {worker.process.pid}) exited unexpectedly: "
            f"worker {worker.id}, {_describe_exit(worker.process.exitcode)}{loading}. "
            "Run with num_workers=0 to see an error that it could not report"
        )
        self._shutdown_workers()
        return RuntimeError(self._failure)

    def _receive(self, workers: list[_Worker]) -> tuple[_Worker, Result]:
        """Wait for a message from one of ``workers``."""
        by_handle: dict[Any, _Worker] = {}
        for worker in workers:
            if worker.connection.poll():
                break
            by_handle[worker.connection] = by_handle[worker.process.sentinel] = worker
        else:
            ready = connections.wait(list(by_handle), self._timeout or None)
            if not ready:
                pending = ", ".join(
                    f"worker {owner.id}: {describe_indices(index)}"
                    for owner, index in itertools.islice(self._tasks.values(), self._num_workers)
                )
                raise RuntimeError(
                    f"DataLoader timed out after {self._timeout} seconds; samples that are "
                    f"being loaded: {pending}"
                )
            worker = by_handle[ready[0]]
        try:
            if not worker.connection.poll():
                raise EOFError  # only the sentinel is ready
            return worker, worker.connection.recv()
        except (EOFError, ConnectionResetError):
            pass  # its end of the pipe is closed: it is dead, or about to be
        raise self._death_of(worker)

    def _next_data(self) -> Any:
        self._raise_if_failed()
        while self._tasks:
            if self._in_order:
                number = self._rcvd_idx
                if number not in self._tasks:  # given up: its worker's stream has ended
                    self._rcvd_idx += 1
                    continue
                # A worker answers in the order of its tasks, so the owner's next message is it.
                waiting = [self._tasks[number][0]]
            else:
                waiting = [worker for worker in self._workers if worker.active]
                if not waiting:
                    break
            worker, result = self._receive(waiting)
            if result.shortage and not self._warned_about_shortage:
                self._warned_about_shortage = True
                warnings.warn(result.shortage, stacklevel=4)
            if result.number not in self._tasks:
                self._drop(worker, result)
            elif result.packed is None and result.error is None:
                worker.active = False
                self._give_up_tasks(worker)
                self._try_put_index()
            else:
                self._rcvd_idx += 1
                return self._deliver(worker, result)
        if not self._persistent_workers:
            self._shutdown_workers()
        raise StopIteration

    def _give_up_tasks(self, worker: _Worker) -> None:
        """Forget the tasks of a worker whose stream has ended."""
        self._tasks = {
            number: task for number, task in self._tasks.items() if task[0] is not worker
        }

    def _drop(self, worker: _Worker, result: Result) -> None:
        """Free the slot of a batch that an abandoned pass asked for."""
        if result.packed is not None and result.packed[1] >= 0:
            worker.released.append(result.packed[1])

    def _deliver(self, worker: _Worker, result: Result) -> Any:
        """Copy a batch out, ask for the next one, and raise what the worker raised."""
        del self._tasks[result.number]
        worker.outstanding -= 1
        data = None
        if result.packed is not None:
            data, slot = worker.reader.unpack(result.packed)
            if slot >= 0:
                worker.released.append(slot)
        self._try_put_index()
        if result.error is not None:
            result.error.reraise()
        return data
