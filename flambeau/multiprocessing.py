"""``torch.multiprocessing``: Python's multiprocessing, and ``spawn`` with joined errors.

Tensors are copied on their way to another process, unless ``share_memory_()`` was called: then
both processes see the same memory.
"""

from __future__ import annotations

import multiprocessing as _multiprocessing
import signal as _signal
import sys as _sys
import traceback as _traceback
from multiprocessing import *  # noqa: F403
from multiprocessing import connection as _connection
from typing import NoReturn as _NoReturn

__all__ = sorted([
    *_multiprocessing.__all__, "ProcessContext", "ProcessException", "ProcessExitedException",
    "ProcessRaisedException", "get_all_sharing_strategies", "get_sharing_strategy",
    "set_sharing_strategy", "spawn", "start_processes",
])
_strategy = ["file_descriptor"]


def get_all_sharing_strategies() -> set[str]:
    """The names that set_sharing_strategy takes."""
    return {"file_descriptor", "file_system"}


def get_sharing_strategy() -> str:
    """The name last set."""
    return _strategy[0]


def set_sharing_strategy(new_strategy: str) -> None:
    """Accepted: shared memory is always freed with its last user here."""
    if new_strategy not in get_all_sharing_strategies():
        raise AssertionError(f"unknown sharing strategy {new_strategy!r}: expected one of "
                             f"{sorted(get_all_sharing_strategies())}")
    _strategy[0] = new_strategy


class ProcessException(Exception):
    """A process that failed: its number and process id."""

    def __init__(self, msg: str, error_index: int, pid: int):
        super().__init__(msg)
        self.msg, self.error_index, self.pid = msg, error_index, pid


class ProcessRaisedException(ProcessException):
    """A process that raised; the message holds its traceback."""


class ProcessExitedException(ProcessException):
    """A process that ended by a signal or an exit code."""

    def __init__(self, msg, error_index, pid, exit_code, signal_name=None):
        super().__init__(msg, error_index, pid)
        self.exit_code, self.signal_name = exit_code, signal_name


def _run(function, index, args, errors) -> None:
    try:
        function(index, *args)
    except KeyboardInterrupt:
        pass
    except Exception:
        errors.put(_traceback.format_exc())
        _sys.exit(1)


class ProcessContext:
    """Processes started together."""

    def __init__(self, processes, error_queues):
        self.processes, self.error_queues = processes, error_queues
        self._waiting = {p.sentinel: i for i, p in enumerate(processes)}

    def pids(self) -> list[int]:
        """Their process ids."""
        return [p.pid for p in self.processes]

    def join(self, timeout: float | None = None) -> bool:
        """Wait for one or more to end; whether all did. The first that failed ends the others."""
        if not self._waiting:
            return True
        failed = None
        for sentinel in _connection.wait(self._waiting, timeout):
            index = self._waiting.pop(sentinel)
            process = self.processes[index]
            process.join()
            if process.exitcode != 0 and failed is None:
                failed = index
        if failed is None:
            return not self._waiting
        for process in self.processes:
            if process.is_alive():
                process.terminate()
            process.join()
        self._raise(failed)

    def _raise(self, index: int) -> _NoReturn:
        process, errors = self.processes[index], self.error_queues[index]
        if not errors.empty():
            text = f"\n\n-- Process {index} terminated with the following error:\n{errors.get()}"
            raise ProcessRaisedException(text, index, process.pid)
        code = process.exitcode
        if code < 0:
            name = _signal.Signals(-code).name
            raise ProcessExitedException(f"process {index} terminated with signal {name}", index,
                                         process.pid, code, name)
        raise ProcessExitedException(f"process {index} terminated with exit code {code}", index,
                                     process.pid, code)


def start_processes(fn, args=(), nprocs=1, join=True, daemon=False, start_method="spawn"):
    """Run fn(i, *args) in `nprocs` processes; the context, or None once all ended."""
    context = _multiprocessing.get_context(start_method)
    processes, queues = [], []
    for index in range(nprocs):
        errors = context.SimpleQueue()
        process = context.Process(target=_run, args=(fn, index, args, errors), daemon=daemon)
        process.start()
        processes.append(process)
        queues.append(errors)
    started = ProcessContext(processes, queues)
    if not join:
        return started
    while not started.join():
        pass
    return None


def spawn(fn, args=(), nprocs=1, join=True, daemon=False, start_method="spawn"):
    """Run fn(i, *args) in `nprocs` fresh processes; raises when one fails.

    Args:
        fn: a function at the top level of a module.
        args: its further arguments.
        nprocs: how many; join: wait for all; daemon: end with the parent.
        start_method: "spawn" (others: start_processes).
    """
    return start_processes(fn, args, nprocs, join, daemon, start_method)
