"""Operations on all gradients at once: their common norm, scaling and clamping."""

from __future__ import annotations

from ._nn_common import computing_dtype
from .build import cast, expand_to, full_like, node_of, p
from .declare import operation

__all__ = ["clamp_all", "scale_all", "total_norm"]


def _nn(body):
    return operation(method=False, namespace="_nn")(body)


def _combined(parts, primitive):
    total = parts[0]
    for part in parts[1:]:
        total = primitive(total, cast(part, total.dtype))
    return total


@_nn
def total_norm(tensors: Tensors, norm_type: float):
    """The p-norm of all elements of all tensors."""
    values = [cast(x, computing_dtype(x.dtype)) for x in tensors]
    kind = values[0].dtype
    for x in values:
        kind = x.dtype if x.dtype.itemsize > kind.itemsize else kind
    parts = []
    for x in values:
        x, dims = cast(x, kind), tuple(range(x.ndim))
        if norm_type == 2.0:
            part = p.mul(x, x)
        elif norm_type == 0.0:
            part = cast(p.ne(x, full_like(x, 0)), kind)
        elif norm_type in (1.0, float("inf"), float("-inf")):
            part = p.abs(x)
        else:
            part = p.pow(p.abs(x), full_like(x, norm_type))
        if dims:
            reduce = {float("inf"): p.reduce_max, float("-inf"): p.reduce_min}.get(
                norm_type, p.reduce_sum)
            part = reduce(part, dims=dims)
        parts.append(part)
    if norm_type == float("inf"):
        return cast(_combined(parts, p.maximum), tensors[0].dtype)
    if norm_type == float("-inf"):
        return cast(_combined(parts, p.minimum), tensors[0].dtype)
    total = _combined(parts, p.add)
    if norm_type == 2.0:
        total = p.sqrt(total)
    elif norm_type not in (0.0, 1.0):
        total = p.pow(total, full_like(total, 1 / norm_type))
    return cast(total, tensors[0].dtype)


@_nn
def scale_all(tensors: Tensors, norm: Tensor, max_norm: Number):
    """All tensors times ``min(1, max_norm / (norm + 1e-6))``."""
    limit = node_of(max_norm, norm.dtype)
    factor = p.div(limit, p.add(norm, full_like(norm, 1e-6)))
    one = full_like(factor, 1)
    factor = p.where(p.gt(factor, one), one, factor)
    return tuple(p.mul(x, expand_to(cast(factor, x.dtype), x.shape)) for x in tensors)


@_nn
def clamp_all(tensors: Tensors, limit: Number):
    """All tensors cut to [-limit, limit]."""
    results = []
    for x in tensors:
        high = expand_to(node_of(limit, x.dtype), x.shape)
        low = p.neg(high)
        x = p.where(p.lt(x, low), low, x)
        results.append(p.where(p.gt(x, high), high, x))
    return tuple(results)
