"""Random numbers of the transforms, one scalar at a time, from the global generator.

PyTorch's transforms draw one-element tensors; drawing the same numbers in the same order is
what makes seeded scripts see the same crops. They are taken straight from the generator's
stream: a tensor, its record and reading it back would take four times as long.
"""

from __future__ import annotations

import flambeau
from flambeau.random import default_generator


def rand() -> float:
    """`torch.rand(1)`."""
    if flambeau.get_default_dtype() is flambeau.float32:  # by far the most frequent draw
        return default_generator.stream.floats(1).item()
    return uniform(0.0, 1.0)


def uniform(low: float, high: float) -> float:
    """`torch.empty(1).uniform_(low, high)`, in the default dtype."""
    if not low <= high:
        raise RuntimeError(
            f"uniform_ expects to return a [from, to) range, but found from={low:g} > to={high:g}"
        )
    name = flambeau.get_default_dtype().name
    return default_generator.stream.uniform((1,), low, high, name).item()


def randint(low: int, high: int) -> int:
    """`torch.randint(low, high, (1,))`."""
    if low >= high:
        raise RuntimeError(
            f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}"
        )
    return default_generator.stream.random_range((1,), low, high - low).item()
