"""The worker process of a DataLoader.

Pipeline: the main process sends index lists -> **worker**: fetch, collate, pack -> DataLoader.
One thread does the work. A second one reads the pipe, so that the main process never blocks on
a busy worker, and ends the process at once when the main process is gone.
"""

from __future__ import annotations

import gc
import os
import queue
import random
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import flambeau

from . import MP_STATUS_CHECK_INTERVAL, worker_info
from .errors import ExceptionWrapper
from .transport import SegmentHandle, SlotWriter
from .worker_info import WorkerInfo


@dataclass
class WorkerPlan:
    """Everything a worker needs to start; picklable if what the user gave is."""

    worker_id: int
    num_workers: int
    base_seed: int
    dataset: Any
    make_fetcher: Callable
    worker_init_fn: Callable | None
    segment: SegmentHandle
    slots: int


@dataclass(frozen=True)
class Task:
    """Load the batch of ``index`` (main process to worker)."""

    number: int
    index: Any
    released_slots: list


@dataclass(frozen=True)
class Restart:
    """Forget waiting tasks and begin another pass (main process to worker)."""


@dataclass(frozen=True)
class Stop:
    """End after the current sample (main process to worker)."""


@dataclass(frozen=True)
class Result:
    """The answer to a task: a packed batch, an exception, or neither at a stream's end."""

    number: int
    packed: tuple | None
    error: ExceptionWrapper | None = None
    shortage: str | None = None


def numpy_seed(base_seed: int, worker_id: int) -> np.ndarray:
    """Return the four words that seed ``numpy.random`` in a worker, as PyTorch derives them."""
    words = [worker_id, base_seed & 0xFFFFFFFF, base_seed >> 32, 0]
    return np.random.SeedSequence(words).generate_state(4)


class _Inbox:
    """Receives messages in a thread of its own; watches over the main process."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._parent = os.getppid()
        self._messages: queue.SimpleQueue = queue.SimpleQueue()
        threading.Thread(target=self._receive, name="flambeau-inbox", daemon=True).start()

    def _receive(self) -> None:
        try:
            while True:
                # The end of the pipe tells of the main process's death, unless some other
                # process inherited its end: hence the look at our parent from time to time.
                while not self._connection.poll(MP_STATUS_CHECK_INTERVAL):
                    if os.getppid() != self._parent:
                        raise EOFError
                message = self._connection.recv()
                if isinstance(message, (Restart, Stop)):
                    self._drop_waiting()
                self._messages.put(message)
                if isinstance(message, Stop):
                    return
        except (EOFError, OSError):
            os._exit(1)

    def _drop_waiting(self) -> None:
        try:
            while True:
                dropped = self._messages.get_nowait()
                if isinstance(dropped, Task):
                    self._messages.put(Task(-1, None, dropped.released_slots))
        except queue.Empty:
            pass

    def get(self) -> Any:
        return self._messages.get()


def _prepare_process(inherited: list) -> None:
    """Make a fresh process a quiet worker."""
    # Ctrl-C reaches the whole process group: the main process decides what ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for connection in inherited:
        # A forked worker holds copies of the main process's ends of the other workers' pipes.
        connection.close()
    # Objects of the main process stay out of this process's collections, which would write
    # to their headers and so copy shared pages (growing memory with every worker).
    gc.freeze()


def _seed_everything(plan: WorkerPlan) -> int:
    seed = plan.base_seed + plan.worker_id
    random.seed(seed)
    flambeau.manual_seed(seed)
    np.random.seed(numpy_seed(plan.base_seed, plan.worker_id))
    return seed


def _serve(plan: WorkerPlan, connection: Any) -> None:
    where = f"in DataLoader worker process {plan.worker_id}"
    inbox = _Inbox(connection)
    flambeau.set_num_threads(1)
    seed = _seed_everything(plan)
    worker_info.current = WorkerInfo(plan.worker_id, plan.num_workers, seed, plan.dataset)
    writer = SlotWriter(plan.segment.descriptor, plan.slots)
    fetcher = None
    error: ExceptionWrapper | None = None
    try:
        if plan.worker_init_fn is not None:
            plan.worker_init_fn(plan.worker_id)
        fetcher = plan.make_fetcher(plan.dataset)
    except Exception:
        error = ExceptionWrapper(where)
    ended = False
    while not isinstance(message := inbox.get(), Stop):
        if isinstance(message, Restart):
            fetcher = plan.make_fetcher(plan.dataset)
            ended = False
            continue
        writer.release(message.released_slots)
        if message.number < 0 or ended:
            continue
        packed = None
        if error is None:
            try:
                assert fetcher is not None, "the worker failed to start"
                packed = writer.pack(fetcher.fetch(message.index))
            except StopIteration:
                ended = True
            except Exception:
                error = ExceptionWrapper(where)
        connection.send(Result(message.number, packed, error, writer.shortage))
        error = writer.shortage = None


def run_worker(plan: WorkerPlan, connection: Any, inherited: list) -> None:
    """Serve tasks until told to stop (the worker process's main function).

    Args:
        plan: what to load and how.
        connection: this worker's end of the pipe.
        inherited: connections to close, which only a forked process has.
    """
    _prepare_process(inherited)
    try:
        _serve(plan, connection)
    except (BrokenPipeError, ConnectionResetError, EOFError):
        pass  # the main process no longer listens
