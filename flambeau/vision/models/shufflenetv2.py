"""ShuffleNetV2: half of the channels pass by each block, then channels are shuffled."""

from __future__ import annotations

import functools
from collections.abc import Callable

import flambeau
from flambeau import Tensor, nn
from flambeau.vision.models._api import model_builder, weights_enum

__all__ = [
    "ShuffleNetV2",
    "ShuffleNet_V2_X0_5_Weights",
    "ShuffleNet_V2_X1_0_Weights",
    "ShuffleNet_V2_X1_5_Weights",
    "ShuffleNet_V2_X2_0_Weights",
    "shufflenet_v2_x0_5",
    "shufflenet_v2_x1_0",
    "shufflenet_v2_x1_5",
    "shufflenet_v2_x2_0",
]


def channel_shuffle(x: Tensor, groups: int) -> Tensor:
    """Interleave the channels of so many groups."""
    n, channels, height, width = x.shape
    x = x.reshape(n, groups, channels // groups, height, width)
    return x.transpose(1, 2).reshape(n, channels, height, width)


def _convolution(
    channels: int, out_channels: int, kernel: int = 1, stride: int = 1, groups: int = 1
) -> list[nn.Module]:
    """A convolution that keeps the size at stride 1, and its normalisation."""
    convolution = nn.Conv2d(
        channels, out_channels, kernel, stride, kernel // 2, bias=False, groups=groups
    )
    return [convolution, nn.BatchNorm2d(out_channels)]


class InvertedResidual(nn.Module):
    """Two branches, joined and shuffled; at stride 1 the first is half of the input itself."""

    def __init__(self, inp: int, oup: int, stride: int) -> None:
        super().__init__()
        if not 1 <= stride <= 3:
            raise ValueError("illegal stride value")
        half = oup // 2
        if stride == 1 and inp != half << 1:
            raise ValueError(
                f"Invalid combination of stride {stride}, inp {inp} and oup {oup} values. If "
                "stride == 1 then inp should be equal to oup // 2 << 1."
            )
        self.stride = stride
        self.branch1 = nn.Sequential()
        if stride > 1:
            self.branch1 = nn.Sequential(
                *_convolution(inp, inp, 3, stride, groups=inp),
                *_convolution(inp, half),
                nn.ReLU(inplace=True),
            )
        self.branch2 = nn.Sequential(
            *_convolution(inp if stride > 1 else half, half),
            nn.ReLU(inplace=True),
            *_convolution(half, half, 3, stride, groups=half),
            *_convolution(half, half),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        first, second = x.chunk(2, dim=1) if self.stride == 1 else (self.branch1(x), x)
        return channel_shuffle(flambeau.cat((first, self.branch2(second)), dim=1), 2)


class ShuffleNetV2(nn.Module):
    """ShuffleNetV2.

    Args:
        stages_repeats: blocks in each of three stages.
        stages_out_channels: of the first convolution, the three stages and the last convolution.
        num_classes: outputs.
        inverted_residual: the block's class.

    Reference: Ma et al., arXiv:1807.11164.
    """

    def __init__(
        self,
        stages_repeats: list[int],
        stages_out_channels: list[int],
        num_classes: int = 1000,
        inverted_residual: Callable[..., nn.Module] = InvertedResidual,
    ) -> None:
        super().__init__()
        if len(stages_repeats) != 3:
            raise ValueError("expected stages_repeats as list of 3 positive ints")
        if len(stages_out_channels) != 5:
            raise ValueError("expected stages_out_channels as list of 5 positive ints")
        self._stage_out_channels = stages_out_channels
        channels, *stages, last = stages_out_channels
        self.conv1 = nn.Sequential(*_convolution(3, channels, 3, 2), nn.ReLU(inplace=True))
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        for i, (repeats, width) in enumerate(zip(stages_repeats, stages), 2):
            blocks = [inverted_residual(channels, width, 2)]
            blocks += [inverted_residual(width, width, 1) for _ in range(repeats - 1)]
            setattr(self, f"stage{i}", nn.Sequential(*blocks))
            channels = width
        self.conv5 = nn.Sequential(*_convolution(channels, last), nn.ReLU(inplace=True))
        self.fc = nn.Linear(last, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.conv1(x))
        x = self.conv5(self.stage4(self.stage3(self.stage2(x))))
        return self.fc(x.mean([2, 3]))


def _builder(name: str, enum, channels: list[int]):
    construct = functools.partial(ShuffleNetV2, [4, 8, 4], channels)
    return model_builder(name, enum, construct, doc=f"ShuffleNetV2 with {channels} channels.")


ShuffleNet_V2_X0_5_Weights = weights_enum("ShuffleNet_V2_X0_5_Weights", __name__)
ShuffleNet_V2_X1_0_Weights = weights_enum("ShuffleNet_V2_X1_0_Weights", __name__)
ShuffleNet_V2_X1_5_Weights = weights_enum("ShuffleNet_V2_X1_5_Weights", __name__)
ShuffleNet_V2_X2_0_Weights = weights_enum("ShuffleNet_V2_X2_0_Weights", __name__)

shufflenet_v2_x0_5 = _builder(
    "shufflenet_v2_x0_5", ShuffleNet_V2_X0_5_Weights, [24, 48, 96, 192, 1024]
)
shufflenet_v2_x1_0 = _builder(
    "shufflenet_v2_x1_0", ShuffleNet_V2_X1_0_Weights, [24, 116, 232, 464, 1024]
)
shufflenet_v2_x1_5 = _builder(
    "shufflenet_v2_x1_5", ShuffleNet_V2_X1_5_Weights, [24, 176, 352, 704, 1024]
)
shufflenet_v2_x2_0 = _builder(
    "shufflenet_v2_x2_0", ShuffleNet_V2_X2_0_Weights, [24, 244, 488, 976, 2048]
)
