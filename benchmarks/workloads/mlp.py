"""A training step of an MLP 784-512-512-10, batch 64, SGD with momentum."""

import torch
import torch.nn.functional as F
from _timing import compiled, measure, options, training_step
from torch import nn

found = options(200)
model = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(),
                      nn.Linear(512, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
images, labels = torch.randn(64, 784), torch.randint(0, 10, (64,))
forward = compiled(lambda: F.cross_entropy(model(images), labels), found.mode)
measure(training_step(forward, optimizer), found)
