"""The embedded subset of Fashion-MNIST with the interface of `FashionMNIST`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import flambeau
from flambeau.vision.datasets._embedded import load_embedded_fashion_mnist
from flambeau.vision.datasets.mnist import FashionMNIST
from flambeau.vision.datasets.vision import VisionDataset

__all__ = ["EmbeddedFashionMNIST"]


class EmbeddedFashionMNIST(FashionMNIST):
    """10,000 training or 2,000 test images of Fashion-MNIST, from inside the package.

    Args:
        train: the training or the test images.
        transform, target_transform: functions of the image and of the label.
    """

    def __init__(
        self,
        train: bool = True,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
    ) -> None:
        VisionDataset.__init__(self, transform=transform, target_transform=target_transform)
        self.train = train
        arrays = load_embedded_fashion_mnist()
        images, labels = arrays[:2] if train else arrays[2:]
        self.data = flambeau.from_numpy(images)
        self.targets = flambeau.from_numpy(labels.astype(np.int64))
