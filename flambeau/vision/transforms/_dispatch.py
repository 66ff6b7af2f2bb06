"""What the transforms share: interpolation modes, and which module handles an image."""

from __future__ import annotations

from enum import Enum

from flambeau import Tensor
from flambeau.vision.transforms import _functional_pil as F_pil
from flambeau.vision.transforms import _functional_tensor as F_tensor
from flambeau.vision.transforms import _functional_tensor_color as F_tensor_color


class InterpolationMode(Enum):
    """How pixels between pixels are found. Pillow's integers are accepted in its place."""

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


pil_modes_mapping = {
    InterpolationMode.NEAREST: 0,
    InterpolationMode.LANCZOS: 1,
    InterpolationMode.BILINEAR: 2,
    InterpolationMode.BICUBIC: 3,
    InterpolationMode.BOX: 4,
    InterpolationMode.HAMMING: 5,
    InterpolationMode.NEAREST_EXACT: 0,
}
_MODES_BY_INT = {
    number: mode
    for mode, number in pil_modes_mapping.items()
    if mode is not InterpolationMode.NEAREST_EXACT
}


def _interpolation_modes_from_int(i: int) -> InterpolationMode:
    return _MODES_BY_INT[i]


def checked_mode(interpolation: InterpolationMode | int) -> InterpolationMode:
    if isinstance(interpolation, int):
        return _interpolation_modes_from_int(interpolation)
    if not isinstance(interpolation, InterpolationMode):
        raise TypeError(
            "Argument interpolation should be a InterpolationMode or a corresponding Pillow "
            "integer constant"
        )
    return interpolation


def geometry_of(img):
    """The module that handles this image's geometry."""
    return F_tensor if isinstance(img, Tensor) else F_pil


def colors_of(img):
    """The module that handles this image's colours."""
    return F_tensor_color if isinstance(img, Tensor) else F_pil


def get_dimensions(img) -> list[int]:
    """[channels, height, width]."""
    return geometry_of(img).get_dimensions(img)


def get_image_size(img) -> list[int]:
    """[width, height]."""
    return get_dimensions(img)[:0:-1]


def get_image_num_channels(img) -> int:
    """The number of channels."""
    return get_dimensions(img)[0]
