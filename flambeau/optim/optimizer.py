"""The base of all optimizers: parameter groups, state, hooks, saving and loading.

``step`` of every optimizer ends the program, so that forward, backward and the update of all
parameters run as one. It runs when the next begins, after ``zero_grad()`` dropped the gradients.
"""

from __future__ import annotations

import functools
import itertools
import warnings
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any

from .. import dtypes
from ..graph.ir import building
from ..record.trace import flush, run_if_volatile, run_later
from ..tensor import Tensor
from ..utils.hooks import RemovableHandle

__all__ = ["Optimizer", "register_optimizer_step_post_hook", "register_optimizer_step_pre_hook",
           "required"]


class _Required:
    """Marks an option that every parameter group must give."""

    def __repr__(self) -> str:
        return "<required parameter>"


required = _Required()
ParamsT = Iterable[Any]
_global_pre_hooks: OrderedDict[int, Callable] = OrderedDict()
_global_post_hooks: OrderedDict[int, Callable] = OrderedDict()
_HOOKS = ("_optimizer_step_pre_hooks", "_optimizer_step_post_hooks",
          "_optimizer_state_dict_pre_hooks", "_optimizer_state_dict_post_hooks",
          "_optimizer_load_state_dict_pre_hooks", "_optimizer_load_state_dict_post_hooks")


def _typename(x: Any) -> str:
    if isinstance(x, Tensor):
        return x.type()
    kind = type(x)
    return kind.__name__ if kind.__module__ == "builtins" else (
        f"{kind.__module__}.{kind.__qualname__}")


def _register(hooks: OrderedDict, hook: Callable, prepend: bool = False) -> RemovableHandle:
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle


def register_optimizer_step_pre_hook(hook: Callable) -> RemovableHandle:
    """Call hook(optimizer, args, kwargs) before ``step`` of every optimizer."""
    return _register(_global_pre_hooks, hook)


def register_optimizer_step_post_hook(hook: Callable) -> RemovableHandle:
    """Call hook(optimizer, args, kwargs) after ``step`` of every optimizer."""
    return _register(_global_post_hooks, hook)


def _with_hooks_and_end(step: Callable) -> Callable:
    """`step` between its hooks; it ends the program that it belongs to."""
    @functools.wraps(step)
    def wrapper(self, *args, **kwargs):
        if _global_pre_hooks or self._optimizer_step_pre_hooks:
            for hook in (*_global_pre_hooks.values(), *self._optimizer_step_pre_hooks.values()):
                result = hook(self, (self, *args), kwargs)
                if result is None:
                    continue
                if not (isinstance(result, tuple) and len(result) == 2):
                    raise RuntimeError(f"{step} must return None or a tuple of (new_args, "
                                       f"new_kwargs), but got {result}.")
                (self, *args), kwargs = result
        out = step(self, *args, **kwargs)
        for hook in (*self._optimizer_step_post_hooks.values(), *_global_post_hooks.values()):
            hook(self, (self, *args), kwargs)
        run_if_volatile()
        run_later()
        return out
    wrapper.hooked = True  # type: ignore[attr-defined]
    return wrapper


class Optimizer:
    """The base class of optimizers.

    Args:
        params: parameters, (name, parameter) pairs, or dicts of parameter groups.
        defaults: options that groups inherit.

    A subclass calls ``super().__init__(params, defaults)`` and defines ``step``.

    >>> import flambeau as torch
    >>> w = torch.ones(2, requires_grad=True)
    >>> optimizer = torch.optim.SGD([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0., 0.], requires_grad=True)
    """

    def __init__(self, params: ParamsT, defaults: dict[str, Any]) -> None:
        flush()        # what made the parameters is no part of the first step's program
        self.defaults = defaults
        self._set_up()
        if isinstance(params, Tensor):
            raise TypeError("params argument given to the optimizer should be an iterable of "
                            "Tensors or dicts, but got " + _typename(params))
        if defaults.get("differentiable"):
            raise NotImplementedError(
                f"{type(self).__name__}(differentiable=True) is not supported: step() cannot be "
                "differentiated. Write the update with tensor operations instead.")
        self.state: defaultdict[Any, Any] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def _set_up(self) -> None:
        for name in _HOOKS:
            self.__dict__.setdefault(name, OrderedDict())
        step = type(self).step
        if not getattr(step, "hooked", False):
            type(self).step = _with_hooks_and_end(step)  # type: ignore[method-assign]

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._set_up()
        for group in self.param_groups:
            for name, default in self.defaults.items():
                group.setdefault(name, default)      # options that an older file lacks
        self.defaults.setdefault("differentiable", False)

    def __repr__(self) -> str:
        text = type(self).__name__ + " ("
        for i, group in enumerate(self.param_groups):
            text += f"\nParameter Group {i}\n"
            text += "".join(f"    {key}: {group[key]}\n" for key in sorted(group)
                            if key != "params")
        return text + ")"

    # ---- hooks ------------------------------------------------------------

    def register_step_pre_hook(self, hook: Callable) -> RemovableHandle:
        """Call hook(optimizer, args, kwargs) before ``step``; it may return both, changed."""
        return _register(self._optimizer_step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Callable) -> RemovableHandle:
        """Call hook(optimizer, args, kwargs) after ``step``."""
        return _register(self._optimizer_step_post_hooks, hook)

    def register_state_dict_pre_hook(self, hook: Callable, prepend: bool = False):
        """Call hook(optimizer) before ``state_dict``."""
        return _register(self._optimizer_state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(self, hook: Callable, prepend: bool = False):
        """Call hook(optimizer, state_dict) after ``state_dict``; it may return another dict."""
        return _register(self._optimizer_state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(self, hook: Callable, prepend: bool = False):
        """Call hook(optimizer, state_dict) before loading; it may return another dict."""
        return _register(self._optimizer_load_state_dict_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(self, hook: Callable, prepend: bool = False):
        """Call hook(optimizer) after ``load_state_dict``."""
        return _register(self._optimizer_load_state_dict_post_hooks, hook, prepend)

    # ---- saving and loading ------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """The state as {"state": {parameter id: dict}, "param_groups": [dict]}."""
        for hook in self._optimizer_state_dict_pre_hooks.values():
            hook(self)
        ids: dict[int, int] = {}
        start = 0
        groups = []
        for group in self.param_groups:
            for i, parameter in enumerate(group["params"], start):
                ids.setdefault(id(parameter), i)
            packed = {key: value for key, value in group.items() if key != "params"}
            packed["params"] = [ids[id(q)] for q in group["params"]]
            start += len(packed["params"])
            groups.append(packed)
        state = {(ids[id(key)] if isinstance(key, Tensor) else key): value
                 for key, value in self.state.items()}
        result: dict[str, Any] = {"state": state, "param_groups": groups}
        for hook in self._optimizer_state_dict_post_hooks.values():
            changed = hook(self, result)
            if changed is not None:
                result = changed
        return result

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the state that ``state_dict`` returned; parameters match by their order."""
        state_dict = state_dict.copy()
        for hook in self._optimizer_load_state_dict_pre_hooks.values():
            changed = hook(self, state_dict)
            if changed is not None:
                state_dict = changed
        groups = self.param_groups
        saved = deepcopy(state_dict["param_groups"])
        if len(groups) != len(saved):
            raise ValueError("loaded state dict has a different number of parameter groups"
                             f": expected {len(groups)}, received {len(saved)}")
        for i, (group, other) in enumerate(zip(groups, saved)):
            if len(group["params"]) != len(other["params"]):
                raise ValueError("loaded state dict contains a parameter group that doesn't match "
                                 f"the size of optimizer's group: group {i} has "
                                 f"{len(group['params'])} parameters, the loaded one "
                                 f"{len(other['params'])}")
        by_id = dict(zip(itertools.chain.from_iterable(g["params"] for g in saved),
                         itertools.chain.from_iterable(g["params"] for g in groups)))
        state: defaultdict[Any, Any] = defaultdict(dict)
        for key, value in state_dict["state"].items():
            if key in by_id:
                state[by_id[key]] = _copied(by_id[key], value)
            else:
                state[key] = value
        for group, other in zip(groups, saved):
            other["params"] = group["params"]
            if "param_names" in group and "param_names" not in other:
                other["param_names"] = group["param_names"]
        self.__setstate__({"state": state, "param_groups": saved})
        for hook in self._optimizer_load_state_dict_post_hooks.values():
            hook(self)

    # ---- use ------------------------------------------------------------

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or set them to zero."""
        for group in self.param_groups:
            for parameter in group["params"]:
                gradient = parameter._grad
                if gradient is None:
                    continue
                if set_to_none:
                    parameter._grad = None
                    continue
                if gradient.requires_grad:
                    gradient.detach_()
                gradient.zero_()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters once; `closure` evaluates the model again and returns the loss."""
        raise NotImplementedError

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters with options of its own.

        Raises:
            TypeError: not a dict, an unordered set, or members that are no tensors.
            ValueError: a parameter that is not a leaf or belongs to a group already.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        params = param_group["params"]
        if isinstance(params, Tensor):
            params = [params]
        elif isinstance(params, set):
            raise TypeError("optimizer parameters need to be organized in ordered collections, but "
                            "the ordering of tensors in sets will change between runs. Please use "
                            "a list instead.")
        params = list(params)
        names = [q[0] for q in params if isinstance(q, tuple)]
        params = [q[1] if isinstance(q, tuple) else q for q in params]
        param_group["params"] = params
        if names:
            if len(names) != len(params):
                raise ValueError("all optimizer params should be with/without names. Some param "
                                 "names are missing")
            param_group["param_names"] = names
        self._check_group(param_group)
        self.param_groups.append(param_group)

    def _check_group(self, group: dict[str, Any]) -> None:
        for parameter in group["params"]:
            if not isinstance(parameter, Tensor):
                raise TypeError("optimizer can only optimize Tensors, but one of the params is "
                                + _typename(parameter))
            if not (parameter.is_leaf or parameter._retain):
                raise ValueError("can't optimize a non-leaf Tensor")
        for name, default in self.defaults.items():
            if default is required and name not in group:
                raise ValueError("parameter group didn't specify a value of required optimization "
                                 f"parameter {name}")
            group.setdefault(name, default)
        ids = {id(q) for q in group["params"]}
        if len(ids) != len(group["params"]):
            warnings.warn("optimizer contains a parameter group with duplicate parameters; in "
                          "future, this will cause an error; see "
                          "github.com/pytorch/pytorch/issues/40967 for more information",
                          stacklevel=4)
        for other in self.param_groups:
            if ("param_names" in group) != ("param_names" in other):
                kind = "with names" if "param_names" in group else "without names"
                raise ValueError("all optimizer param groups should be with/without names. cannot "
                                 f"add param group {kind} to the optimizer")
        if any(id(q) in ids for other in self.param_groups for q in other["params"]):
            raise ValueError("some parameters appear in more than one parameter group")


def _copied(parameter: Tensor, value: Any, key: Any = None) -> Any:
    """A copy of loaded state, floating-point tensors in the parameter's dtype."""
    if isinstance(value, Tensor):
        if key == "step" or parameter.dtype.category != 2 or value.dtype is parameter.dtype:
            return value
        return value.to(dtype=parameter.dtype)
    if isinstance(value, dict):
        return {k: _copied(parameter, v, k) for k, v in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        return type(value)(_copied(parameter, v) for v in value)  # type: ignore[call-arg]
    return value


def evaluated(closure: Callable[[], Any] | None) -> Any:
    """The closure's loss, its operations recorded for differentiation; None without one."""
    if closure is None:
        return None
    before, building.grad_enabled = building.grad_enabled, True
    try:
        return closure()
    finally:
        building.grad_enabled = before


def as_number(x: Any) -> float:
    """An option that may be a number or a 1-element tensor, as a number."""
    return float(x.item()) if isinstance(x, Tensor) else float(x)


def scalar_dtype() -> dtypes.dtype:
    """The dtype of step counts: float64 where that is the default type, else float32."""
    return dtypes.float64 if dtypes.default_dtype() is dtypes.float64 else dtypes.float32
