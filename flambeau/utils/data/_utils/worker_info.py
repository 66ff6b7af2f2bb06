"""What code that runs in a worker can learn about it; kept apart from the worker's machinery."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class WorkerInfo:
    """What :func:`get_worker_info` tells about the current worker.

    Attributes:
        id: this worker, in [0, num_workers).
        num_workers: how many workers the DataLoader has.
        seed: base seed + id; what ``random`` and the default generator were seeded with.
        dataset: this process's copy of the data set.
        rng: always None (random states of worker threads in PyTorch).
        worker_method: always ``"multiprocessing"``.
    """

    id: int
    num_workers: int
    seed: int
    dataset: Any
    rng: Any = None
    worker_method: str | None = "multiprocessing"


#: Set once in a worker process.
current: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """Return the :class:`WorkerInfo` of the current worker process, None in the main process.

    >>> import flambeau as torch
    >>> torch.utils.data.get_worker_info() is None
    True
    """
    return current
