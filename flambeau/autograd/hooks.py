"""Hooks on tensors: Python functions that see, and may replace, a gradient."""

from __future__ import annotations

import itertools
import weakref

from ..record.trace import current_trace
from ..tensor import Tensor

__all__ = ["RemovableHandle", "hook_value", "register_tensor_hook", "replaced_by",
           "retain_gradient"]

_numbers = itertools.count()


class RemovableHandle:
    """What registering a hook returns: ``remove()`` takes the hook away."""

    def __init__(self, hooks: dict, extra_dict=None):
        self.hooks = hooks
        self.id = next(_numbers)

    def remove(self) -> None:
        """Take the hook away."""
        self.hooks.pop(self.id, None)

    def __enter__(self):
        return self

    def __exit__(self, *error) -> None:
        self.remove()


def replaced_by(hook, gradient: Tensor) -> Tensor:
    """What `hook` makes of a gradient: the same, or another of its shape."""
    found = hook(gradient)
    if found is None:
        return gradient
    name = getattr(hook, "__name__", type(hook).__name__)
    if not isinstance(found, Tensor):
        raise TypeError(f"expected Variable, but hook returned '{type(found).__name__}'")
    if found.shape != gradient.shape:
        raise RuntimeError(f"hook '{name}' has changed the size of value: from "
                           f"{list(gradient.shape)} to {list(found.shape)}")
    return found


def hook_value(tensor: Tensor) -> dict:
    """The hooks of a computed tensor's value, in the program or execution that made it."""
    value = tensor._fetch()
    if value.history is not None:
        execution, node = value.history
        return execution.hooked.setdefault(node, {})
    if value.trace is not None and value.trace is current_trace():
        return value.trace.hooked.setdefault(value.slot, {})
    raise RuntimeError("cannot register a hook on a tensor whose graph is gone")


def register_tensor_hook(tensor: Tensor, hook) -> RemovableHandle:
    """Call `hook` with the tensor's gradient; what it returns (if anything) replaces it."""
    if not tensor.requires_grad:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    if tensor._requires_grad:
        if tensor._hooks is None:
            tensor._hooks = {}
        hooks = tensor._hooks
    else:
        hooks = hook_value(tensor)
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    return handle


def retain_gradient(tensor: Tensor) -> None:
    """Make backward store the gradient of a computed tensor in its ``.grad``."""
    tensor._retain = True
    reference = weakref.ref(tensor)

    def keep(gradient):
        target = reference()
        if target is not None:
            old = target._grad
            target._grad = gradient if old is None else old + gradient
    register_tensor_hook(tensor, keep)


def register_post_accumulate_grad_hook(self: Tensor, hook) -> RemovableHandle:
    """Call hook(tensor) after its gradient was accumulated (leaves only)."""
    if not self._requires_grad:
        raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")
    hooks = self.__dict__.setdefault("_post_accumulate_hooks", {})
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    return handle


Tensor.register_post_accumulate_grad_hook = register_post_accumulate_grad_hook  # type: ignore
