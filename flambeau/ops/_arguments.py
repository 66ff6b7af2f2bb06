"""What wrong operands of a declared operation are told, in PyTorch's words.

Looked at only when a call is new (ops/declare.py) or cannot be recorded (record/trace.py): calls
that are known pay nothing.
"""

from __future__ import annotations

__all__ = ["check_arguments", "refusal", "refuse_operands", "type_name"]

# PyTorch has several call forms of these and lists them, rather than naming one argument
_SEVERAL_FORMS = frozenset({
    "all", "any", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d",
    "conv_transpose3d", "movedim", "narrow", "std", "std_mean", "tensor_split", "var", "var_mean",
})
_SEVERAL_DIMS = frozenset({"sum", "mean", "squeeze", "sort", "narrow", "all", "any", "std", "var",
                           "std_mean", "var_mean", "split", "tensor_split", "prod", "median"})
_ONE_FORM = frozenset({"add", "sub", "mul", "div", "isclose"})     # numbers become tensors there
# operations that PyTorch's errors call by other names than its Python functions
_C_NAMES = {"cross_entropy": "cross_entropy_loss"}
_NUMBERS = {"bool": "bool", "int64": "int", "float64": "float", "complex128": "complex"}


def type_name(x) -> str:
    """How PyTorch names the type of an argument."""
    if hasattr(x, "_fetch"):
        return "Tensor"
    kind = type(x)
    return f"{kind.__module__}.{kind.__name__}" if kind.__module__ == "numpy" else kind.__name__


def _node_name(node) -> str:
    if node is None:
        return "NoneType"
    return _NUMBERS[node.dtype.name] if node.op == "scalar" else "Tensor"


def _is_operand(kind: str) -> bool:
    return kind.startswith(("Tensor", "Number"))


def _places(declaration, static):
    """(position, parameter, index among its sequence or None) of each operand."""
    static = iter(static)            # a sequence leaves its length among the static arguments
    for position, parameter in enumerate(declaration.parameters):
        if parameter.annotation == "Tensors":
            for index in range(next(static)):
                yield position, parameter, index
        elif _is_operand(parameter.annotation):
            yield position, parameter, None
        else:
            next(static)


def _call_form(declaration) -> str:
    words, star = [], False
    for parameter in declaration.parameters:
        if parameter.keyword_only and not star:
            words.append("*")
            star = True
        kind = parameter.annotation.replace(" | None", "")
        words.append(f"{'tuple of ints' if kind == 'Ints' else kind} {parameter.name}")
    return f"({', '.join(words)})"


def _has_several_forms(declaration) -> bool:
    if declaration.name in _SEVERAL_FORMS:
        return True
    return not declaration.namespace and declaration.name not in _ONE_FORM and any(
        p.annotation.startswith("Tensor | Number") and not p.keyword_only
        for p in declaration.parameters)


def refusal(declaration, place: int, names: list[str], static) -> TypeError:
    """The error for the operand at `place`, `names` being the types of all operands."""
    called = _C_NAMES.get(declaration.name, declaration.name).lstrip("_")
    position, parameter, index = list(_places(declaration, static))[place]
    if index is not None:
        return TypeError(f"expected Tensor as element {index} in argument {position}, but got "
                         f"{names[place]}")
    if _has_several_forms(declaration):
        while names[-1] == "NoneType" and place < len(names) - 1:      # defaults
            names = names[:-1]
        return TypeError(f"{called}() received an invalid combination of arguments - got "
                         f"({', '.join(names)}), but expected one of:\n * "
                         f"{_call_form(declaration)}")
    wanted = "Number" if parameter.annotation.startswith("Number") else "Tensor"
    return TypeError(f"{called}(): argument '{parameter.name}' (position {position + 1}) must be "
                     f"{wanted}, not {names[place]}")


def refuse_operands(declaration, place: int, operands: tuple, static) -> TypeError:
    """The error for an operand that is neither a tensor nor a number."""
    return refusal(declaration, place, [type_name(x) for x in operands], static)


def _wrong_static(declaration, position: int, given) -> TypeError | None:
    """The error for a static argument, or None where its type is the declared one."""
    parameter = declaration.parameters[position]
    kind = parameter.annotation
    several = declaration.name in _SEVERAL_DIMS
    called = declaration.name.lstrip("_")
    if parameter.name == "dim" and kind == "int" and given is None and (
            parameter.default is not None):
        return TypeError(f'{called}() missing 1 required positional arguments: "{parameter.name}"')
    if kind in ("int", "tuple", "Ints") and isinstance(given, (str, float)):
        if several:
            return TypeError(f"{called}() received an invalid combination of arguments - got "
                             f"({'Tensor, ' * position}{type_name(given)}), but expected one "
                             f"of:\n * {_call_form(declaration)}")
        wanted = "int" if kind == "int" else "tuple of ints"
    elif kind == "Ints" and isinstance(given, tuple) and any(
            isinstance(item, (str, float)) for item in given):
        given = next(item for item in given if isinstance(item, (str, float)))
        wanted = "tuple of ints"
    else:
        return None
    return TypeError(f"{called}(): argument '{parameter.name}' (position {position + 1}) must be "
                     f"{wanted}, not {type_name(given)}")


def check_arguments(declaration, nodes, static) -> None:
    """Raise where a number or None stands for a tensor, or words for whole numbers."""
    left = iter(static)
    for position, parameter in enumerate(declaration.parameters):
        if parameter.annotation == "Tensors" or not _is_operand(parameter.annotation):
            error = _wrong_static(declaration, position, next(left))
            if error is not None:
                raise error
    for place, (_, parameter, index) in enumerate(_places(declaration, static)):
        kind, node = parameter.annotation, nodes[place]
        if node is None:
            wrong = kind in ("Tensor", "Tensor | Number")
        else:
            wrong = node.op == "scalar" and (index is not None or kind in ("Tensor",
                                                                           "Tensor | None"))
        if wrong:
            raise refusal(declaration, place, [_node_name(n) for n in nodes], static)
