"""torch.autograd.backward and grad: checks, the pass, and where gradients go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._sharing import Bare
from ..construct import full_tensor
from ..graph.ir import building
from ..ops.declare import DECLARED
from ..record.trace import run_if_volatile
from ..record.values import Value
from ..tensor import Tensor, from_value
from .engine import run_backward
from .hooks import replaced_by
from .modes import _Mode

__all__ = ["backward", "grad"]


def _add(a: Value, b: Value) -> Value:
    return DECLARED["add"].function(Bare(a), Bare(b))._value


class _Recording(_Mode):
    """The gradient mode of a backward pass."""

    def __init__(self, create_graph: bool):
        super().__init__()
        self.mode = create_graph


def _as_tuple(x) -> tuple:
    return () if x is None else (x,) if isinstance(x, Tensor) else tuple(x)


def _roots(tensors, gradients) -> list[tuple[Value, Value]]:
    if isinstance(gradients, (tuple, list)):
        gradients = tuple(gradients)
    else:
        gradients = (gradients,) * (1 if gradients is not None else len(tensors))
    for g in gradients:
        if not isinstance(g, (Tensor, type(None))):
            raise TypeError("gradients can be either Tensors or None, but got "
                            f"{type(g).__name__}")
    if len(gradients) != len(tensors):
        raise RuntimeError(f"got {len(tensors)} tensors and {len(gradients)} gradients")
    roots = []
    for i, (t, g) in enumerate(zip(tensors, gradients)):
        if not t.requires_grad:
            raise RuntimeError(f"element {i} of tensors does not require grad and does not have a "
                               "grad_fn")
        if g is None:
            if t.numel() != 1:
                raise RuntimeError("grad can be implicitly created only for scalar outputs: "
                                   f"received shape {list(t.shape)}; call backward on its sum or "
                                   "mean, or pass gradient=")
            if t.dtype.category != 2:
                raise RuntimeError("grad can be implicitly created only for real scalar outputs "
                                   f"but got {t.dtype}")
            if not t.shape:
                roots.append((t._fetch(), _one(t.dtype)))
                continue
            g = full_tensor(tuple(t.shape), 1, dtype=t.dtype)
        if g.shape != t.shape:
            raise RuntimeError(f"Mismatch in shape: grad_output[{i}] has a shape of {g.shape} and "
                               f"output[{i}] has a shape of {t.shape}.")
        if g.dtype is not t.dtype:
            g = g.to(t.dtype)
        roots.append((t._fetch(), g._fetch()))
    return roots


_ones: dict[Any, Value] = {}


def _one(kind) -> Value:
    """The gradient of a loss with respect to itself, made once for each dtype."""
    value = _ones.get(kind)
    if value is None:
        value = _ones[kind] = full_tensor((), 1, dtype=kind)._fetch()
        value.array.flags.writeable = False      # ``.numpy()`` of a hook's gradient copies it
        value.shared = True
    return value


def backward(tensors, grad_tensors=None, retain_graph: bool | None = None,
             create_graph: bool = False, grad_variables=None, inputs=None) -> None:
    """Add the gradients of sum(tensor * grad_tensor) to the ``.grad`` of the leaves.

    >>> import flambeau as torch
    >>> x = torch.tensor([1., 2.], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """
    if grad_variables is not None:
        grad_tensors = grad_variables
    tensors = _as_tuple(tensors)
    wanted = None if inputs is None else _as_tuple(inputs)
    if wanted is not None and not wanted:
        raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
    retain = create_graph if retain_graph is None else retain_graph
    inner = [t for t in (wanted or ()) if not t._requires_grad]
    before, building.grad_enabled = building.grad_enabled, create_graph
    try:
        leaves, captured = run_backward(
            _roots(tensors, grad_tensors), _add, from_value,
            [(i, t._fetch()) for i, t in enumerate(inner)], retain, create_graph)
        chosen = None if wanted is None else {id(t) for t in wanted}
        for owner, value in leaves.values():
            if chosen is None or id(owner) in chosen:
                _accumulate(owner, value, create_graph)
        for i, t in enumerate(inner):
            if i in captured:
                _accumulate(t, captured[i], create_graph)
    finally:
        building.grad_enabled = before
    run_if_volatile()


def _accumulate(owner: Tensor, value: Value, create_graph: bool) -> None:
    gradient = from_value(value)
    hooks = owner._hooks
    if hooks:
        for hook in list(hooks.values()):
            gradient = replaced_by(hook, gradient)
    if owner._grad is None:
        owner._grad = gradient
    elif create_graph:
        owner._grad = owner._grad + gradient
    else:
        before, building.grad_enabled = building.grad_enabled, False
        try:
            owner._grad._assign(owner._grad + gradient, mark=False)
        finally:
            building.grad_enabled = before
    after = getattr(owner, "_post_accumulate_hooks", None)
    if after:
        for hook in list(after.values()):
            hook(owner)


def grad(outputs, inputs, grad_outputs=None, retain_graph: bool | None = None,
         create_graph: bool = False, only_inputs: bool = True, allow_unused: bool | None = None,
         is_grads_batched: bool = False, materialize_grads: bool = False) -> Sequence:
    """The gradients of sum(output * grad_output) with respect to `inputs`.

    >>> import flambeau as torch
    >>> x = torch.tensor(3., requires_grad=True)
    >>> torch.autograd.grad(x ** 2, x)
    (tensor(6.),)
    """
    if is_grads_batched:
        raise NotImplementedError("grad: is_grads_batched=True is not supported; call grad once "
                                  "per gradient")
    outputs, wanted = _as_tuple(outputs), _as_tuple(inputs)
    if not wanted:
        raise RuntimeError("`inputs` argument to `grad()` cannot be empty.")
    retain = create_graph if retain_graph is None else retain_graph
    for t in wanted:
        if not t.requires_grad:
            raise RuntimeError("One of the differentiated Tensors does not require grad")
    inner = [(i, t._fetch()) for i, t in enumerate(wanted) if not t._requires_grad]
    with _Recording(create_graph):
        leaves, captured = run_backward(_roots(outputs, grad_outputs), _add, from_value, inner,
                                        retain, create_graph)
        results: list[Tensor | None] = []
        for i, t in enumerate(wanted):
            if t._requires_grad:
                found = leaves.get(id(t))
                value = None if found is None else found[1]
            else:
                value = captured.get(i)
            if value is None:
                if materialize_grads:
                    results.append(full_tensor(tuple(t.shape), 0, dtype=t.dtype))
                    continue
                if not allow_unused:
                    raise RuntimeError(f"The differentiated Tensor at index {i} appears to not "
                                       "have been used in the graph. Set allow_unused=True if this "
                                       "is the desired behavior.")
                results.append(None)
                continue
            gradient = from_value(value)
            if t._requires_grad and t._hooks:
                for hook in list(t._hooks.values()):
                    gradient = replaced_by(hook, gradient)
            results.append(gradient)
    run_if_volatile()
    return tuple(results)
