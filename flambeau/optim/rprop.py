"""Rprop: steps that grow while the gradient keeps its sign and shrink when it turns."""

from __future__ import annotations

from ..graph.ir import expand_to, p
from ..graph.primitives.pointwise import cast
from ._elementwise import Elementwise, check_lr, filled
from ._update import Update
from .optimizer import as_number

__all__ = ["Rprop"]


def _rule(options, numbers, parameter, gradient, previous, size):
    def like(number):
        return expand_to(cast(number, parameter.dtype), parameter.shape)

    (maximize,) = options
    shrink, grow, smallest, largest, zero, one = [like(n) for n in numbers]
    if maximize:
        gradient = p.neg(gradient)
    agreement = p.mul(gradient, previous)
    turned = p.lt(agreement, zero)
    factor = p.where(turned, shrink, p.where(p.gt(agreement, zero), grow, one))
    size = p.minimum(p.maximum(p.mul(size, factor), smallest), largest)
    gradient = p.where(turned, zero, gradient)
    return p.sub(parameter, p.mul(p.sign(gradient), size)), gradient, size


class Rprop(Elementwise):
    r"""Resilient backpropagation: only the signs of the gradients count.

    Args:
        params: parameters or parameter groups.
        lr: the first step size.
        etas: factors (:math:`\eta^-`, :math:`\eta^+`) where the sign turned and where it stayed.
        step_sizes: the smallest and the largest step size.
        maximize: follow the gradient upwards; foreach: accepted.

    Reference: Riedmiller and Braun, A Direct Adaptive Method for Faster Backpropagation, 1993.
    """

    _update = Update("Rprop.step", _rule)

    def __init__(self, params, lr=1e-2, etas=(0.5, 1.2), step_sizes=(1e-6, 50), *,
                 capturable=False, foreach=None, maximize=False, differentiable=False):
        check_lr(lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        super().__init__(params, {
            "lr": lr, "etas": etas, "step_sizes": step_sizes, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "capturable": capturable})

    def _first(self, name, group, parameter):
        if name == "prev":
            return filled(parameter, 0.0)
        lr = as_number(group["lr"])
        return filled(parameter, complex(lr, lr) if parameter.dtype.is_complex else lr)

    def _state_names(self, group):
        return "prev", "step_size"

    def _options(self, group, counts):
        return (bool(group["maximize"]),)

    def _numbers(self, group, counts):
        return (*group["etas"], *group["step_sizes"], 0.0, 1.0)
