"""Pointwise operations: arithmetic, comparisons, logic, special functions."""

from __future__ import annotations

import builtins
import math

from .. import dtypes
from ..dtypes import default_dtype
from ..graph.ir import Node, p
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
from .declare import DECLARED, operation

__all__: list[str] = []


# ---- unary functions from a table ---------------------------------------------------------------

# primitive -> (aliases, whether integers become floating point, one-sentence description)
_FLOAT_UNARY = {
    "exp": ((), "e to the power of each element."),
    "exp2": (("special_exp2",), "2 to the power of each element."),
    "expm1": (("special_expm1",), "exp(x) - 1, accurate near 0."),
    "log": ((), "The natural logarithm."),
    "log2": ((), "The logarithm to base 2."),
    "log10": ((), "The logarithm to base 10."),
    "log1p": (("special_log1p",), "log(1 + x), accurate near 0."),
    "sqrt": ((), "The square root."),
    "rsqrt": ((), "1 / sqrt(x)."),
    "reciprocal": ((), "1 / x."),
    "sin": ((), "The sine of radians."),
    "cos": ((), "The cosine of radians."),
    "tan": ((), "The tangent of radians."),
    "asin": (("arcsin",), "The inverse sine, in radians."),
    "acos": (("arccos",), "The inverse cosine, in radians."),
    "atan": (("arctan",), "The inverse tangent, in radians."),
    "sinh": ((), "The hyperbolic sine."),
    "cosh": ((), "The hyperbolic cosine."),
    "tanh": ((), "The hyperbolic tangent."),
    "asinh": (("arcsinh",), "The inverse hyperbolic sine."),
    "acosh": (("arccosh",), "The inverse hyperbolic cosine."),
    "atanh": (("arctanh",), "The inverse hyperbolic tangent."),
    "sigmoid": (("special_expit",), "1 / (1 + exp(-x))."),
    "erf": (("special_erf",), "The error function."),
    "erfc": (("special_erfc",), "1 - erf(x)."),
    "erfinv": (("special_erfinv",), "The inverse of the error function."),
    "lgamma": (("special_gammaln",), "log |gamma(x)|."),
    "digamma": (("special_digamma", "special_psi"), "The derivative of lgamma."),
}


def _declare_float_unary(name, aliases, description):
    primitive = getattr(p, name)

    def body(input: Tensor):
        return primitive(to_float(input))

    body.__name__ = name
    body.__doc__ = description
    globals()[name] = operation(name, inplace=True, out=True, aliases=aliases)(body)


for _name, (_aliases, _description) in _FLOAT_UNARY.items():
    _declare_float_unary(_name, _aliases, _description)


@operation(inplace=True, out=True, aliases=("negative",))
def neg(input: Tensor):
    """-x."""
    if input.dtype is dtypes.bool_:
        raise RuntimeError("Negation, the `-` operator, on a bool tensor is not supported. If you "
                           "are trying to invert a mask, use the `~` or `logical_not()` operator "
                           "instead.")
    return p.neg(input)


@operation(method=True)
def positive(input: Tensor):
    """x itself."""
    if input.dtype is dtypes.bool_:
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
    return p.reshape(input, shape=input.shape)


@operation(inplace=True, out=True, aliases=("absolute",))
def abs(input: Tensor):
    """|x|."""
    return p.abs(input)


def _declare_rounding(name, description):
    primitive = getattr(p, name)

    def body(input: Tensor):
        return primitive(input) if input.dtype.category > 1 else p.reshape(input,
                                                                           shape=input.shape)

    body.__name__, body.__doc__ = name, description
    aliases = ("fix",) if name == "trunc" else ()
    globals()[name] = operation(name, inplace=True, out=True, aliases=aliases)(body)


for _name, _description in (("floor", "The largest integer that is not greater."),
                            ("ceil", "The smallest integer that is not less."),
                            ("trunc", "Towards zero to an integer.")):
    _declare_rounding(_name, _description)


@operation("round", inplace=True, out=True)
def round_(input: Tensor, *, decimals: int = 0):
    """The nearest integer, halves to even; or the nearest multiple of 10**-decimals."""
    if input.dtype.category < 2:
        return p.reshape(input, shape=input.shape)
    if decimals == 0:
        return p.round(input)
    factor = full_like(input, 10.0 ** builtins.abs(decimals))
    if decimals > 0:
        return p.div(p.round(p.mul(input, factor)), factor)
    return p.mul(p.round(p.div(input, factor)), factor)


@operation(inplace=True, out=True)
def frac(input: Tensor):
    """x - trunc(x)."""
    return p.sub(input, p.trunc(input))


@operation(inplace=True, out=True)
def sign(input: Tensor):
    """-1, 0 or 1."""
    return p.reshape(input, shape=input.shape) if input.dtype is dtypes.bool_ else p.sign(input)


@operation(inplace=True)
def relu(input: Tensor):
    """max(x, 0)."""
    if input.dtype.category in (0, 3):
        raise NotImplementedError(f'"clamp_min" not implemented for \'{input.dtype.legacy_name}\'')
    return p.relu(input)


@operation(inplace=True, out=True)
def sgn(input: Tensor):
    """sign(x); x / |x| for complex numbers."""
    if input.dtype is dtypes.bool_:
        return p.reshape(input, shape=input.shape)
    if not input.dtype.is_complex:
        return p.sign(input)
    size = p.cast(p.abs(input), dtype=input.dtype)
    zero = p.eq(input, full_like(input, 0))
    return p.where(zero, full_like(input, 0), p.div(input, size))


@operation(inplace=True, out=True)
def square(input: Tensor):
    """x * x."""
    x = cast(input, dtypes.int64) if input.dtype is dtypes.bool_ else input
    return p.mul(x, x)


@operation(inplace=True, out=True, aliases=("special_logit",))
def logit(input: Tensor, eps: float = None):
    """log(x / (1 - x)), x clamped to [eps, 1 - eps] first if eps is given."""
    x = to_float(input)
    if eps is not None:
        x = p.maximum(p.minimum(x, full_like(x, 1 - eps)), full_like(x, eps))
    return p.log(p.div(x, p.sub(full_like(x, 1), x)))


@operation(inplace=True, out=True)
def deg2rad(input: Tensor):
    """Degrees as radians."""
    x = to_float(input)
    return p.mul(x, full_like(x, math.pi / 180))


@operation(inplace=True, out=True)
def rad2deg(input: Tensor):
    """Radians as degrees."""
    x = to_float(input)
    return p.mul(x, full_like(x, 180 / math.pi))


@operation(inplace=True, out=True, aliases=("special_sinc",))
def sinc(input: Tensor):
    """sin(pi x) / (pi x), 1 at 0."""
    x = to_float(input)
    scaled = p.mul(x, full_like(x, math.pi))
    zero = p.eq(x, full_like(x, 0))
    safe = p.where(zero, full_like(x, 1), scaled)
    return p.where(zero, full_like(x, 1), p.div(p.sin(safe), safe))


@operation()
def angle(input: Tensor):
    """The argument of complex numbers; 0 or pi for real ones."""
    return p.angle(to_float(input))


@operation("conj_physical", inplace=True, out=True)
def conj_physical(input: Tensor):
    """The complex conjugate."""
    return p.conj(input) if input.dtype.is_complex else p.reshape(input, shape=input.shape)


@operation()
def conj(input: Tensor):
    """The complex conjugate."""
    return p.conj(input) if input.dtype.is_complex else p.reshape(input, shape=input.shape)


@operation("complex", method=False)
def complex_(real: Tensor, imag: Tensor):
    """Complex numbers of their real and imaginary parts."""
    if any(n.dtype.category != 2 or n.dtype is dtypes.bfloat16 for n in (real, imag)):
        raise RuntimeError("Expected both inputs to be Half, Float or Double tensors but got "
                           f"{real.dtype.legacy_name} and {imag.dtype.legacy_name}")
    if real.dtype is not imag.dtype:
        raise RuntimeError(f"Expected object of scalar type {real.dtype.legacy_name} but got "
                           f"scalar type {imag.dtype.legacy_name} for second argument")
    return p.complex(*broadcast(real, imag))


@operation(method=False)
def polar(abs: Tensor, angle: Tensor):
    """Complex numbers of their absolute values and angles."""
    size, turn = broadcast(abs, angle)
    return p.complex(p.mul(size, p.cos(turn)), p.mul(size, p.sin(turn)))


@operation(inplace=True, out=True)
def nan_to_num(input: Tensor, nan: float = None, posinf: float = None,
               neginf: float = None):
    """NaN and infinities replaced by numbers (0 and the extremes by default)."""
    if input.dtype.category != 2:
        return p.reshape(input, shape=input.shape)
    limits = dtypes.finfo(input.dtype)
    infinite = p.isinf(input)
    positive = p.gt(input, full_like(input, 0))
    high = full_like(input, limits.max if posinf is None else posinf)
    low = full_like(input, limits.min if neginf is None else neginf)
    x = p.where(infinite, p.where(positive, high, low), input)
    return p.where(p.isnan(input), full_like(input, 0.0 if nan is None else nan), x)


# ---- tests of elements --------------------------------------------------------------------------


def _false(input: Node) -> Node:
    return full_like(p.ne(input, input), False)


@operation()
def isnan(input: Tensor):
    """Whether elements are NaN."""
    return p.isnan(input) if input.dtype.category > 1 else _false(input)


@operation()
def isinf(input: Tensor):
    """Whether elements are infinite."""
    return p.isinf(input) if input.dtype.category > 1 else _false(input)


@operation()
def isfinite(input: Tensor):
    """Whether elements are neither infinite nor NaN."""
    if input.dtype.category < 2:
        return p.logical_not(_false(input))
    return p.logical_not(p.bitwise_or(p.isnan(input), p.isinf(input)))


@operation()
def isposinf(input: Tensor):
    """Whether elements are plus infinity."""
    return p.eq(input, full_like(input, math.inf)) if input.dtype.category > 1 else _false(input)


@operation()
def isneginf(input: Tensor):
    """Whether elements are minus infinity."""
    return p.eq(input, full_like(input, -math.inf)) if input.dtype.category > 1 else _false(input)


@operation()
def isreal(input: Tensor):
    """Whether the imaginary part is zero."""
    if not input.dtype.is_complex:
        return p.logical_not(_false(input))
    part = p.imag(input)
    return p.eq(part, full_like(part, 0))


@operation()
def signbit(input: Tensor):
    """Whether the sign bit is set."""
    return p.signbit(input)


# ---- arithmetic ---------------------------------------------------------------------------------


@operation(inplace=True, out=True)
def add(input: Tensor | Number, other: Tensor | Number, *, alpha: Number = 1):
    """input + alpha * other."""
    a, b = operands(input, other)
    if alpha is not None and alpha != 1:
        _check_alpha(alpha, a.dtype)
        b = p.mul(b, expand_to(node_of(alpha, b.dtype), b.shape))
    if a.dtype is dtypes.bool_:
        return p.bitwise_or(a, b)
    return p.add(a, b)


def _check_alpha(alpha, dtype):
    if isinstance(alpha, Node) and alpha.dtype.category > dtype.category and dtype.category < 2:
        raise RuntimeError("For integral input tensors, argument alpha must not be a floating "
                           "point number.")


@operation(inplace=True, out=True, aliases=("subtract",))
def sub(input: Tensor | Number, other: Tensor | Number, *, alpha: Number = 1):
    """input - alpha * other."""
    a, b = operands(input, other)
    if a.dtype is dtypes.bool_:
        raise RuntimeError("Subtraction, the `-` operator, with two bool tensors is not supported. "
                           "Use the `^` or `logical_xor()` operator instead.")
    if alpha is not None and alpha != 1:
        _check_alpha(alpha, a.dtype)
        b = p.mul(b, expand_to(node_of(alpha, b.dtype), b.shape))
    return p.sub(a, b)


@operation(method=False)
def rsub(input: Tensor | Number, other: Tensor | Number, *, alpha: Number = 1):
    """other - alpha * input."""
    a, b = operands(input, other)
    if alpha is not None and alpha != 1:
        a = p.mul(a, expand_to(node_of(alpha, a.dtype), a.shape))
    return p.sub(b, a)


@operation(inplace=True, out=True, aliases=("multiply",))
def mul(input: Tensor | Number, other: Tensor | Number):
    """input * other."""
    a, b = operands(input, other)
    return p.bitwise_and(a, b) if a.dtype is dtypes.bool_ else p.mul(a, b)


@operation(inplace=True, out=True, aliases=("divide", "true_divide"))
def div(input: Tensor | Number, other: Tensor | Number, *, rounding_mode: str = None):
    """input / other; rounding_mode "trunc" or "floor" rounds the quotient."""
    kind = result_dtype(input, other)
    if rounding_mode is None:
        kind = default_dtype() if kind.category < 2 else kind
        return p.div(*operands(input, other, dtype=kind))
    if rounding_mode not in ("trunc", "floor"):
        raise RuntimeError("div expected rounding_mode to be one of None, 'trunc', or 'floor' but "
                           f"found '{rounding_mode}'")
    a, b = operands(input, other)
    return p.trunc_divide(a, b) if rounding_mode == "trunc" else p.floor_divide(a, b)


@operation(inplace=True, out=True)
def floor_divide(input: Tensor | Number, other: Tensor | Number):
    """floor(input / other)."""
    return p.floor_divide(*operands(input, other))


@operation(inplace=True, out=True)
def remainder(input: Tensor | Number, other: Tensor | Number):
    """input - other * floor(input / other), with the divisor's sign."""
    return p.remainder(*operands(input, other))


@operation(inplace=True, out=True)
def fmod(input: Tensor, other: Tensor | Number):
    """input - other * trunc(input / other), with the dividend's sign."""
    return p.fmod(*operands(input, other))


@operation("pow", inplace=True, out=True)
def pow_(input: Tensor | Number, exponent: Tensor | Number):
    """input to the power of exponent."""
    a, b = operands(input, exponent)
    return p.pow(a, b)


def _refuse_negative_power(declaration, given, static) -> None:
    """Whole numbers have no negative whole powers; called before a power is recorded."""
    base, exponent = given
    if exponent.__class__ is int and exponent < 0 and getattr(base, "dtype",
                                                              dtypes.float32).category < 2:
        raise RuntimeError("Integers to negative integer powers are not allowed. Use a "
                           "floating-point base, as in x.float() ** -1.")


DECLARED["pow"].at_once = _refuse_negative_power


@operation("_pow_static", namespace="_private")
def pow_static(input: Tensor, exponent: int):
    """input to a small whole power, by multiplication."""
    kind = result_dtype(input, node_of(exponent))
    x = cast(input, kind)
    if exponent == 2:
        return p.mul(x, x)
    if exponent == 1:
        return p.reshape(x, shape=x.shape)
    if exponent == 3:
        return p.mul(p.mul(x, x), x)
    if exponent == 0:
        return p.pow(x, full_like(x, 0))
    raise AssertionError(exponent)


@operation(inplace=True, out=True)
def float_power(input: Tensor | Number, exponent: Tensor | Number):
    """pow in float64."""
    kind = result_dtype(input, exponent)
    kind = dtypes.complex128 if kind.is_complex else dtypes.float64
    return p.pow(*operands(input, exponent, dtype=kind))


def _declare_binary(name, primitive_name, description, aliases=(), floating=False,
                    inplace=True):
    primitive = getattr(p, primitive_name)

    def body(input: Tensor, other: Tensor):
        kind = result_dtype(input, other)
        if floating and kind.category < 2:
            kind = default_dtype()
        return primitive(*operands(input, other, dtype=kind))

    body.__name__, body.__doc__ = name, description
    # copysign takes numbers; of the others PyTorch wants tensors
    body.__annotations__["other"] = "Tensor | Number" if name == "copysign" else "Tensor"
    globals()[name] = operation(name, inplace=inplace, out=True, aliases=aliases)(body)


for _row in (
        ("maximum", "maximum", "The larger of two elements.", (), False, False),
        ("minimum", "minimum", "The smaller of two elements.", (), False, False),
        ("atan2", "atan2", "The angle of the point (other, input).", ("arctan2",), True),
        ("hypot", "hypot", "sqrt(input**2 + other**2)."),
        ("copysign", "copysign", "input with the sign of other.", (), True),
        ("nextafter", "nextafter", "The next number from input towards other.")):
    _declare_binary(*_row)


@operation(out=True)
def fmax(input: Tensor, other: Tensor | Number):
    """The larger of two elements; a number rather than NaN."""
    a, b = operands(input, other)
    if a.dtype.category < 2:
        return p.maximum(a, b)
    return p.where(p.isnan(a), b, p.where(p.isnan(b), a, p.maximum(a, b)))


@operation(out=True)
def fmin(input: Tensor, other: Tensor | Number):
    """The smaller of two elements; a number rather than NaN."""
    a, b = operands(input, other)
    if a.dtype.category < 2:
        return p.minimum(a, b)
    return p.where(p.isnan(a), b, p.where(p.isnan(b), a, p.minimum(a, b)))


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


@operation(inplace=True)
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
