"""One file of events, written by a thread: the last step from a SummaryWriter to the disk.

An error of the file (a full disk, a folder that is gone) is raised by the next call that adds,
flushes or closes, in the thread of the user. What was to be written after it is lost; the call
never waits for a thread that has ended.
"""

from __future__ import annotations

import atexit
import itertools
import os
import queue
import socket
import threading
import time
import weakref
from typing import Any

from tensorboard.compat import tf
from tensorboard.compat.proto import event_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

__all__ = ["EventFile"]

_numbers = itertools.count()
_STOP = object()


class EventFile:
    """Writes events to ``events.out.tfevents.*`` in a folder, in the background."""

    def __init__(self, log_dir: str, max_queue: int, flush_secs: float, suffix: str):
        self._log_dir, self._max_queue = log_dir, max_queue
        self._flush_secs, self._suffix = flush_secs, suffix
        self._open()

    def _open(self) -> None:
        tf.io.gfile.makedirs(self._log_dir)
        name = (f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}."
                f"{os.getpid()}.{next(_numbers)}{self._suffix}")
        self._path = os.path.join(self._log_dir, name)
        self._writer = RecordWriter(tf.io.gfile.GFile(self._path, "wb"))
        self._queue: queue.Queue = queue.Queue(self._max_queue)
        self._error: Exception | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._serve, daemon=True, name="event file")
        self._thread.start()
        self._at_exit = weakref.WeakMethod(self.close)
        atexit.register(_close, self._at_exit)
        source = event_pb2.SourceMetadata(writer="flambeau.utils.tensorboard")
        self.add_event(event_pb2.Event(wall_time=time.time(), file_version="brain.Event:2",
                                       source_metadata=source))
        self.flush()

    def get_logdir(self) -> str:
        """The folder of the file."""
        return self._log_dir

    def add_event(self, event: Any) -> None:
        """Have an event message written; waits while the queue is full."""
        if not isinstance(event, event_pb2.Event):
            raise TypeError(f"Expected an event_pb2.Event proto, but got {type(event)}")
        self._put(event.SerializeToString())

    def flush(self) -> None:
        """Wait until everything added so far is in the file."""
        done = threading.Event()
        self._put(done)
        while not done.wait(0.1):
            self._check()
        self._check()

    def close(self) -> None:
        """Write everything, end the thread and close the file; nothing if that was done."""
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self._at_exit)
        while self._thread.is_alive():
            try:
                self._queue.put(_STOP, timeout=0.1)
                break
            except queue.Full:
                pass
        self._thread.join()
        self._check()

    def reopen(self) -> None:
        """Begin a new file, if this one is closed."""
        if self._closed:
            self._open()

    def _put(self, item: Any) -> None:
        if self._closed:
            raise OSError("Writer is closed")
        while True:
            self._check()
            try:
                return self._queue.put(item, timeout=0.1)
            except queue.Full:
                pass

    def _check(self) -> None:
        error = self._error
        if error is None:
            return
        if isinstance(error, OSError) and error.errno is not None:
            raise OSError(error.errno, f"{error.strerror}: TensorBoard's events since are lost, in",
                          self._path) from error
        raise error

    # ---- in the thread ---------------------------------------------------------------------------

    def _serve(self) -> None:
        try:
            self._write_all()
        except Exception as error:
            self._error = error

    def _write_all(self) -> None:
        due, pending = 0.0, False          # the first event goes to the disk at once
        while True:
            item = self._next(due if pending else None)
            if isinstance(item, bytes):
                self._writer.write(item)
                pending = True
            if item is not None and not isinstance(item, bytes) or time.monotonic() >= due:
                self._writer.flush()
                due, pending = time.monotonic() + self._flush_secs, False
            if isinstance(item, threading.Event):
                item.set()
            if item is _STOP:
                self._writer.close()
                return

    def _next(self, due: float | None) -> Any:
        """The next item, or None where none came until the next flush is due."""
        try:
            return self._queue.get(
                timeout=None if due is None else max(0.0, due - time.monotonic()))
        except queue.Empty:
            return None


def _close(method: weakref.WeakMethod) -> None:
    """At the end of a program that did not close its writer."""
    close = method()
    if close is not None:
        try:
            close()
        except OSError as error:
            import warnings
            warnings.warn(str(error), RuntimeWarning)
