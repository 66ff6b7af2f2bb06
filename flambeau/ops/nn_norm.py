"""Normalisation over the batch, layers, groups, instances, neighbours and norms."""

from __future__ import annotations

from ._nn_common import check_floating, check_same_dtype, computing_dtype, scaled
from .build import (
    cast,
    expand_to,
    full_like,
    mean,
    node_of,
    normalise_dims,
    p,
    spread,
    to_float,
)
from .declare import operation

__all__ = ["batch_norm_eval", "batch_norm_train", "group_norm", "instance_norm_train",
           "layer_norm", "local_response_norm", "normalize", "rms_norm"]


def _statistics(x, dims):
    """Mean, centred values and biased variance over `dims`."""
    average = mean(x, dims)
    centred = p.sub(x, spread(average, x.shape, dims))
    return average, centred, mean(p.mul(centred, centred), dims)


def _inverse_deviation(variance, eps):
    eps = expand_to(node_of(eps, variance.dtype), variance.shape)
    return p.rsqrt(p.add(variance, eps))


def _check_channels(input, **vectors):
    channels = input.shape[1] if input.ndim > 1 else 0     # a vector passes if it is empty
    for name, vector in vectors.items():
        if vector is not None and vector.numel != channels:
            raise RuntimeError(f"{name} should contain {channels} elements not {vector.numel}")


def _check_batch_input(input, weight, bias, running_mean, running_var):
    if input.ndim < 2 and input.numel:
        raise RuntimeError(f"batch_norm: expected at least 2D input (got {input.ndim}D input)")
    _check_channels(input, running_mean=running_mean, running_var=running_var, weight=weight,
                    bias=bias)
    check_floating(input, "batch_norm")
    if input.dtype.itemsize >= 4:      # 16-bit inputs may have float32 parameters
        check_same_dtype(input, weight, bias, running_mean, running_var,
                         message="mixed dtype (CPU): all inputs must share same datatype, "
                                 "but got {} and {}")


def _moved(running, new, momentum):
    """``(1 - momentum) running + momentum new``, without a gradient."""
    momentum = node_of(momentum, running.dtype)
    rest = p.sub(full_like(momentum, 1), momentum)
    kept = p.mul(running, expand_to(rest, running.shape))
    new = cast(p.detach(new), running.dtype)
    return p.detach(p.add(kept, p.mul(new, expand_to(momentum, new.shape))))


@operation(method=False, namespace="nn.functional")
def batch_norm_train(input: Tensor, running_mean: Tensor | None, running_var: Tensor | None,
                     weight: Tensor | None, bias: Tensor | None, momentum: Number, eps: Number):
    """Normalise by the batch's statistics; also the moved running mean and variance."""
    _check_batch_input(input, weight, bias, running_mean, running_var)
    dims = (0,) + tuple(range(2, input.ndim))
    count = input.numel // max(1, input.shape[1]) if input.ndim > 1 else 0
    if count == 1:
        raise ValueError("Expected more than 1 value per channel when training, got input size "
                         f"torch.Size({list(input.shape)})")
    x = cast(input, computing_dtype(input.dtype))
    if count == 0:      # nothing to learn from: the running values stay
        kept = [p.detach(r) for r in (running_mean, running_var) if r is not None]
        out = scaled(x, weight, bias) if x.ndim > 1 else p.mul(x, full_like(x, 1))
        return (cast(out, input.dtype), *kept)
    average, centred, variance = _statistics(x, dims)
    out = p.mul(centred, spread(_inverse_deviation(variance, eps), x.shape, dims))
    results = [cast(scaled(out, weight, bias), input.dtype)]
    if running_mean is not None:
        results.append(_moved(running_mean, average, momentum))
    if running_var is not None:
        unbiased = p.mul(variance, full_like(variance, count / (count - 1)))
        results.append(_moved(running_var, unbiased, momentum))
    return tuple(results)


@operation(method=False, namespace="nn.functional")
def batch_norm_eval(input: Tensor, running_mean: Tensor | None, running_var: Tensor | None,
                    weight: Tensor | None, bias: Tensor | None, eps: Number):
    """Normalise each channel by the given mean and variance."""
    if running_mean is None:
        raise RuntimeError("running_mean must be defined in evaluation mode")
    if running_var is None:
        raise RuntimeError("running_var must be defined in evaluation mode")
    _check_batch_input(input, weight, bias, running_mean, running_var)
    x = cast(input, computing_dtype(input.dtype))
    if x.ndim < 2:
        return p.mul(input, full_like(input, 1))
    scale = _inverse_deviation(cast(running_var, x.dtype), eps)
    shift = p.neg(cast(running_mean, x.dtype))
    if weight is not None:
        scale = p.mul(scale, cast(weight, x.dtype))
    shift = p.mul(shift, scale)
    if bias is not None:
        shift = p.add(shift, cast(bias, x.dtype))
    return cast(scaled(x, scale, shift), input.dtype)


@operation(method=False, namespace="nn.functional")
def instance_norm_train(input: Tensor, running_mean: Tensor | None, running_var: Tensor | None,
                        weight: Tensor | None, bias: Tensor | None, momentum: Number, eps: Number):
    """Normalise each channel of each sample; also the moved running mean and variance."""
    if input.ndim < 2:
        raise RuntimeError(f"instance_norm: expected at least 2D input (got {input.ndim}D input)")
    check_floating(input, "batch_norm")
    _check_channels(input, running_mean=running_mean, running_var=running_var, weight=weight,
                    bias=bias)
    dims = tuple(range(2, input.ndim))
    count = input.numel // max(1, input.shape[0] * input.shape[1])
    if count == 1:
        raise ValueError("Expected more than 1 spatial element when training, got input size "
                         f"torch.Size({list(input.shape)})")
    x = cast(input, computing_dtype(input.dtype))
    average, centred, variance = _statistics(x, dims)
    out = p.mul(centred, spread(_inverse_deviation(variance, eps), x.shape, dims))
    results = [cast(scaled(out, weight, bias), input.dtype)]
    if running_mean is not None:
        results.append(_moved(running_mean, mean(average, (0,)), momentum))
    if running_var is not None:
        unbiased = p.mul(variance, full_like(variance, count / (count - 1)))
        results.append(_moved(running_var, mean(unbiased, (0,)), momentum))
    return tuple(results)


# ---- over the last dimensions ----


def _last_dims(input, normalized_shape, star):
    shape = tuple(normalized_shape)
    if not shape:
        raise RuntimeError("Expected normalized_shape to be at least 1-dimensional, i.e., "
                           "containing at least one element, but got normalized_shape = []")
    if input.ndim < len(shape) or input.shape[input.ndim - len(shape):] != shape:
        wanted = ", ".join(map(str, shape))
        raise RuntimeError(f"Given normalized_shape={list(shape)}, expected input with shape "
                           f"[{star}{wanted}], but got input of size{list(input.shape)}")
    return tuple(range(input.ndim - len(shape), input.ndim))


def _check_shape(name, node, shape):
    if node is not None and node.shape != tuple(shape):
        raise RuntimeError(f"Expected {name} to be of same shape as normalized_shape, but got "
                           f"{name} of shape {list(node.shape)} and normalized_shape = "
                           f"{list(shape)}")


def _affine(x, weight, bias):
    if weight is not None:
        x = p.mul(x, expand_to(cast(weight, x.dtype), x.shape))
    if bias is not None:
        x = p.add(x, expand_to(cast(bias, x.dtype), x.shape))
    return x


@operation(method=False, namespace="nn.functional")
def layer_norm(input: Tensor, normalized_shape: tuple, weight: Tensor | None = None,
               bias: Tensor | None = None, eps: Number = 1e-5):
    """``(x - mean) / sqrt(var + eps) * weight + bias`` over the last dimensions.

    >>> import flambeau as torch
    >>> torch.nn.functional.layer_norm(torch.tensor([[1., 3.]]), (2,))
    tensor([[-1.0000,  1.0000]])
    """
    if isinstance(normalized_shape, int):
        normalized_shape = (normalized_shape,)
    dims = _last_dims(input, normalized_shape, "*, ")
    _check_shape("weight", weight, normalized_shape)
    _check_shape("bias", bias, normalized_shape)
    check_floating(input, "LayerNormKernelImpl")
    if input.dtype.itemsize >= 4:
        check_same_dtype(input, weight, bias,
                         message="mixed dtype (CPU): all inputs must share same datatype, "
                                 "but got {} and {}")
    x = cast(input, computing_dtype(input.dtype))
    _, centred, variance = _statistics(x, dims)
    out = p.mul(centred, spread(_inverse_deviation(variance, eps), x.shape, dims))
    return cast(_affine(out, weight, bias), input.dtype)


# The machine epsilon of the type that is computed in.
_EPSILON = {"float32": 2.0 ** -23, "float64": 2.0 ** -52}


@operation(method=False, namespace="nn.functional")
def rms_norm(input: Tensor, normalized_shape: tuple, weight: Tensor | None = None,
             eps: Number | None = None):
    """``x / sqrt(mean(x^2) + eps) * weight`` over the last dimensions.

    ``eps=None`` stands for the machine epsilon of float32, or of float64 for such inputs.
    """
    if isinstance(normalized_shape, int):
        normalized_shape = (normalized_shape,)
    dims = _last_dims(input, normalized_shape, "*, ")
    _check_shape("weight", weight, normalized_shape)
    check_floating(input, "rms_norm")
    x = cast(input, computing_dtype(input.dtype))
    if eps is None:
        eps = _EPSILON[x.dtype.name]
    square = mean(p.mul(x, x), dims)
    out = p.mul(x, spread(_inverse_deviation(square, eps), x.shape, dims))
    return cast(_affine(out, weight, None), input.dtype)


@operation(method=False, namespace="nn.functional")
def group_norm(input: Tensor, num_groups: int, weight: Tensor | None = None,
               bias: Tensor | None = None, eps: Number = 1e-5):
    """Normalise ``num_groups`` groups of channels of ``input`` (N, C, *) per sample."""
    if input.ndim < 2:
        raise RuntimeError("Expected at least 2 dimensions for input tensor but received "
                           f"{input.ndim}")
    channels = input.shape[1]
    if num_groups <= 0 or channels % num_groups:
        raise RuntimeError("Expected number of channels in input to be divisible by num_groups, "
                           f"but got input of shape {list(input.shape)} and "
                           f"num_groups={num_groups}")
    for name, node in (("weight", weight), ("bias", bias)):
        if node is not None and node.shape != (channels,):
            raise RuntimeError(f"Expected {name} to be a vector of size equal to the number of "
                               f"channels in input, but got {name} of shape {list(node.shape)} "
                               f"and input of shape {list(input.shape)}")
    check_floating(input, "GroupNormKernelImpl")
    x = cast(input, computing_dtype(input.dtype))
    rest = x.numel // max(1, x.shape[0] * num_groups)
    if x.shape[0] and x.numel and x.shape[0] * rest == 1:
        raise ValueError("Expected more than 1 value per channel when training, got input size "
                         f"{list(input.shape)}")
    groups = p.reshape(x, shape=(x.shape[0], num_groups, rest))
    _, centred, variance = _statistics(groups, (2,))
    out = p.mul(centred, spread(_inverse_deviation(variance, eps), groups.shape, (2,)))
    return cast(scaled(p.reshape(out, shape=x.shape), weight, bias), input.dtype)


# ---- neighbours and norms ----


@operation(method=False, namespace="nn.functional")
def local_response_norm(input: Tensor, size: int, alpha: Number = 1e-4, beta: Number = 0.75,
                        k: Number = 1.0):
    """``x / (k + alpha * mean of x^2 over size neighbouring channels)^beta``."""
    if input.ndim < 3:
        raise ValueError("Expected 3D or higher dimensionality                          input "
                         f"(got {input.ndim} dimensions)")
    if input.numel == 0:
        return input
    input = to_float(input)
    square = p.mul(input, input)
    plane = p.reshape(square, shape=(input.shape[0], input.shape[1], -1 if not input.numel else
                                     input.numel // (input.shape[0] * input.shape[1])))
    total = p.sum_pool(plane, size=(size, 1), stride=(1, 1),
                       padding=((size // 2, (size - 1) // 2), (0, 0)), dilation=(1, 1))
    average = p.reshape(p.div(total, full_like(total, size)), shape=input.shape)
    alpha, beta, k = (expand_to(node_of(v, input.dtype), input.shape) for v in (alpha, beta, k))
    return p.div(input, p.pow(p.add(p.mul(average, alpha), k), beta))


def _norm(x, power, dims):
    """The p-norm over `dims`, with a gradient of zero at the origin."""
    if x.dtype.category == 3:
        x = p.abs(x)
    if power == 2:
        square = p.reduce_sum(p.mul(x, x), dims=dims)
        empty = p.eq(square, full_like(square, 0))
        root = p.sqrt(p.where(empty, full_like(square, 1), square))
        return p.where(empty, full_like(root, 0), root)
    size = p.abs(x)
    if power == 1:
        return p.reduce_sum(size, dims=dims)
    if power == float("inf"):
        return p.reduce_max(size, dims=dims)
    if power == float("-inf"):
        return p.reduce_min(size, dims=dims)
    if power == 0:
        empty = p.eq(x, full_like(x, 0))      # a gradient exists, and is zero
        return p.reduce_sum(p.where(empty, p.mul(x, full_like(x, 0)), full_like(x, 1)), dims=dims)
    empty = p.eq(size, full_like(size, 0))
    base = p.where(empty, full_like(size, 1), size)
    powers = p.where(empty, full_like(size, 0), p.pow(base, full_like(size, power)))
    total = p.reduce_sum(powers, dims=dims)
    empty = p.eq(total, full_like(total, 0))
    root = p.pow(p.where(empty, full_like(total, 1), total), full_like(total, 1 / power))
    return p.where(empty, full_like(root, 0), root)


@operation(method=False, namespace="nn.functional")
def normalize(input: Tensor, p: float = 2.0, dim: Any = 1, eps: Number = 1e-12):
    """``x / max(||x||_p, eps)`` along ``dim``.

    >>> import flambeau as torch
    >>> torch.nn.functional.normalize(torch.tensor([[3., 4.]]))
    tensor([[0.6000, 0.8000]])
    """
    if input.dtype.category < 2:
        raise RuntimeError("linalg.vector_norm: Expected a floating point or complex tensor as "
                           f"input. Got {input.dtype.legacy_name}")
    return _normalised(input, p, dim, eps)


def _normalised(input, power, dim, eps):
    dims = normalise_dims(dim, input.ndim)
    norm = _norm(input, power, dims)
    floor = expand_to(node_of(eps, norm.dtype), norm.shape)
    norm = p.where(p.lt(norm, floor), floor, norm)
    return p.div(input, cast(spread(norm, input.shape, dims), input.dtype))
