"""Transforms of images: classes here, functions in `functional`."""

from flambeau.vision.transforms import autoaugment, functional, transforms
from flambeau.vision.transforms.autoaugment import *
from flambeau.vision.transforms.transforms import *

__all__ = sorted([*autoaugment.__all__, *transforms.__all__])

from ..._missing import raise_missing

__getattr__ = raise_missing(__name__)
