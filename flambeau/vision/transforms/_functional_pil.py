"""What `functional` does with a PIL image: Pillow's own operations, imported when first used."""

from __future__ import annotations

import numbers
import sys
from typing import Any

import numpy as np


def is_pil_image(image) -> bool:
    module = sys.modules.get("PIL.Image")  # without that module no object can be an image
    return module is not None and isinstance(image, module.Image)


def _check(image) -> None:
    if not is_pil_image(image):
        raise TypeError(f"img should be PIL Image. Got {type(image)}")


def _sized(image):
    if not is_pil_image(image):
        raise TypeError(f"Unexpected type {type(image)}")
    return image


def get_dimensions(image) -> list[int]:
    width, height = _sized(image).size
    return [len(image.getbands()), height, width]


def hflip(image):
    _check(image)
    return image.transpose(0)  # FLIP_LEFT_RIGHT


def vflip(image):
    _check(image)
    return image.transpose(1)  # FLIP_TOP_BOTTOM


def _enhanced(kind: str, image, factor: float):
    from PIL import ImageEnhance

    _check(image)
    return getattr(ImageEnhance, kind)(image).enhance(factor)


def adjust_brightness(image, factor: float):
    return _enhanced("Brightness", image, factor)


def adjust_contrast(image, factor: float):
    return _enhanced("Contrast", image, factor)


def adjust_saturation(image, factor: float):
    return _enhanced("Color", image, factor)


def adjust_sharpness(image, factor: float):
    return _enhanced("Sharpness", image, factor)


def adjust_hue(image, factor: float):
    from PIL import Image

    if not -0.5 <= factor <= 0.5:
        raise ValueError(f"hue_factor ({factor}) is not in [-0.5, 0.5].")
    _check(image)
    if image.mode in ("L", "1", "I", "F"):
        return image
    hue, saturation, value = image.convert("HSV").split()
    turned = np.asarray(hue) + np.uint8(int(factor * 255) & 255)  # wraps around the circle
    return Image.merge("HSV", (Image.fromarray(turned), saturation, value)).convert(image.mode)


def adjust_gamma(image, gamma: float, gain: float = 1.0):
    _check(image)
    if gamma < 0:
        raise ValueError("Gamma should be a non-negative real number")
    table = [int((255 + 1 - 1e-3) * gain * pow(level / 255.0, gamma)) for level in range(256)]
    return image.convert("RGB").point(table * 3).convert(image.mode)


def pad(image, padding, fill=0, padding_mode: Any = "constant"):
    from PIL import Image, ImageOps

    _check(image)
    if not isinstance(padding, (numbers.Number, tuple, list)):
        raise TypeError("Got inappropriate padding arg")
    if fill is not None and not isinstance(fill, (numbers.Number, tuple, list)):
        raise TypeError("Got inappropriate fill arg")
    if not isinstance(padding_mode, str):
        raise TypeError("Got inappropriate padding_mode arg")
    if not isinstance(padding, numbers.Number):
        padding = tuple(padding)
        if len(padding) not in (1, 2, 4):
            raise ValueError(
                "Padding must be an int or a 1, 2, or 4 element tuple, not a "
                f"{len(padding)} element tuple"
            )
        if len(padding) == 1:
            padding = padding[0]
    if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
        raise ValueError("Padding mode should be either constant, edge, reflect or symmetric")
    palette = image.getpalette() if image.mode == "P" else None
    if padding_mode == "constant":
        padded = ImageOps.expand(image, border=padding, **_fill_option(fill, image, "fill"))
    else:
        if isinstance(padding, numbers.Number):
            padding = (padding,) * 4
        elif len(padding) == 2:
            padding = padding * 2
        left, top, right, bottom = padding
        if min(padding) < 0:  # a negative padding crops
            box = (max(-left, 0), max(-top, 0))
            box += (image.width - max(-right, 0), image.height - max(-bottom, 0))
            image = image.crop(box)
        array = np.asarray(image)
        widths: Any = [(max(top, 0), max(bottom, 0)), (max(left, 0), max(right, 0))]
        widths += [(0, 0)] * (array.ndim - 2)
        mode: Any = padding_mode
        padded = Image.fromarray(np.pad(array, widths, mode))
    if palette is not None:
        padded.putpalette(palette)
    return padded


def crop(image, top: int, left: int, height: int, width: int):
    _check(image)
    return image.crop((left, top, left + width, top + height))


def resize(image, size: list[int], interpolation: int = 2):
    _check(image)
    if not (isinstance(size, list) and len(size) == 2):
        raise TypeError(f"Got inappropriate size arg: {size}")
    return image.resize((size[1], size[0]), interpolation)


def _fill_option(fill, image, name: str = "fillcolor") -> dict:
    """The keyword argument for Pillow that paints with `fill` in this image's mode."""
    channels = get_dimensions(image)[0]
    fill = 0 if fill is None else fill
    if isinstance(fill, (int, float)) and channels > 1:
        fill = (fill,) * channels
    if isinstance(fill, (list, tuple)):
        if len(fill) == 1:
            fill = tuple(fill) * channels
        elif len(fill) != channels:
            raise ValueError(
                "The number of elements in 'fill' does not match the number of channels of "
                f"the image ({len(fill)} != {channels})"
            )
        fill = tuple(fill)
    if image.mode != "F":
        fill = tuple(int(v) for v in fill) if isinstance(fill, tuple) else int(fill)
    return {name: fill}


def _transformed(image, method: str, coefficients: list[float], interpolation: int, fill):
    from PIL import Image

    _check(image)
    return image.transform(
        image.size,
        getattr(Image.Transform, method),
        coefficients,
        interpolation,
        **_fill_option(fill, image),
    )


def affine(image, matrix: list[float], interpolation: int = 0, fill=None):
    return _transformed(image, "AFFINE", matrix, interpolation, fill)


def perspective(image, coefficients: list[float], interpolation: int = 3, fill=None):
    return _transformed(image, "PERSPECTIVE", coefficients, interpolation, fill)


def rotate(image, angle: float, interpolation: int = 0, expand=False, center=None, fill=None):
    _check(image)
    return image.rotate(angle, interpolation, expand, center, **_fill_option(fill, image))


def rgb_to_grayscale(image, num_output_channels: int = 1):
    from PIL import Image

    _check(image)
    if num_output_channels not in (1, 3):
        raise ValueError("num_output_channels should be either 1 or 3")
    grey = image.convert("L")
    return grey if num_output_channels == 1 else Image.merge("RGB", (grey, grey, grey))


def _operated(name: str, image, *arguments):
    from PIL import ImageOps

    _check(image)
    return getattr(ImageOps, name)(image, *arguments)


def invert(image):
    return _operated("invert", image)


def posterize(image, bits: int):
    return _operated("posterize", image, bits)


def solarize(image, threshold: float):
    return _operated("solarize", image, threshold)


def autocontrast(image):
    return _operated("autocontrast", image)


def equalize(image):
    return _operated("equalize", image)
