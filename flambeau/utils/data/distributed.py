"""The sampler that gives each of several processes its own share of a data set."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import flambeau

from .sampler import Sampler

__all__ = ["DistributedSampler"]


def _process_group_value(name: str) -> int:
    """Return ``flambeau.distributed.<name>()``, or say what to pass instead."""
    distributed = getattr(flambeau, "distributed", None)
    if distributed is None or not distributed.is_available():
        raise ValueError(
            "Default process group has not been initialized, please make sure to call "
            "init_process_group. Flambeau has no process groups: pass num_replicas and rank."
        )
    return getattr(distributed, name)()


class DistributedSampler(Sampler[int]):
    """Every ``num_replicas``-th index, starting at ``rank``, of a common shuffled order.

    All ranks yield equally many indices: the order is padded from its beginning, or its tail
    is dropped. Call :meth:`set_epoch` before each epoch to get another order.

    Args:
        dataset: a data set with a length.
        num_replicas: number of processes; the process group's world size if None.
        rank: this process, in [0, num_replicas); the process group's rank if None.
        shuffle: shuffle with a generator seeded by ``seed + epoch``.
        seed: the same number in all processes.
        drop_last: drop the tail instead of padding.

    Raises:
        ValueError: if ``rank`` is outside [0, num_replicas).

    >>> import flambeau as torch
    >>> sampler = torch.utils.data.DistributedSampler
    >>> list(sampler(range(5), num_replicas=2, rank=1, shuffle=False))
    [1, 3, 0]
    """

    def __init__(
        self,
        dataset: Any,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        if num_replicas is None:
            num_replicas = _process_group_value("get_world_size")
        if rank is None:
            rank = _process_group_value("get_rank")
        if rank >= num_replicas or rank < 0:
            raise ValueError(
                f"Invalid rank {rank}, rank should be in the interval [0, {num_replicas - 1}]"
            )
        self.dataset = dataset
        self.num_replicas = num_replicas
        self.rank = rank
        self.epoch = 0
        self.drop_last = drop_last
        self.shuffle = shuffle
        self.seed = seed
        size = len(dataset)
        if drop_last and size % num_replicas != 0:
            self.num_samples = math.ceil((size - num_replicas) / num_replicas)
        else:
            self.num_samples = math.ceil(size / num_replicas)
        self.total_size = self.num_samples * num_replicas

    def __iter__(self) -> Iterator[int]:
        size = len(self.dataset)
        if self.shuffle:
            generator = flambeau.Generator()
            generator.manual_seed(self.seed + self.epoch)
            order = flambeau.randperm(size, generator=generator).tolist()
        else:
            order = list(range(size))
        if not self.drop_last and size:
            order *= math.ceil(self.total_size / size)
        order = order[: self.total_size]
        if len(order) != self.total_size:
            raise AssertionError(
                f"Number of indices ({len(order)}) does not match total_size "
                f"({self.total_size}): did the data set change its length?"
            )
        return iter(order[self.rank :: self.num_replicas])

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next pass, which all ranks must do alike."""
        self.epoch = epoch
