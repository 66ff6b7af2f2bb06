"""The preprocessing that belongs to pretrained weights: what `weights.transforms()` builds."""

from __future__ import annotations

import flambeau
from flambeau import Tensor, nn
from flambeau.vision.transforms import functional as F
from flambeau.vision.transforms.functional import InterpolationMode

__all__ = ["ImageClassification", "ObjectDetection", "SemanticSegmentation"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def _scaled_tensor(img) -> Tensor:
    tensor = img if isinstance(img, Tensor) else F.pil_to_tensor(img)
    return F.convert_image_dtype(tensor, flambeau.float32)


class _Preset(nn.Module):
    _shown: tuple[str, ...] = ()

    def __repr__(self) -> str:
        if not self._shown:
            return f"{type(self).__name__}()"
        lines = [f"\n    {name}={getattr(self, name)}" for name in self._shown]
        return f"{type(self).__name__}({''.join(lines)}\n)"


_ACCEPTS = (
    "Accepts ``PIL.Image``, batched ``(B, C, H, W)`` and single ``(C, H, W)`` image "
    "``torch.Tensor`` objects. "
)


class ImageClassification(_Preset):
    """Resize the shorter side, crop the middle, scale to [0, 1] and normalise."""

    _shown = ("crop_size", "resize_size", "mean", "std", "interpolation")

    def __init__(
        self,
        *,
        crop_size: int,
        resize_size: int = 256,
        mean: tuple[float, ...] = IMAGENET_MEAN,
        std: tuple[float, ...] = IMAGENET_STD,
        interpolation: InterpolationMode = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.crop_size = [crop_size]
        self.resize_size = [resize_size]
        self.mean = list(mean)
        self.std = list(std)
        self.interpolation = interpolation
        self.antialias = antialias

    def forward(self, img) -> Tensor:
        img = F.resize(
            img, self.resize_size, interpolation=self.interpolation, antialias=self.antialias
        )
        img = F.center_crop(img, self.crop_size)
        return F.normalize(_scaled_tensor(img), self.mean, self.std)

    def describe(self) -> str:
        return (
            f"{_ACCEPTS}The images are resized to ``resize_size={self.resize_size}`` using "
            f"``interpolation={self.interpolation}``, followed by a central crop of "
            f"``crop_size={self.crop_size}``. Finally the values are first rescaled to "
            f"``[0.0, 1.0]`` and then normalized using ``mean={self.mean}`` and "
            f"``std={self.std}``."
        )


class ObjectDetection(_Preset):
    """Scale to [0, 1]."""

    def forward(self, img) -> Tensor:
        return _scaled_tensor(img)

    def describe(self) -> str:
        return f"{_ACCEPTS}The images are rescaled to ``[0.0, 1.0]``."


class SemanticSegmentation(_Preset):
    """Resize the shorter side (unless `resize_size` is None), scale to [0, 1] and normalise."""

    _shown = ("resize_size", "mean", "std", "interpolation")

    def __init__(
        self,
        *,
        resize_size: int | None,
        mean: tuple[float, ...] = IMAGENET_MEAN,
        std: tuple[float, ...] = IMAGENET_STD,
        interpolation: InterpolationMode = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.resize_size = None if resize_size is None else [resize_size]
        self.mean = list(mean)
        self.std = list(std)
        self.interpolation = interpolation
        self.antialias = antialias

    def forward(self, img) -> Tensor:
        if self.resize_size is not None:
            img = F.resize(
                img, self.resize_size, interpolation=self.interpolation, antialias=self.antialias
            )
        return F.normalize(_scaled_tensor(img), self.mean, self.std)

    def describe(self) -> str:
        return (
            f"{_ACCEPTS}The images are resized to ``resize_size={self.resize_size}`` using "
            f"``interpolation={self.interpolation}``. Finally the values are first rescaled to "
            f"``[0.0, 1.0]`` and then normalized using ``mean={self.mean}`` and "
            f"``std={self.std}``."
        )
