"""Tools around training: data loading, TensorBoard logs, checkpointing (``torch.utils``).

Each part is loaded when first named.
"""

import importlib
import pkgutil


def __getattr__(name):
    if not name.startswith("__") and name in __dir__():
        return importlib.import_module(f".{name}", __name__)
    from .._missing import missing
    raise missing("torch.utils", name, __dir__())


def __dir__():
    return sorted(module.name for module in pkgutil.iter_modules(__path__))
