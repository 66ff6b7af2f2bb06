"""Images: data sets, transforms, networks and helpers, with torchvision's names.

The top of the pipeline: built from `flambeau.nn` and `Tensor` only, loaded on demand.
"""

import importlib

__version__ = "0.28.0"
__all__ = [
    "datasets",
    "get_image_backend",
    "io",
    "models",
    "ops",
    "set_image_backend",
    "transforms",
    "utils",
]


_SUBMODULES = frozenset({"datasets", "io", "models", "ops", "transforms", "utils"})


def __getattr__(name: str):
    # loaded when first used: a script that reads MNIST need not wait for thirty networks
    if name in _SUBMODULES:
        return importlib.import_module(f"flambeau.vision.{name}")
    if name.startswith("__"):
        raise AttributeError(f"module 'torchvision' has no attribute '{name}'")
    from .._missing import missing

    raise missing("torchvision", name, __dir__())


def __dir__() -> list[str]:
    return sorted([*globals(), *_SUBMODULES])


def set_image_backend(backend: str) -> None:
    """Choose the package that decodes images; Pillow is the only one here.

    >>> import flambeau.vision as torchvision
    >>> torchvision.set_image_backend("PIL")
    """
    if backend not in ("PIL", "accimage"):
        raise ValueError(f"Invalid backend '{backend}'. Options are 'PIL' and 'accimage'")
    if backend == "accimage":
        raise NotImplementedError("The backend 'accimage' is not supported: use 'PIL'.")


def get_image_backend() -> str:
    """The name of the package that decodes images."""
    return "PIL"
