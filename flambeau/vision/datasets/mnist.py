"""MNIST and the data sets in its format: IDX files of small grey images and labels."""

from __future__ import annotations

import gzip
import os
import shutil
import string
import warnings
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

import flambeau
from flambeau._download import DownloadError
from flambeau.vision.datasets._array_images import ArrayImages
from flambeau.vision.datasets._idx import (  # noqa: F401 - people import these from here
    checked,
    read_idx,
    read_image_file,
    read_label_file,
    read_sn3_pascalvincent_tensor,
)
from flambeau.vision.datasets.utils import (
    _decompress,
    calculate_md5,
    check_integrity,
    download_and_extract_archive,
    extract_archive,
    verify_str_arg,
)
from flambeau.vision.datasets.vision import VisionDataset

__all__ = ["EMNIST", "FashionMNIST", "KMNIST", "MNIST", "QMNIST"]

_DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
_IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def _gz_resources(*md5s: str) -> list[tuple[str, str]]:
    return [(f"{name}.gz", md5) for name, md5 in zip(_IDX_FILES, md5s)]


class MNIST(ArrayImages, VisionDataset):
    """The 70,000 handwritten digits, 28 x 28: samples are (PIL image of mode L, int).

    Args:
        root: folder; the files lie in `root/MNIST/raw`.
        train: the 60,000 training images, or the 10,000 test images.
        transform: function of the image.
        target_transform: function of the label.
        download: fetch what is missing.

    Attributes: `data` (uint8 tensor, N x 28 x 28), `targets` (int64 tensor, N), `classes`.

    Reference: LeCun et al., Gradient-based learning applied to document recognition, 1998.
    """

    mirrors = [
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "http://yann.lecun.com/exdb/mnist/",
    ]
    resources = _gz_resources(
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "d53e105ee54ea40749a09fcbcd1e9432",
        "9fb629c4189551a2d022fa330f9573f3",
        "ec29112dd5afa0611ce80d1b7f02629c",
    )
    training_file = "training.pt"
    test_file = "test.pt"
    classes = [f"{i} - {word}" for i, word in enumerate(_DIGITS)]

    # Folders where an installed package may hold the compressed files, and the MD5 digests of
    # their content (a packager compresses anew, so that those of `resources` do not apply).
    installed_folders: tuple[str, ...] = ()
    raw_md5s: dict[str, str] = {}

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
        if self._check_legacy_exist():
            self.data, self.targets = self._load_legacy_data()
            return
        if download:
            self.download()
        if not self._check_exists():
            raise RuntimeError(
                "Dataset not found. You can use download=True to download it"
                f" (looked in {os.path.abspath(self.raw_folder)})"
            )
        self.data, self.targets = self._load_data()

    def _check_legacy_exist(self) -> bool:
        return all(
            check_integrity(os.path.join(self.processed_folder, file))
            for file in (self.training_file, self.test_file)
        )

    def _load_legacy_data(self):
        file = self.training_file if self.train else self.test_file
        return flambeau.load(os.path.join(self.processed_folder, file), weights_only=True)

    def _load_data(self):
        split = "train" if self.train else "t10k"
        return (
            read_image_file(os.path.join(self.raw_folder, f"{split}-images-idx3-ubyte")),
            read_label_file(os.path.join(self.raw_folder, f"{split}-labels-idx1-ubyte")),
        )

    def _array(self, name: str) -> np.ndarray:
        """`data` or `targets` as a NumPy view, made anew only when the tensor was changed.

        Indexing a tensor records an operation and reads its result; a sample needs neither.
        """
        value = getattr(self, name)
        version = getattr(value, "_version", None)
        cached = self.__dict__.get("_views", {}).get(name)
        if cached is not None and cached[0] is value and cached[1] == version:
            return cached[2]
        array = value.numpy() if isinstance(value, flambeau.Tensor) else np.asarray(value)
        self.__dict__.setdefault("_views", {})[name] = (value, version, array)
        return array

    def __getstate__(self) -> dict:
        return {name: value for name, value in self.__dict__.items() if name != "_views"}

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        from PIL import Image

        image = Image.fromarray(self._array("data")[index])
        return self._transformed(image, int(self._array("targets")[index]))

    def _pictures_and_labels(self, indices: list[int]):
        if type(self).__getitem__ is not MNIST.__getitem__:
            return None
        images = self._array("data")
        if images.ndim != 3:
            return None
        rows = np.asarray(indices)
        return images[rows], self._array("targets")[rows].astype(np.int64)

    def __len__(self) -> int:
        return len(self.data)

    @property
    def raw_folder(self) -> str:
        return os.path.join(self.root, type(self).__name__, "raw")

    @property
    def processed_folder(self) -> str:
        return os.path.join(self.root, type(self).__name__, "processed")

    @property
    def class_to_idx(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.classes)}

    def _check_exists(self) -> bool:
        return all(
            check_integrity(os.path.join(self.raw_folder, name.removesuffix(".gz")))
            for name, _ in self.resources
        )

    def download(self) -> None:
        """Put the files into `raw_folder`: from an installed package, else from a mirror."""
        if self._check_exists():
            return
        os.makedirs(self.raw_folder, exist_ok=True)
        for filename, md5 in self.resources:
            if check_integrity(os.path.join(self.raw_folder, filename.removesuffix(".gz"))):
                continue
            if self._unpack_installed(filename):
                continue
            urls = [f"{mirror}{filename}" for mirror in self.mirrors]
            try:
                download_and_extract_archive(
                    urls, download_root=self.raw_folder, filename=filename, md5=md5
                )
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise DownloadError(f"Error downloading {filename}:\n{error}") from error

    def _unpack_installed(self, filename: str) -> bool:
        """Take a file from a folder of an installed package; False if none has it right."""
        name = filename.removesuffix(".gz")
        target = os.path.join(self.raw_folder, name)
        for folder in self.installed_folders:
            source = os.path.join(folder, filename)
            if os.path.isfile(source):
                try:
                    _decompress(source, target)
                except (EOFError, gzip.BadGzipFile, zlib.error):     # a broken file: download it
                    continue
                if calculate_md5(target) == self.raw_md5s[name]:
                    return True
                os.remove(target)
        return False

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train is True else 'Test'}"


def _renamed(old: str, new: str) -> property:
    def read(self):
        warnings.warn(f"{old} has been renamed {new}", stacklevel=2)
        return getattr(self, new)

    return property(read)


for _split in ("train", "test"):
    setattr(MNIST, f"{_split}_labels", _renamed(f"{_split}_labels", "targets"))
    setattr(MNIST, f"{_split}_data", _renamed(f"{_split}_data", "data"))


class FashionMNIST(MNIST):
    """70,000 photographs of clothing in MNIST's format; arguments as for `MNIST`.

    `download=True` first takes the files of Debian's package dataset-fashion-mnist, if it is
    installed, and then needs no network.

    Reference: Xiao, Rasul and Vollgraf, arXiv:1708.07747, 2017.
    """

    mirrors = ["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"]
    resources = _gz_resources(
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79",
        "bb300cfdad3c16e7a12a480ee83cd310",
    )
    classes = [
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ]
    installed_folders = ("/usr/share/datasets/fashion-mnist",)
    raw_md5s = dict(
        zip(
            _IDX_FILES,
            (
                "f4a8712d7a061bf5bd6d2ca38dc4d50a",
                "9018921c3c673c538a1fc5bad174d6f9",
                "8181f5470baa50b63fa0f6fddb340f0a",
                "15d484375f8d13e6eb1aabb0c3f46965",
            ),
        )
    )


class KMNIST(MNIST):
    """70,000 handwritten cursive hiragana in MNIST's format; arguments as for `MNIST`.

    Reference: Clanuwat et al., Deep learning for classical Japanese literature, 2018.
    """

    mirrors = ["http://codh.rois.ac.jp/kmnist/dataset/kmnist/"]
    resources = _gz_resources(
        "bdb82020997e1d708af4cf47b453dcf7",
        "e144d726b3acfaa3e44228e80efcd344",
        "5c965bf0a639b31b8f53240b1b52f4d7",
        "7320c461ea6c1c855c0b718fb2a4b134",
    )
    classes = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]


class EMNIST(MNIST):
    """Handwritten letters and digits of NIST's special database 19, in six splits.

    Args:
        root: folder; the files lie in `root/EMNIST/raw`.
        split: byclass, bymerge, balanced, letters, digits or mnist.
        kwargs: as for `MNIST`. The images are stored transposed, as published.

    Reference: Cohen et al., EMNIST: an extension of MNIST to handwritten letters, 2017.
    """

    url = "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip"
    md5 = "58c8d27c78d21e728a6bc7b3cc06412e"
    splits = ("byclass", "bymerge", "balanced", "letters", "digits", "mnist")
    _merged_classes = set("cijklmopsuvwxyz")  # capital and small letter look alike
    _all_classes = set(string.digits + string.ascii_letters)
    classes_split_dict = {
        "byclass": sorted(_all_classes),
        "bymerge": sorted(_all_classes - _merged_classes),
        "balanced": sorted(_all_classes - _merged_classes),
        "letters": ["N/A", *string.ascii_lowercase],
        "digits": list(string.digits),
        "mnist": list(string.digits),
    }

    def __init__(self, root: str | os.PathLike, split: str, **kwargs: Any) -> None:
        self.split = verify_str_arg(split, "split", self.splits)
        self.training_file = f"training_{split}.pt"
        self.test_file = f"test_{split}.pt"
        super().__init__(root, **kwargs)
        self.classes = self.classes_split_dict[self.split]

    def _raw_file(self, content: str) -> str:
        part = "train" if self.train else "test"
        return os.path.join(self.raw_folder, f"emnist-{self.split}-{part}-{content}-ubyte")

    @property
    def images_file(self) -> str:
        return self._raw_file("images-idx3")

    @property
    def labels_file(self) -> str:
        return self._raw_file("labels-idx1")

    def _load_data(self):
        return read_image_file(self.images_file), read_label_file(self.labels_file)

    def _check_exists(self) -> bool:
        return check_integrity(self.images_file) and check_integrity(self.labels_file)

    def download(self) -> None:
        if self._check_exists():
            return
        os.makedirs(self.raw_folder, exist_ok=True)
        download_and_extract_archive(self.url, download_root=self.raw_folder, md5=self.md5)
        unpacked = os.path.join(self.raw_folder, "gzip")
        for name in os.listdir(unpacked):
            if name.endswith(".gz"):
                extract_archive(os.path.join(unpacked, name), self.raw_folder)
        shutil.rmtree(unpacked)


class QMNIST(MNIST):
    """MNIST reconstructed with 60,000 test digits and who wrote each.

    Args:
        root: folder; the files lie in `root/QMNIST/raw`.
        what: train, test, test10k, test50k or nist; by default from `train`.
        compat: labels as int (True), or as the tensor of all eight fields.
        train: chooses `what` where that is None.
        kwargs: as for `MNIST`.

    Reference: Yadav and Bottou, Cold case: the lost MNIST digits, 2019.
    """

    subsets = {
        "train": "train",
        "test": "test",
        "test10k": "test",
        "test50k": "test",
        "nist": "nist",
    }
    _url = "https://raw.githubusercontent.com/facebookresearch/qmnist/master/"
    resources: dict[str, list[tuple[str, str]]] = {  # type: ignore[assignment]
        "train": [
            (_url + "qmnist-train-images-idx3-ubyte.gz", "ed72d4157d28c017586c42bc6afe6370"),
            (_url + "qmnist-train-labels-idx2-int.gz", "0058f8dd561b90ffdd0f734c6a30e5e4"),
        ],
        "test": [
            (_url + "qmnist-test-images-idx3-ubyte.gz", "1394631089c404de565df7b7aeaf9412"),
            (_url + "qmnist-test-labels-idx2-int.gz", "5b5b05890a5e13444e108efe57b788aa"),
        ],
        "nist": [
            (_url + "xnist-images-idx3-ubyte.xz", "7f124b3b8ab81486c9d8c2749c17f834"),
            (_url + "xnist-labels-idx2-int.xz", "5ed0e788978e45d4a8bd4b7caec3d79d"),
        ],
    }

    def __init__(
        self,
        root: str | os.PathLike,
        what: str | None = None,
        compat: bool = True,
        train: bool = True,
        **kwargs: Any,
    ) -> None:
        if what is None:
            what = "train" if train else "test"
        self.what = verify_str_arg(what, "what", tuple(self.subsets))
        self.compat = compat
        self.data_file = self.training_file = self.test_file = f"{what}.pt"
        super().__init__(root, train, **kwargs)

    def _raw_file(self, which: int) -> str:
        url, _ = self.resources[self.subsets[self.what]][which]
        return os.path.join(self.raw_folder, os.path.splitext(os.path.basename(url))[0])

    @property
    def images_file(self) -> str:
        return self._raw_file(0)

    @property
    def labels_file(self) -> str:
        return self._raw_file(1)

    def _check_exists(self) -> bool:
        return check_integrity(self.images_file) and check_integrity(self.labels_file)

    def _load_data(self):
        part = {"test10k": slice(0, 10000), "test50k": slice(10000, None)}.get(
            self.what, slice(None)
        )
        images = checked(read_idx(self.images_file), "data", 3)[part]
        targets = read_idx(self.labels_file)[part].astype(np.int64)
        if targets.ndim != 2:
            raise ValueError(f"targets should have 2 dimensions instead of {targets.ndim}")
        return flambeau.from_numpy(images.copy()), flambeau.from_numpy(targets)

    def download(self) -> None:
        if self._check_exists():
            return
        for url, md5 in self.resources[self.subsets[self.what]]:
            download_and_extract_archive(url, self.raw_folder, md5=md5)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        from PIL import Image

        image = Image.fromarray(self._array("data")[index])
        target = int(self._array("targets")[index][0]) if self.compat else self.targets[index]
        return self._transformed(image, target)

    def extra_repr(self) -> str:
        return f"Split: {self.what}"
