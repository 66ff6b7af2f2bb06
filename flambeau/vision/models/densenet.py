"""DenseNet: every layer sees the outputs of all earlier ones of its block."""

from __future__ import annotations

import functools
import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import flambeau
from flambeau import Tensor, nn
from flambeau.nn import functional as F
from flambeau.vision.models._api import model_builder, weights_enum

__all__ = [
    "DenseNet",
    "DenseNet121_Weights",
    "DenseNet161_Weights",
    "DenseNet169_Weights",
    "DenseNet201_Weights",
    "densenet121",
    "densenet161",
    "densenet169",
    "densenet201",
]


class _DenseLayer(nn.Module):
    def __init__(
        self,
        num_input_features: int,
        growth_rate: int,
        bn_size: int,
        drop_rate: float,
        memory_efficient: bool = False,
    ) -> None:
        super().__init__()
        middle = bn_size * growth_rate
        self.norm1 = nn.BatchNorm2d(num_input_features)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(num_input_features, middle, kernel_size=1, stride=1, bias=False)
        self.norm2 = nn.BatchNorm2d(middle)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(
            middle, growth_rate, kernel_size=3, stride=1, padding=1, bias=False
        )
        self.drop_rate = float(drop_rate)
        self.memory_efficient = memory_efficient

    def bn_function(self, inputs: list[Tensor]) -> Tensor:
        return self.conv1(self.relu1(self.norm1(flambeau.cat(inputs, 1))))

    def forward(self, input: Tensor | list[Tensor]) -> Tensor:
        inputs = [input] if isinstance(input, Tensor) else input
        if self.memory_efficient and any(t.requires_grad for t in inputs):
            from flambeau.utils.checkpoint import checkpoint

            middle = checkpoint(lambda *t: self.bn_function(list(t)), *inputs, use_reentrant=False)
        else:
            middle = self.bn_function(inputs)
        new = self.conv2(self.relu2(self.norm2(middle)))
        if self.drop_rate > 0:
            new = F.dropout(new, p=self.drop_rate, training=self.training)
        return new


class _DenseBlock(nn.ModuleDict):
    _version = 2

    def __init__(
        self,
        num_layers: int,
        num_input_features: int,
        bn_size: int,
        growth_rate: int,
        drop_rate: float,
        memory_efficient: bool = False,
    ) -> None:
        super().__init__()
        for i in range(num_layers):
            layer = _DenseLayer(
                num_input_features + i * growth_rate,
                growth_rate,
                bn_size,
                drop_rate,
                memory_efficient,
            )
            self.add_module(f"denselayer{i + 1}", layer)

    def forward(self, init_features: Tensor) -> Tensor:
        features = [init_features]
        for layer in self.values():
            features.append(layer(features))
        return flambeau.cat(features, 1)


class _Transition(nn.Sequential):
    def __init__(self, num_input_features: int, num_output_features: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(num_input_features)
        self.relu = nn.ReLU(inplace=True)
        self.conv = nn.Conv2d(
            num_input_features, num_output_features, kernel_size=1, stride=1, bias=False
        )
        self.pool = nn.AvgPool2d(kernel_size=2, stride=2)


class DenseNet(nn.Module):
    """Four dense blocks with transitions that halve channels and size.

    Args:
        growth_rate: channels that each layer adds.
        block_config: layers in each block.
        num_init_features: channels of the first convolution.
        bn_size: channels of a layer's 1 x 1 convolution, as a multiple of `growth_rate`.
        drop_rate: dropout after each layer.
        num_classes: outputs.
        memory_efficient: recompute the concatenations in backward.

    Reference: Huang et al., arXiv:1608.06993.
    """

    def __init__(
        self,
        growth_rate: int = 32,
        block_config: tuple[int, int, int, int] = (6, 12, 24, 16),
        num_init_features: int = 64,
        bn_size: int = 4,
        drop_rate: float = 0,
        num_classes: int = 1000,
        memory_efficient: bool = False,
    ) -> None:
        super().__init__()
        channels = num_init_features
        first = nn.Conv2d(3, channels, kernel_size=7, stride=2, padding=3, bias=False)
        layers = OrderedDict(
            conv0=first,
            norm0=nn.BatchNorm2d(channels),
            relu0=nn.ReLU(inplace=True),
            pool0=nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
        )
        self.features = nn.Sequential(layers)
        for i, num_layers in enumerate(block_config, 1):
            block = _DenseBlock(
                num_layers, channels, bn_size, growth_rate, drop_rate, memory_efficient
            )
            self.features.add_module(f"denseblock{i}", block)
            channels += num_layers * growth_rate
            if i < len(block_config):
                self.features.add_module(f"transition{i}", _Transition(channels, channels // 2))
                channels //= 2
        self.features.add_module("norm5", nn.BatchNorm2d(channels))
        self.classifier = nn.Linear(channels, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
            elif isinstance(module, nn.BatchNorm2d):
                nn.init.constant_(module.weight, 1)
                nn.init.constant_(module.bias, 0)
            elif isinstance(module, nn.Linear):
                nn.init.constant_(module.bias, 0)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.features(x), inplace=True)
        x = F.adaptive_avg_pool2d(x, (1, 1))
        return self.classifier(flambeau.flatten(x, 1))


_OLD_KEY = re.compile(r"(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\.\w+)$")


def _load(model: nn.Module, state_dict: Mapping[str, Any]) -> nn.Module:
    # The published files were written when the layers' children were called "norm.1".
    model.load_state_dict({_OLD_KEY.sub(r"\1\2", k): v for k, v in state_dict.items()})
    return model


def _builder(name: str, enum, growth_rate: int, block_config, num_init_features: int):
    construct = functools.partial(DenseNet, growth_rate, block_config, num_init_features)
    return model_builder(name, enum, construct, load=_load, doc=f"{name}: blocks {block_config}.")


DenseNet121_Weights = weights_enum("DenseNet121_Weights", __name__)
DenseNet161_Weights = weights_enum("DenseNet161_Weights", __name__)
DenseNet169_Weights = weights_enum("DenseNet169_Weights", __name__)
DenseNet201_Weights = weights_enum("DenseNet201_Weights", __name__)

densenet121 = _builder("densenet121", DenseNet121_Weights, 32, (6, 12, 24, 16), 64)
densenet161 = _builder("densenet161", DenseNet161_Weights, 48, (6, 12, 36, 24), 96)
densenet169 = _builder("densenet169", DenseNet169_Weights, 32, (6, 12, 32, 32), 64)
densenet201 = _builder("densenet201", DenseNet201_Weights, 32, (6, 12, 48, 32), 64)
