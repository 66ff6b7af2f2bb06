"""Adam and, with decoupled weight decay, AdamW."""

from __future__ import annotations

from ..graph.ir import p
from ..tensor import Tensor
from ._elementwise import Elementwise, check_betas, check_lr, check_not_negative, check_switches
from ._update import Update, divide, lerp, plus, root, times
from .optimizer import as_number

__all__ = ["Adam"]


def _rule(options, numbers, parameter, gradient, mean, square, largest=None):
    decay, decoupled, amsgrad, maximize = options
    weight_decay, weight1, beta2, weight2, step_size, correction2_root, eps = numbers
    if maximize:
        gradient = p.neg(gradient)
    if decay and decoupled:
        parameter = times(parameter, weight_decay)        # the factor 1 - lr * weight_decay
    elif decay:
        gradient = p.add(gradient, times(parameter, weight_decay))
    mean = lerp(mean, gradient, weight1)
    square = p.add(times(square, beta2), times(p.mul(gradient, gradient), weight2))
    if amsgrad:
        largest = p.maximum(largest, square)
    scale = plus(divide(root(largest if amsgrad else square), correction2_root), eps)
    parameter = p.sub(parameter, p.div(times(mean, step_size), scale))
    return (parameter, mean, square, largest) if amsgrad else (parameter, mean, square)


class Adam(Elementwise):
    r"""Adaptive moment estimation.

    .. math:: m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \quad
              v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2, \quad
              \theta_t = \theta_{t-1} - \gamma \hat m_t / (\sqrt{\hat v_t} + \epsilon)

    Args:
        params: parameters or parameter groups.
        lr: the learning rate :math:`\gamma`; betas: :math:`(\beta_1, \beta_2)`; eps.
        weight_decay: L2 penalty, or with `decoupled_weight_decay` the decay of AdamW.
        amsgrad: divide by the largest :math:`v` so far.
        maximize: follow the gradient upwards.
        foreach, fused: accepted; the update is always fused.

    >>> import flambeau as torch
    >>> w = torch.tensor([1.], requires_grad=True)
    >>> optimizer = torch.optim.Adam([w], lr=0.1)
    >>> w.grad = torch.tensor([2.])
    >>> optimizer.step()
    >>> w
    tensor([0.9000], requires_grad=True)

    Reference: Kingma and Ba, Adam: A Method for Stochastic Optimization, ICLR 2015.
    """

    _update = Update("Adam.step", _rule)

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0,
                 amsgrad=False, *, foreach=None, maximize=False, capturable=False,
                 differentiable=False, fused=None, decoupled_weight_decay=False):
        if isinstance(lr, Tensor) and foreach and not capturable:
            raise ValueError("lr as a Tensor is not supported for capturable=False and "
                             "foreach=True")
        check_lr(lr)
        check_not_negative(eps=eps)
        check_betas(betas)
        check_not_negative(weight_decay=weight_decay)
        if isinstance(betas[0], Tensor) != isinstance(betas[1], Tensor):
            raise ValueError("betas must be either both floats or both Tensors")
        for i, beta in enumerate(betas):
            if isinstance(beta, Tensor) and foreach and not capturable:
                raise ValueError(f"betas[{i}] as a Tensor is not supported for capturable=False "
                                 "and foreach=True")
            if isinstance(beta, Tensor) and beta.numel() != 1:
                raise ValueError(f"Tensor betas[{i}] must be 1-element")
        super().__init__(params, {
            "lr": lr, "betas": tuple(as_number(b) for b in betas), "eps": eps,
            "weight_decay": weight_decay, "amsgrad": amsgrad, "maximize": maximize,
            "foreach": foreach, "capturable": capturable, "differentiable": differentiable,
            "fused": fused, "decoupled_weight_decay": decoupled_weight_decay})
        check_switches(foreach, fused)
        if fused:
            self._step_supports_amp_scaling = True

    def _state_names(self, group):
        return (("exp_avg", "exp_avg_sq", "max_exp_avg_sq") if group["amsgrad"]
                else ("exp_avg", "exp_avg_sq"))

    def _options(self, group, counts):
        return (group["weight_decay"] != 0, bool(group["decoupled_weight_decay"]),
                bool(group["amsgrad"]), bool(group["maximize"]))

    def _numbers(self, group, counts):
        lr, (beta1, beta2) = as_number(group["lr"]), group["betas"]
        step, decay = counts[0], group["weight_decay"]
        if group["decoupled_weight_decay"]:
            decay = 1 - lr * decay
        return (decay, 1 - beta1, beta2, 1 - beta2, lr / (1 - beta1 ** step),
                (1 - beta2 ** step) ** 0.5, group["eps"])
