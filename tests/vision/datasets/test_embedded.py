"""The subset of Fashion-MNIST inside the package."""

import hashlib
import os

import numpy as np

import flambeau.vision.datasets._embedded as embedded
from flambeau.vision.datasets import EmbeddedFashionMNIST, FashionMNIST
from flambeau.vision.datasets import load_embedded_fashion_mnist as load


def test_content():
    images, labels, test_images, test_labels = load()
    assert images.shape == (10000, 28, 28) and test_images.shape == (2000, 28, 28)
    assert np.bincount(labels).tolist() == [1000] * 10
    assert np.bincount(test_labels).tolist() == [200] * 10
    digest = hashlib.sha256(images.tobytes() + test_images.tobytes()).hexdigest()
    assert digest.startswith(DIGEST)


DIGEST = "67ac0de77cb2a9b5"


def test_size_and_licence():
    folder = os.path.dirname(embedded.__file__)
    assert os.path.getsize(os.path.join(folder, "fashion_mnist_subset.npy.xz")) < 6e6
    with open(os.path.join(folder, "LICENSE"), encoding="utf-8") as file:
        assert "Copyright (c) 2017 Zalando SE" in file.read()


def test_is_a_fashion_mnist():
    data = EmbeddedFashionMNIST(train=False)
    assert isinstance(data, FashionMNIST) and len(data) == 2000
    image, label = data[0]
    assert image.size == (28, 28) and data.classes[label] == "Ankle boot"
    assert repr(data).splitlines()[-1] == "    Split: Test"


