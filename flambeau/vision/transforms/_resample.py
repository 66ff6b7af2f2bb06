"""Resampling arrays: resizing by separable filters, and sampling at arbitrary points.

Resizing multiplies by one small matrix per axis, whose rows hold the weights of each output
pixel. With antialiasing the filter is widened by the reduction, so that every input pixel
counts (as Pillow does); without, it looks at the 2 or 4 nearest pixels only.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np


def _triangle(x: np.ndarray) -> np.ndarray:
    return np.clip(1.0 - np.abs(x), 0.0, None)


def _cubic(x: np.ndarray, a: float) -> np.ndarray:
    """Keys' cubic convolution kernel."""
    x = np.abs(x)
    near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    far = ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))


# mode -> (half width, kernel when antialiased, kernel when not). PyTorch uses a = -0.5 in the
# antialiased case, as Pillow does, and -0.75 otherwise, as OpenCV does.
_FILTERS: dict[str, tuple[float, Callable, Callable]] = {
    "bilinear": (1.0, _triangle, _triangle),
    "bicubic": (2.0, functools.partial(_cubic, a=-0.5), functools.partial(_cubic, a=-0.75)),
}


@functools.lru_cache(maxsize=64)
def resize_matrix(size: int, new_size: int, mode: str, antialias: bool) -> np.ndarray:
    """The (new_size, size) weights of resizing one axis; rows sum to 1."""
    half, wide_kernel, kernel = _FILTERS[mode]
    scale = size / new_size
    center = (np.arange(new_size)[:, None] + 0.5) * scale
    if antialias:
        stretch = max(scale, 1.0)
        first = np.maximum((center - half * stretch + 0.5).astype(int), 0)
        last = np.minimum((center + half * stretch + 0.5).astype(int), size)
        pixel = np.arange(size)[None, :]
        weights = wide_kernel((pixel - center + 0.5) / stretch)
        weights = np.where((pixel >= first) & (pixel < last), weights, 0.0)
        weights /= weights.sum(axis=1, keepdims=True)
    else:
        position = center - 0.5
        if mode == "bilinear":
            position = np.maximum(position, 0.0)
        base = np.floor(position).astype(int)
        weights = np.zeros((new_size, size))
        rows = np.arange(new_size)[:, None]
        for tap in range(1 - int(half), int(half) + 1):
            # beyond the border the edge pixel counts again
            column = np.clip(base + tap, 0, size - 1)
            np.add.at(weights, (rows, column), kernel(position - base - tap))
    weights.flags.writeable = False
    return weights


def resize_array(
    image: np.ndarray, size: tuple[int, int], mode: str, antialias: bool
) -> np.ndarray:
    """Resize (..., H, W) float images."""
    height, width = image.shape[-2:]
    if mode in ("nearest", "nearest-exact"):
        offset = np.float32(0.5 if mode == "nearest-exact" else 0.0)
        rows, columns = (
            _nearest(old, new, offset) for old, new in ((height, size[0]), (width, size[1]))
        )
        return image[..., rows[:, None], columns]
    across = resize_matrix(width, size[1], mode, antialias).astype(image.dtype)
    down = resize_matrix(height, size[0], mode, antialias).astype(image.dtype)
    return down @ (image @ across.T)


def _nearest(size: int, new_size: int, offset: np.float32) -> np.ndarray:
    position = (np.arange(new_size, dtype=np.float32) + offset) * np.float32(size / new_size)
    return np.minimum(position.astype(int), size - 1)


def affine_grid(matrix: list[float], size: tuple[int, int], new_size: tuple[int, int], dtype):
    """Where each output pixel lies in the input, in units of half the input's size from its
    middle: two arrays (new height, new width), x and y. `matrix` is the inverse 2 x 3 map."""
    (height, width), (new_height, new_width) = size, new_size
    x = np.arange(new_width, dtype=dtype) + dtype.type(0.5 - 0.5 * new_width)
    y = (np.arange(new_height, dtype=dtype) + dtype.type(0.5 - 0.5 * new_height))[:, None]
    half = np.array([[0.5 * width], [0.5 * height]], dtype)
    (a, b, c), (d, e, f) = np.array(matrix, dtype).reshape(2, 3) / half
    return x * a + y * b + c, x * d + y * e + f


def perspective_grid(coefficients: list[float], size: tuple[int, int], dtype):
    """As `affine_grid`, for x' = (ax + by + c) / (gx + hy + 1), y' = (dx + ey + f) / (...)."""
    height, width = size
    x = np.arange(width, dtype=dtype) + dtype.type(0.5)
    y = (np.arange(height, dtype=dtype) + dtype.type(0.5))[:, None]
    a, b, c, d, e, f, g, h = np.array(coefficients, dtype)
    half_width, half_height = dtype.type(0.5 * width), dtype.type(0.5 * height)
    below = x * g + y * h + dtype.type(1)
    return (
        (x * (a / half_width) + y * (b / half_width) + c / half_width) / below - 1,
        (x * (d / half_height) + y * (e / half_height) + f / half_height) / below - 1,
    )


def sample_array(image: np.ndarray, grid, mode: str, fill) -> np.ndarray:
    """The values of (..., C, H, W) float images at the grid's points; `fill` outside them.

    `fill` is None for 0, a number, or one number a channel.
    """
    height, width = image.shape[-2:]
    dtype = image.dtype.type
    x = ((grid[0] + dtype(1)) * dtype(width) - dtype(1)) / dtype(2)
    y = ((grid[1] + dtype(1)) * dtype(height) - dtype(1)) / dtype(2)
    # A border of zeros stands for everything outside; coordinates are clipped into it.
    edges = [(0, 0)] * (image.ndim - 2) + [(1, 1), (1, 1)]
    framed = np.pad(image, edges).reshape(*image.shape[:-2], -1)
    inside = np.pad(np.ones((height, width), image.dtype), 1).ravel()

    def corner(column, row):
        column = np.clip(column, -1, width).astype(np.intp) + 1
        row = np.clip(row, -1, height).astype(np.intp) + 1
        place = row * (width + 2) + column
        return framed[..., place], inside[place]

    if mode == "nearest":
        values, covered = corner(np.rint(x), np.rint(y))
    else:
        left, top = np.floor(x), np.floor(y)
        right_part, lower_part = x - left, y - top
        values, covered = dtype(0), dtype(0)
        for column, weight_x in ((left, dtype(1) - right_part), (left + 1, right_part)):
            for row, weight_y in ((top, dtype(1) - lower_part), (top + 1, lower_part)):
                value, is_inside = corner(column, row)
                weight = weight_x * weight_y
                values = values + value * weight
                covered = covered + is_inside * weight
    if fill is None:
        return values
    fill = np.array(fill, image.dtype).reshape(-1, 1, 1)
    if mode == "nearest":
        return np.where(covered < 0.5, fill, values)
    return values * covered + (dtype(1) - covered) * fill


def convolve_depthwise(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Correlate every channel of (..., H, W) with one small kernel, at the places it fits."""
    height = image.shape[-2] - kernel.shape[0] + 1
    width = image.shape[-1] - kernel.shape[1] + 1
    result = np.zeros((*image.shape[:-2], height, width), image.dtype)
    for i, j in np.ndindex(*kernel.shape):
        result += kernel[i, j] * image[..., i : i + height, j : j + width]
    return result
