"""Losses: operations plus the old ``size_average`` and ``reduce`` options."""
import flambeau
from flambeau.ops import nn_classification as classes
from flambeau.ops import nn_loss as ops

from .._reduction import legacy_get_string


def _reduction(size_average, reduce, reduction):
    if size_average is not None or reduce is not None:
        return legacy_get_string(size_average, reduce)
    return reduction


def cross_entropy(
    input, target, weight=None, size_average=None, ignore_index=-100, reduce=None,
    reduction="mean", label_smoothing=0.0,
):
    """``-log softmax(input)[target]``; see :class:`flambeau.nn.CrossEntropyLoss`.

    >>> import flambeau as torch
    >>> torch.nn.functional.cross_entropy(torch.zeros(2, 4), torch.tensor([1, 2]))
    tensor(1.3863)
    """
    if size_average is not None or reduce is not None:
        reduction = legacy_get_string(size_average, reduce)
    if not label_smoothing:
        return classes.cross_entropy(input, target, weight, ignore_index, reduction)
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(
            f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing:g}"
        )
    return classes.cross_entropy(
        input, target, weight, ignore_index, reduction, label_smoothing
    )


def nll_loss(
    input, target, weight=None, size_average=None, ignore_index=-100, reduce=None,
    reduction="mean",
):
    """``-weight[target] * input[target]`` for log-probabilities ``input``."""
    reduction = _reduction(size_average, reduce, reduction)
    return classes.nll_loss(input, target, weight, ignore_index, reduction)


def _check_tensors(*given) -> None:
    for x in given:
        if not isinstance(x, flambeau.Tensor):
            raise AttributeError(f"'{type(x).__name__}' object has no attribute 'size': expected a "
                                 "Tensor")


def mse_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """``(input - target)^2``, reduced."""
    _check_tensors(target, input)
    return ops.mse_loss(input, target, _reduction(size_average, reduce, reduction), weight)


def l1_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """``|input - target|``, reduced."""
    _check_tensors(target, input)
    return ops.l1_loss(input, target, _reduction(size_average, reduce, reduction), weight)


def smooth_l1_loss(input, target, size_average=None, reduce=None, reduction="mean", beta=1.0):
    """``0.5 d^2 / beta`` where ``d = |input - target| < beta``, else ``d - 0.5 beta``."""
    _check_tensors(target, input)
    reduction = _reduction(size_average, reduce, reduction)
    return ops.smooth_l1_loss(input, target, reduction, float(beta))


def huber_loss(input, target, reduction="mean", delta=1.0, weight=None):
    """``0.5 d^2`` where ``d = |input - target| <= delta``, else ``delta (d - 0.5 delta)``."""
    _check_tensors(target, input)
    return ops.huber_loss(input, target, reduction, float(delta), weight)


def binary_cross_entropy(
    input, target, weight=None, size_average=None, reduce=None, reduction="mean"
):
    """``-weight (t log x + (1 - t) log(1 - x))`` for probabilities ``x``."""
    _check_tensors(target, input)
    reduction = _reduction(size_average, reduce, reduction)
    value = input._fetch()
    if value.is_concrete and input.is_floating_point():
        array = input._array()
        if array.size and not ((array >= 0) & (array <= 1)).all():
            raise RuntimeError(
                "all elements of input should be between 0 and 1: apply a sigmoid, or use "
                "binary_cross_entropy_with_logits"
            )
    return ops.binary_cross_entropy(input, target, weight, reduction)


def binary_cross_entropy_with_logits(
    input, target, weight=None, size_average=None, reduce=None, reduction="mean", pos_weight=None
):
    """Binary cross-entropy of ``sigmoid(input)``; see :class:`flambeau.nn.BCEWithLogitsLoss`."""
    _check_tensors(target, input)
    reduction = _reduction(size_average, reduce, reduction)
    return ops.binary_cross_entropy_with_logits(input, target, weight, reduction, pos_weight)


def kl_div(
    input, target, size_average=None, reduce=None, reduction="mean", log_target=False
):
    """``target * (log(target) - input)``; see :class:`flambeau.nn.KLDivLoss`."""
    reduction = _reduction(size_average, reduce, reduction)
    return ops.kl_div(input, target, reduction, bool(log_target))


def poisson_nll_loss(
    input, target, log_input=True, full=False, size_average=None, eps=1e-8, reduce=None,
    reduction="mean",
):
    """``exp(input) - target * input``; see :class:`flambeau.nn.PoissonNLLLoss`."""
    reduction = _reduction(size_average, reduce, reduction)
    return ops.poisson_nll_loss(input, target, bool(log_input), bool(full), eps, reduction)


def gaussian_nll_loss(input, target, var, full=False, eps=1e-6, reduction="mean"):
    """``(log v + (input - target)^2 / v) / 2`` with ``v = max(var, eps)``."""
    if not isinstance(var, flambeau.Tensor):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        var = flambeau.full_like(input.detach(), var)
    elif var._fetch().is_concrete and var.numel() and (var._array() < 0).any():
        raise ValueError("var has negative entry/entries")
    return ops.gaussian_nll_loss(input, target, var, bool(full), eps, reduction)


def soft_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """``log(1 + exp(-target * input))``."""
    return ops.soft_margin_loss(input, target, _reduction(size_average, reduce, reduction))


def multilabel_soft_margin_loss(
    input, target, weight=None, size_average=None, reduce=None, reduction="mean"
):
    """The mean over classes of binary cross-entropies with logits."""
    reduction = _reduction(size_average, reduce, reduction)
    return ops.multilabel_soft_margin_loss(input, target, weight, reduction)


def multilabel_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """Hinge losses between target classes and all others; targets end at the first -1."""
    reduction = _reduction(size_average, reduce, reduction)
    return classes.multilabel_margin_loss(input, target, reduction)


def multi_margin_loss(
    input, target, p=1, margin=1.0, weight=None, size_average=None, reduce=None, reduction="mean"
):
    """``sum_i max(0, margin - input[target] + input[i])^p / C``."""
    reduction = _reduction(size_average, reduce, reduction)
    if weight is not None and weight.dim() != 1:
        raise ValueError("weight must be one-dimensional")
    return classes.multi_margin_loss(input, target, p, margin, weight, reduction)


def hinge_embedding_loss(
    input, target, margin=1.0, size_average=None, reduce=None, reduction="mean"
):
    """``input`` where target is 1, ``max(0, margin - input)`` where it is -1."""
    reduction = _reduction(size_average, reduce, reduction)
    return ops.hinge_embedding_loss(input, target, margin, reduction)


def margin_ranking_loss(
    input1, input2, target, margin=0, size_average=None, reduce=None, reduction="mean"
):
    """``max(0, -target * (input1 - input2) + margin)``."""
    reduction = _reduction(size_average, reduce, reduction)
    return ops.margin_ranking_loss(input1, input2, target, margin, reduction)


def cosine_embedding_loss(
    input1, input2, target, margin=0, size_average=None, reduce=None, reduction="mean"
):
    """``1 - cos`` where target is 1, ``max(0, cos - margin)`` where it is -1."""
    reduction = _reduction(size_average, reduce, reduction)
    return ops.cosine_embedding_loss(input1, input2, target, margin, reduction)


def triplet_margin_loss(
    anchor, positive, negative, margin=1.0, p=2, eps=1e-6, swap=False, size_average=None,
    reduce=None, reduction="mean",
):
    """``max(0, d(anchor, positive) - d(anchor, negative) + margin)`` with p-norm distances."""
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    reduction = _reduction(size_average, reduce, reduction)
    return ops.triplet_margin_loss(
        anchor, positive, negative, margin, float(p), eps, bool(swap), reduction
    )


def triplet_margin_with_distance_loss(
    anchor, positive, negative, *, distance_function=None, margin=1.0, swap=False,
    reduction="mean",
):
    """``triplet_margin_loss`` with a distance function of one's own."""
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    distance = pairwise_distance if distance_function is None else distance_function
    near = distance(anchor, positive)
    far = distance(anchor, negative)
    if swap:
        far = flambeau.minimum(far, distance(positive, negative))
    loss = flambeau.clamp_min(near - far + margin, 0)
    if reduction == "mean":
        return loss.mean()
    return loss.sum() if reduction == "sum" else loss


cosine_similarity = ops.cosine_similarity


def pairwise_distance(x1, x2, p=2.0, eps=1e-6, keepdim=False):
    """``||x1 - x2 + eps||_p`` over the last dimension."""
    return ops.pairwise_distance(x1, x2, float(p), eps, bool(keepdim))


def pdist(input, p=2.0):
    """The p-norm distances between all pairs of rows."""
    return ops.pdist(input, float(p))


def linear_cross_entropy(
    input, linear_weight, target, *, linear_bias=None, weight=None, reduction="mean",
    ignore_index=None, label_smoothing=0.0, options=None,
):
    """``cross_entropy`` of a linear layer's scores ``input @ linear_weight.T + linear_bias``.

    Args:
        input: ``(*, in_features)``; linear_weight: ``(classes, *out_features, in_features)``.
        options: PyTorch's choices of chunking, which are not supported: the compiler decides.
    """
    if options is not None:
        raise NotImplementedError("linear_cross_entropy: options must be None")
    from .convolution import linear

    if input.dim() not in (1, 2):
        raise RuntimeError(f"expected input with dimensionality 1 or 2, got {input.dim()}")
    if linear_weight.dim() < 2:
        raise RuntimeError(
            f"expected linear_weight with dimensionality at least 2, got {linear_weight.dim()}"
        )
    if input.shape[-1] != linear_weight.shape[-1]:
        raise RuntimeError(
            "expected equal input and linear_weight last dimensions (in_features), got "
            f"{input.shape[-1]} and {linear_weight.shape[-1]}, respectively"
        )
    if linear_weight.dim() > 2 and input.dim() == 1:
        raise RuntimeError(
            f"K-dimensional loss defined by linear_weight shape {tuple(linear_weight.shape)} "
            "requires batched input"
        )
    if linear_bias is not None and linear_bias.shape != linear_weight.shape[:-1]:
        raise RuntimeError(
            f"expected linear_bias shape {tuple(linear_weight.shape[:-1])}, got "
            f"{tuple(linear_bias.shape)}"
        )
    if ignore_index is not None and target.is_floating_point():
        raise RuntimeError("ignore_index cannot be specified when target contains probabilities")
    classes_count, *out_features, in_features = linear_weight.shape
    flat_bias = None if linear_bias is None else linear_bias.reshape(-1)
    scores = linear(input, linear_weight.reshape(-1, in_features), flat_bias)
    scores = scores.reshape(*input.shape[:-1], classes_count, *out_features)
    batch_dims = input.dim() - 1
    if batch_dims > 1:
        scores = scores.movedim(batch_dims, 1)
    return cross_entropy(
        scores, target, weight=weight, ignore_index=-100 if ignore_index is None else ignore_index,
        reduction=reduction, label_smoothing=label_smoothing,
    )


def ctc_loss(
    log_probs, targets, input_lengths, target_lengths, blank=0, reduction="mean",
    zero_infinity=False,
):
    """Minus the log-probability of all alignments; see :class:`flambeau.nn.CTCLoss`.

    Args:
        log_probs: ``(T, N, C)`` or ``(T, C)``; targets: ``(N, S)`` or all joined in one row.
        input_lengths, target_lengths: integers, one per sample, as tensors or tuples.
    """
    from flambeau.ops.nn_ctc import ctc_loss as operation

    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    unbatched = log_probs.dim() == 2
    if unbatched:
        log_probs = log_probs.unsqueeze(1)
    inputs, lengths = _integers(input_lengths), _integers(target_lengths)
    batch = log_probs.shape[1]
    for name, values in (("input_lengths", inputs), ("target_lengths", lengths)):
        if len(values) != batch:
            raise RuntimeError(f"{name} must be of size batch_size")
    if any(length < 0 for length in lengths):
        raise RuntimeError("Expected target_lengths to have value at least 0, but got a negative")
    if targets.ndim == 2 and any(length > targets.shape[1] for length in lengths):
        raise RuntimeError(f"Expected tensor to have size at least {max(lengths)} at dimension 1, "
                           f"but got size {targets.shape[1]} for argument #2 'targets' (while "
                           "checking arguments for ctc_loss_allocate_outputs)")
    if any(length > log_probs.shape[0] for length in inputs):
        raise RuntimeError(
            f"Expected input_lengths to have value at most {log_probs.shape[0]}, but got value "
            f"{max(inputs)}"
        )
    if not 0 <= blank < log_probs.shape[2]:
        raise RuntimeError("blank must be in label range")
    if targets.dim() == 1 and not (unbatched and targets.dim() == 1):
        if targets.shape[0] != sum(lengths):
            raise RuntimeError(
                f"Expected tensor to have size {sum(lengths)} at dimension 0, but got size "
                f"{targets.shape[0]} for argument #2 'targets' (while checking arguments for "
                "ctc_loss_cpu)"
            )
    losses = operation(log_probs, targets, inputs, lengths, int(blank), bool(zero_infinity))
    if reduction == "mean":
        divisor = flambeau.tensor([max(length, 1) for length in lengths], dtype=losses.dtype)
        return (losses / divisor).mean()
    if reduction == "sum":
        return losses.sum()
    return losses.squeeze(0) if unbatched else losses


def _integers(values):
    if isinstance(values, flambeau.Tensor):
        values = values.tolist()
    return tuple(values) if isinstance(values, (list, tuple)) else (int(values),)
