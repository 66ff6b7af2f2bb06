"""MNASNet: a mobile network found by search, in four widths."""

from __future__ import annotations

import functools
import warnings

from flambeau import Tensor, nn
from flambeau.vision.models._api import model_builder, weights_enum
from flambeau.vision.models._utils import _make_divisible

__all__ = [
    "MNASNet",
    "MNASNet0_5_Weights",
    "MNASNet0_75_Weights",
    "MNASNet1_0_Weights",
    "MNASNet1_3_Weights",
    "mnasnet0_5",
    "mnasnet0_75",
    "mnasnet1_0",
    "mnasnet1_3",
]

_BN_MOMENTUM = 1 - 0.9997  # the paper's, as PyTorch counts it


def _convolution(channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1):
    """A convolution that keeps the size at stride 1, and its normalisation."""
    convolution = nn.Conv2d(
        channels,
        out_channels,
        kernel,
        padding=kernel // 2,
        stride=stride,
        groups=groups,
        bias=False,
    )
    return [convolution, nn.BatchNorm2d(out_channels, momentum=_BN_MOMENTUM)]


class _InvertedResidual(nn.Module):
    def __init__(self, channels: int, out_channels: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        inner = channels * expansion
        self.apply_residual = channels == out_channels and stride == 1
        self.layers = nn.Sequential(
            *_convolution(channels, inner, 1),
            nn.ReLU(inplace=True),
            *_convolution(inner, inner, kernel, stride, groups=inner),
            nn.ReLU(inplace=True),
            *_convolution(inner, out_channels, 1),
        )

    def forward(self, input: Tensor) -> Tensor:
        result = self.layers(input)
        return result + input if self.apply_residual else result


def _stack(
    channels: int, out_channels: int, kernel: int, stride: int, expansion: int, repeats: int
) -> nn.Sequential:
    blocks = [_InvertedResidual(channels, out_channels, kernel, stride, expansion)]
    for _ in range(1, repeats):
        blocks.append(_InvertedResidual(out_channels, out_channels, kernel, 1, expansion))
    return nn.Sequential(*blocks)


def _stem(channels: int, out_channels: int) -> list[nn.Module]:
    """The layers before the stacks of blocks."""
    return [
        *_convolution(3, channels, 3, 2),
        nn.ReLU(inplace=True),
        *_convolution(channels, channels, 3, groups=channels),
        nn.ReLU(inplace=True),
        *_convolution(channels, out_channels, 1),
    ]


# kernel, stride, expansion and blocks of each stack
_STACKS = ((3, 2, 3, 3), (5, 2, 3, 3), (5, 2, 6, 3), (3, 1, 6, 2), (5, 2, 6, 4), (3, 1, 6, 1))


class MNASNet(nn.Module):
    """MNASNet.

    Args:
        alpha: factor of the numbers of channels.
        num_classes: outputs.
        dropout: before the output.

    Reference: Tan et al., arXiv:1807.11626.
    """

    _version = 2  # in version 1 the stem did not scale with alpha

    def __init__(self, alpha: float, num_classes: int = 1000, dropout: float = 0.2) -> None:
        super().__init__()
        if alpha <= 0.0:
            raise ValueError(f"alpha should be greater than 0.0 instead of {alpha}")
        self.alpha = alpha
        self.num_classes = num_classes
        widths = self._widths()
        layers = _stem(widths[0], widths[1])
        for channels, out_channels, stack in zip(widths[1:], widths[2:], _STACKS):
            layers.append(_stack(channels, out_channels, *stack))
        layers += [*_convolution(widths[-1], 1280, 1), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout, inplace=True), nn.Linear(1280, num_classes)
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, nn.BatchNorm2d):
                nn.init.ones_(module.weight)
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Linear):
                nn.init.kaiming_uniform_(module.weight, mode="fan_out", nonlinearity="sigmoid")
                nn.init.zeros_(module.bias)

    def _widths(self) -> list[int]:
        return [_make_divisible(w * self.alpha, 8) for w in (32, 16, 24, 40, 80, 96, 192, 320)]

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.layers(x).mean([2, 3]))

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, *args, **kwargs) -> None:
        version = local_metadata.get("version", None)
        if version not in (1, 2):
            raise ValueError(f"version should be set to 1 or 2 instead of {version}")
        if version == 1 and self.alpha != 1.0:
            old = [*_stem(32, 16), _stack(16, self._widths()[2], *_STACKS[0])]
            for i, layer in enumerate(old):
                self.layers[i] = layer
            self._version = 1
            warnings.warn(
                "A new version of MNASNet model has been implemented. Your checkpoint was saved "
                "using the previous version. This checkpoint will load and work as before, but "
                "you may want to upgrade by training a newer model or transfer learning from an "
                "updated ImageNet checkpoint.",
                UserWarning,
                stacklevel=2,
            )
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *args, **kwargs)


def _builder(name: str, enum, alpha: float):
    construct = functools.partial(MNASNet, alpha)
    return model_builder(name, enum, construct, doc=f"MNASNet of width {alpha}.")


MNASNet0_5_Weights = weights_enum("MNASNet0_5_Weights", __name__)
MNASNet0_75_Weights = weights_enum("MNASNet0_75_Weights", __name__)
MNASNet1_0_Weights = weights_enum("MNASNet1_0_Weights", __name__)
MNASNet1_3_Weights = weights_enum("MNASNet1_3_Weights", __name__)

mnasnet0_5 = _builder("mnasnet0_5", MNASNet0_5_Weights, 0.5)
mnasnet0_75 = _builder("mnasnet0_75", MNASNet0_75_Weights, 0.75)
mnasnet1_0 = _builder("mnasnet1_0", MNASNet1_0_Weights, 1.0)
mnasnet1_3 = _builder("mnasnet1_3", MNASNet1_3_Weights, 1.3)
