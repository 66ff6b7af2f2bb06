"""What all learning-rate schedulers share: counting, saving, and the order of step() calls."""

from __future__ import annotations

import functools
import types
import warnings
import weakref
from typing import Any

from ..tensor import Tensor
from .optimizer import Optimizer, as_number

__all__ = ["FactorScheduler", "LRScheduler", "current_values", "per_group", "set_option"]

_ADVICE = "https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate"
EPOCH_WARNING = (
    "The epoch parameter in `scheduler.step()` was not necessary and is being deprecated where "
    "possible. Please use `scheduler.step()` to step the scheduler. During the deprecation, if "
    "epoch is different from None, the closed form is used instead of the new chainable form, "
    "where available.")


def _copied(x: Any) -> Any:
    return x.clone() if isinstance(x, Tensor) else x


def per_group(name: str, optimizer: Optimizer, value: Any) -> list:
    """One value per parameter group, from a list or from one value for all."""
    count = len(optimizer.param_groups)
    if not isinstance(value, (list, tuple)):
        value = [value] * count
    elif len(value) != count:
        raise ValueError(f"{name} must have the same length as optimizer.param_groups. {name} has "
                         f"{len(value)} values, param_groups has {count}.")
    return [_copied(v) for v in value]


def current_values(optimizer: Optimizer, key: str) -> list:
    """An option of each parameter group."""
    return [_copied(group[key]) for group in optimizer.param_groups]


def set_option(group: dict[str, Any], key: str, value: Any) -> None:
    """Set an option; a tensor keeps its identity."""
    if isinstance(group[key], Tensor):
        group[key].fill_(as_number(value))
    else:
        group[key] = value


def require_optimizer(optimizer: Any) -> Optimizer:
    """`optimizer`, or PyTorch's TypeError."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
    return optimizer


class LRScheduler:
    """The base class of learning-rate schedulers.

    Args:
        optimizer: whose groups' "lr" is set.
        last_epoch: the number of the last step, when training goes on; -1 to begin.

    A subclass defines ``get_lr()``: the learning rates of all groups at ``self.last_epoch``.
    """

    _get_lr_called_within_step = False
    _is_initial = False

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = require_optimizer(optimizer)
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", _copied(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{i}] when resuming "
                    "scheduler with last_epoch >= 0.\nThis typically happens when:\n"
                    "1. You're trying to resume training from a checkpoint but haven't properly "
                    "loaded the optimizer state\n"
                    "2. You're using last_epoch >= 0 for a fresh training run (not recommended)")
        self.base_lrs = current_values(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        _watch_step(optimizer)
        self._initial_step()

    def _initial_step(self) -> None:
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer."""
        return {key: value for key, value in self.__dict__.items() if key != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what ``state_dict`` returned."""
        self.__dict__.update(state_dict)

    def get_last_lr(self) -> list:
        """The learning rates that the last step set."""
        return self._last_lr

    def get_lr(self) -> list:
        """The learning rates of all groups; called by ``step``."""
        raise NotImplementedError

    def step(self, epoch: int | None = None) -> None:
        """Set the learning rates of the next epoch (or whatever a step stands for)."""
        if self._step_count == 1:
            self._check_order()
        self._step_count += 1
        if epoch is not None:
            warnings.warn(EPOCH_WARNING, UserWarning, stacklevel=2)
        self._update_lr(epoch)

    def _check_order(self) -> None:
        if not hasattr(self.optimizer.step, "_wrapped_by_lr_sched"):
            warnings.warn("Seems like `optimizer.step()` has been overridden after learning rate "
                          "scheduler initialization. Please, make sure to call `optimizer.step()` "
                          f"before `lr_scheduler.step()`. See more details at {_ADVICE}",
                          UserWarning, stacklevel=3)
        elif not getattr(self.optimizer, "_opt_called", False):
            warnings.warn("Detected call of `lr_scheduler.step()` before `optimizer.step()`. In "
                          "PyTorch 1.1.0 and later, you should call them in the opposite order: "
                          "`optimizer.step()` before `lr_scheduler.step()`.  Failure to do this "
                          "will result in PyTorch skipping the first value of the learning rate "
                          f"schedule. See more details at {_ADVICE}", UserWarning, stacklevel=3)

    def _update_lr(self, epoch: int | None = None) -> None:
        self._get_lr_called_within_step = True
        try:
            if epoch is None:
                self.last_epoch += 1
                values = self.get_lr()
            else:
                self.last_epoch = epoch
                closed = getattr(self, "_get_closed_form_lr", None)
                values = self.get_lr() if closed is None else closed()
        finally:
            self._get_lr_called_within_step = False
        self._set(values)

    def _set(self, values: list) -> None:
        for group, lr in zip(self.optimizer.param_groups, values):
            set_option(group, "lr", lr)
        self._last_lr = current_values(self.optimizer, "lr")

    def _warn_outside_step(self) -> None:
        if not self._get_lr_called_within_step:
            warnings.warn("To get the last learning rate computed by the scheduler, please use "
                          "`get_last_lr()`.", UserWarning, stacklevel=3)


class FactorScheduler(LRScheduler):
    """Schedulers that multiply the present learning rate, so that several can be chained."""

    def _factor(self) -> float | None:
        """What this step multiplies with; None leaves the learning rate as it is."""
        raise NotImplementedError

    def _closed_factor(self) -> float:
        """What the base learning rate is multiplied with, of `last_epoch` alone."""
        raise NotImplementedError

    def get_lr(self) -> list:
        """The learning rates of all groups."""
        self._warn_outside_step()
        factor = self._factor()
        if factor is None:
            return current_values(self.optimizer, "lr")
        return [group["lr"] * factor for group in self.optimizer.param_groups]

    def _get_closed_form_lr(self) -> list:
        return [base * self._closed_factor() for base in self.base_lrs]


def _watch_step(optimizer: Optimizer) -> None:
    """Let `optimizer` remember that its step was called."""
    step: Any = optimizer.step
    if hasattr(step, "_wrapped_by_lr_sched"):
        return
    function, reference = step.__func__, weakref.ref(optimizer)

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        watched = reference()
        watched._opt_called = True
        return function.__get__(watched, type(watched))(*args, **kwargs)

    wrapper._wrapped_by_lr_sched = True  # type: ignore[attr-defined]
    optimizer.step = wrapper  # type: ignore[method-assign]


# ---- schedulers that hold functions or other schedulers ----


class FunctionState:
    """Saving of `lr_lambdas`: functions are not saved, the attributes of callable objects are."""

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer and plain functions."""
        kept = {key: value for key, value in self.__dict__.items()
                if key not in ("optimizer", "lr_lambdas")}
        kept["lr_lambdas"] = [None if isinstance(f, types.FunctionType) else f.__dict__.copy()
                              for f in self.lr_lambdas]  # type: ignore[attr-defined]
        return kept

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what ``state_dict`` returned."""
        self.__dict__.update({k: v for k, v in state_dict.items() if k != "lr_lambdas"})
        for function, saved in zip(self.lr_lambdas, state_dict["lr_lambdas"]):  # type: ignore
            if saved is not None:
                function.__dict__.update(saved)


class NestedState:
    """Saving of `_schedulers`: each by its own state_dict."""

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer; a list of dicts for the schedulers."""
        kept = {key: value for key, value in self.__dict__.items()
                if key not in ("optimizer", "_schedulers")}
        kept["_schedulers"] = [s.state_dict() for s in self._schedulers]  # type: ignore
        return kept

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what ``state_dict`` returned."""
        self.__dict__.update({k: v for k, v in state_dict.items() if k != "_schedulers"})
        for scheduler, saved in zip(self._schedulers, state_dict["_schedulers"]):  # type: ignore
            scheduler.load_state_dict(saved)
