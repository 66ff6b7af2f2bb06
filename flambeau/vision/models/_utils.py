"""Small helpers of the networks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from flambeau import nn

__all__ = ["IntermediateLayerGetter", "initialise_layers"]


class IntermediateLayerGetter(nn.ModuleDict):
    """A network's children up to the last wanted one; returns their outputs under new names.

    Args:
        model: a network whose children run in the order of their registration.
        return_layers: child's name -> name in the returned dict.
    """

    _version = 2

    def __init__(self, model: nn.Module, return_layers: dict[str, str]) -> None:
        names = [name for name, _ in model.named_children()]
        if not set(return_layers).issubset(names):
            raise ValueError("return_layers are not present in model")
        self_layers: OrderedDict[str, nn.Module] = OrderedDict()
        last = max(names.index(str(name)) for name in return_layers)
        for name, module in list(model.named_children())[: last + 1]:
            self_layers[name] = module
        super().__init__(self_layers)
        self.return_layers = {str(k): str(v) for k, v in return_layers.items()}

    def forward(self, x):
        outputs = OrderedDict()
        for name, module in self.items():
            x = module(x)
            if name in self.return_layers:
                outputs[self.return_layers[name]] = x
        return outputs


def _make_divisible(v: float, divisor: int, min_value: int | None = None) -> int:
    """The multiple of `divisor` nearest to `v`, but not below 0.9 `v`."""
    least = divisor if min_value is None else min_value
    rounded = max(least, int(v + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * v else rounded


def initialise_layers(network: nn.Module, linear: Callable[[nn.Linear], Any]) -> None:
    """The first values of a network with batch normalisation; `linear` draws a layer's weight."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, (nn.BatchNorm2d, nn.GroupNorm)):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            linear(module)
            nn.init.zeros_(module.bias)


def _ovewrite_named_param(kwargs: dict[str, Any], param: str, new_value: Any) -> None:
    # the spelling is torchvision's, whose users import it
    if kwargs.setdefault(param, new_value) != new_value:
        raise ValueError(
            f"The parameter '{param}' expected value {new_value} but got {kwargs[param]} instead."
        )
