"""Initial values for parameters: `torch.nn.init`, the same numbers for the same seed.

Every function fills its tensor in place, without recording gradients, and returns it. Layers call
these when they are built; they draw from `ops.random`.
"""

from __future__ import annotations

import functools
import math
import warnings

import numpy as np

from .. import dtypes
from ..autograd import no_grad
from ..ops._drawing import overwrite, samples_for
from ..runtime.random_streams import rounding
from ..tensor import Tensor

__all__ = [
    "calculate_gain", "constant", "constant_", "dirac", "dirac_", "eye", "eye_",
    "kaiming_normal", "kaiming_normal_", "kaiming_uniform", "kaiming_uniform_", "normal",
    "normal_", "ones_", "orthogonal", "orthogonal_", "sparse", "sparse_", "trunc_normal_",
    "uniform", "uniform_", "xavier_normal", "xavier_normal_", "xavier_uniform",
    "xavier_uniform_", "zeros_",
]

_LINEAR = {
    "linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d",
    "conv_transpose3d",
}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which `nonlinearity` shrinks a signal's deviation, inverted.

    1 for linear functions and "sigmoid", 5/3 for "tanh", sqrt(2) for "relu",
    sqrt(2 / (1 + slope**2)) for "leaky_relu" (slope 0.01 unless `param`), 3/4 for "selu".

    Raises ValueError for other names.

    >>> import flambeau as torch
    >>> torch.nn.init.calculate_gain("tanh")
    1.6666666666666667
    """
    if nonlinearity in _LINEAR or nonlinearity == "sigmoid":
        return 1
    if nonlinearity == "tanh":
        return 5.0 / 3
    if nonlinearity == "relu":
        return math.sqrt(2.0)
    if nonlinearity == "selu":
        return 3.0 / 4
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float)):
            raise ValueError(f"negative_slope {param} not a valid number")
        return math.sqrt(2.0 / (1 + slope**2))
    raise ValueError(f"Unsupported nonlinearity {nonlinearity}")


# Fills


@no_grad()
def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator=None) -> Tensor:
    """Fills with samples of the uniform distribution on [a, b).

    >>> import flambeau as torch
    >>> weight = torch.nn.init.uniform_(torch.empty(3, 5), -1, 1)
    """
    return tensor.uniform_(a, b, generator=generator)


@no_grad()
def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator=None) -> Tensor:
    """Fills with samples of the normal distribution.

    >>> import flambeau as torch
    >>> weight = torch.nn.init.normal_(torch.empty(3, 5), std=0.02)
    """
    return tensor.normal_(mean, std, generator=generator)


@no_grad()
def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fills with `val`."""
    # An array rather than a recorded fill: a model's many constants make no program.
    value = _encode(np.asarray(val.item() if isinstance(val, Tensor) else val), tensor.dtype)
    return overwrite(tensor, np.full(tuple(tensor.shape), value))


def ones_(tensor: Tensor) -> Tensor:
    """Fills with 1."""
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Fills with 0."""
    return constant_(tensor, 0.0)


@no_grad()
def eye_(tensor: Tensor) -> Tensor:
    """Fills a matrix with the identity: 1 on the diagonal, else 0.

    Raises ValueError unless the tensor has 2 dimensions.
    """
    if tensor.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    return overwrite(tensor, _encode(np.eye(*tensor.shape), tensor.dtype))


@no_grad()
def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Fills a convolution's weight (out, in, *kernel) with the identity convolution.

    Output channel d of each group copies input channel d, as far as there are channels.

    Raises ValueError unless it has 3 to 5 dimensions and `groups` divides the first.
    """
    if tensor.ndim not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    shape = tuple(tensor.shape)
    if shape[0] % groups != 0:
        raise ValueError("dim 0 must be divisible by groups")
    weight = np.zeros(shape)
    outputs = shape[0] // groups
    channels = np.arange(min(outputs, shape[1]))
    centre = tuple(extent // 2 for extent in shape[2:])
    for group in range(groups):
        place = (group * outputs + channels, channels, *centre)
        weight[place] = 1
    return overwrite(tensor, _encode(weight, tensor.dtype))


# Fans


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """The number of inputs of an output, and of outputs of an input, of a weight (out, in, ...)."""
    if tensor.ndim < 2:
        raise ValueError(
            "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions"
        )
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def _calculate_correct_fan(tensor: Tensor, mode: str) -> int:
    mode = mode.lower()
    valid = ["fan_in", "fan_out"]
    if mode not in valid:
        raise ValueError(f"Mode {mode} not supported, please use one of {valid}")
    return _calculate_fan_in_and_fan_out(tensor)[valid.index(mode)]


def _xavier_deviation(tensor: Tensor, gain: float) -> float:
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    return gain * math.sqrt(2.0 / float(fan_in + fan_out))


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator=None) -> Tensor:
    """Fills with uniform samples on [-a, a), a = gain * sqrt(6 / (fan_in + fan_out)).

    Args:
        tensor: a weight (out, in, ...) of at least 2 dimensions.

    >>> import flambeau as torch
    >>> weight = torch.nn.init.xavier_uniform_(torch.empty(3, 5), gain=2 ** 0.5)

    Reference: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural
    networks" (2010).
    """
    bound = math.sqrt(3.0) * _xavier_deviation(tensor, gain)
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator=None) -> Tensor:
    """Fills with normal samples of deviation gain * sqrt(2 / (fan_in + fan_out)).

    Reference: Glorot and Bengio (2010), as `xavier_uniform_`.
    """
    return normal_(tensor, 0.0, _xavier_deviation(tensor, gain), generator)


def _kaiming_deviation(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float | None:
    """The deviation, or None for a tensor without elements, about which it warns."""
    if 0 in tensor.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
        return None
    fan = _calculate_correct_fan(tensor, mode)
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator=None,
) -> Tensor:
    """Fills with uniform samples on [-b, b), b = gain * sqrt(3 / fan).

    Args:
        tensor: a weight (out, in, ...) of at least 2 dimensions.
        a: the negative slope of "leaky_relu".
        mode: "fan_in" keeps the variance of the forward pass, "fan_out" that of the backward pass.
        nonlinearity: the function that follows, see `calculate_gain`.

    >>> import flambeau as torch
    >>> weight = torch.nn.init.kaiming_uniform_(torch.empty(3, 5), nonlinearity="relu")

    Reference: He et al., "Delving deep into rectifiers" (2015).
    """
    deviation = _kaiming_deviation(tensor, a, mode, nonlinearity)
    if deviation is None:
        return tensor
    bound = math.sqrt(3.0) * deviation
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator=None,
) -> Tensor:
    """Fills with normal samples of deviation gain / sqrt(fan); arguments as `kaiming_uniform_`.

    Reference: He et al., "Delving deep into rectifiers" (2015).
    """
    deviation = _kaiming_deviation(tensor, a, mode, nonlinearity)
    return tensor if deviation is None else normal_(tensor, 0.0, deviation, generator)


# Truncated normal


def _encode(values: np.ndarray, dtype: dtypes.dtype) -> np.ndarray:
    """`values` in the storage type of `dtype`."""
    return rounding.cast(np.asarray(values), dtype.name)


def _decode(stored: np.ndarray, dtype: dtypes.dtype) -> np.ndarray:
    """Stored elements in the type that PyTorch computes with."""
    if dtype is dtypes.bfloat16:
        return (stored.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return stored.astype(np.float32) if dtype is dtypes.float16 else stored


@no_grad()
def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator=None,
) -> Tensor:
    """Fills with normal samples, those outside [a, b] drawn again until they are inside.

    Args:
        a, b: the bounds; best when a <= mean <= b, warns when the mean is far outside.

    >>> import flambeau as torch
    >>> weight = torch.nn.init.trunc_normal_(torch.empty(3, 5), std=0.02)
    """
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. "
            "The distribution of values may be incorrect.",
            stacklevel=3,
        )
    below, above = (
        (1.0 + math.erf((bound - mean) / std / math.sqrt(2.0))) / 2.0 for bound in (a, b)
    )
    if above - below > 0.3:
        samples = _redrawn_normal(tensor, mean, std, a, b, generator)
    else:
        samples = _redrawn_uniform(tensor, mean, std, a, b, generator)
    return overwrite(tensor, samples)


def _redrawn_normal(tensor, mean, std, a, b, generator) -> np.ndarray:
    dtype = tensor.dtype
    low, high = _decode(_encode(np.array([a, b]), dtype), dtype)
    samples = samples_for(tensor, "normal", generator, mean, std)
    while True:
        values = _decode(samples, dtype)
        outside = (values < low) | (values > high)
        if not outside.any():
            return samples
        again = samples_for(tensor, "normal", generator, mean, std, fresh=True)
        samples = np.where(outside, again, samples)


def _redrawn_uniform(tensor, mean, std, a, b, generator) -> np.ndarray:
    """Few normal samples would fall inside: accept uniform ones in proportion to the density."""
    dtype = tensor.dtype
    mode = max(a, min(mean, b))
    log_peak = -0.5 * ((mode - mean) / std) ** 2

    def rounded(values):
        return _decode(_encode(values, dtype), dtype)

    def accepted(candidates):
        """Whether log(u) <= log(density / peak), each step rounded to the tensor's dtype."""
        x = _decode(candidates, dtype)
        real = x.dtype.type
        x = rounded(rounded(x - real(mean)) / real(std))
        x = rounded(rounded(rounded(x * x) * real(-0.5)) - real(log_peak))
        u = _decode(samples_for(tensor, "uniform", generator, 0.0, 1.0, fresh=True), dtype)
        with np.errstate(divide="ignore"):
            return ~(rounded(np.log(u)) > x)

    samples = samples_for(tensor, "uniform", generator, a, b)
    pending = ~accepted(samples)
    while pending.any():
        candidates = samples_for(tensor, "uniform", generator, a, b, fresh=True)
        samples = np.where(pending, candidates, samples)
        pending &= ~accepted(candidates)
    return samples


# Matrices


@no_grad()
def orthogonal_(tensor: Tensor, gain: float = 1, generator=None) -> Tensor:
    """Fills with `gain` times a (semi-)orthogonal matrix, uniformly distributed.

    Args:
        tensor: at least 2 dimensions; those after the first count as one.

    Raises ValueError for tensors with fewer dimensions.

    The samples are PyTorch's; their QR decomposition is computed in double precision and rounded
    once. PyTorch computes it in float32 by its processor's LAPACK, whose rounding errors (1e-7 to
    6e-6) are the difference between the two.

    Reference: Saxe, McClelland and Ganguli, "Exact solutions to the nonlinear dynamics of learning
    in deep linear neural networks" (2013); Mezzadri, "How to generate random matrices from the
    classical compact groups" (2006).
    """
    if tensor.ndim < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    if tensor.numel() == 0:
        return tensor
    dtype = tensor.dtype
    if dtype not in (dtypes.float32, dtypes.float64):
        raise NotImplementedError(
            f"\"geqrf_cpu\" not implemented for '{dtype.legacy_name}': orthogonal_ needs "
            f"torch.float32 or torch.float64, received {dtype}"
        )
    rows = tensor.shape[0]
    columns = tensor.numel() // rows
    flat = tensor.new_empty((rows, columns))
    samples = samples_for(flat, "normal", generator, 0.0, 1.0)
    q, r = np.linalg.qr(samples.T if rows < columns else samples)
    q = q * np.sign(np.diag(r))
    if rows < columns:
        q = q.T
    q = q.astype(dtype.storage) * dtype.storage.type(gain)
    return overwrite(tensor, np.ascontiguousarray(q).reshape(tuple(tensor.shape)))


@no_grad()
def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator=None) -> Tensor:
    """Fills a matrix with normal samples and sets a fraction `sparsity` of each column to 0.

    The rows that become 0 are drawn from the default generator, as in PyTorch.

    Raises ValueError unless the tensor has 2 dimensions.

    Reference: Martens, "Deep learning via Hessian-free optimization" (2010).
    """
    if tensor.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    from ..random import default_generator

    rows, columns = tensor.shape
    zeros = math.ceil(sparsity * rows)
    samples = samples_for(tensor, "normal", generator, 0, std)
    for column in range(columns):
        samples[default_generator.stream.permutation(rows)[:zeros], column] = 0
    return overwrite(tensor, samples)


# Names of old


def _deprecated(function):
    old, new = function.__name__[:-1], function.__name__

    @functools.wraps(function)
    def renamed(*args, **kwargs):
        warnings.warn(
            f"`nn.init.{old}` is now deprecated in favor of `nn.init.{new}`.",
            FutureWarning,
            stacklevel=2,
        )
        return function(*args, **kwargs)

    renamed.__name__ = renamed.__qualname__ = old
    renamed.__doc__ = f"Deprecated: use `torch.nn.init.{new}`."
    return renamed


uniform = _deprecated(uniform_)
normal = _deprecated(normal_)
constant = _deprecated(constant_)
eye = _deprecated(eye_)
dirac = _deprecated(dirac_)
xavier_uniform = _deprecated(xavier_uniform_)
xavier_normal = _deprecated(xavier_normal_)
kaiming_uniform = _deprecated(kaiming_uniform_)
kaiming_normal = _deprecated(kaiming_normal_)
orthogonal = _deprecated(orthogonal_)
sparse = _deprecated(sparse_)

from .._missing import raise_missing  # noqa: E402

__getattr__ = raise_missing(__name__)
