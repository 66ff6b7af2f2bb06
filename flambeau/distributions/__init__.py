"""Probability distributions: samples, log-probabilities with gradients, divergences.

Samples are PyTorch's for the same seed.
"""

from . import constraints, utils
from .bernoulli import Bernoulli
from .categorical import Categorical
from .distribution import Distribution
from .exponential import Exponential
from .independent import Independent
from .kl import kl_divergence, register_kl
from .normal import Normal
from .poisson import Poisson
from .uniform import Uniform

__all__ = ["Bernoulli", "Categorical", "Distribution", "Exponential", "Independent", "Normal",
           "Poisson", "Uniform", "kl_divergence", "register_kl"]
