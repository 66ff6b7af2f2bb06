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

import inspect
from collections.abc import Callable
from typing import Any

from ..dtypes import dtype as DType
from ..record.trace import Operation, record

__all__ = ["DECLARED", "Declaration", "apply_operation", "operation"]

DECLARED: dict[str, Declaration] = {}
_OPERANDS = ("Tensor", "Tensor | None", "Tensor | Number", "Tensor | Number | None", "Number",
             "Number | None")


class Declaration:
    """One declared operation and how it is exposed."""

    def __init__(self, body: Callable, name: str, method: bool, inplace: bool, out: bool,
                 view: bool, namespace: str, aliases: tuple[str, ...], samples: Any):
        self.body = body
        self.name = name
        self.method = method
        self.inplace = inplace
        self.out = out
        self.view = view
        self.namespace = namespace          # "" for torch, or "nn.functional", "linalg", …
        self.aliases = aliases
        self.samples = samples
        self.parameters = list(inspect.signature(body).parameters.values())
        self.operation = Operation(name, self.build, view)
        self.function = _make_function(self)

    def build(self, arguments, static):
        """Call the body with nodes and static arguments in the declared order."""
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
            if parameter.kind is parameter.KEYWORD_ONLY:
                keywords[parameter.name] = value
            else:
                given.append(value)
        return self.body(*given, **keywords)

    def __repr__(self) -> str:
        return f"<declaration of {self.namespace + '.' if self.namespace else ''}{self.name}>"


def _make_function(declaration: Declaration) -> Callable:
    """The Python function with the declared signature that records one event."""
    signature, operands, static, prepare = [], [], [], []
    seen_star = False
    scope: dict[str, Any] = {"_apply": apply_operation, "_declaration": declaration,
                             "_freeze": _freeze, "_sequence": _sequence}
    names = {p.name for p in declaration.parameters}
    for parameter in declaration.parameters:
        name, kind = parameter.name, parameter.annotation
        if parameter.kind is parameter.KEYWORD_ONLY and not seen_star:
            signature.append("*")
            seen_star = True
        if parameter.default is parameter.empty:
            signature.append(name)
        else:
            scope[f"_default_{name}"] = parameter.default
            signature.append(f"{name}=_default_{name}")
        if kind == "Tensors":
            prepare.append(f"{name} = _sequence({name}, '{declaration.name}', '{name}')")
            operands.append(f"*{name}")
            static.append(f"len({name})")
        elif kind == "Number" and parameter.default is not parameter.empty:
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
        if default is inspect.Parameter.empty:      # `axis=` may stand for it
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
        lines.append("    return result if out is None else _write_out(out, result)")
        scope["_write_out"] = _write_out
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
    if hasattr(x, "_fetch") and x.numel() == 1:
        return x.item()
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


def _write_out(out, result):
    if isinstance(result, tuple):
        for o, r in zip(out, result):
            o._write_out(r)
        return out
    out._write_out(result)
    return out


# Set by tensor.py: makes tensors of values (the record layer does not know tensors).
wrap_result: Callable[..., Any] | None = None


def apply_operation(declaration: Declaration, operands: tuple, static: tuple):
    """Record `declaration` on operands; the resulting tensor, or tensors as the body arranged."""
    step, values = record(declaration.operation, operands, static)
    return wrap_result(declaration, step, values, operands, static)


def operation(name: str | None = None, *, method: bool = True, inplace: bool = False,
              out: bool = False, view: bool = False, namespace: str = "",
              aliases: tuple[str, ...] = (), samples: Any = None):
    """Declare an operation; see the module's docstring.

    method: also a method of Tensor; inplace: also ``name_``; out: takes ``out=``; view: the result
    shares memory with the first operand; namespace: where the function is found under torch;
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
