"""RAdam: Adam whose first steps are rectified while the second moment is uncertain."""

from __future__ import annotations

from ..graph.ir import p
from ._elementwise import Elementwise, check_betas, check_lr, check_not_negative
from ._update import Update, lerp, plus, root, times
from .optimizer import as_number

__all__ = ["RAdam"]


def _rule(options, numbers, parameter, gradient, mean, square):
    decay, decoupled, maximize = options
    weight_decay, weight1, beta2, weight2, plain, rectified, eps = numbers
    if maximize:
        gradient = p.neg(gradient)
    if decay and decoupled:
        parameter = times(parameter, weight_decay)        # the factor 1 - lr * weight_decay
    elif decay:
        gradient = p.add(gradient, times(parameter, weight_decay))
    mean = lerp(mean, gradient, weight1)
    square = p.add(times(square, beta2), times(p.mul(gradient, gradient), weight2))
    # one of the two factors is 0: both are numbers, so that the switch compiles nothing
    change = p.add(times(mean, plain), p.div(times(mean, rectified), plus(root(square), eps)))
    return p.sub(parameter, change), mean, square


class RAdam(Elementwise):
    r"""Rectified Adam.

    .. math:: \rho_t = \rho_\infty - 2 t \beta_2^t / (1 - \beta_2^t), \quad
              \rho_\infty = 2 / (1 - \beta_2) - 1

    Where :math:`\rho_t > 5` the step is Adam's, times the rectification; else plain momentum.

    Args:
        params: parameters or parameter groups.
        lr; betas: :math:`(\beta_1, \beta_2)`; eps.
        weight_decay: L2 penalty, or decoupled with `decoupled_weight_decay`.
        maximize: follow the gradient upwards; foreach: accepted.

    Reference: Liu et al., On the Variance of the Adaptive Learning Rate and Beyond, ICLR 2020.
    """

    _update = Update("RAdam.step", _rule)

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0,
                 decoupled_weight_decay=False, *, foreach=None, maximize=False, capturable=False,
                 differentiable=False):
        check_lr(lr)
        check_not_negative(eps=eps)
        check_betas(betas)
        check_not_negative(weight_decay=weight_decay)
        super().__init__(params, {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
            "maximize": maximize, "foreach": foreach, "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay, "differentiable": differentiable})

    def _state_names(self, group):
        return "exp_avg", "exp_avg_sq"

    def _options(self, group, counts):
        return (group["weight_decay"] != 0, bool(group["decoupled_weight_decay"]),
                bool(group["maximize"]))

    def _numbers(self, group, counts):
        step, lr, (beta1, beta2) = counts[0], as_number(group["lr"]), group["betas"]
        decay = group["weight_decay"]
        if group["decoupled_weight_decay"]:
            decay = 1 - lr * decay
        correction2 = 1 - beta2 ** step
        limit = 2 / (1 - beta2) - 1
        length = limit - 2 * step * beta2 ** step / correction2
        step_size = lr / (1 - beta1 ** step)
        plain, rectified = step_size, 0.0
        if length > 5.0:
            share = ((length - 4) * (length - 2) * limit
                     / ((limit - 4) * (limit - 2) * length)) ** 0.5
            plain, rectified = 0.0, step_size * correction2 ** 0.5 * share
        return decay, 1 - beta1, beta2, 1 - beta2, plain, rectified, group["eps"]
