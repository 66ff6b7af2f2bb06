"""Declaring operations: one function gives the torch function, methods, in-place and out= forms.

    @operation(inplace=True)
    def add(input: Tensor, other: Tensor | Number, *, alpha: Number = 1):
        ...

The body receives graph nodes and runs once per new program. Annotations say what each parameter
is: ``Tensor``, ``Tensor | None``, ``Tensor | Number``, ``Number`` (numbers are inputs of the
program: changing them compiles nothing), ``Tensors`` (a sequence), ``Ints`` (a tuple that methods
also take as separate arguments); everything else is static and part of the program's identity.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from ..dtypes import as_dtype
from ..dtypes import dtype as DType
from ..graph.ir import Node, p
from ..record.trace import Operation, reads_numpy, record, run_if_volatile
from ._arguments import check_arguments, refuse_operands

__all__ = ["DECLARED", "Declaration", "Parameter", "apply_operation", "operation", "write_out"]

DECLARED: dict[str, Declaration] = {}
_OPERANDS = ("Tensor", "Tensor | None", "Tensor | Number", "Tensor | Number | None", "Number",
             "Number | None")


class Parameter(NamedTuple):
    """One parameter of a body. (``inspect.signature`` would double the time of the import.)"""

    name: str
    annotation: str
    default: Any
    keyword_only: bool


REQUIRED = object()          # the default of parameters that have none


def _parameters(body: Callable) -> list[Parameter]:
    code, kinds = body.__code__, body.__annotations__
    names = code.co_varnames[:code.co_argcount + code.co_kwonlyargcount]
    values = body.__defaults__ or ()
    defaults = dict(zip(names[code.co_argcount - len(values):code.co_argcount], values))
    defaults.update(body.__kwdefaults__ or {})
    return [Parameter(name, kinds[name], defaults.get(name, REQUIRED), i >= code.co_argcount)
            for i, name in enumerate(names)]


class Declaration:
    """One declared operation and how it is exposed."""

    def __init__(self, body: Callable, name: str, method: bool, inplace: bool, out: bool,
                 view: bool | str, namespace: str, aliases: tuple[str, ...], samples: Any):
        self.body = body
        self.name = name
        self.method = method
        self.inplace = inplace
        self.out = out
        self.view = view
        self.namespace = namespace          # "" for torch, or "nn.functional", "linalg", …
        self.aliases = aliases
        self.samples = samples
        self.at_once: Any = None            # set by _at_once.py: a way around recording
        self.parameters = _parameters(body)
        self.operation = Operation(name, self.build, partial(refuse_operands, self),
                                   view if name != "data" else False)
        self.function = _make_function(self)

    def build(self, arguments, static):
        """Call the body with nodes and static arguments in the declared order."""
        check_arguments(self, arguments, static)
        arguments, static = iter(arguments), iter(static)
        given: list[Any] = []
        keywords: dict[str, Any] = {}
        for parameter in self.parameters:
            kind = parameter.annotation
            if kind == "Tensors":
                value = [next(arguments) for _ in range(next(static))]
            elif kind in _OPERANDS:
                value = next(arguments)
                if value is None and kind == "Number":
                    value = parameter.default
            else:
                value = next(static)
            if parameter.keyword_only:
                keywords[parameter.name] = value
            else:
                given.append(value)
        return _renamed(self.body(*given, **keywords), given, keywords)

    def __repr__(self) -> str:
        return f"<declaration of {self.namespace + '.' if self.namespace else ''}{self.name}>"


def _renamed(built, given, keywords):
    """What a body built; an operand that it returned unchanged gets a node of its own.

    Each result is a value of its own in the recorder: two values of one node, one of them a
    leaf, would confuse which of them gradients belong to.
    """
    if built.__class__ is Node:
        if any(built is x for x in given) or any(built is x for x in keywords.values()):
            return p.reshape(built, shape=built.shape)
        return built
    operands = {x for x in given if x.__class__ is Node}
    for x in given:
        if x.__class__ is list:
            operands.update(x)
    if operands.isdisjoint(built):
        return built
    nodes = [p.reshape(n, shape=n.shape) if n in operands else n for n in built]
    return built.__class__(nodes)


def _make_function(declaration: Declaration) -> Callable:
    """The Python function with the declared signature that records one event."""
    signature, operands, static, prepare = [], [], [], []
    seen_star = False
    scope: dict[str, Any] = {"_apply": apply_operation, "_declaration": declaration,
                             "_freeze": _freeze, "_sequence": _sequence}
    names = {p.name for p in declaration.parameters}
    for parameter in declaration.parameters:
        name, kind = parameter.name, parameter.annotation
        if parameter.keyword_only and not seen_star:
            signature.append("*")
            seen_star = True
        if parameter.default is REQUIRED:
            signature.append(name)
        else:
            scope[f"_default_{name}"] = parameter.default
            signature.append(f"{name}=_default_{name}")
        if kind == "Tensors":
            prepare.append(f"{name} = _sequence({name}, '{declaration.name}', '{name}')")
            operands.append(f"*{name}")
            static.append(f"len({name})")
        elif kind == "Number" and parameter.default is not REQUIRED:
            operands.append(f"None if {name} is _default_{name} else {name}")
        elif kind in _OPERANDS:
            operands.append(name)
        elif kind in ("bool", "str"):
            static.append(name)
        else:
            prepare.append(f"if {name}.__class__ not in _PLAIN: {name} = _freeze({name})")
            static.append(name)
    scope["_PLAIN"] = _PLAIN
    extra = []
    if declaration.out:
        extra.append("out=None")
    if "dim" in names:
        default = next(p.default for p in declaration.parameters if p.name == "dim")
        if default is REQUIRED:      # `axis=` may stand for it
            position = signature.index("dim")
            if all("=" in s or s == "*" for s in signature[position + 1:]):
                signature[position] = "dim=None"
        extra.append("axis=None")
        prepare.insert(0, "if axis is not None: dim = axis")
        if "keepdim" in names:
            extra.append("keepdims=None")
            prepare.insert(0, "if keepdims is not None: keepdim = keepdims")
    if extra and not seen_star:
        signature.append("*")
    signature += extra
    lines = [f"def {declaration.name}({', '.join(signature)}):"]
    lines += [f"    {line}" for line in prepare]
    operand_text = "(" + ", ".join(operands) + ("," if operands else "") + ")"
    static_text = "(" + ", ".join(static) + ("," if static else "") + ")"
    call = f"_apply(_declaration, {operand_text}, {static_text})"
    if declaration.out:
        lines.append(f"    result = {call}")
        lines.append("    return result if out is None else _write_out(out, result, "
                     f"'{declaration.name}')")
        scope["_write_out"] = write_out
    else:
        lines.append(f"    return {call}")
    exec("\n".join(lines), scope)
    function = scope[declaration.name]
    function.__doc__ = declaration.body.__doc__
    function.__module__ = declaration.body.__module__
    function.__qualname__ = declaration.name
    return function


_PLAIN = frozenset({int, bool, float, str, type(None), tuple, DType})


def _freeze(x):
    """A hashable form of a static argument."""
    if isinstance(x, (list, tuple)):
        return tuple(_freeze(i) for i in x)
    if isinstance(x, dict):
        return tuple((k, _freeze(v)) for k, v in x.items())
    if x.__class__ is type:
        return as_dtype(x)
    if hasattr(x, "_fetch"):
        return _freeze(x.tolist()) if x.ndim else x.item()
    if hasattr(x, "__index__"):
        return x.__index__()
    return x


def _sequence(tensors, operation_name, name):
    if type(tensors) not in (list, tuple):
        if hasattr(tensors, "_fetch"):
            raise TypeError(f"{operation_name}(): argument '{name}' (position 1) must be tuple of "
                            "Tensors, not Tensor")
        tensors = list(tensors)
    return tensors


def write_out(out, result, name):
    """Store `result`, a tensor or a tuple of them, in what ``out=`` of `name` was given."""
    if isinstance(result, tuple):
        for o, r in zip(out, result):
            o._write_out(r, name)
        return result._make(out) if hasattr(result, "_make") else out
    out._write_out(result, name)
    return out


# Set by tensor.py, which makes tensors of values (the record layer does not know tensors): of one
# that is no view, and of several or of views.
wrap_one: Callable[..., Any] | None = None
wrap_result: Callable[..., Any] | None = None


def apply_operation(declaration: Declaration, operands: tuple, static: tuple):
    """Record `declaration` on operands; the resulting tensor, or tensors as the body arranged."""
    if declaration.at_once is not None:
        made = declaration.at_once(declaration, operands, static)
        if made is not None:
            return made
    step, values = record(declaration.operation, operands, static)
    if step.structure is None and not declaration.view:
        made = wrap_one(values[0])
    else:
        made = wrap_result(declaration, step, values, operands, static)
    if reads_numpy[0]:        # NumPy code may change the memory before the program would run
        if declaration.view:
            reads_numpy[0] = False
        else:
            run_if_volatile()
    return made


def operation(name: str | None = None, *, method: bool = True, inplace: bool = False,
              out: bool = False, view: bool | str = False, namespace: str = "",
              aliases: tuple[str, ...] = (), samples: Any = None):
    """Declare an operation; see the module's docstring.

    method: also a method of Tensor; inplace: also ``name_``; out: takes ``out=``; view: the result
    shares memory with the first operand ("if possible": or is a copy, where its memory has gaps);
    namespace: where the function is found under torch;
    samples: a function that yields (args, kwargs) of NumPy arrays for the op harness.
    """
    def declare(body):
        found = Declaration(body, name or body.__name__, method, inplace, out, view, namespace,
                            aliases, samples)
        key = f"{namespace}.{found.name}" if namespace else found.name
        if key in DECLARED:
            raise ValueError(f"operation {key!r} is declared twice")
        DECLARED[key] = found
        return found.function
    return declare
