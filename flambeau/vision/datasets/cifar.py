"""CIFAR-10 and CIFAR-100: 60,000 colour photographs of 32 x 32 pixels."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np

from flambeau.vision.datasets._array_images import ArrayImages
from flambeau.vision.datasets.utils import check_integrity, download_and_extract_archive
from flambeau.vision.datasets.vision import VisionDataset

__all__ = ["CIFAR10", "CIFAR100"]


class _ArrayUnpickler(pickle.Unpickler):
    """Reads dicts, lists and NumPy arrays; any other class in a file is refused."""

    _allowed = {"_reconstruct", "ndarray", "dtype", "scalar", "encode", "_frombuffer"}

    def find_class(self, module: str, name: str):
        if module.split(".")[0] in ("numpy", "_codecs") and name in self._allowed:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"a CIFAR file must not hold {module}.{name}")


def _unpickled(path: str) -> dict:
    with open(path, "rb") as file:
        return _ArrayUnpickler(file, encoding="latin1").load()


class CIFAR10(ArrayImages, VisionDataset):
    """50,000 training and 10,000 test images of 10 classes: (PIL image of mode RGB, int).

    Args:
        root: folder; the files lie in `root/cifar-10-batches-py`.
        train: the training or the test images.
        transform, target_transform: functions of the image and of the label.
        download: fetch and unpack the archive if the files are missing.

    Attributes: `data` (uint8 array, N x 32 x 32 x 3), `targets` (list of int), `classes`,
    `class_to_idx`.

    Reference: Krizhevsky, Learning multiple layers of features from tiny images, 2009.
    """

    base_folder = "cifar-10-batches-py"
    url = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
    filename = "cifar-10-python.tar.gz"
    tgz_md5 = "c58f30108f718f92721af3b95e74349a"
    train_list = [
        ["data_batch_1", "c99cafc152244af753f735de768cd75f"],
        ["data_batch_2", "d4bba439e000b95fd0a9bffe97cbabec"],
        ["data_batch_3", "54ebc095f3ab1f0389bbae665268c751"],
        ["data_batch_4", "634d18415352ddfa80567beed471001a"],
        ["data_batch_5", "482c414d41f54cd18b22e5b47cb7c3cb"],
    ]
    test_list = [["test_batch", "40351d587109b95175f43aff81a1287e"]]
    meta = {
        "filename": "batches.meta",
        "key": "label_names",
        "md5": "5ff9c542aee3614f3951f8cda6e48888",
    }

    def __init__(
        self,
        root: str | os.PathLike,
        train: bool = True,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        if download:
            self.download()
        if not self._check_integrity():
            raise RuntimeError(
                "Dataset not found or corrupted. You can use download=True to download it"
                f" (looked in {os.path.abspath(os.path.join(self.root, self.base_folder))})"
            )
        self.targets: list[int] = []
        batches = []
        for name, _ in self.train_list if train else self.test_list:
            batch = _unpickled(os.path.join(self.root, self.base_folder, name))
            batches.append(batch["data"])
            self.targets += batch["labels"] if "labels" in batch else batch["fine_labels"]
        self.data = np.vstack(batches).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        self._load_meta()

    def _load_meta(self) -> None:
        path = os.path.join(self.root, self.base_folder, self.meta["filename"])
        if not check_integrity(path, self.meta["md5"]):
            raise RuntimeError(
                "Dataset metadata file not found or corrupted. You can use download=True to "
                "download it"
            )
        self.classes = _unpickled(path)[self.meta["key"]]
        self.class_to_idx = {name: i for i, name in enumerate(self.classes)}

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        from PIL import Image

        return self._transformed(Image.fromarray(self.data[index]), self.targets[index])

    def _pictures_and_labels(self, indices: list[int]):
        if type(self).__getitem__ is not CIFAR10.__getitem__:
            return None
        if type(self.data) is not np.ndarray or self.data.ndim != 4:
            return None
        labels = [self.targets[i] for i in indices]
        if any(type(label) is not int for label in labels):
            return None
        return self.data[np.asarray(indices)], np.array(labels, np.int64)

    def __len__(self) -> int:
        return len(self.data)

    def _check_integrity(self) -> bool:
        return all(
            check_integrity(os.path.join(self.root, self.base_folder, name), md5)
            for name, md5 in self.train_list + self.test_list
        )

    def download(self) -> None:
        if not self._check_integrity():
            download_and_extract_archive(
                self.url, self.root, filename=self.filename, md5=self.tgz_md5
            )

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train is True else 'Test'}"


class CIFAR100(CIFAR10):
    """50,000 training and 10,000 test images of 100 classes; arguments as for `CIFAR10`."""

    base_folder = "cifar-100-python"
    url = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
    filename = "cifar-100-python.tar.gz"
    tgz_md5 = "eb9058c3a382ffc7106e4002c42a8d85"
    train_list = [["train", "16019d7e3df5f24257cddd939b257f8d"]]
    test_list = [["test", "f0ef6b0ae62326f3e7ffdfab6717acfc"]]
    meta = {
        "filename": "meta",
        "key": "fine_label_names",
        "md5": "7973b15100ade9c7d40fb424638fde48",
    }
