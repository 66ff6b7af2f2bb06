"""A training step of ResNet-50 at 224x224, batch 8, SGD with momentum."""

import torch
import torch.nn.functional as F
from _resnet import resnet
from _timing import compiled, measure, options, prepared, training_step

found = options(8)
model = resnet([3, 4, 6, 3], True, False, 1000)
images, labels = torch.randn(8, 3, 224, 224), torch.randint(0, 1000, (8,))
model, images = prepared(model, images, found.mode)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
forward = compiled(lambda: F.cross_entropy(model(images), labels), found.mode)
measure(training_step(forward, optimizer), found)
