"""The demo's data: all of Fashion-MNIST where it can be had, else the embedded subset."""

from __future__ import annotations

import errno
import os
import zlib

import flambeau as torch
from flambeau.utils.data import Subset, TensorDataset, random_split
from flambeau.vision.datasets import EmbeddedFashionMNIST, FashionMNIST
from flambeau.vision.datasets.mnist import read_image_file, read_label_file

from .endings import UnusableData

__all__ = ["CLASSES", "MEAN", "STD", "load_data"]

CLASSES = FashionMNIST.classes
MEAN, STD = 0.2860, 0.3530         # of the training images' grey values
_BROKEN = (OSError, EOFError, ValueError, TypeError, zlib.error)   # what reading files raises


def load_data(folder: str, seed: int) -> tuple[Subset, Subset, TensorDataset, str]:
    """Training, validation and test images with labels, and where they come from.

    Images are normalised once, here, as float32 (N, 1, 28, 28). A tenth of the training images
    becomes the validation set.
    """
    training_files, test_files, source = _data_sets(folder)
    generator = torch.Generator().manual_seed(seed)
    everything = _prepared(*training_files)
    held_out = len(everything) // 10
    training, validation = random_split(everything, [len(everything) - held_out, held_out],
                                        generator=generator)
    return training, validation, _prepared(*test_files), source


def _data_sets(folder):
    """Images and labels for training and for the test, and where they come from."""
    here = os.path.join(folder, "FashionMNIST", "raw")
    # the files may also lie in --data itself, packed, as Debian's package has them
    for place in (here, folder):
        found = _files(place)
        if found:
            try:
                return _read(found, f"already in {place}")
            except _BROKEN as error:
                raise UnusableData(f"{place}: {error}") from error
    missing = "neither in --data nor installed"
    for place in FashionMNIST.installed_folders:
        found = _files(place)
        if found:
            try:
                return _read(found, f"installed in {place}")
            except _BROKEN as error:
                missing = f"not in --data, broken in {place} ({error})"
    levels = 2 if os.path.isdir(folder) else 3
    # where the package's files are sound, they were read already
    kind = type("FashionMNIST", (FashionMNIST,), {"installed_folders": ()})
    try:
        train, test = kind(folder, train=True, download=True), kind(folder, train=False)
        return _named(train.data, train.targets, test.data, test.targets, f"now in {here}")
    except ValueError as error:          # some of the files were there, and are broken
        raise UnusableData(str(error)) from error
    except (OSError, RuntimeError) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            error.filename = error.filename or here
            raise
        _remove_empty(here, levels)
        reason = " ".join(str(error).split()) or repr(error)
    train, test = EmbeddedFashionMNIST(train=True), EmbeddedFashionMNIST(train=False)
    return ((train.data, train.targets), (test.data, test.targets),
            f"the embedded subset of 12,000 images (the full set is {missing}, and cannot be "
            f"downloaded: {reason})")


def _files(folder: str) -> list[str]:
    """The four files of the data set in a folder, as they are or packed; none unless all are."""
    found = []
    for packed, _ in FashionMNIST.resources:
        names = (packed.removesuffix(".gz"), packed)
        paths = [os.path.join(folder, name) for name in names]
        found += [path for path in paths if os.path.isfile(path)][:1]
    return found if len(found) == len(FashionMNIST.resources) else []


def _read(files: list[str], place: str):
    images, labels, test_images, test_labels = files
    return _named(read_image_file(images), read_label_file(labels), read_image_file(test_images),
                  read_label_file(test_labels), place)


def _named(images, labels, test_images, test_labels, place: str):
    for pictures, classes in ((images, labels), (test_images, test_labels)):
        if len(pictures) != len(classes):
            raise ValueError(f"{len(pictures)} images have {len(classes)} labels")
        if tuple(pictures.shape[1:]) != (28, 28):
            raise ValueError(f"images are of {tuple(pictures.shape[1:])} pixels, not of (28, 28)")
        if len(pictures) < 10:
            raise ValueError(f"{len(pictures)} images are too few")
        if int(classes.max()) >= len(CLASSES):
            raise ValueError(f"a label is {int(classes.max())}: there are {len(CLASSES)} classes")
    count = len(images) + len(test_images)
    return ((images, labels), (test_images, test_labels),
            f"{count:,} images of Fashion-MNIST, {place}")


def _remove_empty(folder: str, levels: int) -> None:
    """Leave no empty folders behind where nothing could be downloaded."""
    for _ in range(levels):
        try:
            os.rmdir(folder)
        except OSError:
            return
        folder = os.path.dirname(folder)


def _prepared(images, labels) -> TensorDataset:
    images = (images.float() / 255 - MEAN) / STD
    return TensorDataset(images.unsqueeze(1), labels.long())
