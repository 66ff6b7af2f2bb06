"""Averages of models: stochastic weight averaging and exponential moving averages."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any

from ..autograd.modes import no_grad
from ..construct import tensor
from ..nn import Module
from ..nn.modules.batchnorm import _BatchNorm
from ..tensor import Tensor
from ._schedules_base import LRScheduler, per_group

__all__ = ["AveragedModel", "SWALR", "get_ema_avg_fn", "get_ema_multi_avg_fn", "get_swa_avg_fn",
           "get_swa_multi_avg_fn", "update_bn"]


def _check_decay(decay: float) -> None:
    if decay < 0.0 or decay > 1.0:
        raise ValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1] "
                         "range.")


def get_ema_avg_fn(decay: float = 0.999) -> Callable:
    """decay * average + (1 - decay) * parameter, for `avg_fn`."""
    _check_decay(decay)

    @no_grad()
    def ema_update(ema_param, current_param, num_averaged):
        return decay * ema_param + (1 - decay) * current_param
    return ema_update


def get_swa_avg_fn() -> Callable:
    """The mean of all parameters so far, for `avg_fn`."""
    @no_grad()
    def swa_update(averaged_param, current_param, num_averaged):
        return averaged_param + (current_param - averaged_param) / (num_averaged + 1)
    return swa_update


def _for_lists(one: Callable) -> Callable:
    @no_grad()
    def update(averages, parameters, num_averaged):
        for average, parameter in zip(averages, parameters):
            average.copy_(one(average, parameter, num_averaged))
    return update


def get_ema_multi_avg_fn(decay: float = 0.999) -> Callable:
    """As get_ema_avg_fn, for `multi_avg_fn`: changes a list of averages in place."""
    return _for_lists(get_ema_avg_fn(decay))


def get_swa_multi_avg_fn() -> Callable:
    """As get_swa_avg_fn, for `multi_avg_fn`: changes a list of averages in place."""
    return _for_lists(get_swa_avg_fn())


class AveragedModel(Module):
    """A copy of a model whose parameters are averages of the model's over time.

    Args:
        model: the model.
        device: where the averages live.
        avg_fn: function (average, parameter, count) -> new average; the mean by default.
        multi_avg_fn: function (averages, parameters, count) that works in place.
        use_buffers: average the buffers too, instead of copying them.

    >>> import flambeau as torch
    >>> model = torch.nn.Linear(1, 1)
    >>> average = torch.optim.swa_utils.AveragedModel(model)
    >>> average.update_parameters(model)
    >>> average.n_averaged
    tensor(1)

    Reference: Izmailov et al., Averaging Weights Leads to Wider Optima, UAI 2018.
    """

    n_averaged: Tensor

    def __init__(self, model, device=None, avg_fn=None, multi_avg_fn=None, use_buffers=False):
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", tensor(0, device=device))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args, **kwargs):
        """The averaged model's forward."""
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Module) -> None:
        """Take the model's present parameters into the averages."""
        def members(owner):
            if self.use_buffers:
                return list(itertools.chain(owner.parameters(), owner.buffers()))
            return list(owner.parameters())

        averages = members(self.module)
        parameters = [q.detach() for q in members(model)]
        with no_grad():
            if self.n_averaged.item() == 0:
                for average, parameter in zip(averages, parameters):
                    average.copy_(parameter)
            elif self.multi_avg_fn is not None:
                self.multi_avg_fn(averages, parameters, self.n_averaged)
            else:
                one = get_swa_avg_fn() if self.avg_fn is None else self.avg_fn
                for average, parameter in zip(averages, parameters):
                    average.copy_(one(average.detach(), parameter, self.n_averaged))
            if not self.use_buffers:
                for average, buffer in zip(self.module.buffers(), model.buffers()):
                    average.copy_(buffer)
            self.n_averaged += 1


@no_grad()
def update_bn(loader: Iterable[Any], model: Module, device=None) -> None:
    """Compute the running statistics of batch normalisation anew, from one pass over `loader`.

    Args:
        loader: batches, or tuples whose first member is one.
        model: in whose BatchNorm modules the statistics are set.
        device: where batches are moved to.
    """
    momenta = {m: m.momentum for m in model.modules() if isinstance(m, _BatchNorm)}
    if not momenta:
        return
    was_training = model.training
    model.train()
    for module in momenta:
        module.reset_running_stats()
        module.momentum = None            # the mean of all batches
    for batch in loader:
        if isinstance(batch, (list, tuple)):
            batch = batch[0]
        model(batch if device is None else batch.to(device))
    for module, momentum in momenta.items():
        module.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """From the present learning rate to the constant `swa_lr` in `anneal_epochs` steps.

    Args:
        optimizer: the optimizer.
        swa_lr: the last learning rate, or one per group.
        anneal_epochs: steps on the way; anneal_strategy: "cos" or "linear".
        last_epoch: the number of the last step.
    """

    def __init__(self, optimizer, swa_lr, anneal_epochs=10, anneal_strategy="cos", last_epoch=-1):
        for lr, group in zip(per_group("swa_lr", optimizer, swa_lr), optimizer.param_groups):
            group["swa_lr"] = lr
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError("anneal_strategy must be one of 'cos' or 'linear', instead got "
                             f"{anneal_strategy}")
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self._anneal_strategy = anneal_strategy
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def anneal_func(self, t: float) -> float:
        """The share of `swa_lr` at the share `t` of the way."""
        return t if self._anneal_strategy == "linear" else (1 - math.cos(math.pi * t)) / 2

    def get_lr(self) -> list:
        """The learning rates of all groups."""
        self._warn_outside_step()
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        length = max(1, self.anneal_epochs)
        before = self.anneal_func(max(0, min(1, (step - 1) / length)))
        share = self.anneal_func(max(0, min(1, step / length)))
        rates = []
        for group in self.optimizer.param_groups:
            last = group["swa_lr"]
            # the learning rate that annealing began with, from the present one
            first = last if before == 1 else (group["lr"] - before * last) / (1 - before)
            rates.append(last * share + first * (1 - share))
        return rates
