"""Exceptions that carry where in the data set they arose, also across processes.

Pipeline: fetch (in a worker) -> **errors** -> DataLoader's ``__next__`` (in the main process).
"""

from __future__ import annotations

import pickle
import sys
import traceback
from typing import Any


def add_note(error: BaseException, note: str) -> None:
    """Append a line to what an exception prints, keeping its type, text and traceback."""
    if hasattr(error, "add_note"):
        error.add_note(note)
    elif len(error.args) == 1 and isinstance(error.args[0], str):  # Python 3.10
        error.args = (f"{error.args[0]}\n{note}",)


class CollateError(RuntimeError):
    """Samples of a batch that do not fit together.

    ``path`` (the way from a sample to the values, such as ``['image'][0]``) and the data-set
    indices of the two samples are filled in while the exception travels up.
    """

    advice = ". Pad or resize the samples to one shape, or pass a collate_fn of your own"

    def __init__(self, message: str, entries: tuple[int, ...] = ()) -> None:
        super().__init__(message)
        self.entries = entries
        self.path = ""
        self.indices: list | None = None

    def __str__(self) -> str:
        text = super().__str__()
        if self.path:
            text += f" (at sample{self.path})"
        if self.indices is not None and self.entries:
            named = " and ".join(str(self.indices[entry]) for entry in self.entries)
            several = len(self.entries) > 1
            text += f"; these are the data set's samples {named}" if several else (
                f"; this is the data set's sample {named}")
        if self.entries:
            text += self.advice
        return text


class CollateTypeError(CollateError, TypeError):
    """A sample of another type than the first one of its batch, such as a forgotten None."""

    advice = ". Return the same types for every sample, or pass a collate_fn of your own"


class _PlainMessage(str):
    """A string whose ``repr`` is itself: KeyError prints its argument's ``repr``."""

    def __repr__(self) -> str:
        return str(self)


class ExceptionWrapper:
    """The exception being handled, in a form that travels to another process.

    Args:
        where: a phrase such as ``in DataLoader worker process 0``.
    """

    def __init__(self, where: str) -> None:
        kind, error, trace = sys.exc_info()
        assert kind is not None
        self.type_name = kind.__name__
        self.text = "".join(traceback.format_exception(kind, error, trace))
        self.where = where
        try:
            self.pickled_type = pickle.dumps(kind)
        except Exception:  # a local class: RuntimeError stands in for it
            self.pickled_type = pickle.dumps(RuntimeError)

    def reraise(self) -> None:
        """Raise an exception of the original type with the original traceback as its text."""
        message: Any = f"Caught {self.type_name} {self.where}.\nOriginal {self.text}"
        try:
            kind = pickle.loads(self.pickled_type)
            error = kind(_PlainMessage(message) if issubclass(kind, KeyError) else message)
        except Exception:  # not importable here, or built from other arguments
            error = RuntimeError(message)
        raise error
