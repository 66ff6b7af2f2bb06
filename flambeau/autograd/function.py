"""User-defined differentiable functions: ``autograd.Function``."""

from __future__ import annotations

import warnings
from typing import Any

from .._sharing import BOUNDARY, Bare
from ..construct import full_tensor
from ..graph.ir import building
from ..record.saved import inplace_error
from ..record.trace import current_trace, record
from ..record.values import Value
from ..tensor import Tensor, from_value
from .modes import enable_grad, no_grad

__all__ = ["Function", "FunctionCtx", "once_differentiable"]


class FunctionCtx:
    """What forward leaves for backward."""

    def __init__(self) -> None:
        self._saved: tuple = ()
        self._kept: list[_Kept] | None = None
        self._non_differentiable: set[int] = set()
        self._dirty: tuple = ()
        self._materialize = True
        self._freed = False
        self.needs_input_grad: tuple[bool, ...] = ()

    def save_for_backward(self, *tensors) -> None:
        """Keep tensors for backward."""
        self._saved = tensors

    save_for_forward = save_for_backward

    @property
    def saved_tensors(self) -> tuple:
        """The tensors kept by save_for_backward."""
        if self._freed:
            from ..record.backward import FREED_MESSAGE
            raise RuntimeError(FREED_MESSAGE)
        if self._kept is None:                      # forward still runs
            return self._saved
        return tuple(k.tensor if k.value is None else k.unpacked() for k in self._kept)

    saved_variables = saved_tensors

    def mark_non_differentiable(self, *tensors) -> None:
        """Outputs that need no gradient."""
        self._non_differentiable = {id(t) for t in tensors}

    def mark_dirty(self, *tensors) -> None:
        """Inputs that forward changed in place."""
        self._dirty = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether missing gradients arrive as zeros (True) or None."""
        self._materialize = value


class _Kept:
    """A saved tensor as it was when forward ended; what is written to it later is refused."""

    __slots__ = ("tensor", "value", "version", "maker")

    def __init__(self, tensor, maker: str = ""):
        self.tensor = tensor
        self.value: Value | None = tensor._fetch() if isinstance(tensor, Tensor) else None
        self.version = 0 if self.value is None else tensor._version
        self.maker = maker                          # the function, if this is its output

    def unpacked(self) -> Tensor:
        assert self.value is not None
        if self.value.written:
            maker = self.maker
            if not maker and self.tensor.grad_fn is not None:
                maker = self.tensor.grad_fn.name().partition("Backward")[0]
            raise RuntimeError(inplace_error(self.value.aval, "in place after it was saved",
                                             maker, self.tensor._version, self.version))
        if self.tensor._fetch() is self.value:
            return self.tensor
        return from_value(self.value)               # seen through a view that was written since


class _FunctionNode:
    """One application of a function, waiting for the gradients of its outputs."""

    def __init__(self, function: type[Function], ctx: FunctionCtx, inputs: list[Any],
                 avals: list[Any]):
        self.function = function
        self.ctx = ctx
        self.inputs = inputs                        # per argument: Value or None
        self.avals = avals                          # per output: (shape, dtype) or None
        self.pending_gradients: dict[int, Value] = {}

    def run(self, gradients: dict[int, Value], wrap, retain: bool) -> list[tuple[Value, Value]]:
        """Call the user's backward; (input value, gradient) pairs."""
        given = []
        for i, aval in enumerate(self.avals):
            if i in gradients:
                given.append(wrap(gradients[i]))
            elif aval is not None and self.ctx._materialize:
                given.append(full_tensor(aval[0], 0, dtype=aval[1]))
            else:
                given.append(None)
        found = self.function.backward(self.ctx, *given)
        found = found if isinstance(found, tuple) else (found,)
        if len(found) > len(self.inputs) and any(f is not None for f in found[len(self.inputs):]):
            raise RuntimeError(f"function {self.function.__name__}Backward returned an incorrect "
                               f"number of gradients (expected {len(self.inputs)}, got "
                               f"{len(found)})")
        if len(found) < len(self.inputs):
            raise RuntimeError(f"function {self.function.__name__}Backward returned an incorrect "
                               f"number of gradients (expected {len(self.inputs)}, got "
                               f"{len(found)})")
        pairs = []
        for i, (value, gradient) in enumerate(zip(self.inputs, found)):
            if value is None or gradient is None:
                continue
            if tuple(gradient.shape) != tuple(value.aval.shape):
                try:
                    gradient = gradient.sum_to_size(*value.aval.shape)
                except (RuntimeError, AttributeError):
                    raise RuntimeError(
                        f"Function {self.function.__name__}Backward returned an invalid gradient at"
                        f" index {i} - got {list(gradient.shape)} but expected shape compatible "
                        f"with {list(value.aval.shape)}") from None
            if gradient.dtype is not value.aval.dtype:
                gradient = gradient.to(value.aval.dtype)
            pairs.append((value, gradient._fetch()))
        if not retain:
            self.ctx._freed = True
            self.ctx._saved, self.ctx._kept = (), []
        return pairs


class Function:
    """A function with a gradient of the user's own.

    >>> import flambeau as torch
    >>> class Double(torch.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         return x * 2
    ...     @staticmethod
    ...     def backward(ctx, grad):
    ...         return grad * 2
    >>> x = torch.ones(2, requires_grad=True)
    >>> Double.apply(x).sum().backward()
    >>> x.grad
    tensor([2., 2.])
    """

    def __init__(self, *args, **kwargs):
        warnings.warn(f"{type(self)} should not be instantiated. Methods on autograd functions are "
                      "all static, so you should invoke them on the class itself. Instantiating an "
                      "autograd function will raise an error in a future version of PyTorch.",
                      DeprecationWarning, stacklevel=2)

    def __call__(self, *args, **kwargs):
        raise RuntimeError("Legacy autograd function with non-static forward method is deprecated. "
                           "Please use new-style autograd function with static forward method. "
                           "(Example: https://pytorch.org/docs/stable/autograd.html"
                           "#torch.autograd.Function)")

    @staticmethod
    def forward(*args, **kwargs):
        """Compute the outputs; overridden by the user."""
        raise NotImplementedError("You must implement the forward function for custom "
                                  "autograd.Function.")

    @staticmethod
    def backward(ctx, *grad_outputs):
        """Compute the gradients of the inputs; overridden by the user."""
        raise NotImplementedError("You must implement either the backward or vjp method for your "
                                  "custom autograd.Function to use it with backward mode AD.")

    @classmethod
    def apply(cls, *args, **kwargs):
        """Run forward and connect its outputs to the gradient graph."""
        ctx = FunctionCtx()
        ctx.needs_input_grad = tuple(isinstance(a, Tensor) and a.requires_grad for a in args)
        differentiable = building.grad_enabled and any(ctx.needs_input_grad)
        split = cls.setup_context is not Function.setup_context
        inputs = [a._fetch() if isinstance(a, Tensor) and a.requires_grad else None for a in args]
        with no_grad():
            if split:
                outputs = cls.forward(*args, **kwargs)
                cls.setup_context(ctx, args, outputs)
            else:
                outputs = cls.forward(ctx, *args, **kwargs)
        if not differentiable:
            return outputs
        single = not isinstance(outputs, tuple)
        listed = [outputs] if single else list(outputs)
        avals = [(tuple(o.shape), o.dtype) if isinstance(o, Tensor) else None for o in listed]
        node = _FunctionNode(cls, ctx, inputs, avals)
        made = [cls._connect(node, i, o, ctx) for i, o in enumerate(listed)]
        ctx._kept = [cls._keep(s, listed, made) for s in ctx._saved]
        return made[0] if single else tuple(made)

    @classmethod
    def _keep(cls, saved, outputs: list, made: list) -> _Kept:
        """What backward finds of a saved tensor: an output has the history that it got here."""
        for output, connected in zip(outputs, made):
            if saved is output:
                return _Kept(connected, cls.__name__)
        return _Kept(saved)

    @staticmethod
    def _connect(node: _FunctionNode, index: int, output, ctx: FunctionCtx):
        if (not isinstance(output, Tensor) or id(output) in ctx._non_differentiable
                or output.dtype.category < 2):
            return output
        with enable_grad():
            value = record(BOUNDARY, (Bare(output._fetch()),), ())[1][0]
        current_trace().functions[value.slot] = (node, index)
        if any(output is d for d in ctx._dirty):
            output._adopt(value)
            return output
        return from_value(value)

    @staticmethod
    def setup_context(ctx, inputs, output):
        """Leave things in ctx, when forward does not take it."""
        raise NotImplementedError("setup_context is not implemented.")


def once_differentiable(function):
    """A backward that is not itself differentiated."""
    def wrapped(ctx, *gradients):
        with no_grad():
            return function(ctx, *gradients)
    return wrapped
