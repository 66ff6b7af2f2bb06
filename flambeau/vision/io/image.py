"""Reading and writing image files as tensors (C, H, W), with Pillow."""

from __future__ import annotations

import io
import os
from enum import Enum

import numpy as np

import flambeau
from flambeau import Tensor
from flambeau._atomic_file import atomic_path
from flambeau.vision.transforms._conversion import pil_to_tensor, to_pil_image

__all__ = [
    "ImageReadMode",
    "decode_image",
    "decode_jpeg",
    "decode_png",
    "encode_jpeg",
    "encode_png",
    "read_file",
    "read_image",
    "write_file",
    "write_jpeg",
    "write_png",
]


class ImageReadMode(Enum):
    """The channels of a decoded image."""

    UNCHANGED = 0
    GRAY = 1
    GRAY_ALPHA = 2
    RGB = 3
    RGB_ALPHA = 4
    RGBA = RGB_ALPHA


_PIL_MODES = {
    ImageReadMode.GRAY: "L",
    ImageReadMode.GRAY_ALPHA: "LA",
    ImageReadMode.RGB: "RGB",
    ImageReadMode.RGB_ALPHA: "RGBA",
}


def read_file(path: str | os.PathLike) -> Tensor:
    """The bytes of a file, as a uint8 tensor of one dimension."""
    return flambeau.from_numpy(np.fromfile(path, np.uint8))


def write_file(filename: str | os.PathLike, data: Tensor) -> None:
    """Write a uint8 tensor of one dimension as the bytes of a file."""
    array = data.numpy()
    if array.dtype != np.uint8 or array.ndim != 1:
        raise RuntimeError("Input tensor data type should be uint8 and it should be 1-dimensional")
    with atomic_path(filename) as temporary:
        array.tofile(temporary)


def decode_image(
    input: Tensor | str | os.PathLike,
    mode: ImageReadMode | str = ImageReadMode.UNCHANGED,
    apply_exif_orientation: bool = False,
) -> Tensor:
    """The image in a file, or in the bytes of one.

    Args:
        input: a path, or a uint8 tensor of one dimension.
        mode: which channels; as stored by default (palettes are resolved).
        apply_exif_orientation: turn the image as the camera was held.

    Returns uint8 (C, H, W), or uint16 where the file has 16 bits a channel.
    """
    from PIL import Image, ImageOps

    content = input.numpy().tobytes() if isinstance(input, Tensor) else None
    mode = ImageReadMode[mode.upper()] if isinstance(mode, str) else mode
    with Image.open(io.BytesIO(content) if content is not None else input) as image:
        if apply_exif_orientation:
            image = ImageOps.exif_transpose(image)
        if mode is not ImageReadMode.UNCHANGED:
            image = image.convert(_PIL_MODES[mode])
        elif image.mode == "P":
            image = image.convert("RGBA" if "transparency" in image.info else "RGB")
        elif image.mode in ("1", "CMYK", "YCbCr"):
            image = image.convert("L" if image.mode == "1" else "RGB")
        return pil_to_tensor(image)


def read_image(
    path: str | os.PathLike,
    mode: ImageReadMode | str = ImageReadMode.UNCHANGED,
    apply_exif_orientation: bool = False,
) -> Tensor:
    """The image in a file; see `decode_image`."""
    return decode_image(os.fspath(path), mode, apply_exif_orientation)


def _of_format(name: str):
    def decode(
        input: Tensor,
        mode: ImageReadMode | str = ImageReadMode.UNCHANGED,
        apply_exif_orientation: bool = False,
    ) -> Tensor:
        return decode_image(input, mode, apply_exif_orientation)

    decode.__name__ = decode.__qualname__ = f"decode_{name}"
    decode.__doc__ = f"The image in the bytes of a {name.upper()} file; see `decode_image`."
    return decode


decode_png = _of_format("png")
decode_jpeg = _of_format("jpeg")


def _encoded(input: Tensor, format: str, **options) -> Tensor:
    if input.dtype != flambeau.uint8:
        raise RuntimeError(f"Input tensor dtype should be uint8, received {input.dtype}")
    if input.dim() != 3 or input.shape[0] not in (1, 3):
        raise RuntimeError(
            "The number of channels should be 1 or 3 and the shape (C, H, W), "
            f"received {tuple(input.shape)}"
        )
    stream = io.BytesIO()
    to_pil_image(input).save(stream, format=format, **options)
    return flambeau.from_numpy(np.frombuffer(stream.getvalue(), np.uint8).copy())


def encode_png(input: Tensor, compression_level: int = 6) -> Tensor:
    """The bytes of a PNG file of a uint8 image (1 or 3, H, W); `compression_level` is 0 to 9."""
    if not 0 <= compression_level <= 9:
        raise RuntimeError("Compression level should be between 0 and 9")
    return _encoded(input, "PNG", compress_level=compression_level)


def encode_jpeg(input: Tensor | list[Tensor], quality: int = 75) -> Tensor | list[Tensor]:
    """The bytes of a JPEG file of a uint8 image (1 or 3, H, W), or of each image of a list."""
    if not 1 <= quality <= 100:
        raise ValueError("Image quality should be a positive number between 1 and 100")
    if isinstance(input, list):
        if not input:
            raise ValueError("encode_jpeg requires at least one input tensor when a list is passed")
        return [_encoded(image, "JPEG", quality=quality) for image in input]
    return _encoded(input, "JPEG", quality=quality)


def write_png(input: Tensor, filename: str | os.PathLike, compression_level: int = 6) -> None:
    """Write a uint8 image (1 or 3, H, W) to a PNG file."""
    write_file(filename, encode_png(input, compression_level))


def write_jpeg(input: Tensor, filename: str | os.PathLike, quality: int = 75) -> None:
    """Write a uint8 image (1 or 3, H, W) to a JPEG file."""
    (encoded,) = encode_jpeg([input], quality)
    write_file(filename, encoded)
