"""Operations on whole numbers: their bits, and common divisors and multiples."""

from __future__ import annotations

import numpy as np

from .. import dtypes
from ..graph.ir import p
from ..graph.primitives.external import call, external
from .build import operands, result_dtype
from .declare import operation

__all__: list[str] = []


def _check_whole(dtype, kernel: str) -> None:
    if dtype.category > 1:
        raise NotImplementedError(f'"{kernel}_cpu" not implemented for \'{dtype.legacy_name}\': '
                                  "expected whole numbers")


def _declare_bitwise(name: str, primitive_name: str, kernel: str, description: str) -> None:
    primitive = getattr(p, primitive_name)

    def body(input: Tensor, other: Tensor | Number):
        kind = result_dtype(input, other)
        _check_whole(kind, kernel)
        return primitive(*operands(input, other, dtype=kind))

    body.__name__, body.__doc__ = name, description
    operation(name, inplace=True, out=True)(body)


for _row in (
        ("bitwise_and", "bitwise_and", "bitwise_and", "The bits set in both."),
        ("bitwise_or", "bitwise_or", "bitwise_or", "The bits set in either."),
        ("bitwise_xor", "bitwise_xor", "bitwise_xor", "The bits set in one of the two."),
        ("bitwise_left_shift", "shift_left", "lshift", "input * 2**other."),
        ("bitwise_right_shift", "shift_right", "rshift", "input / 2**other, rounded down.")):
    _declare_bitwise(*_row)


@operation(inplace=True, out=True)
def bitwise_not(input: Tensor):
    """All bits inverted."""
    _check_whole(input.dtype, "bitwise_not")
    return p.logical_not(input) if input.dtype is dtypes.bool_ else p.bitwise_not(input)


def _declare_divisor(name: str, function, description: str) -> None:
    external(name)(lambda static, a, b: function(a, b))

    def body(input: Tensor, other: Tensor):
        kind = result_dtype(input, other)
        if kind is dtypes.bool_:
            raise NotImplementedError(f"\"{name}_cpu\" not implemented for 'Bool'")
        _check_whole(kind, name)
        a, b = operands(input, other)
        return call(name, a, b, result=((a.shape, a.dtype),))

    body.__name__, body.__doc__ = name, description
    operation(name, inplace=True, out=True)(body)


_declare_divisor("gcd", np.gcd, "The greatest common divisor.")
_declare_divisor("lcm", np.lcm, "The least common multiple.")
