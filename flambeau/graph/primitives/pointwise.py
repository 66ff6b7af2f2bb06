"""Pointwise primitives: one element of each input gives one element of the output."""

from __future__ import annotations

import math

import numpy as np

from ... import dtypes
from ..ir import Node, constant, expand_to, full_like, p, primitive

__all__: list[str] = []


def _same(inputs, attrs):
    return inputs[0].shape, inputs[0].dtype


def _boolean(inputs, attrs):
    return inputs[0].shape, dtypes.bool_


def _real(inputs, attrs):
    return inputs[0].shape, inputs[0].dtype.to_real()


def c(node: Node, value) -> Node:
    """The constant `value` in the shape and dtype of `node`."""
    return full_like(node, value)


def _conj(node: Node) -> Node:
    return p.conj(node) if node.dtype.is_complex else node


# ---- special functions that NumPy lacks ------------------------------------------------------


def _vectorised(function):
    def apply(x):
        flat = np.asarray(x, dtype=np.float64).ravel()
        return np.array([function(v) for v in flat], dtype=x.dtype).reshape(x.shape)
    return apply


def _erfinv_scalar(y: float) -> float:
    """The inverse of erf: a closed form, then Halley steps down to double rounding."""
    if not -1.0 < y < 1.0:
        return math.copysign(math.inf, y) if abs(y) == 1.0 else math.nan
    logarithm = math.log1p(-y * y)      # Winitzki's closed form, good to 2e-3
    t = 2 / (math.pi * 0.147) + logarithm / 2
    x = math.copysign(math.sqrt(max(0.0, math.sqrt(t * t - logarithm / 0.147) - t)), y)
    for _ in range(4):
        slope = 2 / math.sqrt(math.pi) * math.exp(-x * x)
        if abs(y) < 0.5:
            error = math.erf(x) - y
        else:                                   # exact near 1, where erf saturates
            error = math.copysign(1, y) * ((1 - abs(y)) - math.erfc(abs(x)))
        step = error / slope
        x -= step / (1 + x * step)
    return x


def _digamma_scalar(x: float) -> float:
    """The logarithmic derivative of gamma: reflection, recurrence, asymptotic series."""
    if x == 0:
        return math.copysign(math.inf, -x)
    if x < 0 and x == math.floor(x):
        return math.nan
    if x == math.inf:
        return math.inf
    result = 0.0
    if x < 0:
        result = -math.pi / math.tan(math.pi * x)
        x = 1 - x
    while x < 10:
        result -= 1 / x
        x += 1
    inverse = 1 / (x * x)
    series = inverse * (1 / 12 - inverse * (1 / 120 - inverse * (1 / 252 - inverse * (
        1 / 240 - inverse * (1 / 132 - inverse * 691 / 32760)))))
    return result + math.log(x) - 0.5 / x - series


def _lgamma_scalar(x: float) -> float:
    if x in (math.inf, -math.inf) or (x <= 0 and x == math.floor(x)):
        return math.inf
    return math.lgamma(x) if x == x else x


def _sigmoid(x):
    return (1 / (1 + np.exp(-x))).astype(x.dtype)


def _round_half_even(x):
    return np.rint(x) if x.dtype.kind in "fc" else x


# ---- unary -----------------------------------------------------------------------------------

_TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)

# name: (NumPy meaning, derivative as a function of node y = f(x), x and g; None: no gradient)
_UNARY = {
    "neg": (np.negative, lambda y, x, g: p.neg(g)),
    "abs": (np.abs, None),  # below: the gradient of complex numbers differs
    "sign": (np.sign, lambda y, x, g: c(g, 0)),
    "exp": (np.exp, lambda y, x, g: p.mul(g, _conj(y))),
    "exp2": (np.exp2, lambda y, x, g: p.mul(g, p.mul(y, c(y, math.log(2))))),
    "expm1": (np.expm1, lambda y, x, g: p.mul(g, p.add(y, c(y, 1)))),
    "log": (np.log, lambda y, x, g: p.div(g, _conj(x))),
    "log2": (np.log2, lambda y, x, g: p.div(g, p.mul(x, c(x, math.log(2))))),
    "log10": (np.log10, lambda y, x, g: p.div(g, p.mul(x, c(x, math.log(10))))),
    "log1p": (np.log1p, lambda y, x, g: p.div(g, p.add(x, c(x, 1)))),
    "sqrt": (np.sqrt, lambda y, x, g: p.div(g, p.mul(_conj(y), c(y, 2)))),
    "rsqrt": (lambda x: 1 / np.sqrt(x),
              lambda y, x, g: p.mul(g, p.mul(c(y, -0.5), p.mul(y, p.mul(y, y))))),
    "reciprocal": (lambda x: 1 / x, lambda y, x, g: p.neg(p.mul(g, _conj(p.mul(y, y))))),
    "sin": (np.sin, lambda y, x, g: p.mul(g, _conj(p.cos(x)))),
    "cos": (np.cos, lambda y, x, g: p.neg(p.mul(g, _conj(p.sin(x))))),
    "tan": (np.tan, lambda y, x, g: p.mul(g, p.add(c(y, 1), p.mul(y, y)))),
    "asin": (np.arcsin, lambda y, x, g: p.mul(g, p.rsqrt(p.sub(c(x, 1), p.mul(x, x))))),
    "acos": (np.arccos, lambda y, x, g: p.neg(p.mul(g, p.rsqrt(p.sub(c(x, 1), p.mul(x, x)))))),
    "atan": (np.arctan, lambda y, x, g: p.div(g, p.add(p.mul(x, x), c(x, 1)))),
    "sinh": (np.sinh, lambda y, x, g: p.mul(g, _conj(p.cosh(x)))),
    "cosh": (np.cosh, lambda y, x, g: p.mul(g, _conj(p.sinh(x)))),
    "tanh": (np.tanh, lambda y, x, g: p.mul(g, p.sub(c(y, 1), p.mul(y, y)))),
    "asinh": (np.arcsinh, lambda y, x, g: p.mul(g, p.rsqrt(p.add(p.mul(x, x), c(x, 1))))),
    "acosh": (np.arccosh, lambda y, x, g: p.mul(g, p.rsqrt(p.sub(p.mul(x, x), c(x, 1))))),
    "atanh": (np.arctanh, lambda y, x, g: p.div(g, p.sub(c(x, 1), p.mul(x, x)))),
    "sigmoid": (_sigmoid, lambda y, x, g: p.mul(g, p.mul(y, p.sub(c(y, 1), y)))),
    "erf": (_vectorised(math.erf), lambda y, x, g: p.mul(
        g, p.mul(c(x, _TWO_OVER_ROOT_PI), p.exp(p.neg(p.mul(x, x)))))),
    "erfc": (_vectorised(math.erfc), lambda y, x, g: p.mul(
        g, p.mul(c(x, -_TWO_OVER_ROOT_PI), p.exp(p.neg(p.mul(x, x)))))),
    "erfinv": (_vectorised(_erfinv_scalar), lambda y, x, g: p.mul(
        g, p.mul(c(y, 1 / _TWO_OVER_ROOT_PI), p.exp(p.mul(y, y))))),
    "lgamma": (_vectorised(_lgamma_scalar), lambda y, x, g: p.mul(g, p.digamma(x))),
    "digamma": (_vectorised(_digamma_scalar), lambda y, x, g: p.mul(
        g, p.external(x, call="polygamma", static=(1,), result=((x.shape, x.dtype),)))),
    "floor": (np.floor, lambda y, x, g: c(g, 0)),
    "ceil": (np.ceil, lambda y, x, g: c(g, 0)),
    "trunc": (np.trunc, lambda y, x, g: c(g, 0)),
    "round": (_round_half_even, lambda y, x, g: c(g, 0)),  # halves to even
    "conj": (np.conj, lambda y, x, g: p.conj(g)),
}


def _unary(name, evaluate, derivative):
    vjp = None
    if derivative is not None:
        def vjp(node, g):
            return (derivative(node, node.inputs[0], g),)

    def run(node, x):
        return evaluate(x)

    primitive(name, "pointwise", _same, run, vjp)


def _abs_vjp(node, g):
    x = node.inputs[0]
    if x.dtype.is_complex:
        zero = p.eq(node, c(node, 0))
        safe = p.where(zero, c(node, 1), node)
        unit = p.div(x, p.cast(safe, dtype=x.dtype))
        return (p.mul(p.cast(g, dtype=x.dtype), unit),)
    return (p.mul(g, p.sign(x)),)


for _name, (_evaluate, _derivative) in _UNARY.items():
    if _name != "abs":
        _unary(_name, _evaluate, _derivative)
primitive("abs", "pointwise", _real, lambda node, x: np.abs(x), _abs_vjp)

primitive("logical_not", "pointwise", _boolean, lambda node, x: np.logical_not(x))
primitive("bitwise_not", "pointwise", _same, lambda node, x: np.invert(x))
primitive("isnan", "pointwise", _boolean, lambda node, x: np.isnan(x))
primitive("isinf", "pointwise", _boolean, lambda node, x: np.isinf(x))
primitive("signbit", "pointwise", _boolean,
          lambda node, x: np.signbit(x) if x.dtype.kind != "b" else np.zeros(x.shape, bool))
primitive("real", "pointwise", _real, lambda node, x: np.real(x),
          lambda node, g: (p.cast(g, dtype=node.inputs[0].dtype),))
primitive("imag", "pointwise", _real, lambda node, x: np.imag(x),
          lambda node, g: (p.complex(c(g, 0), g),))
primitive("angle", "pointwise", _real, lambda node, x: np.angle(x).astype(node.dtype.compute),
          lambda node, g: (_angle_vjp(node, g),))


def _angle_vjp(node, g):
    x = node.inputs[0]
    if not x.dtype.is_complex:
        return c(g, 0)
    re, im = p.real(x), p.imag(x)
    square = p.add(p.mul(re, re), p.mul(im, im))
    scale = p.div(g, p.where(p.eq(square, c(square, 0)), c(square, 1), square))
    return p.complex(p.neg(p.mul(im, scale)), p.mul(re, scale))


def _cast(node, x):
    target = node.attrs["dtype"]
    source = node.inputs[0].dtype
    if target.category == 1 and source.category == 2:
        with np.errstate(invalid="ignore"):
            wide = np.trunc(x).astype(np.int64)     # as C does through the widest integer
        return wide.astype(target.compute)
    if target.category < 3 and source.category == 3:
        x = np.real(x)
    return x.astype(target.compute)


primitive("cast", "pointwise", lambda inputs, attrs: (inputs[0].shape, attrs["dtype"]), _cast,
          lambda node, g: (cast(g, node.inputs[0].dtype),))


def cast(node: Node, dtype: dtypes.dtype) -> Node:
    """`node` as `dtype`; the node itself when it has that type."""
    if node.dtype is dtype:
        return node
    if node.dtype.is_complex and not dtype.is_complex:
        node = p.real(node)
        return node if node.dtype is dtype else p.cast(node, dtype=dtype)
    return p.cast(node, dtype=dtype)


# max(x, 0), a primitive of its own so that its gradient needs only the result.
primitive("relu", "pointwise", _same, lambda node, x: np.maximum(x, np.zeros((), x.dtype)),
          lambda node, g: (p.where(p.gt(node, c(node, 0)), g, c(g, 0)),))

# Identities that end or begin a gradient: `detach` passes none; `variable` marks a value that a
# user made a leaf after computing it; `boundary` hands gradients to a user-defined function.
primitive("detach", "pointwise", _same, lambda node, x: x)
primitive("variable", "pointwise", _same, lambda node, x: x)
primitive("boundary", "pointwise", _same, lambda node, x: x)
# The first operand, written over the second: with the gradient of the second where none was
# recorded for the write (`instead`), else with zeros for it, which PyTorch has there.
primitive("instead", "pointwise", _same, lambda node, x, y: x, lambda node, g: (None, g))
primitive("overwrite", "pointwise", _same, lambda node, x, y: x, lambda node, g: (g, c(g, 0)))


# ---- binary ----------------------------------------------------------------------------------


def _binary_check(inputs, attrs):
    a, b = inputs
    assert a.dtype is b.dtype and a.shape == b.shape, (a, b)
    return a.shape, a.dtype


def _compare_check(inputs, attrs):
    _binary_check(inputs, attrs)
    return inputs[0].shape, dtypes.bool_


def _divide(node, a, b):
    with np.errstate(all="ignore"):
        return np.divide(a, b)


def _floor_divide(node, a, b):
    if a.dtype.kind in "iu":
        if (b == 0).any():
            raise RuntimeError("ZeroDivisionError")
        return np.floor_divide(a, b)
    return np.floor_divide(a, b)


def _trunc_divide(node, a, b):
    if a.dtype.kind in "iu":
        if (b == 0).any():
            raise RuntimeError("ZeroDivisionError")
        quotient = np.floor_divide(a, b)
        inexact = (quotient * b != a) & ((a < 0) != (b < 0))
        return quotient + inexact.astype(a.dtype)
    return np.trunc(np.divide(a, b))


def _remainder(node, a, b):
    if a.dtype.kind in "iu" and (b == 0).any():
        raise RuntimeError("ZeroDivisionError")
    if a.dtype.kind != "f":
        return np.remainder(a, b)
    rest = np.fmod(a, b)
    return np.where((rest != 0) & ((rest < 0) != (b < 0)), rest + b, rest)   # 0: the sign of a


def _fmod(node, a, b):
    if a.dtype.kind in "iu" and (b == 0).any():
        raise RuntimeError("ZeroDivisionError")
    return np.fmod(a, b)


def _power(node, a, b):
    if a.dtype.kind in "iu":
        with np.errstate(all="ignore"):
            result = np.power(a, np.maximum(b, 0))
            negative = b < 0
            if negative.any():
                tiny = np.where(a == 1, 1, np.where(a == -1, np.where(b % 2 == 0, 1, -1), 0))
                result = np.where(negative, tiny, result).astype(a.dtype)
            return result
    return np.power(a, b)


def _power_vjp(node, g):
    a, b = node.inputs
    ga = gb = None
    if a.requires_grad:
        one = c(b, 1)
        slope = p.mul(b, p.pow(a, p.sub(b, one)))
        zero = p.eq(b, c(b, 0))
        ga = p.mul(g, _conj(p.where(zero, c(a, 0), slope)))
    if b.requires_grad:
        dead = p.eq(a, c(a, 0))
        if not a.dtype.is_complex:
            dead = p.bitwise_and(dead, p.ge(b, c(b, 0)))
        slope = p.mul(node, p.log(a))
        gb = p.mul(g, _conj(p.where(dead, c(a, 0), slope)))
    return ga, gb


def _extreme_vjp(pick):
    def vjp(node, g):
        a, b = node.inputs
        half = p.mul(g, c(g, 0.5))
        tie = p.eq(a, b)
        ga = p.where(tie, half, p.where(pick(a, b), g, c(g, 0)))
        gb = p.where(tie, half, p.where(pick(b, a), g, c(g, 0)))
        return ga, gb
    return vjp


def _div_vjp(node, g):
    a, b = node.inputs
    ga = p.div(g, _conj(b)) if a.requires_grad else None
    gb = p.neg(p.mul(g, _conj(p.div(node, b)))) if b.requires_grad else None
    return ga, gb


def _atan2_vjp(node, g):
    a, b = node.inputs
    scale = p.div(g, p.add(p.mul(a, a), p.mul(b, b)))
    return p.mul(scale, b), p.neg(p.mul(scale, a))


def _hypot_vjp(node, g):
    a, b = node.inputs
    return p.mul(g, p.div(a, node)), p.mul(g, p.div(b, node))


def _copysign_vjp(node, g):
    a, b = node.inputs
    flip = p.ne(p.cast(p.signbit(a), dtype=dtypes.uint8), p.cast(p.signbit(b), dtype=dtypes.uint8))
    ga = p.where(p.eq(a, c(a, 0)), c(g, 0), p.where(flip, p.neg(g), g))
    return ga, c(g, 0)


_BINARY = {
    "add": (lambda node, a, b: np.add(a, b), lambda node, g: (g, g)),
    "sub": (lambda node, a, b: np.subtract(a, b), lambda node, g: (g, p.neg(g))),
    "mul": (lambda node, a, b: np.multiply(a, b), lambda node, g: (
        p.mul(g, _conj(node.inputs[1])) if node.inputs[0].requires_grad else None,
        p.mul(g, _conj(node.inputs[0])) if node.inputs[1].requires_grad else None)),
    "div": (_divide, _div_vjp),
    "floor_divide": (_floor_divide, lambda node, g: (c(g, 0), c(g, 0))),
    "trunc_divide": (_trunc_divide, lambda node, g: (c(g, 0), c(g, 0))),
    "remainder": (_remainder, lambda node, g: (g, p.neg(p.mul(
        g, p.floor_divide(node.inputs[0], node.inputs[1]))))),
    "fmod": (_fmod, lambda node, g: (g, p.neg(p.mul(
        g, p.trunc_divide(node.inputs[0], node.inputs[1]))))),
    "pow": (_power, _power_vjp),
    "maximum": (lambda node, a, b: np.maximum(a, b), _extreme_vjp(lambda a, b: p.gt(a, b))),
    "minimum": (lambda node, a, b: np.minimum(a, b), _extreme_vjp(lambda a, b: p.lt(a, b))),
    "atan2": (lambda node, a, b: np.arctan2(a, b), _atan2_vjp),
    "hypot": (lambda node, a, b: np.hypot(a, b), _hypot_vjp),
    "copysign": (lambda node, a, b: np.copysign(a, b), _copysign_vjp),
    "nextafter": (lambda node, a, b: np.nextafter(a, b), lambda node, g: (
        p.where(p.eq(*node.inputs), c(g, 0), g), c(g, 0))),
    "bitwise_and": (lambda node, a, b: np.bitwise_and(a, b), None),
    "bitwise_or": (lambda node, a, b: np.bitwise_or(a, b), None),
    "bitwise_xor": (lambda node, a, b: np.bitwise_xor(a, b), None),
    "shift_left": (lambda node, a, b: np.left_shift(a, b), None),
    "shift_right": (lambda node, a, b: np.right_shift(a, b), None),
}
for _name, (_evaluate, _vjp) in _BINARY.items():
    primitive(_name, "pointwise", _binary_check, _evaluate, _vjp)

_COMPARE = {"eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal,
            "gt": np.greater, "ge": np.greater_equal}
for _name, _function in _COMPARE.items():
    primitive(_name, "pointwise", _compare_check,
              lambda node, a, b, function=_function: function(a, b))

primitive("complex", "pointwise",
          lambda inputs, attrs: (inputs[0].shape, inputs[0].dtype.to_complex()),
          lambda node, a, b: _join_complex(node, a, b),
          lambda node, g: (p.real(g), p.imag(g)))


def _join_complex(node, a, b):
    out = np.empty(node.shape, node.dtype.compute)
    out.real, out.imag = a, b
    return out


# ---- ternary ---------------------------------------------------------------------------------


def _where_check(inputs, attrs):
    condition, a, b = inputs
    assert condition.dtype is dtypes.bool_ and a.dtype is b.dtype, inputs
    assert condition.shape == a.shape == b.shape, inputs
    return a.shape, a.dtype


primitive("where", "pointwise", _where_check, lambda node, k, a, b: np.where(k, a, b),
          lambda node, g: (None,
                           p.where(node.inputs[0], g, c(g, 0)) if node.inputs[1].requires_grad
                           else None,
                           p.where(node.inputs[0], c(g, 0), g) if node.inputs[2].requires_grad
                           else None))


def scale(node: Node, factor) -> Node:
    """`node` times the Python number `factor`."""
    return p.mul(node, expand_to(constant(factor, node.dtype), node.shape))
