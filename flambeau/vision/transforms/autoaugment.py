"""Augmentation policies: learned (AutoAugment) and random (RandAugment, TrivialAugment).

Each is a space of operations, a rule that draws some of them with a magnitude, and `_apply`.
"""

from __future__ import annotations

import math
from enum import Enum
from typing import Any

import numpy as np

import flambeau
from flambeau import Tensor, nn
from flambeau.vision.transforms import _draw
from flambeau.vision.transforms import functional as F
from flambeau.vision.transforms._random_geometry import _fill_for
from flambeau.vision.transforms.functional import InterpolationMode

__all__ = ["AutoAugment", "AutoAugmentPolicy", "RandAugment", "TrivialAugmentWide"]

# A sheared image keeps its top left pixel, as in the reference implementation of AutoAugment;
# its magnitude is a slope, not an angle.
_GEOMETRY: dict[str, Any] = {
    "ShearX": lambda m: {"shear": [math.degrees(math.atan(m)), 0.0], "center": [0, 0]},
    "ShearY": lambda m: {"shear": [0.0, math.degrees(math.atan(m))], "center": [0, 0]},
    "TranslateX": lambda m: {"translate": [int(m), 0]},
    "TranslateY": lambda m: {"translate": [0, int(m)]},
}
_COLOR = {
    "Brightness": lambda img, m: F.adjust_brightness(img, 1.0 + m),
    "Color": lambda img, m: F.adjust_saturation(img, 1.0 + m),
    "Contrast": lambda img, m: F.adjust_contrast(img, 1.0 + m),
    "Sharpness": lambda img, m: F.adjust_sharpness(img, 1.0 + m),
    "Posterize": lambda img, m: F.posterize(img, int(m)),
    "Solarize": F.solarize,
    "AutoContrast": lambda img, m: F.autocontrast(img),
    "Equalize": lambda img, m: F.equalize(img),
    "Invert": lambda img, m: F.invert(img),
    "Identity": lambda img, m: img,
}


def _apply(img, operation: str, magnitude: float, interpolation: InterpolationMode, fill):
    if operation in _GEOMETRY:
        place = {"translate": [0, 0], "shear": [0.0, 0.0]} | _GEOMETRY[operation](magnitude)
        return F.affine(
            img, angle=0.0, scale=1.0, interpolation=interpolation, fill=fill, **place
        )
    if operation == "Rotate":
        return F.rotate(img, magnitude, interpolation=interpolation, fill=fill)
    return _COLOR[operation](img, magnitude)


def _linspace(start: float, end: float, steps: int) -> np.ndarray:
    """float32 steps counted from the nearer end, as PyTorch computes them."""
    start, end = np.float32(start), np.float32(end)
    step = (end - start) / np.float32(steps - 1)
    i = np.arange(steps, dtype=np.float32)
    return np.where(i < steps // 2, start + step * i, end - step * (np.float32(steps - 1) - i))


def _space(
    bins: int,
    identity: bool,
    invert: bool,
    shear: float,
    shifts: tuple[float, float],
    angle: float,
    enhance: float,
    bits: int,
) -> dict[str, tuple[np.ndarray | None, bool]]:
    """operation -> (its magnitudes, whether the sign is drawn), in the order of drawing."""
    signed = {"ShearX": shear, "ShearY": shear, "TranslateX": shifts[0], "TranslateY": shifts[1]}
    signed |= {"Rotate": angle}
    signed |= dict.fromkeys(("Brightness", "Color", "Contrast", "Sharpness"), enhance)
    space: dict = {"Identity": (None, False)} if identity else {}
    space |= {name: (_linspace(0.0, end, bins), True) for name, end in signed.items()}
    levels = np.rint(np.arange(bins, dtype=np.float32) / np.float32((bins - 1) / bits))
    space |= {"Posterize": (8 - levels, False), "Solarize": (_linspace(255.0, 0.0, bins), False)}
    space |= dict.fromkeys(("AutoContrast", "Equalize"), (None, False))
    return space | ({"Invert": (None, False)} if invert else {})


def _fill_of(img, fill):
    return None if fill is None else _fill_for(img, fill)


class AutoAugmentPolicy(Enum):
    """The data set on which a policy was learned."""

    IMAGENET = "imagenet"
    CIFAR10 = "cifar10"
    SVHN = "svhn"


# The published sub-policies: "operation probability [magnitude] + operation ...".
_POLICIES = {
    AutoAugmentPolicy.IMAGENET: """
        Posterize .4 8 + Rotate .6 9 | Solarize .6 5 + AutoContrast .6
        Equalize .8 + Equalize .6 | Posterize .6 7 + Posterize .6 6
        Equalize .4 + Solarize .2 4 | Equalize .4 + Rotate .8 8
        Solarize .6 3 + Equalize .6 | Posterize .8 5 + Equalize 1
        Rotate .2 3 + Solarize .6 8 | Equalize .6 + Posterize .4 6
        Rotate .8 8 + Color .4 0 | Rotate .4 9 + Equalize .6
        Equalize 0 + Equalize .8 | Invert .6 + Equalize 1
        Color .6 4 + Contrast 1 8 | Rotate .8 8 + Color 1 2
        Color .8 8 + Solarize .8 7 | Sharpness .4 7 + Invert .6
        ShearX .6 5 + Equalize 1 | Color .4 0 + Equalize .6
        Equalize .4 + Solarize .2 4 | Solarize .6 5 + AutoContrast .6
        Invert .6 + Equalize 1 | Color .6 4 + Contrast 1 8
        Equalize .8 + Equalize .6""",
    AutoAugmentPolicy.CIFAR10: """
        Invert .1 + Contrast .2 6 | Rotate .7 2 + TranslateX .3 9
        Sharpness .8 1 + Sharpness .9 3 | ShearY .5 8 + TranslateY .7 9
        AutoContrast .5 + Equalize .9 | ShearY .2 7 + Posterize .3 7
        Color .4 3 + Brightness .6 7 | Sharpness .3 9 + Brightness .7 9
        Equalize .6 + Equalize .5 | Contrast .6 7 + Sharpness .6 5
        Color .7 7 + TranslateX .5 8 | Equalize .3 + AutoContrast .4
        TranslateY .4 3 + Sharpness .2 6 | Brightness .9 6 + Color .2 8
        Solarize .5 2 + Invert 0 | Equalize .2 + AutoContrast .6
        Equalize .2 + Equalize .6 | Color .9 9 + Equalize .6
        AutoContrast .8 + Solarize .2 8 | Brightness .1 3 + Color .7 0
        Solarize .4 5 + AutoContrast .9 | TranslateY .9 9 + TranslateY .7 9
        AutoContrast .9 + Solarize .8 3 | Equalize .8 + Invert .1
        TranslateY .7 9 + AutoContrast .9""",
    AutoAugmentPolicy.SVHN: """
        ShearX .9 4 + Invert .2 | ShearY .9 8 + Invert .7
        Equalize .6 + Solarize .6 6 | Invert .9 + Equalize .6
        Equalize .6 + Rotate .9 3 | ShearX .9 4 + AutoContrast .8
        ShearY .9 8 + Invert .4 | ShearY .9 5 + Solarize .2 6
        Invert .9 + AutoContrast .8 | Equalize .6 + Rotate .9 3
        ShearX .9 4 + Solarize .3 3 | ShearY .8 8 + Invert .7
        Equalize .9 + TranslateY .6 6 | Invert .9 + Equalize .6
        Contrast .3 3 + Rotate .8 4 | Invert .8 + TranslateY 0 2
        ShearY .7 6 + Solarize .4 8 | Invert .6 + Rotate .8 4
        ShearY .3 7 + TranslateX .9 3 | ShearX .1 6 + Invert .6
        Solarize .7 2 + TranslateY .6 7 | ShearY .8 4 + Invert .8
        ShearX .7 9 + TranslateY .8 3 | ShearY .8 5 + AutoContrast .7
        ShearX .7 2 + Invert .1""",
}


def _parsed_step(text: str) -> tuple[str, float, int | None]:
    name, probability, *magnitude = text.split()
    return name, float(probability), int(magnitude[0]) if magnitude else None


class AutoAugment(nn.Module):
    """Apply one of 25 learned pairs of operations.

    Args:
        policy: the data set on which they were learned.
        interpolation, fill: of the operations that move pixels. Tensors must be uint8.

    Reference: Cubuk et al., AutoAugment, arXiv:1805.09501.
    """

    def __init__(
        self,
        policy: AutoAugmentPolicy = AutoAugmentPolicy.IMAGENET,
        interpolation: InterpolationMode = InterpolationMode.NEAREST,
        fill=None,
    ) -> None:
        super().__init__()
        if policy not in _POLICIES:
            raise ValueError(f"The provided policy {policy} is not recognized.")
        self.policy = policy
        self.interpolation = interpolation
        self.fill = fill
        pairs = _POLICIES[policy].replace("\n", "|").split("|")
        self.policies = [
            tuple(_parsed_step(step) for step in pair.split("+")) for pair in pairs if pair.strip()
        ]

    @staticmethod
    def get_params(transform_num: int) -> tuple[int, Tensor, Tensor]:
        """Which pair, two probabilities and two signs."""
        which = _draw.randint(0, transform_num)
        return which, flambeau.rand((2,)), flambeau.randint(2, (2,))

    def forward(self, img):
        fill = _fill_of(img, self.fill)
        _, height, width = F.get_dimensions(img)
        which, probabilities, signs = self.get_params(len(self.policies))
        shifts = (150.0 / 331.0 * width, 150.0 / 331.0 * height)
        space = _space(10, False, True, 0.3, shifts, 30.0, 0.9, 4)
        drawn = zip(self.policies[which], probabilities.tolist(), signs.tolist())
        for (operation, probability, level), chance, sign in drawn:
            if chance <= np.float32(probability):
                magnitudes, signed = space[operation]
                magnitude = 0.0 if level is None else float(magnitudes[level])
                magnitude = -magnitude if signed and sign == 0 else magnitude
                img = _apply(img, operation, magnitude, self.interpolation, fill)
        return img

    def __repr__(self) -> str:
        return f"{type(self).__name__}(policy={self.policy}, fill={self.fill})"


class RandAugment(nn.Module):
    """Apply `num_ops` random operations with one magnitude.

    Args:
        num_ops: how many.
        magnitude: index among `num_magnitude_bins` magnitudes.
        interpolation, fill: of the operations that move pixels. Tensors must be uint8.

    Reference: Cubuk et al., RandAugment, arXiv:1909.13719.
    """

    def __init__(
        self,
        num_ops: int = 2,
        magnitude: int = 9,
        num_magnitude_bins: int = 31,
        interpolation: InterpolationMode = InterpolationMode.NEAREST,
        fill=None,
    ) -> None:
        super().__init__()
        self.num_ops = num_ops
        self.magnitude = magnitude
        self.num_magnitude_bins = num_magnitude_bins
        self.interpolation = interpolation
        self.fill = fill

    def forward(self, img):
        fill = _fill_of(img, self.fill)
        _, height, width = F.get_dimensions(img)
        shifts = (150.0 / 331.0 * width, 150.0 / 331.0 * height)
        space = _space(self.num_magnitude_bins, True, False, 0.3, shifts, 30.0, 0.9, 4)
        for _ in range(self.num_ops):
            operation = list(space)[_draw.randint(0, len(space))]
            magnitudes, signed = space[operation]
            magnitude = 0.0 if magnitudes is None else float(magnitudes[self.magnitude])
            magnitude = -magnitude if signed and _draw.randint(0, 2) else magnitude
            img = _apply(img, operation, magnitude, self.interpolation, fill)
        return img

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(num_ops={self.num_ops}, magnitude={self.magnitude}, "
            f"num_magnitude_bins={self.num_magnitude_bins}, "
            f"interpolation={self.interpolation}, fill={self.fill})"
        )


class TrivialAugmentWide(nn.Module):
    """Apply one random operation with a random magnitude from a wide range.

    Args:
        num_magnitude_bins: how many magnitudes.
        interpolation, fill: of the operations that move pixels. Tensors must be uint8.

    Reference: Müller and Hutter, TrivialAugment, arXiv:2103.10158.
    """

    def __init__(
        self,
        num_magnitude_bins: int = 31,
        interpolation: InterpolationMode = InterpolationMode.NEAREST,
        fill=None,
    ) -> None:
        super().__init__()
        self.num_magnitude_bins = num_magnitude_bins
        self.interpolation = interpolation
        self.fill = fill

    def forward(self, img):
        fill = _fill_of(img, self.fill)
        space = _space(self.num_magnitude_bins, True, False, 0.99, (32.0, 32.0), 135.0, 0.99, 6)
        operation = list(space)[_draw.randint(0, len(space))]
        magnitudes, signed = space[operation]
        magnitude = 0.0
        if magnitudes is not None:
            magnitude = float(magnitudes[_draw.randint(0, len(magnitudes))])
        magnitude = -magnitude if signed and _draw.randint(0, 2) else magnitude
        return _apply(img, operation, magnitude, self.interpolation, fill)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(num_magnitude_bins={self.num_magnitude_bins}, "
            f"interpolation={self.interpolation}, fill={self.fill})"
        )
