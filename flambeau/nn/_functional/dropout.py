"""Dropout: factors drawn when the call is recorded, one multiplication in the program."""
import warnings

import flambeau
from flambeau.ops.nn_activation import scale_by_mask, scale_by_mask_alpha
from flambeau.ops.random import dropout_mask


def _check(p):
    if p < 0.0 or p > 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def _factors(input, p, shape):
    """Factors of ``shape``; of the input's own shape and order of memory when that is None."""
    if shape is None:
        return dropout_mask(input.shape, p, input.dtype, like=input)
    return dropout_mask(shape, p, input.dtype)


def _drop(input, p, training, inplace, shape=None):
    """Multiply by factors of ``shape``; nothing is drawn for p of 0 or 1, as in PyTorch."""
    if not training or p == 0 or input.numel() == 0:
        return input
    if p == 1:
        output = input * flambeau.zeros((), dtype=input.dtype)
    else:
        output = scale_by_mask(input, _factors(input, p, shape))
    return input._assign(output, mark=False) if inplace else output


def dropout(input, p=0.5, training=True, inplace=False):
    """Zero elements with probability ``p`` and scale the others by ``1 / (1 - p)``.

    The factors are PyTorch's for the same seed.

    >>> import flambeau as torch
    >>> torch.nn.functional.dropout(torch.ones(4), training=False)
    tensor([1., 1., 1., 1.])
    """
    _check(p)
    if not isinstance(input, flambeau.Tensor):
        raise TypeError("dropout(): argument 'input' (position 1) must be Tensor, not "
                        f"{type(input).__name__}")
    return _drop(input, p, training, inplace)


def _feature_shape(input, p, training):
    """One factor per sample and channel; None where nothing will be drawn."""
    if not training or p == 0:
        return None
    if input.dim() < 2:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
    return tuple(input.shape[:2]) + (1,) * (input.dim() - 2)


def dropout1d(input, p=0.5, training=True, inplace=False):
    """Zero whole channels of ``(N, C, L)`` or ``(C, L)`` with probability ``p``."""
    _check(p)
    if input.dim() not in (2, 3):
        raise RuntimeError(
            f"dropout1d: Expected 2D or 3D input, but received a {input.dim()}D input. Note that "
            "dropout1d exists to provide channel-wise dropout on inputs with 1 spatial dimension, "
            "a channel dimension, and an optional batch dimension (i.e. 2D or 3D inputs)."
        )
    if input.dim() == 3:
        return _drop(input, p, training, inplace, _feature_shape(input, p, training))
    output = _drop(input, p, training, False, (input.shape[0], 1))
    return input._assign(output, mark=False) if inplace else output


def dropout2d(input, p=0.5, training=True, inplace=False):
    """Zero whole channels of ``(N, C, H, W)`` with probability ``p``."""
    _check(p)
    if input.dim() not in (3, 4):
        warnings.warn(
            f"dropout2d: Received a {input.dim()}-D input to dropout2d, which is deprecated and "
            "will result in an error in a future release. To retain the behavior and silence this "
            "warning, please use dropout instead. Note that dropout2d exists to provide "
            "channel-wise dropout on inputs with 2 spatial dimensions, a channel dimension, and "
            "an optional batch dimension (i.e. 3D or 4D inputs).",
            stacklevel=2,
        )
    if input.dim() == 3:
        warnings.warn(
            "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D "
            "dropout behavior is desired - input is interpreted as shape (N, C, L), where C is "
            "the channel dim. This behavior will change in a future release to interpret the "
            "input as one without a batch dimension, i.e. shape (C, H, W). To maintain the 1D "
            "channel-wise dropout behavior, please switch to using dropout1d instead.",
            stacklevel=2,
        )
    return _drop(input, p, training, inplace, _feature_shape(input, p, training))


def dropout3d(input, p=0.5, training=True, inplace=False):
    """Zero whole channels of ``(N, C, D, H, W)`` or ``(C, D, H, W)`` with probability ``p``."""
    _check(p)
    if input.dim() not in (4, 5):
        warnings.warn(
            f"dropout3d: Received a {input.dim()}-D input to dropout3d, which is deprecated and "
            "will result in an error in a future release. To retain the behavior and silence this "
            "warning, please use dropout instead. Note that dropout3d exists to provide "
            "channel-wise dropout on inputs with 3 spatial dimensions, a channel dimension, and "
            "an optional batch dimension (i.e. 4D or 5D inputs).",
            stacklevel=2,
        )
    if input.dim() == 4:
        shape = (input.shape[0], 1, 1, 1)
    else:
        shape = _feature_shape(input, p, training)
    return _drop(input, p, training, inplace, shape)


def _drop_alpha(input, p, training, inplace, shape=None):
    if not training or p == 0 or input.numel() == 0:
        return input
    if p == 1:
        output = input * flambeau.zeros((), dtype=input.dtype)
    else:
        output = scale_by_mask_alpha(input, _factors(input, p, shape), p)
    return input._assign(output, mark=False) if inplace else output


def alpha_dropout(input, p=0.5, training=False, inplace=False):
    """Dropout that keeps mean and variance under ``selu``; Klambauer et al., 2017."""
    _check(p)
    return _drop_alpha(input, p, training, inplace)


def feature_alpha_dropout(input, p=0.5, training=False, inplace=False):
    """``alpha_dropout`` of whole channels."""
    _check(p)
    return _drop_alpha(input, p, training, inplace, _feature_shape(input, p, training))
