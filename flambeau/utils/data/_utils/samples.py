"""Samples that a data set read as a whole batch, for a `collate_fn` of one's own."""

from __future__ import annotations

from typing import Any

from ....tensor import from_array

__all__ = ["Samples"]


class Samples(list):
    """A list of (tensor, ...) samples that remembers the arrays which collating them gives.

    A `collate_fn` of one's own often only calls `default_collate` and goes on from there: then
    the batch need not be put together again.
    """

    def __init__(self, samples: list, arrays: tuple) -> None:
        super().__init__(samples)
        self._unchanged = tuple(samples)
        self._arrays: tuple | None = arrays

    def collated(self) -> list | None:
        """The batch; None if it was taken, or samples were exchanged or perhaps written to."""
        arrays = self._arrays
        if arrays is None or len(self) != len(self._unchanged) or any(
            a is not b or _may_be_written(a[0]) for a, b in zip(self, self._unchanged)
        ):
            return None
        self._arrays = None
        return [from_array(array) for array in arrays]


def _may_be_written(tensor: Any) -> bool:
    return bool(tensor._version or tensor._storage is not None or tensor._requires_grad)
