"""Rows of tables: embedding, its bags, and one-hot vectors."""

from __future__ import annotations

from .. import dtypes
from .build import cast, expand_to, full, full_like, iota, p, spread
from .declare import operation
from .nn_norm import _norm

__all__ = ["embedding", "embedding_bag", "one_hot", "renormalised_rows"]


def _check(weight, index, name):
    if weight.ndim != 2:
        raise RuntimeError("'weight' must be 2-D")
    if index.dtype not in (dtypes.int64, dtypes.int32):
        raise RuntimeError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: "
            f"Long, Int; but got torch.{index.dtype.legacy_name}Tensor instead (while checking "
            f"arguments for {name}): use .long()")


def _slope(node, factor):
    """`node` with its gradient multiplied by `factor`."""
    fixed = p.detach(node)
    return p.add(fixed, p.mul(factor, p.sub(node, fixed)))


def _scaled_by_frequency(rows, index, table_rows):
    """`rows` with gradients divided by how often their index occurs."""
    ones = full(index.shape, 1, rows.dtype)
    counts = p.put(full((table_rows,), 0, rows.dtype), index, ones, dim=0, mode="add", message="")
    share = p.reciprocal(p.take(counts, index, dim=0, message=""))
    return _slope(rows, expand_to(p.reshape(share, shape=share.shape + (1,)), rows.shape))


@operation("embedding", method=False, namespace="_nn")
def embedding(weight: Tensor, input: Tensor, padding_idx: int = -1,
              scale_grad_by_freq: bool = False):
    """The rows of ``weight`` (rows, columns) at ``input``; no gradient for ``padding_idx``."""
    _check(weight, input, "embedding")
    index = cast(input, dtypes.int64)
    rows = p.take(weight, index, dim=0, message="embedding")
    if scale_grad_by_freq:
        rows = _scaled_by_frequency(rows, index, weight.shape[0])
    if padding_idx >= 0:
        is_padding = p.eq(index, full_like(index, padding_idx))
        is_padding = expand_to(p.reshape(is_padding, shape=index.shape + (1,)), rows.shape)
        rows = p.where(is_padding, p.detach(rows), rows)
    return rows


@operation(method=False, namespace="_nn")
def renormalised_rows(weight: Tensor, input: Tensor, max_norm: float, norm_type: float):
    """``weight`` with the rows at ``input`` scaled down to the norm ``max_norm``."""
    index = cast(p.reshape(input, shape=(input.numel,)), dtypes.int64)
    hits = p.put(full((weight.shape[0],), 0, dtypes.int64), index,
                 full(index.shape, 1, dtypes.int64), dim=0, mode="set", message="embedding")
    norm = _norm(weight, norm_type, (1,))
    large = p.gt(norm, full_like(norm, max_norm))
    large = p.bitwise_and(large, p.ne(hits, full_like(hits, 0)))
    scale = p.div(full_like(norm, max_norm), p.add(norm, full_like(norm, 1e-7)))
    scale = p.where(large, scale, full_like(scale, 1))
    return p.mul(weight, spread(scale, weight.shape, (1,)))


@operation("embedding_bag", method=False, namespace="_nn")
def embedding_bag(weight: Tensor, input: Tensor, offsets: Tensor | None, bags: int, mode: str,
                  per_sample_weights: Tensor | None, padding_idx: int, scale_grad_by_freq: bool):
    """Sums, means or maxima of bags: rows of a 2-D ``input``, or stretches at ``offsets``."""
    _check(weight, input, "embedding_bag")
    index = cast(p.reshape(input, shape=(input.numel,)), dtypes.int64)
    places = index.shape[0]
    width = weight.shape[1]
    if offsets is None:
        length = input.shape[1]
        bag = p.reshape(iota((input.shape[0], length), 0), shape=(places,))
    else:
        # the bag of a place is the number of offsets up to it, less one
        starts = cast(p.slice(offsets, starts=(0,), stops=(bags,), steps=(1,)), dtypes.int64)
        grid = (places, bags)
        begun = p.ge(iota(grid, 0), expand_to(p.reshape(starts, shape=(1, bags)), grid))
        bag = p.sub(p.reduce_sum(cast(begun, dtypes.int64), dims=(1,)),
                    full((places,), 1, dtypes.int64))
    rows = p.take(weight, index, dim=0, message="maximum of bag" if mode == "max" else "bag")
    if scale_grad_by_freq:
        rows = _scaled_by_frequency(rows, index, weight.shape[0])
    counted = full((places,), 1, rows.dtype)
    if padding_idx >= 0:
        counted = cast(p.ne(index, full_like(index, padding_idx)), rows.dtype)
    counts = p.put(full((bags,), 0, rows.dtype), bag, counted, dim=0, mode="add", message="")
    if mode == "max":
        return _bag_maxima(rows, bag, counted, counts, bags, width)
    factor = counted
    if per_sample_weights is not None:
        factor = p.mul(factor, p.reshape(per_sample_weights, shape=(places,)))
    rows = p.mul(rows, expand_to(p.reshape(factor, shape=(places, 1)), rows.shape))
    total = p.put(full((bags, width), 0, rows.dtype), bag, rows, dim=0, mode="add", message="")
    if mode == "sum":
        return total
    counts = p.maximum(counts, full_like(counts, 1))
    return p.div(total, spread(counts, total.shape, (1,)))


def _bag_maxima(rows, bag, counted, counts, bags, width):
    lowest = full_like(rows, float("-inf"))
    valid = expand_to(p.reshape(counted, shape=(counted.shape[0], 1)), rows.shape)
    rows = p.where(p.ne(valid, full_like(valid, 0)), rows, lowest)
    index = expand_to(p.reshape(bag, shape=(bag.shape[0], 1)), rows.shape)
    start = full((bags, width), float("-inf"), rows.dtype)
    top = p.scatter(start, index, rows, dim=0, mode="max", message="")
    empty = p.eq(spread(counts, top.shape, (1,)), full_like(top, 0))
    return p.where(empty, full_like(top, 0), top)


@operation("one_hot", method=False, namespace="_nn")
def one_hot(input: Tensor, num_classes: int):
    """Integers (*, num_classes) with a 1 at each index."""
    shape = input.shape + (num_classes,)
    index = p.reshape(input, shape=input.shape + (1,))
    return p.scatter(full(shape, 0, dtypes.int64), index, full(index.shape, 1, dtypes.int64),
                     dim=len(shape) - 1, mode="set", message="")


