"""Transforms that change colours or sharpness at random."""

from __future__ import annotations

import numbers
from collections.abc import Sequence

import flambeau
from flambeau import nn
from flambeau.vision.transforms import _draw
from flambeau.vision.transforms import functional as F
from flambeau.vision.transforms._deterministic import setup_size

__all__ = [
    "ColorJitter",
    "GaussianBlur",
    "RandomAdjustSharpness",
    "RandomAutocontrast",
    "RandomEqualize",
    "RandomGrayscale",
    "RandomInvert",
    "RandomPosterize",
    "RandomSolarize",
]


class ColorJitter(nn.Module):
    """Change brightness, contrast, saturation and hue at random, in a random order.

    Args:
        brightness, contrast, saturation: bounds of the factor, or d for [max(0, 1 - d), 1 + d].
        hue: bounds of the turn, or d for [-d, d], within [-0.5, 0.5].
    """

    def __init__(self, brightness=0, contrast=0, saturation=0, hue=0) -> None:
        super().__init__()
        self.brightness = self._check_input(brightness, "brightness")
        self.contrast = self._check_input(contrast, "contrast")
        self.saturation = self._check_input(saturation, "saturation")
        self.hue = self._check_input(hue, "hue", 0, (-0.5, 0.5), clip_first_on_zero=False)

    def _check_input(
        self, value, name, center=1, bound=(0, float("inf")), clip_first_on_zero=True
    ):
        """The bounds as a pair; None if nothing would change."""
        if isinstance(value, numbers.Number):
            if value < 0:
                raise ValueError(f"If {name} is a single number, it must be non negative.")
            low, high = center - float(value), center + float(value)
            low = max(low, 0.0) if clip_first_on_zero else low
        elif isinstance(value, (tuple, list)) and len(value) == 2:
            low, high = float(value[0]), float(value[1])
        else:
            raise TypeError(f"{name} should be a single number or a list/tuple with length 2.")
        if not bound[0] <= low <= high <= bound[1]:
            raise ValueError(f"{name} values should be between {bound}, but got {[low, high]}.")
        return None if low == high == center else (low, high)

    @staticmethod
    def get_params(brightness, contrast, saturation, hue):
        """The order (a tensor), then a factor, or None, of each."""
        order = flambeau.randperm(4)
        bounds = (brightness, contrast, saturation, hue)
        return (order, *(None if b is None else _draw.uniform(b[0], b[1]) for b in bounds))

    def forward(self, img):
        order, *factors = self.get_params(
            self.brightness, self.contrast, self.saturation, self.hue
        )
        adjust = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)
        for i in order.tolist():
            if factors[i] is not None:
                img = adjust[i](img, factors[i])
        return img

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(brightness={self.brightness}, contrast={self.contrast}, "
            f"saturation={self.saturation}, hue={self.hue})"
        )


class GaussianBlur(nn.Module):
    """Blur with a Gaussian of odd width and a random sigma.

    Args:
        kernel_size: width and height, or one number for both.
        sigma: bounds, or a fixed number.
    """

    def __init__(self, kernel_size, sigma=(0.1, 2.0)):
        super().__init__()
        self.kernel_size = setup_size(
            kernel_size, "Kernel size should be a tuple/list of two integers"
        )
        if any(size <= 0 or size % 2 == 0 for size in self.kernel_size):
            raise ValueError("Kernel size value should be an odd and positive number.")
        if isinstance(sigma, numbers.Number):
            if sigma <= 0:
                raise ValueError("If sigma is a single number, it must be positive.")
            sigma = (sigma, sigma)
        elif isinstance(sigma, Sequence) and len(sigma) == 2:
            if not 0.0 < sigma[0] <= sigma[1]:
                raise ValueError("sigma values should be positive and of the form (min, max).")
        else:
            raise ValueError("sigma should be a single number or a list/tuple with length 2.")
        self.sigma = sigma

    @staticmethod
    def get_params(sigma_min: float, sigma_max: float) -> float:
        """The sigma."""
        return _draw.uniform(sigma_min, sigma_max)

    def forward(self, img):
        sigma = self.get_params(self.sigma[0], self.sigma[1])
        return F.gaussian_blur(img, self.kernel_size, [sigma, sigma])

    def __repr__(self) -> str:
        return f"{type(self).__name__}(kernel_size={self.kernel_size}, sigma={self.sigma})"


class RandomGrayscale(nn.Module):
    """Shades of grey, in as many channels as before, with the probability `p`."""

    def __init__(self, p: float = 0.1):
        super().__init__()
        self.p = p

    def forward(self, img):
        channels = F.get_image_num_channels(img)
        return F.rgb_to_grayscale(img, channels) if _draw.rand() < self.p else img

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"


class _RandomlyApplied(nn.Module):
    """A colour function with at most one argument, applied with the probability `p`."""

    _function = None
    _argument: str | None = None

    def __init__(self, p: float = 0.5):
        super().__init__()
        self.p = p

    def forward(self, img):
        if _draw.rand() >= self.p:
            return img
        arguments = [] if self._argument is None else [getattr(self, self._argument)]
        return type(self)._function(img, *arguments)

    def __repr__(self) -> str:
        argument = "" if self._argument is None else f"{self._argument}=" \
            f"{getattr(self, self._argument)},"
        return f"{type(self).__name__}({argument}p={self.p})"


class RandomInvert(_RandomlyApplied):
    """Invert the colours with the probability `p`."""

    _function = F.invert


class RandomAutocontrast(_RandomlyApplied):
    """Stretch each channel to the full range with the probability `p`."""

    _function = F.autocontrast


class RandomEqualize(_RandomlyApplied):
    """Flatten each channel's histogram with the probability `p`."""

    _function = F.equalize


class RandomPosterize(_RandomlyApplied):
    """Keep the highest `bits` of each byte with the probability `p`."""

    _function = F.posterize
    _argument = "bits"

    def __init__(self, bits: int, p: float = 0.5):
        super().__init__(p)
        self.bits = bits


class RandomSolarize(_RandomlyApplied):
    """Invert the values from `threshold` on with the probability `p`."""

    _function = F.solarize
    _argument = "threshold"

    def __init__(self, threshold: float, p: float = 0.5):
        super().__init__(p)
        self.threshold = threshold


class RandomAdjustSharpness(_RandomlyApplied):
    """Blur (factor below 1) or sharpen (above 1) with the probability `p`."""

    _function = F.adjust_sharpness
    _argument = "sharpness_factor"

    def __init__(self, sharpness_factor: float, p: float = 0.5):
        super().__init__(p)
        self.sharpness_factor = sharpness_factor
