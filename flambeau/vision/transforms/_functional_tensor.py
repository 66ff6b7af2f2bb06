"""Geometry of tensor images, and their conversions: what `functional` does with a Tensor.

Images are (..., C, H, W) or (H, W). Each function computes on NumPy memory; those that people
differentiate through (crops, flips, padding, resizing, normalisation) use tensor operations
when the image requires a gradient. Colours are in `_functional_tensor_color`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

import flambeau
from flambeau import Tensor
from flambeau.vision.transforms import _resample
from flambeau.vision.transforms._arrays import as_array, as_tensor, max_value, numpy_dtype

# torchvision's name -> (NumPy's, torch.nn.functional.pad's)
_PADDING_MODES: dict[str, tuple[Any, str | None]] = {
    "constant": ("constant", "constant"),
    "edge": ("edge", "replicate"),
    "reflect": ("reflect", "reflect"),
    "symmetric": ("symmetric", None),
}


def assert_image_tensor(image: Tensor) -> None:
    if image.ndim < 2:
        raise TypeError("Tensor is not a torch image.")


def get_dimensions(image: Tensor) -> list[int]:
    assert_image_tensor(image)
    shape = image.shape
    return [1 if len(shape) == 2 else shape[-3], shape[-2], shape[-1]]


def assert_channels(image: Tensor, permitted: list[int]) -> None:
    channels = get_dimensions(image)[0]
    if channels not in permitted:
        raise TypeError(
            f"Input image tensor permitted channel values are {permitted}, but found {channels}"
        )


def convert_array_dtype(image: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Change the type, scaling between [0, 1] of floats and [0, max] of integers."""
    if image.dtype == dtype:
        return image
    from_float = image.dtype.kind == "f"
    if dtype.kind == "f":
        converted = image.astype(dtype)
        return converted if from_float else converted / dtype.type(max_value(image.dtype))
    if from_float:
        if (image.dtype.name, dtype.name) in (
            ("float32", "int32"),
            ("float32", "int64"),
            ("float64", "int64"),
        ):
            raise RuntimeError(
                f"The cast from torch.{image.dtype} to torch.{dtype} cannot be performed safely."
            )
        # max + 1 - 1e-3 gives every integer an equally long stretch of [0, 1]
        return (image * image.dtype.type(max_value(dtype) + 1.0 - 1e-3)).astype(dtype)
    input_max, output_max = max_value(image.dtype), max_value(dtype)
    if input_max > output_max:
        return (image // ((input_max + 1) // (output_max + 1))).astype(dtype)
    return image.astype(dtype) * dtype.type((output_max + 1) // (input_max + 1))


def convert_image_dtype(image: Tensor, dtype) -> Tensor:
    if image.dtype == dtype:
        return image
    if image.requires_grad and dtype.is_floating_point:
        return image.to(dtype)
    return as_tensor(convert_array_dtype(as_array(image), numpy_dtype(dtype)))


def vflip(image: Tensor) -> Tensor:
    assert_image_tensor(image)
    return image.flip(-2) if image.requires_grad else as_tensor(as_array(image)[..., ::-1, :])


def hflip(image: Tensor) -> Tensor:
    assert_image_tensor(image)
    return image.flip(-1) if image.requires_grad else as_tensor(as_array(image)[..., ::-1])


def crop(image: Tensor, top: int, left: int, height: int, width: int) -> Tensor:
    """The rectangle; what lies outside the image is 0."""
    _, h, w = get_dimensions(image)
    bottom, right = top + height, left + width
    source: Any = image if image.requires_grad else as_array(image)
    if left < 0 or top < 0 or right > w or bottom > h:
        padding = [
            max(-left + min(0, right), 0),
            max(-top + min(0, bottom), 0),
            max(right - max(w, left), 0),
            max(bottom - max(h, top), 0),
        ]
        inner = source[..., max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
        return pad(inner if source is image else as_tensor(inner), padding)
    inner = source[..., top:bottom, left:right]
    return inner if source is image else as_tensor(inner.copy())


def _four_paddings(padding: int | list[int]) -> tuple[int, ...]:
    """left, top, right, bottom."""
    if isinstance(padding, int):
        return (padding,) * 4
    if len(padding) == 1:
        return (padding[0],) * 4
    if len(padding) == 2:
        return (padding[0], padding[1]) * 2
    return tuple(padding)


def pad(
    image: Tensor,
    padding: int | list[int],
    fill: int | float | None = 0,
    padding_mode: str = "constant",
) -> Tensor:
    assert_image_tensor(image)
    fill = 0 if fill is None else fill
    if not isinstance(padding, (int, tuple, list)):
        raise TypeError("Got inappropriate padding arg")
    if not isinstance(fill, (int, float)):
        raise TypeError("Got inappropriate fill arg")
    if not isinstance(padding_mode, str):
        raise TypeError("Got inappropriate padding_mode arg")
    if not isinstance(padding, int) and len(padding) not in (1, 2, 4):
        raise ValueError(
            "Padding must be an int or a 1, 2, or 4 element tuple, not a "
            f"{len(padding)} element tuple"
        )
    if padding_mode not in _PADDING_MODES:
        raise ValueError(
            "Padding mode should be either constant, edge, reflect or symmetric"
        )
    left, top, right, bottom = _four_paddings(padding)
    numpy_mode, torch_mode = _PADDING_MODES[padding_mode]
    if image.requires_grad and torch_mode:
        value = {"value": float(fill)} if torch_mode == "constant" else {}
        batched = image if image.ndim > 3 else image[(None,) * (4 - image.ndim)]
        padded = flambeau.nn.functional.pad(
            batched, [left, right, top, bottom], mode=torch_mode, **value
        )
        return padded.reshape(*image.shape[:-2], *padded.shape[-2:])
    array = as_array(image)
    height, width = array.shape[-2:]
    if min(left, top, right, bottom) < 0:  # a negative padding crops
        array = array[
            ..., max(-top, 0) : height - max(-bottom, 0), max(-left, 0) : width - max(-right, 0)
        ]
    if padding_mode == "reflect":
        for before, after, size, axis in ((left, right, width, -1), (top, bottom, height, -2)):
            if max(before, after) >= size:
                raise RuntimeError(
                    "Padding size should be less than the corresponding input dimension, but "
                    f"got: padding ({before}, {after}) at dimension {axis % image.ndim} of input "
                    f"{list(image.shape)}"
                )
    widths = [(0, 0)] * (array.ndim - 2)
    widths += [(max(top, 0), max(bottom, 0)), (max(left, 0), max(right, 0))]
    options: Any = {"constant_values": array.dtype.type(fill)} if numpy_mode == "constant" else {}
    return as_tensor(np.pad(array, widths, mode=numpy_mode, **options))


def resize(
    image: Tensor, size: list[int], interpolation: str = "bilinear", antialias: bool | None = True
) -> Tensor:
    assert_image_tensor(image)
    smooth = interpolation in _resample._FILTERS
    if not smooth and interpolation not in ("nearest", "nearest-exact"):
        raise NotImplementedError(
            f"Interpolation mode '{interpolation}' is unsupported with Tensor input: "
            "use bilinear, bicubic, nearest or nearest-exact, or a PIL image"
        )
    antialias = bool(antialias) and smooth
    if image.requires_grad:
        batched = image if image.ndim > 3 else image[(None,) * (4 - image.ndim)]
        options = {"align_corners": False, "antialias": antialias} if smooth else {}
        resized = flambeau.nn.functional.interpolate(
            batched, size=list(size), mode=interpolation, **options
        )
        return resized.reshape(*image.shape[:-2], *size)
    array, (height, width) = as_array(image), size
    result = _resample.resize_array(_as_float(array), (height, width), interpolation, antialias)
    if interpolation == "bicubic" and array.dtype == np.uint8:
        result = result.clip(0, 255)
    return as_tensor(_back_to(result, array.dtype))


def _as_float(array: np.ndarray) -> np.ndarray:
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float32)


def _back_to(result: np.ndarray, dtype: np.dtype) -> np.ndarray:
    if result.dtype == dtype:
        return result
    return (np.rint(result) if dtype.kind in "iu" else result).astype(dtype)


def _check_sampling(image: Tensor, interpolation: str, fill) -> None:
    if not isinstance(image, Tensor):
        raise TypeError("Input img should be Tensor")
    channels = get_dimensions(image)[0]
    if fill is not None and not isinstance(fill, (int, float, tuple, list)):
        warnings.warn("Argument fill should be either int, float, tuple or list", stacklevel=4)
    if isinstance(fill, (tuple, list)) and len(fill) > 1 and len(fill) != channels:
        raise ValueError(
            "The number of elements in 'fill' cannot broadcast to match the number of "
            f"channels of the image ({len(fill)} != {channels})"
        )
    if interpolation not in ("nearest", "bilinear"):
        raise ValueError(f"Interpolation mode '{interpolation}' is unsupported with Tensor input")


def _sampled(image: Tensor, interpolation: str, fill, grid_of) -> Tensor:
    """Sample an image at the points that `grid_of(float dtype)` tells."""
    _check_sampling(image, interpolation, fill)
    array = as_array(image)
    floats = array if array.dtype.kind == "f" else array.astype(np.float32)
    framed = floats if floats.ndim > 2 else floats[None]
    result = _resample.sample_array(framed, grid_of(floats.dtype), interpolation, fill)
    return as_tensor(_back_to(result.reshape(*array.shape[:-2], *result.shape[-2:]), array.dtype))


def affine(image: Tensor, matrix: list[float], interpolation: str = "nearest", fill=None) -> Tensor:
    size = tuple(image.shape[-2:])
    return _sampled(
        image,
        interpolation,
        fill,
        lambda dtype: _resample.affine_grid(matrix, size, size, dtype),
    )


def rotate(
    image: Tensor,
    matrix: list[float],
    interpolation: str = "nearest",
    expand: bool = False,
    fill=None,
) -> Tensor:
    size = tuple(image.shape[-2:])
    new_size = expanded_size(matrix, size) if expand else size
    return _sampled(
        image,
        interpolation,
        fill,
        lambda dtype: _resample.affine_grid(matrix, size, new_size, dtype),
    )


def expanded_size(matrix: list[float], size: tuple[int, int]) -> tuple[int, int]:
    """The height and width of the box around the mapped image, as Pillow rounds them."""
    half = np.array([0.5 * size[1], 0.5 * size[0]], np.float32)
    corners = np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]], np.float32) * half
    theta = np.array(matrix, np.float32).reshape(2, 3)
    mapped = corners @ theta[:, :2].T + theta[:, 2] + half
    tolerance = np.float32(1e-4)  # so that 10.00001 pixels are 10, not 11
    highest = np.ceil(np.trunc(mapped.max(axis=0) / tolerance) * tolerance)
    lowest = np.floor(np.trunc(mapped.min(axis=0) / tolerance) * tolerance)
    width, height = (int(n) for n in highest - lowest)
    return height, width


def perspective(
    image: Tensor, coefficients: list[float], interpolation: str = "bilinear", fill=None
) -> Tensor:
    size = tuple(image.shape[-2:])
    return _sampled(
        image,
        interpolation,
        fill,
        lambda dtype: _resample.perspective_grid(coefficients, size, dtype),
    )


def elastic_transform(
    image: Tensor, displacement: Tensor, interpolation: str = "bilinear", fill=None
) -> Tensor:
    height, width = image.shape[-2:]
    moved = as_array(displacement)[0]

    def grid_of(dtype):
        x, y = (np.linspace((1 - n) / n, (n - 1) / n, n, dtype=np.float32) for n in (width, height))
        return (x + moved[..., 0]).astype(dtype), (y[:, None] + moved[..., 1]).astype(dtype)

    return _sampled(image, interpolation, fill, grid_of)


def gaussian_kernel(size: int, sigma: float, dtype: np.dtype) -> np.ndarray:
    x = np.linspace(-(size - 1) * 0.5, (size - 1) * 0.5, size, dtype=dtype)
    density = np.exp(dtype.type(-0.5) * (x / dtype.type(sigma)) ** 2)
    return density / density.sum()


def gaussian_blur(image: Tensor, kernel_size: list[int], sigma: list[float]) -> Tensor:
    assert_image_tensor(image)
    array = as_array(image)
    floats = array if array.dtype.kind == "f" else array.astype(np.float32)
    across, down = (gaussian_kernel(k, s, floats.dtype) for k, s in zip(kernel_size, sigma))
    height, width = kernel_size[1] // 2, kernel_size[0] // 2
    if height >= array.shape[-2] or width >= array.shape[-1]:
        raise RuntimeError(
            "Padding size should be less than the corresponding input dimension, but got a "
            f"kernel of {kernel_size} for an image of {list(image.shape)}"
        )
    edges = [(0, 0)] * (array.ndim - 2) + [(height, height), (width, width)]
    framed = np.pad(floats, edges, mode="reflect")
    blurred = _resample.convolve_depthwise(framed, across[None, :])
    blurred = _resample.convolve_depthwise(blurred, down[:, None])
    return as_tensor(_back_to(blurred, array.dtype))


def normalize(image: Tensor, mean, std, inplace: bool = False) -> Tensor:
    assert_image_tensor(image)
    dtype = image.dtype
    if not dtype.is_floating_point:
        raise TypeError(f"Input tensor should be a float tensor. Got {dtype}.")
    if image.ndim < 3:
        raise ValueError(
            "Expected tensor to be a tensor image of size (..., C, H, W). "
            f"Got tensor.size() = {image.size()}"
        )
    if not (image.requires_grad or inplace):
        numpy_dtype(dtype)                       # raises for types that NumPy lacks
        return as_tensor(normalize_array(image._array(), mean, std, dtype))
    factors = _per_channel(mean, std, np.dtype(np.float32), dtype)
    _check_channels(image.shape, factors)
    mean, std = (flambeau.from_numpy(v.copy()).to(dtype) for v in factors)
    return image.sub_(mean).div_(std) if inplace else (image - mean) / std


def normalize_array(array: np.ndarray, mean, std, dtype=None) -> np.ndarray:
    """(array - mean) / std, channel by channel, of an array (..., C, H, W)."""
    mean, std = _per_channel(mean, std, array.dtype, dtype or array.dtype)
    _check_channels(array.shape, (mean, std))
    array = np.subtract(array, mean)
    array /= std
    return array


def _check_channels(shape: Sequence[int], factors: Sequence[np.ndarray]) -> None:
    """Refuse factors for another number of channels, in the words of the in-place operation."""
    channels = shape[-3]
    for factor in factors:
        given = factor.shape[0] if factor.ndim else 1
        if given in (1, channels):
            continue
        if channels == 1:
            wanted = [*shape[:-3], given, *shape[-2:]]
            raise RuntimeError(
                f"output with shape {list(shape)} doesn't match the broadcast shape {wanted}: "
                f"mean and std are for {given} channels, and the image has one"
            )
        raise RuntimeError(
            f"The size of tensor a ({channels}) must match the size of tensor b ({given}) at "
            f"non-singleton dimension {len(shape) - 3}: mean and std are for {given} channels"
        )


def _per_channel(mean, std, kind: np.dtype, dtype) -> list[np.ndarray]:
    """Mean and standard deviation as arrays that broadcast over pixels."""
    mean, std = (
        np.asarray(v.tolist() if isinstance(v, Tensor) else v, kind) for v in (mean, std)
    )
    if not std.all():
        raise ValueError(
            f"std evaluated to zero after conversion to {dtype}, leading to division by zero."
        )
    return [v.reshape(-1, 1, 1) if v.ndim == 1 else v for v in (mean, std)]


def erase(
    image: Tensor, i: int, j: int, h: int, w: int, v: Tensor, inplace: bool = False
) -> Tensor:
    assert_image_tensor(image)
    if inplace or image.requires_grad:
        image = image if inplace else image.clone()
        image[..., i : i + h, j : j + w] = v
        return image
    array = as_array(image).copy()
    array[..., i : i + h, j : j + w] = v.numpy() if isinstance(v, Tensor) else v
    return as_tensor(array)
