"""What all distributions have: shapes, checks, and the methods that each one implements."""

from __future__ import annotations

import warnings
from typing import Any

import flambeau as torch

from .constraints import Constraint
from .utils import lazy_property

__all__ = ["Distribution"]


class Distribution:
    """A probability distribution over tensors of `event_shape`, one for each of `batch_shape`.

    Args:
        batch_shape: the shape of the parameters, so to speak: distributions side by side.
        event_shape: the shape of one sample of one of them.
        validate_args: check parameters and values (as is the default; Python's option -O turns
            it off).
    """

    has_rsample = False
    has_enumerate_support = False
    arg_constraints: dict[str, Constraint] = {}
    _validate_args = __debug__

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Choose whether distributions made from now on check their values."""
        if value not in (True, False):
            raise ValueError
        Distribution._validate_args = value

    def __init__(self, batch_shape=(), event_shape=(), validate_args: bool | None = None):
        self._batch_shape = torch.Size(batch_shape)
        self._event_shape = torch.Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            self._check_parameters()

    def _check_parameters(self) -> None:
        for name, constraint in self.arg_constraints.items():
            if name not in self.__dict__ and isinstance(getattr(type(self), name), lazy_property):
                continue          # it follows from another parameter
            value = getattr(self, name)
            if not constraint.check(value).all():
                raise ValueError(
                    f"Expected parameter {name} ({type(value).__name__} of shape "
                    f"{tuple(value.shape)}) of distribution {self!r} to satisfy the constraint "
                    f"{constraint!r}, but found invalid values:\n{value}")

    @property
    def batch_shape(self) -> torch.Size:
        """How many distributions there are side by side."""
        return self._batch_shape

    @property
    def event_shape(self) -> torch.Size:
        """The shape of one sample."""
        return self._event_shape

    @property
    def support(self) -> Constraint:
        """The values that samples can have."""
        raise NotImplementedError

    @property
    def mean(self) -> torch.Tensor:
        raise NotImplementedError

    @property
    def mode(self) -> torch.Tensor:
        raise NotImplementedError(f"{type(self)} does not implement mode")

    @property
    def variance(self) -> torch.Tensor:
        raise NotImplementedError

    @property
    def stddev(self) -> torch.Tensor:
        return self.variance.sqrt()

    def sample(self, sample_shape=()) -> torch.Tensor:
        """Draws samples, without gradients."""
        with torch.no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape=()) -> torch.Tensor:
        """Draws samples that carry gradients to the parameters."""
        raise NotImplementedError

    def log_prob(self, value: torch.Tensor) -> torch.Tensor:
        """The logarithm of the density, or of the probability, at `value`."""
        raise NotImplementedError

    def cdf(self, value: torch.Tensor) -> torch.Tensor:
        """The probability of a sample that is at most `value`."""
        raise NotImplementedError

    def icdf(self, value: torch.Tensor) -> torch.Tensor:
        """The reverse of `cdf`."""
        raise NotImplementedError

    def enumerate_support(self, expand: bool = True) -> torch.Tensor:
        """All values that samples can have, along a new first dimension."""
        raise NotImplementedError

    def entropy(self) -> torch.Tensor:
        raise NotImplementedError

    def perplexity(self) -> torch.Tensor:
        return torch.exp(self.entropy())

    def expand(self, batch_shape, _instance=None) -> Distribution:
        """The same distribution for a larger batch; parameters are expanded, not copied."""
        batch_shape = torch.Size(batch_shape)
        new = _instance or type(self).__new__(type(self))
        for name in self.arg_constraints:
            if name in self.__dict__:
                own = len(self.__dict__[name].shape) - len(self._batch_shape)
                tail = self.__dict__[name].shape[len(self._batch_shape):] if own else ()
                setattr(new, name, self.__dict__[name].expand(*batch_shape, *tail))
        self._copy_settings(new)
        Distribution.__init__(new, batch_shape, self._event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def _copy_settings(self, new: Any) -> None:
        """What `expand` must carry over beside the parameters."""

    def _extended_shape(self, sample_shape=()) -> torch.Size:
        return torch.Size(sample_shape) + self._batch_shape + self._event_shape

    def _validate_sample(self, value: torch.Tensor) -> None:
        if not isinstance(value, torch.Tensor):
            raise ValueError("The value argument to log_prob must be a Tensor")
        shape, expected = value.shape, self._batch_shape + self._event_shape
        if shape[len(shape) - len(self._event_shape):] != self._event_shape:
            raise ValueError("The right-most size of value must match event_shape: "
                             f"{shape} vs {self._event_shape}.")
        for i, j in zip(reversed(shape), reversed(expected)):
            if i != 1 and j != 1 and i != j:
                raise ValueError("Value is not broadcastable with batch_shape+event_shape: "
                                 f"{shape} vs {expected}.")
        try:
            support = self.support
        except NotImplementedError:
            warnings.warn(f"{type(self)} does not define `support` to enable sample validation. "
                          "Please initialize the distribution with `validate_args=False` to turn "
                          "off validation.", stacklevel=3)
            return
        if not support.check(value).all():
            raise ValueError(
                f"Expected value argument ({type(value).__name__} of shape {tuple(shape)}) to be "
                f"within the support ({support!r}) of the distribution {self!r}, but found "
                f"invalid values:\n{value}")

    def __repr__(self) -> str:
        found = ((name, self.__dict__[name]) for name in self.arg_constraints
                 if name in self.__dict__)
        return f"{type(self).__name__}(" + ", ".join(
            f"{name}: {value if value.numel() == 1 else value.size()}"
            for name, value in found) + ")"
