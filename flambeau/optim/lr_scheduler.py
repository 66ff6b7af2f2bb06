"""Learning-rate schedulers: ``step()`` after ``optimizer.step()`` sets the next learning rate."""

from ._schedules_base import LRScheduler
from ._schedules_combined import ChainedScheduler, ReduceLROnPlateau, SequentialLR
from ._schedules_cyclic import CosineAnnealingWarmRestarts, CyclicLR, OneCycleLR
from ._schedules_decay import (
    ConstantLR,
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)

__all__ = ["ChainedScheduler", "ConstantLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts",
           "CyclicLR", "ExponentialLR", "LRScheduler", "LambdaLR", "LinearLR", "MultiStepLR",
           "MultiplicativeLR", "OneCycleLR", "PolynomialLR", "ReduceLROnPlateau", "SequentialLR",
           "StepLR"]


class _LRScheduler(LRScheduler):
    """The name of the base class before PyTorch 2.0; older programs derive from it."""

from .._missing import raise_missing  # noqa: E402

__getattr__ = raise_missing(__name__)
