"""Adadelta: steps in the units of the parameters, from running means of squares."""

from __future__ import annotations

from ..graph.ir import p
from ._elementwise import Elementwise, check_lr, check_not_negative
from ._update import Update, plus, root, times

__all__ = ["Adadelta"]


def _rule(options, numbers, parameter, gradient, square, moved):
    decay, maximize = options
    lr, weight_decay, rho, rest, eps = numbers
    if maximize:
        gradient = p.neg(gradient)
    if decay:
        gradient = p.add(gradient, times(parameter, weight_decay))
    square = p.add(times(square, rho), times(p.mul(gradient, gradient), rest))
    change = p.mul(p.div(root(plus(moved, eps)), root(plus(square, eps))), gradient)
    moved = p.add(times(moved, rho), times(p.mul(change, change), rest))
    return p.sub(parameter, times(change, lr)), square, moved


class Adadelta(Elementwise):
    r"""Scale by the ratio of the root mean squares of past steps and of past gradients.

    .. math:: v_t = \rho v_{t-1} + (1 - \rho) g_t^2, \quad
              \Delta_t = g_t \sqrt{u_{t-1} + \epsilon} / \sqrt{v_t + \epsilon}, \quad
              u_t = \rho u_{t-1} + (1 - \rho) \Delta_t^2, \quad
              \theta_t = \theta_{t-1} - \gamma \Delta_t

    Args:
        params: parameters or parameter groups.
        lr: :math:`\gamma`; rho: :math:`\rho`; eps: :math:`\epsilon`; weight_decay: L2 penalty.
        maximize: follow the gradient upwards; foreach: accepted.

    Reference: Zeiler, ADADELTA: An Adaptive Learning Rate Method, 2012.
    """

    _update = Update("Adadelta.step", _rule)

    def __init__(self, params, lr=1.0, rho=0.9, eps=1e-6, weight_decay=0, foreach=None, *,
                 capturable=False, maximize=False, differentiable=False):
        check_lr(lr)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        check_not_negative(eps=eps, weight_decay=weight_decay)
        super().__init__(params, {
            "lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
            "capturable": capturable, "foreach": foreach, "differentiable": differentiable})

    def _state_names(self, group):
        return "square_avg", "acc_delta"

    def _options(self, group, counts):
        return group["weight_decay"] != 0, bool(group["maximize"])

    def _numbers(self, group, counts):
        return (group["lr"], group["weight_decay"], group["rho"], 1 - group["rho"], group["eps"])
