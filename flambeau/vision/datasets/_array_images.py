"""Data sets whose images lie in one array: a DataLoader reads a batch of them at once.

Pipeline: data set -> **the batch's rows and the transforms on all of them** -> collate. Where the
transforms are not known to treat a batch as they treat its images (see
``transforms/_whole_batches``), samples are read one by one, as for any data set.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flambeau.tensor import from_array
from flambeau.utils.data._utils.fetch import one_sample
from flambeau.utils.data._utils.samples import Samples
from flambeau.vision.transforms._whole_batches import apply_transform

__all__ = ["ArrayImages"]


class ArrayImages:
    """Mixin: `_pictures_and_labels` of a subclass makes whole batches possible."""

    transform: Any
    target_transform: Any

    def _pictures_and_labels(self, indices: list[int]) -> tuple[np.ndarray, np.ndarray] | None:
        """Fresh bytes (B, H, W[, C]) and int64 labels; None if `__getitem__` gives others."""
        raise NotImplementedError

    def _arrays(self, indices: list[int]) -> tuple[np.ndarray, np.ndarray] | None:
        if self.target_transform is not None or self.transform is None:
            return None
        found = self._pictures_and_labels(indices)
        if found is None:
            return None
        images = apply_transform(self.transform, found[0])
        return None if images is None else (images, found[1])

    def _collated_batch(self, indices: list[int]) -> list | None:
        """What collating the samples gives, or None; the DataLoader asks for it."""
        found = self._arrays(indices)
        return None if found is None else [from_array(a) for a in found]

    def __getitems__(self, indices: list[int]) -> list:
        """The samples at `indices`, for a DataLoader with a `collate_fn` of its own."""
        try:
            found = self._arrays(indices)
        except (IndexError, TypeError, ValueError):      # one by one, the error names the sample
            found = None
        if found is None:
            return [one_sample(self, index) for index in indices]
        images, labels = found
        # each with memory of its own: a sample that is kept must not keep its batch
        samples = [(from_array(image.copy()), label) for image, label in
                   zip(images, labels.tolist())]
        return Samples(samples, found)
