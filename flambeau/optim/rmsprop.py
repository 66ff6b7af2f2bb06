"""RMSprop: gradients divided by their root mean square."""

from __future__ import annotations

from ..graph.ir import p
from ._elementwise import Elementwise, check_lr, check_not_negative
from ._update import Update, lerp, plus, root, times

__all__ = ["RMSprop"]


def _rule(options, numbers, parameter, gradient, square, *others):
    decay, momentum, centered, maximize = options
    lr, weight_decay, alpha, rest, eps, factor = numbers
    others = list(others)
    if maximize:
        gradient = p.neg(gradient)
    if decay:
        gradient = p.add(gradient, times(parameter, weight_decay))
    square = p.add(times(square, alpha), times(p.mul(gradient, gradient), rest))
    spread = square
    if centered:
        mean = others[-1] = lerp(others[-1], gradient, rest)
        spread = p.sub(square, p.mul(mean, mean))
    scale = plus(root(spread), eps)
    if momentum:
        buffer = others[0] = p.add(times(others[0], factor), p.div(gradient, scale))
        return p.sub(parameter, times(buffer, lr)), square, *others
    return p.sub(parameter, p.div(times(gradient, lr), scale)), square, *others


class RMSprop(Elementwise):
    r"""Divide by the root of a running mean of squared gradients.

    .. math:: v_t = \alpha v_{t-1} + (1 - \alpha) g_t^2, \quad
              \theta_t = \theta_{t-1} - \gamma g_t / (\sqrt{v_t} + \epsilon)

    Args:
        params: parameters or parameter groups.
        lr: :math:`\gamma`; alpha: :math:`\alpha`; eps: :math:`\epsilon`; weight_decay: L2 penalty.
        momentum: of the scaled gradient; centered: subtract the squared mean gradient.
        maximize: follow the gradient upwards; foreach: accepted.

    Reference: Tieleman and Hinton, Lecture 6.5 of Neural Networks for Machine Learning, 2012.
    """

    _update = Update("RMSprop.step", _rule)

    def __init__(self, params, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0, momentum=0,
                 centered=False, capturable=False, foreach=None, maximize=False,
                 differentiable=False):
        check_lr(lr)
        check_not_negative(eps=eps, momentum=momentum, weight_decay=weight_decay, alpha=alpha)
        super().__init__(params, {
            "lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered,
            "weight_decay": weight_decay, "capturable": capturable, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable})

    def _state_names(self, group):
        return ("square_avg", *(["momentum_buffer"] if group["momentum"] > 0 else []),
                *(["grad_avg"] if group["centered"] else []))

    def _options(self, group, counts):
        return (group["weight_decay"] != 0, group["momentum"] > 0, bool(group["centered"]),
                bool(group["maximize"]))

    def _numbers(self, group, counts):
        return (group["lr"], group["weight_decay"], group["alpha"], 1 - group["alpha"],
                group["eps"], group["momentum"])
