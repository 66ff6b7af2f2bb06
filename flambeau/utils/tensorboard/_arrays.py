"""What users log, as NumPy arrays: tensors, numbers, images in any layout, figures.

Pipeline: SummaryWriter's arguments -> **arrays** -> summary protobufs -> event file.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import flambeau

#: Images side by side in a grid.
GRID_COLUMNS = 8


def make_np(value: Any) -> np.ndarray:
    """Return a tensor, array or number as an array (a number as one of shape (1,)).

    Raises:
        NotImplementedError: for anything else.
    """
    if isinstance(value, np.ndarray):
        return value
    if np.isscalar(value):
        return np.array([value])
    if isinstance(value, flambeau.Tensor):
        if value.dtype is flambeau.bfloat16:
            value = value.detach().to(flambeau.float32)
        return value._array()
    raise NotImplementedError(
        f"Got {type(value)}, but numpy array or torch tensor are expected."
    )


def make_grid(images: np.ndarray, columns: int = GRID_COLUMNS) -> np.ndarray:
    """Return images (N, 1 or 3, H, W) as one image (3, rows * H, columns * W)."""
    if images.ndim == 4 and images.shape[1] == 1:
        images = np.repeat(images, 3, axis=1)
    if images.ndim != 4 or images.shape[1] != 3:
        raise AssertionError(
            "Input should be a 4D numpy array with 3 channels (or 1); received shape "
            f"{images.shape}"
        )
    count, channels, height, width = images.shape
    columns = min(count, columns)
    rows = math.ceil(count / columns)
    cells = np.zeros((rows * columns, channels, height, width), images.dtype)
    cells[:count] = images
    cells = cells.reshape(rows, columns, channels, height, width)
    return cells.transpose(2, 0, 3, 1, 4).reshape(channels, rows * height, columns * width)


def to_hwc(image: np.ndarray, layout: str) -> np.ndarray:
    """Return an image as (H, W, 3 or 4), from a layout such as CHW, HW or NCHW.

    Raises:
        AssertionError: if the layout does not describe the array.
    """
    layout = layout.upper()
    if len(set(layout)) != len(layout):
        raise AssertionError(
            f"You can not use the same dimension shorthand twice. input_format: {layout}"
        )
    if image.ndim != len(layout):
        raise AssertionError(
            "size of input tensor and input format are different. "
            f"tensor shape: {image.shape}, input_format: {layout}"
        )
    wanted = {4: "NCHW", 3: "HWC", 2: "HW"}.get(len(layout), "")
    if set(wanted) != set(layout):
        raise AssertionError(f"dataformats should be of the letters NCHW, but is {layout!r}")
    image = image.transpose([layout.find(letter) for letter in wanted])
    if wanted == "NCHW":
        return make_grid(image).transpose(1, 2, 0)
    if wanted == "HW":
        image = image[:, :, None]
    return np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image


def to_bytes(image: np.ndarray) -> np.ndarray:
    """Return pixel values as uint8: those from 0 to 1 are scaled, uint8 is taken as it is."""
    scale = 1 if image.dtype == np.uint8 else 255
    return (image.astype(np.float32) * scale).clip(0, 255).astype(np.uint8)


def video_frames(video: np.ndarray) -> np.ndarray:
    """Return videos (N, T, C, H, W) as frames (T, rows * H, columns * W, C), videos tiled."""
    if video.ndim != 5:
        raise AssertionError(f"a video should have shape (N, T, C, H, W), not {video.shape}")
    video = to_bytes(video)
    count, time, channels, height, width = video.shape
    padded = 1 << (count - 1).bit_length()  # a power of two fills the grid
    rows = 1 << ((count.bit_length() - 1) // 2)
    cells = np.zeros((padded, time, channels, height, width), np.uint8)
    cells[:count] = video
    columns = padded // rows
    cells = cells.reshape(rows, columns, time, channels, height, width)
    return cells.transpose(2, 0, 4, 1, 5, 3).reshape(
        time, rows * height, columns * width, channels
    )


def figure_to_image(figures: Any, close: bool = True) -> np.ndarray:
    """Render a Matplotlib figure as (3, H, W), or a list of them as (N, 3, H, W)."""
    import matplotlib.backends.backend_agg as agg
    import matplotlib.pyplot as plt

    def render(figure: Any) -> np.ndarray:
        canvas = agg.FigureCanvasAgg(figure)
        canvas.draw()
        pixels = np.asarray(canvas.buffer_rgba())[:, :, :3]
        if close:
            plt.close(figure)
        return np.moveaxis(pixels, 2, 0)

    if isinstance(figures, list):
        return np.stack([render(figure) for figure in figures])
    return render(figures)
