"""An MLP 784-512-512-10, batch 64, SGD with momentum."""

import torch
import torch.nn.functional as F
from _timing import measure, options
from torch import nn

found = options(200, batch=64, width=512, depth=2)
layers = [nn.Linear(784, found.width), nn.ReLU()]
for _ in range(found.depth - 1):
    layers += [nn.Linear(found.width, found.width), nn.ReLU()]
model = nn.Sequential(*layers, nn.Linear(found.width, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
images, labels = torch.randn(found.batch, 784), torch.randint(0, 10, (found.batch,))
measure(found, model, optimizer, lambda: model(images),
        lambda scores: F.cross_entropy(scores, labels))
