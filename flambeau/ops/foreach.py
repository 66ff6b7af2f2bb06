"""``torch._foreach_*``: one operation on each tensor of a list."""

from __future__ import annotations

from ..tensor import Tensor
from .declare import DECLARED

__all__: list[str] = []

_UNARY = ("abs", "acos", "asin", "atan", "ceil", "cos", "cosh", "erf", "erfc", "exp", "expm1",
          "floor", "frac", "lgamma", "log", "log10", "log1p", "log2", "neg", "reciprocal", "round",
          "rsqrt", "sigmoid", "sign", "sin", "sinh", "sqrt", "tan", "tanh", "trunc")
_BINARY = {"add": "add", "sub": "sub", "mul": "mul", "div": "div", "pow": "pow",
           "maximum": "maximum", "minimum": "minimum", "clamp_min": "maximum",
           "clamp_max": "minimum"}


def _others(tensors, other):
    """One operand for each tensor, from a list, a tensor or a number."""
    if isinstance(other, (list, tuple)):
        if len(other) != len(tensors):
            raise RuntimeError("Tensor lists must have the same number of tensors, got "
                               f"{len(tensors)} and {len(other)}")
        return other
    return [other] * len(tensors)


def _declare(name: str, function, in_place) -> None:
    globals()[f"_foreach_{name}"] = function
    globals()[f"_foreach_{name}_"] = in_place
    for made, suffix in ((function, ""), (in_place, "_")):
        made.__name__ = made.__qualname__ = f"_foreach_{name}{suffix}"
        made.__doc__ = f"{name} of each tensor."


def _written(tensors, results):
    for x, r in zip(tensors, results):
        x.copy_(r)


def _declare_unary(name: str) -> None:
    operation = DECLARED[name].function

    def function(self):
        return tuple(operation(x) for x in self)

    def in_place(self):
        _written(self, function(self))

    _declare(name, function, in_place)


def _declare_binary(name: str, of: str) -> None:
    operation = DECLARED[of].function
    by_number = {"maximum": "clamp_min", "minimum": "clamp_max"}.get(of)

    def one(x, other, options):
        if by_number and not isinstance(other, Tensor):
            return DECLARED[by_number].function(x, other)
        return operation(x, other, **options)

    def function(self, other, **options):
        if isinstance(self, (int, float)):                # pow of one number and many exponents
            return tuple(operation(self, x) for x in other)
        return tuple(one(x, o, options) for x, o in zip(self, _others(self, other)))

    def in_place(self, other, **options):
        _written(self, function(self, other, **options))

    _declare(name, function, in_place)


def _declare_ternary(name: str) -> None:
    operation = DECLARED[name].function

    def function(self, tensor1, tensor2, value=1):
        values = value.tolist() if isinstance(value, Tensor) else _others(self, value)
        return tuple(operation(x, a, b, value=v)
                     for x, a, b, v in zip(self, tensor1, tensor2, values))

    def in_place(self, tensor1, tensor2, value=1):
        _written(self, function(self, tensor1, tensor2, value))

    _declare(name, function, in_place)


for _name in _UNARY:
    _declare_unary(_name)
for _name, _of in _BINARY.items():
    _declare_binary(_name, _of)
for _name in ("addcmul", "addcdiv"):
    _declare_ternary(_name)


def _foreach_lerp(self, tensors1, weight):
    """lerp of each tensor."""
    return tuple(DECLARED["lerp"].function(x, e, w)
                 for x, e, w in zip(self, tensors1, _others(self, weight)))


def _foreach_lerp_(self, tensors1, weight):
    """lerp of each tensor, in place."""
    _written(self, _foreach_lerp(self, tensors1, weight))


def _foreach_norm(self, ord=2, dtype=None):
    """The norm of each tensor."""
    return tuple(DECLARED["_private._norm"].function(x, float(ord), None, False, dtype)
                 for x in self)


def _foreach_max(self):
    """The largest element of each tensor."""
    return tuple(DECLARED["amax"].function(x) for x in self)


def _foreach_clone(self):
    """A copy of each tensor."""
    return tuple(DECLARED["clone"].function(x) for x in self)


def _foreach_copy_(self, src, non_blocking=False):
    """Write each tensor of src into the tensor of self at its place."""
    for x, s in zip(self, src):
        x.copy_(s)
    return self


def _foreach_zero_(self):
    """Set each tensor to 0."""
    for x in self:
        x.zero_()
