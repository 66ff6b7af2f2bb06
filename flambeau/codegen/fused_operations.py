"""Pointwise primitives as instructions: the arithmetic of the fused kernels.

`emit_operation` takes the emitter's values of the operands, all scalar or all of the same lanes, in
*register* types: half precision as float32, bool as i1, the rest as they lie in memory. What is not
in the tables here has no native code (`is_native` says so) and runs through NumPy.
"""

from __future__ import annotations

import math

from .. import dtypes
from .emitter import BOOL, F32, F64, I8, I16, I32, I64, vector

__all__ = ["EXPENSIVE", "emit_constant_bits", "emit_operation", "is_native", "load_element",
           "memory_type",
           "register_type", "round_value", "store_element", "unsupported_dtype"]

# what costs ten times an addition: not to be computed twice
EXPENSIVE = frozenset((
    "exp", "log", "tanh", "erf", "erfc", "sigmoid", "pow", "sin", "cos", "log1p", "expm1", "atan2",
    "fmod", "remainder", "exp2", "log2", "log10", "erfinv", "lgamma", "digamma", "tan", "asin",
    "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh"))
_REGISTER = {"bool": BOOL, "uint8": I8, "int8": I8, "int16": I16, "int32": I32, "int64": I64,
             "float16": F32, "bfloat16": F32, "float32": F32, "float64": F64}
_MEMORY = dict(_REGISTER, bool=I8, float16=I16, bfloat16=I16)


def unsupported_dtype(dtype: dtypes.dtype) -> bool:
    """Whether generated code cannot hold the type (complex numbers)."""
    return dtype.name not in _REGISTER


def register_type(dtype: dtypes.dtype):
    """The scalar type in which a value of `dtype` is computed."""
    return _REGISTER[dtype.name]


def memory_type(dtype: dtypes.dtype):
    """The scalar type in which a value of `dtype` lies in memory."""
    return _MEMORY[dtype.name]


def load_element(f, dtype, raw):
    """From memory to register."""
    if dtype is dtypes.bfloat16:
        return f.bf16_to_f32(raw)
    if dtype is dtypes.float16:
        return f.f16_to_f32(raw)
    if dtype is dtypes.bool_:
        return f.ne(raw, 0)
    return raw


def store_element(f, dtype, value):
    """From register to memory."""
    if dtype is dtypes.bfloat16:
        return f.f32_to_bf16(value)
    if dtype is dtypes.float16:
        return f.f32_to_f16(value)
    if dtype is dtypes.bool_:
        return f.cast(value, I8)
    return value


def round_value(f, dtype, value):
    """A half-precision result as the next operation must see it."""
    if dtype is dtypes.bfloat16:
        return f.bf16_to_f32(f.f32_to_bf16(value))
    if dtype is dtypes.float16:
        return f.f16_to_f32(f.f32_to_f16(value))
    return value


# ---- the tables ---------------------------------------------------------------------------------


def _floats(*names):
    return {name: "f" for name in names}


def _unsigned(dtype):
    return dtype.category < 2 and not dtype.is_signed


def _compare(name):
    predicates = {"lt": "ult", "le": "ule", "gt": "ugt", "ge": "uge"}

    def emit(f, node, dtype, a, b):
        if _unsigned(dtype[0]) and name in predicates:
            return f.compare(predicates[name], a, b)
        return getattr(f, name)(a, b)
    return emit


def _extreme(name):
    def emit(f, node, dtype, a, b):
        if dtype[0] is dtypes.bool_:
            return (a | b) if name == "maximum" else (a & b)
        if _unsigned(dtype[0]):
            first = f.compare("ugt" if name == "maximum" else "ult", a, b)
            return f.select(first, a, b)
        return getattr(f, name)(a, b)
    return emit


def _logical(emit_bool, emit_int):
    def emit(f, node, dtype, a, b):
        return emit_bool(f, a, b) if dtype[0] is dtypes.bool_ else emit_int(f, a, b)
    return emit


_OR = _logical(lambda f, a, b: a | b, lambda f, a, b: a + b)
_AND = _logical(lambda f, a, b: a & b, lambda f, a, b: a * b)


def _relu(f, node, dtype, a):
    if dtype[0] is dtypes.bool_ or _unsigned(dtype[0]):
        return a
    return f.maximum(a, f.constant(a.type, 0))


def _sign(f, node, dtype, a):
    kind = dtype[0]
    if kind is dtypes.bool_:
        return a
    zero, one = f.constant(a.type, 0), f.constant(a.type, 1)
    if _unsigned(kind):
        return f.select(f.ne(a, 0), one, zero)
    minus = f.constant(a.type, -1)
    result = f.select(f.gt(a, 0), one, f.select(f.lt(a, 0), minus, zero))
    return f.select(f.isnan(a), a, result) if a.type.kind == "f" else result


def _abs(f, node, dtype, a):
    if _unsigned(dtype[0]):
        return a
    return f.abs(a)


def _integral(name):
    def emit(f, node, dtype, a):
        return getattr(f, name)(a) if a.type.kind == "f" else a
    return emit


def _isinf(f, node, dtype, a):
    if a.type.kind != "f":
        return f.constant(vector(BOOL, a.type.lanes), 0)
    return f.eq(f.abs(a), math.inf)


def _isnan(f, node, dtype, a):
    if a.type.kind != "f":
        return f.constant(vector(BOOL, a.type.lanes), 0)
    return f.isnan(a)


def _signbit(f, node, dtype, a):
    if _unsigned(dtype[0]):
        return f.constant(vector(BOOL, a.type.lanes), 0)
    if a.type.kind == "f":
        a = f.bitcast(a, vector(I32 if a.type.bits == 32 else I64, a.type.lanes))
    return f.lt(a, 0)


def _logical_not(f, node, dtype, a):
    return ~a if a.type.bits == 1 else f.eq(a, 0)


def _reciprocal(f, node, dtype, a):
    return f.div(f.constant(a.type, 1), a)


def _rsqrt(f, node, dtype, a):
    return f.div(f.constant(a.type, 1), f.sqrt(a))


def _cast(f, node, dtype, a):
    source, target = dtype[0], node.dtype
    type = register_type(target)
    if source.category == 2 and target.category == 1:
        # as C does, through the widest integer: then a smaller type keeps the low bits
        wide = f.cast(a, I64)
        if target is dtypes.int64:
            # out of range and NaN give the smallest integer, the value of x86's conversion
            limit = 2.0 ** 63
            inside = f.lt(f.abs(a), limit)
            return f.select(inside, wide, -(1 << 63))
        inside = f.lt(f.abs(a), 2.0 ** 63)
        return f.cast(f.select(inside, wide, -(1 << 63)), type)
    return f.cast(a, type, signed=not _unsigned(source))


def _bool_cast(f, node, dtype, a):
    return f.ne(a, 0) if a.type.bits > 1 else a


def _bitwise(opcode):
    return lambda f, node, dtype, a, b: f.binary(opcode, a, b)


def _shift(left):
    def emit(f, node, dtype, a, b):
        bits = a.type.bits
        opcode = "shl" if left else "lshr" if _unsigned(dtype[0]) else "ashr"
        outside = f.compare("uge", b, bits)
        if left or _unsigned(dtype[0]):
            return f.select(outside, f.constant(a.type, 0), f.binary(opcode, a, b))
        return f.binary(opcode, a, f.select(outside, f.constant(a.type, bits - 1), b))
    return emit


def _copysign(f, node, dtype, a, b):
    return f.copysign(a, b)


def _identity(f, node, dtype, a):
    return a


def _where(f, node, dtype, condition, a, b):
    return f.select(condition, a, b)


def _safe_divisor(f, b):
    """Divisors are constants other than 0 (`is_native`); lanes that do not exist may hold 0."""
    return f.select(f.eq(b, 0), f.constant(b.type, 1), b)


def _floor_divide(f, node, dtype, a, b):
    if a.type.kind == "f":
        from . import vector_math
        rest = vector_math.call(f, "fmod", a, b)
        quotient = f.div(f.sub(a, rest), b)
        quotient = f.select(_of_other_sign(f, rest, b), quotient - 1.0, quotient)
        near = f.floor(quotient)
        near = f.select(f.gt(f.sub(quotient, near), 0.5), near + 1.0, near)
        result = f.select(f.eq(quotient, 0), f.copysign(f.constant(a.type, 0), f.div(a, b)), near)
        return f.select(f.eq(b, 0), f.div(a, b), result)
    b = _safe_divisor(f, b)
    if _unsigned(dtype[0]):
        return f.binary("udiv", a, b)
    quotient, rest = f.binary("sdiv", a, b), f.binary("srem", a, b)
    lower = f.ne(rest, 0) & f.lt(rest ^ b, 0)
    return quotient - f.cast(lower, a.type.element)


def _of_other_sign(f, rest, b):
    """Whether a remainder with the sign of the dividend is not the one with the sign of b."""
    return f.ne(rest, 0) & f.ne(f.lt(rest, 0), f.lt(b, 0))


def _remainder(f, node, dtype, a, b):
    if a.type.kind == "f":
        from . import vector_math
        rest = vector_math.call(f, "fmod", a, b)
        return f.select(_of_other_sign(f, rest, b), rest + b, rest)     # 0 has the sign of a
    b = _safe_divisor(f, b)
    if _unsigned(dtype[0]):
        return f.binary("urem", a, b)
    rest = f.binary("srem", a, b)
    wrong = f.ne(rest, 0) & f.lt(rest ^ b, 0)
    return f.select(wrong, rest + b, rest)


def _trunc_divide(f, node, dtype, a, b):
    if a.type.kind == "f":
        return f.trunc(f.div(a, b))
    return f.binary("udiv" if _unsigned(dtype[0]) else "sdiv", a, _safe_divisor(f, b))


def _fmod(f, node, dtype, a, b):
    if a.type.kind == "f":
        from . import vector_math
        return vector_math.call(f, "fmod", a, b)
    return f.binary("urem" if _unsigned(dtype[0]) else "srem", a, _safe_divisor(f, b))


def _divide(f, node, dtype, a, b):
    if a.type.kind == "f":
        return f.div(a, b)
    return f.binary("udiv" if _unsigned(dtype[0]) else "sdiv", a, _safe_divisor(f, b))


def _negate(f, node, dtype, a):
    return f.neg(a)


_TABLE = {
    "add": _OR, "mul": _AND,
    "sub": lambda f, node, dtype, a, b: f.sub(a, b),
    "div": _divide, "neg": _negate, "abs": _abs, "sign": _sign,
    "sqrt": lambda f, node, dtype, a: f.sqrt(a),
    "rsqrt": _rsqrt, "reciprocal": _reciprocal,
    "floor": _integral("floor"), "ceil": _integral("ceil"), "trunc": _integral("trunc"),
    "round": _integral("rint"),
    "relu": _relu, "maximum": _extreme("maximum"), "minimum": _extreme("minimum"), "where": _where,
    "logical_not": _logical_not, "bitwise_not": lambda f, node, dtype, a: ~a,
    "isnan": _isnan, "isinf": _isinf, "signbit": _signbit, "copysign": _copysign,
    "bitwise_and": _bitwise("and"), "bitwise_or": _bitwise("or"), "bitwise_xor": _bitwise("xor"),
    "shift_left": _shift(True), "shift_right": _shift(False),
    "floor_divide": _floor_divide, "remainder": _remainder, "trunc_divide": _trunc_divide,
    "fmod": _fmod, "cast": _cast, "conj": _identity, "real": _identity,
    "detach": _identity, "variable": _identity, "boundary": _identity,
}
for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    _TABLE[_name] = _compare(_name)

_FLOAT_ONLY = frozenset(("sqrt", "rsqrt", "reciprocal", "copysign"))
_DIVISIONS = frozenset(("floor_divide", "remainder", "trunc_divide", "fmod", "div"))


def _mathematics():
    from . import vector_math
    return vector_math


def _is_nonzero_constant(node):
    while node.op in ("expand", "reshape", "cast"):
        node = node.inputs[0]
    return node.op == "constant" and node.attrs["value"] != 0


def is_native(node) -> bool:
    """Whether a pointwise node has native code for its types."""
    if unsupported_dtype(node.dtype) or any(unsupported_dtype(i.dtype) for i in node.inputs):
        return False
    op, dtype = node.op, node.inputs[0].dtype
    if op == "within":
        return True
    if op in _DIVISIONS:
        if dtype.category < 2:
            return dtype.category == 1 and _is_nonzero_constant(node.inputs[1])
        return op in ("div", "trunc_divide") or _has_function("fmod", dtype)
    if op in ("sub", "neg") and dtype.category == 0:
        return False
    if op in _TABLE:
        return dtype.category == 2 or op not in _FLOAT_ONLY
    return dtype.category == 2 and _has_function(op, dtype)


def _has_function(op, dtype):
    try:
        functions = _mathematics()
    except ImportError:
        return False
    return op in functions.names()


def emit_operation(f, node, values):
    """The value of a pointwise cell; `node` has op, dtype and operands with their dtype."""
    emit = _TABLE.get(node.op)
    operand_dtypes = [o.dtype for o in node.operands]
    if emit is not None:
        if node.op == "cast" and node.dtype is dtypes.bool_:
            emit = _bool_cast
        result = emit(f, node, operand_dtypes, *values)
    else:
        result = _mathematics().call(f, node.op, *values)
    return round_value(f, node.dtype, result)


# ---- constants as runtime integers --------------------------------------------------------------


def emit_constant_bits(f, dtype, slot):
    """A constant whose bits are in integer slot `slot` of the argument table."""
    type = register_type(dtype)
    bits = f.int_arg(slot)
    if type.kind == "f":
        wide = f.bitcast(bits, F64)
        return wide if type is F64 else f.cast(wide, F32)
    if type is BOOL:
        return f.ne(bits, 0)
    return f.cast(bits, type)
