"""Pointwise operations that compare, decide and mix: comparisons, logic, where, clamp, lerp."""

from __future__ import annotations

from .. import dtypes
from ..graph.ir import Node, p
from . import pointwise  # noqa: F401
from .build import (
    broadcast,
    broadcast_shapes,
    cast,
    expand_to,
    full_like,
    node_of,
    operands,
    ordered,
    result_dtype,
    to_float,
    where,
)
from .declare import operation

__all__: list[str] = []


# ---- comparisons and logic ----------------------------------------------------------------------


def _declare_comparison(name, description, aliases):
    primitive = getattr(p, name)
    unordered = name in ("eq", "ne")

    def body(input: Tensor, other: Tensor | Number):
        a, b = operands(input, other)
        return primitive(a if unordered else ordered(a, f"{name}_cpu"), b)

    body.__name__, body.__doc__ = name, description
    globals()[name] = operation(name, inplace=True, out=True, aliases=aliases)(body)


for _row in (("eq", "input == other.", ()), ("ne", "input != other.", ("not_equal",)),
             ("lt", "input < other.", ("less",)), ("le", "input <= other.", ("less_equal",)),
             ("gt", "input > other.", ("greater",)), ("ge", "input >= other.", ("greater_equal",))):
    _declare_comparison(*_row)


def truth(node: Node) -> Node:
    """Whether elements are not zero."""
    return cast(node, dtypes.bool_) if node.dtype.category < 3 else p.ne(node, full_like(node, 0))


def _declare_logical(name, primitive_name, description):
    primitive = getattr(p, primitive_name)

    def body(input: Tensor, other: Tensor):
        return primitive(*broadcast(truth(input), truth(other)))

    body.__name__, body.__doc__ = name, description
    globals()[name] = operation(name, inplace=True, out=True)(body)


for _row in (("logical_and", "bitwise_and", "Whether both are not zero."),
             ("logical_or", "bitwise_or", "Whether one or both are not zero."),
             ("logical_xor", "bitwise_xor", "Whether just one is not zero.")):
    _declare_logical(*_row)


@operation(inplace=True, out=True)
def logical_not(input: Tensor):
    """Whether elements are zero."""
    return p.logical_not(truth(input))


@operation()
def isclose(input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8,
            equal_nan: bool = False):
    """|input - other| <= atol + rtol * |other|."""
    for name, tolerance in (("rtol", rtol), ("atol", atol)):
        if tolerance < 0:
            raise RuntimeError(f"{name} must be greater than or equal to zero, but got "
                               f"{tolerance:g}")
    if input.dtype is not other.dtype:
        raise RuntimeError(f"{input.dtype.legacy_name} did not match {other.dtype.legacy_name}")
    a, b = broadcast(input, other)
    same = p.eq(a, b)
    if a.dtype.category < 2:
        a, b = cast(a, dtypes.float64), cast(b, dtypes.float64)
    if equal_nan:
        same = p.bitwise_or(same, p.bitwise_and(p.isnan(a), p.isnan(b)))
    size = p.abs(b)
    bound = p.add(full_like(size, atol), p.mul(full_like(size, rtol), size))
    difference = p.abs(p.sub(a, b))
    finite = p.logical_not(p.isinf(difference))
    return p.bitwise_or(same, p.bitwise_and(finite, p.le(difference, bound)))


# ---- choosing and mixing ------------------------------------------------------------------------


@operation("where", method=False, out=True)
def where_op(condition: Tensor, input: Tensor | Number, other: Tensor | Number):
    """input where condition holds, other elsewhere."""
    if condition.dtype is dtypes.uint8:
        condition = cast(condition, dtypes.bool_)
    if condition.dtype is not dtypes.bool_:
        raise RuntimeError("where expected condition to be a boolean tensor, but got a tensor with "
                           f"dtype {condition.dtype.legacy_name}")
    shape = broadcast_shapes(condition.shape, other.shape)     # in the order of PyTorch's errors
    broadcast_shapes(shape, input.shape)
    return where(condition, input, other)


@operation(inplace=True, out=True, aliases=("clip",))
def clamp(input: Tensor, min: Tensor | Number | None = None,
          max: Tensor | Number | None = None):
    """Elements limited to [min, max]."""
    return clamp_node(input, min, max)


def clamp_node(input: Node, low, high) -> Node:
    if low is None and high is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    kind = result_dtype(*(n for n in (input, low, high) if n is not None))
    x = cast(input, kind)
    shape = broadcast_shapes(*(n.shape for n in (x, low, high) if n is not None))
    x = expand_to(x, shape)
    low = None if low is None else expand_to(node_of(low, kind), shape)
    high = None if high is None else expand_to(node_of(high, kind), shape)
    # written with comparisons so that the gradient at a bound is 1, as in PyTorch
    if low is not None:
        x = p.where(p.lt(x, low), low, x)
    if high is not None:
        x = p.where(p.gt(x, high), high, x)
    return x


@operation(inplace=True, out=True)
def clamp_min(input: Tensor, min: Tensor | Number):
    """Elements raised to at least min."""
    return clamp_node(input, min, None)


@operation(inplace=True, out=True)
def clamp_max(input: Tensor, max: Tensor | Number):
    """Elements lowered to at most max."""
    return clamp_node(input, None, max)


@operation(inplace=True, out=True)
def lerp(input: Tensor, end: Tensor, weight: Tensor | Number):
    """input + weight * (end - input)."""
    for word, node in (("end", end), ("weight", weight)):
        if node.dtype is not input.dtype and node.op != "scalar":
            raise RuntimeError(f"expected dtype {input.dtype.cpp_name} for `{word}` but got dtype "
                               f"{node.dtype.cpp_name}")
    a, b, w = operands(input, end, weight, dtype=input.dtype)
    return p.add(a, p.mul(w, p.sub(b, a)))


@operation(inplace=True, out=True)
def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1):
    """input + value * tensor1 * tensor2."""
    a, b, c = operands(input, tensor1, tensor2)
    scaled = p.mul(expand_to(node_of(value, a.dtype), a.shape), b)
    return p.add(a, p.mul(scaled, c))


@operation(inplace=True, out=True)
def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1):
    """input + value * tensor1 / tensor2."""
    a, b, c = operands(input, tensor1, tensor2)
    if a.dtype.category < 2:
        raise RuntimeError("Integer division with addcdiv is no longer supported: cast to a "
                           "floating point type first")
    scaled = p.mul(expand_to(node_of(value, a.dtype), a.shape), b)
    return p.add(a, p.div(scaled, c))


@operation(inplace=True, out=True)
def xlogy(input: Tensor, other: Tensor | Number):
    """input * log(other), 0 where input is 0."""
    a, b = operands(to_float(input), other)
    zero = p.bitwise_and(p.eq(a, full_like(a, 0)), p.logical_not(p.isnan(b)))
    safe = p.where(zero, full_like(b, 1), b)
    return p.where(zero, full_like(a, 0), p.mul(a, p.log(safe)))


@operation(out=True)
def logaddexp(input: Tensor, other: Tensor):
    """log(exp(input) + exp(other)), without overflow."""
    a, b = operands(input, other)
    high, low = p.maximum(a, b), p.minimum(a, b)
    same = p.bitwise_and(p.eq(a, b), p.isinf(a))
    gap = p.where(same, full_like(a, 0), p.sub(low, high))
    return p.add(high, p.log1p(p.exp(gap)))


@operation(inplace=True, out=True)
def heaviside(input: Tensor, values: Tensor):
    """0 below zero, values at zero, 1 above."""
    a, b = operands(input, values)
    zero, one = full_like(a, 0), full_like(a, 1)
    return p.where(p.eq(a, zero), b, p.where(p.gt(a, zero), one, zero))


@operation()
def masked_fill(input: Tensor, mask: Tensor, value: Tensor | Number):
    """input with the elements where mask holds set to value."""
    if mask.dtype is not dtypes.bool_:
        raise RuntimeError("masked_fill_ only supports boolean masks, but got mask with dtype "
                           f"{mask.dtype.cpp_name}")
    value = node_of(value)
    if value.ndim:
        raise RuntimeError("masked_fill_ only supports a 0-dimensional value tensor, but got "
                           f"tensor with {value.ndim} dimension(s).")
    shape = broadcast_shapes(mask.shape, input.shape)
    return p.where(expand_to(mask, shape), expand_to(node_of(value, input.dtype), shape),
                   expand_to(input, shape))


@operation("to_dtype", namespace="_private")
def to_dtype(input: Tensor, dtype: dtype):
    """The elements as another type."""
    return p.cast(input, dtype=dtype) if input.dtype.category < 3 or dtype.category == 3 \
        else cast(input, dtype)


@operation()
def clone(input: Tensor, *, memory_format: object = None):
    """A copy with memory of its own."""
    return p.reshape(input, shape=input.shape)


@operation("_result_probe", namespace="_private", method=False)
def result_probe(a: Tensor | Number, b: Tensor | Number):
    """Something of the result type of two operands."""
    return node_of(0, result_dtype(a, b))
