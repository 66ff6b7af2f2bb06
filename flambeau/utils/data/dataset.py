"""Data sets: maps from an index to a sample, streams of samples, and their combinations.

Pipeline: user data -> **dataset** -> sampler -> fetch and collate -> DataLoader -> training loop.
"""

from __future__ import annotations

import bisect
import itertools
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import flambeau

__all__ = [
    "ChainDataset",
    "ConcatDataset",
    "Dataset",
    "IterableDataset",
    "StackDataset",
    "Subset",
    "TensorDataset",
    "random_split",
]

T_co = TypeVar("T_co", covariant=True)


class Dataset(Generic[T_co]):
    """A map from an index (or any key) to one sample.

    Subclasses define ``__getitem__(index)`` and usually ``__len__()``. They may define
    ``__getitems__(indices) -> list of samples``, which the DataLoader then calls once a batch.

    >>> import flambeau as torch
    >>> class Squares(torch.utils.data.Dataset):
    ...     def __len__(self):
    ...         return 5
    ...     def __getitem__(self, index):
    ...         return index**2
    >>> Squares()[3]
    9
    """

    def __getitem__(self, index: Any) -> T_co:
        raise NotImplementedError("Subclasses of Dataset should implement __getitem__.")

    def __add__(self, other: Dataset) -> Dataset:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T_co], Iterable[T_co]):
    """A stream of samples; subclasses define ``__iter__``.

    Each worker process of a DataLoader iterates over a copy of its own: split the stream by
    :func:`get_worker_info`, or every sample arrives once per worker.

    >>> import flambeau as torch
    >>> class Count(torch.utils.data.IterableDataset):
    ...     def __iter__(self):
    ...         return iter(range(3))
    >>> list(torch.utils.data.DataLoader(Count(), batch_size=None))
    [0, 1, 2]
    """

    def __add__(self, other: Dataset) -> ChainDataset:
        return ChainDataset([self, other])


class TensorDataset(Dataset[tuple]):
    """Samples are tuples of the rows of tensors with a common first dimension.

    Args:
        *tensors: tensors of shape (N, ...), the same N for all.

    Raises:
        AssertionError: if the first dimensions differ.

    >>> import flambeau as torch
    >>> data = torch.utils.data.TensorDataset(torch.arange(6).view(3, 2), torch.arange(3))
    >>> data[1]
    (tensor([2, 3]), tensor(1))
    """

    def __init__(self, *tensors: Any) -> None:
        if any(tensors[0].size(0) != tensor.size(0) for tensor in tensors):
            sizes = ", ".join(str(tuple(tensor.shape)) for tensor in tensors)
            raise AssertionError(
                "Size mismatch between tensors: the first dimensions must be equal; "
                f"received shapes {sizes}"
            )
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return self.tensors[0].size(0)


class StackDataset(Dataset):
    """Samples of several data sets side by side, as tuples or, from keywords, as dicts.

    Args:
        *args: data sets of equal length; samples become tuples.
        **kwargs: data sets of equal length; samples become dicts.

    Raises:
        ValueError: without data sets, with both kinds, or if lengths differ.

    >>> import flambeau as torch
    >>> torch.utils.data.StackDataset(image=[10, 11], text=["a", "b"])[1]
    {'image': 11, 'text': 'b'}
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if args and kwargs:
            raise ValueError(
                "Supported either ``tuple``- (via ``args``) or"
                "``dict``- (via ``kwargs``) like input/output, but both types are given."
            )
        if not args and not kwargs:
            raise ValueError("At least one dataset should be passed")
        parts = list(args or kwargs.values())
        lengths = [len(dataset) for dataset in parts]
        if len(set(lengths)) > 1:
            raise ValueError(f"Size mismatch between datasets: received lengths {lengths}")
        self._length = lengths[0]
        self.datasets: tuple | dict = args or kwargs

    def _assemble(self, columns: list) -> Any:
        if isinstance(self.datasets, dict):
            return dict(zip(self.datasets, columns))
        return tuple(columns)

    def _parts(self) -> list:
        return list(self.datasets.values() if isinstance(self.datasets, dict) else self.datasets)

    def __getitem__(self, index: Any) -> Any:
        return self._assemble([dataset[index] for dataset in self._parts()])

    def __getitems__(self, indices: list) -> list:
        columns = []
        for dataset in self._parts():
            if callable(getattr(dataset, "__getitems__", None)):
                items = dataset.__getitems__(indices)
                if len(items) != len(indices):
                    raise ValueError(
                        "Nested dataset's output size mismatch."
                        f" Expected {len(indices)}, got {len(items)}"
                    )
            else:
                items = [dataset[index] for index in indices]
            columns.append(items)
        return [self._assemble(list(row)) for row in zip(*columns)]

    def __len__(self) -> int:
        return self._length


class ConcatDataset(Dataset[T_co]):
    """Several map-style data sets, one after the other.

    Args:
        datasets: a non-empty iterable of map-style data sets.

    >>> import flambeau as torch
    >>> both = torch.utils.data.ConcatDataset([[1, 2], [3, 4, 5]])
    >>> len(both), both[2], both[-1]
    (5, 3, 5)
    """

    @staticmethod
    def cumsum(sequence: Iterable) -> list[int]:
        """Return the running totals of the lengths of ``sequence``'s items."""
        return list(itertools.accumulate(len(part) for part in sequence))

    def __init__(self, datasets: Iterable) -> None:
        super().__init__()
        self.datasets = list(datasets)
        if not self.datasets:
            raise AssertionError("datasets should not be an empty iterable")
        if any(isinstance(dataset, IterableDataset) for dataset in self.datasets):
            raise AssertionError(
                "ConcatDataset does not support IterableDataset: use ChainDataset for streams"
            )
        self.cumulative_sizes = self.cumsum(self.datasets)

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, idx: int) -> T_co:
        if idx < 0:
            if -idx > len(self):
                raise ValueError("absolute value of index should not exceed dataset length")
            idx += len(self)
        part = bisect.bisect_right(self.cumulative_sizes, idx)
        start = self.cumulative_sizes[part - 1] if part else 0
        return self.datasets[part][idx - start]

    @property
    def cummulative_sizes(self) -> list[int]:
        """The old, misspelt name of ``cumulative_sizes``."""
        warnings.warn(
            "`cummulative_sizes` attribute is renamed to `cumulative_sizes`",
            FutureWarning,
            stacklevel=2,
        )
        return self.cumulative_sizes


class ChainDataset(IterableDataset):
    """Several streams, one after the other.

    Args:
        datasets: an iterable of :class:`IterableDataset`.
    """

    def __init__(self, datasets: Iterable) -> None:
        super().__init__()
        self.datasets = datasets

    def _streams(self) -> Iterator:
        for dataset in self.datasets:
            if not isinstance(dataset, IterableDataset):
                raise AssertionError("ChainDataset only supports IterableDataset")
            yield dataset

    def __iter__(self) -> Iterator:
        for dataset in self._streams():
            yield from dataset

    def __len__(self) -> int:
        return sum(len(dataset) for dataset in self._streams())


class Subset(Dataset[T_co]):
    """The samples of a data set at chosen indices.

    A subclass that overrides ``__getitem__`` must override ``__getitems__`` too.

    Args:
        dataset: the whole data set.
        indices: a sequence of indices into it.

    >>> import flambeau as torch
    >>> torch.utils.data.Subset("abcdef", [4, 0])[0]
    'e'
    """

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices
        kind = type(self)
        overrides_one = kind.__getitem__ is not Subset.__getitem__
        if overrides_one and kind.__getitems__ is Subset.__getitems__:
            raise NotImplementedError(
                f"{kind.__name__} overrides __getitem__ but not __getitems__. When subclassing "
                "Subset and overriding __getitem__, you must also override __getitems__, for "
                "the DataLoader fetches whole batches through it. A simple implementation:\n\n"
                "def __getitems__(self, indices):\n"
                "    return [self.__getitem__(idx) for idx in indices]"
            )

    def __getitem__(self, idx: Any) -> T_co:
        if isinstance(idx, list):
            return self.dataset[[self.indices[i] for i in idx]]
        return self.dataset[self.indices[idx]]

    def __getitems__(self, indices: list[int]) -> list:
        chosen = [self.indices[index] for index in indices]
        if callable(getattr(self.dataset, "__getitems__", None)):
            return self.dataset.__getitems__(chosen)
        return [self.dataset[index] for index in chosen]

    def __len__(self) -> int:
        return len(self.indices)


def _lengths_from_fractions(size: int, fractions: Sequence[float]) -> list[int]:
    """Return floor(size * fraction) for each part, the remainder dealt out one by one."""
    for index, fraction in enumerate(fractions):
        if fraction < 0 or fraction > 1:
            raise ValueError(f"Fraction at index {index} is not between 0 and 1")
    lengths = [math.floor(size * fraction) for fraction in fractions]
    for extra in range(size - sum(lengths)):
        lengths[extra % len(lengths)] += 1
    for index, length in enumerate(lengths):
        if length == 0:
            warnings.warn(
                f"Length of split at index {index} is 0. This might result in an empty dataset.",
                stacklevel=3,
            )
    return lengths


def random_split(
    dataset: Any, lengths: Sequence[int | float], generator: Any = None
) -> list[Subset]:
    """Split a data set at random into parts that do not overlap.

    Args:
        dataset: a map-style data set with a length.
        lengths: the parts' lengths, or fractions that sum to 1.
        generator: source of the permutation; the default generator if None.

    Raises:
        ValueError: if the lengths do not sum to the data set's length.

    >>> import flambeau as torch
    >>> parts = torch.utils.data.random_split(range(10), [0.7, 0.3])
    >>> [len(part) for part in parts]
    [7, 3]
    """
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        lengths = _lengths_from_fractions(len(dataset), lengths)
    if sum(lengths) != len(dataset):
        raise ValueError(
            "Sum of input lengths does not equal the length of the input dataset! "
            f"Expected a sum of {len(dataset)}; received {list(lengths)}, a sum of {sum(lengths)}"
        )
    counts = [int(length) for length in lengths]
    indices = flambeau.randperm(sum(counts), generator=generator).tolist()
    ends = itertools.accumulate(counts)
    return [Subset(dataset, indices[end - count : end]) for end, count in zip(ends, counts)]
