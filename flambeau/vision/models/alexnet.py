"""AlexNet, as in "One weird trick for parallelizing convolutional neural networks"."""

from __future__ import annotations

import flambeau
from flambeau import Tensor, nn
from flambeau.vision.models._api import model_builder, weights_enum

__all__ = ["AlexNet", "AlexNet_Weights", "alexnet"]

AlexNet_Weights = weights_enum("AlexNet_Weights", __name__)


class AlexNet(nn.Module):
    """Five convolutions and three linear layers.

    Args:
        num_classes: outputs.
        dropout: before the first two linear layers.

    Reference: Krizhevsky, arXiv:1404.5997.
    """

    def __init__(self, num_classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.Conv2d(3, 64, kernel_size=11, stride=4, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),
            nn.Conv2d(64, 192, kernel_size=5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),
        ]
        for channels, out_channels in ((192, 384), (384, 256), (256, 256)):
            layers.append(nn.Conv2d(channels, out_channels, kernel_size=3, padding=1))
            layers.append(nn.ReLU(inplace=True))
        self.features = nn.Sequential(*layers, nn.MaxPool2d(kernel_size=3, stride=2))
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout),
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(p=dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.avgpool(self.features(x))
        return self.classifier(flambeau.flatten(x, 1))


alexnet = model_builder("alexnet", AlexNet_Weights, AlexNet, doc="AlexNet.")
