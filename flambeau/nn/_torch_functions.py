"""Functions of layers that the torch namespace offers as well, with the signatures it has there.

``flambeau/__init__.py`` loads them by name. Where ``torch.f`` and ``nn.functional.f`` agree, the
function is the same object.
"""
from . import functional as F
from .functional import (
    adaptive_avg_pool1d,
    avg_pool1d,
    bilinear,
    celu,
    celu_,
    channel_shuffle,
    conv1d,
    conv2d,
    conv3d,
    conv_tbc,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
    cosine_similarity,
    hardshrink,
    max_pool1d,
    max_pool1d_with_indices,
    max_pool2d,
    max_pool3d,
    pairwise_distance,
    pdist,
    pixel_shuffle,
    pixel_unshuffle,
    prelu,
    rms_norm,
    rrelu,
    rrelu_,
    selu,
    selu_,
    threshold,
    threshold_,
)

__all__ = [
    "adaptive_avg_pool1d", "adaptive_max_pool1d", "alpha_dropout", "alpha_dropout_", "avg_pool1d",
    "batch_norm", "bilinear", "celu", "celu_", "channel_shuffle", "conv1d", "conv2d", "conv3d",
    "conv_tbc", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "cosine_similarity",
    "dropout", "dropout_", "embedding", "feature_alpha_dropout", "feature_dropout", "group_norm",
    "hardshrink", "instance_norm", "layer_norm", "max_pool1d", "max_pool1d_with_indices",
    "max_pool2d", "max_pool3d", "pairwise_distance", "pdist", "pixel_shuffle", "pixel_unshuffle",
    "prelu", "rms_norm", "rrelu", "rrelu_", "selu", "selu_", "threshold", "threshold_",
]


def adaptive_max_pool1d(input, output_size):
    """The maxima of windows that give ``output_size``, and their places."""
    return F.adaptive_max_pool1d(input, output_size, return_indices=True)


def batch_norm(
    input, weight, bias, running_mean, running_var, training, momentum, eps, cudnn_enabled=True
):
    """``nn.functional.batch_norm``; ``cudnn_enabled`` chooses a kernel in PyTorch, not a result."""
    return F.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


def instance_norm(
    input, weight, bias, running_mean, running_var, use_input_stats, momentum, eps,
    cudnn_enabled=True,
):
    """``nn.functional.instance_norm``; ``cudnn_enabled`` does not change the result."""
    return F.instance_norm(
        input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps
    )


def layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-5, cudnn_enable=True):
    """``nn.functional.layer_norm``; ``cudnn_enable`` does not change the result."""
    return F.layer_norm(input, normalized_shape, weight, bias, eps)


def group_norm(input, num_groups, weight=None, bias=None, eps=1e-5, cudnn_enabled=True):
    """``nn.functional.group_norm``; ``cudnn_enabled`` does not change the result."""
    return F.group_norm(input, num_groups, weight, bias, eps)


def embedding(weight, indices, padding_idx=-1, scale_grad_by_freq=False, sparse=False):
    """The rows of ``weight`` at ``indices``; no gradient for ``padding_idx`` (-1: for none)."""
    padding_idx = None if padding_idx == -1 else padding_idx
    return F.embedding(
        indices, weight, padding_idx, scale_grad_by_freq=scale_grad_by_freq, sparse=sparse
    )


def dropout(input, p, train):
    """``nn.functional.dropout``."""
    return F.dropout(input, p, train)


def dropout_(input, p, train):
    """``nn.functional.dropout`` in place."""
    return F.dropout(input, p, train, inplace=True)


def feature_dropout(input, p, train):
    """Dropout of whole channels of an input (N, C, *)."""
    from ._functional.dropout import _drop, _feature_shape

    return _drop(input, p, train, False, _feature_shape(input, p, train))


def alpha_dropout(input, p, train):
    """``nn.functional.alpha_dropout``."""
    return F.alpha_dropout(input, p, train)


def alpha_dropout_(input, p, train):
    """``nn.functional.alpha_dropout`` in place."""
    return F.alpha_dropout(input, p, train, inplace=True)


def feature_alpha_dropout(input, p, train):
    """``nn.functional.feature_alpha_dropout``."""
    return F.feature_alpha_dropout(input, p, train)
