"""L-BFGS: a quasi-Newton method that calls its closure several times a step."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..graph.ir import building
from ..tensor import Tensor, from_array
from ._elementwise import check_lr
from ._line_search import Point, strong_wolfe
from .optimizer import Optimizer, as_number, evaluated

__all__ = ["LBFGS"]


class LBFGS(Optimizer):
    """Limited-memory BFGS; all parameters are in one group, and ``step`` needs a closure.

    Args:
        params: parameters.
        lr: the step length (the first length tried by the line search).
        max_iter, max_eval: iterations and evaluations of the closure a step.
        tolerance_grad, tolerance_change: stop when gradient or change are smaller.
        history_size: updates remembered.
        line_search_fn: None or "strong_wolfe".

    >>> import flambeau as torch
    >>> w = torch.tensor([3.0], requires_grad=True)
    >>> optimizer = torch.optim.LBFGS([w])
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = ((w - 1) ** 2).sum()
    ...     loss.backward()
    ...     return loss
    >>> _ = optimizer.step(closure)
    >>> round(w.item(), 3)
    1.0

    Reference: Nocedal and Wright, Numerical Optimization, 2nd edition, algorithm 7.5.
    """

    def __init__(self, params, lr=1, max_iter=20, max_eval=None, tolerance_grad=1e-7,
                 tolerance_change=1e-9, history_size=100, line_search_fn=None):
        check_lr(lr)
        super().__init__(params, {
            "lr": lr, "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change,
            "history_size": history_size, "line_search_fn": line_search_fn})
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")
        self._params = self.param_groups[0]["params"]

    # ---- parameters and gradients as one vector --------------------------------------------------

    def _flat_gradient(self) -> np.ndarray:
        parts = [np.zeros(_reals(q._array()).shape, q.dtype.to_real().storage)
                 if q._grad is None else _reals(q._grad._array()) for q in self._params]
        return np.concatenate(parts)

    def _values(self) -> list[np.ndarray]:
        return [q._array().copy() for q in self._params]

    def _set(self, arrays: list[np.ndarray]) -> None:
        before, building.grad_enabled = building.grad_enabled, False
        try:
            for parameter, array in zip(self._params, arrays):
                parameter._assign(from_array(array, parameter.dtype))
        finally:
            building.grad_enabled = before

    def _move(self, t: float, direction: np.ndarray) -> None:
        moved, offset = self._values(), 0
        for array in moved:
            flat = _reals(array)
            flat += flat.dtype.type(t) * direction[offset:offset + flat.size].astype(flat.dtype)
            offset += flat.size
        self._set(moved)

    def _evaluate(self, closure, start: list[np.ndarray], t: float, direction) -> Point:
        """The loss and gradient at distance t; the parameters go back to where they were."""
        self._move(t, direction)
        loss = float(evaluated(closure))
        gradient = self._flat_gradient()
        self._set([a.copy() for a in start])
        return Point(t, loss, gradient, float(gradient.dot(direction)))

    # ---- the step ------------------------------------------------------------

    def step(self, closure):  # type: ignore[override]
        """Minimise for up to `max_iter` iterations; returns the loss before them."""
        group = self.param_groups[0]
        if group["line_search_fn"] not in (None, "strong_wolfe"):
            raise RuntimeError("only 'strong_wolfe' is supported: received "
                               f"{group['line_search_fn']!r} as line_search_fn")
        memory = _Memory(self.state[self._params[0]], group["history_size"])
        first_loss = evaluated(closure)
        loss, evaluations = float(first_loss), 1
        memory.state["func_evals"] += 1
        gradient = self._flat_gradient()
        if np.abs(gradient).max() <= group["tolerance_grad"]:
            return first_loss
        for iteration in range(1, group["max_iter"] + 1):
            memory.state["n_iter"] += 1
            direction = memory.direction(gradient)
            before = loss
            t = as_number(group["lr"])
            if memory.state["n_iter"] == 1:
                t *= min(1.0, 1.0 / float(np.abs(gradient).sum()))
            memory.t = t
            slope = float(gradient.dot(direction))
            if slope > -group["tolerance_change"]:
                break
            calls = 0
            if group["line_search_fn"] is not None:
                start = self._values()
                found, calls = strong_wolfe(
                    lambda s: self._evaluate(closure, start, s, direction),   # noqa: B023
                    Point(0.0, loss, gradient, slope), t, float(np.abs(direction).max()), 1e-9,
                    group["max_eval"] - evaluations)
                loss, gradient, memory.t = found.loss, found.gradient, found.t
                self._move(memory.t, direction)
            else:
                self._move(t, direction)
                if iteration != group["max_iter"]:
                    loss, calls = float(evaluated(closure)), 1
                    gradient = self._flat_gradient()
            evaluations += calls
            memory.state["func_evals"] += calls
            if (evaluations >= group["max_eval"]
                    or np.abs(gradient).max() <= group["tolerance_grad"]
                    or np.abs(direction * memory.t).max() <= group["tolerance_change"]
                    or abs(loss - before) < group["tolerance_change"]):
                break
        memory.keep(before)
        return first_loss


def _reals(array: np.ndarray) -> np.ndarray:
    """A flat view of the elements as real numbers."""
    flat = array.reshape(-1)
    return flat.view(flat.real.dtype) if flat.dtype.kind == "c" else flat


class _Memory:
    """The curvature that past steps showed, kept in the optimizer's state as tensors."""

    def __init__(self, state: dict[str, Any], size: int):
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        self.state, self.size = state, size
        self.d = _array(state.get("d"))
        self.t = state.get("t")
        self.differences = [_array(x) for x in state.get("old_dirs") or ()]
        self.steps = [_array(x) for x in state.get("old_stps") or ()]
        self.ro = [float(x) for x in state.get("ro") or ()]
        self.scale = float(state.get("H_diag") or 1.0)
        self.previous = _array(state.get("prev_flat_grad"))

    def direction(self, gradient: np.ndarray) -> np.ndarray:
        """The quasi-Newton direction, after taking the last step into account."""
        if self.state["n_iter"] == 1:
            self.d = -gradient
        else:
            y, s = gradient - self.previous, self.d * gradient.dtype.type(self.t)
            ys = float(y.dot(s))
            if ys > 1e-10:
                if len(self.differences) == self.size:
                    for kept in (self.differences, self.steps, self.ro):
                        kept.pop(0)
                self.differences.append(y)
                self.steps.append(s)
                self.ro.append(1.0 / ys)
                self.scale = ys / float(y.dot(y))
            self.d = self._two_loops(-gradient)
        self.previous = gradient.copy()
        return self.d

    def _two_loops(self, q: np.ndarray) -> np.ndarray:
        weights = []
        number = q.dtype.type
        for y, s, ro in zip(self.differences[::-1], self.steps[::-1], self.ro[::-1]):
            weights.append(number(s.dot(q) * ro))
            q = q - weights[-1] * y
        r = q * number(self.scale)
        for y, s, ro, weight in zip(self.differences, self.steps, self.ro, weights[::-1]):
            r = r + s * (weight - number(y.dot(r) * ro))
        self.state["al"] = [from_array(np.array(w)) for w in weights[::-1]] + [None] * (
            self.size - len(weights))
        return r

    def keep(self, loss: float) -> None:
        """Write everything to the optimizer's state."""
        self.state.update(
            d=from_array(self.d), t=self.t, old_dirs=[from_array(y) for y in self.differences],
            old_stps=[from_array(s) for s in self.steps],
            ro=[from_array(np.array(r, self.d.dtype)) for r in self.ro],
            H_diag=from_array(np.array(self.scale, self.d.dtype)) if self.ro else 1,
            prev_flat_grad=from_array(self.previous), prev_loss=loss)


def _array(x: Tensor | None) -> Any:
    return None if x is None else x._array()
