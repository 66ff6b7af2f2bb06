"""Networks for images, with trained weights."""

from types import ModuleType as _ModuleType

from flambeau._missing import raise_missing as _raise_missing
from flambeau.vision.models._api import (
    Weights,
    WeightsEnum,
    get_model,
    get_model_builder,
    get_model_weights,
    get_weight,
    list_models,
)
from flambeau.vision.models.alexnet import *
from flambeau.vision.models.convnext import *
from flambeau.vision.models.densenet import *
from flambeau.vision.models.efficientnet import *
from flambeau.vision.models.googlenet import *
from flambeau.vision.models.inception import *
from flambeau.vision.models.mnasnet import *
from flambeau.vision.models.mobilenetv2 import *
from flambeau.vision.models.mobilenetv3 import *
from flambeau.vision.models.regnet import *
from flambeau.vision.models.resnet import *
from flambeau.vision.models.shufflenetv2 import *
from flambeau.vision.models.squeezenet import *
from flambeau.vision.models.vgg import *
from flambeau.vision.models.vision_transformer import *

# some networks' functions have their module's name, so that the modules cannot be asked here
__all__ = sorted(
    name
    for name, value in globals().items()
    if not name.startswith("_") and not isinstance(value, _ModuleType)
)

__getattr__ = _raise_missing(__name__)
