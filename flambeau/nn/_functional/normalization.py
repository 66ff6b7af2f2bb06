"""Normalisation: operations plus the running statistics that they move."""
from flambeau.graph.ir import building
from flambeau.ops import nn_norm as ops

group_norm = ops.group_norm
layer_norm = ops.layer_norm
local_response_norm = ops.local_response_norm
rms_norm = ops.rms_norm


def normalize(input, p=2.0, dim=1, eps=1e-12, out=None):
    """``x / max(||x||_p, eps)`` along ``dim``.

    >>> import flambeau as torch
    >>> torch.nn.functional.normalize(torch.tensor([[3., 4.]]))
    tensor([[0.6000, 0.8000]])
    """
    result = ops.normalize(input, float(p), dim, eps)
    if out is None:
        return result
    out._write_out(result)
    return out


def _move(results, running_mean, running_var):
    """Write the moved statistics, which follow the output in ``results``; return the output."""
    targets = [running for running in (running_mean, running_var) if running is not None]
    if targets:
        before, building.grad_enabled = building.grad_enabled, False
        try:
            for running, moved in zip(targets, results[1:]):
                running._assign(moved)
        finally:
            building.grad_enabled = before
    return results[0]


def batch_norm(
    input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1,
    eps=1e-5,
):
    """Normalise each channel; in training by the batch, whose statistics move the running ones.

    See :class:`flambeau.nn.BatchNorm2d`.
    """
    if not training:
        return ops.batch_norm_eval(input, running_mean, running_var, weight, bias, eps)
    results = ops.batch_norm_train(
        input, running_mean, running_var, weight, bias, momentum, eps
    )
    return _move(results, running_mean, running_var)


def instance_norm(
    input, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True,
    momentum=0.1, eps=1e-5,
):
    """Normalise each channel of each sample; see :class:`flambeau.nn.InstanceNorm2d`."""
    if not use_input_stats:
        if running_mean is None or running_var is None:
            raise RuntimeError(
                "Expected running_mean and running_var to be defined when use_input_stats is false"
            )
        return ops.batch_norm_eval(input, running_mean, running_var, weight, bias, eps)
    results = ops.instance_norm_train(
        input, running_mean, running_var, weight, bias, momentum, eps
    )
    return _move(results, running_mean, running_var)
