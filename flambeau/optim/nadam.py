"""NAdam: Adam with Nesterov's momentum."""

from __future__ import annotations

from ..graph.ir import p
from ._elementwise import Elementwise, check_betas, check_lr, check_not_negative
from ._update import Update, divide, lerp, plus, root, times
from .optimizer import as_number

__all__ = ["NAdam"]


def _rule(options, numbers, parameter, gradient, mean, square):
    decay, decoupled, maximize = options
    weight_decay, weight1, beta2, weight2, correction2, eps, now, ahead = numbers
    if maximize:
        gradient = p.neg(gradient)
    if decay and decoupled:
        parameter = times(parameter, weight_decay)        # the factor 1 - lr * weight_decay
    elif decay:
        gradient = p.add(gradient, times(parameter, weight_decay))
    mean = lerp(mean, gradient, weight1)
    square = p.add(times(square, beta2), times(p.mul(gradient, gradient), weight2))
    scale = plus(root(divide(square, correction2)), eps)
    parameter = p.sub(parameter, p.div(times(gradient, now), scale))
    return p.sub(parameter, p.div(times(mean, ahead), scale)), mean, square


class NAdam(Elementwise):
    r"""Adam that looks one step of momentum ahead.

    .. math:: \mu_t = \beta_1 (1 - 0.96^{t \psi} / 2), \quad
              \theta_t = \theta_{t-1} - \gamma \left(
              \frac{(1 - \mu_t) g_t}{1 - \prod_{i \le t} \mu_i} +
              \frac{\mu_{t+1} m_t}{1 - \prod_{i \le t+1} \mu_i} \right) /
              (\sqrt{\hat v_t} + \epsilon)

    Args:
        params: parameters or parameter groups.
        lr: :math:`\gamma`; betas: :math:`(\beta_1, \beta_2)`; eps; momentum_decay: :math:`\psi`.
        weight_decay: L2 penalty, or decoupled with `decoupled_weight_decay`.
        maximize: follow the gradient upwards; foreach: accepted.

    Reference: Dozat, Incorporating Nesterov Momentum into Adam, 2016.
    """

    _update = Update("NAdam.step", _rule)
    _counters = {"step": 0.0, "mu_product": 1.0}

    def __init__(self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0,
                 momentum_decay=4e-3, decoupled_weight_decay=False, *, foreach=None,
                 maximize=False, capturable=False, differentiable=False):
        check_lr(lr)
        check_not_negative(eps=eps)
        check_betas(betas)
        check_not_negative(weight_decay=weight_decay, momentum_decay=momentum_decay)
        super().__init__(params, {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
            "momentum_decay": momentum_decay, "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize, "foreach": foreach, "capturable": capturable,
            "differentiable": differentiable})

    def _state_names(self, group):
        return "exp_avg", "exp_avg_sq"

    def _options(self, group, counts):
        return (group["weight_decay"] != 0, bool(group["decoupled_weight_decay"]),
                bool(group["maximize"]))

    @staticmethod
    def _momentum(group, step):
        return group["betas"][0] * (1.0 - 0.5 * 0.96 ** (step * group["momentum_decay"]))

    def _advance(self, group, counts):
        step, product = counts[0] + 1.0, counts[1]
        return step, product * self._momentum(group, step)

    def _numbers(self, group, counts):
        step, product = counts
        lr, (beta1, beta2) = as_number(group["lr"]), group["betas"]
        decay = group["weight_decay"]
        if group["decoupled_weight_decay"]:
            decay = 1 - lr * decay
        after = self._momentum(group, step + 1.0)
        now = lr * (1.0 - self._momentum(group, step)) / (1.0 - product)
        return (decay, 1 - beta1, beta2, 1 - beta2, 1 - beta2 ** step, group["eps"], now,
                lr * after / (1.0 - product * after))
