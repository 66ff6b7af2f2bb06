"""Reading and writing files of images."""

from flambeau.vision.io.image import *
from flambeau.vision.io.image import __all__
