"""Brightness, hue and the like, of PIL images and tensors."""

from __future__ import annotations

from flambeau.vision.transforms import _functional_pil as F_pil
from flambeau.vision.transforms._dispatch import colors_of


def adjust_brightness(img, brightness_factor: float):
    """0 gives black, 1 the image, 2 twice its brightness."""
    return colors_of(img).adjust_brightness(img, brightness_factor)


def adjust_contrast(img, contrast_factor: float):
    """0 gives the mean grey, 1 the image."""
    return colors_of(img).adjust_contrast(img, contrast_factor)


def adjust_saturation(img, saturation_factor: float):
    """0 gives a grey image, 1 the image."""
    return colors_of(img).adjust_saturation(img, saturation_factor)


def adjust_hue(img, hue_factor: float):
    """Turn the hue by a part of the circle, in [-0.5, 0.5]."""
    return colors_of(img).adjust_hue(img, hue_factor)


def adjust_gamma(img, gamma: float, gain: float = 1):
    """gain * value ** gamma, for values in [0, 1]."""
    return colors_of(img).adjust_gamma(img, gamma, gain)


def adjust_sharpness(img, sharpness_factor: float):
    """0 gives a blurred image, 1 the image, 2 a sharpened one."""
    return colors_of(img).adjust_sharpness(img, sharpness_factor)


def rgb_to_grayscale(img, num_output_channels: int = 1):
    """0.299 R + 0.587 G + 0.114 B, as one channel or repeated in three."""
    return colors_of(img).rgb_to_grayscale(img, num_output_channels)


def to_grayscale(img, num_output_channels: int = 1):
    """`rgb_to_grayscale` of a PIL image."""
    if not F_pil.is_pil_image(img):
        raise TypeError("Input should be PIL Image")
    return F_pil.rgb_to_grayscale(img, num_output_channels)


def invert(img):
    """Full brightness minus the image."""
    return colors_of(img).invert(img)


def posterize(img, bits: int):
    """Keep the highest bits of each byte."""
    if not 0 <= bits <= 8:
        raise ValueError(f"The number if bits should be between 0 and 8. Got {bits}")
    return colors_of(img).posterize(img, bits)


def solarize(img, threshold: float):
    """Invert the values at or above the threshold."""
    return colors_of(img).solarize(img, threshold)


def autocontrast(img):
    """Stretch each channel to the full range."""
    return colors_of(img).autocontrast(img)


def equalize(img):
    """Give each channel a flat histogram."""
    return colors_of(img).equalize(img)
