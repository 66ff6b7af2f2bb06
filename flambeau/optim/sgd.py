"""Stochastic gradient descent."""

from __future__ import annotations

from ..graph.ir import p
from ._elementwise import Elementwise, check_lr, check_switches
from ._update import Update, times

__all__ = ["SGD"]


def _rule(options, numbers, parameter, gradient, buffer=None):
    decay, momentum, nesterov, maximize = options
    lr, weight_decay, factor, undamped = numbers
    if maximize:
        gradient = p.neg(gradient)
    if decay:
        gradient = p.add(gradient, times(parameter, weight_decay))
    if not momentum:
        return (p.sub(parameter, times(gradient, lr)),)
    buffer = p.add(times(buffer, factor), times(gradient, undamped))
    change = p.add(gradient, times(buffer, factor)) if nesterov else buffer
    return p.sub(parameter, times(change, lr)), buffer


class SGD(Elementwise):
    r"""Stochastic gradient descent, optionally with momentum.

    .. math:: b_t = \mu b_{t-1} + (1 - \tau) g_t, \quad \theta_t = \theta_{t-1} - \gamma b_t

    Args:
        params: parameters or parameter groups.
        lr: the learning rate :math:`\gamma`, a number or a 1-element tensor.
        momentum: :math:`\mu`; dampening: :math:`\tau`; weight_decay: L2 penalty.
        nesterov: Nesterov's momentum.
        maximize: follow the gradient upwards.
        foreach, fused: accepted; the update is always fused.

    >>> import flambeau as torch
    >>> w = torch.tensor([1.], requires_grad=True)
    >>> optimizer = torch.optim.SGD([w], lr=0.1, momentum=0.9)
    >>> w.grad = torch.tensor([2.])
    >>> optimizer.step()
    >>> w
    tensor([0.8000], requires_grad=True)

    Reference: Sutskever et al., On the importance of initialization and momentum, ICML 2013.
    """

    _update = Update("SGD.step", _rule)
    _counters = {}

    def __init__(self, params, lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False, *,
                 maximize=False, foreach=None, differentiable=False, fused=None):
        check_lr(lr)
        if momentum < 0.0:
            raise ValueError(f"Invalid momentum value: {momentum}")
        if weight_decay < 0.0:
            raise ValueError(f"Invalid weight_decay value: {weight_decay}")
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        super().__init__(params, {
            "lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay,
            "nesterov": nesterov, "maximize": maximize, "foreach": foreach,
            "differentiable": differentiable, "fused": fused})
        check_switches(foreach, fused)
        if fused:
            self._step_supports_amp_scaling = True

    def _step_group(self, group):
        momentum = group["momentum"] != 0
        batches: dict[bool, tuple[list, list, list]] = {}
        for parameter in group["params"]:
            gradient = parameter._grad
            if gradient is None:
                continue
            state = self.state[parameter] if momentum else {}
            undamped = False
            if momentum and state.get("momentum_buffer") is None:
                # PyTorch begins with b_1 = g_1, undamped. Zeros and the factor 1 make the same
                # numbers (but for the sign of a zero) by the program of all later steps.
                state["momentum_buffer"] = self._first("momentum_buffer", group, parameter)
                undamped = group["dampening"] != 0
            batch = batches.get(undamped)
            if batch is None:
                batch = batches[undamped] = ([], [], [])
            batch[0].append(parameter)
            batch[1].append(gradient)
            batch[2].append(state)
        names = ("momentum_buffer",) if momentum else ()
        for undamped, batch in batches.items():
            self._is_undamped = undamped
            self._step_batch(group, (), names, *batch)

    def _options(self, group, counts):
        return (group["weight_decay"] != 0, group["momentum"] != 0, bool(group["nesterov"]),
                bool(group["maximize"]))

    def _numbers(self, group, counts):
        return (group["lr"], group["weight_decay"], group["momentum"],
                1 if self._is_undamped else 1 - group["dampening"])
