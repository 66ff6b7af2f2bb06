"""Random numbers of the transforms, one scalar at a time, from the global generator.

PyTorch's transforms draw one-element tensors; drawing the same ones in the same order is what
makes seeded scripts see the same crops.
"""

from __future__ import annotations

import flambeau


def rand() -> float:
    """`torch.rand(1)`."""
    return flambeau.rand(1).item()


def uniform(low: float, high: float) -> float:
    """`torch.empty(1).uniform_(low, high)`."""
    return flambeau.empty(1).uniform_(low, high).item()


def randint(low: int, high: int) -> int:
    """`torch.randint(low, high, (1,))`."""
    return int(flambeau.randint(low, high, (1,)).item())
