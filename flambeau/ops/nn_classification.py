"""Losses over classes: negative log-likelihood, cross-entropy, margins between classes."""

from __future__ import annotations

from .. import dtypes
from ._nn_common import check_floating, check_same_dtype, computing_dtype, reduce_loss
from .build import cast, expand_to, full, full_like, iota, node_of, p, spread
from .declare import operation
from .nn_activation import log_softmax_of

__all__ = ["cross_entropy", "multi_margin_loss", "multilabel_margin_loss", "nll_loss"]


def _loss(body):
    return operation(method=False, namespace="nn.functional")(body)


def _class_dim(node) -> int:
    return 0 if node.ndim == 1 else 1


def _check_indices(input, target) -> None:
    """Raise PyTorch's errors for targets of another type, number of dimensions or size."""
    wrong_batch = input.ndim > 1 and target.ndim > 0 and input.shape[0] != target.shape[0]
    if input.ndim < 3 and target.ndim > 1 and not wrong_batch:
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported: received "
                           f"a target of shape {list(target.shape)} for scores of shape "
                           f"{list(input.shape)}; try target.squeeze() or target.argmax(1)")
    if target.dtype not in (dtypes.int64, dtypes.uint8):
        name = target.dtype.legacy_name
        raise RuntimeError(f"expected target dtype to be Long or Byte, but got {name}: class "
                           "indices are integers; use target.long()")
    if input.ndim == 1:
        if target.numel != 1:
            raise RuntimeError("For 1D input, 1D target must have size 1, but got target size: "
                               f"{target.numel}")
        return
    if target.ndim == 0 or input.shape[0] != target.shape[0]:
        got = target.shape[0] if target.ndim else 1
        raise ValueError(f"Expected input batch_size ({input.shape[0]}) to match target "
                         f"batch_size ({got}).")
    expected = input.shape[:1] + input.shape[2:]
    if target.shape != expected:
        if input.ndim == 4:
            raise RuntimeError(f"size mismatch (got input: {list(input.shape)} , target: "
                               f"{list(target.shape)}")
        raise RuntimeError(f"Expected target size {list(expected)}, got {list(target.shape)}")


def _check_weight(weight, classes, input) -> None:
    if weight is None:
        return
    if weight.shape != (classes,):
        raise RuntimeError(f"weight tensor should be defined either for all {classes} classes or "
                           f"no classes but got weight tensor of shape: {list(weight.shape)}")
    check_same_dtype(input, weight)


def _picked(log_probabilities, target, weight, ignore_index):
    """Per target -weight * log-probability, the weights used, and whether it counts."""
    dim = _class_dim(log_probabilities)
    target = cast(target, dtypes.int64)
    if log_probabilities.ndim == 1:
        target = p.reshape(target, shape=())
    ignored = p.eq(target, full_like(target, ignore_index))
    safe = p.where(ignored, full_like(target, 0), target)
    shape = log_probabilities.shape[:dim] + (1,) + log_probabilities.shape[dim + 1:]
    index = p.reshape(safe, shape=shape)
    taken = p.gather(log_probabilities, index, dim=dim, message="target")
    taken = p.reshape(taken, shape=target.shape)
    if weight is None:
        used = full_like(taken, 1)
    else:
        used = p.take(weight, safe, dim=0, message="target")
    used = p.where(ignored, full_like(used, 0), used)
    value = p.where(ignored, full_like(taken, 0), p.neg(p.mul(taken, used)))
    return value, used


def _reduce_weighted(value, used, reduction):
    if reduction == "mean":
        dims = tuple(range(value.ndim))
        if not dims:
            return p.div(value, used)
        return p.div(p.reduce_sum(value, dims=dims), p.reduce_sum(used, dims=dims))
    return reduce_loss(value, reduction)


@_loss
def nll_loss(input: Tensor, target: Tensor, weight: Tensor | None = None,
             ignore_index: int = -100, reduction: str = "mean"):
    """``-weight[target] * input[target]`` for log-probabilities ``input`` (N, C, *)."""
    reduce_loss(full((), 0, dtypes.float32), reduction)
    if input.ndim == 0:
        raise ValueError(f"Expected 1 or more dimensions (got {input.ndim})")
    _check_indices(input, target)
    check_floating(input, "nll_loss_out_frame")
    _check_weight(weight, input.shape[_class_dim(input)], input)
    value, used = _picked(input, target, weight, ignore_index)
    return _reduce_weighted(value, used, reduction)


@_loss
def cross_entropy(input: Tensor, target: Tensor, weight: Tensor | None = None,
                  ignore_index: int = -100, reduction: str = "mean",
                  label_smoothing: Number = 0.0):
    """``-log softmax(input)[target]`` for scores ``input`` (N, C, *).

    ``target`` is (N, *) of class indices or (N, C, *) of probabilities.

    >>> import flambeau as torch
    >>> torch.nn.functional.cross_entropy(torch.zeros(2, 4), torch.tensor([1, 2]))
    tensor(1.3863)
    """
    reduce_loss(full((), 0, dtypes.float32), reduction)
    if input.ndim == 0:
        raise RuntimeError("Expected floating point type for target with class probabilities, got "
                           f"{target.dtype.legacy_name}: scores have at least one dimension")
    dim = _class_dim(input)
    classes = input.shape[dim]
    probabilities = target.shape == input.shape
    if probabilities and target.dtype.category < 2:
        raise RuntimeError("Expected floating point type for target with class probabilities, got "
                           f"{target.dtype.legacy_name}")
    if probabilities:
        if ignore_index >= 0:
            raise RuntimeError("ignore_index is not supported for floating point target")
    else:
        _check_indices(input, target)
    check_floating(input, "log_softmax_lastdim_kernel_impl")
    _check_weight(weight, classes, input)
    result = dtypes.promote_types(input.dtype, target.dtype) if probabilities else input.dtype
    logs = log_softmax_of(cast(input, computing_dtype(input.dtype)), dim)
    logs = cast(logs, computing_dtype(result))
    weight = None if weight is None else cast(weight, logs.dtype)
    if probabilities:
        loss = _of_probabilities(logs, cast(target, logs.dtype), weight, dim, reduction,
                                 label_smoothing)
    else:
        loss = _of_indices(logs, target, weight, dim, ignore_index, reduction, label_smoothing)
    return cast(loss, result)


def _of_probabilities(logs, target, weight, dim, reduction, smoothing):
    classes = logs.shape[dim]
    if smoothing != 0.0:
        share = expand_to(node_of(smoothing, logs.dtype), target.shape)
        rest = p.sub(full_like(share, 1), share)
        target = p.add(p.mul(target, rest), p.div(share, full_like(share, classes)))
    product = p.mul(logs, target)
    if weight is not None:
        product = p.mul(product, _along_classes(weight, logs, dim))
    value = p.neg(p.reduce_sum(product, dims=(dim,)))
    if reduction != "mean" or not value.ndim:
        return reduce_loss(value, reduction)
    total = p.reduce_sum(value, dims=tuple(range(value.ndim)))
    return p.div(total, full_like(total, value.numel))


def _along_classes(weight, like, dim):
    shape = [1] * like.ndim
    shape[dim] = weight.shape[0]
    return expand_to(p.reshape(weight, shape=tuple(shape)), like.shape)


def _of_indices(logs, target, weight, dim, ignore_index, reduction, smoothing):
    value, used = _picked(logs, target, weight, ignore_index)
    loss = _reduce_weighted(value, used, reduction)
    if smoothing == 0.0:
        return loss
    weighted = logs if weight is None else p.mul(logs, _along_classes(weight, logs, dim))
    spread_out = p.neg(p.reduce_sum(weighted, dims=(dim,)))
    ignored = p.eq(used, full_like(used, 0)) if weight is None else p.eq(
        p.reshape(cast(target, dtypes.int64), shape=used.shape),
        full(used.shape, ignore_index, dtypes.int64))
    spread_out = p.where(ignored, full_like(spread_out, 0), spread_out)
    if reduction == "mean" and spread_out.ndim:
        dims = tuple(range(spread_out.ndim))
        spread_out = p.div(p.reduce_sum(spread_out, dims=dims), p.reduce_sum(used, dims=dims))
    else:
        spread_out = _reduce_weighted(spread_out, used, reduction)
    share = expand_to(node_of(smoothing, loss.dtype), loss.shape)
    rest = p.sub(full_like(share, 1), share)
    part = p.div(share, full_like(share, logs.shape[dim]))
    return p.add(p.mul(loss, rest), p.mul(spread_out, part))


# ---- margins ----


def _rows(input, target, name):
    """Input (N, C) and target with the batch dimension, which scalars and vectors lack."""
    if input.ndim > 2 or input.ndim and input.shape[-1] == 0:
        raise RuntimeError("Expected non-empty vector or matrix with optional 0-dim batch size, "
                           f"but got: {list(input.shape)}")
    if input.ndim < 2:
        classes = input.numel
        return p.reshape(input, shape=(1, classes)), True
    return input, False


@_loss
def multi_margin_loss(input: Tensor, target: Tensor, p: int = 1, margin: Number = 1.0,
                      weight: Tensor | None = None, reduction: str = "mean"):
    """``sum_i max(0, margin - x[target] + x[i])^p / C`` over the other classes."""
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    return _multi_margin(input, target, p, margin, weight, reduction)


def _multi_margin(input, target, power, margin, weight, reduction):
    x, single = _rows(input, target, "multi_margin_loss")
    n, classes = x.shape
    if target.dtype is not dtypes.int64:
        raise RuntimeError(f"expected scalar type Long but found {target.dtype.legacy_name}: "
                           "class indices are integers; use target.long()")
    if target.numel != n or target.ndim > 1:
        raise RuntimeError(
            "multi_margin_loss: target tensor should be 1-D with size equal to the number of input "
            f"samples (batch size). Expected target size [{n}], but got {list(target.shape)}. "
            f"Input has shape {list(input.shape)}.")
    if weight is not None and weight.shape != (classes,):
        raise RuntimeError(f"inconsistent weight size, expected {classes} but got "
                           f"{list(weight.shape)}")
    target = p.reshape(cast(target, dtypes.int64), shape=(n, 1))
    own = expand_to(p.gather(x, target, dim=1, message="target"), x.shape)
    gap = p.relu(p.add(p.sub(x, own), expand_to(node_of(margin, x.dtype), x.shape)))
    if power == 2:
        gap = p.mul(gap, gap)
    if weight is not None:
        scale = p.take(weight, target, dim=0, message="target")
        gap = p.mul(gap, expand_to(scale, gap.shape))
    is_own = p.eq(iota(x.shape, 1), expand_to(target, x.shape))
    gap = p.where(is_own, full_like(gap, 0), gap)
    value = p.reduce_sum(gap, dims=(1,))
    value = p.div(value, full_like(value, classes))
    return reduce_loss(p.reshape(value, shape=()) if single and target.numel == 1
                       and reduction == "none" and input.ndim < 2 else value, reduction)


@_loss
def multilabel_margin_loss(input: Tensor, target: Tensor, reduction: str = "mean"):
    """Hinge losses between every target class (up to the first -1) and every other class."""
    x, single = _rows(input, target, "multilabel_margin_loss")
    if target.shape != input.shape:
        raise RuntimeError(f"inconsistent target size: {list(target.shape)} for input of size: "
                           f"{list(input.shape)}")
    n, classes = x.shape
    target = p.reshape(cast(target, dtypes.int64), shape=(n, classes))
    ended = p.cumsum(cast(p.lt(target, full_like(target, 0)), dtypes.int64), dim=1)
    valid = p.eq(ended, full_like(ended, 0))
    safe = p.where(valid, target, full_like(target, 0))
    own = p.gather(x, safe, dim=1, message="target")
    cube = (n, classes, classes)                       # [n, target position, class]
    hits = p.eq(expand_to(p.reshape(safe, shape=(n, classes, 1)), cube), iota(cube, 2))
    hits = p.bitwise_and(hits, expand_to(p.reshape(valid, shape=(n, classes, 1)), cube))
    is_target = p.reduce_any(hits, dims=(1,))
    gap = p.sub(expand_to(p.reshape(x, shape=(n, 1, classes)), cube),
                expand_to(p.reshape(own, shape=(n, classes, 1)), cube))
    gap = p.relu(p.add(gap, full_like(gap, 1)))
    counts = p.bitwise_and(
        expand_to(p.reshape(valid, shape=(n, classes, 1)), cube),
        p.logical_not(spread(is_target, cube, (1,))))
    value = p.reduce_sum(p.where(counts, gap, full_like(gap, 0)), dims=(1, 2))
    value = p.div(value, full_like(value, classes))
    return reduce_loss(p.reshape(value, shape=()) if single else value, reduction)
