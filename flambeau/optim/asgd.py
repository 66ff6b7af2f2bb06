"""ASGD: averaged stochastic gradient descent."""

from __future__ import annotations

from ..graph.ir import p
from ._elementwise import Elementwise, check_lr, check_not_negative
from ._update import Update, times
from .optimizer import as_number

__all__ = ["ASGD"]


def _rule(options, numbers, parameter, gradient, average):
    decay, averaging, maximize = options
    weight_decay, shrink, eta, mu = numbers
    if maximize:
        gradient = p.neg(gradient)
    if decay:
        gradient = p.add(gradient, times(parameter, weight_decay))
    parameter = p.sub(times(parameter, shrink), times(gradient, eta))
    if averaging:
        average = p.add(average, times(p.sub(parameter, average), mu))
    else:
        average = p.detach(parameter)
    return parameter, average


class ASGD(Elementwise):
    r"""Stochastic gradient descent that keeps the average of the parameters in state "ax".

    .. math:: \theta_t = (1 - \lambda \eta_t) \theta_{t-1} - \eta_t g_t, \quad
              \eta_{t+1} = \gamma / (1 + \lambda \gamma t)^\alpha

    Args:
        params: parameters or parameter groups.
        lr: :math:`\gamma`; lambd: :math:`\lambda`; alpha: :math:`\alpha`.
        t0: the step from which on is averaged; weight_decay: L2 penalty.
        maximize: follow the gradient upwards; foreach: accepted.

    Reference: Polyak and Juditsky, Acceleration of Stochastic Approximation by Averaging, 1992.
    """

    _update = Update("ASGD.step", _rule)
    _counters = {"step": 0.0, "eta": 0.0, "mu": 1.0}

    def __init__(self, params, lr=1e-2, lambd=1e-4, alpha=0.75, t0=1e6, weight_decay=0,
                 foreach=None, maximize=False, differentiable=False, capturable=False):
        check_lr(lr)
        check_not_negative(weight_decay=weight_decay)
        super().__init__(params, {
            "lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay,
            "foreach": foreach, "maximize": maximize, "differentiable": differentiable,
            "capturable": capturable})

    def _first_count(self, name, group):
        return as_number(group["lr"]) if name == "eta" else self._counters[name]

    def _state_names(self, group):
        return ("ax",)

    def _count(self, group, counters, counts, states):
        # this step uses eta and mu as they were; what is stored is for the next one
        super()._count(group, counters, counts, states)
        return counts

    def _advance(self, group, counts):
        step, lr, lambd = counts[0] + 1.0, as_number(group["lr"]), group["lambd"]
        return (step, lr / (1 + lambd * lr * step) ** group["alpha"],
                1 / max(1, step - group["t0"]))

    def _options(self, group, counts):
        return group["weight_decay"] != 0, counts[2] != 1, bool(group["maximize"])

    def _numbers(self, group, counts):
        return group["weight_decay"], 1 - group["lambd"] * counts[1], counts[1], counts[2]
