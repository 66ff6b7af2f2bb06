"""Pointwise operations: arithmetic and special functions; `comparison` has those that decide."""

from __future__ import annotations

import builtins
import math

from .. import dtypes
from ..dtypes import default_dtype
from ..graph.ir import Node, p
from .build import (
    broadcast,
    cast,
    expand_to,
    full_like,
    node_of,
    operands,
    result_dtype,
    to_float,
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


@operation(out=True)
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


@operation("complex", method=False, out=True)
def complex_(real: Tensor, imag: Tensor):
    """Complex numbers of their real and imaginary parts."""
    if any(n.dtype.category != 2 or n.dtype is dtypes.bfloat16 for n in (real, imag)):
        raise RuntimeError("Expected both inputs to be Half, Float or Double tensors but got "
                           f"{real.dtype.legacy_name} and {imag.dtype.legacy_name}")
    if real.dtype is not imag.dtype:
        raise RuntimeError(f"Expected object of scalar type {real.dtype.legacy_name} but got "
                           f"scalar type {imag.dtype.legacy_name} for second argument")
    return p.complex(*broadcast(real, imag))


@operation(method=False, out=True)
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


@operation(out=True)
def isposinf(input: Tensor):
    """Whether elements are plus infinity."""
    return p.eq(input, full_like(input, math.inf)) if input.dtype.category > 1 else _false(input)


@operation(out=True)
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


@operation(out=True)
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
    if isinstance(alpha, Node) and alpha.dtype is dtypes.bool_ is not dtype:
        raise RuntimeError("Boolean alpha only supported for Boolean results.")
    if isinstance(alpha, Node) and alpha.dtype.category > dtype.category and dtype.category < 2:
        raise RuntimeError("For integral input tensors, argument alpha must not be a floating "
                           "point number.")


def _check_subtraction(*given):
    bools = [node_of(x).dtype is dtypes.bool_ for x in given]
    if all(bools):
        raise RuntimeError("Subtraction, the `-` operator, with two bool tensors is not supported. "
                           "Use the `^` or `logical_xor()` operator instead.")
    if any(bools):
        raise RuntimeError("Subtraction, the `-` operator, with a bool tensor is not supported. If "
                           "you are trying to invert a mask, use the `~` or `logical_not()` "
                           "operator instead.")


@operation(inplace=True, out=True, aliases=("subtract",))
def sub(input: Tensor | Number, other: Tensor | Number, *, alpha: Number = 1):
    """input - alpha * other."""
    _check_subtraction(input, other)
    a, b = operands(input, other)
    if alpha is not None and alpha != 1:
        _check_alpha(alpha, a.dtype)
        b = p.mul(b, expand_to(node_of(alpha, b.dtype), b.shape))
    return p.sub(a, b)


@operation(method=False)
def rsub(input: Tensor | Number, other: Tensor | Number, *, alpha: Number = 1):
    """other - alpha * input."""
    _check_subtraction(input, other)
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
def fmax(input: Tensor, other: Tensor):
    """The larger of two elements; a number rather than NaN."""
    a, b = operands(input, other)
    if a.dtype.category < 2:
        return p.maximum(a, b)
    return p.where(p.isnan(a), b, p.where(p.isnan(b), a, p.maximum(a, b)))


@operation(out=True)
def fmin(input: Tensor, other: Tensor):
    """The smaller of two elements; a number rather than NaN."""
    a, b = operands(input, other)
    if a.dtype.category < 2:
        return p.minimum(a, b)
    return p.where(p.isnan(a), b, p.where(p.isnan(b), a, p.minimum(a, b)))
