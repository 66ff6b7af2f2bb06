"""Muon: momentum, orthogonalised by Newton-Schulz iterations."""

from __future__ import annotations

import math

from ..construct import zeros_like
from ..tensor import Tensor
from .optimizer import Optimizer, as_number, evaluated

__all__ = ["Muon"]


class Muon(Optimizer):
    r"""Replace the momentum of a matrix by the nearest orthogonal matrix.

    Args:
        params: parameters of two dimensions.
        lr, weight_decay (decoupled), momentum, nesterov: as in SGD.
        ns_coefficients, ns_steps, eps: of the Newton-Schulz iteration, which runs in bfloat16.
        adjust_lr_fn: None or "original", or "match_rms_adamw".

    Reference: Jordan et al., Muon: An optimizer for hidden layers in neural networks, 2024.
    """

    def __init__(self, params, lr=1e-3, weight_decay=0.1, momentum=0.95, nesterov=True,
                 ns_coefficients=(3.4445, -4.7750, 2.0315), eps=1e-7, ns_steps=5,
                 adjust_lr_fn=None):
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        for name, value in (("Learning rate", lr), ("momentum", momentum),
                            ("weight decay", weight_decay)):
            if not 0.0 <= value:
                raise ValueError(f"{name} should be >= 0 but is: {value}")
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        super().__init__(params, {
            "lr": lr, "weight_decay": weight_decay, "momentum": momentum, "nesterov": nesterov,
            "ns_coefficients": ns_coefficients, "eps": eps, "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn})
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.ndim != 2:
                    raise ValueError("Muon only supports 2D parameters whereas we found a "
                                     f"parameter with size: {parameter.size()}")

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

    def _update(self, group, parameter, gradient) -> None:
        if gradient.dtype.is_complex:
            raise RuntimeError("Muon does not support complex parameters")
        state = self.state[parameter]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = zeros_like(gradient)
        buffer, lr = state["momentum_buffer"], as_number(group["lr"])
        buffer.lerp_(gradient, 1 - group["momentum"])
        change = gradient.lerp(buffer, group["momentum"]) if group["nesterov"] else buffer
        change = _orthogonal(change, group["ns_coefficients"], group["ns_steps"], group["eps"])
        parameter.mul_(1 - lr * group["weight_decay"])
        parameter.add_(change.to(parameter.dtype), alpha=-_adjusted(lr, group, parameter.shape))


def _orthogonal(matrix, coefficients, steps, eps):
    """The orthogonal factor of `matrix`, about, in bfloat16."""
    if steps >= 100:
        raise ValueError("Number of steps must be less than 100 for computational efficiency")
    if len(coefficients) != 3:
        raise ValueError("Coefficients must be a tuple of exactly 3 values")
    a, b, c = coefficients
    tall = matrix.size(0) > matrix.size(1)
    x = matrix.bfloat16()
    x = x.T if tall else x
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):          # each sum of products is rounded to bfloat16 once
        x = x.float()
        gram = (x @ x.T).bfloat16().float()
        polynomial = (b * gram + c * (gram @ gram)).bfloat16().float()
        x = (a * x + polynomial @ x).bfloat16()
    return x.T if tall else x


def _adjusted(lr, group, shape):
    rows, columns = shape[:2]
    if group["adjust_lr_fn"] == "match_rms_adamw":
        return lr * 0.2 * math.sqrt(max(rows, columns))
    return lr * math.sqrt(max(1, rows / columns))
