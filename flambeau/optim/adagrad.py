"""Adagrad: each element's learning rate falls with the sum of its squared gradients."""

from __future__ import annotations

from ..graph.ir import p
from ._elementwise import Elementwise, check_lr, check_not_negative, check_switches, filled
from ._update import Update, plus, root, times
from .optimizer import as_number

__all__ = ["Adagrad"]


def _rule(options, numbers, parameter, gradient, total):
    decay, maximize = options
    lr, weight_decay, eps = numbers
    if maximize:
        gradient = p.neg(gradient)
    if decay:
        gradient = p.add(gradient, times(parameter, weight_decay))
    total = p.add(total, p.mul(gradient, gradient))
    change = p.div(times(gradient, lr), plus(root(total), eps))
    return p.sub(parameter, change), total


class Adagrad(Elementwise):
    r"""Divide by the root of the sum of squared gradients.

    .. math:: s_t = s_{t-1} + g_t^2, \quad \theta_t = \theta_{t-1} -
              \frac{\gamma}{1 + (t - 1) \eta} g_t / (\sqrt{s_t} + \epsilon)

    Args:
        params: parameters or parameter groups.
        lr: :math:`\gamma`; lr_decay: :math:`\eta`; eps: :math:`\epsilon`.
        weight_decay: L2 penalty; initial_accumulator_value: :math:`s_0`.
        maximize: follow the gradient upwards; foreach, fused: accepted.

    Reference: Duchi, Hazan and Singer, Adaptive Subgradient Methods, JMLR 2011.
    """

    _update = Update("Adagrad.step", _rule)

    def __init__(self, params, lr=1e-2, lr_decay=0, weight_decay=0, initial_accumulator_value=0,
                 eps=1e-10, foreach=None, *, maximize=False, differentiable=False, fused=None):
        check_lr(lr)
        check_not_negative(lr_decay=lr_decay, weight_decay=weight_decay,
                           initial_accumulator_value=initial_accumulator_value, eps=eps)
        super().__init__(params, {
            "lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "fused": fused})
        check_switches(foreach, fused)
        for group in self.param_groups:
            for parameter in group["params"]:
                self._begin(group, parameter)

    def share_memory(self):
        """Move the sums to shared memory."""
        for group in self.param_groups:
            for parameter in group["params"]:
                self.state[parameter]["sum"].share_memory_()

    def _first(self, name, group, parameter):
        first = self.defaults["initial_accumulator_value"]
        return filled(parameter, complex(first, first) if parameter.dtype.is_complex else first)

    def _state_names(self, group):
        return ("sum",)

    def _options(self, group, counts):
        return group["weight_decay"] != 0, bool(group["maximize"])

    def _numbers(self, group, counts):
        lr = as_number(group["lr"]) / (1 + (counts[0] - 1) * group["lr_decay"])
        return lr, group["weight_decay"], group["eps"]
