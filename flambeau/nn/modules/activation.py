"""Activation functions as modules (attention lives in ``_attention.py`` and is listed here too)."""
import warnings

import flambeau

from .. import functional as F
from ..parameter import Parameter
from ._attention import MultiheadAttention
from .module import Module

__all__ = [
    "CELU", "ELU", "GELU", "GLU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh",
    "LeakyReLU", "LogSigmoid", "LogSoftmax", "Mish", "MultiheadAttention", "PReLU", "RReLU",
    "ReLU", "ReLU6", "SELU", "SiLU", "Sigmoid", "Softmax", "Softmax2d", "Softmin", "Softplus",
    "Softshrink", "Softsign", "Tanh", "Tanhshrink", "Threshold",
]


class _Activation(Module):
    """An activation whose ``repr`` lists the attributes ``_shown`` and a true ``inplace``."""

    _shown = ()

    def extra_repr(self):
        parts = [f"{name}={getattr(self, name)}" for name in self._shown]
        if getattr(self, "inplace", False):
            parts.append("inplace=True")
        return ", ".join(parts)


class _InplaceActivation(_Activation):
    """An activation with the single option ``inplace``."""

    __constants__ = ["inplace"]
    _function = None

    def __init__(self, inplace=False):
        super().__init__()
        self.inplace = inplace

    def forward(self, input):
        return self._function(input, self.inplace)


class _PlainActivation(Module):
    """An activation without options."""

    _function = None

    def forward(self, input):
        return self._function(input)


# ---- without parameters but inplace ----


class ReLU(_InplaceActivation):
    """``max(0, x)``.

    >>> import flambeau as torch
    >>> torch.nn.ReLU()(torch.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    _function = staticmethod(F.relu)


class SiLU(_InplaceActivation):
    """``x * sigmoid(x)``, also called swish."""

    _function = staticmethod(F.silu)


class Mish(_InplaceActivation):
    """``x * tanh(softplus(x))``; Misra, 2019, https://arxiv.org/abs/1908.08681."""

    _function = staticmethod(F.mish)


class SELU(_InplaceActivation):
    """``scale * (max(0, x) + min(0, alpha (exp(x) - 1)))`` with the self-normalising constants."""

    _function = staticmethod(F.selu)


class Hardswish(_InplaceActivation):
    """``x * relu6(x + 3) / 6``; Howard et al., 2019, https://arxiv.org/abs/1905.02244."""

    _function = staticmethod(F.hardswish)

    def extra_repr(self):
        return ""


class Hardsigmoid(_InplaceActivation):
    """``relu6(x + 3) / 6``."""

    _function = staticmethod(F.hardsigmoid)

    def extra_repr(self):
        return ""


class Sigmoid(_PlainActivation):
    """``1 / (1 + exp(-x))``."""

    _function = staticmethod(flambeau.sigmoid)


class Tanh(_PlainActivation):
    """The hyperbolic tangent."""

    _function = staticmethod(flambeau.tanh)


class LogSigmoid(_PlainActivation):
    """``log(1 / (1 + exp(-x)))``."""

    _function = staticmethod(F.logsigmoid)


class Softsign(_PlainActivation):
    """``x / (1 + |x|)``."""

    _function = staticmethod(F.softsign)


class Tanhshrink(_PlainActivation):
    """``x - tanh(x)``."""

    _function = staticmethod(F.tanhshrink)


# ---- with numbers ----


class Threshold(_Activation):
    """``x`` where it exceeds ``threshold``, else ``value``."""

    __constants__ = ["threshold", "value", "inplace"]
    _shown = ("threshold", "value")

    def __init__(self, threshold, value, inplace=False):
        super().__init__()
        self.threshold = threshold
        self.value = value
        self.inplace = inplace

    def forward(self, input):
        return F.threshold(input, self.threshold, self.value, self.inplace)


class RReLU(_Activation):
    """Leaky ReLU whose slope is drawn from ``U(lower, upper)`` in training."""

    __constants__ = ["lower", "upper", "inplace"]
    _shown = ("lower", "upper")

    def __init__(self, lower=1.0 / 8, upper=1.0 / 3, inplace=False):
        super().__init__()
        self.lower = lower
        self.upper = upper
        self.inplace = inplace

    def forward(self, input):
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)


class Hardtanh(_Activation):
    """``x`` cut to ``[min_val, max_val]``."""

    __constants__ = ["min_val", "max_val", "inplace"]
    _shown = ("min_val", "max_val")

    def __init__(self, min_val=-1.0, max_val=1.0, inplace=False, min_value=None, max_value=None):
        super().__init__()
        if min_value is not None:
            warnings.warn(
                "keyword argument `min_value` is deprecated and renamed to `min_val`",
                FutureWarning,
                stacklevel=2,
            )
            min_val = min_value
        if max_value is not None:
            warnings.warn(
                "keyword argument `max_value` is deprecated and renamed to `max_val`",
                FutureWarning,
                stacklevel=2,
            )
            max_val = max_value
        if max_val <= min_val:
            raise AssertionError(f"max_val ({max_val}) must be greater than min_val ({min_val})")
        self.min_val = min_val
        self.max_val = max_val
        self.inplace = inplace

    def forward(self, input):
        return F.hardtanh(input, self.min_val, self.max_val, self.inplace)


class ReLU6(Hardtanh):
    """``min(max(0, x), 6)``."""

    _shown = ()

    def __init__(self, inplace=False):
        super().__init__(0.0, 6.0, inplace)


class _AlphaActivation(_Activation):
    __constants__ = ["alpha", "inplace"]
    _shown = ("alpha",)
    _function = None

    def __init__(self, alpha=1.0, inplace=False):
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    def forward(self, input):
        return self._function(input, self.alpha, self.inplace)


class ELU(_AlphaActivation):
    """``x`` where positive, else ``alpha * (exp(x) - 1)``."""

    _function = staticmethod(F.elu)


class CELU(_AlphaActivation):
    """``max(0, x) + min(0, alpha * (exp(x / alpha) - 1))``."""

    _function = staticmethod(F.celu)


class LeakyReLU(_Activation):
    """``x`` where positive, else ``negative_slope * x``."""

    __constants__ = ["inplace", "negative_slope"]
    _shown = ("negative_slope",)

    def __init__(self, negative_slope=0.01, inplace=False):
        super().__init__()
        self.negative_slope = negative_slope
        self.inplace = inplace

    def forward(self, input):
        return F.leaky_relu(input, self.negative_slope, self.inplace)


class GELU(Module):
    """``x * Phi(x)`` with the normal distribution function, or its ``"tanh"`` approximation.

    Reference: Hendrycks and Gimpel, 2016, https://arxiv.org/abs/1606.08415.
    """

    __constants__ = ["approximate"]

    def __init__(self, approximate="none"):
        super().__init__()
        self.approximate = approximate

    def forward(self, input):
        return F.gelu(input, approximate=self.approximate)

    def extra_repr(self):
        return f"approximate={self.approximate!r}"


class Softplus(_Activation):
    """``log(1 + exp(beta x)) / beta``; linear where ``beta x > threshold``."""

    __constants__ = ["beta", "threshold"]
    _shown = ("beta", "threshold")

    def __init__(self, beta=1.0, threshold=20.0):
        super().__init__()
        self.beta = beta
        self.threshold = threshold

    def forward(self, input):
        return F.softplus(input, self.beta, self.threshold)


class _Shrink(Module):
    __constants__ = ["lambd"]
    _function = None

    def __init__(self, lambd=0.5):
        super().__init__()
        self.lambd = lambd

    def forward(self, input):
        return self._function(input, self.lambd)

    def extra_repr(self):
        return f"{self.lambd}"


class Hardshrink(_Shrink):
    """``x`` where ``|x| > lambd``, else 0."""

    _function = staticmethod(F.hardshrink)


class Softshrink(_Shrink):
    """``x - lambd`` where ``x > lambd``, ``x + lambd`` where ``x < -lambd``, else 0."""

    _function = staticmethod(F.softshrink)


class PReLU(_Activation):
    """``x`` where positive, else ``weight * x`` with a learned weight per channel or for all."""

    __constants__ = ["num_parameters"]
    _shown = ("num_parameters",)

    def __init__(self, num_parameters=1, init=0.25, device=None, dtype=None):
        super().__init__()
        self.num_parameters = num_parameters
        self.init = init
        self.weight = Parameter(flambeau.empty(num_parameters, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self):
        from ..init import constant_

        constant_(self.weight, self.init)

    def forward(self, input):
        return F.prelu(input, self.weight)


# ---- along a dimension ----


class _AlongDim(_Activation):
    __constants__ = ["dim"]
    _shown = ("dim",)
    _function = None

    def __init__(self, dim=None):
        super().__init__()
        self.dim = dim

    def __setstate__(self, state):
        super().__setstate__(state)
        self.__dict__.setdefault("dim", None)

    def forward(self, input):
        return self._function(input, self.dim, _stacklevel=5)


class Softmax(_AlongDim):
    """``exp(x_i) / sum_j exp(x_j)`` along ``dim``.

    >>> import flambeau as torch
    >>> torch.nn.Softmax(dim=0)(torch.zeros(2))
    tensor([0.5000, 0.5000])
    """

    _function = staticmethod(F.softmax)


class Softmin(_AlongDim):
    """``softmax(-x)`` along ``dim``."""

    _function = staticmethod(F.softmin)


class LogSoftmax(_AlongDim):
    """``log(softmax(x))`` along ``dim``."""

    _function = staticmethod(F.log_softmax)


class Softmax2d(Module):
    """Softmax over the channels of ``(N, C, H, W)`` or ``(C, H, W)``."""

    def forward(self, input):
        if input.dim() not in (3, 4):
            raise ValueError(
                f"Softmax2d: expected input to be 3D or 4D, got {input.dim()}D instead"
            )
        return F.softmax(input, -3, _stacklevel=5)


class GLU(_Activation):
    """``a * sigmoid(b)`` for the two halves of the input along ``dim``."""

    __constants__ = ["dim"]
    _shown = ("dim",)

    def __init__(self, dim=-1):
        super().__init__()
        self.dim = dim

    def forward(self, input):
        return F.glu(input, self.dim)
