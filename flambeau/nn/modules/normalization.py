"""Normalisation without batch statistics: layer, RMS, group and local response."""
import numbers

import flambeau

from .. import functional as F
from .. import init
from ..parameter import Parameter
from .module import Module

__all__ = ["CrossMapLRN2d", "GroupNorm", "LayerNorm", "LocalResponseNorm", "RMSNorm"]


class LocalResponseNorm(Module):
    """Divide by a power of the mean square over ``size`` neighbouring channels.

    ``y_c = x_c / (k + alpha / size * sum_{c'} x_{c'}^2)^beta``.

    Reference: Krizhevsky et al., 2012.
    """

    __constants__ = ["size", "alpha", "beta", "k"]

    def __init__(self, size, alpha=1e-4, beta=0.75, k=1.0):
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input):
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self):
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class CrossMapLRN2d(LocalResponseNorm):
    """:class:`LocalResponseNorm` of ``(N, C, H, W)`` under the name of Lua Torch."""

    def __init__(self, size, alpha=1e-4, beta=0.75, k=1):
        super().__init__(size, alpha, beta, k)

    def forward(self, input):
        if input.dim() != 4:
            raise ValueError(
                f"CrossMapLRN2d: Expected input to be 4D, got {input.dim()}D instead."
            )
        return super().forward(input)


class _ShapeNorm(Module):
    """Weight (and bias) of the shape of the normalised dimensions."""

    __constants__ = ["normalized_shape", "eps", "elementwise_affine"]

    def _set_up(self, normalized_shape, eps, elementwise_affine, names, device, dtype):
        if isinstance(normalized_shape, numbers.Integral):
            normalized_shape = (normalized_shape,)
        self.normalized_shape = tuple(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        for name, wanted in names.items():
            parameter = None
            if wanted and elementwise_affine:
                parameter = Parameter(
                    flambeau.empty(self.normalized_shape, device=device, dtype=dtype)
                )
            self.register_parameter(name, parameter)
        self.reset_parameters()

    def _shape_hint(self, input, *_):
        return f"it normalises the last dimensions {self.normalized_shape}"


class LayerNorm(_ShapeNorm):
    """Normalise over the last dimensions: ``(x - mean) / sqrt(var + eps) * weight + bias``.

    Args:
        normalized_shape: the sizes of the last dimensions, or the size of the last one.
        eps: added to the (biased) variance.
        elementwise_affine: whether weight and bias are learned; ``bias=False`` omits the latter.

    >>> import flambeau as torch
    >>> torch.nn.LayerNorm(10)(torch.zeros(20, 5, 10)).shape
    torch.Size([20, 5, 10])

    Reference: Ba et al., 2016, https://arxiv.org/abs/1607.06450.
    """

    def __init__(
        self, normalized_shape, eps=1e-5, elementwise_affine=True, bias=True, device=None,
        dtype=None,
    ):
        super().__init__()
        names = {"weight": True, "bias": bias}
        self._set_up(normalized_shape, eps, elementwise_affine, names, device, dtype)

    def reset_parameters(self):
        if self.elementwise_affine:
            init.ones_(self.weight)
            if self.bias is not None:
                init.zeros_(self.bias)

    def forward(self, input):
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self):
        return (
            f"{self.normalized_shape}, eps={self.eps}, "
            f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        )


class RMSNorm(_ShapeNorm):
    """Divide by the root mean square: ``x / sqrt(mean(x^2) + eps) * weight``.

    ``eps=None`` stands for the dtype's machine epsilon.

    >>> import flambeau as torch
    >>> torch.nn.RMSNorm(10)(torch.ones(20, 10)).shape
    torch.Size([20, 10])

    Reference: Zhang and Sennrich, 2019, https://arxiv.org/abs/1910.07467.
    """

    def __init__(
        self, normalized_shape, eps=None, elementwise_affine=True, device=None, dtype=None
    ):
        super().__init__()
        names = {"weight": True}
        self._set_up(normalized_shape, eps, elementwise_affine, names, device, dtype)

    def reset_parameters(self):
        if self.elementwise_affine:
            init.ones_(self.weight)

    def forward(self, x):
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self):
        return (
            f"{self.normalized_shape}, eps={self.eps}, "
            f"elementwise_affine={self.elementwise_affine}"
        )


class GroupNorm(Module):
    """Normalise groups of channels of ``(N, C, *)`` over the group and all positions.

    Args:
        num_groups, num_channels: the channels are cut into ``num_groups`` equal groups.
        eps: added to the (biased) variance.
        affine: whether weight and bias per channel are learned; ``bias=False`` omits the latter.

    >>> import flambeau as torch
    >>> torch.nn.GroupNorm(3, 6)(torch.zeros(20, 6, 10, 10)).shape
    torch.Size([20, 6, 10, 10])

    Reference: Wu and He, 2018, https://arxiv.org/abs/1803.08494.
    """

    __constants__ = ["num_groups", "num_channels", "eps", "affine"]

    def __init__(
        self, num_groups, num_channels, eps=1e-5, affine=True, device=None, dtype=None, *, bias=True
    ):
        super().__init__()
        if num_channels % num_groups != 0:
            raise ValueError(
                f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})"
            )
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        for name, wanted in (("weight", affine), ("bias", affine and bias)):
            parameter = None
            if wanted:
                parameter = Parameter(flambeau.empty(num_channels, device=device, dtype=dtype))
            self.register_parameter(name, parameter)
        self.reset_parameters()

    def reset_parameters(self):
        if self.affine:
            init.ones_(self.weight)
            if self.bias is not None:
                init.zeros_(self.bias)

    def forward(self, input):
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self):
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )
