"""Making modules without drawing initial values."""
import inspect

__all__ = ["skip_init"]


def skip_init(module_cls, *args, **kwargs):
    """Return ``module_cls(*args, **kwargs)`` for the caller to initialise.

    PyTorch leaves the parameters uninitialised; here they hold the default initial values, drawn
    without moving the random stream.
    """
    from flambeau.random import fork_rng

    from ..modules.module import Module

    if not issubclass(module_cls, Module):
        raise RuntimeError(f"Expected a Module; got {module_cls}")
    if "device" not in inspect.signature(module_cls).parameters:
        raise RuntimeError("Module must support a 'device' arg to skip initialization")
    with fork_rng():
        return module_cls(*args, **kwargs)
