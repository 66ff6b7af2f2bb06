"""The instructions of the emitter: arithmetic, comparisons, memory, vectors and conversions."""

from flambeau.codegen.types import BOOL, F16, F32, I8, I16, I32, I64, PTR, VOID, float_bits, vector
from flambeau.runtime import _cpu

__all__ = ["Operations"]

_FLOAT_COMPARE = {"lt": "olt", "le": "ole", "gt": "ogt", "ge": "oge", "eq": "oeq", "ne": "une"}
_INT_COMPARE = {"lt": "slt", "le": "sle", "gt": "sgt", "ge": "sge", "eq": "eq", "ne": "ne"}


class Operations:
    """Mixed into `Function`, which supplies `value`, `emit`, `like`, `call` and `intrinsic`."""

    # ---- arithmetic ----------------------------------------------------------------------------

    def binary(self, opcode, a, b):
        """`opcode a, b` of LLVM, for instance "udiv" or "lshr"."""
        b = self.like(a, b)
        if b.type is not a.type:
            a = self.like(b, a)
            if b.type is not a.type:
                raise TypeError(f"{opcode} takes two values of one type; "
                                f"received {a.type} and {b.type}")
        return self.value(f"{opcode} {a.type} {a.text}, {b.text}", a.type)

    def _arithmetic(self, name, a, b):
        if a.type.kind == "f":
            return self.binary(f"f{name} {self.flags}" if self.flags else f"f{name}", a, b)
        return self.binary(name, a, b)

    def add(self, a, b):
        """a + b."""
        return self._arithmetic("add", a, b)

    def sub(self, a, b):
        """a - b."""
        return self._arithmetic("sub", a, b)

    def mul(self, a, b):
        """a * b."""
        return self._arithmetic("mul", a, b)

    def div(self, a, b):
        """a / b; integers signed, truncating."""
        return self._arithmetic("div" if a.type.kind == "f" else "sdiv", a, b)

    def rem(self, a, b):
        """The remainder with the sign of a (integers; floats through `vector_math`)."""
        if a.type.kind == "f":
            raise TypeError("rem takes integers; use vector_math's fmod for floats")
        return self.binary("srem", a, b)

    def fma(self, a, b, c):
        """a * b + c, in one instruction and rounded once where the CPU has it (`_cpu.has_fma`)."""
        try:
            alike = a.type is b.type and b.type is c.type
        except AttributeError:  # a Python number among them
            alike = False
        if not alike:
            values = [v for v in (a, b, c) if not isinstance(v, (int, float))]
            lead = next((v for v in values if v.type.lanes), values[0])
            a, b, c = (self.like(lead, v) for v in (a, b, c))
        type = a.type
        name = f"llvm.{'fma' if _cpu.has_fma() else 'fmuladd'}.{type.mangled}"
        self.module.declare(name, type, (type, type, type))
        # spelt out, since most instructions of most kernels are made here
        return self.value(f"call {type.name} @{name}({type.name} {a.text}, {type.name} {b.text}, "
                          f"{type.name} {c.text})", type)

    def neg(self, a):
        """-a."""
        if a.type.kind == "f":
            return self.value(f"fneg {a.type} {a.text}", a.type)
        return self.binary("sub", self.constant(a.type, 0), a)

    def _unary(self, name, a):
        return self.intrinsic(name, a.type, [a])

    def abs(self, a):
        """|a|."""
        if a.type.kind == "f":
            return self._unary("fabs", a)
        return self.select(self.lt(a, 0), self.neg(a), a)

    def sqrt(self, a):
        """The square root of a float."""
        return self._unary("sqrt", a)

    def floor(self, a):
        """The largest integral float that is not above a."""
        return self._unary("floor", a)

    def ceil(self, a):
        """The smallest integral float that is not below a."""
        return self._unary("ceil", a)

    def trunc(self, a):
        """a without its fraction."""
        return self._unary("trunc", a)

    def rint(self, a):
        """a rounded to the nearest integral float, ties to even."""
        return self._unary("rint", a)

    def copysign(self, a, sign):
        """|a| with the sign of `sign`."""
        return self.intrinsic("copysign", a.type, [a, self.like(a, sign)])

    def fmax(self, a, b):
        """The larger of two floats in one instruction; `b` if either is NaN.

        So `f.fmax(f.constant(V, 0.0), x)` is a ReLU that keeps NaN.
        """
        a, b = self._pair(a, b)
        return self.select(self.gt(a, b), a, b)

    def fmin(self, a, b):
        """The smaller of two floats in one instruction; `b` if either is NaN."""
        a, b = self._pair(a, b)
        return self.select(self.lt(a, b), a, b)

    def maximum(self, a, b):
        """The larger value; NaN if either is NaN, as torch.maximum."""
        a, b = self._pair(a, b)
        if a.type.kind == "i":
            return self.select(self.gt(a, b), a, b)
        return self.select(self.compare("uno", a, a), a, self.fmax(a, b))

    def minimum(self, a, b):
        """The smaller value; NaN if either is NaN, as torch.minimum."""
        a, b = self._pair(a, b)
        if a.type.kind == "i":
            return self.select(self.lt(a, b), a, b)
        return self.select(self.compare("uno", a, a), a, self.fmin(a, b))

    def _pair(self, a, b):
        if isinstance(a, (int, float)):
            return self.like(b, a), b
        b = self.like(a, b)
        return self.like(b, a), b

    # ---- comparison and choice -----------------------------------------------------------------

    def compare(self, predicate, a, b):
        """`icmp` or `fcmp` with LLVM's predicate: "ult", "uno" ...; gives i1 in every lane."""
        a, b = self._pair(a, b)
        opcode = "fcmp" if a.type.kind == "f" else "icmp"
        return self.value(f"{opcode} {predicate} {a.type} {a.text}, {b.text}",
                          vector(BOOL, a.type.lanes))

    def _ordered(self, name, a, b):
        kind = (b if isinstance(a, (int, float)) else a).type.kind
        return self.compare((_FLOAT_COMPARE if kind == "f" else _INT_COMPARE)[name], a, b)

    def lt(self, a, b):
        """a < b; false if either is NaN."""
        return self._ordered("lt", a, b)

    def le(self, a, b):
        """a <= b; false if either is NaN."""
        return self._ordered("le", a, b)

    def gt(self, a, b):
        """a > b; false if either is NaN."""
        return self._ordered("gt", a, b)

    def ge(self, a, b):
        """a >= b; false if either is NaN."""
        return self._ordered("ge", a, b)

    def eq(self, a, b):
        """a == b; false if either is NaN."""
        return self._ordered("eq", a, b)

    def ne(self, a, b):
        """a != b; true if either is NaN."""
        return self._ordered("ne", a, b)

    def isnan(self, a):
        """Whether the float a is NaN."""
        return self.compare("uno", a, a)

    def select(self, condition, a, b):
        """a where the condition holds, else b; numbers take the type of the other side."""
        a, b = self._pair(a, b)
        if a.type is not b.type:
            raise TypeError(f"select takes two values of one type; received {a.type}, {b.type}")
        return self.value(f"select {condition.type} {condition.text}, {a.type} {a.text}, "
                          f"{b.type} {b.text}", a.type)

    def min_int(self, a, b):
        """The smaller of two i64, either of which may be a Python int."""
        a, b = self.i64(a), self.i64(b)
        return self.select(self.lt(a, b), a, b)

    # ---- memory --------------------------------------------------------------------------------

    def at(self, pointer, index, element=F32):
        """The address of element `index` (an i64) of an array of `element` at `pointer`."""
        if isinstance(index, int) and not index:
            return pointer
        index = self.i64(index)
        return self.value(f"getelementptr inbounds {element.element}, ptr {pointer.text}, "
                          f"i64 {index.text}", PTR, pointer.scope)

    def byte_offset(self, pointer, offset):
        """The address `offset` bytes behind `pointer`."""
        return self.at(pointer, offset, I8)

    def load(self, type, pointer, index=0, align=None):
        """A scalar or vector from element `index` of the array at `pointer`.

        `align` is in bytes; by default that of one element.
        """
        p = self.at(pointer, index, type)
        return self.value(f"load {type}, ptr {p.text}, align {align or type.size}"
                          f"{p.scope.text if p.scope else ''}", type)

    def store(self, value, pointer, index=0, align=None, nontemporal=False):
        """Writes a scalar or vector to element `index` of the array at `pointer`."""
        p = self.at(pointer, index, value.type)
        hint = f", !nontemporal !{self.module.metadata_once('!{i32 1}')}" if nontemporal else ""
        self.emit(f"store {value.type} {value.text}, ptr {p.text}, "
                  f"align {align or value.type.size}{p.scope.text if p.scope else ''}{hint}")

    def load_masked(self, type, pointer, mask, index=0, other=None, align=None):
        """A vector whose lanes outside `mask` are not read and become `other` (0)."""
        p = self.at(pointer, index, type)
        other = self.constant(type, 0) if other is None else self.like(self.poison(type), other)
        return self.call(f"llvm.masked.load.{type.mangled}.p0", type,
                         [p, self.constant(I32, align or type.size), mask, other])

    def store_masked(self, value, pointer, mask, index=0, align=None):
        """Writes the lanes of a vector inside `mask`."""
        p = self.at(pointer, index, value.type)
        self.call(f"llvm.masked.store.{value.type.mangled}.p0", VOID,
                  [value, p, self.constant(I32, align or value.type.size), mask])

    def gather(self, type, pointer, indices, mask=None):
        """One element from each of the lanes' `indices` (i32 or i64) of the array at `pointer`."""
        addresses, mask = self._addresses(type, pointer, indices, mask)
        return self.call(f"llvm.masked.gather.{type.mangled}.v{type.lanes}p0", type,
                         [addresses, self.constant(I32, type.size), mask, self.constant(type, 0)])

    def scatter(self, value, pointer, indices, mask=None):
        """Writes each lane to its index of the array at `pointer`; equal indices: the last wins."""
        type = value.type
        addresses, mask = self._addresses(type, pointer, indices, mask)
        self.call(f"llvm.masked.scatter.{type.mangled}.v{type.lanes}p0", VOID,
                  [value, addresses, self.constant(I32, type.size), mask])

    def _addresses(self, type, pointer, indices, mask):
        addresses = self.value(f"getelementptr {type.element}, ptr {pointer.text}, "
                               f"{indices!r}", vector(PTR, type.lanes))
        if mask is None:
            mask = self.constant(vector(BOOL, type.lanes), 1)
        return addresses, mask

    def fill_bytes(self, pointer, byte, count):
        """memset: `count` bytes (an i64) at `pointer` become `byte`."""
        arguments = [pointer, self.constant(I8, byte), self.i64(count), self.constant(BOOL, 0)]
        self.intrinsic("memset", VOID, arguments, [PTR, I64])

    def copy_bytes(self, destination, source, count):
        """memcpy of `count` bytes between places that do not overlap."""
        arguments = [destination, source, self.i64(count), self.constant(BOOL, 0)]
        self.intrinsic("memcpy", VOID, arguments, [PTR, PTR, I64])

    def prefetch(self, pointer, index=0, element=F32, write=False, locality=3):
        """Asks for the cache line of element `index`; locality 3 keeps it in every cache."""
        p = self.at(pointer, index, element)
        arguments = [p] + [self.constant(I32, n) for n in (int(write), locality, 1)]
        self.intrinsic("prefetch", VOID, arguments, [PTR])

    # ---- vectors -------------------------------------------------------------------------------

    def splat(self, scalar, lanes):
        """A vector with `scalar` in every lane; 0 lanes give the scalar back."""
        if not lanes:
            return scalar
        type = vector(scalar.type, lanes)
        first = self.value(f"insertelement {type} poison, {scalar!r}, i32 0", type)
        return self.value(f"shufflevector {type} {first.text}, {type} poison, "
                          f"<{lanes} x i32> zeroinitializer", type)

    def extract(self, value, lane):
        """One lane, given by a Python int or an i32/i64 value."""
        where = f"i32 {lane}" if isinstance(lane, int) else repr(lane)
        return self.value(f"extractelement {value!r}, {where}", value.type.element)

    def insert(self, value, scalar, lane):
        """The vector with one lane replaced."""
        where = f"i32 {lane}" if isinstance(lane, int) else repr(lane)
        return self.value(f"insertelement {value!r}, {scalar!r}, {where}", value.type)

    def shuffle(self, a, lanes, b=None):
        """The lanes, by number, of `a` followed by `b`; None leaves a lane undefined."""
        other = f"{a.type} poison" if b is None else repr(b)
        picks = ", ".join("i32 poison" if n is None else f"i32 {n}" for n in lanes)
        return self.value(f"shufflevector {a!r}, {other}, <{len(lanes)} x i32> <{picks}>",
                          vector(a.type, len(lanes)))

    def concatenate(self, a, b):
        """The lanes of a followed by those of b."""
        return self.shuffle(a, range(2 * a.type.lanes), b)

    def iota(self, type, start=0):
        """The vector start, start + 1, start + 2, ... of a vector type."""
        items = ", ".join(f"{type.element} {type.element.constant(start + i)}"
                          for i in range(type.lanes))
        return self.operand(f"<{items}>", type)

    def tail_mask(self, count, lanes):
        """The i1 vector whose first `count` (an i64, may exceed `lanes`) lanes are set."""
        limit = self.select(self.lt(count, lanes), count, lanes)
        wide = vector(I32 if lanes <= 16 else I64, lanes)
        number = self.cast(limit, wide.element)
        return self.lt(self.iota(wide), self.splat(number, lanes))

    def reduce_add(self, value):
        """The sum of the lanes, in a fixed tree order: the same for every run."""
        return self._fold(value, self.add)

    def reduce_mul(self, value):
        """The product of the lanes, in a fixed tree order."""
        return self._fold(value, self.mul)

    def reduce_max(self, value):
        """The largest lane; NaN if any is NaN."""
        return self._fold(value, self.maximum)

    def reduce_min(self, value):
        """The smallest lane; NaN if any is NaN."""
        return self._fold(value, self.minimum)

    def reduce_or(self, value):
        """The bitwise or of the lanes."""
        return self._fold(value, lambda a, b: a | b)

    def any(self, mask):
        """Whether any lane of an i1 vector is set."""
        if not mask.type.lanes:
            return mask
        return self.intrinsic("vector.reduce.or", BOOL, [mask], [mask.type])

    def all(self, mask):
        """Whether every lane of an i1 vector is set."""
        if not mask.type.lanes:
            return mask
        return self.intrinsic("vector.reduce.and", BOOL, [mask], [mask.type])

    def _fold(self, value, combine):
        lanes = value.type.lanes
        while lanes > 1:
            half = lanes // 2
            if lanes % 2:
                raise ValueError(f"reductions take a power of two lanes; received {value.type}")
            value = combine(self.shuffle(value, range(half)),
                            self.shuffle(value, range(half, lanes)))
            lanes = half
        return self.extract(value, 0) if value.type.lanes else value

    # ---- conversions ---------------------------------------------------------------------------

    def bitcast(self, value, type):
        """The same bits as another type."""
        if value.type is type:
            return value
        return self.value(f"bitcast {value!r} to {type}", type)

    def cast(self, value, type, signed=True):
        """Converts between numbers; `type` may be scalar, its lanes follow the value.

        Floats to integers truncate and saturate (NaN gives 0); i1 converts to 0 and 1, and
        anything to i1 as != 0; `signed` says how integers are read.
        """
        source = value.type
        type = vector(type, source.lanes)
        if source is type:
            return value
        if type.bits == 1:
            return self.ne(value, 0)
        signed = signed and source.bits > 1
        if source.kind == "f" and type.kind == "f":
            opcode = "fpext" if type.bits > source.bits else "fptrunc"
        elif source.kind == "f":
            return self.intrinsic("fptosi.sat" if signed else "fptoui.sat", type, [value],
                                  [type, source])
        elif type.kind == "f":
            opcode = "sitofp" if signed else "uitofp"
        elif type.bits < source.bits:
            opcode = "trunc"
        else:
            opcode = "sext" if signed else "zext"
        return self.value(f"{opcode} {value!r} to {type}", type)

    def bf16_to_f32(self, bits):
        """The float32 of a bfloat16 held as i16."""
        wide = self.cast(bits, I32, signed=False) << 16
        return self.bitcast(wide, bits.type.with_element(F32))

    def f32_to_bf16(self, value):
        """The bfloat16 (as i16) nearest to a float32, ties to even; NaN stays NaN."""
        bits = self.bitcast(value, float_bits(value.type))
        odd = self.binary("lshr", bits, 16) & 1
        rounded = self.binary("lshr", bits + odd + 0x7FFF, 16)
        kept = self.select(self.isnan(value), self.constant(bits.type, 0x7FC0), rounded)
        return self.cast(kept, I16)

    def f16_to_f32(self, bits):
        """The float32 of a float16 held as i16."""
        if _cpu.has_half_conversion():
            return self.cast(self.bitcast(bits, bits.type.with_element(F16)), F32)
        wide = self.cast(bits, I32, signed=False)
        magnitude = (wide & 0x7FFF) << 13
        # scaling by 2^112 moves the exponent and turns subnormals into normals, exactly
        scaled = self.bitcast(magnitude, wide.type.with_element(F32)) * 2.0 ** 112
        special = self.bitcast(magnitude | 0x7F800000, scaled.type)
        value = self.select(self.ge(wide & 0x7FFF, 0x7C00), special, scaled)
        sign = (wide & 0x8000) << 16
        return self.bitcast(self.bitcast(value, wide.type) | sign, value.type)

    def f32_to_f16(self, value):
        """The float16 (as i16) nearest to a float32, ties to even; too large gives inf."""
        if _cpu.has_half_conversion():
            half = self.cast(value, F16)
            return self.bitcast(half, value.type.with_element(I16))
        bits = self.bitcast(value, float_bits(value.type))
        sign = self.binary("lshr", bits, 16) & 0x8000
        magnitude = bits & 0x7FFFFFFF
        odd = self.binary("lshr", magnitude, 13) & 1
        normal = self.binary("lshr", magnitude + odd + (0xFFF - (112 << 23)), 13)
        # adding 0.5 leaves a subnormal half in the low bits, rounded by the addition itself
        with self.fast_math(""):
            shifted = self.bitcast(magnitude, value.type) + 0.5
        subnormal = self.bitcast(shifted, bits.type) - 0x3F000000
        result = self.select(self.lt(magnitude, 113 << 23), subnormal, normal)
        result = self.select(self.ge(magnitude, 0x477FF000), 0x7C00, result)
        result = self.select(self.gt(magnitude, 0x7F800000), 0x7E00, result)
        return self.cast(result | sign, I16)

    def load_as_f32(self, dtype_name, pointer, lanes, index=0, mask=None):
        """`lanes` elements of a float dtype ("float32", "bfloat16", "float16") as float32."""
        type = vector(F32 if dtype_name == "float32" else I16, lanes)
        value = (self.load(type, pointer, index) if mask is None else
                 self.load_masked(type, pointer, mask, index))
        return {"float32": lambda v: v, "bfloat16": self.bf16_to_f32,
                "float16": self.f16_to_f32}[dtype_name](value)

    def store_from_f32(self, dtype_name, value, pointer, index=0, mask=None):
        """Writes float32 lanes as a float dtype ("float32", "bfloat16", "float16")."""
        value = {"float32": lambda v: v, "bfloat16": self.f32_to_bf16,
                 "float16": self.f32_to_f16}[dtype_name](value)
        if mask is None:
            return self.store(value, pointer, index)
        return self.store_masked(value, pointer, mask, index)

