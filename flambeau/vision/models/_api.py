"""Weights, builders and their registry: what every network's file here declares itself with.

`weights_enum` makes an enum from the rows of `_weights.tsv`; `model_builder` makes the function
(`resnet18`, ...) that builds a network and loads weights into it, and registers its name.
"""

from __future__ import annotations

import fnmatch
import functools
import importlib
import inspect
import math
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from importlib import resources
from types import ModuleType
from typing import Any

from flambeau import nn
from flambeau.hub import load_state_dict_from_url
from flambeau.vision.models._utils import _ovewrite_named_param

__all__ = [
    "Weights",
    "WeightsEnum",
    "get_model",
    "get_model_builder",
    "get_model_weights",
    "get_weight",
    "list_models",
    "register_model",
]

_PACKAGE = "flambeau.vision.models"
_BASE_URL = "https://download.pytorch.org/models/"
_RECIPES = "https://github.com/pytorch/vision/"


@dataclass
class Weights:
    """Where trained weights are, how to prepare their input, and what is known of them."""

    url: str
    transforms: Callable
    meta: dict[str, Any]

    def __eq__(self, other: Any) -> bool:
        if not isinstance(other, Weights):
            return NotImplemented
        mine, theirs = (
            (w.url, w.meta, w.transforms)
            if not isinstance(w.transforms, functools.partial)
            else (w.url, w.meta, w.transforms.func, w.transforms.args, w.transforms.keywords)
            for w in (self, other)
        )
        return mine == theirs


class WeightsEnum(Enum):
    """Base of the enums of a network's trained weights; `DEFAULT` is the best member."""

    @classmethod
    def verify(cls, obj: Any) -> Any:
        """The member that a name means; a member as it is."""
        if isinstance(obj, str):
            return cls[obj.replace(cls.__name__ + ".", "")]
        if obj is not None and not isinstance(obj, cls):
            raise TypeError(
                f"Invalid Weight class provided; expected {cls.__name__} but received "
                f"{obj.__class__.__name__}."
            )
        return obj

    def get_state_dict(self, *args: Any, **kwargs: Any) -> Mapping[str, Any]:
        """The parameters and buffers; arguments as for `hub.load_state_dict_from_url`."""
        return load_state_dict_from_url(self.url, *args, **kwargs)

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}.{self._name_}"

    @property
    def url(self) -> str:
        return self.value.url

    @property
    def transforms(self) -> Callable:
        return self.value.transforms

    @property
    def meta(self) -> dict[str, Any]:
        return self.value.meta


def _read(name: str) -> list[str]:
    return resources.files(_PACKAGE).joinpath(name).read_text(encoding="utf-8").splitlines()


@functools.cache
def imagenet_categories() -> list[str]:
    """The names of ImageNet-1k's classes."""
    return _read("_imagenet_categories.txt")


@functools.cache
def _weight_rows() -> dict[str, list[dict[str, str]]]:
    """enum name -> its rows of the table, each a dict."""
    header, *lines = (line.split("\t") for line in _read("_weights.tsv"))
    rows: dict[str, list[dict[str, str]]] = {}
    for line in lines:
        row = dict(zip(header, line))
        rows.setdefault(row["enum"], []).append(row)
    return rows


def _weights(row: dict[str, str]) -> Weights:
    from flambeau.vision.transforms._presets import ImageClassification
    from flambeau.vision.transforms.functional import InterpolationMode

    recipe = row["recipe"]
    if recipe and "://" not in recipe:
        recipe = _RECIPES + recipe
    accuracies = {"acc@1": float(row["acc1"]), "acc@5": float(row["acc5"])}
    is_classifier = not math.isnan(accuracies["acc@1"])  # vgg16's features have no classes
    meta = {
        "num_params": int(row["num_params"]),
        "min_size": tuple(int(s) for s in row["min_size"].split("x") if s),
        "categories": imagenet_categories() if is_classifier else None,
        "recipe": recipe,
        "license": row["license"],
        "_metrics": {"ImageNet-1K": accuracies},
        "_ops": float(row["gflops"]),
        "_file_size": float(row["file_mb"]),
    }
    preset: dict[str, Any] = {"crop_size": int(row["crop"])}
    if row["resize"] != "256":
        preset["resize_size"] = int(row["resize"])
    for name in ("mean", "std"):
        preset[name] = tuple(float(v) for v in row[name].split(","))
    preset["interpolation"] = InterpolationMode(row["interpolation"])
    return Weights(
        url=_BASE_URL + row["file"],
        transforms=functools.partial(ImageClassification, **preset),
        meta={key: value for key, value in meta.items() if value not in ("", ())},
    )


def weights_enum(name: str, module: str) -> Any:
    """The enum of a network's weights, from the table."""
    make: Any = WeightsEnum  # the call that makes an enum, which type checkers do not know
    members = [(row["member"], _weights(row)) for row in _weight_rows()[name]]
    default = next(i for i, row in enumerate(_weight_rows()[name]) if row["default"])
    members.append(("DEFAULT", members[default][1]))
    return make(name, members, module=module)


BUILTIN_MODELS: dict[str, Callable[..., nn.Module]] = {}


def register_model(name: str | None = None) -> Callable[[Callable], Callable]:
    """Decorator that makes a builder known to `get_model` and `list_models`."""

    def register(builder: Callable) -> Callable:
        key = builder.__name__ if name is None else name
        if key in BUILTIN_MODELS:
            raise ValueError(f"An entry is already registered under the name '{key}'.")
        BUILTIN_MODELS[key] = builder
        return builder

    return register


def _arguments_of_old(args: tuple, kwargs: dict[str, Any], legacy: WeightsEnum | None) -> None:
    """Accept what was passed before the enums: positional arguments, booleans, `pretrained`."""
    names = ("weights", "progress")[: len(args)]
    if args:
        listed = " and ".join(f"'{name}'" for name in names)
        warnings.warn(
            f"Using {listed} as positional parameter(s) is deprecated since 0.13 and may be "
            "removed in the future. Please use keyword parameter(s) instead.",
            stacklevel=4,
        )
        kwargs.update(zip(names, args))
    given = kwargs.get("weights")
    is_new = given is None or isinstance(given, (WeightsEnum, str)) and given != "legacy"
    if is_new and ("weights" in kwargs or "pretrained" not in kwargs):
        return
    if "weights" in kwargs:
        pretrained = kwargs.pop("weights")
    else:
        pretrained = kwargs["pretrained"]
        warnings.warn(
            "The parameter 'pretrained' is deprecated since 0.13 and may be removed in the "
            "future, please use 'weights' instead.",
            stacklevel=4,
        )
    kwargs.pop("pretrained", None)
    if pretrained and legacy is None:
        raise ValueError("No weights available for this model under its old name 'pretrained'")
    weights = legacy if pretrained else None
    message = (
        "Arguments other than a weight enum or `None` for 'weights' are deprecated since 0.13 "
        "and may be removed in the future. The current behavior is equivalent to passing "
        f"`weights={weights}`."
    )
    if pretrained:
        message += (
            f" You can also use `weights={type(weights).__name__}.DEFAULT` to get the most "
            "up-to-date weights."
        )
    warnings.warn(message, stacklevel=4)
    kwargs["weights"] = weights


def _load_plainly(model: nn.Module, state_dict: Mapping[str, Any]) -> nn.Module:
    model.load_state_dict(state_dict)
    return model


def model_builder(
    name: str,
    enum: Any,
    construct: Callable[..., nn.Module],
    *,
    legacy: str | None = "IMAGENET1K_V1",
    fixed: Mapping[str, Any] | None = None,
    prepare: Callable[[Any, dict[str, Any]], Callable | None] | None = None,
    load: Callable[[nn.Module, Mapping[str, Any]], nn.Module] = _load_plainly,
    doc: str = "",
) -> Callable[..., nn.Module]:
    """Make and register the function that builds one network.

    Args:
        name: the function's name.
        enum: its weights.
        construct: makes the network of the function's remaining keyword arguments.
        legacy: the member that `pretrained=True` means.
        fixed: keyword arguments of `construct` that this network settles.
        prepare: function of the weights (or None) and the keyword arguments, to change these;
            may return a function of the loaded network, to finish it.
        load: puts a state dict into the network and returns the network.
        doc: the function's docstring.
    """
    old = None if legacy is None else enum[legacy]

    def builder(*args, **kwargs):
        if len(args) > 2:
            raise TypeError(f"{name}() takes 0 positional arguments but {len(args)} were given")
        _arguments_of_old(args, kwargs, old)
        weights = enum.verify(kwargs.pop("weights", None))
        progress = kwargs.pop("progress", True)
        for key, value in (fixed or {}).items():
            _ovewrite_named_param(kwargs, key, value)
        if weights is not None and weights.meta["categories"] is not None:
            _ovewrite_named_param(kwargs, "num_classes", len(weights.meta["categories"]))
        finish = None if prepare is None else prepare(weights, kwargs)
        model = construct(**kwargs)
        if weights is not None:
            model = load(model, weights.get_state_dict(progress=progress, check_hash=True))
        if finish is not None:
            finish(model)
        return model

    keyword = inspect.Parameter.KEYWORD_ONLY
    builder.__name__ = builder.__qualname__ = name
    builder.__module__ = enum.__module__
    builder.__doc__ = (
        f"{doc}\n\n"
        f"Args:\n    weights: a member of `{enum.__name__}`, its name, or None for random "
        "initial values.\n    progress: draw a bar while downloading.\n"
        "    kwargs: for the network's class."
    )
    builder.__signature__ = inspect.Signature(
        [
            inspect.Parameter("weights", keyword, default=None, annotation=enum | None),
            inspect.Parameter("progress", keyword, default=True, annotation=bool),
            inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD, annotation=Any),
        ]
    )
    return register_model()(builder)


def get_weight(name: str) -> WeightsEnum:
    """The member that "Enum.MEMBER" names.

    >>> get_weight("ResNet50_Weights.IMAGENET1K_V2")
    ResNet50_Weights.IMAGENET1K_V2
    """
    try:
        enum_name, member = name.split(".")
    except ValueError:
        raise ValueError(f"Invalid weight name provided: '{name}'.") from None
    enum = getattr(importlib.import_module(_PACKAGE), enum_name, None)
    if not (isinstance(enum, type) and issubclass(enum, WeightsEnum)):
        raise ValueError(
            f"The weight enum '{enum_name}' for the specific method couldn't be retrieved."
        )
    return enum[member]


def get_model_weights(name: Callable | str) -> type[WeightsEnum]:
    """The weights enum of a builder, or of the builder with this name."""
    builder = get_model_builder(name) if isinstance(name, str) else name
    parameters = inspect.signature(builder).parameters
    if "weights" not in parameters:
        raise ValueError("The method is missing the 'weights' argument.")
    annotation = parameters["weights"].annotation
    for candidate in (annotation, *getattr(annotation, "__args__", ())):
        if isinstance(candidate, type) and issubclass(candidate, WeightsEnum):
            return candidate
    raise ValueError(
        "The WeightsEnum class for the specific method couldn't be retrieved. Make sure the "
        "typing info is correct."
    )


def list_models(
    module: ModuleType | None = None,
    include: Iterable[str] | str | None = None,
    exclude: Iterable[str] | str | None = None,
) -> list[str]:
    """The names of the registered builders, sorted.

    Args:
        module: only those that this package defines.
        include, exclude: patterns with wildcards, one or several.

    >>> list_models(include="resnet*")
    ['resnet101', 'resnet152', 'resnet18', 'resnet34', 'resnet50']
    """

    def matching(names: set[str], patterns: Iterable[str] | str) -> set[str]:
        patterns = [patterns] if isinstance(patterns, str) else patterns
        return {name for pattern in patterns for name in fnmatch.filter(names, pattern)}

    names = {
        name
        for name, builder in BUILTIN_MODELS.items()
        if module is None or builder.__module__.rpartition(".")[0] == module.__name__
    }
    if include:
        names = matching(names, include)
    if exclude:
        names -= matching(names, exclude)
    return sorted(names)


def get_model_builder(name: str) -> Callable[..., nn.Module]:
    """The builder with this name, in any case."""
    try:
        return BUILTIN_MODELS[name.lower()]
    except KeyError:
        raise ValueError(f"Unknown model {name.lower()}") from None


def get_model(name: str, **config: Any) -> nn.Module:
    """Build the network with this name: `get_model("resnet18", weights=None)`."""
    return get_model_builder(name)(**config)
