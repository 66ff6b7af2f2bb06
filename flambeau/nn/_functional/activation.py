"""Activations: operations plus PyTorch's ``inplace`` and ``dim`` conventions."""
import warnings

import flambeau
from flambeau.ops import nn_activation as ops


def _store(input, output, inplace):
    """Return ``output``, written over ``input`` if ``inplace``."""
    return input._assign(output, mark=False) if inplace else output


def relu(input, inplace=False):
    """``max(0, x)``.

    >>> import flambeau as torch
    >>> torch.nn.functional.relu(torch.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return input.relu_() if inplace else flambeau.relu(input)


def relu_(input):
    """``relu`` in place."""
    return input.relu_()


def sigmoid(input):
    """``1 / (1 + exp(-x))``."""
    return flambeau.sigmoid(input)


def tanh(input):
    """The hyperbolic tangent."""
    return flambeau.tanh(input)


def threshold(input, threshold, value, inplace=False):
    """``x`` where it exceeds ``threshold``, else ``value``."""
    return _store(input, ops.threshold(input, threshold, value), inplace)


def threshold_(input, threshold, value):
    """``threshold`` in place."""
    return input._assign(ops.threshold(input, threshold, value), mark=False)


def hardtanh(input, min_val=-1.0, max_val=1.0, inplace=False):
    """``x`` cut to ``[min_val, max_val]``."""
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    return _store(input, ops.hardtanh(input, min_val, max_val), inplace)


def hardtanh_(input, min_val=-1.0, max_val=1.0):
    """``hardtanh`` in place."""
    return hardtanh(input, min_val, max_val, inplace=True)


def relu6(input, inplace=False):
    """``min(max(0, x), 6)``."""
    return hardtanh(input, 0.0, 6.0, inplace)


def elu(input, alpha=1.0, inplace=False):
    """``x`` where positive, else ``alpha * (exp(x) - 1)``."""
    return _store(input, ops.elu(input, alpha), inplace)


def elu_(input, alpha=1.0):
    """``elu`` in place."""
    return elu(input, alpha, inplace=True)


def selu(input, inplace=False):
    """The self-normalising exponential linear unit; see :class:`flambeau.nn.SELU`."""
    return _store(input, ops.selu(input), inplace)


def selu_(input):
    """``selu`` in place."""
    return selu(input, inplace=True)


def celu(input, alpha=1.0, inplace=False):
    """``max(0, x) + min(0, alpha * (exp(x / alpha) - 1))``."""
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return _store(input, ops.celu(input, alpha), inplace)


def celu_(input, alpha=1.0):
    """``celu`` in place."""
    return celu(input, alpha, inplace=True)


def leaky_relu(input, negative_slope=0.01, inplace=False):
    """``x`` where positive, else ``negative_slope * x``."""
    return _store(input, ops.leaky_relu(input, negative_slope), inplace)


def leaky_relu_(input, negative_slope=0.01):
    """``leaky_relu`` in place."""
    return leaky_relu(input, negative_slope, inplace=True)


def rrelu(input, lower=1.0 / 8, upper=1.0 / 3, training=False, inplace=False):
    """Leaky ReLU with a slope from U(lower, upper) per element in training, else their mean.

    In training the values are read: one slope is drawn for each element that is not positive.
    """
    if lower > upper:
        raise RuntimeError(
            "Lower bound should be less than or equal to the upper bound, received "
            f"lower={lower} and upper={upper}"
        )
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    flat = input.detach().reshape(-1)
    negative = flat <= 0
    count = int(negative.sum())
    slopes = flambeau.ones(flat.shape, dtype=input.dtype)
    if count:
        drawn = flambeau.empty(count, dtype=flambeau.float64).uniform_(lower, upper)
        slopes[negative] = drawn.to(input.dtype)
    return _store(input, ops.scale_by_mask(input, slopes.reshape(input.shape)), inplace)


def rrelu_(input, lower=1.0 / 8, upper=1.0 / 3, training=False):
    """``rrelu`` in place."""
    return rrelu(input, lower, upper, training, inplace=True)


def silu(input, inplace=False):
    """``x * sigmoid(x)``."""
    return _store(input, ops.silu(input), inplace)


def mish(input, inplace=False):
    """``x * tanh(softplus(x))``."""
    return _store(input, ops.mish(input), inplace)


def hardswish(input, inplace=False):
    """``x * relu6(x + 3) / 6``."""
    return _store(input, ops.hardswish(input), inplace)


def hardsigmoid(input, inplace=False):
    """``relu6(x + 3) / 6``."""
    return _store(input, ops.hardsigmoid(input), inplace)


gelu = ops.gelu
glu = ops.glu
hardshrink = ops.hardshrink
logsigmoid = ops.logsigmoid
prelu = ops.prelu
softplus = ops.softplus
softsign = ops.softsign
tanhshrink = ops.tanhshrink


def softshrink(input, lambd=0.5):
    """``x`` moved towards 0 by ``lambd``, 0 in between."""
    if lambd < 0:
        raise RuntimeError(f"lambda must be greater or equal to 0, but found to be {lambd}.")
    return ops.softshrink(input, lambd)


def _choose_dim(name, ndim, stacklevel):
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include "
        "dim=X as an argument.",
        stacklevel=stacklevel,
    )
    return 0 if ndim in (0, 1, 3) else 1


def softmax(input, dim=None, _stacklevel=3, dtype=None):
    """``exp(x_i) / sum_j exp(x_j)`` along ``dim``.

    >>> import flambeau as torch
    >>> torch.nn.functional.softmax(torch.zeros(2), dim=0)
    tensor([0.5000, 0.5000])
    """
    if dim is None:
        dim = _choose_dim("softmax", input.dim(), _stacklevel)
    return flambeau.softmax(input, dim, dtype=dtype)


def softmin(input, dim=None, _stacklevel=3, dtype=None):
    """``softmax(-x)`` along ``dim``."""
    if dim is None:
        dim = _choose_dim("softmin", input.dim(), _stacklevel)
    return flambeau.softmax(-input, dim, dtype=dtype)


def log_softmax(input, dim=None, _stacklevel=3, dtype=None):
    """``log(softmax(x))`` along ``dim``, computed stably."""
    if dim is None:
        dim = _choose_dim("log_softmax", input.dim(), _stacklevel)
    return flambeau.log_softmax(input, dim, dtype=dtype)


def gumbel_softmax(logits, tau=1, hard=False, eps=1e-10, dim=-1):
    """Draw from the Gumbel-softmax distribution of unnormalised log-probabilities.

    With ``hard`` the result is one-hot, with the gradient of the soft sample; ``eps`` has no
    effect, as in PyTorch.

    Reference: Jang et al., 2017, https://arxiv.org/abs/1611.01144.
    """
    if eps != 1e-10:
        warnings.warn("`eps` parameter is deprecated and has no effect.", stacklevel=2)
    noise = flambeau.empty_like(logits.detach()).exponential_()
    soft = ops.gumbel_softmax_soft(logits, noise, tau, dim)
    if not hard:
        return soft
    index = soft.max(dim, keepdim=True)[1]
    one_hot = flambeau.zeros_like(logits.detach()).scatter_(dim, index, 1.0)
    return one_hot - soft.detach() + soft
