"""Folding batch normalisation into the layer before it, for evaluation."""
import copy

import flambeau

from ..parameter import Parameter

__all__ = [
    "fuse_conv_bn_eval", "fuse_conv_bn_weights", "fuse_linear_bn_eval", "fuse_linear_bn_weights",
]


def _scale_and_shift(bias, mean, variance, eps, weight, shift):
    """BatchNorm as ``y = x * scale + offset``, the layer's own bias included in the offset."""
    scale = flambeau.rsqrt(variance + eps)
    if weight is not None:
        scale = scale * weight
    offset = ((0 if bias is None else bias) - mean) * scale
    return scale, offset if shift is None else offset + shift


def fuse_conv_bn_weights(
    conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, transpose=False
):
    """Return weight and bias of a convolution followed by a batch normalisation."""
    scale, offset = _scale_and_shift(conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b)
    shape = [1] * conv_w.dim()
    shape[1 if transpose else 0] = -1
    weight = (conv_w * scale.reshape(shape)).to(conv_w.dtype)
    bias = offset.to(conv_w.dtype if conv_b is None else conv_b.dtype)
    bias_grad = conv_b is not None and conv_b.requires_grad
    return Parameter(weight.detach(), conv_w.requires_grad), Parameter(bias.detach(), bias_grad)


def fuse_linear_bn_weights(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b):
    """Return weight and bias of a linear layer followed by a batch normalisation."""
    scale, offset = _scale_and_shift(linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b)
    weight = (linear_w * scale.unsqueeze(-1)).to(linear_w.dtype)
    bias = offset.to(linear_w.dtype if linear_b is None else linear_b.dtype)
    bias_grad = linear_b is not None and linear_b.requires_grad
    return Parameter(weight.detach(), linear_w.requires_grad), Parameter(bias.detach(), bias_grad)


def _check(layer, bn):
    if layer.training or bn.training:
        raise AssertionError("Fusion only for eval!")
    if bn.running_mean is None or bn.running_var is None:
        raise AssertionError("bn.running_mean and bn.running_var must not be None")


def fuse_conv_bn_eval(conv, bn, transpose=False):
    """Return a copy of ``conv`` that computes ``bn(conv(x))``; both must be in eval mode."""
    _check(conv, bn)
    fused = copy.deepcopy(conv)
    fused.weight, fused.bias = fuse_conv_bn_weights(
        fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias,
        transpose,
    )
    return fused


def fuse_linear_bn_eval(linear, bn):
    """Return a copy of ``linear`` that computes ``bn(linear(x))``; both must be in eval mode."""
    _check(linear, bn)
    if linear.out_features != bn.num_features and bn.num_features != 1:
        raise AssertionError(
            "To fuse, linear.out_features == bn.num_features or bn.num_features == 1, got "
            f"linear.out_features={linear.out_features} and bn.num_features={bn.num_features}"
        )
    fused = copy.deepcopy(linear)
    fused.weight, fused.bias = fuse_linear_bn_weights(
        fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias
    )
    return fused
