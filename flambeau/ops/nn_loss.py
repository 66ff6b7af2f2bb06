"""Losses between two values: regression, binary cross-entropies, divergences, embeddings."""

from __future__ import annotations

import math
import warnings

from .. import dtypes
from ._nn_common import check_floating, reduce_loss
from .build import (
    broadcast_shapes,
    cast,
    expand_to,
    full_like,
    mean,
    node_of,
    normalise_dim,
    operands,
    p,
    spread,
    to_float,
)
from .declare import operation
from .nn_activation import logsigmoid_of
from .nn_norm import _norm

__all__ = ["binary_cross_entropy", "binary_cross_entropy_with_logits", "cosine_embedding_loss",
           "cosine_similarity", "gaussian_nll_loss", "hinge_embedding_loss", "huber_loss",
           "kl_div", "l1_loss", "margin_ranking_loss", "mse_loss", "multilabel_soft_margin_loss",
           "pairwise_distance", "pdist", "poisson_nll_loss", "smooth_l1_loss", "soft_margin_loss",
           "triplet_margin_loss"]


def _loss(body):
    return operation(method=False, namespace="nn.functional")(body)


def _like(number, node):
    return expand_to(node_of(number, node.dtype), node.shape)


def _pair(input, target):
    """Input and target promoted and broadcast; a warning where their sizes differ."""
    if input.shape != target.shape:
        warnings.warn(
            f"Using a target size (torch.Size({list(target.shape)})) that is different to the "
            f"input size (torch.Size({list(input.shape)})). This will likely lead to incorrect "
            "results due to broadcasting. Please ensure they have the same size.", stacklevel=2)
    return operands(input, target)


def _weighted(value, weight):
    if weight is None:
        return value
    shape = broadcast_shapes(value.shape, weight.shape)
    return p.mul(expand_to(value, shape), expand_to(cast(weight, value.dtype), shape))


# ---- differences ----


@_loss
def mse_loss(input: Tensor, target: Tensor, reduction: str = "mean",
             weight: Tensor | None = None):
    """``weight * (input - target)^2``, reduced (the mean is over the weights).

    >>> import flambeau as torch
    >>> torch.nn.functional.mse_loss(torch.tensor([1., 3.]), torch.tensor([1., 1.]))
    tensor(2.)
    """
    a, b = _pair(input, target)
    check_floating(a, "mse_cpu")
    gap = p.sub(a, b)
    return _reduce_by_weight(p.mul(gap, gap), weight, reduction)


@_loss
def l1_loss(input: Tensor, target: Tensor, reduction: str = "mean",
            weight: Tensor | None = None):
    """``weight * |input - target|``, reduced (the mean is over the weights)."""
    a, b = _pair(input, target)
    return _reduce_by_weight(p.abs(p.sub(a, b)), weight, reduction)


def _reduce_by_weight(value, weight, reduction):
    if weight is None:
        return reduce_loss(value, reduction)
    if weight.shape != value.shape:
        raise ValueError("Weights and input must have the same size.")
    value = p.mul(value, cast(weight, value.dtype))
    if reduction != "mean":
        return reduce_loss(value, reduction)
    dims = tuple(range(value.ndim))
    return p.div(p.reduce_sum(value, dims=dims),
                 p.reduce_sum(cast(weight, value.dtype), dims=dims))


@_loss
def smooth_l1_loss(input: Tensor, target: Tensor, reduction: str = "mean", beta: float = 1.0):
    """``d^2 / (2 beta)`` where ``d = |input - target| < beta``, else ``d - beta / 2``."""
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    a, b = _pair(input, target)
    check_floating(a, "smooth_l1_cpu")
    gap = p.sub(a, b)
    size = p.abs(gap)
    if beta == 0:
        return reduce_loss(size, reduction)
    inner = p.mul(p.mul(gap, gap), full_like(gap, 0.5 / beta))
    outer = p.sub(size, full_like(size, 0.5 * beta))
    near = p.lt(size, full_like(size, beta))
    return reduce_loss(p.where(near, inner, outer), reduction)


@_loss
def huber_loss(input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0,
               weight: Tensor | None = None):
    """``d^2 / 2`` where ``d = |input - target| <= delta``, else ``delta (d - delta / 2)``."""
    if delta <= 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    a, b = _pair(input, target)
    check_floating(a, "huber_cpu")
    gap = p.sub(a, b)
    size = p.abs(gap)
    inner = p.mul(p.mul(gap, gap), full_like(gap, 0.5))
    outer = p.mul(p.sub(size, full_like(size, 0.5 * delta)), full_like(size, delta))
    near = p.le(size, full_like(size, delta))
    return _reduce_by_weight(p.where(near, inner, outer), weight, reduction)


# ---- likelihoods ----


@_loss
def binary_cross_entropy(input: Tensor, target: Tensor, weight: Tensor | None = None,
                         reduction: str = "mean"):
    """``-weight (t log x + (1 - t) log(1 - x))`` with logarithms of at least -100."""
    if input.shape != target.shape:
        raise ValueError(
            f"Using a target size (torch.Size({list(target.shape)})) that is different to the "
            f"input size (torch.Size({list(input.shape)})) is deprecated. Please ensure they have "
            "the same size.")
    if input.dtype is not target.dtype:
        raise RuntimeError(f"Found dtype {target.dtype.legacy_name} but expected "
                           f"{input.dtype.legacy_name}")
    one = full_like(input, 1)
    value = p.neg(p.add(p.mul(target, _clamped_log(input)),
                        p.mul(p.sub(one, target), _clamped_log(p.sub(one, input)))))
    value = p.add(value, _zero_inside(input, p.bitwise_and(
        p.ge(input, full_like(input, 0)), p.le(input, one)), "probability"))
    return reduce_loss(_weighted(value, weight), reduction)


def _zero_inside(x, inside, message):
    """Zeros like `x`; the program fails where `inside` is false, with the text of `message`."""
    outside = cast(p.logical_not(inside), dtypes.int64)
    return cast(p.within(p.detach(outside), dim=0, message=message), x.dtype)


def _clamped_log(x):
    """``max(log(x), -100)``; PyTorch's gradient divides by at least 1e-12."""
    tiny = p.lt(x, full_like(x, 1e-12))
    steep = p.mul(p.sub(x, p.detach(x)), full_like(x, 1e12))   # value 0, slope 1e12
    floor = p.log(p.where(tiny, full_like(x, 1), x))
    raw = p.log(p.detach(x))
    low = p.add(p.where(p.lt(raw, full_like(x, -100)), full_like(x, -100), raw), steep)
    return p.where(tiny, low, floor)


@_loss
def binary_cross_entropy_with_logits(input: Tensor, target: Tensor, weight: Tensor | None = None,
                                     reduction: str = "mean", pos_weight: Tensor | None = None):
    """Binary cross-entropy of ``sigmoid(input)``, computed without overflow."""
    if input.shape != target.shape:
        raise ValueError(f"Target size (torch.Size({list(target.shape)})) must be the same as "
                         f"input size (torch.Size({list(input.shape)}))")
    check_floating(input, "log_sigmoid_cpu")
    if target.dtype is dtypes.bool_:
        raise RuntimeError("Subtraction, the `-` operator, with two bool tensors is not supported. "
                           "Use the `^` or `logical_xor()` operator instead: the target is of "
                           "truth values; use target.float()")
    if target.dtype.category == 1:
        raise RuntimeError(f"result type {input.dtype.legacy_name} can't be cast to the desired "
                           f"output type {target.dtype.legacy_name}: use target.float()")
    x, t = operands(input, target)
    logs = logsigmoid_of(x)
    value = p.mul(p.sub(full_like(t, 1), t), x)
    if pos_weight is None:
        value = p.sub(value, logs)
    else:
        factor = expand_to(cast(pos_weight, x.dtype), broadcast_shapes(pos_weight.shape, x.shape))
        if factor.shape != x.shape:
            raise RuntimeError(f"The size of tensor a ({pos_weight.shape[-1]}) must match the size "
                               f"of tensor b ({x.shape[-1]}) at non-singleton dimension "
                               f"{x.ndim - 1}")
        one = full_like(x, 1)
        factor = p.add(p.mul(p.sub(factor, one), t), one)
        value = p.sub(value, p.mul(factor, logs))
    return reduce_loss(_weighted(value, weight), reduction)


@_loss
def kl_div(input: Tensor, target: Tensor, reduction: str = "mean", log_target: bool = False):
    """``target (log target - input)``; "batchmean" divides the sum by the first extent."""
    if input.dtype.category < 2 or target.dtype.category < 2:
        raise RuntimeError("kl_div: Integral inputs not supported.")
    x, t = operands(input, target)
    if log_target:
        value = p.mul(p.exp(t), p.sub(t, x))
    else:
        empty = p.eq(t, full_like(t, 0))
        entropy = p.mul(t, p.log(p.where(empty, full_like(t, 1), t)))
        value = p.sub(entropy, p.mul(t, x))
    if reduction == "batchmean":
        total = reduce_loss(value, "sum")
        return p.div(total, full_like(total, value.shape[0])) if value.ndim else total
    if reduction == "mean":
        warnings.warn("reduction: 'mean' divides the total loss by both the batch size and the "
                      "support size.'batchmean' divides only by the batch size, and aligns with "
                      "the KL div math definition.'mean' will be changed to behave the same as "
                      "'batchmean' in the next major release.", stacklevel=2)
    return reduce_loss(value, reduction)


@_loss
def poisson_nll_loss(input: Tensor, target: Tensor, log_input: bool = True, full: bool = False,
                     eps: Number = 1e-8, reduction: str = "mean"):
    """``exp(x) - t x`` (or ``x - t log(x + eps)``), with Stirling's term if ``full``."""
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    x, t = operands(to_float(input), target)
    if log_input:
        value = p.sub(p.exp(x), p.mul(t, x))
    else:
        value = p.sub(x, p.mul(t, p.log(p.add(x, _like(eps, x)))))
    if full:
        large = p.gt(t, full_like(t, 1))
        safe = p.where(large, t, full_like(t, 1))
        term = p.add(p.sub(p.mul(safe, p.log(safe)), safe),
                     p.mul(full_like(t, 0.5), p.log(p.mul(full_like(t, 2 * math.pi), safe))))
        value = p.add(value, p.where(large, term, full_like(t, 0)))
    return reduce_loss(value, reduction)


@_loss
def gaussian_nll_loss(input: Tensor, target: Tensor, var: Tensor, full: bool = False,
                      eps: Number = 1e-6, reduction: str = "mean"):
    """``(log v + (x - t)^2 / v) / 2`` with ``v = max(var, eps)``, whose floor has no gradient."""
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    shape = broadcast_shapes(input.shape, target.shape)
    try:
        broadcast_shapes(shape, var.shape if input.shape[:-1] != var.shape else ())
    except RuntimeError:
        raise ValueError(f"var is of incorrect size: input {list(input.shape)}, target "
                         f"{list(target.shape)}, var {list(var.shape)}") from None
    if var.shape != input.shape:
        if input.shape[:-1] == var.shape:
            var = p.reshape(var, shape=var.shape + (1,))
        elif not (input.shape[:-1] == var.shape[:-1] and var.shape[-1:] == (1,)) \
                and var.ndim and broadcast_shapes(var.shape, shape) != shape:
            raise ValueError("var is of incorrect size")
    x, t, v = operands(input, target, var)
    floor = _like(eps, v)
    low = p.lt(v, floor)
    sound = _zero_inside(v, p.logical_not(p.lt(v, full_like(v, 0))), "variance")
    v = p.add(v, p.detach(p.where(low, p.sub(floor, v), full_like(v, 0))))
    gap = p.sub(x, t)
    value = p.mul(full_like(v, 0.5), p.add(p.log(v), p.div(p.mul(gap, gap), v)))
    value = p.add(value, expand_to(sound, value.shape))
    if full:
        value = p.add(value, full_like(value, 0.5 * math.log(2 * math.pi)))
    return reduce_loss(value, reduction)


# ---- margins ----


@_loss
def soft_margin_loss(input: Tensor, target: Tensor, reduction: str = "mean"):
    """``log(1 + exp(-target * input))``."""
    x, t = operands(input, target)
    return reduce_loss(p.neg(logsigmoid_of(p.mul(t, x))), reduction)


@_loss
def multilabel_soft_margin_loss(input: Tensor, target: Tensor, weight: Tensor | None = None,
                                reduction: str = "mean"):
    """The mean over classes of binary cross-entropies with logits."""
    x, t = operands(input, target)
    one = full_like(t, 1)
    value = p.neg(p.add(p.mul(t, logsigmoid_of(x)),
                        p.mul(p.sub(one, t), logsigmoid_of(p.neg(x)))))
    value = _weighted(value, weight)
    return reduce_loss(mean(value, (value.ndim - 1,)), reduction)


@_loss
def hinge_embedding_loss(input: Tensor, target: Tensor, margin: Number = 1.0,
                         reduction: str = "mean"):
    """``x`` where target is 1, ``max(0, margin - x)`` where it is -1."""
    x, t = operands(input, target)
    zero = full_like(x, 0)
    hinge = p.relu(p.sub(_like(margin, x), x))
    first = p.where(p.ne(t, full_like(t, 1)), hinge, zero)
    second = p.where(p.ne(t, full_like(t, -1)), x, zero)
    return reduce_loss(p.add(first, second), reduction)


@_loss
def margin_ranking_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: Number = 0.0,
                        reduction: str = "mean"):
    """``max(0, -target (input1 - input2) + margin)``."""
    if not input1.ndim == input2.ndim == target.ndim:
        raise RuntimeError("margin_ranking_loss : All input tensors should have same dimension but "
                           f"got sizes: input1: torch.Size({list(input1.shape)}), input2: "
                           f"torch.Size({list(input2.shape)}), target: "
                           f"torch.Size({list(target.shape)}) ")
    a, b, t = operands(input1, input2, target)
    gap = to_float(p.neg(p.mul(t, p.sub(a, b))))
    return reduce_loss(_at_least_zero(p.add(gap, _like(margin, gap))), reduction)


def _at_least_zero(x):
    """``max(x, 0)`` with PyTorch's gradient of clamp_min: 1 where x >= 0."""
    return p.where(p.ge(x, full_like(x, 0)), x, full_like(x, 0))


def _cosine(a, b, dims, eps):
    """The cosine between vectors along `dims`, each norm at least eps."""
    parts = []
    for x in (a, b):
        norm = _norm(x, 2, dims)
        floor = _like(eps, norm)
        norm = p.where(p.lt(norm, floor), floor, norm)
        parts.append(p.div(x, spread(norm, x.shape, dims)))
    return p.reduce_sum(p.mul(*parts), dims=dims)


@_loss
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: Number = 1e-8):
    """``x1 . x2 / (max(|x1|, eps) max(|x2|, eps))`` along ``dim``.

    >>> import flambeau as torch
    >>> torch.nn.functional.cosine_similarity(torch.tensor([[1., 0.]]), torch.tensor([[0., 2.]]))
    tensor([0.])
    """
    a, b = operands(x1, x2)
    if a.dtype.category < 2:
        raise RuntimeError("expected common_dtype to be floating point, yet common_dtype is "
                           f"{a.dtype.legacy_name}")
    dims = (normalise_dim(dim, a.ndim),) if a.ndim else ()
    return _cosine(a, b, dims, eps)


@_loss
def cosine_embedding_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: Number = 0.0,
                          reduction: str = "mean"):
    """``1 - cos`` where target is 1, ``max(0, cos - margin)`` where it is -1."""
    if target.ndim not in (0, 1):
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    if input1.ndim != target.ndim + 1 or input2.ndim != target.ndim + 1:
        raise RuntimeError(f"{target.ndim}D target tensor expects {target.ndim + 1}D input "
                           f"tensors, but found inputs with sizes {list(input1.shape)} and "
                           f"{list(input2.shape)}.")
    a, b = operands(to_float(input1), to_float(input2))
    dims = (a.ndim - 1,)
    # PyTorch's own formula here: products of (sums + 1e-12) under one root.
    tiny = 1e-12
    sums = [p.reduce_sum(p.mul(x, y), dims=dims) for x, y in ((a, b), (a, a), (b, b))]
    squares = [p.add(s, full_like(s, tiny)) for s in sums[1:]]
    cosine = p.div(sums[0], p.sqrt(p.mul(*squares)))
    cosine, t = operands(cosine, target)
    zero = full_like(cosine, 0)
    near = p.where(p.eq(t, full_like(t, 1)), p.sub(full_like(cosine, 1), cosine), zero)
    hinge = _at_least_zero(p.sub(cosine, _like(margin, cosine)))
    far = p.where(p.eq(t, full_like(t, -1)), hinge, zero)
    return reduce_loss(p.add(near, far), reduction)


# ---- distances ----


def _distance(a, b, power, eps):
    a, b = operands(to_float(a), to_float(b))
    gap = p.add(p.sub(a, b), _like(eps, a))
    if gap.dtype.category == 3:
        gap = p.abs(gap)
    return _norm(gap, power, (gap.ndim - 1,))


@_loss
def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: Number = 1e-6,
                      keepdim: bool = False):
    """``|x1 - x2 + eps|_p`` over the last dimension."""
    out = _distance(x1, x2, p, eps)
    return _with_last(out) if keepdim else out


def _with_last(node):
    return p.reshape(node, shape=node.shape + (1,))


@_loss
def pdist(input: Tensor, p: float = 2.0):
    """The p-norm distances between all pairs of rows of ``input`` (N, M), N (N - 1) / 2 of them."""
    if input.ndim != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {input.ndim}D")
    return _pdist(input, p)


def _pdist(x, power):
    rows = x.shape[0]
    parts = []
    from ..graph.primitives.movement import slice_dim

    for i in range(rows - 1):
        others = slice_dim(x, 0, i + 1, rows)
        parts.append(_norm(p.sub(expand_to(slice_dim(x, 0, i, i + 1), others.shape), others),
                           power, (1,)))
    if not parts:
        return slice_dim(p.reshape(x, shape=(x.numel,)), 0, 0, 0)
    return parts[0] if len(parts) == 1 else p.concatenate(*parts, dim=0)


@_loss
def triplet_margin_loss(anchor: Tensor, positive: Tensor, negative: Tensor, margin: Number = 1.0,
                        p: float = 2, eps: Number = 1e-6, swap: bool = False,
                        reduction: str = "mean"):
    """``max(0, d(anchor, positive) - d(anchor, negative) + margin)``.

    With ``swap`` the smaller of the distances anchor–negative and positive–negative counts.
    """
    return _triplet(anchor, positive, negative, margin, p, eps, swap, reduction)


def _triplet(anchor, positive, negative, margin, power, eps, swap, reduction):
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise RuntimeError("The anchor, positive, and negative tensors are expected to have the "
                           f"same number of dimensions, but got: anchor {anchor.ndim}D, positive "
                           f"{positive.ndim}D, and negative {negative.ndim}D inputs")
    near = _distance(anchor, positive, power, eps)
    far = _distance(anchor, negative, power, eps)
    if swap:
        far = p.minimum(far, _distance(positive, negative, power, eps))
    gap = p.sub(near, far)
    return reduce_loss(_at_least_zero(p.add(gap, _like(margin, gap))), reduction)
