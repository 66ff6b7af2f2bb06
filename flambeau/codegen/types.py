"""The value types of generated code, below the emitter: scalars, pointers and fixed-width vectors.

A :class:`Type` is interned, so types are compared with ``is``; its string form is LLVM's spelling.

>>> from flambeau.codegen.types import F32, vector
>>> vector(F32, 8)
<8 x float>
>>> vector(F32, 8) is vector(F32, 8)
True
"""

import math
import struct

__all__ = [
    "BOOL", "F16", "F32", "F64", "I16", "I32", "I64", "I8", "PTR", "Type", "VOID", "float_bits",
    "integer", "storage_type", "vector",
]


class Type:
    """A scalar (`lanes` == 0) or vector type; `kind` is f (float), i (integer), p or v (void)."""

    __slots__ = ("name", "kind", "bits", "lanes", "element", "mangled", "_vectors")

    def __init__(self, name, kind, bits, lanes=0, element=None):
        self.name, self.kind, self.bits, self.lanes = name, kind, bits, lanes
        self.element = element or self
        self.mangled = f"v{lanes}{element.mangled}" if lanes else f"{kind}{bits}"
        self._vectors = {}

    def __repr__(self):
        return self.name

    @property
    def size(self):
        """Bytes of one element as it lies in memory (a bool takes one)."""
        return (self.bits + 7) // 8

    @property
    def nbytes(self):
        """Bytes of the whole scalar or vector."""
        return self.size * (self.lanes or 1)

    def with_lanes(self, lanes):
        """The type with the same element and `lanes` lanes; 0 gives the scalar."""
        return vector(self.element, lanes)

    def with_element(self, element):
        """The type with the same lanes and another element."""
        return vector(element, self.lanes)

    def constant(self, number):
        """LLVM's text for `number` as a constant of this type (the same in every lane)."""
        if self.kind == "p":
            if number:
                raise ValueError(f"the only pointer constant is 0; received {number}")
            return "null"
        if self.lanes:
            if not number and math.copysign(1, number) > 0:
                return "zeroinitializer"
            item = f"{self.element.name} {self.element.constant(number)}"
            return "<" + ", ".join([item] * self.lanes) + ">"
        if self.kind == "i":
            if self.bits == 1:
                return "true" if number else "false"
            return str(int(number))
        return _float_text(self, number)


def _float_text(type, number):
    number = float(number)
    if type.bits == 16:
        return f"0xH{struct.unpack('<H', struct.pack('<e', number))[0]:04X}"
    if type.bits == 32:  # LLVM writes a float as the double of the same value
        try:
            number = struct.unpack("<f", struct.pack("<f", number))[0]
        except OverflowError:  # a finite double beyond float32 rounds to infinity
            number = math.copysign(math.inf, number)
    return f"0x{struct.unpack('<Q', struct.pack('<d', number))[0]:016X}"


VOID = Type("void", "v", 0)
BOOL = Type("i1", "i", 1)
I8 = Type("i8", "i", 8)
I16 = Type("i16", "i", 16)
I32 = Type("i32", "i", 32)
I64 = Type("i64", "i", 64)
F16 = Type("half", "f", 16)
F32 = Type("float", "f", 32)
F64 = Type("double", "f", 64)
PTR = Type("ptr", "p", 64)
PTR.mangled = "p0"


def vector(element, lanes):
    """The vector of `lanes` times `element`; 0 lanes give the scalar itself."""
    element = element.element
    if not lanes:
        return element
    found = element._vectors.get(lanes)
    if found is None:
        found = Type(f"<{lanes} x {element.name}>", element.kind, element.bits, lanes, element)
        element._vectors[lanes] = found
    return found


def float_bits(type):
    """The integer type that holds the bits of the float type `type`, lane for lane."""
    return vector({16: I16, 32: I32, 64: I64}[type.bits], type.lanes)


_INTEGERS = {1: BOOL, 8: I8, 16: I16, 32: I32, 64: I64}


def integer(bits):
    """The integer type of any number of bits, such as i128."""
    if bits not in _INTEGERS:
        _INTEGERS[bits] = Type(f"i{bits}", "i", bits)
    return _INTEGERS[bits]


_STORAGE = {"bool": I8, "uint8": I8, "int8": I8, "int16": I16, "uint16": I16, "int32": I32,
            "uint32": I32, "int64": I64, "uint64": I64, "float16": I16, "bfloat16": I16,
            "float32": F32, "float64": F64}


def storage_type(dtype_name):
    """The type in which one element of a dtype lies in memory.

    >>> storage_type("bfloat16")
    i16
    """
    return _STORAGE[dtype_name]
