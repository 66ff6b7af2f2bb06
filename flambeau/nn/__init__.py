"""``torch.nn``: modules, their functions, parameters, initialisation and utilities."""
from . import attention, functional, init, modules, parallel, parameter, utils
from .modules import *
from .modules import __all__ as _module_names
from .parallel import DataParallel
from .parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter

__all__ = sorted([
    "Buffer", "DataParallel", "Parameter", "UninitializedBuffer", "UninitializedParameter",
    "attention", "factory_kwargs", "functional", "init", "modules", "parallel", "parameter",
    "utils", *(name for name in _module_names if not name.startswith("register_")),
])


def factory_kwargs(kwargs):
    """Return the ``device``, ``dtype`` and ``memory_format`` among ``kwargs`` for factories.

    They may be given directly, or in a dictionary under ``factory_kwargs``.
    """
    if kwargs is None:
        return {}
    simple = {"device", "dtype", "memory_format"}
    unknown = kwargs.keys() - simple - {"factory_kwargs"}
    if unknown:
        raise TypeError(f"unexpected kwargs {unknown}")
    found = dict(kwargs.get("factory_kwargs", {}))
    for key in simple:
        if key in kwargs:
            if key in found:
                raise TypeError(f"{key} specified twice, in **kwargs and in factory_kwargs")
            found[key] = kwargs[key]
    return found

from .._missing import raise_missing  # noqa: E402

__getattr__ = raise_missing(__name__)
