"""Samplers: the order in which a DataLoader asks for samples.

Pipeline: dataset -> **sampler** -> fetch and collate -> DataLoader. The draws follow PyTorch's
order exactly, so that the same ``manual_seed`` shuffles alike.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import flambeau

__all__ = [
    "BatchSampler",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "SubsetRandomSampler",
    "WeightedRandomSampler",
]

T_co = TypeVar("T_co", covariant=True)

#: RandomSampler with replacement draws this many indices at a time, as PyTorch does.
REPLACEMENT_CHUNK = 32


def draw_seed(generator: Any = None) -> int:
    """Return a 63-bit integer drawn as ``empty((), int64).random_()`` draws it."""
    generator = flambeau.default_generator if generator is None else generator
    return int(generator.stream.random_any((), "int64"))


def _is_positive_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


class Sampler(Generic[T_co]):
    """Base class: an iterable over indices, or over lists of indices.

    Subclasses define ``__iter__``, and ``__len__`` where the length is known.
    """

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError(f"{type(self).__name__} should implement __iter__")


class SequentialSampler(Sampler[int]):
    """Indices 0, 1, ..., len(data_source) - 1.

    >>> import flambeau as torch
    >>> list(torch.utils.data.SequentialSampler("abc"))
    [0, 1, 2]
    """

    def __init__(self, data_source: Any) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """Indices in random order.

    Args:
        data_source: anything with a length.
        replacement: draw independently instead of shuffling.
        num_samples: how many to draw; the length of ``data_source`` if None.
        generator: source of the draws; if None, each pass seeds one of its own from the
            default generator.

    Raises:
        TypeError: if ``replacement`` is not a bool.
        ValueError: if ``num_samples`` is not a positive integer.

    >>> import flambeau as torch
    >>> sorted(torch.utils.data.RandomSampler(range(4)))
    [0, 1, 2, 3]
    """

    def __init__(
        self,
        data_source: Any,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Any = None,
    ) -> None:
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator
        if not isinstance(replacement, bool):
            raise TypeError(
                f"replacement should be a boolean value, but got replacement={replacement}"
            )
        if not isinstance(self.num_samples, int) or self.num_samples <= 0:
            raise ValueError(
                "num_samples should be a positive integer value, but got "
                f"num_samples={self.num_samples}"
            )

    @property
    def num_samples(self) -> int:
        """How many indices one pass yields (the data set may grow between passes)."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        # chained lists rather than a generator's numbers: 1 us instead of 7 for a batch of 64
        return itertools.chain.from_iterable(self._parts())

    def _parts(self) -> Iterator[list[int]]:
        """The indices in pieces, each drawn when it is first needed."""
        size = len(self.data_source)
        generator = self.generator
        if generator is None:
            generator = flambeau.Generator()
            generator.manual_seed(draw_seed())
        if self.replacement:
            full, rest = divmod(self.num_samples, REPLACEMENT_CHUNK)
            # an endless loader has 1e10 samples: nothing may be as long as their number
            for count in itertools.chain(itertools.repeat(REPLACEMENT_CHUNK, full), (rest,)):
                draws = flambeau.randint(size, (count,), generator=generator)
                yield draws.tolist()
        else:
            full, rest = divmod(self.num_samples, size)
            for _ in range(full):
                yield flambeau.randperm(size, generator=generator).tolist()
            # The last, partial permutation is drawn even when nothing of it is used: a
            # generator that the user passed in must end in the state PyTorch leaves.
            yield flambeau.randperm(size, generator=generator).tolist()[:rest]

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """The given indices in random order, without replacement.

    Args:
        indices: a sequence of indices.
        generator: source of the permutation; the default generator if None.
    """

    def __init__(self, indices: Sequence[int], generator: Any = None) -> None:
        self.indices = indices
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        order = flambeau.randperm(len(self.indices), generator=self.generator)
        for position in order.tolist():
            yield self.indices[position]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """Index i with probability weights[i] / sum(weights).

    Args:
        weights: a 1-d sequence of N weights, which need not sum to one.
        num_samples: how many indices to draw.
        replacement: whether an index may be drawn again.
        generator: source of the draws; the default generator if None.

    Raises:
        ValueError: if an argument has the wrong type or shape.

    >>> import flambeau as torch
    >>> list(torch.utils.data.WeightedRandomSampler([0.0, 1.0, 0.0], 3))
    [1, 1, 1]
    """

    def __init__(
        self,
        weights: Sequence[float],
        num_samples: int,
        replacement: bool = True,
        generator: Any = None,
    ) -> None:
        if not _is_positive_integer(num_samples):
            raise ValueError(
                "num_samples should be a positive integer value, but got "
                f"num_samples={num_samples}"
            )
        if not isinstance(replacement, bool):
            raise ValueError(
                f"replacement should be a boolean value, but got replacement={replacement}"
            )
        self.weights = flambeau.as_tensor(weights, dtype=flambeau.float64)
        if self.weights.dim() != 1:
            raise ValueError(
                "weights should be a 1d sequence but given "
                f"weights have shape {tuple(self.weights.shape)}"
            )
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        draws = flambeau.multinomial(
            self.weights, self.num_samples, self.replacement, generator=self.generator
        )
        yield from draws.tolist()

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list]):
    """Lists of up to ``batch_size`` consecutive indices of another sampler.

    Args:
        sampler: any iterable of indices.
        batch_size: size of a list.
        drop_last: whether a shorter last list is left out.

    Raises:
        ValueError: if ``batch_size`` is not a positive integer or ``drop_last`` no bool.

    >>> import flambeau as torch
    >>> list(torch.utils.data.BatchSampler(range(5), batch_size=2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable, batch_size: int, drop_last: bool) -> None:
        if not _is_positive_integer(batch_size):
            raise ValueError(
                f"batch_size should be a positive integer value, but got batch_size={batch_size}"
            )
        if not isinstance(drop_last, bool):
            raise ValueError(
                f"drop_last should be a boolean value, but got drop_last={drop_last}"
            )
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list]:
        indices = iter(self.sampler)
        while batch := list(itertools.islice(indices, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def __len__(self) -> int:
        size = len(self.sampler)  # type: ignore[arg-type]
        return size // self.batch_size if self.drop_last else -(-size // self.batch_size)
