"""Hooks of modules: registration on one module or on all, and the slow path of ``__call__``."""
import warnings
from collections import OrderedDict

from flambeau.utils.hooks import RemovableHandle

from ._backward_hooks import BackwardHooks

_MIXED_HOOKS = (
    "Cannot use both regular backward hooks and full backward hooks {}. "
    "Please use only one of them."
)
_SILENCED = (
    "{}module forward hook with ``always_call=True`` raised an exception that was silenced as "
    "another error was raised in forward: {}"
)


# ---- hooks for every module ----

GLOBAL_FORWARD_PRE = OrderedDict()
GLOBAL_FORWARD = OrderedDict()
GLOBAL_FORWARD_WITH_KWARGS = OrderedDict()
GLOBAL_FORWARD_ALWAYS = OrderedDict()
GLOBAL_BACKWARD_PRE = OrderedDict()
GLOBAL_BACKWARD = OrderedDict()
REGISTRATION = {kind: OrderedDict() for kind in ("module", "parameter", "buffer")}
_global_backward_kind = {"full": None}


def _register(table, hook, *, marks=(), prepend=False):
    """Add ``hook`` to ``table``; ``marks`` are (side table, whether the hook belongs there)."""
    handle = RemovableHandle(table, extra_dict=[side for side, _ in marks])
    table[handle.id] = hook
    for side, wanted in marks:
        if wanted:
            side[handle.id] = True
    if prepend:
        table.move_to_end(handle.id, last=False)
    return handle


def register_module_forward_pre_hook(hook):
    """Call ``hook(module, args)`` before the forward of every module."""
    return _register(GLOBAL_FORWARD_PRE, hook)


def register_module_forward_hook(hook, *, with_kwargs=False, always_call=False):
    """Call ``hook(module, args, output)`` after the forward of every module."""
    marks = ((GLOBAL_FORWARD_WITH_KWARGS, with_kwargs), (GLOBAL_FORWARD_ALWAYS, always_call))
    return _register(GLOBAL_FORWARD, hook, marks=marks)


def register_module_full_backward_pre_hook(hook):
    """Call ``hook(module, grad_output)`` before the backward of every module."""
    return _register(GLOBAL_BACKWARD_PRE, hook)


def _register_global_backward(hook, full):
    if _global_backward_kind["full"] is (not full):
        raise RuntimeError(_MIXED_HOOKS.format("as a global Module hook"))
    _global_backward_kind["full"] = full
    return _register(GLOBAL_BACKWARD, hook)


def register_module_full_backward_hook(hook):
    """Call ``hook(module, grad_input, grad_output)`` in the backward of every module."""
    return _register_global_backward(hook, True)


def register_module_backward_hook(hook):
    """Deprecated form of :func:`register_module_full_backward_hook`."""
    return _register_global_backward(hook, False)


def register_module_module_registration_hook(hook):
    """Call ``hook(module, name, submodule)`` whenever a submodule is registered."""
    return _register(REGISTRATION["module"], hook)


def register_module_parameter_registration_hook(hook):
    """Call ``hook(module, name, parameter)`` whenever a parameter is registered."""
    return _register(REGISTRATION["parameter"], hook)


def register_module_buffer_registration_hook(hook):
    """Call ``hook(module, name, buffer)`` whenever a buffer is registered."""
    return _register(REGISTRATION["buffer"], hook)


def run_registration_hooks(kind, module, name, value):
    """Return ``value`` as the global registration hooks of ``kind`` may have replaced it."""
    for hook in REGISTRATION[kind].values():
        output = hook(module, name, value)
        if output is not None:
            value = output
    return value


# ---- hooks of one module ----


class HookMethods:
    """The part of ``Module`` that registers hooks and calls them around ``forward``."""

    def register_forward_pre_hook(self, hook, *, prepend=False, with_kwargs=False):
        """Call ``hook(module, args)`` (or ``(module, args, kwargs)``) before every forward.

        The hook may return new positional arguments (with kwargs: a pair of both).
        """
        marks = ((self._forward_pre_hooks_with_kwargs, with_kwargs),)
        return _register(self._forward_pre_hooks, hook, marks=marks, prepend=prepend)

    def register_forward_hook(
        self, hook, *, prepend=False, with_kwargs=False, always_call=False
    ):
        """Call ``hook(module, args, output)`` (or with kwargs third) after every forward.

        A result other than None replaces the output; ``always_call`` runs the hook even when
        ``forward`` raised.

        >>> import flambeau as torch
        >>> layer = torch.nn.Linear(2, 3)
        >>> handle = layer.register_forward_hook(lambda m, args, out: print(out.shape))
        >>> _ = layer(torch.zeros(4, 2))
        torch.Size([4, 3])
        >>> handle.remove()
        """
        marks = (
            (self._forward_hooks_with_kwargs, with_kwargs),
            (self._forward_hooks_always_called, always_call),
        )
        return _register(self._forward_hooks, hook, marks=marks, prepend=prepend)

    def register_full_backward_pre_hook(self, hook, prepend=False):
        """Call ``hook(module, grad_output)`` when gradients of the outputs are known.

        The hook may return new gradients of the outputs.
        """
        return _register(self._backward_pre_hooks, hook, prepend=prepend)

    def register_full_backward_hook(self, hook, prepend=False):
        """Call ``hook(module, grad_input, grad_output)`` when gradients of the inputs are known.

        The hook may return new gradients of the inputs.  Gradients exist for positional tensor
        arguments; all other places hold None.
        """
        return self._register_backward(hook, True, prepend)

    def register_backward_hook(self, hook):
        """Deprecated: like :meth:`register_full_backward_hook`, which is to be used instead.

        Unlike PyTorch's deprecated hook, ``grad_input`` holds the gradients of the module's
        inputs, not of the inputs of its last operation.
        """
        return self._register_backward(hook, False, False)

    def _register_backward(self, hook, full, prepend):
        if self._is_full_backward_hook is (not full):
            raise RuntimeError(_MIXED_HOOKS.format("on a single Module"))
        self._is_full_backward_hook = full
        return _register(self._backward_hooks, hook, prepend=prepend)

    def _call_with_hooks(self, args, kwargs):
        called = set()
        try:
            return self._run_hooks_around_forward(args, kwargs, called)
        except Exception:
            self._run_always_called_hooks(args, kwargs, called)
            raise

    def _run_hooks_around_forward(self, args, kwargs, called):
        pre_hooks = (*GLOBAL_FORWARD_PRE.items(), *self._forward_pre_hooks.items())
        for hook_id, hook in pre_hooks:
            if hook_id in self._forward_pre_hooks_with_kwargs:
                changed = hook(self, args, kwargs)
                if changed is not None:
                    if not (isinstance(changed, tuple) and len(changed) == 2):
                        raise RuntimeError(
                            "forward pre-hook must return None or a tuple "
                            f"of (new_args, new_kwargs), but got {changed}."
                        )
                    args, kwargs = changed
            else:
                changed = hook(self, args)
                if changed is not None:
                    args = changed if isinstance(changed, tuple) else (changed,)

        backward = None
        backward_pre_hooks = [*GLOBAL_BACKWARD_PRE.values(), *self._backward_pre_hooks.values()]
        backward_hooks = [*GLOBAL_BACKWARD.values(), *self._backward_hooks.values()]
        if backward_pre_hooks or backward_hooks:
            backward = BackwardHooks(self, backward_hooks, backward_pre_hooks)
            args = backward.watch_inputs(args)

        result = self.forward(*args, **kwargs)

        for hook_id, hook in (*GLOBAL_FORWARD.items(), *self._forward_hooks.items()):
            called.add(hook_id)
            changed = self._call_forward_hook(hook_id, hook, args, kwargs, result)
            if changed is not None:
                result = changed
        return result if backward is None else backward.watch_outputs(result)

    def _call_forward_hook(self, hook_id, hook, args, kwargs, result):
        if hook_id in self._forward_hooks_with_kwargs or hook_id in GLOBAL_FORWARD_WITH_KWARGS:
            return hook(self, args, kwargs, result)
        return hook(self, args, result)

    def _run_always_called_hooks(self, args, kwargs, called):
        for table, always, word in (
            (GLOBAL_FORWARD, GLOBAL_FORWARD_ALWAYS, "global "),
            (self._forward_hooks, self._forward_hooks_always_called, ""),
        ):
            for hook_id, hook in list(table.items()):
                if hook_id in always and hook_id not in called:
                    try:
                        self._call_forward_hook(hook_id, hook, args, kwargs, None)
                    except Exception as error:
                        warnings.warn(_SILENCED.format(word, error), stacklevel=4)
