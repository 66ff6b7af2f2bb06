"""Distributions side by side, taken for one over vectors."""

from __future__ import annotations

import flambeau as torch

from . import constraints
from .distribution import Distribution

__all__ = ["Independent"]


class Independent(Distribution):
    """A distribution whose last batch dimensions belong to one event: their log_probs add up.

    Args:
        base_distribution: the distribution.
        reinterpreted_batch_ndims: how many of its batch dimensions become event dimensions.

    >>> several = torch.distributions.Normal(torch.zeros(3, 2), 1.0)
    >>> torch.distributions.Independent(several, 1).log_prob(torch.zeros(3, 2)).shape
    torch.Size([3])
    """

    def __init__(self, base_distribution: Distribution, reinterpreted_batch_ndims: int,
                 validate_args: bool | None = None):
        batch = base_distribution.batch_shape
        if reinterpreted_batch_ndims > len(batch):
            raise ValueError("Expected reinterpreted_batch_ndims <= len(base_distribution."
                             f"batch_shape), actual {reinterpreted_batch_ndims} vs {len(batch)}")
        self.base_dist = base_distribution
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims
        left = len(batch) - reinterpreted_batch_ndims
        super().__init__(batch[:left], batch[left:] + base_distribution.event_shape, validate_args)

    @property
    def has_rsample(self):
        return self.base_dist.has_rsample

    @property
    def support(self):
        base = self.base_dist.support
        count = self.reinterpreted_batch_ndims
        return constraints.independent(base, count) if count else base

    @property
    def mean(self):
        return self.base_dist.mean

    @property
    def mode(self):
        return self.base_dist.mode

    @property
    def variance(self):
        return self.base_dist.variance

    def sample(self, sample_shape=()):
        return self.base_dist.sample(sample_shape)

    def rsample(self, sample_shape=()):
        return self.base_dist.rsample(sample_shape)

    def log_prob(self, value):
        return self._summed(self.base_dist.log_prob(value))

    def entropy(self):
        return self._summed(self.base_dist.entropy())

    def _summed(self, values):
        count = self.reinterpreted_batch_ndims
        return values.sum(dim=tuple(range(-count, 0))) if count else values

    def expand(self, batch_shape, _instance=None):
        own = self.event_shape[:self.reinterpreted_batch_ndims]
        return Independent(self.base_dist.expand(torch.Size(batch_shape) + own),
                           self.reinterpreted_batch_ndims, validate_args=False)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_dist}, {self.reinterpreted_batch_ndims})"
