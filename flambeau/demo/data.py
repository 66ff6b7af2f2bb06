"""The demo's data: all of Fashion-MNIST where it can be had, else the embedded subset."""

from __future__ import annotations

import errno
import os

import flambeau as torch
from flambeau.utils.data import Subset, TensorDataset, random_split
from flambeau.vision.datasets import EmbeddedFashionMNIST, FashionMNIST

__all__ = ["CLASSES", "MEAN", "STD", "load_data"]

CLASSES = FashionMNIST.classes
MEAN, STD = 0.2860, 0.3530         # of the training images' grey values


def load_data(folder: str, seed: int) -> tuple[Subset, Subset, TensorDataset, str]:
    """Training, validation and test images with labels, and where they come from.

    Images are normalised once, here, as float32 (N, 1, 28, 28). A tenth of the training images
    becomes the validation set.
    """
    train, test, source = _data_sets(folder)
    generator = torch.Generator().manual_seed(seed)
    everything = _prepared(train)
    held_out = len(everything) // 10
    training, validation = random_split(everything, [len(everything) - held_out, held_out],
                                        generator=generator)
    return training, validation, _prepared(test), source


def _data_sets(folder):
    # the files may also lie in --data itself, packed, as Debian's package has them
    places = (folder, *FashionMNIST.installed_folders)
    kind = type("FashionMNIST", (FashionMNIST,), {"installed_folders": places})
    here = os.path.join(folder, "FashionMNIST", "raw")
    known = "already in" if os.path.isdir(here) and os.listdir(here) else "now in"
    levels = 2 if os.path.isdir(folder) else 3
    try:
        train, test = kind(folder, train=True, download=True), kind(folder, train=False)
        count = len(train) + len(test)
        return train, test, f"{count:,} images of Fashion-MNIST, {known} {here}"
    except (OSError, RuntimeError) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        _remove_empty(here, levels)
        reason = " ".join(str(error).split()) or repr(error)
    return (EmbeddedFashionMNIST(train=True), EmbeddedFashionMNIST(train=False),
            "the embedded subset of 12,000 images (the full set is neither in --data nor "
            f"installed, and cannot be downloaded: {reason})")


def _remove_empty(folder: str, levels: int) -> None:
    """Leave no empty folders behind where nothing could be downloaded."""
    for _ in range(levels):
        try:
            os.rmdir(folder)
        except OSError:
            return
        folder = os.path.dirname(folder)


def _prepared(data) -> TensorDataset:
    images = (data.data.float() / 255 - MEAN) / STD
    return TensorDataset(images.unsqueeze(1), data.targets.long())
