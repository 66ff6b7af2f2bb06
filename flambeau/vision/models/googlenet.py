"""GoogLeNet: modules of convolutions of several sizes side by side, with auxiliary outputs."""

from __future__ import annotations

import warnings
from collections import namedtuple
from collections.abc import Callable
from typing import Any

import flambeau
from flambeau import Tensor, nn
from flambeau.nn import functional as F
from flambeau.vision.models._api import model_builder, weights_enum
from flambeau.vision.models._utils import _ovewrite_named_param

__all__ = ["GoogLeNet", "GoogLeNetOutputs", "GoogLeNet_Weights", "_GoogLeNetOutputs", "googlenet"]

GoogLeNetOutputs = namedtuple("GoogLeNetOutputs", ["logits", "aux_logits2", "aux_logits1"])
_GoogLeNetOutputs = GoogLeNetOutputs  # the name before torchvision 0.4


class BasicConv2d(nn.Module):
    """Convolution, batch normalisation with eps 1e-3, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, **kwargs: Any) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, bias=False, **kwargs)
        self.bn = nn.BatchNorm2d(out_channels, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)), inplace=True)


class Inception(nn.Module):
    """Four branches: 1 x 1, 3 x 3, 3 x 3 (5 x 5 in the paper) and pooling, concatenated."""

    def __init__(
        self,
        in_channels: int,
        ch1x1: int,
        ch3x3red: int,
        ch3x3: int,
        ch5x5red: int,
        ch5x5: int,
        pool_proj: int,
        conv_block: Callable[..., nn.Module] | None = None,
    ) -> None:
        super().__init__()
        conv = conv_block or BasicConv2d
        self.branch1 = conv(in_channels, ch1x1, kernel_size=1)
        self.branch2 = nn.Sequential(
            conv(in_channels, ch3x3red, kernel_size=1),
            conv(ch3x3red, ch3x3, kernel_size=3, padding=1),
        )
        self.branch3 = nn.Sequential(
            conv(in_channels, ch5x5red, kernel_size=1),
            # 3, not 5: an old slip that the published weights were trained with
            conv(ch5x5red, ch5x5, kernel_size=3, padding=1),
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(kernel_size=3, stride=1, padding=1, ceil_mode=True),
            conv(in_channels, pool_proj, kernel_size=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        branches = (self.branch1, self.branch2, self.branch3, self.branch4)
        return flambeau.cat([branch(x) for branch in branches], 1)


class InceptionAux(nn.Module):
    """An auxiliary classifier on the features in the middle of the network."""

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        conv_block: Callable[..., nn.Module] | None = None,
        dropout: float = 0.7,
    ) -> None:
        super().__init__()
        self.conv = (conv_block or BasicConv2d)(in_channels, 128, kernel_size=1)
        self.fc1 = nn.Linear(2048, 1024)
        self.fc2 = nn.Linear(1024, num_classes)
        self.dropout = nn.Dropout(p=dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(F.adaptive_avg_pool2d(x, (4, 4)))
        x = F.relu(self.fc1(flambeau.flatten(x, 1)), inplace=True)
        return self.fc2(self.dropout(x))


def initial_values_wanted(init_weights: bool | None, network: str) -> bool:
    """`init_weights`; True with a warning where it is None."""
    if init_weights is None:
        warnings.warn(
            f"The default weight initialization of {network} will be changed in future releases "
            "of torchvision. If you wish to keep the old behavior (which leads to long "
            "initialization times due to scipy/scipy#11299), please set init_weights=True.",
            FutureWarning,
            stacklevel=4,
        )
        return True
    return init_weights


def to_half_range(x: Tensor) -> Tensor:
    """Images normalised with ImageNet's mean and deviation, as if with 0.5 and 0.5."""
    scale = flambeau.tensor([0.229, 0.224, 0.225], dtype=x.dtype) / 0.5
    shift = (flambeau.tensor([0.485, 0.456, 0.406], dtype=x.dtype) - 0.5) / 0.5
    return x * scale.reshape(1, 3, 1, 1) + shift.reshape(1, 3, 1, 1)


# channels in, 1 x 1, 3 x 3 (reduced, out), "5 x 5" (reduced, out) and pooled
_MODULES = {
    "3a": (192, 64, 96, 128, 16, 32, 32),
    "3b": (256, 128, 128, 192, 32, 96, 64),
    "4a": (480, 192, 96, 208, 16, 48, 64),
    "4b": (512, 160, 112, 224, 24, 64, 64),
    "4c": (512, 128, 128, 256, 24, 64, 64),
    "4d": (512, 112, 144, 288, 32, 64, 64),
    "4e": (528, 256, 160, 320, 32, 128, 128),
    "5a": (832, 256, 160, 320, 32, 128, 128),
    "5b": (832, 384, 192, 384, 48, 128, 128),
}


class GoogLeNet(nn.Module):
    """GoogLeNet, with batch normalisation.

    Args:
        num_classes: outputs.
        aux_logits: add two classifiers in the middle; in training the result is then a
            `GoogLeNetOutputs`.
        transform_input: expect ImageNet's normalisation and change it to 0.5, 0.5.
        init_weights: draw truncated normal initial values; None does, with a warning.
        blocks: classes in place of `BasicConv2d`, `Inception` and `InceptionAux`.
        dropout, dropout_aux: before the outputs.

    Reference: Szegedy et al., arXiv:1409.4842.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        aux_logits: bool = True,
        transform_input: bool = False,
        init_weights: bool | None = None,
        blocks: list[Callable[..., nn.Module]] | None = None,
        dropout: float = 0.2,
        dropout_aux: float = 0.7,
    ) -> None:
        super().__init__()
        blocks = [BasicConv2d, Inception, InceptionAux] if blocks is None else blocks
        init_weights = initial_values_wanted(init_weights, "GoogleNet")
        if len(blocks) != 3:
            raise ValueError(f"blocks length should be 3 instead of {len(blocks)}")
        conv, inception, aux = blocks
        self.aux_logits = aux_logits
        self.transform_input = transform_input
        self.conv1 = conv(3, 64, kernel_size=7, stride=2, padding=3)
        self.maxpool1 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.conv2 = conv(64, 64, kernel_size=1)
        self.conv3 = conv(64, 192, kernel_size=3, padding=1)
        self.maxpool2 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        for name, channels in _MODULES.items():
            setattr(self, f"inception{name}", inception(*channels))
            if name == "3b":
                self.maxpool3 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
            elif name == "4e":
                self.maxpool4 = nn.MaxPool2d(2, stride=2, ceil_mode=True)
        self.aux1 = aux(512, num_classes, dropout=dropout_aux) if aux_logits else None
        self.aux2 = aux(528, num_classes, dropout=dropout_aux) if aux_logits else None
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.dropout = nn.Dropout(p=dropout)
        self.fc = nn.Linear(1024, num_classes)
        if init_weights:
            for module in self.modules():
                if isinstance(module, (nn.Conv2d, nn.Linear)):
                    nn.init.trunc_normal_(module.weight, mean=0.0, std=0.01, a=-2, b=2)
                elif isinstance(module, nn.BatchNorm2d):
                    nn.init.constant_(module.weight, 1)
                    nn.init.constant_(module.bias, 0)

    def forward(self, x: Tensor) -> Tensor | GoogLeNetOutputs:
        if self.transform_input:
            x = to_half_range(x)
        x = self.maxpool1(self.conv1(x))
        x = self.maxpool2(self.conv3(self.conv2(x)))
        x = self.maxpool3(self.inception3b(self.inception3a(x)))
        x = self.inception4a(x)
        with_aux = self.training and self.aux_logits
        aux1 = self.aux1(x) if with_aux else None
        x = self.inception4d(self.inception4c(self.inception4b(x)))
        aux2 = self.aux2(x) if with_aux else None
        x = self.maxpool4(self.inception4e(x))
        x = self.avgpool(self.inception5b(self.inception5a(x)))
        x = self.fc(self.dropout(flambeau.flatten(x, 1)))
        return GoogLeNetOutputs(x, aux2, aux1) if with_aux else x


def prepare_auxiliary(weights, kwargs: dict[str, Any], by_default: bool) -> bool:
    """Set what the published weights need; True if the auxiliary heads are to be dropped."""
    wanted = kwargs.get("aux_logits", by_default)
    if weights is None:
        return False
    kwargs.setdefault("transform_input", True)
    kwargs["aux_logits"] = True
    _ovewrite_named_param(kwargs, "init_weights", False)
    return not wanted


def _prepare(weights, kwargs: dict[str, Any]):
    if prepare_auxiliary(weights, kwargs, by_default=False):

        def drop(model: GoogLeNet) -> None:
            model.aux_logits = False
            model.aux1 = model.aux2 = None

        return drop
    if weights is not None:
        warnings.warn(
            "auxiliary heads in the pretrained googlenet model are NOT pretrained, so make sure "
            "to train them",
            stacklevel=3,
        )
    return None


GoogLeNet_Weights = weights_enum("GoogLeNet_Weights", __name__)

googlenet = model_builder(
    "googlenet", GoogLeNet_Weights, GoogLeNet, prepare=_prepare, doc="GoogLeNet."
)
