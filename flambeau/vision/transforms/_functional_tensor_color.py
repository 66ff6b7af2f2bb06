"""Colours of tensor images: what `functional` does with a Tensor's values."""

from __future__ import annotations

import numpy as np

from flambeau import Tensor
from flambeau.vision.transforms import _resample
from flambeau.vision.transforms._arrays import as_array, as_tensor, max_value
from flambeau.vision.transforms._functional_tensor import (
    assert_channels,
    assert_image_tensor,
    convert_array_dtype,
)

_GREY = (0.2989, 0.587, 0.114)  # luma of ITU-R BT.601


def _checked_array(image: Tensor, need_channels: bool = False) -> np.ndarray:
    assert_image_tensor(image)
    if need_channels and image.ndim < 3:
        raise TypeError(
            f"Input image tensor should have at least 3 dimensions, but found {image.ndim}"
        )
    assert_channels(image, [1, 3])
    return as_array(image)


def _float_dtype(array: np.ndarray) -> np.dtype:
    return array.dtype if array.dtype.kind == "f" else np.dtype(np.float32)


def _grey(array: np.ndarray) -> np.ndarray:
    """(..., 3, H, W) -> (..., 1, H, W) of the same type; integers are truncated."""
    kind = _float_dtype(array).type
    red, green, blue = (array[..., c, :, :].astype(kind, copy=False) for c in range(3))
    grey = kind(_GREY[0]) * red + kind(_GREY[1]) * green + kind(_GREY[2]) * blue
    return grey.astype(array.dtype)[..., None, :, :]


def rgb_to_grayscale(image: Tensor, num_output_channels: int = 1) -> Tensor:
    if image.ndim < 3:
        raise TypeError(
            f"Input image tensor should have at least 3 dimensions, but found {image.ndim}"
        )
    assert_channels(image, [1, 3])
    if num_output_channels not in (1, 3):
        raise ValueError("num_output_channels should be either 1 or 3")
    array = as_array(image)
    grey = _grey(array) if array.shape[-3] == 3 else array.copy()
    if num_output_channels == 3:
        grey = np.broadcast_to(grey, array.shape)
    return as_tensor(grey)


def _blend(image: np.ndarray, other, ratio: float) -> np.ndarray:
    """ratio * image + (1 - ratio) * other, clipped, in the image's type."""
    kind = _float_dtype(image).type
    mixed = kind(ratio) * image.astype(kind, copy=False)
    if other is not None:
        mixed = mixed + kind(1.0 - ratio) * np.asarray(other, kind)
    return mixed.clip(0, max_value(image.dtype)).astype(image.dtype)


def _check_factor(name: str, factor: float) -> None:
    if factor < 0:
        raise ValueError(f"{name} ({factor}) is not non-negative.")


def adjust_brightness(image: Tensor, factor: float) -> Tensor:
    _check_factor("brightness_factor", factor)
    return as_tensor(_blend(_checked_array(image), None, float(factor)))


def adjust_contrast(image: Tensor, factor: float) -> Tensor:
    _check_factor("contrast_factor", factor)
    array = _checked_array(image)
    grey = _grey(array) if array.ndim > 2 and array.shape[-3] == 3 else array
    axes = tuple(range(max(grey.ndim - 3, 0), grey.ndim))
    mean = grey.mean(axis=axes, keepdims=True, dtype=_float_dtype(array))
    return as_tensor(_blend(array, mean, float(factor)))


def adjust_saturation(image: Tensor, factor: float) -> Tensor:
    _check_factor("saturation_factor", factor)
    array = _checked_array(image)
    if array.ndim == 2 or array.shape[-3] == 1:
        return image
    return as_tensor(_blend(array, _grey(array), float(factor)))


def adjust_hue(image: Tensor, factor: float) -> Tensor:
    if not -0.5 <= factor <= 0.5:
        raise ValueError(f"hue_factor ({factor}) is not in [-0.5, 0.5].")
    if not isinstance(image, Tensor):
        raise TypeError("Input img should be Tensor image")
    array = _checked_array(image)
    if array.ndim == 2 or array.shape[-3] == 1:
        return image
    hue, saturation, value = _rgb_to_hsv(convert_array_dtype(array, np.dtype(np.float32)))
    hue = np.mod(hue + np.float32(factor), np.float32(1.0))
    return as_tensor(convert_array_dtype(_hsv_to_rgb(hue, saturation, value), array.dtype))


def _rgb_to_hsv(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hue, saturation and value in [0, 1] of (..., 3, H, W); grey pixels get hue 0."""
    red, green, blue = (rgb[..., c, :, :] for c in range(3))
    highest, lowest = rgb.max(axis=-3), rgb.min(axis=-3)
    chroma = highest - lowest
    grey = chroma == 0
    saturation = chroma / np.where(grey, np.float32(1), highest)
    divisor = np.where(grey, np.float32(1), chroma)
    from_red, from_green, from_blue = ((highest - c) / divisor for c in (red, green, blue))
    sextants = np.where(
        highest == red,
        from_blue - from_green,
        np.where(highest == green, 2 + from_red - from_blue, 4 + from_green - from_red),
    )
    return np.fmod(sextants / np.float32(6) + 1, np.float32(1)), saturation, highest


def _hsv_to_rgb(hue: np.ndarray, saturation: np.ndarray, value: np.ndarray) -> np.ndarray:
    sextant = np.floor(hue * np.float32(6))
    part = hue * np.float32(6) - sextant
    low = (value * (1 - saturation)).clip(0, 1)
    falling = (value * (1 - saturation * part)).clip(0, 1)
    rising = (value * (1 - saturation * (1 - part))).clip(0, 1)
    which = sextant.astype(np.int64) % 6
    channels = (
        (value, falling, low, low, rising, value),
        (rising, value, value, falling, low, low),
        (low, low, rising, value, value, falling),
    )
    return np.stack([np.choose(which, c) for c in channels], axis=-3)


def adjust_gamma(image: Tensor, gamma: float, gain: float = 1) -> Tensor:
    if not isinstance(image, Tensor):
        raise TypeError("Input img should be a Tensor.")
    array = _checked_array(image)
    if gamma < 0:
        raise ValueError("Gamma should be a non-negative real number")
    floats = convert_array_dtype(array, _float_dtype(array))
    kind = floats.dtype.type
    return as_tensor(
        convert_array_dtype((kind(gain) * floats ** kind(gamma)).clip(0, 1), array.dtype)
    )


def invert(image: Tensor) -> Tensor:
    array = _checked_array(image, need_channels=True)
    return as_tensor(array.dtype.type(max_value(array.dtype)) - array)


def _check_uint8(array: np.ndarray) -> None:
    if array.dtype != np.uint8:
        raise TypeError(
            f"Only torch.uint8 image tensors are supported, but found torch.{array.dtype}"
        )


def posterize(image: Tensor, bits: int) -> Tensor:
    array = _checked_array(image, need_channels=True)
    _check_uint8(array)
    return as_tensor(array & np.uint8(256 - (1 << (8 - bits)) & 255))


def solarize(image: Tensor, threshold: float) -> Tensor:
    array = _checked_array(image, need_channels=True)
    full = max_value(array.dtype)
    if threshold > full:
        raise TypeError("Threshold should be less than bound of img.")
    return as_tensor(np.where(array >= threshold, array.dtype.type(full) - array, array))


def adjust_sharpness(image: Tensor, factor: float) -> Tensor:
    _check_factor("sharpness_factor", factor)
    array = _checked_array(image)
    if min(array.shape[-2:]) <= 2:
        return image
    kind = _float_dtype(array)
    kernel = np.ones((3, 3), kind)
    kernel[1, 1] = 5
    smooth = _resample.convolve_depthwise(array.astype(kind), kernel / kernel.sum())
    blurred = array.copy()
    blurred[..., 1:-1, 1:-1] = smooth if array.dtype.kind == "f" else np.rint(smooth)
    return as_tensor(_blend(array, blurred, float(factor)))


def autocontrast(image: Tensor) -> Tensor:
    array = _checked_array(image, need_channels=True)
    kind = _float_dtype(array)
    full = kind.type(max_value(array.dtype))
    lowest = array.min(axis=(-2, -1), keepdims=True).astype(kind)
    highest = array.max(axis=(-2, -1), keepdims=True).astype(kind)
    flat = highest == lowest
    scale = np.where(flat, kind.type(1), full / np.where(flat, kind.type(1), highest - lowest))
    stretched = (array - np.where(flat, kind.type(0), lowest)) * scale
    return as_tensor(stretched.clip(0, full).astype(array.dtype))


def equalize(image: Tensor) -> Tensor:
    assert_image_tensor(image)
    if not 3 <= image.ndim <= 4:
        raise TypeError(
            f"Input image tensor should have 3 or 4 dimensions, but found {image.ndim}"
        )
    array = _checked_array(image)
    _check_uint8(array)
    planes = array.reshape(-1, *array.shape[-2:])
    return as_tensor(np.stack([_equalized(plane) for plane in planes]).reshape(array.shape))


def _equalized(plane: np.ndarray) -> np.ndarray:
    """One channel with a flat histogram, by Pillow's integer rule."""
    histogram = np.bincount(plane.ravel(), minlength=256)
    occupied = histogram[histogram != 0]
    step = int(occupied[:-1].sum()) // 255
    if step == 0:
        return plane
    table = np.zeros(256, np.int64)
    table[1:] = (histogram.cumsum() + step // 2)[:-1] // step
    return table.clip(0, 255).astype(np.uint8)[plane]
