"""EfficientNet and EfficientNetV2: inverted residual blocks, scaled in width and depth."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import flambeau
from flambeau import Tensor, nn
from flambeau.vision.models._api import model_builder, weights_enum
from flambeau.vision.models._utils import _make_divisible, initialise_layers
from flambeau.vision.ops.misc import Conv2dNormActivation, SqueezeExcitation
from flambeau.vision.ops.stochastic_depth import StochasticDepth

__all__ = [
    "EfficientNet",
    "EfficientNet_B0_Weights",
    "EfficientNet_B1_Weights",
    "EfficientNet_B2_Weights",
    "EfficientNet_B3_Weights",
    "EfficientNet_B4_Weights",
    "EfficientNet_B5_Weights",
    "EfficientNet_B6_Weights",
    "EfficientNet_B7_Weights",
    "EfficientNet_V2_L_Weights",
    "EfficientNet_V2_M_Weights",
    "EfficientNet_V2_S_Weights",
    "efficientnet_b0",
    "efficientnet_b1",
    "efficientnet_b2",
    "efficientnet_b3",
    "efficientnet_b4",
    "efficientnet_b5",
    "efficientnet_b6",
    "efficientnet_b7",
    "efficientnet_v2_l",
    "efficientnet_v2_m",
    "efficientnet_v2_s",
]


class _StageConfig:
    """A stage: expansion, kernel, stride, channels in and out, blocks, and the block's class."""

    _block: Callable[..., nn.Module]

    def __init__(
        self,
        expand_ratio: float,
        kernel: int,
        stride: int,
        input_channels: int,
        out_channels: int,
        num_layers: int,
        width_mult: float = 1.0,
        depth_mult: float = 1.0,
        block: Callable[..., nn.Module] | None = None,
    ) -> None:
        self.expand_ratio = expand_ratio
        self.kernel = kernel
        self.stride = stride
        self.input_channels = self.adjust_channels(input_channels, width_mult)
        self.out_channels = self.adjust_channels(out_channels, width_mult)
        self.num_layers = math.ceil(num_layers * depth_mult)
        self.block = block or type(self)._block

    @staticmethod
    def adjust_channels(channels: int, width_mult: float, min_value: int | None = None) -> int:
        return _make_divisible(channels * width_mult, 8, min_value)


class _Block(nn.Module):
    """Convolutions, left out at random in training, plus the input if the shapes agree."""

    def __init__(self, cnf: _StageConfig, layers: list[nn.Module], chance: float) -> None:
        super().__init__()
        if not 1 <= cnf.stride <= 2:
            raise ValueError("illegal stride value")
        self.use_res_connect = cnf.stride == 1 and cnf.input_channels == cnf.out_channels
        self.block = nn.Sequential(*layers)
        self.stochastic_depth = StochasticDepth(chance, "row")
        self.out_channels = cnf.out_channels

    def forward(self, input: Tensor) -> Tensor:
        result = self.block(input)
        return self.stochastic_depth(result) + input if self.use_res_connect else result


class MBConv(_Block):
    """Widen, filter each channel, squeeze and excite, narrow."""

    def __init__(
        self,
        cnf: MBConvConfig,
        stochastic_depth_prob: float,
        norm_layer: Callable[..., nn.Module],
        se_layer: Callable[..., nn.Module] = SqueezeExcitation,
    ) -> None:
        convolution = functools.partial(Conv2dNormActivation, norm_layer=norm_layer)
        channels = cnf.input_channels
        inner = cnf.adjust_channels(channels, cnf.expand_ratio)
        layers: list[nn.Module] = []
        if inner != channels:
            layers.append(convolution(channels, inner, kernel_size=1, activation_layer=nn.SiLU))
        layers += [
            convolution(
                inner,
                inner,
                kernel_size=cnf.kernel,
                stride=cnf.stride,
                groups=inner,
                activation_layer=nn.SiLU,
            ),
            se_layer(
                inner, max(1, channels // 4), activation=functools.partial(nn.SiLU, inplace=True)
            ),
            convolution(inner, cnf.out_channels, kernel_size=1, activation_layer=None),
        ]
        super().__init__(cnf, layers, stochastic_depth_prob)


class FusedMBConv(_Block):
    """As `MBConv`, but widened by a full convolution, without filter and excitation."""

    def __init__(
        self,
        cnf: FusedMBConvConfig,
        stochastic_depth_prob: float,
        norm_layer: Callable[..., nn.Module],
    ) -> None:
        convolution = functools.partial(Conv2dNormActivation, norm_layer=norm_layer)
        channels = cnf.input_channels
        inner = cnf.adjust_channels(channels, cnf.expand_ratio)
        widened = inner != channels
        layers: list[nn.Module] = [
            convolution(
                channels,
                inner if widened else cnf.out_channels,
                kernel_size=cnf.kernel,
                stride=cnf.stride,
                activation_layer=nn.SiLU,
            )
        ]
        if widened:
            layers.append(
                convolution(inner, cnf.out_channels, kernel_size=1, activation_layer=None)
            )
        super().__init__(cnf, layers, stochastic_depth_prob)


class MBConvConfig(_StageConfig):
    """A stage of `MBConv` blocks."""

    _block = MBConv


class FusedMBConvConfig(_StageConfig):
    """A stage of `FusedMBConv` blocks."""

    _block = FusedMBConv


def _draw_linear(layer: nn.Linear) -> None:
    bound = 1.0 / math.sqrt(layer.out_features)
    nn.init.uniform_(layer.weight, -bound, bound)


class EfficientNet(nn.Module):
    """EfficientNet.

    Args:
        inverted_residual_setting: the stages.
        dropout: before the output.
        stochastic_depth_prob: of the last block; earlier ones get less, in proportion.
        num_classes: outputs.
        norm_layer: `nn.BatchNorm2d` by default.
        last_channel: channels of the last convolution; 4 times its input's by default.

    Reference: Tan and Le, arXiv:1905.11946 and arXiv:2104.00298.
    """

    def __init__(
        self,
        inverted_residual_setting: Sequence[MBConvConfig | FusedMBConvConfig],
        dropout: float,
        stochastic_depth_prob: float = 0.2,
        num_classes: int = 1000,
        norm_layer: Callable[..., nn.Module] | None = None,
        last_channel: int | None = None,
    ) -> None:
        super().__init__()
        setting = inverted_residual_setting
        if not setting:
            raise ValueError("The inverted_residual_setting should not be empty")
        if not isinstance(setting, Sequence) or not all(
            isinstance(s, _StageConfig) for s in setting
        ):
            raise TypeError("The inverted_residual_setting should be List[MBConvConfig]")
        norm_layer = norm_layer or nn.BatchNorm2d
        common: dict[str, Any] = {"norm_layer": norm_layer, "activation_layer": nn.SiLU}
        layers: list[nn.Module] = [
            Conv2dNormActivation(3, setting[0].input_channels, stride=2, **common)
        ]
        total = sum(cnf.num_layers for cnf in setting)
        done = 0
        for cnf in setting:
            stage: list[nn.Module] = []
            for _ in range(cnf.num_layers):
                cnf = copy.copy(cnf)
                if stage:
                    cnf.input_channels, cnf.stride = cnf.out_channels, 1
                chance = stochastic_depth_prob * float(done) / total
                stage.append(cnf.block(cnf, chance, norm_layer))
                done += 1
            layers.append(nn.Sequential(*stage))
        channels = setting[-1].out_channels
        last_channel = 4 * channels if last_channel is None else last_channel
        layers.append(Conv2dNormActivation(channels, last_channel, kernel_size=1, **common))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout, inplace=True), nn.Linear(last_channel, num_classes)
        )
        initialise_layers(self, _draw_linear)

    def forward(self, x: Tensor) -> Tensor:
        x = self.avgpool(self.features(x))
        return self.classifier(flambeau.flatten(x, 1))


# the stages' expansion, kernel, stride, channels in and out, and blocks; F marks a fused stage
_STAGES = {
    "b": "1 3 1 32 16 1, 6 3 2 16 24 2, 6 5 2 24 40 2, 6 3 2 40 80 3, 6 5 1 80 112 3, "
    "6 5 2 112 192 4, 6 3 1 192 320 1",
    "v2_s": "F 1 3 1 24 24 2, F 4 3 2 24 48 4, F 4 3 2 48 64 4, 4 3 2 64 128 6, "
    "6 3 1 128 160 9, 6 3 2 160 256 15",
    "v2_m": "F 1 3 1 24 24 3, F 4 3 2 24 48 5, F 4 3 2 48 80 5, 4 3 2 80 160 7, "
    "6 3 1 160 176 14, 6 3 2 176 304 18, 6 3 1 304 512 5",
    "v2_l": "F 1 3 1 32 32 4, F 4 3 2 32 64 7, F 4 3 2 64 96 7, 4 3 2 96 192 10, "
    "6 3 1 192 224 19, 6 3 2 224 384 25, 6 3 1 384 640 7",
}


def _efficientnet(
    stages: str, width_mult: float, depth_mult: float, defaults: dict, **kwargs
) -> EfficientNet:
    setting = []
    for stage in _STAGES[stages].split(","):
        fused = "F" in stage
        numbers: list[Any] = [int(n) for n in stage.replace("F", "").split()]
        kind = FusedMBConvConfig if fused else MBConvConfig
        setting.append(kind(*numbers, width_mult=width_mult, depth_mult=depth_mult))
    if "norm_layer" in kwargs and "norm_layer" in defaults:
        raise TypeError("this network's norm_layer is fixed: build an EfficientNet of your own")
    return EfficientNet(setting, **{**defaults, **kwargs})


def _b(number: int, enum, width_mult: float, depth_mult: float, dropout: float):
    defaults: dict = {"dropout": dropout}
    if number >= 5:
        defaults["norm_layer"] = functools.partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)
    construct = functools.partial(_efficientnet, "b", width_mult, depth_mult, defaults)
    name = f"efficientnet_b{number}"
    return model_builder(name, enum, construct, doc=f"EfficientNet B{number}.")


def _v2(size: str, enum, dropout: float):
    norm_layer = functools.partial(nn.BatchNorm2d, eps=1e-3)
    defaults = {"dropout": dropout, "last_channel": 1280, "norm_layer": norm_layer}
    construct = functools.partial(_efficientnet, f"v2_{size}", 1.0, 1.0, defaults)
    name = f"efficientnet_v2_{size}"
    return model_builder(name, enum, construct, doc=f"EfficientNetV2 {size.upper()}.")


EfficientNet_B0_Weights = weights_enum("EfficientNet_B0_Weights", __name__)
EfficientNet_B1_Weights = weights_enum("EfficientNet_B1_Weights", __name__)
EfficientNet_B2_Weights = weights_enum("EfficientNet_B2_Weights", __name__)
EfficientNet_B3_Weights = weights_enum("EfficientNet_B3_Weights", __name__)
EfficientNet_B4_Weights = weights_enum("EfficientNet_B4_Weights", __name__)
EfficientNet_B5_Weights = weights_enum("EfficientNet_B5_Weights", __name__)
EfficientNet_B6_Weights = weights_enum("EfficientNet_B6_Weights", __name__)
EfficientNet_B7_Weights = weights_enum("EfficientNet_B7_Weights", __name__)
EfficientNet_V2_S_Weights = weights_enum("EfficientNet_V2_S_Weights", __name__)
EfficientNet_V2_M_Weights = weights_enum("EfficientNet_V2_M_Weights", __name__)
EfficientNet_V2_L_Weights = weights_enum("EfficientNet_V2_L_Weights", __name__)

efficientnet_b0 = _b(0, EfficientNet_B0_Weights, 1.0, 1.0, 0.2)
efficientnet_b1 = _b(1, EfficientNet_B1_Weights, 1.0, 1.1, 0.2)
efficientnet_b2 = _b(2, EfficientNet_B2_Weights, 1.1, 1.2, 0.3)
efficientnet_b3 = _b(3, EfficientNet_B3_Weights, 1.2, 1.4, 0.3)
efficientnet_b4 = _b(4, EfficientNet_B4_Weights, 1.4, 1.8, 0.4)
efficientnet_b5 = _b(5, EfficientNet_B5_Weights, 1.6, 2.2, 0.4)
efficientnet_b6 = _b(6, EfficientNet_B6_Weights, 1.8, 2.6, 0.5)
efficientnet_b7 = _b(7, EfficientNet_B7_Weights, 2.0, 3.1, 0.5)
efficientnet_v2_s = _v2("s", EfficientNet_V2_S_Weights, 0.2)
efficientnet_v2_m = _v2("m", EfficientNet_V2_M_Weights, 0.3)
efficientnet_v2_l = _v2("l", EfficientNet_V2_L_Weights, 0.4)
