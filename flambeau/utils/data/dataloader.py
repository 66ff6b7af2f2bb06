"""The DataLoader: arguments, and the iterator that loads in the main process.

Pipeline: dataset + sampler -> fetch and collate -> **DataLoader** -> training loop. The iterator
with worker processes is in ``_multiprocessing.py``.
"""

from __future__ import annotations

import itertools
import math
import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from ...record.trace import flush
from ._utils.collate import default_collate, default_convert
from ._utils.fetch import IterableFetcher, MapFetcher
from ._utils.worker_info import get_worker_info
from .dataset import IterableDataset
from .sampler import BatchSampler, RandomSampler, SequentialSampler, draw_seed

__all__ = ["DataLoader", "default_collate", "default_convert", "get_worker_info"]

T_co = TypeVar("T_co", covariant=True)

#: Loading a batch that takes longer is worth the two changes of thread that overlapping it with
#: the step costs (40 to 100 us).
_WORTHWHILE_SECONDS = 300e-6

_FIXED_ATTRIBUTES = frozenset(
    ["batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers"]
)


class _DatasetKind:
    """The two ways to read a data set."""

    Map = 0
    Iterable = 1


class _InfiniteConstantSampler:
    """None without end: the indices of a stream."""

    def __iter__(self) -> Iterator[None]:
        return itertools.repeat(None)


class FetcherFactory:
    """Makes the fetcher for a data set; a class, so that it can be pickled."""

    def __init__(self, loader: DataLoader) -> None:
        streams = loader._dataset_kind == _DatasetKind.Iterable
        self._kind: type = IterableFetcher if streams else MapFetcher
        self._arguments = (loader._auto_collation, loader.collate_fn, loader.drop_last)

    def __call__(self, dataset: Any) -> Any:
        return self._kind(dataset, *self._arguments)


class DataLoader(Generic[T_co]):
    """Batches of a data set: in order or shuffled, in this process or by worker processes.

    Args:
        dataset: map-style (``__getitem__`` and ``__len__``) or an :class:`IterableDataset`.
        batch_size: samples a batch; None turns batching off.
        shuffle: a new random order each pass.
        sampler: an iterable of indices, instead of ``shuffle``.
        batch_sampler: an iterable of lists of indices, instead of ``batch_size``,
            ``shuffle``, ``sampler`` and ``drop_last``.
        num_workers: worker processes; 0 loads in this process.
        collate_fn: list of samples -> batch; :func:`default_collate` if None
            (:func:`default_convert` without batching).
        pin_memory: copy batches to page-locked memory; without an accelerator it only warns.
        drop_last: leave out a shorter last batch.
        timeout: seconds to wait for a batch from a worker; 0 waits for ever.
        worker_init_fn: called with the worker's id in each worker, after seeding.
        multiprocessing_context: a start method or context; Python's default if None.
        generator: source of shuffling and of the workers' base seed.
        prefetch_factor: batches that each worker loads ahead; 2 if there are workers.
        persistent_workers: keep the workers between passes.
        pin_memory_device: deprecated in PyTorch; warned about and not used.
        in_order: with workers, return batches in the sampler's order.

    Raises:
        ValueError: for arguments that contradict each other; the message says which.
        TypeError: if ``multiprocessing_context`` is no context.

    >>> import flambeau as torch
    >>> for batch in torch.utils.data.DataLoader([1, 2, 3, 4, 5], batch_size=2):
    ...     print(batch)
    tensor([1, 2])
    tensor([3, 4])
    tensor([5])
    """

    __initialized = False

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable | None = None,
        batch_sampler: Iterable | None = None,
        num_workers: int = 0,
        collate_fn: Callable | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable | None = None,
        multiprocessing_context: Any = None,
        generator: Any = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        if num_workers < 0:
            raise ValueError(
                "num_workers option should be non-negative; "
                "use num_workers=0 to disable multiprocessing."
            )
        if timeout < 0:
            raise ValueError("timeout option should be non-negative")
        if num_workers == 0 and prefetch_factor is not None:
            raise ValueError(
                "prefetch_factor option could only be specified in multiprocessing."
                "let num_workers > 0 to enable multiprocessing, otherwise set prefetch_factor "
                "to None."
            )
        if prefetch_factor is not None and prefetch_factor < 0:
            raise ValueError("prefetch_factor option should be non-negative")
        if persistent_workers and num_workers == 0:
            raise ValueError("persistent_workers option needs num_workers > 0")

        self.dataset = dataset
        self.num_workers = num_workers
        self.prefetch_factor = 2 if num_workers and prefetch_factor is None else prefetch_factor
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.in_order = in_order
        self.generator = generator
        self.persistent_workers = persistent_workers

        streams = isinstance(dataset, IterableDataset)
        self._dataset_kind = _DatasetKind.Iterable if streams else _DatasetKind.Map
        if streams:
            self._check_stream_arguments(shuffle, sampler, batch_sampler)
        elif sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError(
                    "batch_sampler option is mutually exclusive "
                    "with batch_size, shuffle, sampler, and drop_last"
                )
            batch_size = None
        elif batch_size is None and drop_last:
            raise ValueError(
                "batch_size=None option disables auto-batching "
                "and is mutually exclusive with drop_last"
            )

        if sampler is None:
            if streams:
                sampler = _InfiniteConstantSampler()
            elif shuffle:
                sampler = RandomSampler(dataset, generator=generator)
            else:
                sampler = SequentialSampler(dataset)
        if batch_size is not None and batch_sampler is None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        if collate_fn is None:
            collate_fn = default_collate if self._auto_collation else default_convert
        self.collate_fn = collate_fn
        self.__initialized = True
        self._IterableDataset_len_called: int | None = None
        self._iterator: Any = None
        self.check_worker_number_rationality()

    @staticmethod
    def _check_stream_arguments(shuffle: Any, sampler: Any, batch_sampler: Any) -> None:
        if shuffle:
            option, value = "shuffle", shuffle
        elif sampler is not None:
            option, value = "sampler", sampler
        elif batch_sampler is not None:
            option, value = "batch_sampler", batch_sampler
        else:
            return
        raise ValueError(
            "DataLoader with IterableDataset: expected unspecified "
            f"{option} option, but got {option}={value}"
        )

    @property
    def multiprocessing_context(self) -> Any:
        """The context that starts the workers, None for Python's default."""
        return self.__multiprocessing_context

    @multiprocessing_context.setter
    def multiprocessing_context(self, context: Any) -> None:
        if context is not None:
            import multiprocessing

            if self.num_workers == 0:
                raise ValueError(
                    "multiprocessing_context can only be used with "
                    "multi-process loading (num_workers > 0), but got "
                    f"num_workers={self.num_workers}"
                )
            if isinstance(context, str):
                methods = multiprocessing.get_all_start_methods()
                if context not in methods:
                    raise ValueError(
                        "multiprocessing_context option should specify a valid start method in "
                        f"{methods!r}, but got multiprocessing_context={context!r}"
                    )
                context = multiprocessing.get_context(context)
            if not isinstance(context, multiprocessing.context.BaseContext):
                raise TypeError(
                    "multiprocessing_context option should be a valid context "
                    "object or a string specifying the start method, but got "
                    f"multiprocessing_context={context}"
                )
        self.__multiprocessing_context = context

    def __setattr__(self, name: str, value: Any) -> None:
        if self.__initialized and name in _FIXED_ATTRIBUTES:
            raise ValueError(
                f"{name} attribute should not be set after {type(self).__name__} is initialized"
            )
        super().__setattr__(name, value)

    @property
    def _auto_collation(self) -> bool:
        return self.batch_sampler is not None

    @property
    def _index_sampler(self) -> Any:
        return self.batch_sampler if self._auto_collation else self.sampler

    def _get_iterator(self) -> _BaseDataLoaderIter:
        if self.num_workers == 0:
            return _SingleProcessDataLoaderIter(self)
        from ._multiprocessing import _MultiProcessingDataLoaderIter

        return _MultiProcessingDataLoaderIter(self)

    def __iter__(self) -> _BaseDataLoaderIter:
        if not (self.persistent_workers and self.num_workers):
            return self._get_iterator()
        if self._iterator is None:
            self._iterator = self._get_iterator()
        else:
            self._iterator._reset(self)
        return self._iterator

    def __len__(self) -> int:
        if self._dataset_kind == _DatasetKind.Map:
            return len(self._index_sampler)
        # Kept for the warning when a stream yields more than it announced.
        length = self._IterableDataset_len_called = len(self.dataset)
        if self.batch_size is None:
            return length
        if self.drop_last:
            return length // self.batch_size
        return math.ceil(length / self.batch_size)

    def check_worker_number_rationality(self) -> None:
        """Warn when there are more workers than processors to run them."""
        if not self.num_workers:
            return
        affinity = hasattr(os, "sched_getaffinity")
        processors = len(os.sched_getaffinity(0)) if affinity else os.cpu_count()
        if processors is None:
            suggestion = (
                "DataLoader is not able to compute a suggested max number of worker in "
                "current system."
            )
        elif self.num_workers > processors:
            unchecked = "" if affinity else " (`cpuset` is not taken into account)"
            suggestion = (
                f"Our suggested max number of worker in current system is {processors}"
                f"{unchecked}, which is smaller than what this DataLoader is going to create."
            )
        else:
            return
        warnings.warn(
            f"This DataLoader will create {self.num_workers} worker processes in total. "
            f"{suggestion} Please be aware that excessive worker creation might get DataLoader "
            "running slow or even freeze, lower the worker number to avoid potential "
            "slowness/freeze if necessary.",
            stacklevel=3,
        )


def _warn_about_pinning(loader: DataLoader) -> None:
    if loader.pin_memory and loader.pin_memory_device:
        warnings.warn(
            "pin_memory_device is deprecated, the current accelerator will be used as the "
            f"device,ignore pin_memory_device='{loader.pin_memory_device}'.",
            stacklevel=4,
        )
    if loader.pin_memory:
        warnings.warn(
            "'pin_memory' argument is set as true but no accelerator is found, "
            "then device pinned memory won't be used.",
            stacklevel=4,
        )


class _BaseDataLoaderIter:
    """One pass over a DataLoader: draws the base seed, then the sampler's order."""

    def __init__(self, loader: DataLoader) -> None:
        _warn_about_pinning(loader)
        self._dataset = loader.dataset
        self._dataset_kind = loader._dataset_kind
        self._index_sampler = loader._index_sampler
        self._num_workers = loader.num_workers
        self._timeout = loader.timeout
        # PyTorch's order of draws: iter() of a sampler of the user's own, then the base seed
        # (drawn without workers too), then the samplers here, which draw at the first index.
        self._sampler_iter = iter(self._index_sampler)
        self._base_seed = draw_seed(loader.generator)
        self._num_yielded = 0
        self._loading_seconds = 0.0  # of the last batch
        self._IterableDataset_len_called = loader._IterableDataset_len_called

    def _reset(self, loader: DataLoader) -> None:
        self._sampler_iter = iter(self._index_sampler)
        self._num_yielded = 0
        self._IterableDataset_len_called = loader._IterableDataset_len_called

    def __iter__(self) -> _BaseDataLoaderIter:
        return self

    def __len__(self) -> int:
        return len(self._index_sampler)

    def _next_data(self) -> Any:
        raise NotImplementedError

    def _timed_next_data(self) -> Any:
        begin = time.perf_counter()
        data = self._next_data()
        self._loading_seconds = time.perf_counter() - begin
        return data

    def __next__(self) -> Any:
        # A barrier on both sides: an evaluation loop is the same program for each batch, and what
        # a data set computed (with other numbers for each sample) is no part of a step's program.
        # Where loading takes long, the step runs meanwhile.
        if self._loading_seconds < _WORTHWHILE_SECONDS:
            flush()
            data = self._timed_next_data()
        else:
            from ...record.overlap import run_meanwhile

            data = run_meanwhile(self._timed_next_data)
        flush()
        self._num_yielded += 1
        announced = self._IterableDataset_len_called
        if (
            announced is not None
            and self._dataset_kind == _DatasetKind.Iterable
            and self._num_yielded > announced
        ):
            self._warn_about_length(announced)
        return data

    def _warn_about_length(self, announced: int) -> None:
        message = (
            f"Length of IterableDataset {self._dataset} was reported to be {announced}"
            f"(when accessing len(dataloader)), but {self._num_yielded} samples have been fetched. "
        )
        if self._num_workers > 0:
            message += (
                "For multiprocessing data-loading, this could be caused by not properly "
                "configuring the IterableDataset replica at each worker: split the stream by "
                "get_worker_info()."
            )
        warnings.warn(message, stacklevel=3)

    def __getstate__(self) -> dict:
        raise NotImplementedError(f"{type(self).__name__} cannot be pickled")


class _SingleProcessDataLoaderIter(_BaseDataLoaderIter):
    """A pass that loads in the calling process."""

    def __init__(self, loader: DataLoader) -> None:
        super().__init__(loader)
        if self._timeout != 0:
            raise AssertionError(
                "_SingleProcessDataLoaderIter requires timeout == 0: a timeout needs num_workers "
                f"> 0, but got timeout={self._timeout}"
            )
        self._fetcher = FetcherFactory(loader)(loader.dataset)

    def _next_data(self) -> Any:
        return self._fetcher.fetch(next(self._sampler_iter))
