"""Two 5x5 convolutions of 20 channels on 28x28 images, batch 64, SGD."""

import torch
import torch.nn.functional as F
from _timing import measure, options, prepared
from torch import nn

found = options(100, batch=64, channels=20, height=28, breadth=28)


def after(size):
    """The size of a side after two convolutions and two poolings."""
    return ((size - 4) // 2 - 4) // 2


features = found.channels * after(found.height) * after(found.breadth)
model = nn.Sequential(nn.Conv2d(1, found.channels, 5), nn.ReLU(), nn.MaxPool2d(2),
                      nn.Conv2d(found.channels, found.channels, 5), nn.ReLU(), nn.MaxPool2d(2),
                      nn.Flatten(), nn.Linear(features, 10))
images = torch.randn(found.batch, 1, found.height, found.breadth)
labels = torch.randint(0, 10, (found.batch,))
model, images = prepared(model, images, found.mode)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
measure(found, model, optimizer, lambda: model(images),
        lambda scores: F.cross_entropy(scores, labels))
