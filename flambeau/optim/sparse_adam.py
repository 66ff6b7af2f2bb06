"""SparseAdam needs sparse gradients, which Flambeau does not have."""

from __future__ import annotations

from .optimizer import Optimizer

__all__ = ["SparseAdam"]


class SparseAdam(Optimizer):
    """Raises: gradients are dense here, for which PyTorch's SparseAdam refers to Adam too."""

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, maximize=False):
        raise NotImplementedError("SparseAdam does not support dense gradients, please consider "
                                  "Adam instead: Flambeau's gradients are always dense")
