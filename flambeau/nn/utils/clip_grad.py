"""Clipping gradients: one recorded operation for the norm, one for scaling all of them."""
import math
import types
import warnings

import flambeau
from flambeau.ops import nn_gradients as ops

__all__ = [
    "clip_grad_norm", "clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_",
    "get_total_norm",
]


def _as_list(tensors):
    return [tensors] if isinstance(tensors, flambeau.Tensor) else list(tensors)


def _gradients(parameters):
    return [parameter.grad for parameter in parameters if parameter.grad is not None]


def _replace(gradients, values):
    for gradient, value in zip(gradients, values):
        gradient._assign(value)


def get_total_norm(tensors, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """Return the norm of all elements of the tensors, as if they were one vector.

    Args:
        norm_type: the p of the p-norm, also ``inf``.
        error_if_nonfinite: raise where the norm is infinite or NaN.
        foreach: has no effect: all tensors are always handled by one program.
    """
    tensors = _as_list(tensors)
    norm_type = float(norm_type)
    if not tensors:
        return flambeau.tensor(0.0)
    with flambeau.no_grad():
        total = ops.total_norm(tensors, norm_type)
    if error_if_nonfinite and not math.isfinite(float(total)):
        raise RuntimeError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, "
            "so it cannot be clipped. To disable this error and scale the gradients by the "
            "non-finite norm anyway, set `error_if_nonfinite=False`"
        )
    return total


def clip_grads_with_norm_(parameters, max_norm, total_norm, foreach=None):
    """Scale the gradients by ``min(1, max_norm / (total_norm + 1e-6))``, in place."""
    gradients = _gradients(_as_list(parameters))
    if gradients:
        with flambeau.no_grad():
            scaled = ops.scale_all(gradients, total_norm, float(max_norm))
            _replace(gradients, scaled)


def clip_grad_norm_(
    parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None
):
    """Scale the gradients, in place, so that their common norm is at most ``max_norm``.

    Returns the norm before scaling.

    >>> import flambeau as torch
    >>> w = torch.nn.Parameter(torch.zeros(2))
    >>> w.grad = torch.tensor([3.0, 4.0])
    >>> torch.nn.utils.clip_grad_norm_([w], max_norm=1.0)
    tensor(5.)
    >>> w.grad
    tensor([0.6000, 0.8000])
    """
    is_generator = isinstance(parameters, types.GeneratorType)
    parameters = _as_list(parameters)
    if is_generator and not parameters:
        warnings.warn(
            "`parameters` is an empty generator, no gradient clipping will occur.", stacklevel=2
        )
    total = get_total_norm(_gradients(parameters), norm_type, error_if_nonfinite, foreach)
    clip_grads_with_norm_(parameters, max_norm, total, foreach)
    return total


def clip_grad_norm(
    parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None
):
    """Deprecated name of :func:`clip_grad_norm_`."""
    warnings.warn(
        "`torch.nn.utils.clip_grad_norm` is now deprecated in favor of "
        "`torch.nn.utils.clip_grad_norm_`.",
        FutureWarning,
        stacklevel=2,
    )
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


def clip_grad_value_(parameters, clip_value, foreach=None):
    """Cut every element of the gradients to ``[-clip_value, clip_value]``, in place."""
    gradients, clip_value = _gradients(_as_list(parameters)), float(clip_value)
    if gradients:
        with flambeau.no_grad():
            _replace(gradients, ops.clamp_all(gradients, clip_value))
