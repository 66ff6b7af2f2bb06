"""Transforms as functions of one image: a PIL image, or a tensor of (..., C, H, W).

Each function checks its arguments and hands over to `_functional_pil` or to
`_functional_tensor` and `_functional_tensor_color`.
"""

from flambeau.vision.transforms._color import (
    adjust_brightness,
    adjust_contrast,
    adjust_gamma,
    adjust_hue,
    adjust_saturation,
    adjust_sharpness,
    autocontrast,
    equalize,
    invert,
    posterize,
    rgb_to_grayscale,
    solarize,
    to_grayscale,
)
from flambeau.vision.transforms._conversion import (
    convert_image_dtype,
    normalize,
    pil_to_tensor,
    to_pil_image,
    to_tensor,
)
from flambeau.vision.transforms._dispatch import (  # noqa: F401 - people import these too
    InterpolationMode,
    _interpolation_modes_from_int,
    get_dimensions,
    get_image_num_channels,
    get_image_size,
    pil_modes_mapping,
)
from flambeau.vision.transforms._geometry import (  # noqa: F401
    _compute_resized_output_size,
    _get_inverse_affine_matrix,
    _get_perspective_coeffs,
    affine,
    center_crop,
    crop,
    elastic_transform,
    erase,
    five_crop,
    gaussian_blur,
    hflip,
    pad,
    perspective,
    resize,
    resized_crop,
    rotate,
    ten_crop,
    vflip,
)

__all__ = [
    "InterpolationMode",
    "adjust_brightness",
    "adjust_contrast",
    "adjust_gamma",
    "adjust_hue",
    "adjust_saturation",
    "adjust_sharpness",
    "affine",
    "autocontrast",
    "center_crop",
    "convert_image_dtype",
    "crop",
    "elastic_transform",
    "equalize",
    "erase",
    "five_crop",
    "gaussian_blur",
    "get_dimensions",
    "get_image_num_channels",
    "get_image_size",
    "hflip",
    "invert",
    "normalize",
    "pad",
    "perspective",
    "pil_to_tensor",
    "posterize",
    "resize",
    "resized_crop",
    "rgb_to_grayscale",
    "rotate",
    "solarize",
    "ten_crop",
    "to_grayscale",
    "to_pil_image",
    "to_tensor",
    "vflip",
]

from ..._missing import raise_missing

__getattr__ = raise_missing(__name__)
