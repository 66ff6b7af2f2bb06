"""Transforms that move pixels at random. The order of the draws is part of their contract."""

from __future__ import annotations

import math
import numbers
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

import flambeau
from flambeau import Tensor, nn
from flambeau.vision.transforms import _draw
from flambeau.vision.transforms import functional as F
from flambeau.vision.transforms._deterministic import setup_interpolation, setup_size
from flambeau.vision.transforms.functional import InterpolationMode

__all__ = [
    "RandomAffine",
    "RandomCrop",
    "RandomErasing",
    "RandomHorizontalFlip",
    "RandomPerspective",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomVerticalFlip",
]


def _check_sequence(x, name: str, sizes: tuple[int, ...]) -> None:
    message = f"{name} should be a sequence of length {' or '.join(str(s) for s in sizes)}."
    if not isinstance(x, Sequence):
        raise TypeError(message)
    if len(x) not in sizes:
        raise ValueError(message)


def _setup_angle(x: Any, name: str, sizes: tuple[int, ...] = (2,)) -> list[float]:
    """[-x, x] of a number; a sequence of the permitted sizes as floats."""
    if isinstance(x, (int, float)):
        if x < 0:
            raise ValueError(f"If {name} is a single number, it must be positive.")
        x = [-x, x]
    else:
        _check_sequence(x, name, sizes)
    return [float(d) for d in x]


def _setup_fill(fill):
    if fill is None:
        return 0
    if not isinstance(fill, (Sequence, numbers.Number)):
        raise TypeError("Fill should be either a sequence or a number.")
    return fill


def _fill_for(img, fill):
    """The fill as one float a channel for tensors; as it is for PIL images."""
    if not isinstance(img, Tensor):
        return fill
    if isinstance(fill, (int, float)):
        return [float(fill)] * F.get_image_num_channels(img)
    return [float(f) for f in fill]


class RandomCrop(nn.Module):
    """A rectangle of the given size at a random place.

    Args:
        size: (height, width), or one number for both.
        padding: border to add first; see `functional.pad`.
        pad_if_needed: add a border where the image is smaller than the crop.
        fill, padding_mode: how borders are filled.
    """

    def __init__(self, size, padding=None, pad_if_needed=False, fill=0, padding_mode="constant"):
        super().__init__()
        self.size = tuple(setup_size(size))
        self.padding = padding
        self.pad_if_needed = pad_if_needed
        self.fill = fill
        self.padding_mode = padding_mode

    @staticmethod
    def get_params(img, output_size: tuple[int, int]) -> tuple[int, int, int, int]:
        """top, left, height, width; draws top, then left, unless the sizes are equal."""
        _, h, w = F.get_dimensions(img)
        th, tw = output_size
        if h < th or w < tw:
            raise ValueError(
                f"Required crop size {(th, tw)} is larger than input image size {(h, w)}"
            )
        if (h, w) == (th, tw):
            return 0, 0, h, w
        top = _draw.randint(0, h - th + 1)
        return top, _draw.randint(0, w - tw + 1), th, tw

    def forward(self, img):
        if self.padding is not None:
            img = F.pad(img, self.padding, self.fill, self.padding_mode)
        if self.pad_if_needed:
            _, height, width = F.get_dimensions(img)
            for missing in ([self.size[1] - width, 0], [0, self.size[0] - height]):
                if max(missing) > 0:
                    img = F.pad(img, missing, self.fill, self.padding_mode)
        return F.crop(img, *self.get_params(img, self.size))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self.size}, padding={self.padding})"


class _RandomFlip(nn.Module):
    def __init__(self, p: float = 0.5):
        super().__init__()
        self.p = p

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"


class RandomHorizontalFlip(_RandomFlip):
    """Exchange left and right with the probability `p`."""

    def forward(self, img):
        return F.hflip(img) if _draw.rand() < self.p else img


class RandomVerticalFlip(_RandomFlip):
    """Exchange top and bottom with the probability `p`."""

    def forward(self, img):
        return F.vflip(img) if _draw.rand() < self.p else img


def _log_bounds(ratio: Sequence[float]) -> list[float]:
    return np.log(np.array(ratio, np.float32)).tolist()


def _draw_area_and_ratio(area: int, scale, log_ratio: list[float]) -> tuple[float, float]:
    """A part of the area, and an aspect ratio log-uniform between its bounds."""
    part = area * _draw.uniform(scale[0], scale[1])
    return part, float(np.exp(np.float32(_draw.uniform(*log_ratio))))


class RandomResizedCrop(nn.Module):
    """A random part of the image, resized: the training crop of ImageNet networks.

    Args:
        size: (height, width) of the result, or one number for both.
        scale: bounds of the part of the area.
        ratio: bounds of width / height before resizing.
        interpolation, antialias: see `functional.resize`.

    Reference: Szegedy et al., Going deeper with convolutions, arXiv:1409.4842.
    """

    def __init__(
        self,
        size,
        scale=(0.08, 1.0),
        ratio=(3.0 / 4.0, 4.0 / 3.0),
        interpolation=InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ):
        super().__init__()
        self.size = setup_size(size)
        _check_bounds(scale, ratio)
        self.interpolation = setup_interpolation(interpolation)
        self.antialias = antialias
        self.scale = scale
        self.ratio = ratio

    @staticmethod
    def get_params(img, scale, ratio) -> tuple[int, int, int, int]:
        """top, left, height, width; up to ten attempts, then the largest central crop."""
        _, height, width = F.get_dimensions(img)
        log_ratio = _log_bounds(ratio)
        for _ in range(10):
            area, aspect = _draw_area_and_ratio(height * width, scale, log_ratio)
            w = round(math.sqrt(area * aspect))
            h = round(math.sqrt(area / aspect))
            if 0 < w <= width and 0 < h <= height:
                top = _draw.randint(0, height - h + 1)
                return top, _draw.randint(0, width - w + 1), h, w
        h, w = height, width
        if width / height < min(ratio):
            h = round(width / min(ratio))
        elif width / height > max(ratio):
            w = round(height * max(ratio))
        return (height - h) // 2, (width - w) // 2, h, w

    def forward(self, img):
        place = self.get_params(img, self.scale, self.ratio)
        return F.resized_crop(img, *place, self.size, self.interpolation, self.antialias)

    def __repr__(self) -> str:
        scale, ratio = (tuple(round(v, 4) for v in b) for b in (self.scale, self.ratio))
        return (
            f"{type(self).__name__}(size={self.size}, scale={scale}, ratio={ratio}, "
            f"interpolation={self.interpolation.value}, antialias={self.antialias})"
        )


def _check_bounds(scale, ratio) -> None:
    if not isinstance(scale, Sequence):
        raise TypeError("Scale should be a sequence")
    if not isinstance(ratio, Sequence):
        raise TypeError("Ratio should be a sequence")
    if scale[0] > scale[1] or ratio[0] > ratio[1]:
        warnings.warn("Scale and ratio should be of kind (min, max)", stacklevel=3)


class RandomErasing(nn.Module):
    """Overwrite a random rectangle of a tensor with the probability `p`.

    Args:
        p: probability.
        scale, ratio: bounds of the part of the area, and of height / width.
        value: a number, one a channel, or "random" for normal noise.
        inplace: write into the given tensor.

    Reference: Zhong et al., Random erasing data augmentation, arXiv:1708.04896.
    """

    def __init__(self, p=0.5, scale=(0.02, 0.33), ratio=(0.3, 3.3), value=0, inplace=False):
        super().__init__()
        if not isinstance(value, (numbers.Number, str, tuple, list)):
            raise TypeError("Argument value should be either a number or str or a sequence")
        if isinstance(value, str) and value != "random":
            raise ValueError("If value is str, it should be 'random'")
        _check_bounds(scale, ratio)
        if scale[0] < 0 or scale[1] > 1:
            raise ValueError("Scale should be between 0 and 1")
        if not 0 <= p <= 1:
            raise ValueError("Random erasing probability should be between 0 and 1")
        self.p = p
        self.scale = scale
        self.ratio = ratio
        self.value = value
        self.inplace = inplace

    @staticmethod
    def get_params(img: Tensor, scale, ratio, value: list[float] | None = None):
        """top, left, height, width and the values to write; the image itself after ten misses."""
        channels, height, width = img.shape[-3:]
        log_ratio = _log_bounds(ratio)
        for _ in range(10):
            area, aspect = _draw_area_and_ratio(height * width, scale, log_ratio)
            h = round(math.sqrt(area * aspect))
            w = round(math.sqrt(area / aspect))
            if h < height and w < width:
                if value is None:
                    v = flambeau.empty([channels, h, w], dtype=flambeau.float32).normal_()
                else:
                    v = flambeau.tensor(value)[:, None, None]
                top = _draw.randint(0, height - h + 1)
                return top, _draw.randint(0, width - w + 1), h, w, v
        return 0, 0, height, width, img

    def forward(self, img: Tensor) -> Tensor:
        if _draw.rand() >= self.p:
            return img
        value: list[float] | None
        if isinstance(self.value, str):
            value = None
        elif isinstance(self.value, (int, float)):
            value = [float(self.value)]
        else:
            value = [float(v) for v in self.value]
            if len(value) not in (1, img.shape[-3]):
                raise ValueError(
                    "If value is a sequence, it should have either a single value or "
                    f"{img.shape[-3]} (number of input channels)"
                )
        top, left, h, w, v = self.get_params(img, self.scale, self.ratio, value)
        return F.erase(img, top, left, h, w, v, self.inplace)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(p={self.p}, scale={self.scale}, ratio={self.ratio}, "
            f"value={self.value}, inplace={self.inplace})"
        )


class RandomRotation(nn.Module):
    """Rotate by a random angle.

    Args:
        degrees: bounds, or one number d for (-d, d).
        interpolation, expand, center, fill: see `functional.rotate`.
    """

    def __init__(
        self,
        degrees,
        interpolation=InterpolationMode.NEAREST,
        expand=False,
        center=None,
        fill=0,
    ):
        super().__init__()
        self.interpolation = setup_interpolation(interpolation)
        self.degrees = _setup_angle(degrees, "degrees")
        if center is not None:
            _check_sequence(center, "center", (2,))
        self.center = center
        self.expand = expand
        self.fill = _setup_fill(fill)

    @staticmethod
    def get_params(degrees: list[float]) -> float:
        """The angle."""
        return _draw.uniform(float(degrees[0]), float(degrees[1]))

    def forward(self, img):
        fill = _fill_for(img, self.fill)
        angle = self.get_params(self.degrees)
        return F.rotate(img, angle, self.interpolation, self.expand, self.center, fill)

    def __repr__(self) -> str:
        detail = f"degrees={self.degrees}, interpolation={self.interpolation.value}"
        detail += f", expand={self.expand}"
        detail += f", center={self.center}" if self.center is not None else ""
        return f"{type(self).__name__}({detail}, fill={self.fill})"


class RandomAffine(nn.Module):
    """Rotate, shift, scale and shear at random, keeping the size.

    Args:
        degrees: bounds of the angle, or one number d for (-d, d).
        translate: the largest shifts, as parts of width and height.
        scale: bounds of the factor.
        shear: a number, bounds along x, or bounds along x and y, in degrees.
        interpolation, fill, center: see `functional.affine`.
    """

    def __init__(
        self,
        degrees,
        translate=None,
        scale=None,
        shear=None,
        interpolation=InterpolationMode.NEAREST,
        fill=0,
        center=None,
    ):
        super().__init__()
        self.interpolation = setup_interpolation(interpolation)
        self.degrees = _setup_angle(degrees, "degrees")
        if translate is not None:
            _check_sequence(translate, "translate", (2,))
            if not all(0.0 <= t <= 1.0 for t in translate):
                raise ValueError("translation values should be between 0 and 1")
        self.translate = translate
        if scale is not None:
            _check_sequence(scale, "scale", (2,))
            if min(scale) <= 0:
                raise ValueError("scale values should be positive")
        self.scale = scale
        self.shear = None if shear is None else _setup_angle(shear, "shear", (2, 4))
        self.fill = _setup_fill(fill)
        if center is not None:
            _check_sequence(center, "center", (2,))
        self.center = center

    @staticmethod
    def get_params(degrees, translate, scale_ranges, shears, img_size: list[int]):
        """angle, (shift x, shift y), scale, (shear x, shear y); `img_size` is (width, height)."""
        angle = _draw.uniform(float(degrees[0]), float(degrees[1]))
        shift = (0, 0)
        if translate is not None:
            farthest = [float(t * size) for t, size in zip(translate, img_size)]
            shift = tuple(round(_draw.uniform(-d, d)) for d in farthest)
        scale = 1.0 if scale_ranges is None else _draw.uniform(*scale_ranges)
        shear_x = shear_y = 0.0
        if shears is not None:
            shear_x = _draw.uniform(shears[0], shears[1])
            if len(shears) == 4:
                shear_y = _draw.uniform(shears[2], shears[3])
        return angle, shift, scale, (shear_x, shear_y)

    def forward(self, img):
        fill = _fill_for(img, self.fill)
        size = F.get_image_size(img)
        drawn = self.get_params(self.degrees, self.translate, self.scale, self.shear, size)
        return F.affine(
            img, *drawn, interpolation=self.interpolation, fill=fill, center=self.center
        )

    def __repr__(self) -> str:
        parts = {"degrees": self.degrees, "translate": self.translate, "scale": self.scale}
        parts["shear"] = self.shear
        if self.interpolation != InterpolationMode.NEAREST:
            parts["interpolation"] = self.interpolation.value
        parts["fill"] = self.fill if self.fill != 0 else None
        parts["center"] = self.center
        detail = ", ".join(f"{k}={v}" for k, v in parts.items() if v is not None)
        return f"{type(self).__name__}({detail})"


class RandomPerspective(nn.Module):
    """Move the four corners inwards at random, with the probability `p`.

    `distortion_scale` in [0, 1] is how far; for the rest see `functional.perspective`.
    """

    def __init__(
        self, distortion_scale=0.5, p=0.5, interpolation=InterpolationMode.BILINEAR, fill=0
    ):
        super().__init__()
        self.p = p
        self.interpolation = setup_interpolation(interpolation)
        self.distortion_scale = distortion_scale
        self.fill = _setup_fill(fill)

    @staticmethod
    def get_params(width: int, height: int, distortion_scale: float):
        """The corners, clockwise from the top left, and where each goes: lists of [x, y]."""
        reach_x = int(distortion_scale * (width // 2))
        reach_y = int(distortion_scale * (height // 2))
        start, end = [], []
        for right, below in ((False, False), (True, False), (True, True), (False, True)):
            start.append([width - 1 if right else 0, height - 1 if below else 0])
            x = (width - reach_x - 1, width) if right else (0, reach_x + 1)
            y = (height - reach_y - 1, height) if below else (0, reach_y + 1)
            end.append([_draw.randint(*x), _draw.randint(*y)])
        return start, end

    def forward(self, img):
        fill = _fill_for(img, self.fill)
        _, height, width = F.get_dimensions(img)
        if _draw.rand() >= self.p:
            return img
        start, end = self.get_params(width, height, self.distortion_scale)
        return F.perspective(img, start, end, self.interpolation, fill)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"
