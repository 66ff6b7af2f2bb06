"""Fetching: indices become samples, and samples a batch.

Pipeline: sampler -> **fetch** -> collate -> DataLoader; runs in the main process or in a
worker. A sample that raises is named in the error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ....tensor import from_array
from .. import dataset as datasets
from . import collate
from .errors import CollateError, add_note
from .samples import Samples

#: More indices than this are cut from an error's note.
_INDICES_SHOWN = 16


def describe_indices(indices: Any) -> str:
    if not isinstance(indices, (list, tuple)) or len(indices) <= _INDICES_SHOWN:
        return str(indices)
    shown = ", ".join(str(index) for index in indices[:_INDICES_SHOWN])
    return f"[{shown}, ... {len(indices)} in all]"


def gather_rows(dataset: Any, indices: list) -> Any:
    """Return the collated batch of a :class:`TensorDataset`, or None where that is no gather.

    One NumPy ``take`` per tensor replaces a view per sample and a stack: the same values. A
    data set of another type can offer ``_collated_batch(indices)`` to the same end.
    """
    kind = type(dataset)
    if kind is datasets.Subset:
        return gather_rows(dataset.dataset, [dataset.indices[index] for index in indices])
    if kind is not datasets.TensorDataset:
        offer = getattr(dataset, "_collated_batch", None)
        return None if offer is None else offer(indices)
    if not all(collate.is_plain(tensor) and tensor.dim() for tensor in dataset.tensors):
        return None
    rows = np.asarray(indices)
    if rows.ndim != 1 or rows.dtype.kind != "i":
        return None
    return [from_array(tensor._array()[rows], tensor.dtype) for tensor in dataset.tensors]


def one_sample(dataset: Any, index: Any) -> Any:
    """Return ``dataset[index]``; an error names the index."""
    try:
        return dataset[index]
    except StopIteration as error:
        # Left alone it would end the epoch without a word.
        raise RuntimeError(
            f"the data set raised StopIteration for sample {index!r}: a map-style data set "
            "should raise IndexError"
        ) from error
    except Exception as error:
        add_note(error, f"while loading the data set's sample {index!r}")
        raise


class _Fetcher:
    def __init__(
        self, dataset: Any, auto_collation: bool, collate_fn: Callable, drop_last: bool
    ) -> None:
        self.dataset = dataset
        self.auto_collation = auto_collation
        self.collate_fn = collate_fn
        self.drop_last = drop_last

    def _collate(self, samples: Any, indices: Any) -> Any:
        try:
            batch = self.collate_fn(samples)
            return list(batch) if type(batch) is Samples else batch
        except CollateError as error:
            if self.auto_collation:
                error.indices = list(indices)
            raise
        except Exception as error:
            plural = "s" if self.auto_collation else ""
            shown = describe_indices(list(indices) if self.auto_collation else indices)
            add_note(error, f"while collating the data set's sample{plural} {shown}")
            raise


class MapFetcher(_Fetcher):
    """Samples of a map-style data set."""

    def fetch(self, index: Any) -> Any:
        """Return the batch for a list of indices (or the sample for one, unbatched)."""
        if not self.auto_collation:
            return self._collate(one_sample(self.dataset, index), index)
        if self.collate_fn is collate.default_collate and collate.is_standard():
            try:
                batch = gather_rows(self.dataset, index)
            except (IndexError, TypeError, ValueError):
                batch = None  # sample by sample, the error names the sample
            if batch is not None:
                return batch
        if getattr(self.dataset, "__getitems__", None):
            try:
                samples = self.dataset.__getitems__(index)
            except Exception as error:
                add_note(error, f"while loading the data set's samples {describe_indices(index)}")
                raise
        else:
            samples = [one_sample(self.dataset, one) for one in index]
        return self._collate(samples, index)


class IterableFetcher(_Fetcher):
    """Samples of a stream."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.stream = iter(self.dataset)
        self.position = 0
        self.ended = False

    def _next(self) -> Any:
        try:
            sample = next(self.stream)
        except StopIteration:
            self.ended = True
            raise
        except Exception as error:
            add_note(error, f"while loading sample number {self.position} of the stream")
            raise
        self.position += 1
        return sample

    def fetch(self, index: Any) -> Any:
        """Return a batch of as many samples as ``index`` has entries, or one sample.

        Raises:
            StopIteration: when the stream has ended.
        """
        if self.ended:
            raise StopIteration
        start = self.position
        if not self.auto_collation:
            return self._collate(self._next(), start)
        samples: list = []
        for _ in index:
            try:
                samples.append(self._next())
            except StopIteration:
                break
        if not samples or (self.drop_last and len(samples) < len(index)):
            raise StopIteration
        return self._collate(samples, range(start, self.position))
