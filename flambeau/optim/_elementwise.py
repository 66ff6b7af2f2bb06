"""Optimizers that treat each element alike: SGD, Adam and their relatives.

A subclass names its states and gives the options that shape the program, the numbers of a step and
the rule (see ``_update``). States that are one number per parameter (``step``) stay outside the
program: they are Python numbers when it is recorded.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from ..graph.ir import building
from ..record.rollback import note_write
from ..record.trace import current_trace
from ..record.values import Value, concrete
from ..runtime.buffer import Buffer
from ..tensor import Tensor, from_array, from_value
from ._update import Update, write
from .optimizer import Optimizer, as_number, evaluated, scalar_dtype

__all__ = ["Elementwise", "check_betas", "check_lr", "check_not_negative", "check_switches",
           "filled"]


class Elementwise(Optimizer):
    """The step that all elementwise optimizers share."""

    _update: ClassVar[Update]
    # names of states that hold one number per parameter, and their first values
    _counters: ClassVar[dict[str, float]] = {"step": 0.0}

    # ---- what a subclass says ------------------------------------------------------------

    def _state_names(self, group: dict[str, Any]) -> tuple[str, ...]:
        """The states of the shape of the parameter, in the order that the rule takes them."""
        raise NotImplementedError

    def _options(self, group: dict[str, Any], counts: tuple[float, ...]) -> tuple:
        """What decides the program, hashable."""
        raise NotImplementedError

    def _numbers(self, group: dict[str, Any], counts: tuple[float, ...]) -> Iterable[float]:
        """The numbers of this step, after the counters advanced."""
        raise NotImplementedError

    def _advance(self, group: dict[str, Any], counts: tuple[float, ...]) -> tuple[float, ...]:
        """The counters of the next step."""
        return (counts[0] + 1.0,)

    def _first(self, name: str, group: dict[str, Any], parameter: Tensor) -> Tensor:
        """A state before the first step."""
        return filled(parameter, 0.0)

    def _first_count(self, name: str, group: dict[str, Any]) -> float:
        return self._counters[name]

    # ---- the step ------------------------------------------------------------

    def _begin(self, group: dict[str, Any], parameter: Tensor) -> dict[str, Any]:
        """The state of a parameter that has none yet."""
        state: dict[str, Any] = self.state[parameter]
        kind = scalar_dtype()
        for name in self._counters:
            first = self._first_count(name, group)
            state[name] = from_array(np.array(first, kind.storage), kind)
        for name in self._state_names(group):
            state[name] = self._first(name, group, parameter)
        return state

    def step(self, closure=None):
        """Update the parameters once; returns the closure's loss."""
        loss = evaluated(closure)
        before, building.grad_enabled = building.grad_enabled, False
        try:
            for group in self.param_groups:
                self._step_group(group)
        finally:
            building.grad_enabled = before
        return loss

    def _step_group(self, group: dict[str, Any]) -> None:
        counters, names = tuple(self._counters), self._state_names(group)
        if group.get("capturable"):
            raise AssertionError("If capturable=True, params and state_steps must be on supported "
                                 "devices: an accelerator; these are on the CPU. Leave capturable "
                                 "at False.")
        # parameters whose counters hold the same values are updated in one event
        batches: dict[tuple[Value, ...], tuple[list, ...]] = {}
        states = self.state
        for parameter in group["params"]:
            gradient = parameter._grad
            if gradient is None:
                continue
            state = states[parameter] if counters or names else {}
            if not state and (counters or names):
                state = self._begin(group, parameter)
            key = tuple([state[n]._value for n in counters])
            batch = batches.get(key)
            if batch is None:
                batch = batches[key] = ([], [], [])
            batch[0].append(parameter)
            batch[1].append(gradient)
            batch[2].append(state)
        if len(batches) > 1:
            batches = _merged(batches)
        for batch in batches.values():
            self._step_batch(group, counters, names, *batch)

    def _step_batch(self, group, counters, names, parameters, gradients, states) -> None:
        advanced: tuple[float, ...] = ()
        if counters:
            counts = tuple([_read(states[0][n]) for n in counters])
            advanced = self._count(group, counters, counts, states)
        columns = [parameters, gradients]
        for name in names:
            columns.append([state[name] for state in states])
        made = self._update.record(self._options(group, advanced), columns,
                                   [as_number(n) for n in self._numbers(group, advanced)])
        write(parameters, made[0])
        for column, values in zip(columns[2:], made[1:]):
            write(column, values)

    def _count(self, group, counters, counts, states) -> tuple[float, ...]:
        """Advance the counters; the batch shares their new values."""
        rounded = []
        for name, number in zip(counters, self._advance(group, counts)):
            tensor = states[0][name]
            array = np.array(number, tensor.dtype.storage)
            value = concrete(array, tensor.dtype)
            value.shared = True              # by several tensors: never written in place
            for state in states:
                tensor = state[name]
                if tensor._storage is not None:
                    tensor._assign(from_value(value), mark=False)
                else:
                    note_write(current_trace(), tensor, tensor._value, is_small=True)
                    tensor._value = value
                    tensor._version_count += 1
            rounded.append(float(array))
        return tuple(rounded)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for held in self.state.values():
            for name in self._counters:
                if name in held and not isinstance(held[name], Tensor):
                    kind = scalar_dtype()     # files of old versions hold plain numbers
                    held[name] = from_array(np.array(float(held[name]), kind.storage), kind)


def _read(counter: Tensor) -> float:
    array = counter._value._array
    return float(array) if array is not None and counter._storage is None else counter.item()


def _merged(batches: dict) -> dict:
    """Batches whose counters are equal as numbers become one (after loading a state)."""
    merged: dict[tuple, tuple[list, ...]] = {}
    for key, batch in batches.items():
        kinds = tuple((float(v.array) if v.is_concrete else id(v), v.aval.dtype) for v in key)
        if kinds in merged:
            for column, more in zip(merged[kinds], batch):
                column.extend(more)
        else:
            merged[kinds] = batch
    return merged


def filled(parameter: Tensor, number: float | complex) -> Tensor:
    """A tensor like `parameter`, filled with `number`."""
    kind = parameter.dtype
    if number == 0:
        value = Value(parameter._fetch().aval)
        value.set_buffer(Buffer.zeros(value.aval.nbytes))
        return from_value(value)
    if kind.storage is kind.compute:
        return from_array(np.full(tuple(parameter.shape), number, kind.storage), kind)
    from ..construct import full_like
    return full_like(parameter, number, requires_grad=False)


# ---- checks of arguments, in the words of PyTorch ----


def check_lr(lr: Any) -> None:
    """A learning rate: a number or a 1-element tensor, not negative."""
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ValueError("Tensor lr must be 1-element")
    if not 0.0 <= lr:
        raise ValueError(f"Invalid learning rate: {lr}")


def check_not_negative(**options: Any) -> None:
    """Raise for options below zero; eps is called epsilon."""
    for name, value in options.items():
        if not 0.0 <= value:
            name = "epsilon" if name == "eps" else name
            raise ValueError(f"Invalid {name} value: {value}")


def check_betas(betas: Any) -> None:
    """Two decay rates in [0, 1)."""
    for i in range(2):
        if not 0.0 <= betas[i] < 1.0:
            raise ValueError(f"Invalid beta parameter at index {i}: {betas[i]}")


def check_switches(foreach: Any, fused: Any) -> None:
    """foreach and fused choose among PyTorch's implementations of the same update."""
    if fused and foreach:
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")
