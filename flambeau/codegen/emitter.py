"""A builder of LLVM IR text: every native kernel is written with it, `runtime._jit` compiles it.

It is text on purpose: emitting an instruction costs about a microsecond, a tenth of llvmlite.ir.
A :class:`Module` holds functions; a :class:`Function` appends instructions and hands back typed
:class:`Value` objects in SSA form; a Python number beside a value becomes a constant of its type,
splatted over the lanes. Loops and branches are context managers, in `_control.py`.

A complete kernel, y = a * x + y over [begin, end), eight lanes at a time with a masked tail:

    from flambeau.codegen.emitter import F32, F64, Module, vector

    module = Module("axpy")
    f = module.kernel("axpy")                  # axpy(ptr args, i64 begin, i64 end, ptr scratch)
    x, y = f.pointer_arg(0), f.pointer_arg(1)  # slots of the argument table
    a = f.splat(f.cast(f.load(F64, f.pointer_arg(2)), F32), 8)  # runtime scalars are f64 in memory
    V = vector(F32, 8)
    whole = f.begin + ((f.end - f.begin) & -8)
    with f.loop(f.begin, whole, 8) as loop:
        f.store(f.fma(a, f.load(V, x, loop.index), f.load(V, y, loop.index)), y, loop.index)
    mask = f.tail_mask(f.end - whole, 8)
    x_tail, y_tail = (f.load_masked(V, p, mask, whole) for p in (x, y))
    f.store_masked(f.fma(a, x_tail, y_tail), y, mask, whole)
    text = module.text()

Values carried around a loop are given at its head and handed on at its end:

    with f.loop(0, n, 8, carried=[f.constant(V, 0.0)]) as loop:
        loop.next(loop.carried[0] + f.load(V, x, loop.index))
    total = f.reduce_add(loop.results[0])

Float arithmetic carries the fast-math flags of `Function.flags` ("contract": the code generator may
fuse a product and a sum); `with f.fast_math("reassoc contract"):` changes them for a reduction,
`with f.fast_math(""):` for arithmetic that must round after every step.
"""

from contextlib import contextmanager

from flambeau.codegen._control import Branch, Loop, While
from flambeau.codegen._operations import Operations
from flambeau.codegen.types import (
    BOOL,
    F16,
    F32,
    F64,
    I8,
    I16,
    I32,
    I64,
    PTR,
    VOID,
    Type,
    float_bits,
    storage_type,
    vector,
)

__all__ = [
    "BOOL", "F16", "F32", "F64", "Function", "I16", "I32", "I64", "I8", "Module", "PTR", "Type",
    "VOID", "Value", "float_bits", "storage_type", "vector",
]


class Value:
    """An SSA value: its text as an operand, its type, and the function it was emitted in.

    `+ - * / % & | ^ << >> < <= > >=` and unary `-` emit instructions (signed for integers; `/` on
    integers truncates). Equality is `f.eq(a, b)`: Python's `==` keeps comparing identity.
    """

    __slots__ = ("f", "text", "type", "scope")

    def __init__(self, f, text, type, scope=None):
        self.f, self.text, self.type, self.scope = f, text, type, scope

    def __repr__(self):
        return f"{self.type} {self.text}"

    def __add__(self, other):
        return self.f.add(self, other)

    def __radd__(self, other):
        return self.f.add(self.f.like(self, other), self)

    def __sub__(self, other):
        return self.f.sub(self, other)

    def __rsub__(self, other):
        return self.f.sub(self.f.like(self, other), self)

    def __mul__(self, other):
        return self.f.mul(self, other)

    def __rmul__(self, other):
        return self.f.mul(self.f.like(self, other), self)

    def __truediv__(self, other):
        return self.f.div(self, other)

    def __rtruediv__(self, other):
        return self.f.div(self.f.like(self, other), self)

    def __mod__(self, other):
        return self.f.rem(self, other)

    def __and__(self, other):
        return self.f.binary("and", self, other)

    def __or__(self, other):
        return self.f.binary("or", self, other)

    def __xor__(self, other):
        return self.f.binary("xor", self, other)

    def __lshift__(self, other):
        return self.f.binary("shl", self, other)

    def __rshift__(self, other):
        return self.f.binary("ashr", self, other)

    def __invert__(self):
        return self.f.binary("xor", self, -1 if self.type.bits > 1 else 1)

    def __neg__(self):
        return self.f.neg(self)

    def __lt__(self, other):
        return self.f.lt(self, other)

    def __le__(self, other):
        return self.f.le(self, other)

    def __gt__(self, other):
        return self.f.gt(self, other)

    def __ge__(self, other):
        return self.f.ge(self, other)


class Module:
    """The IR of one kernel: its functions, and what they declare on demand.

    `pipeline` is how much LLVM optimizes it: "standard", or "light" for code that is written out
    as it should be (see `runtime._jit`).
    """

    def __init__(self, name="module", pipeline="standard"):
        if pipeline not in ("standard", "light"):
            raise ValueError(f'pipeline must be "standard" or "light"; received {pipeline!r}')
        self.name, self.pipeline = name, pipeline
        self.functions = {}
        self.globals = {}
        self._declarations = {}
        self._metadata = []

    def function(self, name, return_type=VOID, parameters=(), attributes="nounwind",
                 linkage=""):
        """A new function definition; `parameters` is a list of types or (type, attributes)."""
        if name in self.functions:
            raise ValueError(f"function {name!r} is already defined in this module")
        f = Function(self, name, return_type, parameters, attributes, linkage)
        self.functions[name] = f
        return f

    def kernel(self, name, attributes="nounwind"):
        """A new kernel, `void name(ptr args, i64 begin, i64 end, ptr scratch)`.

        `f.args`, `f.begin`, `f.end` and `f.scratch` are its parameters; `f.pointer_arg(i)` and
        `f.int_arg(i)` load slots of the argument table.
        """
        f = self.function(name, VOID, [(PTR, "nocapture readonly"), I64, I64,
                                       (PTR, "nocapture")], attributes)
        f.args, f.begin, f.end, f.scratch = f.parameters
        return f

    def declare(self, name, return_type, parameter_types, attributes=""):
        """Declares an external function or intrinsic once."""
        if name not in self._declarations and name not in self.functions:
            types = ", ".join(map(str, parameter_types))
            self._declarations[name] = f"declare {return_type} @{name}({types}) {attributes}"

    def define_once(self, name, build):
        """The name, after `build(self)` has defined it in this module if it was not there."""
        if name not in self.functions:
            build(self)
        return name

    def constant_array(self, name, element, numbers):
        """Defines a read-only table once; its address is `f.address(name)`."""
        if name not in self.globals:
            items = ", ".join(f"{element} {element.constant(number)}" for number in numbers)
            self.globals[name] = (f"@{name} = internal unnamed_addr constant "
                                  f"[{len(numbers)} x {element}] [{items}], align 64")
        return name

    def global_variable(self, name, type, count=1, align=64):
        """Defines a zeroed writable variable of `count` elements once."""
        if name not in self.globals:
            self.globals[name] = (f"@{name} = internal global [{count} x {type}] "
                                  f"zeroinitializer, align {align}")
        return name

    def metadata(self, text=None):
        """The number of a new metadata node; its text may be set later in `set_metadata`."""
        self._metadata.append(text)
        return len(self._metadata) - 1

    def metadata_once(self, text):
        """The number of the metadata node with this text."""
        if text not in self._metadata:
            self._metadata.append(text)
        return self._metadata.index(text)

    def set_metadata(self, number, text):
        """Gives a metadata node its text."""
        self._metadata[number] = text

    def text(self):
        """The whole module as LLVM IR."""
        parts = [f"; {self.name}\n; pipeline: {self.pipeline}"]
        parts.extend(self.globals.values())
        parts.extend(f.text() for f in self.functions.values())
        declared = [text for name, text in self._declarations.items()
                    if name not in self.functions]
        parts.extend(declared)
        parts.extend(f"!{i} = {text}" for i, text in enumerate(self._metadata))
        return "\n".join(parts) + "\n"


class Function(Operations):
    """One function under construction: the instructions of `Operations` go to its end."""

    def __init__(self, module, name, return_type, parameters, attributes, linkage):
        self.module, self.name, self.return_type = module, name, return_type
        self.flags = "contract"
        self._attributes, self._linkage = attributes, linkage
        self._count = 0
        self._lines = []
        self._entry = []
        self.block = "entry"
        self._declared_parameters = []
        self.parameters = []
        for i, parameter in enumerate(parameters):
            type, extra = parameter if isinstance(parameter, tuple) else (parameter, "")
            self._declared_parameters.append(f"{type} {extra} %p{i}" if extra else f"{type} %p{i}")
            self.parameters.append(Value(self, f"%p{i}", type))
        self._scopes = []
        self._slots = {}
        self._terminated = False

    # ---- text ----------------------------------------------------------------------------------

    def emit(self, line):
        """Appends an instruction that has no result."""
        self._lines.append(line)

    def value(self, text, type, scope=None):
        """Appends the instruction `text` under a fresh name and returns its value."""
        self._count = n = self._count + 1
        self._lines.append(f"%v{n} = {text}")
        return Value(self, f"%v{n}", type, scope)

    def label(self, hint="b"):
        """A fresh block name."""
        self._count += 1
        return f"{hint}{self._count}"

    def start_block(self, label):
        """Starts the block `label`; the block before must have been ended by a branch."""
        self._lines.append(f"{label}:")
        self.block = label

    def text(self):
        """The definition as LLVM IR."""
        if not self._terminated:
            if self.return_type is not VOID:
                raise ValueError(f"function {self.name!r} does not end with f.ret(value)")
            self.ret()
        for scope in self._scopes:
            scope.close(self._scopes)
        linkage = f"{self._linkage} " if self._linkage else ""
        body = "\n".join(self._lines)
        entry = "\n".join(self._entry) + "\n" if self._entry else ""
        return (f"define {linkage}{self.return_type} @{self.name}"
                f"({', '.join(self._declared_parameters)}) {self._attributes} {{\n"
                f"entry:\n{entry}{body}\n}}")

    # ---- constants and parameters --------------------------------------------------------------

    def constant(self, type, number):
        """`number` as a value of `type`, the same in every lane."""
        return Value(self, type.constant(number), type)

    def operand(self, text, type):
        """A value whose text, such as a constant vector, is already known."""
        return Value(self, text, type)

    def i64(self, number):
        """An i64 constant; a Value passes through."""
        return number if isinstance(number, Value) else Value(self, str(int(number)), I64)

    def like(self, value, other):
        """`other` in the type of `value`: a number becomes a constant, a scalar a splat."""
        if not isinstance(other, Value):
            return Value(self, value.type.constant(other), value.type)
        if value.type.lanes and not other.type.lanes and value.type.element is other.type:
            return self.splat(other, value.type.lanes)
        return other

    def poison(self, type):
        """An undefined value, for lanes that are overwritten."""
        return Value(self, "poison", type)

    def address(self, name):
        """The address of a global of this module."""
        return Value(self, f"@{name}", PTR)

    def pointer_arg(self, slot, unique=False):
        """The pointer in `slot` of the argument table.

        With `unique`, what is reached through it is promised to be reached through no other
        pointer argument that is unique too (LLVM's noalias scopes), so that loads may be hoisted.
        """
        key = ("p", slot, unique)
        if key not in self._slots:
            pointer = self._load_slot(PTR, slot)
            if unique:
                pointer.scope = _Scope(self.module, self.name, slot)
                self._scopes.append(pointer.scope)
            self._slots[key] = pointer
        return self._slots[key]

    def int_arg(self, slot):
        """The i64 in `slot` of the argument table."""
        key = ("i", slot)
        if key not in self._slots:
            self._slots[key] = self._load_slot(I64, slot)
        return self._slots[key]

    def _load_slot(self, type, slot):
        # in the entry block, so that the value may be used wherever it is asked for first
        self._count = n = self._count + 1
        args = self.parameters[0].text
        self._entry.append(f"%a{n} = getelementptr inbounds i64, ptr {args}, i64 {slot}")
        self._entry.append(f"%v{n} = load {type}, ptr %a{n}, align 8")
        return Value(self, f"%v{n}", type)

    def alloca(self, type, count=1, align=64):
        """Stack memory for `count` elements, reserved once on entry."""
        self._count = n = self._count + 1
        self._entry.append(f"%v{n} = alloca {type}, i64 {count}, align {align}")
        return Value(self, f"%v{n}", PTR)

    @contextmanager
    def fast_math(self, flags):
        """Float instructions inside carry `flags`, such as "reassoc contract" or ""."""
        before, self.flags = self.flags, flags
        try:
            yield self
        finally:
            self.flags = before

    # ---- control flow --------------------------------------------------------------------------

    def loop(self, begin, end, step=1, carried=(), at_least_once=False):
        """A counted loop: `with f.loop(0, n, 8, carried=[acc]) as loop`.

        Inside, `loop.index` (i64) runs from `begin` while it is below `end`; `loop.carried` holds
        the values of this turn and `loop.next(...)` gives those of the next. After the loop,
        `loop.results` holds the last ones. `at_least_once` promises begin < end and saves the
        test before the loop. It is not unrolled: emit the body several times where that pays.
        """
        return Loop(self, begin, end, step, carried, at_least_once)

    def while_loop(self, carried=()):
        """A loop left by hand: `with f.while_loop([x]) as loop`, then `loop.leave_if(condition)`.

        `loop.carried` and `loop.next(...)` are those of `loop`; `loop.leave_if(c, values)` ends it
        with `values` (by default the carried ones) as `loop.results`; at least one is needed.
        """
        return While(self, carried)

    def if_(self, condition):
        """A branch: `with f.if_(c) as branch: ...` and optionally `with branch.otherwise(): ...`.

        `branch.give(values...)` in both sides makes them `branch.results` after it.
        """
        return Branch(self, condition)

    def ret(self, value=None):
        """Returns from the function; nothing may be emitted after it."""
        self.emit("ret void" if value is None else f"ret {value.type} {value.text}")
        self._terminated = True

    def call(self, name, return_type, arguments, attributes=""):
        """Calls a function of this module, or an external one, which is declared on demand."""
        self.module.declare(name, return_type, [a.type for a in arguments], attributes)
        text = f"call {return_type} @{name}({', '.join(map(repr, arguments))})"
        if return_type is VOID:
            return self.emit(text)
        return self.value(text, return_type)

    def call_pointer(self, pointer, return_type, arguments):
        """Calls the function at the address `pointer`."""
        text = f"call {return_type} {pointer.text}({', '.join(map(repr, arguments))})"
        if return_type is VOID:
            return self.emit(text)
        return self.value(text, return_type)

    def intrinsic(self, name, return_type, arguments, overloads=None):
        """Calls `llvm.<name>`, mangled with `overloads` (by default the type of the result)."""
        types = [return_type] if overloads is None else overloads
        suffix = "".join("." + t.mangled for t in types)
        return self.call(f"llvm.{name}{suffix}", return_type, arguments)


class _Scope:
    """An alias scope of one unique pointer; loads through the pointer belong to it."""

    def __init__(self, module, function, slot):
        self.module = module
        domain = module.metadata(f'distinct !{{!"{function}"}}')
        self.scope = module.metadata(f'distinct !{{!"{function}.{slot}", !{domain}}}')
        self.own = module.metadata(f"!{{!{self.scope}}}")
        self.others = module.metadata("!{}")
        self.text = f", !alias.scope !{self.own}, !noalias !{self.others}"

    def close(self, scopes):
        others = ", ".join(f"!{s.scope}" for s in scopes if s is not self)
        self.module.set_metadata(self.others, f"!{{{others}}}")
