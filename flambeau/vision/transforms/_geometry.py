"""Sizes, cuts and maps of the plane, of PIL images and tensors."""

from __future__ import annotations

import math
import numbers
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from flambeau import Tensor
from flambeau.vision.transforms import _functional_pil as F_pil
from flambeau.vision.transforms import _functional_tensor as F_tensor
from flambeau.vision.transforms._conversion import pil_to_tensor, to_pil_image
from flambeau.vision.transforms._dispatch import (
    InterpolationMode,
    checked_mode,
    geometry_of,
    get_dimensions,
    pil_modes_mapping,
)


def _compute_resized_output_size(
    image_size: tuple[int, int], size: Sequence[int], max_size: int | None = None
) -> list[int]:
    """[height, width] after resizing; a `size` of one number is that of the shorter side."""
    height, width = image_size
    if len(size) == 2:
        return [size[0], size[1]]
    short, long = sorted((height, width))
    new_short, new_long = size[0], int(size[0] * long / short)
    if max_size is not None:
        if max_size <= new_short:
            raise ValueError(
                f"max_size = {max_size} must be strictly greater than the requested size for "
                f"the smaller edge size = {size}"
            )
        if new_long > max_size:
            new_short, new_long = int(max_size * new_short / new_long), max_size
    return [new_long, new_short] if width <= height else [new_short, new_long]


def resize(
    img,
    size: int | Sequence[int],
    interpolation: InterpolationMode | int = InterpolationMode.BILINEAR,
    max_size: int | None = None,
    antialias: bool | None = True,
):
    """Resize to (height, width), or so that the shorter side has the given length.

    Args:
        img: PIL image or tensor.
        size: two numbers, or one: the shorter side, keeping the aspect ratio.
        interpolation: tensors know nearest, nearest-exact, bilinear and bicubic.
        max_size: limit of the longer side, with a `size` of one number.
        antialias: widen the filter when shrinking; PIL images always are.
    """
    interpolation = checked_mode(interpolation)
    if isinstance(size, int):
        size = [size]
    elif len(size) not in (1, 2):
        raise ValueError(
            f"Size must be an int or a 1 or 2 element tuple/list, not a {len(size)} element "
            "tuple/list"
        )
    elif max_size is not None and len(size) != 1:
        raise ValueError(
            "max_size should only be passed if size specifies the length of the smaller edge, "
            "i.e. size should be an int or a sequence of length 1 in torchscript mode."
        )
    _, height, width = get_dimensions(img)
    new_size = _compute_resized_output_size((height, width), size, max_size)
    if [height, width] == new_size:
        return img
    if isinstance(img, Tensor):
        return F_tensor.resize(img, new_size, interpolation.value, antialias)
    if antialias is False:
        warnings.warn(
            "Anti-alias option is always applied for PIL Image input. "
            "Argument antialias is ignored.",
            stacklevel=2,
        )
    return F_pil.resize(img, new_size, pil_modes_mapping[interpolation])


def pad(img, padding: int | Sequence[int], fill=0, padding_mode: str = "constant"):
    """Add a border: all round, (left/right, top/bottom) or (left, top, right, bottom).

    `padding_mode` is constant (`fill`), edge, reflect or symmetric. Negative numbers crop.
    """
    return geometry_of(img).pad(img, padding, fill, padding_mode)


def crop(img, top: int, left: int, height: int, width: int):
    """The rectangle at (top, left); what lies outside the image is 0."""
    return geometry_of(img).crop(img, top, left, height, width)


def _pair(size: Any) -> Sequence[int]:
    if isinstance(size, (int, float)):
        return int(size), int(size)
    if isinstance(size, (tuple, list)) and len(size) == 1:
        return size[0], size[0]
    return size


def center_crop(img, output_size: int | Sequence[int]):
    """The middle of the image; a smaller image is padded with 0 first."""
    crop_height, crop_width = _pair(output_size)
    _, height, width = get_dimensions(img)
    if crop_width > width or crop_height > height:
        more_width, more_height = max(crop_width - width, 0), max(crop_height - height, 0)
        img = pad(
            img, [more_width // 2, more_height // 2, (more_width + 1) // 2, (more_height + 1) // 2]
        )
        _, height, width = get_dimensions(img)
        if (crop_height, crop_width) == (height, width):
            return img
    top = round((height - crop_height) / 2.0)
    left = round((width - crop_width) / 2.0)
    return crop(img, top, left, crop_height, crop_width)


def resized_crop(
    img,
    top: int,
    left: int,
    height: int,
    width: int,
    size: Sequence[int],
    interpolation: InterpolationMode = InterpolationMode.BILINEAR,
    antialias: bool | None = True,
):
    """`crop`, then `resize`."""
    cut = crop(img, top, left, height, width)
    return resize(cut, size, interpolation, antialias=antialias)


def hflip(img):
    """Exchange left and right."""
    return geometry_of(img).hflip(img)


def vflip(img):
    """Exchange top and bottom."""
    return geometry_of(img).vflip(img)


def five_crop(img, size: int | Sequence[int]) -> tuple:
    """The four corners (top left, top right, bottom left, bottom right) and the middle."""
    size = _pair(size)
    if len(size) != 2:
        raise ValueError("Please provide only two dimensions (h, w) for size.")
    _, height, width = get_dimensions(img)
    crop_height, crop_width = size
    if crop_width > width or crop_height > height:
        raise ValueError(f"Requested crop size {size} is bigger than input size {(height, width)}")
    corners = tuple(
        crop(img, top, left, crop_height, crop_width)
        for top in (0, height - crop_height)
        for left in (0, width - crop_width)
    )
    return (*corners, center_crop(img, [crop_height, crop_width]))


def ten_crop(img, size: int | Sequence[int], vertical_flip: bool = False) -> tuple:
    """`five_crop` of the image and of its mirror image."""
    size = _pair(size)
    return five_crop(img, size) + five_crop(vflip(img) if vertical_flip else hflip(img), size)



def _get_inverse_affine_matrix(
    center: Sequence[float],
    angle: float,
    translate: Sequence[float],
    scale: float,
    shear: Sequence[float],
    inverted: bool = True,
) -> list[float]:
    """The 2 x 3 matrix, flat, of T C R(angle) Shear(x, y) scale C^-1, or of its inverse.

    T translates, C moves the origin to `center`; angles in degrees.
    """
    rotation, shear_x, shear_y = (math.radians(v) for v in (angle, *shear))
    (center_x, center_y), (shift_x, shift_y) = center, translate
    # Rounded in this order everywhere: Pillow's bilinear ties notice the last bit.
    a = math.cos(rotation - shear_y) / math.cos(shear_y)
    b = -math.cos(rotation - shear_y) * math.tan(shear_x) / math.cos(shear_y) - math.sin(rotation)
    c = math.sin(rotation - shear_y) / math.cos(shear_y)
    d = -math.sin(rotation - shear_y) * math.tan(shear_x) / math.cos(shear_y) + math.cos(rotation)
    if inverted:  # the determinant of the unscaled map is 1
        a, b, c, d = d / scale, -b / scale, -c / scale, a / scale
        from_x, from_y, to_x, to_y = -center_x - shift_x, -center_y - shift_y, center_x, center_y
    else:
        a, b, c, d = a * scale, b * scale, c * scale, d * scale
        from_x, from_y, to_x, to_y = -center_x, -center_y, center_x + shift_x, center_y + shift_y
    return [a, b, (a * from_x + b * from_y) + to_x, c, d, (c * from_x + d * from_y) + to_y]


def _from_middle(center: Sequence[float] | None, img) -> list[float]:
    """`center` relative to the image's middle, where tensor grids have their origin."""
    if center is None:
        return [0.0, 0.0]
    _, height, width = get_dimensions(img)
    return [center[0] - width * 0.5, center[1] - height * 0.5]


def _check_angle_and_center(angle, center) -> None:
    if not isinstance(angle, (int, float)):
        raise TypeError("Argument angle should be int or float")
    if center is not None and not isinstance(center, (list, tuple)):
        raise TypeError("Argument center should be a sequence")


def rotate(
    img,
    angle: float,
    interpolation: InterpolationMode | int = InterpolationMode.NEAREST,
    expand: bool = False,
    center: Sequence[int] | None = None,
    fill=None,
):
    """Rotate counter-clockwise by `angle` degrees about `center` (x, y), by default the middle.

    `expand` grows the image to hold all of it; `fill` colours the rest.
    """
    interpolation = checked_mode(interpolation)
    _check_angle_and_center(angle, center)
    if not isinstance(img, Tensor):
        return F_pil.rotate(img, angle, pil_modes_mapping[interpolation], expand, center, fill)
    matrix = _get_inverse_affine_matrix(
        _from_middle(center, img), -angle, [0.0, 0.0], 1.0, [0.0, 0.0]
    )
    return F_tensor.rotate(img, matrix, interpolation.value, expand, fill)


def affine(
    img,
    angle: float,
    translate: Sequence[int],
    scale: float,
    shear: Any,
    interpolation: InterpolationMode | int = InterpolationMode.NEAREST,
    fill=None,
    center: Sequence[int] | None = None,
):
    """Rotate clockwise, shear, scale and translate, keeping the size.

    Args:
        img: PIL image or tensor.
        angle: degrees.
        translate: pixels to the right and down.
        scale: factor.
        shear: degrees along x, or (x, y).
        interpolation: how pixels between pixels are found.
        fill: colour of what lies outside.
        center: (x, y) that stays, by default the middle.
    """
    interpolation = checked_mode(interpolation)
    _check_angle_and_center(angle, center)
    if not isinstance(translate, (list, tuple)):
        raise TypeError("Argument translate should be a sequence")
    if len(translate) != 2:
        raise ValueError("Argument translate should be a sequence of length 2")
    if scale <= 0.0:
        raise ValueError("Argument scale should be positive")
    if not isinstance(shear, (numbers.Number, list, tuple)):
        raise TypeError("Shear should be either a single value or a sequence of two values")
    if isinstance(shear, numbers.Number):
        shear = [shear, 0.0]
    elif len(shear) == 1:
        shear = [shear[0], shear[0]]
    if len(shear) != 2:
        raise ValueError(f"Shear should be a sequence containing two values. Got {shear}")
    _, height, width = get_dimensions(img)
    if not isinstance(img, Tensor):
        middle = [width * 0.5, height * 0.5] if center is None else center
        matrix = _get_inverse_affine_matrix(middle, angle, translate, scale, shear)
        return F_pil.affine(img, matrix, pil_modes_mapping[interpolation], fill)
    matrix = _get_inverse_affine_matrix(_from_middle(center, img), angle, translate, scale, shear)
    return F_tensor.affine(img, matrix, interpolation.value, fill)


def _get_perspective_coeffs(
    startpoints: Sequence[Sequence[int]], endpoints: Sequence[Sequence[int]]
) -> list[float]:
    """The eight coefficients of the map from the four end points back to the start points."""
    if len(startpoints) != 4 or len(endpoints) != 4:
        raise ValueError(
            f"Please provide exactly four corners, got {len(startpoints)} startpoints and "
            f"{len(endpoints)} endpoints."
        )
    rows = []
    for (x, y), (u, v) in zip(endpoints, startpoints):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    wanted = np.array(startpoints, np.float64).reshape(8)
    solution = np.linalg.lstsq(np.array(rows, np.float64), wanted, rcond=None)[0]
    return solution.astype(np.float32).tolist()


def perspective(
    img,
    startpoints: Sequence[Sequence[int]],
    endpoints: Sequence[Sequence[int]],
    interpolation: InterpolationMode | int = InterpolationMode.BILINEAR,
    fill=None,
):
    """The perspective map that moves four corners (x, y) from start to end points."""
    interpolation = checked_mode(interpolation)
    coefficients = _get_perspective_coeffs(startpoints, endpoints)
    if not isinstance(img, Tensor):
        return F_pil.perspective(img, coefficients, pil_modes_mapping[interpolation], fill)
    return F_tensor.perspective(img, coefficients, interpolation.value, fill)


def _through_tensor(img, function):
    """Apply a function of tensors to a PIL image too."""
    if isinstance(img, Tensor):
        return function(img)
    if not F_pil.is_pil_image(img):
        raise TypeError(f"img should be PIL Image or Tensor. Got {type(img)}")
    return to_pil_image(function(pil_to_tensor(img)), mode=img.mode)


def elastic_transform(
    img,
    displacement: Tensor,
    interpolation: InterpolationMode | int = InterpolationMode.BILINEAR,
    fill=None,
):
    """Move every pixel by `displacement` (1, H, W, 2), in units of half the size."""
    interpolation = checked_mode(interpolation)
    if not isinstance(displacement, Tensor):
        raise TypeError("Argument displacement should be a Tensor")
    _, height, width = get_dimensions(img)
    expected = (1, height, width, 2)
    if expected != tuple(displacement.shape):
        raise ValueError(
            f"Argument displacement shape should be {expected}, but given {displacement.shape}"
        )
    return _through_tensor(
        img, lambda t: F_tensor.elastic_transform(t, displacement, interpolation.value, fill)
    )


def gaussian_blur(img, kernel_size: int | Sequence[int], sigma=None):
    """Convolve with a Gaussian of odd width; `sigma` defaults to 0.15 * width + 0.35."""
    if not isinstance(kernel_size, (int, list, tuple)):
        raise TypeError(
            f"kernel_size should be int or a sequence of integers. Got {type(kernel_size)}"
        )
    kernel_size = [kernel_size] * 2 if isinstance(kernel_size, int) else list(kernel_size)
    if len(kernel_size) != 2:
        raise ValueError(
            f"If kernel_size is a sequence its length should be 2. Got {len(kernel_size)}"
        )
    if any(size % 2 == 0 or size < 0 for size in kernel_size):
        raise ValueError(
            f"kernel_size should have odd and positive integers. Got {kernel_size}"
        )
    if sigma is None:
        sigma = [size * 0.15 + 0.35 for size in kernel_size]
    if not isinstance(sigma, (int, float, list, tuple)):
        raise TypeError(f"sigma should be either float or sequence of floats. Got {type(sigma)}")
    sigma = [float(sigma)] if isinstance(sigma, (int, float)) else list(sigma)
    sigma = sigma * 2 if len(sigma) == 1 else sigma
    if len(sigma) != 2:
        raise ValueError(f"If sigma is a sequence, its length should be 2. Got {len(sigma)}")
    if min(sigma) <= 0.0:
        raise ValueError(f"sigma should have positive values. Got {sigma}")
    return _through_tensor(img, lambda t: F_tensor.gaussian_blur(t, kernel_size, sigma))


def erase(img: Tensor, i: int, j: int, h: int, w: int, v: Tensor, inplace: bool = False) -> Tensor:
    """Write `v` into the rectangle of height h and width w at row i, column j."""
    if not isinstance(img, Tensor):
        raise TypeError(f"img should be Tensor Image. Got {type(img)}")
    return F_tensor.erase(img, i, j, h, w, v, inplace)
