"""Rewrites nodes by local identities, from the leaves up; what was shared stays shared.

The first pass. A rule looks at one node whose inputs are already rewritten and returns a cheaper
replacement, or None. Products with 0 stay (0 * inf is NaN); sums with 0 go, though -0 + 0 is +0.
"""

from __future__ import annotations

import numpy as np

from ... import dtypes
from ..interpret import evaluate_node
from ..ir import Node, building, constant, expand_to, full, p, topological_order

__all__ = ["rebuild", "simplify", "splat_value"]

_INVISIBLE = frozenset(("detach", "variable", "boundary", "instead", "overwrite"))
_HALF = (dtypes.float16, dtypes.bfloat16)


def rebuild(node: Node, inputs: tuple[Node, ...]) -> Node:
    """`node` on other inputs, at the same place in the user's code."""
    new = Node(node.primitive, inputs, node.attrs, node.shape, node.dtype, False)
    new.site, new.scope = node.site, node.scope
    return new


def simplify(outputs: list[Node]) -> list[Node]:
    """The outputs of an equivalent graph with fewer operations."""
    new: dict[Node, Node] = {}
    before = building.site, building.scope, building.grad_enabled
    building.grad_enabled = False
    try:
        for node in topological_order(outputs):
            building.site, building.scope = node.site, node.scope
            inputs = tuple([new[i] for i in node.inputs])
            built = node
            for a, b in zip(inputs, node.inputs):
                if a is not b:
                    built = rebuild(node, inputs)
                    break
            for _ in range(8):
                found = _apply(built)
                if found is None:
                    break
                built = found
            new[node] = built
    finally:
        building.site, building.scope, building.grad_enabled = before
    return [new[o] for o in outputs]


def _apply(node: Node):
    kind = node.primitive.kind
    if kind == "leaf":
        return None
    if node.numel == 0 and kind != "external":
        if node.op == "expand" and node.inputs[0].primitive.kind == "leaf" or (
                node.op == "reshape" and node.inputs[0].op == "constant"):
            return None
        return full(node.shape, 0, node.dtype)
    op = node.op
    if op in _INVISIBLE:
        return node.inputs[0]
    if kind == "pointwise":
        folded = _fold(node)
        if folded is not None:
            return folded
    rule = _RULES.get(op)
    return rule(node) if rule else None


# ---- constants ----------------------------------------------------------------------------------


def splat_value(node: Node):
    """The number that all elements of a node are known to have, or None."""
    while node.op in ("expand", "reshape", "permute", "slice", "flip"):
        node = node.inputs[0]
    return node.attrs["value"] if node.op == "constant" else None


def _fold(node):
    """A pointwise node of constants is a constant."""
    if node.dtype.category == 3 or node.op == "nextafter":
        return None
    values = []
    for i in node.inputs:
        value = splat_value(i)
        if value is None or i.dtype.category == 3:
            return None
        values.append(np.array(value, i.dtype.compute))
    small = Node(node.primitive, tuple([constant(v.item(), i.dtype) for v, i in zip(
        values, node.inputs)]), node.attrs, (), node.dtype, False)
    try:
        with np.errstate(all="ignore"):
            result = evaluate_node(small, *values)
    except (RuntimeError, ValueError, OverflowError):
        return None
    return full(node.shape, np.asarray(result).item(), node.dtype)


def _is(node, value):
    return splat_value(node) == value


# ---- pointwise ----------------------------------------------------------------------------------


def _add(node):
    a, b = node.inputs
    if node.dtype is dtypes.bool_:
        return None
    if _is(b, 0):
        return a
    if _is(a, 0):
        return b
    if b.op == "neg":
        return p.sub(a, b.inputs[0])
    if a.op == "neg":
        return p.sub(b, a.inputs[0])
    if a.op == "pad" and b.op == "pad":
        return _join_pads(a, b)
    return None


def _join_pads(a, b):
    """The sum of two pieces side by side, such as slices' gradients, is both joined."""
    first, second = a.attrs, b.attrs
    if (first["value"] or second["value"] or any(first["interior"]) or any(second["interior"])
            or min(*first["low"], *first["high"], *second["low"], *second["high"]) < 0):
        return None
    differ = [d for d in range(a.ndim) if first["low"][d] != second["low"][d]
              or first["high"][d] != second["high"][d]]
    if len(differ) != 1:
        return None
    d, = differ
    if first["low"][d] > second["low"][d]:
        a, b, first, second = b, a, second, first
    x, y = a.inputs[0], b.inputs[0]
    if first["low"][d] + x.shape[d] != second["low"][d]:
        return None
    parts = []
    for part in (x, y):
        joined = part.op == "concatenate" and part.attrs["dim"] == d
        parts += part.inputs if joined else (part,)
    low, high = first["low"], list(first["high"])
    high[d] = second["high"][d]
    result = p.concatenate(*parts, dim=d)
    if any(low) or any(high):
        result = p.pad(result, low=low, high=tuple(high), interior=first["interior"], value=0)
    return result


def _sub(node):
    a, b = node.inputs
    if _is(b, 0):
        return a
    if b.op == "neg":
        return p.add(a, b.inputs[0])
    if _is(a, 0) and node.dtype.is_signed:
        return p.neg(b)
    return None


def _mul(node):
    a, b = node.inputs
    if node.dtype is dtypes.bool_:
        return None
    for x, y in ((a, b), (b, a)):
        value = splat_value(y)
        if value == 1:
            return x
        if value == -1 and node.dtype.is_signed:
            return p.neg(x)
    return None


def _div(node):
    # not by the reciprocal, where that is exact: a count of 24 would need other code than 32
    a, b = node.inputs
    value = splat_value(b)
    if value is None or node.dtype.category != 2:
        return None
    if value == 1:
        return a
    return None


def _pow(node):
    base, exponent = node.inputs
    value = splat_value(exponent)
    if value is None or node.dtype.category != 2:
        return None
    if value == 2:
        return p.mul(base, base)
    if value == 1:
        return base
    if value == 3 and node.dtype not in _HALF:
        return p.mul(p.mul(base, base), base)
    if value == 0.5:
        return p.sqrt(base)
    if value == -1:
        return p.reciprocal(base)
    if value == 0:
        return full(node.shape, 1, node.dtype)
    return None


def _neg(node):
    source = node.inputs[0]
    if source.op == "neg":
        return source.inputs[0]
    if source.op == "sub":
        return None
    return None


def _where(node):
    condition, a, b = node.inputs
    value = splat_value(condition)
    if value is not None:
        return a if value else b
    return a if a is b else None


_EXACT = {"bool": 0, "uint8": 1, "int8": 1, "int16": 2, "int32": 3, "int64": 4, "float16": 2,
          "bfloat16": 2, "float32": 3, "float64": 4}


def _cast(node):
    source = node.inputs[0]
    if source.dtype is node.dtype:
        return source
    if source.op == "cast":
        first = source.inputs[0].dtype
        middle = source.dtype
        if first.category == 3 or middle.category == 3:
            return None
        # the first cast changed no value
        widened = (first.category == middle.category
                   and _EXACT[first.name] < _EXACT[middle.name]
                   and not (first.is_signed and not middle.is_signed)) or (
            first is dtypes.bool_) or first is middle
        if widened:
            return source.inputs[0] if first is node.dtype else p.cast(
                source.inputs[0], dtype=node.dtype)
    return None


def _relu(node):
    return node.inputs[0] if node.inputs[0].op == "relu" else None


# ---- movement -----------------------------------------------------------------------------------


def _permute(node):
    source, dims = node.inputs[0], node.attrs["dims"]
    if dims == tuple(range(len(dims))):
        return source
    if source.op == "permute":
        inner = source.attrs["dims"]
        return p.permute(source.inputs[0], dims=tuple([inner[d] for d in dims]))
    # dimensions of extent 1 may go anywhere
    real = [d for d in dims if source.shape[d] != 1]
    if real == sorted(real):
        return p.reshape(source, shape=node.shape)
    if source.op == "contract":
        return _transposed_contract(source, dims)
    return None


def _transposed_contract(source, dims):
    """(A B)ᵀ is Bᵀ Aᵀ: the product is written in the order that is wanted."""
    a, b = source.inputs
    attrs = source.attrs
    batch = len(attrs["batch_a"])
    free_a = a.ndim - batch - len(attrs["contract_a"])
    free_b = b.ndim - batch - len(attrs["contract_b"])
    lead = tuple(range(batch))
    rows = tuple(range(batch, batch + free_a))
    columns = tuple(range(batch + free_a, batch + free_a + free_b))
    if dims != lead + columns + rows:
        return None
    return p.contract(b, a, batch_a=attrs["batch_b"], batch_b=attrs["batch_a"],
                      contract_a=attrs["contract_b"], contract_b=attrs["contract_a"])


def _reshape(node):
    source = node.inputs[0]
    if source.shape == node.shape:
        return source
    if source.op == "reshape":
        return p.reshape(source.inputs[0], shape=node.shape)
    return None


def _expand(node):
    source = node.inputs[0]
    if source.shape == node.shape:
        return source
    if source.op == "expand":
        return p.expand(source.inputs[0], shape=node.shape)
    return None


def _slice(node):
    source, attrs = node.inputs[0], node.attrs
    if source.shape == node.shape:
        return source
    if source.op == "slice":
        inner = source.attrs
        steps = tuple(a * b for a, b in zip(inner["steps"], attrs["steps"]))
        starts = tuple(a + s * b for a, s, b in zip(inner["starts"], inner["steps"],
                                                    attrs["starts"]))
        stops = tuple(min(e, a + (n - 1) * s + 1) for a, n, s, e in zip(
            starts, node.shape, steps, inner["stops"]))
        return p.slice(source.inputs[0], starts=starts, stops=stops, steps=steps)
    return None


def _flip(node):
    source, dims = node.inputs[0], node.attrs["dims"]
    kept = tuple(d for d in dims if source.shape[d] != 1)
    if not kept:
        return source
    if source.op == "flip":
        both = set(kept) ^ set(source.attrs["dims"])
        return p.flip(source.inputs[0], dims=tuple(sorted(both)))
    return p.flip(source, dims=kept) if kept != tuple(dims) else None


def _pad(node):
    source, attrs = node.inputs[0], node.attrs
    if source.numel == 0:
        return full(node.shape, attrs["value"], node.dtype)
    if source.shape == node.shape and not any(attrs["low"]):
        return source
    if any(attrs["interior"]) and node.dtype.category < 3:
        return _spread(source, attrs)
    return None


def _spread(x, attrs):
    """Padding between neighbours: each becomes a row of its own, which is padded behind."""
    value, high = attrs["value"], list(attrs["high"])
    for d, gap in enumerate(attrs["interior"]):
        if not gap or x.shape[d] < 2:
            continue
        extent = x.shape[d]
        x = p.reshape(x, shape=x.shape[:d + 1] + (1,) + x.shape[d + 1:])
        after = [0] * x.ndim
        after[d + 1] = gap
        none = (0,) * x.ndim
        x = p.pad(x, low=none, high=tuple(after), interior=none, value=value)
        x = p.reshape(x, shape=x.shape[:d] + (extent * (gap + 1),) + x.shape[d + 2:])
        high[d] -= gap                    # behind the last one there is none
    return p.pad(x, low=attrs["low"], high=tuple(high), interior=(0,) * x.ndim, value=value)


def _concatenate(node):
    filled = [i for i in node.inputs if i.numel]
    if len(filled) == 1:
        return filled[0]
    if len(filled) < len(node.inputs):
        return p.concatenate(*filled, dim=node.attrs["dim"])
    return None


# ---- reductions, indices, products --------------------------------------------------------------

_START = {"reduce_sum": 0, "reduce_prod": 1, "reduce_any": False, "reduce_all": True}


def _reduce(node):
    source = node.inputs[0]
    if source.numel == 0:
        if node.op not in _START:
            return None
        return full(node.shape, _START[node.op], node.dtype)
    if source.numel == node.numel:
        if node.op in ("argmax", "argmin"):
            return full(node.shape, 0, dtypes.int64)
        return p.reshape(source, shape=node.shape)
    return None


def _scatter(node):
    """One element a row: a choice by comparison with the column's number, which fuses."""
    x, index, values = node.inputs
    dim, mode = node.attrs["dim"], node.attrs["mode"]
    if (mode not in ("add", "set") or index.shape[dim] != 1 or node.dtype.category == 3
            or any(i != e for d, (i, e) in enumerate(zip(index.shape, x.shape)) if d != dim)):
        return None
    if not _in_range(index, x.shape[dim]) and not node.attrs.get("message") == "target":
        return None
    line = p.iota(dim=dim, shape=x.shape, dtype=dtypes.int64)
    here = p.eq(line, expand_to(index, x.shape))
    value = expand_to(values, x.shape)
    if mode == "add":
        if not _is(x, 0):
            return p.where(here, p.add(x, value), x)
    return p.where(here, value, x)


def _in_range(index, extent):
    """Whether an index is known to be valid: it comes from argmax, a comparison, a constant."""
    while index.op in ("expand", "reshape", "permute", "slice"):
        index = index.inputs[0]
    if index.op in ("argmax", "argmin"):
        source = index.inputs[0]
        return source.shape[index.attrs["dim"]] <= extent
    value = splat_value(index)
    return value is not None and 0 <= value < extent


def _widened(node):
    """Products of half precision are computed in float32 and rounded once."""
    if node.dtype not in _HALF:
        return None
    inputs = tuple([p.cast(i, dtype=dtypes.float32) for i in node.inputs])
    return p.cast(node.primitive(*inputs, **node.attrs), dtype=node.dtype)


_RULES = {
    "add": _add, "sub": _sub, "mul": _mul, "div": _div, "pow": _pow, "neg": _neg,
    "where": _where, "cast": _cast, "relu": _relu, "permute": _permute, "reshape": _reshape,
    "expand": _expand, "slice": _slice, "flip": _flip, "pad": _pad, "concatenate": _concatenate,
    "scatter": _scatter, "contract": _widened, "convolve": _widened, "convolve_weight": _widened,
    "max_pool": _widened, "sum_pool": _widened, "max_pool_gradient": _widened,
    "sum_pool_gradient": _widened,
}
_RULES.update({name: _reduce for name in (
    "reduce_sum", "reduce_prod", "reduce_max", "reduce_min", "reduce_any", "reduce_all",
    "argmax", "argmin")})
