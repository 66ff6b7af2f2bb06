"""Tensor's methods about gradients."""

from __future__ import annotations

from ..ops.declare import DECLARED

__all__: list[str] = []


def _backward(self, gradient=None, retain_graph=None, create_graph=False, inputs=None):
    """Accumulate the gradients of this tensor's sum-product with `gradient` in the leaves."""
    from ..autograd import backward
    backward(self, gradient, retain_graph, create_graph, inputs=inputs)


def _register_hook(self, hook):
    """Call hook(grad) when this tensor's gradient is computed; a result replaces it."""
    from ..autograd.hooks import register_tensor_hook
    return register_tensor_hook(self, hook)


def _retain_grad(self) -> None:
    """Keep this computed tensor's gradient in ``.grad``."""
    if not self.requires_grad:
        raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
    if self._requires_grad or self._retain:
        return
    from ..autograd.hooks import retain_gradient
    retain_gradient(self)


def _detach_in_place(self):
    """Cut this tensor off from the gradient graph."""
    if self._chain:
        raise RuntimeError("Can't detach views in-place. Use detach() instead.")
    made = DECLARED["detach"].function(self)
    self._requires_grad = False
    self._value = made._value
    if self._storage is not None:
        self._storage.value = made._value
    return self
