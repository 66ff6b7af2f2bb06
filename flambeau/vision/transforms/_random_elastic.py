"""Elastic distortion at random."""

from __future__ import annotations

from collections.abc import Sequence

import flambeau
from flambeau import Tensor, nn
from flambeau.vision.transforms import functional as F
from flambeau.vision.transforms._deterministic import setup_interpolation
from flambeau.vision.transforms.functional import InterpolationMode

__all__ = ["ElasticTransform"]


def _two_floats(value, name: str) -> Sequence[float]:
    if not isinstance(value, (float, Sequence)):
        raise TypeError(f"{name} should be float or a sequence of floats. Got {type(value)}")
    if isinstance(value, float):
        return [value, value]
    if len(value) != 2:
        raise ValueError(f"If {name} is a sequence its length should be 2. Got {len(value)}")
    for element in value:
        if not isinstance(element, float):
            raise TypeError(f"{name} should be a sequence of floats. Got {type(element)}")
    return value


class ElasticTransform(nn.Module):
    """Distort as if seen through water: smoothed random displacements.

    Args:
        alpha: strength of the displacements, along x and y.
        sigma: width of their smoothing, in pixels.
        interpolation, fill: see `functional.elastic_transform`.

    Reference: Simard et al., Best practices for convolutional neural networks, 2003.
    """

    def __init__(self, alpha=50.0, sigma=5.0, interpolation=InterpolationMode.BILINEAR, fill=0):
        super().__init__()
        self.alpha = _two_floats(alpha, "alpha")
        self.sigma = _two_floats(sigma, "sigma")
        self.interpolation = setup_interpolation(interpolation)
        if isinstance(fill, (int, float)):
            fill = [fill]
        elif not isinstance(fill, (list, tuple)):
            raise TypeError(
                f"fill should be int or float or a list or tuple of them. Got {type(fill)}"
            )
        self.fill = [float(f) for f in fill]

    @staticmethod
    def get_params(alpha: Sequence[float], sigma: Sequence[float], size: list[int]) -> Tensor:
        """The displacements (1, H, W, 2); draws those along x, then those along y."""
        moved = []
        for strength, width, length in zip(alpha, sigma, reversed(size)):
            d = flambeau.rand([1, 1, *size]) * 2 - 1
            if width > 0.0:
                kernel = int(8 * width + 1) | 1  # odd
                d = F.gaussian_blur(d, [kernel, kernel], list(sigma))
            moved.append(d * strength / length)
        return flambeau.cat(moved, 1).permute(0, 2, 3, 1)

    def forward(self, tensor):
        _, height, width = F.get_dimensions(tensor)
        displacement = self.get_params(self.alpha, self.sigma, [height, width])
        return F.elastic_transform(tensor, displacement, self.interpolation, self.fill)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(alpha={self.alpha}, sigma={self.sigma}, "
            f"interpolation={self.interpolation}, fill={self.fill})"
        )
