"""Between PIL images, arrays and tensors, and between their element types."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np

import flambeau
from flambeau import Tensor
from flambeau.vision.transforms import _functional_pil as F_pil
from flambeau.vision.transforms import _functional_tensor as F_tensor
from flambeau.vision.transforms._arrays import as_tensor, numpy_dtype

_NUMPY_BY_MODE = {"I": np.int32, "I;16": np.int16, "I;16B": np.int16, "F": np.float32}
_UNIT = {  # v / 255 of every byte, so that scaling an image is one table look-up
    np.dtype(kind): (np.arange(256, dtype=kind) / np.array(255, kind)).astype(kind)
    for kind in ("float16", "float32", "float64")
}


def _pil_array(pic) -> np.ndarray:
    """A fresh (H, W, C) array of a PIL image's pixels."""
    mode = pic.mode
    width, height = pic.size
    if mode in ("L", "RGB", "RGBA"):
        return np.frombuffer(pic.tobytes(), np.uint8).reshape(height, width, len(mode))
    array = np.array(pic, _NUMPY_BY_MODE.get(mode, np.uint8))
    if mode == "1":
        array = np.uint8(255) * array
    return array.reshape(height, width, len(pic.getbands()))


def to_tensor(pic) -> Tensor:
    """A PIL image or (H, W[, C]) array as a (C, H, W) tensor; bytes are scaled to [0, 1].

    Bytes become the default dtype, divided by 255; arrays and images of other types keep their
    type and scale.

    >>> import numpy as np
    >>> to_tensor(np.full((2, 2, 3), 255, np.uint8)).shape
    torch.Size([3, 2, 2])
    """
    if isinstance(pic, np.ndarray):
        if pic.ndim not in (2, 3):
            raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
        array = pic if pic.ndim == 3 else pic[:, :, None]
    elif F_pil.is_pil_image(pic):
        array = _pil_array(pic)
    else:
        raise TypeError(f"pic should be PIL Image or ndarray. Got {type(pic)}")
    planes = array.transpose(2, 0, 1)
    if planes.dtype == np.uint8:
        table = _UNIT[numpy_dtype(flambeau.get_default_dtype())]
        return as_tensor(table.take(planes))
    if isinstance(pic, np.ndarray) and planes.flags.c_contiguous:
        return flambeau.from_numpy(planes)  # shares memory, as in PyTorch
    return as_tensor(planes)


def pil_to_tensor(pic) -> Tensor:
    """A PIL image as a (C, H, W) tensor of its own type, without scaling."""
    if not F_pil.is_pil_image(pic):
        raise TypeError(f"pic should be PIL Image. Got {type(pic)}")
    array = np.array(pic)
    width, height = pic.size
    return as_tensor(array.reshape(height, width, len(pic.getbands())).transpose(2, 0, 1))


def convert_image_dtype(image: Tensor, dtype=None) -> Tensor:
    """Change a tensor image's type and scale its values: bytes are [0, 255], floats [0, 1]."""
    if not isinstance(image, Tensor):
        raise TypeError("Input img should be Tensor Image")
    return F_tensor.convert_image_dtype(image, flambeau.float32 if dtype is None else dtype)


# channels -> the modes that may be asked for, and the name of such input in the message
_PERMITTED_MODES = {
    2: (["LA"], "2D"),
    3: (["RGB", "YCbCr", "HSV"], "3D"),
    4: (["RGBA", "CMYK", "RGBX"], "4D"),
}
_MODE_OF_PLANE = {
    "uint8": "L",
    "int16": "I;16" if sys.byteorder == "little" else "I;16B",
    "int32": "I",
    "float32": "F",
}


def to_pil_image(pic, mode: str | None = None):
    """A (C, H, W) tensor or (H, W, C) array as a PIL image; floats are multiplied by 255.

    Args:
        pic: the image, of 1 to 4 channels.
        mode: Pillow's mode, where the number of channels leaves a choice.
    """
    from PIL import Image

    if isinstance(pic, Tensor):
        array = pic.detach().cpu().numpy()
        array = array.transpose(1, 2, 0) if array.ndim == 3 else array
    elif isinstance(pic, np.ndarray):
        array = pic
    else:
        raise TypeError(f"pic should be Tensor or ndarray. Got {type(pic)}.")
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3:
        raise ValueError(f"pic should be 2/3 dimensional. Got {array.ndim} dimensions.")
    channels = array.shape[2]
    if channels > 4:
        raise ValueError(f"pic should not have > 4 channels. Got {channels} channels.")
    if array.dtype.kind == "f" and mode != "F":
        array = (array * 255).astype(np.uint8)
    if channels == 1:
        array = array[:, :, 0]
        expected = _MODE_OF_PLANE.get(array.dtype.name)
        if mode is not None and mode != expected:
            raise ValueError(
                f"Incorrect mode ({mode}) supplied for input type {np.dtype}. "
                f"Should be {expected}"
            )
        mode = expected
    else:
        permitted, dimensions = _PERMITTED_MODES[channels]
        if mode is not None and mode not in permitted:
            raise ValueError(f"Only modes {permitted} are supported for {dimensions} inputs")
        if mode is None and array.dtype == np.uint8:
            mode = permitted[0]
    if mode is None:
        raise TypeError(f"Input type {array.dtype} is not supported")
    array = np.ascontiguousarray(array)
    if mode == Image._fromarray_typemap.get(_fromarray_key(array), (None,))[0]:
        return Image.fromarray(array)
    raw = "I;16" if mode == "I;16" else mode
    return Image.frombuffer(mode, array.shape[1::-1], array.tobytes(), "raw", raw, 0, 1)


def _fromarray_key(array: np.ndarray):
    extra = array.shape[2:] if array.ndim == 3 else ()
    return (1, 1, *extra), array.__array_interface__["typestr"]


def normalize(
    tensor: Tensor, mean: Sequence[float], std: Sequence[float], inplace: bool = False
) -> Tensor:
    """(tensor - mean) / std, channel by channel, of a float tensor (..., C, H, W)."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"img should be Tensor Image. Got {type(tensor)}")
    return F_tensor.normalize(tensor, mean, std, inplace)
