"""Random images with random labels, for trying a pipeline without a data set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flambeau
from flambeau.vision.datasets.vision import VisionDataset
from flambeau.vision.transforms.functional import to_pil_image

__all__ = ["FakeData"]


class FakeData(VisionDataset):
    """Random images, the same for the same index: samples are (PIL image, int).

    Args:
        size: number of samples.
        image_size: channels, height, width.
        num_classes: labels are 0 to num_classes - 1.
        transform, target_transform: functions of the image and of the label (a 0-d tensor).
        random_offset: sample i is drawn with the seed i + random_offset.
    """

    def __init__(
        self,
        size: int = 1000,
        image_size: tuple[int, int, int] = (3, 224, 224),
        num_classes: int = 10,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        random_offset: int = 0,
    ) -> None:
        super().__init__(transform=transform, target_transform=target_transform)
        self.size = size
        self.num_classes = num_classes
        self.image_size = image_size
        self.random_offset = random_offset

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        if index >= len(self):
            raise IndexError(f"{type(self).__name__} index out of range")
        state = flambeau.get_rng_state()
        flambeau.manual_seed(index + self.random_offset)
        image = flambeau.randn(*self.image_size)
        target = flambeau.randint(0, self.num_classes, size=(1,), dtype=flambeau.long)[0]
        flambeau.set_rng_state(state)
        image, target = self._transformed(to_pil_image(image), target)
        return image, target.item()

    def __len__(self) -> int:
        return self.size
