"""Adafactor: the second moment of a matrix kept as a column and a row."""

from __future__ import annotations

from ..construct import zeros
from ..dtypes import finfo
from ..tensor import Tensor
from .optimizer import Optimizer, as_number, evaluated, scalar_dtype

__all__ = ["Adafactor"]


class Adafactor(Optimizer):
    r"""Adam-like steps with memory that grows with the sum of a matrix's extents.

    Args:
        params: parameters or parameter groups.
        lr: the largest relative step; beta2_decay: exponent of the decay of the moments.
        eps: (regularisation of the moments, least scale of a parameter).
        d: where updates are clipped; weight_decay: decoupled.
        foreach: accepted; maximize: follow the gradient upwards.

    Reference: Shazeer and Stern, Adafactor: Adaptive Learning Rates with Sublinear Memory Cost,
    2018.
    """

    def __init__(self, params, lr=1e-2, beta2_decay=-0.8, eps=(None, 1e-3), d=1.0,
                 weight_decay=0.0, *, foreach=None, maximize=False):
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        for name, value in (("Learning rate", lr), ("epsilon1", eps[0]), ("epsilon2", eps[1]),
                            ("weight_decay", weight_decay)):
            if value is not None and not 0.0 <= value:
                raise ValueError(f"{name} should be >= 0 but is: {value}")
        if not 0.0 >= beta2_decay:
            raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        if not 1.0 <= d:
            raise ValueError(f"Clipping threshold d should be >= 1 but is: {d}")
        super().__init__(params, {"lr": lr, "beta2_decay": beta2_decay, "eps": eps, "d": d,
                                  "weight_decay": weight_decay, "foreach": foreach,
                                  "maximize": maximize})

    def step(self, closure=None):
        """Update the parameters once; returns the closure's loss."""
        from ..autograd.modes import no_grad
        loss = evaluated(closure)
        with no_grad():
            for group in self.param_groups:
                for parameter in group["params"]:
                    if parameter.grad is not None:
                        self._update(group, parameter, parameter.grad)
        return loss

    def _begin(self, parameter, gradient) -> dict:
        if gradient.dtype.is_complex:
            raise RuntimeError("Adafactor does not support complex parameters")
        state = self.state[parameter]
        if not state:
            state["step"] = zeros((), dtype=scalar_dtype())
            shape = list(gradient.shape)
            if len(shape) > 1:
                state["row_var"] = zeros(shape[:-1] + [1], dtype=gradient.dtype)
                state["col_var"] = zeros(shape[:-2] + [1, shape[-1]], dtype=gradient.dtype)
            else:
                state["variance"] = zeros(shape, dtype=gradient.dtype)
        return state

    def _update(self, group, parameter, gradient) -> None:
        state = self._begin(parameter, gradient)
        if group["maximize"]:
            gradient = -gradient
        state["step"] += 1
        step, lr = state["step"].item(), as_number(group["lr"])
        eps1, eps2 = group["eps"]
        eps1 = finfo(parameter.dtype).eps if eps1 is None else eps1
        weight = step ** group["beta2_decay"]
        scale = parameter.norm(2).item() / parameter.numel() ** 0.5
        alpha = max(eps2, scale) * min(lr, 1 / step ** 0.5)
        if group["weight_decay"] != 0:
            parameter.mul_(1 - lr * group["weight_decay"])
        if gradient.dim() > 1:
            row, column = state["row_var"], state["col_var"]
            square = gradient * gradient
            row.lerp_(square.mean(dim=-1, keepdim=True), weight)
            column.lerp_(square.mean(dim=-2, keepdim=True), weight)
            estimate = (row @ column) / row.mean(dim=-2, keepdim=True).clamp(min=eps1)
        else:
            state["variance"].lerp_(gradient * gradient, weight)
            estimate = state["variance"]
        change = estimate.clamp(min=eps1 * eps1).rsqrt() * gradient
        size = max(1.0, change.norm(2).item() / (change.numel() ** 0.5 * group["d"]))
        parameter.add_(change, alpha=-alpha / size)
