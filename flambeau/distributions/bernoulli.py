"""Yes or no."""

from __future__ import annotations

from numbers import Number

import flambeau as torch
import flambeau.nn.functional as F

from . import constraints
from .distribution import Distribution
from .utils import broadcast_all, lazy_property, logits_to_probs, probs_to_logits

__all__ = ["Bernoulli"]


class Bernoulli(Distribution):
    """1 with a probability, else 0.

    Args:
        probs: the probability of 1.
        logits: or its log-odds.

    >>> torch.distributions.Bernoulli(torch.tensor([0.5, 0.2])).log_prob(torch.ones(2))
    tensor([-0.6931, -1.6094])
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.boolean
    has_enumerate_support = True

    def __init__(self, probs=None, logits=None, validate_args: bool | None = None):
        if (probs is None) == (logits is None):
            raise ValueError("Either `probs` or `logits` must be specified, but not both.")
        given = logits if probs is None else probs
        (tensor,) = broadcast_all(given)
        setattr(self, "logits" if probs is None else "probs", tensor)
        shape = () if isinstance(given, Number) else tensor.shape
        super().__init__(shape, (), validate_args)

    @lazy_property
    def logits(self):
        return probs_to_logits(self.probs, is_binary=True)

    @lazy_property
    def probs(self):
        return logits_to_probs(self.logits, is_binary=True)

    @property
    def param_shape(self) -> torch.Size:
        return (self.probs if "probs" in self.__dict__ else self.logits).shape

    @property
    def mean(self):
        return self.probs

    @property
    def mode(self):
        likely = (self.probs >= 0.5).to(self.probs)
        return torch.where(self.probs == 0.5, float("nan"), likely)

    @property
    def variance(self):
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape=()):
        with torch.no_grad():
            return torch.bernoulli(self.probs.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        return -F.binary_cross_entropy_with_logits(logits, value, reduction="none")

    def entropy(self):
        return F.binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")

    def enumerate_support(self, expand: bool = True):
        values = torch.arange(2, dtype=self.probs.dtype)
        values = values.view(-1, *[1] * len(self._batch_shape))
        return values.expand(-1, *self._batch_shape) if expand else values
