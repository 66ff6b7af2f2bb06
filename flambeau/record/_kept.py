"""Which operands, and whether the result, each operation keeps for its gradient in PyTorch.

A table beside `saved`, found by writing over every operand of every operation in PyTorch 2.13 and
calling backward: `tests/parity/test_overwritten.py` does it again. An entry names places among the
operands, "r" for the result; "1?2" is place 1 if operand 2 requires gradients, "0?12" place 0 if 1
or 2 does. Operations that are not here are not known to keep anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..graph.ir import Node

__all__ = ["RESULT", "is_known", "kept_places"]

RESULT = -1

_TABLE = {
    "": "add adjoint alias as_strided broadcast_to cat ceil clone conj conj_physical cov cumsum "
        "deg2rad diag diag_embed diagonal diff embedding expand fft2 fftn flatten flip floor fold "
        "frac index_fill index_select kron l1_loss masked_fill mean mode movedim narrow neg "
        "permute pixel_shuffle positive real repeat reshape roll rot90 round rsub scatter_add "
        "select sign sort squeeze stack sub sum t tile to_dtype topk trace transpose tril triu "
        "trunc unflatten unfold unsqueeze view where _max_dim _min_dim _scatter _masked_scatter "
        "_constant_pad _repeat_interleave basic_index scale_by_mask quantile kthvalue",
    "0": "abs acos acosh angle asin asinh atan atanh celu combinations cos cosh cummax cummin "
         "digamma elu entr erf erfc erfinv fft gather gelu glu hardshrink hardsigmoid hardswish "
         "hardtanh i0 ifft ihfft ihfft2 ihfftn leaky_relu lgamma local_response_norm log log10 "
         "log1p log2 logit logsigmoid matrix_exp mish multi_margin_loss multilabel_margin_loss "
         "nan_to_num nanmean nansum normalize renorm rfft rfft2 rfftn selu silu sin sinc sinh "
         "soft_margin_loss softplus softshrink softsign square take take_along_dim threshold var "
         "var_mean _logdet _mvlgamma _polygamma _pow_static max_pool max_pool_with_indices "
         "avg_pool",
    "0 r": "amax amin aminmax cholesky_inverse cumprod det erfcx i0e i1 i1e log_ndtr "
           "logcumsumexp logsumexp pdist prod sgn slogdet solve solve_ex std std_mean tensorsolve "
           "vector_norm _median_all _nanmedian_all _norm _pinv "
           "_lu_solve _vander solve_triangular",
    "r": "cholesky cholesky_ex eigvalsh exp exp2 expm1 inv inv_ex log_softmax lu lu_factor "
         "lu_factor_ex ndtri pairwise_distance polar reciprocal relu rsqrt sigmoid softmax sqrt "
         "svdvals tan tanh tensorinv",
    "0 1": "atan2 clamp_max clamp_min conv1d conv2d conv3d conv_transpose1d conv_transpose2d "
           "conv_transpose3d cosine_embedding_loss fmax fmin group_norm huber_loss igamma "
           "igammac logaddexp logaddexp2 maximum minimum mse_loss prelu smooth_l1_loss xlog1py "
           "xlogy zeta grid_sample",
    "0 1 r": "_lstsq cdist cholesky_solve dist householder_product triangular_solve",
    "0 1 2": "binary_cross_entropy clamp conv_tbc layer_norm",
    "0 1 2 r": "ormqr",
    "0 2": "nll_loss",
    "0 2 r": "index_reduce scatter_reduce",
    "0 3": "batch_norm_train",
    "0 1 2 3": "batch_norm_eval binary_cross_entropy_with_logits",
    "2": "cross_entropy",
    "2?2": "index_add index_copy put",
    "0?1 1?0": "bmm cross dot inner mm mul mv outer vdot vecdot matmul linear",
    "0?0 1?0": "multilabel_soft_margin_loss nextafter rms_norm",
    "0?0 1?1": "complex cosine_similarity",
    "0?1 1?1": "fmod remainder",
    "0?1 1": "div poisson_nll_loss kl_div",
    "0?1": "_tensordot",
    "0?0 r": "copysign",
    "0?0 1?1 r": "hypot",
    "1?0 r": "ldexp",
    "1?2 2?1": "addbmm addcmul addmm addmv addr baddbmm",
    "1?2 2": "addcdiv",
    "0?2 1?2 2": "lerp",
    "0?12 1?02 2?01": "bilinear",
    "0 1 2 r flash": "scaled_dot_product_attention",
    "0 1 r powers": "pow float_power",
}


def _parsed(text: str):
    """[(place, the operands of which one must require gradients, or None)]."""
    found = []
    for word in text.split():
        place, _, condition = word.partition("?")
        if place in ("flash", "powers"):
            continue
        found.append((RESULT if place == "r" else int(place),
                      tuple(map(int, condition)) if condition else None))
    return found


_KEPT = {name: _parsed(text) for text, names in _TABLE.items() for name in names.split()}


def is_known(name: str) -> bool:
    """Whether it is known what the operation keeps."""
    return name in _KEPT


def kept_places(name: str, static: tuple, operands: list[Node | None], out: Node,
                is_whole: Callable[[int], bool]) -> Iterator[int]:
    """The places of the operands that an operation keeps, `RESULT` for its result.

    operands: their nodes, None for those that are no tensors; is_whole: whether an operand, by its
    place, is known to lie in memory row by row.
    """
    rule = _SPECIAL.get(name)
    entries = _KEPT.get(name, ()) if rule is None else rule(static, operands, is_whole)
    for place, condition in entries:
        if place == RESULT:
            yield place
        elif place < len(operands) and operands[place] is not None and (
                condition is None or any(_requires(operands, i) for i in condition)):
            yield place


def _requires(operands, place):
    node = operands[place] if place < len(operands) else None
    return node is not None and node.requires_grad


# ---- operations that keep one thing or another ---------------------------------------------------


def _matmul(static, operands, is_whole):
    """Of more dimensions than two, what is not already in order is copied, and that is kept."""
    a, b = operands[:2]
    entries = _KEPT["matmul"]
    if a is None or b is None or max(a.ndim, b.ndim) <= 2:
        return entries
    batches = a.shape[:-2] == b.shape[:-2] or b.ndim <= 2 or max(a.ndim, b.ndim) == 3
    return [(place, condition) for place, condition in entries
            if operands[place].ndim <= 2 or batches and is_whole(place) and (
                a.ndim > 2 or place == 0)]


def _attention(static, operands, is_whole):
    """The fused kernel keeps its operands; without it, queries and keys are scaled copies."""
    query, _, _, mask, dropped = (*operands, None, None)[:5]
    if query is not None and query.ndim == 4 and dropped is None and not (
            mask is not None and mask.requires_grad):
        return _KEPT["scaled_dot_product_attention"] if mask is None else []
    return [(2, (0, 1, 3))] if query is not None and query.ndim < 4 else []


def _power(static, operands, is_whole):
    return _KEPT["pow"] if len(operands) > 1 and operands[1] is not None else [(0, None)]


def _division(static, operands, is_whole):
    return [] if static and static[0] is not None else _KEPT["div"]


def _divergence(static, operands, is_whole):
    return [] if any(flag is True for flag in static) else _KEPT["kl_div"]


def _recurrent(static, operands, is_whole):
    """The input, for the gradients of the weights."""
    return [(0, tuple(range(1, len(operands))))] if is_whole(0) else []


_SPECIAL = {"matmul": _matmul, "linear": _matmul, "scaled_dot_product_attention": _attention,
            "pow": _power, "float_power": _power, "div": _division, "kl_div": _divergence,
            "recurrent_layer": _recurrent}
