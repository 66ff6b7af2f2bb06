"""Attention: the scaled dot product and the multi-head form around it."""
import math
import warnings

import flambeau
from flambeau.ops.nn_attention import attention
from flambeau.ops.random import dropout_mask

from .activation import softmax
from .convolution import linear
from .dropout import dropout
from .spatial import pad


def scaled_dot_product_attention(
    query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None,
    enable_gqa=False,
):
    """``softmax(query key^T * scale + mask) value``.

    Args:
        query: ``(…, L, E)``; key: ``(…, S, E)``; value: ``(…, S, V)``.
        attn_mask: boolean (True: attended) or added to the scores, broadcast to ``(…, L, S)``.
        dropout_p: probability of dropping weights; applied whenever it is not 0.
        is_causal: position i attends to positions up to i.
        scale: ``1 / sqrt(E)`` by default.
        enable_gqa: heads of key and value serve several heads of query.

    >>> import flambeau as torch
    >>> q = torch.zeros(2, 4, 5, 8)
    >>> torch.nn.functional.scaled_dot_product_attention(q, q, q, is_causal=True).shape
    torch.Size([2, 4, 5, 8])
    """
    mask = None
    if dropout_p > 0.0:
        lead = flambeau.broadcast_shapes(query.shape[:-2], key.shape[:-2]) if not enable_gqa else (
            tuple(query.shape[:-2])
        )
        shape = (*lead, query.shape[-2], key.shape[-2])
        if dropout_p == 1.0:
            mask = flambeau.zeros(shape, dtype=query.dtype)
        else:
            mask = dropout_mask(shape, dropout_p, query.dtype)
    return attention(
        query, key, value, attn_mask, mask, bool(is_causal), scale, bool(enable_gqa)
    )


def _none_or_dtype(input):
    if input is None:
        return None
    if isinstance(input, flambeau.Tensor):
        return input.dtype
    raise RuntimeError("input to _none_or_dtype() must be None or torch.Tensor")


def _canonical_mask(mask, mask_name, other_type, other_name, target_type, check_other=True):
    """A mask that is added to scores, from a boolean one (True: not attended) or as it is."""
    if mask is None:
        return None
    is_float = mask.is_floating_point()
    if mask.dtype != flambeau.bool and not is_float:
        raise AssertionError(f"only bool and floating types of {mask_name} are supported")
    if check_other and other_type is not None and mask.dtype != other_type:
        warnings.warn(
            f"Support for mismatched {mask_name} and {other_name} is deprecated. "
            "Use same type for both instead.",
            stacklevel=3,
        )
    if is_float:
        return mask
    return flambeau.zeros_like(mask, dtype=target_type).masked_fill(mask, float("-inf"))


def _require(condition, message):
    if not condition:
        raise AssertionError(message)


def _check_shapes(query, key, value, key_padding_mask, attn_mask, num_heads):
    """Raise PyTorch's errors for wrong numbers of dimensions; whether there is a batch."""
    dims = query.dim()
    _require(
        dims in (2, 3),
        "query should be unbatched 2D or batched 3D tensor but received "
        f"{dims}-D query tensor",
    )
    kind = "batched (3-D)" if dims == 3 else "unbatched (2-D)"
    _require(
        key.dim() == dims and value.dim() == dims,
        f"For {kind} `query`, expected `key` and `value` to be {dims}-D but found "
        f"{key.dim()}-D and {value.dim()}-D tensors respectively",
    )
    if key_padding_mask is not None:
        _require(
            key_padding_mask.dim() == dims - 1,
            f"For {kind} `query`, expected `key_padding_mask` to be `None` or {dims - 1}-D but "
            f"found {key_padding_mask.dim()}-D tensor instead",
        )
    if attn_mask is not None:
        _require(
            attn_mask.dim() in (2, 3),
            f"For {kind} `query`, expected `attn_mask` to be `None`, 2-D or 3-D but found "
            f"{attn_mask.dim()}-D tensor instead",
        )
        if dims == 2 and attn_mask.dim() == 3:
            expected = (num_heads, query.shape[0], key.shape[0])
            _require(
                tuple(attn_mask.shape) == expected,
                f"Expected `attn_mask` shape to be {expected} but got {attn_mask.shape}",
            )
    return dims == 3


def _project(query, key, value, weight, bias):
    """Queries, keys and values from one packed weight."""
    if query is key and key is value:
        return linear(query, weight, bias).chunk(3, dim=-1)
    weights = weight.chunk(3)
    biases = (None,) * 3 if bias is None else bias.chunk(3)
    return tuple(linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases))


def multi_head_attention_forward(
    query, key, value, embed_dim_to_check, num_heads, in_proj_weight, in_proj_bias, bias_k, bias_v,
    add_zero_attn, dropout_p, out_proj_weight, out_proj_bias, training=True,
    key_padding_mask=None, need_weights=True, attn_mask=None, use_separate_proj_weight=False,
    q_proj_weight=None, k_proj_weight=None, v_proj_weight=None, static_k=None, static_v=None,
    average_attn_weights=True, is_causal=False,
):
    """Multi-head attention of (length, batch, size) inputs; see ``nn.MultiheadAttention``.

    Returns the output and the attention weights (None unless ``need_weights``).
    """
    batched = _check_shapes(query, key, value, key_padding_mask, attn_mask, num_heads)
    if not batched:
        same_key, same_value = key is query, value is key
        query = query.unsqueeze(1)
        key = query if same_key else key.unsqueeze(1)
        value = key if same_value else value.unsqueeze(1)
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    target, batch, embed_dim = query.shape
    source = key.shape[0]

    key_padding_mask = _canonical_mask(
        key_padding_mask, "key_padding_mask", _none_or_dtype(attn_mask), "attn_mask", query.dtype
    )
    if is_causal and attn_mask is None:
        raise RuntimeError(
            "Need attn_mask if specifying the is_causal hint. You may use the Transformer module "
            "method `generate_square_subsequent_mask` to create this mask."
        )
    if is_causal and key_padding_mask is None and not need_weights:
        attn_mask = None  # the product masks by itself
    else:
        attn_mask = _canonical_mask(attn_mask, "attn_mask", None, "", query.dtype, False)
        is_causal = False

    _require(
        embed_dim == embed_dim_to_check,
        f"was expecting embedding dimension of {embed_dim_to_check}, but got {embed_dim}",
    )
    head_dim = embed_dim // num_heads
    _require(
        head_dim * num_heads == embed_dim,
        f"embed_dim {embed_dim} not divisible by num_heads {num_heads}",
    )
    if use_separate_proj_weight:
        _require(
            key.shape[:2] == value.shape[:2],
            f"key's sequence and batch dims {key.shape[:2]} do not match value's {value.shape[:2]}",
        )
        weights = (q_proj_weight, k_proj_weight, v_proj_weight)
        for name, weight in zip("qkv", weights):
            _require(
                weight is not None,
                f"use_separate_proj_weight is True but {name}_proj_weight is None",
            )
        biases = (None,) * 3 if in_proj_bias is None else in_proj_bias.chunk(3)
        q, k, v = (linear(*each) for each in zip((query, key, value), weights, biases))
    else:
        _require(
            key.shape == value.shape,
            f"key shape {key.shape} does not match value shape {value.shape}",
        )
        _require(
            in_proj_weight is not None,
            "use_separate_proj_weight is False but in_proj_weight is None",
        )
        q, k, v = _project(query, key, value, in_proj_weight, in_proj_bias)

    attn_mask = _expand_mask(attn_mask, batch * num_heads, target, source)
    added = 0
    if bias_k is not None and bias_v is not None:
        _require(static_k is None, "bias cannot be added to static key.")
        _require(static_v is None, "bias cannot be added to static value.")
        k = flambeau.cat([k, bias_k.expand(1, batch, embed_dim)])
        v = flambeau.cat([v, bias_v.expand(1, batch, embed_dim)])
        added += 1
    else:
        _require(bias_k is None, "bias_k is set but bias_v is None")
        _require(bias_v is None, "bias_v is set but bias_k is None")

    def heads(x, static, name):
        """(length, batch, size) to (batch * heads, length, head size)."""
        if static is None:
            return x.reshape(x.shape[0], batch * num_heads, head_dim).transpose(0, 1)
        wanted = (batch * num_heads, head_dim)
        for dim, size in zip((0, 2), wanted):
            _require(
                static.size(dim) == size,
                f"expecting {name}.size({dim}) of {size}, but got {static.size(dim)}",
            )
        return static

    q = heads(q, None, "q")
    k, v = heads(k, static_k, "static_k"), heads(v, static_v, "static_v")
    if add_zero_attn:
        zeros = flambeau.zeros(batch * num_heads, 1, head_dim, dtype=k.dtype)
        k, v = flambeau.cat([k, zeros], dim=1), flambeau.cat([v, zeros], dim=1)
        added += 1
    source = k.size(1)
    if added:
        attn_mask = None if attn_mask is None else pad(attn_mask, (0, added))
        key_padding_mask = None if key_padding_mask is None else pad(key_padding_mask, (0, added))
    if key_padding_mask is not None:
        for dim, size in enumerate((batch, source)):
            _require(
                key_padding_mask.shape[dim] == size,
                f"Expected key_padded_mask.shape[{dim}] to be {size}, but got "
                f"{key_padding_mask.shape[dim]}",
            )
        padding = key_padding_mask.reshape(batch, 1, 1, source)
        padding = padding.expand(-1, num_heads, -1, -1)
        padding = padding.reshape(batch * num_heads, 1, source)
        attn_mask = padding if attn_mask is None else attn_mask + padding
    dropout_p = dropout_p if training else 0.0

    weights = None
    if need_weights:
        scores = flambeau.bmm(q * math.sqrt(1.0 / head_dim), k.transpose(-2, -1))
        if attn_mask is not None:
            scores = scores + attn_mask
        weights = softmax(scores, dim=-1)
        if dropout_p > 0.0:
            weights = dropout(weights, p=dropout_p)
        output = flambeau.bmm(weights, v).transpose(0, 1)
        weights = weights.reshape(batch, num_heads, target, source)
        if average_attn_weights:
            weights = weights.mean(dim=1)
        if not batched:
            weights = weights.squeeze(0)
    else:
        def split(x):
            return x.reshape(batch, num_heads, x.shape[-2], head_dim)

        if attn_mask is not None:
            whole = attn_mask.size(0) == 1
            attn_mask = attn_mask.unsqueeze(0) if whole else attn_mask.reshape(
                batch, num_heads, -1, source
            )
        output = scaled_dot_product_attention(
            split(q), split(k), split(v), attn_mask, dropout_p, is_causal
        ).permute(2, 0, 1, 3)
    output = linear(output.reshape(target * batch, embed_dim), out_proj_weight, out_proj_bias)
    output = output.reshape(target, batch, output.size(1))
    return (output if batched else output.squeeze(1)), weights


def _expand_mask(mask, heads, target, source):
    """The attention mask with three dimensions, its shape checked."""
    if mask is None:
        return None
    if mask.dim() == 2:
        if tuple(mask.shape) != (target, source):
            raise RuntimeError(
                f"The shape of the 2D attn_mask is {mask.shape}, but should be {(target, source)}."
            )
        return mask.unsqueeze(0)
    if mask.dim() == 3:
        if tuple(mask.shape) != (heads, target, source):
            raise RuntimeError(
                f"The shape of the 3D attn_mask is {mask.shape}, but should be "
                f"{(heads, target, source)}."
            )
        return mask
    raise RuntimeError(f"attn_mask's dimension {mask.dim()} is not supported")
