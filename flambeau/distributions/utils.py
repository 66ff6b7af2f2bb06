"""Between probabilities and logits, and parameters of one shape."""

from __future__ import annotations

from numbers import Number

import flambeau as torch

__all__ = ["broadcast_all", "clamp_probs", "lazy_property", "logits_to_probs", "probs_to_logits"]


def broadcast_all(*values) -> tuple[torch.Tensor, ...]:
    """Numbers and tensors as tensors of one shape; numbers take the tensors' dtype."""
    if not all(isinstance(v, (torch.Tensor, Number)) for v in values):
        raise ValueError("Input arguments must all be instances of Number, torch.Tensor or "
                         "objects implementing __torch_function__.")
    known = next((v for v in values if isinstance(v, torch.Tensor)), None)
    dtype = torch.get_default_dtype() if known is None else known.dtype
    return tuple(torch.broadcast_tensors(
        *(v if isinstance(v, torch.Tensor) else torch.tensor(v, dtype=dtype) for v in values)))


def clamp_probs(probs: torch.Tensor) -> torch.Tensor:
    """Probabilities that are neither 0 nor 1, so that their logarithms are finite."""
    eps = torch.finfo(probs.dtype).eps
    return probs.clamp(min=eps, max=1 - eps)


def logits_to_probs(logits: torch.Tensor, is_binary: bool = False) -> torch.Tensor:
    """Probabilities from logits: of one event each, or of the events along the last dimension."""
    return torch.sigmoid(logits) if is_binary else torch.softmax(logits, dim=-1)


def probs_to_logits(probs: torch.Tensor, is_binary: bool = False) -> torch.Tensor:
    """The reverse of `logits_to_probs`."""
    clamped = clamp_probs(probs)
    return torch.log(clamped) - torch.log1p(-clamped) if is_binary else torch.log(clamped)


class lazy_property:
    """A property that is computed at its first use and kept from then on."""

    def __init__(self, wrapped):
        self.wrapped = wrapped
        self.__doc__ = wrapped.__doc__

    def __get__(self, instance, kind=None):
        if instance is None:
            return self
        with torch.enable_grad():
            value = self.wrapped(instance)
        setattr(instance, self.wrapped.__name__, value)
        return value
