"""Extents that know what they usually are: a short last batch takes the forms of the full ones.

Below the passes and the planners. A program that differs from a known one by a shorter batch alone
is compiled with shapes of :class:`Extent`: `graph.resemblance` finds the known program. What runs
is computed from the actual numbers; what decides which machine code runs asks `usual`, so that it
is the code that exists. Three rules make that safe:

* an extent equals another number only if both parts are equal: a dimension of one sample is not
  taken for a dimension of extent 1, which would make loops and broadcasting disappear;
* what tells values apart by their text (`repr`) tells those apart whose usual parts differ;
* arithmetic is done on both parts, and order (``<``, ``min``, ``max``) by the actual one.
"""

from __future__ import annotations

import operator

__all__ = ["Extent", "Number", "may_reach", "paired", "usual"]


class Extent(int):
    """An integer of the program at hand with that of the program it resembles, `usual`."""

    usual: int

    def __eq__(self, other):
        return self.usual == usual(other) and int(self) == _plain(other)

    def __ne__(self, other):
        return not self == other

    def __hash__(self):
        return int.__hash__(self)

    def __neg__(self):
        return paired(-int(self), -self.usual)

    def __repr__(self):
        return f"{int(self)}~{self.usual}"

    def __str__(self):
        return str(int(self))


def _both(operation):
    """The method that does arithmetic on both parts."""
    def forward(self, other):
        if not isinstance(other, int):
            return NotImplemented
        return paired(operation(int(self), int(other)), operation(self.usual, usual(other)))

    def backward(self, other):
        if not isinstance(other, int):
            return NotImplemented
        return paired(operation(int(other), int(self)), operation(usual(other), self.usual))
    return forward, backward


for _name in ("add", "sub", "mul", "floordiv", "mod"):
    _forward, _backward = _both(getattr(operator, _name))
    setattr(Extent, f"__{_name}__", _forward)
    setattr(Extent, f"__r{_name}__", _backward)


class Number(float):
    """A constant, such as the divisor of a mean, that the known program has with another value."""

    usual: float

    def __eq__(self, other):
        return self.usual == usual(other) and float(self) == _plain(other)

    def __ne__(self, other):
        return not self == other

    def __hash__(self):
        return float.__hash__(self)

    def __repr__(self):
        return f"{float(self)}~{self.usual}"

    def __str__(self):
        return str(float(self))


def paired(actual, known):
    """`actual`, with what it usually is if that differs."""
    if actual == known:
        return actual
    result = (Number if isinstance(actual, float) else Extent)(actual)
    result.usual = known
    return result


def usual(number):
    """What a number is in the program that this one resembles; else the number itself."""
    return number.usual if isinstance(number, (Extent, Number)) else number


def _plain(number):
    """The actual part of a number."""
    if isinstance(number, Extent):
        return int(number)
    return float(number) if isinstance(number, Number) else number


def may_reach(a, b) -> bool:
    """Whether a >= b here or in the program that this one resembles."""
    return a >= b or usual(a) >= usual(b)
