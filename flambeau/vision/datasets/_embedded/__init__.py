"""A balanced tenth of Fashion-MNIST inside the package, so that the demo needs no network.

10,000 training and 2,000 test images: of each class, the first 1,000 and the first 200 in the
published order. `tools/make_embedded_fashion_mnist.py` wrote the file; LICENSE beside it is
the data's own (MIT). Compressed with xz it takes 4.5 MB (deflate would take 5.2).
"""

from __future__ import annotations

import io
import lzma
from importlib import resources

import numpy as np

__all__ = ["EmbeddedFashionMNIST", "load_embedded_fashion_mnist"]

_FILE = "fashion_mnist_subset.npy.xz"


def load_embedded_fashion_mnist() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training images (10000, 28, 28) and labels, test images (2000, 28, 28) and labels; uint8.

    >>> images, labels, test_images, test_labels = load_embedded_fashion_mnist()
    >>> images.shape, test_images.shape, images.dtype
    ((10000, 28, 28), (2000, 28, 28), dtype('uint8'))
    """
    compressed = resources.files(__package__).joinpath(_FILE).read_bytes()
    stream = io.BytesIO(lzma.decompress(compressed))
    train, train_labels, test, test_labels = (np.load(stream) for _ in range(4))
    return train, train_labels, test, test_labels


def __getattr__(name: str):
    # The class needs the data set base and thereby tensors; the arrays above do not.
    if name == "EmbeddedFashionMNIST":
        from flambeau.vision.datasets._embedded._dataset import EmbeddedFashionMNIST

        return EmbeddedFashionMNIST
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
