"""Inception v3: convolutions factorised into 1 x 7 and 7 x 1, for 299 x 299 images."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from typing import Any

import flambeau
from flambeau import Tensor, nn
from flambeau.nn import functional as F
from flambeau.vision.models._api import model_builder, weights_enum
from flambeau.vision.models.googlenet import (
    BasicConv2d,
    initial_values_wanted,
    prepare_auxiliary,
    to_half_range,
)

__all__ = [
    "Inception3",
    "InceptionOutputs",
    "Inception_V3_Weights",
    "_InceptionOutputs",
    "inception_v3",
]

InceptionOutputs = namedtuple("InceptionOutputs", ["logits", "aux_logits"])
_InceptionOutputs = InceptionOutputs  # the name before torchvision 0.4

_ACROSS = {"kernel_size": (1, 7), "padding": (0, 3)}
_DOWN = {"kernel_size": (7, 1), "padding": (3, 0)}


class _Branches(nn.Module):
    """Branches of convolutions, and one that pools, concatenated along the channels.

    `_layout` lists each branch's layers by name; a last tuple runs its layers side by side.
    """

    _layout: tuple[tuple, ...] = ()
    _average = True  # the pooling branch: average 3 x 3 and convolve, or maximum with stride 2

    def _run(self, names: tuple, x: Tensor) -> Tensor:
        for name in names:
            if isinstance(name, tuple):
                x = flambeau.cat([getattr(self, part)(x) for part in name], 1)
            else:
                x = getattr(self, name)(x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        outputs = [self._run(names, x) for names in self._layout]
        if self._average:
            pooled = F.avg_pool2d(x, kernel_size=3, stride=1, padding=1)
            outputs.append(self.branch_pool(pooled))
        else:
            outputs.append(F.max_pool2d(x, kernel_size=3, stride=2))
        return flambeau.cat(outputs, 1)


class InceptionA(_Branches):
    """35 x 35: 1 x 1, 5 x 5, twice 3 x 3."""

    _layout = (
        ("branch1x1",),
        ("branch5x5_1", "branch5x5_2"),
        ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"),
    )

    def __init__(
        self,
        in_channels: int,
        pool_features: int,
        conv_block: Callable[..., nn.Module] | None = None,
    ) -> None:
        super().__init__()
        conv = conv_block or BasicConv2d
        self.branch1x1 = conv(in_channels, 64, kernel_size=1)
        self.branch5x5_1 = conv(in_channels, 48, kernel_size=1)
        self.branch5x5_2 = conv(48, 64, kernel_size=5, padding=2)
        self.branch3x3dbl_1 = conv(in_channels, 64, kernel_size=1)
        self.branch3x3dbl_2 = conv(64, 96, kernel_size=3, padding=1)
        self.branch3x3dbl_3 = conv(96, 96, kernel_size=3, padding=1)
        self.branch_pool = conv(in_channels, pool_features, kernel_size=1)


class InceptionB(_Branches):
    """35 x 35 to 17 x 17."""

    _layout = (("branch3x3",), ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"))
    _average = False

    def __init__(
        self, in_channels: int, conv_block: Callable[..., nn.Module] | None = None
    ) -> None:
        super().__init__()
        conv = conv_block or BasicConv2d
        self.branch3x3 = conv(in_channels, 384, kernel_size=3, stride=2)
        self.branch3x3dbl_1 = conv(in_channels, 64, kernel_size=1)
        self.branch3x3dbl_2 = conv(64, 96, kernel_size=3, padding=1)
        self.branch3x3dbl_3 = conv(96, 96, kernel_size=3, stride=2)


class InceptionC(_Branches):
    """17 x 17: 1 x 1, 7 x 7 and twice 7 x 7, factorised."""

    _layout = (
        ("branch1x1",),
        ("branch7x7_1", "branch7x7_2", "branch7x7_3"),
        tuple(f"branch7x7dbl_{i}" for i in range(1, 6)),
    )

    def __init__(
        self,
        in_channels: int,
        channels_7x7: int,
        conv_block: Callable[..., nn.Module] | None = None,
    ) -> None:
        super().__init__()
        conv = conv_block or BasicConv2d
        c7 = channels_7x7
        self.branch1x1 = conv(in_channels, 192, kernel_size=1)
        self.branch7x7_1 = conv(in_channels, c7, kernel_size=1)
        self.branch7x7_2 = conv(c7, c7, **_ACROSS)
        self.branch7x7_3 = conv(c7, 192, **_DOWN)
        self.branch7x7dbl_1 = conv(in_channels, c7, kernel_size=1)
        self.branch7x7dbl_2 = conv(c7, c7, **_DOWN)
        self.branch7x7dbl_3 = conv(c7, c7, **_ACROSS)
        self.branch7x7dbl_4 = conv(c7, c7, **_DOWN)
        self.branch7x7dbl_5 = conv(c7, 192, **_ACROSS)
        self.branch_pool = conv(in_channels, 192, kernel_size=1)


class InceptionD(_Branches):
    """17 x 17 to 8 x 8."""

    _layout = (
        ("branch3x3_1", "branch3x3_2"),
        tuple(f"branch7x7x3_{i}" for i in range(1, 5)),
    )
    _average = False

    def __init__(
        self, in_channels: int, conv_block: Callable[..., nn.Module] | None = None
    ) -> None:
        super().__init__()
        conv = conv_block or BasicConv2d
        self.branch3x3_1 = conv(in_channels, 192, kernel_size=1)
        self.branch3x3_2 = conv(192, 320, kernel_size=3, stride=2)
        self.branch7x7x3_1 = conv(in_channels, 192, kernel_size=1)
        self.branch7x7x3_2 = conv(192, 192, **_ACROSS)
        self.branch7x7x3_3 = conv(192, 192, **_DOWN)
        self.branch7x7x3_4 = conv(192, 192, kernel_size=3, stride=2)


class InceptionE(_Branches):
    """8 x 8: 1 x 1, and 3 x 3 split into 1 x 3 beside 3 x 1."""

    _layout = (
        ("branch1x1",),
        ("branch3x3_1", ("branch3x3_2a", "branch3x3_2b")),
        ("branch3x3dbl_1", "branch3x3dbl_2", ("branch3x3dbl_3a", "branch3x3dbl_3b")),
    )

    def __init__(
        self, in_channels: int, conv_block: Callable[..., nn.Module] | None = None
    ) -> None:
        super().__init__()
        conv = conv_block or BasicConv2d
        across = {"kernel_size": (1, 3), "padding": (0, 1)}
        down = {"kernel_size": (3, 1), "padding": (1, 0)}
        self.branch1x1 = conv(in_channels, 320, kernel_size=1)
        self.branch3x3_1 = conv(in_channels, 384, kernel_size=1)
        self.branch3x3_2a = conv(384, 384, **across)
        self.branch3x3_2b = conv(384, 384, **down)
        self.branch3x3dbl_1 = conv(in_channels, 448, kernel_size=1)
        self.branch3x3dbl_2 = conv(448, 384, kernel_size=3, padding=1)
        self.branch3x3dbl_3a = conv(384, 384, **across)
        self.branch3x3dbl_3b = conv(384, 384, **down)
        self.branch_pool = conv(in_channels, 192, kernel_size=1)


class InceptionAux(nn.Module):
    """The auxiliary classifier."""

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        conv_block: Callable[..., nn.Module] | None = None,
    ) -> None:
        super().__init__()
        conv = conv_block or BasicConv2d
        self.conv0 = conv(in_channels, 128, kernel_size=1)
        self.conv1 = conv(128, 768, kernel_size=5)
        self.conv1.stddev = 0.01
        self.fc = nn.Linear(768, num_classes)
        self.fc.stddev = 0.001

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(self.conv0(F.avg_pool2d(x, kernel_size=5, stride=3)))
        return self.fc(flambeau.flatten(F.adaptive_avg_pool2d(x, (1, 1)), 1))


class Inception3(nn.Module):
    """Inception v3.

    Args:
        num_classes: outputs.
        aux_logits: add a classifier in the middle; in training the result is then an
            `InceptionOutputs`.
        transform_input: expect ImageNet's normalisation and change it to 0.5, 0.5.
        inception_blocks: classes in place of `BasicConv2d`, `InceptionA` to `InceptionE` and
            `InceptionAux`.
        init_weights: draw truncated normal initial values; None does, with a warning.
        dropout: before the output.

    Reference: Szegedy et al., arXiv:1512.00567.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        aux_logits: bool = True,
        transform_input: bool = False,
        inception_blocks: list[Callable[..., nn.Module]] | None = None,
        init_weights: bool | None = None,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        init_weights = initial_values_wanted(init_weights, "inception_v3")
        blocks = inception_blocks or [
            BasicConv2d,
            InceptionA,
            InceptionB,
            InceptionC,
            InceptionD,
            InceptionE,
            InceptionAux,
        ]
        if len(blocks) != 7:
            raise ValueError(f"length of inception_blocks should be 7 instead of {len(blocks)}")
        conv, block_a, block_b, block_c, block_d, block_e, aux = blocks
        self.aux_logits = aux_logits
        self.transform_input = transform_input
        self.Conv2d_1a_3x3 = conv(3, 32, kernel_size=3, stride=2)
        self.Conv2d_2a_3x3 = conv(32, 32, kernel_size=3)
        self.Conv2d_2b_3x3 = conv(32, 64, kernel_size=3, padding=1)
        self.maxpool1 = nn.MaxPool2d(kernel_size=3, stride=2)
        self.Conv2d_3b_1x1 = conv(64, 80, kernel_size=1)
        self.Conv2d_4a_3x3 = conv(80, 192, kernel_size=3)
        self.maxpool2 = nn.MaxPool2d(kernel_size=3, stride=2)
        self.Mixed_5b = block_a(192, pool_features=32)
        self.Mixed_5c = block_a(256, pool_features=64)
        self.Mixed_5d = block_a(288, pool_features=64)
        self.Mixed_6a = block_b(288)
        self.Mixed_6b = block_c(768, channels_7x7=128)
        self.Mixed_6c = block_c(768, channels_7x7=160)
        self.Mixed_6d = block_c(768, channels_7x7=160)
        self.Mixed_6e = block_c(768, channels_7x7=192)
        self.AuxLogits = aux(768, num_classes) if aux_logits else None
        self.Mixed_7a = block_d(768)
        self.Mixed_7b = block_e(1280)
        self.Mixed_7c = block_e(2048)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.dropout = nn.Dropout(p=dropout)
        self.fc = nn.Linear(2048, num_classes)
        if init_weights:
            for module in self.modules():
                if isinstance(module, (nn.Conv2d, nn.Linear)):
                    std = float(getattr(module, "stddev", 0.1))
                    nn.init.trunc_normal_(module.weight, mean=0.0, std=std, a=-2, b=2)
                elif isinstance(module, nn.BatchNorm2d):
                    nn.init.constant_(module.weight, 1)
                    nn.init.constant_(module.bias, 0)

    def forward(self, x: Tensor) -> Tensor | InceptionOutputs:
        if self.transform_input:
            x = to_half_range(x)
        x = self.maxpool1(self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x))))
        x = self.maxpool2(self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x)))
        x = self.Mixed_6a(self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x))))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(x))))
        with_aux = self.training and self.aux_logits
        aux = self.AuxLogits(x) if with_aux else None
        x = self.avgpool(self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x))))
        x = self.fc(flambeau.flatten(self.dropout(x), 1))
        return InceptionOutputs(x, aux) if with_aux else x


def _prepare(weights, kwargs: dict[str, Any]):
    if not prepare_auxiliary(weights, kwargs, by_default=True):
        return None

    def drop(model: Inception3) -> None:
        model.aux_logits = False
        model.AuxLogits = None

    return drop


Inception_V3_Weights = weights_enum("Inception_V3_Weights", __name__)

inception_v3 = model_builder(
    "inception_v3", Inception_V3_Weights, Inception3, prepare=_prepare, doc="Inception v3."
)
