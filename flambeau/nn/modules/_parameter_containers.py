"""``ParameterList`` and ``ParameterDict``: registered parameters addressed by position or name."""
import operator
from collections import OrderedDict
from collections.abc import Iterable, Mapping

import flambeau

from ..parameter import Parameter
from .module import Module


def pairs_of(items, caller, element_caller, mapping_types):
    """Return the (key, value) pairs of a mapping or of a sequence of pairs.

    Raises:
        TypeError, ValueError: ``items`` or one of its elements has another form.
    """
    if not isinstance(items, Iterable):
        raise TypeError(
            f"{caller}.update should be called with an iterable of key/value pairs, but got "
            + type(items).__name__
        )
    if isinstance(items, mapping_types):
        return list(items.items())
    pairs = []
    for i, item in enumerate(items):
        if not isinstance(item, Iterable):
            raise TypeError(
                f"{element_caller} update sequence element #{i} should be Iterable; is"
                + type(item).__name__
            )
        if len(item) != 2:
            raise ValueError(
                f"{element_caller} update sequence element #{i} has length {len(item)}; "
                "2 is required"
            )
        pairs.append(tuple(item))
    return pairs


def _as_parameter(value):
    if isinstance(value, flambeau.Tensor) and not isinstance(value, Parameter):
        return Parameter(value)
    return value


def _line(key, value, type_text):
    if not isinstance(value, flambeau.Tensor):
        return f"  ({key}): Object of type: {type(value).__name__}"
    kind = "Parameter" if isinstance(value, Parameter) else "Tensor"
    size = "x".join(str(n) for n in value.size())
    device = "" if value.device.type == "cpu" else f" ({value.device})"
    return f"  ({key}): {kind} containing: [{type_text} of size {size}{device}]"


class ParameterList(Module):
    """Hold parameters (tensors are made parameters; other values are kept) in a list.

    >>> import flambeau as torch
    >>> len(torch.nn.ParameterList([torch.ones(2), torch.zeros(3)]))
    2
    """

    def __init__(self, values=None):
        super().__init__()
        self._size = 0
        if values is not None:
            self += values

    def _key_at(self, index):
        index = operator.index(index)
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} is out of range")
        return str(index % len(self))

    def __getitem__(self, index):
        if isinstance(index, slice):
            selected = type(self)()
            for i in range(*index.indices(len(self))):
                selected.append(self[i])
            return selected
        return getattr(self, self._key_at(index))

    def __setitem__(self, index, value):
        setattr(self, self._key_at(index), _as_parameter(value))

    def __len__(self):
        return self._size

    def __iter__(self):
        return iter(self[i] for i in range(len(self)))

    def __iadd__(self, values):
        return self.extend(values)

    def append(self, value):
        """Add ``value`` at the end; return self."""
        self._size += 1
        self[self._size - 1] = value
        return self

    def extend(self, values):
        """Add every element of an iterable at the end; return self."""
        if not isinstance(values, Iterable) or isinstance(values, flambeau.Tensor):
            raise TypeError(
                "ParameterList.extend should be called with an iterable, but got "
                + type(values).__name__
            )
        for value in values:
            self.append(value)
        return self

    def extra_repr(self):
        return "\n".join(
            _line(i, value, getattr(value, "dtype", None)) for i, value in enumerate(self)
        )

    def __call__(self, *args, **kwargs):
        raise RuntimeError("ParameterList should not be called.")


class ParameterDict(Module):
    """Hold parameters (tensors are made parameters; other values are kept) in a dictionary.

    >>> import flambeau as torch
    >>> list(torch.nn.ParameterDict({"left": torch.ones(2)}))
    ['left']
    """

    def __init__(self, parameters=None):
        super().__init__()
        self._keys = {}
        if parameters is not None:
            self.update(parameters)

    def _checked(self, key):
        if not isinstance(key, str):
            raise TypeError(
                "Index given to ParameterDict cannot be used as a key as it is not a string "
                f"(type is '{type(key).__name__}'). Open an issue on github if you need "
                "non-string keys."
            )
        return key

    def __getitem__(self, key):
        return getattr(self, self._checked(key))

    def __setitem__(self, key, value):
        self._checked(key)
        self._keys[key] = None
        setattr(self, key, _as_parameter(value))

    def __delitem__(self, key):
        del self._keys[key]
        delattr(self, self._checked(key))

    def __len__(self):
        return len(self._keys)

    def __iter__(self):
        return iter(self._keys)

    def __reversed__(self):
        return reversed(self._keys)

    def __contains__(self, key):
        return key in self._keys

    def copy(self):
        """Return a new dictionary with the same parameters."""
        return ParameterDict(OrderedDict(self.items()))

    def setdefault(self, key, default=None):
        """Return the value of ``key``, after setting it to ``default`` if it is missing."""
        if key not in self:
            self[key] = default
        return self[key]

    def clear(self):
        """Remove all values."""
        for key in list(self._keys):
            del self[key]

    def pop(self, key):
        """Remove and return the value of ``key``."""
        value = self[key]
        del self[key]
        return value

    def popitem(self):
        """Remove and return the last (key, value)."""
        key = next(reversed(self._keys))
        return key, self.pop(key)

    def get(self, key, default=None):
        """Return the value of ``key``, or ``default``."""
        return self[key] if key in self else default

    def fromkeys(self, keys, default=None):
        """Return a new dictionary with ``default`` under every key."""
        return ParameterDict((key, default) for key in keys)

    def keys(self):
        """Return a view of the keys."""
        return self._keys.keys()

    def items(self):
        """Iterate over (key, value)."""
        return ((key, self[key]) for key in self._keys)

    def values(self):
        """Iterate over the values."""
        return (self[key] for key in self._keys)

    def update(self, parameters):
        """Add values from a mapping (plain ones sorted by key) or an iterable of pairs."""
        types = (Mapping, ParameterDict)
        pairs = pairs_of(parameters, "ParametersDict", "ParameterDict", types)
        if isinstance(parameters, Mapping) and not isinstance(parameters, OrderedDict):
            pairs.sort(key=operator.itemgetter(0))
        for key, value in pairs:
            self[key] = value

    def extra_repr(self):
        return "\n".join(
            _line(key, value, flambeau.typename(value)) for key, value in self.items()
        )

    def __call__(self, input):
        raise RuntimeError("ParameterDict should not be called.")

    def __or__(self, other):
        combined = self.copy()
        combined.update(other)
        return combined

    def __ror__(self, other):
        combined = other.copy()
        combined.update(self)
        return combined

    def __ior__(self, other):
        self.update(other)
        return self
