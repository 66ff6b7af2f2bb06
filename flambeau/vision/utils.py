"""Showing images: grids, files, and boxes and masks drawn over them."""

from __future__ import annotations

import math
import os
import pathlib
import warnings
from typing import BinaryIO

import numpy as np

import flambeau
from flambeau import Tensor
from flambeau._atomic_file import atomic_path
from flambeau.vision.transforms._arrays import as_tensor, max_value
from flambeau.vision.transforms._conversion import pil_to_tensor, to_pil_image
from flambeau.vision.transforms._functional_tensor import convert_array_dtype

__all__ = ["draw_bounding_boxes", "draw_segmentation_masks", "make_grid", "save_image"]


def make_grid(
    tensor: Tensor | list[Tensor],
    nrow: int = 8,
    padding: int = 2,
    normalize: bool = False,
    value_range: tuple[int, int] | None = None,
    scale_each: bool = False,
    pad_value: float = 0.0,
) -> Tensor:
    """Arrange images (B, C, H, W) in rows; one channel becomes three.

    Args:
        tensor: a batch, one image (C, H, W) or (H, W), or a list of images of one shape.
        nrow: images in a row.
        padding: pixels between images.
        normalize: map `value_range`, by default the smallest and largest value, to [0, 1].
        value_range: (smallest, largest).
        scale_each: take the smallest and largest value of each image, not of the batch.
        pad_value: value of the padding.

    Returns (3, height, width); a single image comes back without padding.

    >>> import flambeau as torch
    >>> make_grid(torch.zeros(5, 1, 4, 4), nrow=3).shape
    torch.Size([3, 14, 20])
    """
    return as_tensor(
        _grid(tensor, nrow, padding, normalize, value_range, scale_each, pad_value)
    )


def _grid(
    tensor, nrow=8, padding=2, normalize=False, value_range=None, scale_each=False, pad_value=0.0
) -> np.ndarray:
    images = _batch_array(tensor)
    if normalize:
        if value_range is not None and not isinstance(value_range, tuple):
            raise TypeError(
                "value_range has to be a tuple (min, max) if specified. min and max are numbers"
            )
        parts = images if scale_each else [images]
        images = np.stack([_unit_range(part, value_range) for part in parts])
        images = images if scale_each else images[0]
    count, channels, height, width = images.shape
    if count == 1:
        return images[0]
    columns = min(nrow, count)
    rows = math.ceil(count / columns)
    step_y, step_x = height + padding, width + padding
    size = (channels, step_y * rows + padding, step_x * columns + padding)
    grid = np.full(size, pad_value, images.dtype)
    for i, image in enumerate(images):
        top = i // columns * step_y + padding
        left = i % columns * step_x + padding
        grid[:, top : top + height, left : left + width] = image
    return grid


def _batch_array(tensor: Tensor | list[Tensor]) -> np.ndarray:
    if isinstance(tensor, list):
        for item in tensor:
            if not isinstance(item, Tensor):
                raise TypeError(
                    f"tensor or list of tensors expected, got a list containing {type(item)}"
                )
        array = np.stack([item.detach().numpy() for item in tensor])
    elif isinstance(tensor, Tensor):
        array = tensor.detach().numpy()
    else:
        raise TypeError(f"tensor or list of tensors expected, got {type(tensor)}")
    if array.ndim == 2:
        array = array[None]
    if array.ndim == 3:
        array = array[None]
    if array.ndim != 4:
        raise ValueError(f"expected images of (B, C, H, W), got {array.shape}")
    return np.repeat(array, 3, axis=1) if array.shape[1] == 1 else array


def _unit_range(image: np.ndarray, value_range: tuple[float, float] | None) -> np.ndarray:
    low, high = value_range or (float(image.min()), float(image.max()))
    return (image.clip(low, high) - low) / max(high - low, 1e-5)


def save_image(
    tensor: Tensor | list[Tensor],
    fp: str | pathlib.Path | BinaryIO,
    format: str | None = None,
    **kwargs,
) -> None:
    """Write images with values in [0, 1] to a file, several of them as a grid.

    Args:
        tensor: as for `make_grid`.
        fp: a path or a file.
        format: Pillow's name of the format; by default from the path's ending.
        kwargs: for `make_grid`.
    """
    from PIL import Image

    grid = _grid(tensor, **kwargs)
    if grid.dtype.kind != "f":
        raise RuntimeError(
            "result type Float can't be cast to the desired output type: save_image expects "
            f"floating-point values in [0, 1], received {grid.dtype}; divide by 255 first"
        )
    pixels = (grid * 255 + 0.5).clip(0, 255).astype(np.uint8)
    image = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    if hasattr(fp, "write"):
        image.save(fp, format=format)
        return
    if format is None:
        ending = os.path.splitext(fp)[1].lower()
        format = Image.registered_extensions().get(ending)
        if format is None:
            raise ValueError(f"unknown file extension: {ending}")
    with atomic_path(fp) as temporary:
        image.save(temporary, format=format)


Color = str | tuple[int, int, int]


def _parse_colors(colors: list[Color] | Color | None, count: int) -> list[tuple[int, ...]]:
    """One RGB triple an object; without colours, distinct ones."""
    from PIL import ImageColor

    if colors is None:
        palette = (2**25 - 1, 2**15 - 1, 2**21 - 1)
        return [tuple(i * v % 255 for v in palette) for i in range(count)]
    if isinstance(colors, list):
        if len(colors) < count:
            raise ValueError(
                "Number of colors must be equal or larger than the number of objects, but got "
                f"{len(colors)} < {count}."
            )
    elif not isinstance(colors, (tuple, str)):
        raise ValueError(
            f"colors must be a tuple or a string, or a list thereof, but got {colors}."
        )
    elif isinstance(colors, tuple) and len(colors) != 3:
        raise ValueError(f"If passed as tuple, colors should be an RGB triplet, but got {colors}.")
    else:
        colors = [colors] * count
    return [ImageColor.getrgb(c) if isinstance(c, str) else tuple(c) for c in colors]


def _check_canvas(image, channels: tuple[int, ...]) -> None:
    if not isinstance(image, Tensor):
        raise TypeError(f"Tensor expected, got {type(image)}")
    if not (image.dtype == flambeau.uint8 or image.is_floating_point()):
        raise ValueError(f"The image dtype must be uint8 or float, got {image.dtype}")
    if image.dim() != 3:
        raise ValueError("Pass individual images, not batches")
    if image.size(0) not in channels:
        wanted = "grayscale and RGB" if 1 in channels else "RGB"
        raise ValueError(f"Only {wanted} images are supported")


def draw_bounding_boxes(
    image: Tensor,
    boxes: Tensor,
    labels: list[str] | None = None,
    colors: list[Color] | Color | None = None,
    fill: bool | None = False,
    width: int = 1,
    font: str | None = None,
    font_size: int | None = None,
    label_colors: list[Color] | Color | None = None,
    label_background_colors: list[Color] | Color | None = None,
    fill_labels: bool = False,
) -> Tensor:
    """A copy of an image with boxes drawn on it.

    Args:
        image: (1 or 3, H, W), uint8 or float in [0, 1].
        boxes: (N, 4), each (xmin, ymin, xmax, ymax).
        labels: one text a box, or None.
        colors: one for all, or one a box; names or RGB triples.
        fill: paint the inside, half transparent.
        width: of the lines.
        font, font_size: a TrueType file and its size.
        label_colors, label_background_colors, fill_labels: of the texts.
    """
    from PIL import ImageDraw, ImageFont

    _check_canvas(image, (1, 3))
    corners = boxes.detach().numpy()
    count = len(corners)
    if count == 0:
        warnings.warn("boxes doesn't contain any box. No box was drawn", stacklevel=2)
        return image
    if corners.shape[-1] != 4:
        raise NotImplementedError("Only boxes of (xmin, ymin, xmax, ymax) are drawn")
    if (corners[:, 0] > corners[:, 2]).any() or (corners[:, 1] > corners[:, 3]).any():
        raise ValueError(
            "Boxes need to be in (xmin, ymin, xmax, ymax) format. Use "
            "torchvision.ops.box_convert to convert them"
        )
    texts = [None] * count if labels is None else labels
    if len(texts) != count:
        raise ValueError(
            f"Number of boxes ({count}) and labels ({len(texts)}) mismatch. Please specify "
            "labels for each box."
        )
    lines = _parse_colors(colors, count)
    ink, paper = lines, lines
    if label_colors or fill_labels:
        ink = _parse_colors(label_colors or "black", count)
    if fill_labels and label_background_colors:
        paper = _parse_colors(label_background_colors, count)
    if font is not None:
        typeface = ImageFont.truetype(font=font, size=font_size or 10)
    else:
        if font_size is not None:
            warnings.warn(
                "Argument 'font_size' will be ignored since 'font' is not set.", stacklevel=2
            )
        typeface = ImageFont.load_default()
    canvas, dtype = _canvas(image)
    draw = ImageDraw.Draw(canvas, "RGBA" if fill else None)
    margin = width + 1
    for i, box in enumerate(corners.astype(np.int64).tolist()):
        inside = (*lines[i], 100) if fill else None
        draw.rectangle(box, width=width, outline=lines[i], fill=inside)
        if texts[i] is not None:
            place = (box[0] + margin, box[1] + margin)
            if fill_labels:
                left, top, right, bottom = draw.textbbox(place, str(texts[i]), font=typeface)
                draw.rectangle((left - 1, top - 1, right + 1, bottom + 1), fill=paper[i])
            draw.text(place, str(texts[i]), fill=ink[i], font=typeface)
    return as_tensor(convert_array_dtype(pil_to_tensor(canvas).numpy(), dtype))


def _canvas(image: Tensor):
    """An RGB image of Pillow to draw on, and the tensor's NumPy dtype."""
    array = image.detach().numpy()
    pixels = convert_array_dtype(array, np.dtype(np.uint8))
    pixels = np.repeat(pixels, 3, axis=0) if len(pixels) == 1 else pixels
    return to_pil_image(np.ascontiguousarray(pixels.transpose(1, 2, 0))), array.dtype


def draw_segmentation_masks(
    image: Tensor,
    masks: Tensor,
    alpha: float = 0.8,
    colors: list[Color] | Color | None = None,
) -> Tensor:
    """A copy of an image with masks painted over it; where masks overlap it is darkened.

    Args:
        image: (3, H, W), uint8 or float in [0, 1].
        masks: (N, H, W) or (H, W), bool.
        alpha: 0 leaves the image, 1 paints opaquely.
        colors: one for all, or one a mask; names or RGB triples.
    """
    _check_canvas(image, (3,))
    planes = masks.numpy()
    planes = planes[None] if planes.ndim == 2 else planes
    if planes.ndim != 3:
        raise ValueError("masks must be of shape (H, W) or (batch_size, H, W)")
    if planes.dtype != bool:
        raise ValueError(f"The masks must be of dtype bool. Got {masks.dtype}")
    array = image.detach().numpy()
    if planes.shape[-2:] != array.shape[-2:]:
        raise ValueError("The image and the masks must have the same height and width")
    if len(planes) == 0:
        warnings.warn("masks doesn't contain any mask. No mask was drawn", stacklevel=2)
        return image
    painted = array.copy()
    scale = max_value(array.dtype) / 255
    for mask, color in zip(planes, _parse_colors(colors, len(planes))):
        painted[:, mask] = (np.array(color) * scale).astype(array.dtype)[:, None]
    painted[:, planes.sum(axis=0) > 1] = 0
    mixed = array * np.float32(1 - alpha) + painted * np.float32(alpha)
    return as_tensor(mixed.astype(array.dtype))

from .._missing import raise_missing  # noqa: E402

__getattr__ = raise_missing(__name__)
