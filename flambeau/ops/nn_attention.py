"""Scaled dot-product attention as one operation."""

from __future__ import annotations

import math

from .. import dtypes
from .build import (
    broadcast_shapes,
    cast,
    expand_to,
    full_like,
    iota,
    node_of,
    p,
    spread,
)
from .declare import operation

__all__ = ["attention"]


def _safe_softmax(scores):
    """Softmax over the last dimension; rows of -inf alone give zeros, not NaN."""
    dims = (scores.ndim - 1,)
    top = p.reduce_max(p.detach(scores), dims=dims)
    blocked = p.eq(top, full_like(top, float("-inf")))
    top = p.where(blocked, full_like(top, 0), top)
    powers = p.exp(p.sub(scores, spread(top, scores.shape, dims)))
    total = p.reduce_sum(powers, dims=dims)
    total = p.where(blocked, full_like(total, 1), total)
    return p.div(powers, spread(total, scores.shape, dims))


def _matmul(a, b, transpose_b):
    """Batched product over equal leading dimensions."""
    lead = tuple(range(a.ndim - 2))
    last = a.ndim - 1
    return p.contract(a, b, batch_a=lead, batch_b=lead, contract_a=(last,),
                      contract_b=(last if transpose_b else last - 1,))


@operation("scaled_dot_product_attention", method=False, namespace="_nn")
def attention(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None,
              dropout_mask: Tensor | None, is_causal: bool, scale: Number | None,
              enable_gqa: bool):
    """``softmax(query key^T scale + mask) value`` for (…, length, width) operands."""
    if not query.dtype is key.dtype is value.dtype:
        raise RuntimeError("Expected query, key, and value to have the same dtype, but got "
                           f"query.dtype: {query.dtype} key.dtype: {key.dtype} and value.dtype: "
                           f"{value.dtype} instead.")
    if min(query.ndim, key.ndim, value.ndim) < 2:
        raise RuntimeError("Expected query, key, and value to all be  at least 2 dimensional, but "
                           f"got query.dim(): {query.ndim}, key.dim(): {key.ndim} and "
                           f"value.dim(): {value.ndim} instead.")
    if attn_mask is not None and is_causal:
        raise RuntimeError("_scaled_dot_product_attention: Explicit attn_mask should not be set "
                           "when is_causal=True")
    width = query.shape[-1]
    if key.shape[-1] != width:
        raise RuntimeError("Expected size for first two dimensions of batch2 tensor to be: "
                           f"[{math.prod(key.shape[:-2])}, {width}] but got: "
                           f"[{math.prod(key.shape[:-2])}, {key.shape[-1]}]. query has width "
                           f"{width}, key {key.shape[-1]}")
    if key.shape[-2] != value.shape[-2]:
        raise RuntimeError(f"key and value must have the same length; received {key.shape[-2]} and "
                           f"{value.shape[-2]}")
    if enable_gqa:
        key, value = (_repeat_heads(x, query) for x in (key, value))
    lead = broadcast_shapes(query.shape[:-2], key.shape[:-2], value.shape[:-2])
    query, key, value = (expand_to(x, lead + x.shape[-2:]) for x in (query, key, value))
    factor = 1 / math.sqrt(width) if scale is None else scale
    factor = expand_to(node_of(factor, query.dtype), query.shape)
    scores = _matmul(p.mul(query, factor), key, True)
    if is_causal:
        allowed = p.le(iota(scores.shape, scores.ndim - 1), iota(scores.shape, scores.ndim - 2))
        scores = p.where(allowed, scores, full_like(scores, float("-inf")))
    elif attn_mask is not None:
        mask = expand_to(attn_mask, broadcast_shapes(attn_mask.shape, scores.shape))
        if mask.shape != scores.shape:
            scores = expand_to(scores, mask.shape)
            value = expand_to(value, mask.shape[:-2] + value.shape[-2:])
        if mask.dtype is dtypes.bool_:
            scores = p.where(mask, scores, full_like(scores, float("-inf")))
        else:
            scores = p.add(scores, cast(mask, scores.dtype))
    weights = _safe_softmax(scores)
    if dropout_mask is not None:
        weights = p.mul(weights, dropout_mask)
    return _matmul(weights, value, False)


def _repeat_heads(x, query):
    """Grouped queries: each head of keys and values serves several heads of queries."""
    heads, wanted = x.shape[-3], query.shape[-3]
    if wanted % heads:
        raise RuntimeError("Number of heads in key and value must divide the number of heads in "
                           "query")
    times = wanted // heads
    shape = x.shape[:-2] + (1,) + x.shape[-2:]
    x = p.reshape(x, shape=shape)
    x = p.expand(x, shape=shape[:-3] + (times,) + shape[-2:])
    return p.reshape(x, shape=x.shape[:-4] + (wanted,) + x.shape[-2:])
