"""Crossing between tensors and NumPy arrays, for transforms of single images.

An image transform works on NumPy memory: recording a dozen operations for one image, with
offsets that differ every time, would make a new program for every sample.
"""

from __future__ import annotations

import functools

import numpy as np

import flambeau
from flambeau.tensor import from_array

MAX_VALUES = {
    "uint8": 255,
    "int8": 127,
    "int16": 32767,
    "uint16": 65535,
    "int32": 2147483647,
    "int64": 9223372036854775807,
}


@functools.cache
def numpy_dtype(dtype) -> np.dtype:
    """The NumPy dtype of a tensor dtype, by its name."""
    name = str(dtype).rpartition(".")[2]
    try:
        return np.dtype(name)
    except TypeError:
        raise TypeError(f"images of dtype {dtype} are not supported here: use float32") from None


def max_value(dtype: np.dtype) -> int:
    """The value of full brightness: the largest integer, or 1 for floating-point images."""
    return MAX_VALUES.get(dtype.name, 1)


def as_array(image: flambeau.Tensor) -> np.ndarray:
    """The tensor's memory as an array."""
    if image.requires_grad:
        raise NotImplementedError(
            "This transform has no gradient here, and its input requires one. "
            "Apply it to image.detach(), or before requires_grad_()."
        )
    return image.numpy()


def as_tensor(array: np.ndarray) -> flambeau.Tensor:
    """A tensor of its own for a result; never an unrecorded view of another tensor's memory."""
    return from_array(array)
