"""Groups of settable flags."""

import contextlib

__all__ = ["Flags", "flags_of"]


class Flags:
    """An object whose attributes may be set; unknown names raise."""

    def __init__(self, **values):
        self.__dict__.update(values)

    def __setattr__(self, name, value):
        if name not in self.__dict__:
            raise AttributeError(f"Unknown attribute {name}: expected one of "
                                 f"{', '.join(self.__dict__)}")
        self.__dict__[name] = value


def flags_of(namespace, names):
    """A context manager that sets flags of a module until its end."""
    @contextlib.contextmanager
    def flags(**values):
        """Set flags of this module until the end of the block."""
        for name in values:
            if name not in names:
                raise TypeError(f"flags() got an unexpected keyword argument '{name}'")
        before = {name: namespace[name] for name in values}
        namespace.update(values)
        try:
            yield
        finally:
            namespace.update(before)
    return flags
