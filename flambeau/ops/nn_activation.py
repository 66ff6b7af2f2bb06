"""Activation functions that only neural networks use; relu, tanh and the like are in pointwise."""

from __future__ import annotations

import math

from ._nn_common import check_floating, per_channel
from .build import cast, expand_to, full_like, node_of, normalise_dim, p, to_float
from .declare import operation

__all__ = ["celu", "elu", "gelu", "glu", "gumbel_softmax_soft", "hardshrink", "hardsigmoid",
           "hardswish", "hardtanh", "leaky_relu", "logsigmoid", "mish", "prelu", "scale_by_mask",
           "scale_by_mask_alpha", "selu", "silu", "softplus", "softshrink", "softsign",
           "tanhshrink", "threshold"]

_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946


def _activation(body):
    """Declare under nn.functional, not as a method."""
    return operation(method=False, namespace="nn.functional")(body)


def _like(number, node):
    """A number, Python's or the program's, in the shape and type of `node`."""
    return expand_to(node_of(number, node.dtype), node.shape)


def _zero(node):
    return full_like(node, 0)


@_activation
def threshold(input: Tensor, threshold: Number, value: Number):
    """``x`` where ``x > threshold``, else ``value``."""
    return p.where(p.gt(input, _like(threshold, input)), input, _like(value, input))


@_activation
def hardtanh(input: Tensor, min_val: Number = -1.0, max_val: Number = 1.0):
    """``x`` cut to [min_val, max_val]; no gradient at the bounds."""
    low, high = _like(min_val, input), _like(max_val, input)
    inner = p.where(p.ge(input, high), high, input)
    return p.where(p.le(input, low), low, inner)


@_activation
def leaky_relu(input: Tensor, negative_slope: Number = 0.01):
    """``x`` where positive, else ``negative_slope * x``."""
    check_floating(input, "leaky_relu_cpu")
    return p.where(p.gt(input, _zero(input)), input, p.mul(input, _like(negative_slope, input)))


def _exponential_part(x, alpha, scale=None):
    """``alpha (exp(x / scale) - 1)`` where x <= 0 and 0 elsewhere, without overflow."""
    low = p.where(p.gt(x, _zero(x)), _zero(x), x)
    inner = low if scale is None else p.div(low, scale)
    return p.mul(alpha, p.expm1(inner))


@_activation
def elu(input: Tensor, alpha: Number = 1.0):
    """``x`` where positive, else ``alpha (exp(x) - 1)``."""
    check_floating(input, "elu_cpu")
    low = _exponential_part(input, _like(alpha, input))
    return p.where(p.gt(input, _zero(input)), input, low)


@_activation
def celu(input: Tensor, alpha: Number = 1.0):
    """``x`` where positive, else ``alpha (exp(x / alpha) - 1)``."""
    check_floating(input, "celu")
    alpha = _like(alpha, input)
    return p.where(p.gt(input, _zero(input)), input, _exponential_part(input, alpha, alpha))


@_activation
def selu(input: Tensor):
    """The scaled elu whose constants keep mean 0 and variance 1."""
    check_floating(input, "selu")
    low = _exponential_part(input, full_like(input, _SELU_ALPHA * _SELU_SCALE))
    high = p.mul(input, full_like(input, _SELU_SCALE))
    return p.where(p.gt(input, _zero(input)), high, low)


@_activation
def gelu(input: Tensor, approximate: str = "none"):
    """``x Phi(x)``, or with ``approximate="tanh"`` its approximation.

    >>> import flambeau as torch
    >>> torch.nn.functional.gelu(torch.tensor([1.0]))
    tensor([0.8413])
    """
    check_floating(input, "GeluKernelImpl")
    half = full_like(input, 0.5)
    one = full_like(input, 1)
    if approximate == "none":
        inner = p.erf(p.mul(input, full_like(input, math.sqrt(0.5))))
    elif approximate == "tanh":
        cube = p.mul(input, p.mul(input, input))
        inner = p.add(input, p.mul(cube, full_like(input, 0.044715)))
        inner = p.tanh(p.mul(inner, full_like(input, math.sqrt(2 / math.pi))))
    else:
        raise RuntimeError("approximate argument must be either none or tanh.")
    return p.mul(p.mul(half, input), p.add(one, inner))


@_activation
def silu(input: Tensor):
    """``x sigmoid(x)``."""
    check_floating(input, "silu_cpu")
    return p.mul(input, p.sigmoid(input))


def softplus_of(x, beta, threshold):
    """``log(1 + exp(beta x)) / beta`` of a node, linear above the threshold."""
    z = p.mul(x, beta)
    large = p.gt(z, threshold)
    z = p.where(large, _zero(z), z)
    return p.where(large, x, p.div(p.log1p(p.exp(z)), beta))


@_activation
def softplus(input: Tensor, beta: Number = 1.0, threshold: Number = 20.0):
    """``log(1 + exp(beta x)) / beta``; ``x`` where ``beta x > threshold``."""
    check_floating(input, "softplus_cpu")
    return softplus_of(input, _like(beta, input), _like(threshold, input))


@_activation
def mish(input: Tensor):
    """``x tanh(softplus(x))``."""
    check_floating(input, "mish_cpu")
    soft = softplus_of(input, full_like(input, 1), full_like(input, 20))
    return p.mul(input, p.tanh(soft))


def logsigmoid_of(x):
    """``log(sigmoid(x))`` of a node, without overflow and with a slope of 1/2 at 0."""
    small = p.minimum(x, _zero(x))
    return p.sub(small, p.log1p(p.exp(p.neg(p.abs(x)))))


@_activation
def logsigmoid(input: Tensor):
    """``log(1 / (1 + exp(-x)))``."""
    check_floating(input, "log_sigmoid_cpu")
    return logsigmoid_of(input)


@_activation
def hardsigmoid(input: Tensor):
    """``min(max(x + 3, 0), 6) / 6``."""
    check_floating(input, "hardsigmoid_cpu")
    inner = p.div(p.add(input, full_like(input, 3)), full_like(input, 6))
    inner = p.where(p.ge(input, full_like(input, 3)), full_like(input, 1), inner)
    return p.where(p.le(input, full_like(input, -3)), _zero(input), inner)


@_activation
def hardswish(input: Tensor):
    """``x min(max(x + 3, 0), 6) / 6``."""
    check_floating(input, "hardswish_cpu")
    inner = p.div(p.mul(input, p.add(input, full_like(input, 3))), full_like(input, 6))
    inner = p.where(p.ge(input, full_like(input, 3)), input, inner)
    return p.where(p.le(input, full_like(input, -3)), _zero(input), inner)


@_activation
def hardshrink(input: Tensor, lambd: Number = 0.5):
    """``x`` where ``|x| > lambd``, else 0."""
    inside = p.le(p.abs(p.detach(input)), _like(lambd, input))
    return p.where(inside, _zero(input), input)


@_activation
def softshrink(input: Tensor, lambd: Number = 0.5):
    """``x`` moved towards 0 by ``lambd``, 0 in between."""
    step = _like(lambd, input)
    low = p.where(p.lt(input, p.neg(step)), p.add(input, step), _zero(input))
    return p.where(p.gt(input, step), p.sub(input, step), low)


@_activation
def softsign(input: Tensor):
    """``x / (1 + |x|)``."""
    x = to_float(input)
    return p.div(x, p.add(full_like(x, 1), cast(p.abs(x), x.dtype)))


@_activation
def tanhshrink(input: Tensor):
    """``x - tanh(x)``."""
    x = to_float(input)
    return p.sub(x, p.tanh(x))


@_activation
def prelu(input: Tensor, weight: Tensor):
    """``x`` where positive, else ``weight * x`` with one weight or one per channel."""
    if weight.numel != 1:
        channels = input.shape[1] if input.ndim > 1 else 1
        if input.ndim == 0:
            raise RuntimeError("Not allow zero-dim input tensor.")
        if channels != weight.numel:
            raise RuntimeError("Mismatch of parameter numbers and input channel size. Found "
                               f"parameter numbers = {weight.numel} and channel size = {channels}.")
    if weight.ndim > 1:
        raise RuntimeError("prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = "
                           f"{weight.ndim}")
    if weight.numel == 1:
        slope = p.reshape(weight, shape=(1,) * input.ndim)
    else:
        slope = per_channel(weight, input.ndim, min(1, input.ndim - 1))
    slope = expand_to(cast(slope, input.dtype), input.shape)
    return p.where(p.gt(input, _zero(input)), input, p.mul(input, slope))


@_activation
def glu(input: Tensor, dim: int = -1):
    """``a sigmoid(b)`` for the halves a and b of ``input`` along ``dim``."""
    from ..graph.primitives.movement import slice_dim

    if input.ndim == 0:
        raise RuntimeError("glu does not support 0-dimensional tensors")
    dim = normalise_dim(dim, input.ndim)
    size = input.shape[dim]
    if size % 2:
        raise RuntimeError(f"Halving dimension must be even, but dimension {dim} is size {size}")
    first = slice_dim(input, dim, 0, size // 2)
    return p.mul(first, p.sigmoid(slice_dim(input, dim, size // 2, size)))


# ---- with random factors, drawn by the caller ----


@_activation
def scale_by_mask(input: Tensor, mask: Tensor):
    """``input * mask``: dropout with the given factors."""
    return p.mul(input, expand_to(mask, input.shape))


@_activation
def scale_by_mask_alpha(input: Tensor, mask: Tensor, p_drop: Number):
    """Alpha dropout: dropped values go to selu's limit, then mean and variance are restored.

    ``mask`` holds ``1 / (1 - p)`` and 0.
    """
    drop = node_of(p_drop, input.dtype)
    one = full_like(drop, 1)
    keep = p.sub(one, drop)
    alpha = full_like(drop, _SELU_ALPHA * _SELU_SCALE)
    a = p.rsqrt(p.mul(p.add(p.mul(p.mul(alpha, alpha), drop), one), keep))
    a = expand_to(a, input.shape)
    alpha = expand_to(alpha, input.shape)
    kept = expand_to(p.mul(mask, expand_to(keep, mask.shape)), input.shape)
    shift = p.mul(p.sub(kept, full_like(kept, 1)), p.mul(alpha, a))
    shift = p.add(shift, p.mul(p.mul(alpha, a), expand_to(drop, input.shape)))
    return p.add(p.mul(input, p.mul(kept, a)), shift)


@_activation
def gumbel_softmax_soft(logits: Tensor, noise: Tensor, tau: Number, dim: int):
    """``softmax((logits - log(noise)) / tau)`` for exponentially distributed ``noise``."""
    dim = normalise_dim(dim, logits.ndim)
    scores = p.div(p.sub(logits, p.log(noise)), _like(tau, logits))
    return softmax_of(scores, dim)


def softmax_of(x, dim):
    """The softmax of a node along `dim`."""
    from .build import spread

    top = spread(p.detach(p.reduce_max(x, dims=(dim,))), x.shape, (dim,))
    powers = p.exp(p.sub(x, top))
    return p.div(powers, spread(p.reduce_sum(powers, dims=(dim,)), x.shape, (dim,)))


def log_softmax_of(x, dim):
    """The logarithm of the softmax of a node along `dim`."""
    from .build import spread

    top = spread(p.detach(p.reduce_max(x, dims=(dim,))), x.shape, (dim,))
    moved = p.sub(x, top)
    total = p.log(p.reduce_sum(p.exp(moved), dims=(dim,)))
    return p.sub(moved, spread(total, x.shape, (dim,)))
