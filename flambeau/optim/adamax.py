"""Adamax: Adam with the largest gradient in place of the second moment."""

from __future__ import annotations

from ..graph.ir import p
from ._elementwise import Elementwise, check_betas, check_lr, check_not_negative
from ._update import Update, lerp, plus, times
from .optimizer import as_number

__all__ = ["Adamax"]


def _rule(options, numbers, parameter, gradient, mean, largest):
    decay, maximize = options
    step_size, weight_decay, rest, beta2, eps = numbers
    if maximize:
        gradient = p.neg(gradient)
    if decay:
        gradient = p.add(gradient, times(parameter, weight_decay))
    mean = lerp(mean, gradient, rest)
    largest = p.maximum(times(largest, beta2), plus(p.abs(gradient), eps))
    return p.sub(parameter, p.div(times(mean, step_size), largest)), mean, largest


class Adamax(Elementwise):
    r"""Adam in the infinity norm.

    .. math:: m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \quad
              u_t = \max(\beta_2 u_{t-1}, |g_t| + \epsilon), \quad
              \theta_t = \theta_{t-1} - \frac{\gamma}{1 - \beta_1^t} m_t / u_t

    Args:
        params: parameters or parameter groups.
        lr: :math:`\gamma`; betas: :math:`(\beta_1, \beta_2)`; eps; weight_decay: L2 penalty.
        maximize: follow the gradient upwards; foreach: accepted.

    Reference: Kingma and Ba, Adam: A Method for Stochastic Optimization, ICLR 2015.
    """

    _update = Update("Adamax.step", _rule)

    def __init__(self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0,
                 foreach=None, *, maximize=False, differentiable=False, capturable=False):
        check_lr(lr)
        check_not_negative(eps=eps)
        check_betas(betas)
        check_not_negative(weight_decay=weight_decay)
        super().__init__(params, {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
            "foreach": foreach, "maximize": maximize, "differentiable": differentiable,
            "capturable": capturable})

    def _state_names(self, group):
        return "exp_avg", "exp_inf"

    def _options(self, group, counts):
        return group["weight_decay"] != 0, bool(group["maximize"])

    def _numbers(self, group, counts):
        beta1, beta2 = group["betas"]
        step_size = as_number(group["lr"]) / (1 - beta1 ** counts[0])
        return step_size, group["weight_decay"], 1 - beta1, beta2, group["eps"]
