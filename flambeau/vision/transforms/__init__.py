"""Transforms of images: classes here, functions in `functional`."""

from flambeau.vision.transforms import autoaugment, functional, transforms  # noqa: F401
from flambeau.vision.transforms.autoaugment import *  # noqa: F403
from flambeau.vision.transforms.transforms import *  # noqa: F403

__all__ = sorted([*autoaugment.__all__, *transforms.__all__])
