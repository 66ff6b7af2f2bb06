"""A training step of two 5x5 convolutions of 20 channels on 28x28 images, batch 64, SGD."""

import torch
import torch.nn.functional as F
from _timing import compiled, measure, options, prepared, training_step
from torch import nn

found = options(100)
model = nn.Sequential(nn.Conv2d(1, 20, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(20, 20, 5),
                      nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(320, 10))
images, labels = torch.randn(64, 1, 28, 28), torch.randint(0, 10, (64,))
model, images = prepared(model, images, found.mode)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
forward = compiled(lambda: F.cross_entropy(model(images), labels), found.mode)
measure(training_step(forward, optimizer), found)
