"""Whole derivatives of functions: jacobian, hessian and products with them."""

from __future__ import annotations

from ..construct import zeros_like
from ..tensor import Tensor
from ._backward import grad
from .modes import enable_grad

__all__ = ["hessian", "hvp", "jacobian", "vjp"]


def _prepare(inputs, create_graph: bool) -> tuple[tuple, bool]:
    single = isinstance(inputs, Tensor)
    inputs = (inputs,) if single else tuple(inputs)
    if create_graph:
        return tuple(x if x.requires_grad else x.detach().requires_grad_() for x in inputs), single
    return tuple(x.detach().requires_grad_() for x in inputs), single


def _refuse(strict: bool, strategy: str = "reverse-mode") -> None:
    """Raise for arguments that would change the result and are not supported."""
    if strict:
        raise NotImplementedError("strict=True is not supported: unused inputs give zeros")
    if strategy != "reverse-mode":
        raise NotImplementedError(f"strategy {strategy!r} is not supported: only 'reverse-mode'")


def _rows(output: Tensor, inputs: tuple, create_graph: bool) -> list[Tensor]:
    from ..ops.declare import DECLARED
    stack = DECLARED["stack"].function
    columns: list[list[Tensor]] = [[] for _ in inputs]
    flat = output.reshape(-1)
    for i in range(flat.numel()):
        found = grad(flat[i], inputs, retain_graph=True, create_graph=create_graph,
                     allow_unused=True)
        for column, x, g in zip(columns, inputs, found):
            column.append(zeros_like(x) if g is None else g)
    return [stack(column).reshape(tuple(output.shape) + tuple(x.shape))
            for column, x in zip(columns, inputs)]


@enable_grad()
def jacobian(func, inputs, create_graph: bool = False, strict: bool = False,
             vectorize: bool = False, strategy: str = "reverse-mode"):
    """All derivatives of all elements of func(*inputs)."""
    _refuse(strict, strategy)
    inputs, single = _prepare(inputs, create_graph)
    outputs = func(*inputs)
    one = isinstance(outputs, Tensor)
    outputs = (outputs,) if one else tuple(outputs)
    found = tuple(tuple(_rows(o, inputs, create_graph)) for o in outputs)
    if single:
        found = tuple(f[0] for f in found)
    return found[0] if one else found


@enable_grad()
def hessian(func, inputs, create_graph: bool = False, strict: bool = False,
            vectorize: bool = False, outer_jacobian_strategy: str = "reverse-mode"):
    """All second derivatives of a scalar function."""
    _refuse(strict, outer_jacobian_strategy)
    single = isinstance(inputs, Tensor)

    def first(*given):
        return jacobian(func, given[0] if single else given, create_graph=True)
    return jacobian(first, inputs, create_graph)


@enable_grad()
def vjp(func, inputs, v=None, create_graph: bool = False, strict: bool = False):
    """func(*inputs) and the product of v with its Jacobian."""
    _refuse(strict)
    inputs, single = _prepare(inputs, create_graph)
    outputs = func(*inputs)
    found = grad(outputs, inputs, v, create_graph=create_graph, allow_unused=True,
                 materialize_grads=True)
    return outputs, found[0] if single else found


@enable_grad()
def hvp(func, inputs, v=None, create_graph: bool = False, strict: bool = False):
    """func(*inputs) and the product of its Hessian with v."""
    _refuse(strict)
    inputs, single = _prepare(inputs, create_graph)
    output = func(*inputs)
    first = grad(output, inputs, create_graph=True)
    vectors = (v,) if isinstance(v, Tensor) else tuple(v)
    found = grad(first, inputs, vectors, create_graph=create_graph, allow_unused=True,
                 materialize_grads=True)
    return output, found[0] if single else found
