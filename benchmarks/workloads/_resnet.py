"""Residual networks of He et al. (2016), so that the benchmark needs no torchvision."""

import torch
import torch.nn.functional as F
from _timing import measure, prepared
from torch import nn


def convolution(inputs, outputs, size, stride=1):
    return nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)


class Residual(nn.Module):
    """A basic block (3x3, 3x3) or a bottleneck (1x1, 3x3, 1x1)."""

    def __init__(self, inputs, width, stride, bottleneck):
        super().__init__()
        outputs = 4 * width if bottleneck else width
        plan = [(inputs, width, 1, 1), (width, width, 3, stride), (width, outputs, 1, 1)] \
            if bottleneck else [(inputs, width, 3, stride), (width, width, 3, 1)]
        layers = []
        for i, (a, b, size, step) in enumerate(plan):
            layers += [convolution(a, b, size, step), nn.BatchNorm2d(b)]
            if i < len(plan) - 1:
                layers.append(nn.ReLU(inplace=True))
        self.body = nn.Sequential(*layers)
        self.shortcut = nn.Identity() if stride == 1 and inputs == outputs else nn.Sequential(
            convolution(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.relu(self.body(x) + self.shortcut(x))


def resnet(depths, bottleneck, small_images, classes, channels=64):
    """A ResNet; for small images with a 3x3 stem and no pooling in front."""
    stem = convolution(3, channels, 3) if small_images else convolution(3, channels, 7, 2)
    layers = [stem, nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]
    if not small_images:
        layers.append(nn.MaxPool2d(3, 2, 1))
    inputs = channels
    for stage, depth in enumerate(depths):
        width = channels << stage
        for i in range(depth):
            layers.append(Residual(inputs, width, 2 if i == 0 and stage else 1, bottleneck))
            inputs = 4 * width if bottleneck else width
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, classes)]
    return nn.Sequential(*layers)


def begin_as_identities(model):
    """Let each block pass its input on at first: its last normalisation has the weight zero.

    Goyal et al., "Accurate, Large Minibatch SGD" (2017); torchvision's zero_init_residual. With
    ones, a ResNet-50 on a batch of 8 is chaotic: its losses in PyTorch's own two memory formats
    are 6e-2 apart after 20 steps, with zeros 2e-6.
    """
    for block in model.modules():
        if isinstance(block, Residual):
            nn.init.zeros_(block.body[-1].weight)


def measure_resnet(found, model, classes):
    """Time a ResNet's steps with SGD and momentum on random images."""
    if not found.inference:
        begin_as_identities(model)
    images = torch.randn(found.batch, 3, found.height, found.breadth)
    labels = torch.randint(0, classes, (found.batch,))
    model, images = prepared(model, images, found.mode)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
    measure(found, model, optimizer, lambda: model(images),
            lambda scores: F.cross_entropy(scores, labels))
