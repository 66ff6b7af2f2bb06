"""Data sets of images."""

from flambeau.vision.datasets._embedded import load_embedded_fashion_mnist
from flambeau.vision.datasets._embedded._dataset import EmbeddedFashionMNIST
from flambeau.vision.datasets.cifar import CIFAR10, CIFAR100
from flambeau.vision.datasets.fakedata import FakeData
from flambeau.vision.datasets.folder import DatasetFolder, ImageFolder
from flambeau.vision.datasets.mnist import EMNIST, KMNIST, MNIST, QMNIST, FashionMNIST
from flambeau.vision.datasets.vision import VisionDataset

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "DatasetFolder",
    "EMNIST",
    "EmbeddedFashionMNIST",
    "FakeData",
    "FashionMNIST",
    "ImageFolder",
    "KMNIST",
    "MNIST",
    "QMNIST",
    "VisionDataset",
    "load_embedded_fashion_mnist",
]

from ..._missing import raise_missing

__getattr__ = raise_missing(__name__)
