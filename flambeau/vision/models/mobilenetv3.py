"""MobileNetV3: inverted residual blocks found by search, with squeeze and excitation."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import flambeau
from flambeau import Tensor, nn
from flambeau.vision.models._api import model_builder, weights_enum
from flambeau.vision.models._utils import _make_divisible, initialise_layers
from flambeau.vision.ops.misc import Conv2dNormActivation, SqueezeExcitation

__all__ = [
    "MobileNetV3",
    "MobileNet_V3_Large_Weights",
    "MobileNet_V3_Small_Weights",
    "mobilenet_v3_large",
    "mobilenet_v3_small",
]


class InvertedResidualConfig:
    """One block: its channels, kernel, activation ("RE" or "HS"), stride and dilation."""

    def __init__(
        self,
        input_channels: int,
        kernel: int,
        expanded_channels: int,
        out_channels: int,
        use_se: bool,
        activation: str,
        stride: int,
        dilation: int,
        width_mult: float,
    ) -> None:
        self.input_channels = self.adjust_channels(input_channels, width_mult)
        self.kernel = kernel
        self.expanded_channels = self.adjust_channels(expanded_channels, width_mult)
        self.out_channels = self.adjust_channels(out_channels, width_mult)
        self.use_se = use_se
        self.use_hs = activation == "HS"
        self.stride = stride
        self.dilation = dilation

    @staticmethod
    def adjust_channels(channels: int, width_mult: float) -> int:
        return _make_divisible(channels * width_mult, 8)


_SE_LAYER = functools.partial(SqueezeExcitation, scale_activation=nn.Hardsigmoid)


class InvertedResidual(nn.Module):
    """Widen, filter each channel, scale, narrow; plus the input if the shapes agree."""

    def __init__(
        self,
        cnf: InvertedResidualConfig,
        norm_layer: Callable[..., nn.Module],
        se_layer: Callable[..., nn.Module] = _SE_LAYER,
    ) -> None:
        super().__init__()
        if not 1 <= cnf.stride <= 2:
            raise ValueError("illegal stride value")
        self.use_res_connect = cnf.stride == 1 and cnf.input_channels == cnf.out_channels
        inner, activation = cnf.expanded_channels, nn.Hardswish if cnf.use_hs else nn.ReLU
        convolution = functools.partial(Conv2dNormActivation, norm_layer=norm_layer)
        layers: list[nn.Module] = []
        if inner != cnf.input_channels:
            layers.append(
                convolution(cnf.input_channels, inner, kernel_size=1, activation_layer=activation)
            )
        layers.append(
            convolution(
                inner,
                inner,
                kernel_size=cnf.kernel,
                stride=1 if cnf.dilation > 1 else cnf.stride,
                dilation=cnf.dilation,
                groups=inner,
                activation_layer=activation,
            )
        )
        if cnf.use_se:
            layers.append(se_layer(inner, _make_divisible(inner // 4, 8)))
        layers.append(convolution(inner, cnf.out_channels, kernel_size=1, activation_layer=None))
        self.block = nn.Sequential(*layers)
        self.out_channels = cnf.out_channels

    def forward(self, input: Tensor) -> Tensor:
        result = self.block(input)
        if self.use_res_connect:
            result += input
        return result


class MobileNetV3(nn.Module):
    """MobileNetV3.

    Args:
        inverted_residual_setting: the blocks.
        last_channel: width of the layer before the output.
        num_classes: outputs.
        block, norm_layer: `InvertedResidual`, and batch normalisation with eps 1e-3, by default.
        dropout: before the output.

    Reference: Howard et al., arXiv:1905.02244.
    """

    def __init__(
        self,
        inverted_residual_setting: list[InvertedResidualConfig],
        last_channel: int,
        num_classes: int = 1000,
        block: Callable[..., nn.Module] | None = None,
        norm_layer: Callable[..., nn.Module] | None = None,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        setting = inverted_residual_setting
        if not setting:
            raise ValueError("The inverted_residual_setting should not be empty")
        if not isinstance(setting, Sequence) or not all(
            isinstance(s, InvertedResidualConfig) for s in setting
        ):
            raise TypeError(
                "The inverted_residual_setting should be List[InvertedResidualConfig]"
            )
        block = block or InvertedResidual
        norm_layer = norm_layer or functools.partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)
        common: dict[str, Any] = {"norm_layer": norm_layer, "activation_layer": nn.Hardswish}
        last = setting[-1].out_channels
        self.features = nn.Sequential(
            Conv2dNormActivation(3, setting[0].input_channels, stride=2, **common),
            *(block(cnf, norm_layer) for cnf in setting),
            Conv2dNormActivation(last, 6 * last, kernel_size=1, **common),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(6 * last, last_channel),
            nn.Hardswish(inplace=True),
            nn.Dropout(p=dropout, inplace=True),
            nn.Linear(last_channel, num_classes),
        )
        initialise_layers(self, lambda layer: nn.init.normal_(layer.weight, 0, 0.01))

    def forward(self, x: Tensor) -> Tensor:
        x = self.avgpool(self.features(x))
        return self.classifier(flambeau.flatten(x, 1))


# width of the layer before the output; then input, kernel, expanded and output channels,
# squeeze and excitation, activation and stride of each block. The "tail" (the last three
# blocks' T) is halved, and dilated instead of strided, on request.
_BLOCKS = {
    "large": (
        1280,
        """16 3 16 16 - RE 1, 16 3 64 24 - RE 2, 24 3 72 24 - RE 1, 24 5 72 40 SE RE 2,
        40 5 120 40 SE RE 1, 40 5 120 40 SE RE 1, 40 3 240 80 - HS 2, 80 3 200 80 - HS 1,
        80 3 184 80 - HS 1, 80 3 184 80 - HS 1, 80 3 480 112 SE HS 1, 112 3 672 112 SE HS 1,
        112 5 672 160T SE HS 2, 160T 5 960T 160T SE HS 1, 160T 5 960T 160T SE HS 1""",
    ),
    "small": (
        1024,
        """16 3 16 16 SE RE 2, 16 3 72 24 - RE 2, 24 3 88 24 - RE 1, 24 5 96 40 SE HS 2,
        40 5 240 40 SE HS 1, 40 5 240 40 SE HS 1, 40 5 120 48 SE HS 1, 48 5 144 48 SE HS 1,
        48 5 288 96T SE HS 2, 96T 5 576T 96T SE HS 1, 96T 5 576T 96T SE HS 1""",
    ),
}


def _mobilenet_v3(
    size: str,
    width_mult: float = 1.0,
    reduced_tail: bool = False,
    dilated: bool = False,
    **kwargs,
) -> MobileNetV3:
    last_channel, blocks = _BLOCKS[size]
    divider = 2 if reduced_tail else 1

    def channels(text: str) -> int:
        return int(text[:-1]) // divider if text.endswith("T") else int(text)

    setting = []
    for block in blocks.split(","):
        inp, kernel, expanded, out, excitation, activation, stride = block.split()
        setting.append(
            InvertedResidualConfig(
                channels(inp),
                int(kernel),
                channels(expanded),
                channels(out),
                excitation == "SE",
                activation,
                int(stride),
                2 if dilated and out.endswith("T") else 1,
                width_mult,
            )
        )
    last = InvertedResidualConfig.adjust_channels(last_channel // divider, width_mult)
    return MobileNetV3(setting, last, **kwargs)


MobileNet_V3_Large_Weights = weights_enum("MobileNet_V3_Large_Weights", __name__)
MobileNet_V3_Small_Weights = weights_enum("MobileNet_V3_Small_Weights", __name__)

mobilenet_v3_large = model_builder(
    "mobilenet_v3_large",
    MobileNet_V3_Large_Weights,
    functools.partial(_mobilenet_v3, "large"),
    doc="MobileNetV3, large.",
)
mobilenet_v3_small = model_builder(
    "mobilenet_v3_small",
    MobileNet_V3_Small_Weights,
    functools.partial(_mobilenet_v3, "small"),
    doc="MobileNetV3, small.",
)
