"""A training step of ResNet-18 for 32x32 images, batch 64, SGD with momentum."""

import torch
import torch.nn.functional as F
from _resnet import resnet
from _timing import compiled, measure, options, prepared, training_step

found = options(12)
model = resnet([2, 2, 2, 2], False, True, 10)
images, labels = torch.randn(64, 3, 32, 32), torch.randint(0, 10, (64,))
model, images = prepared(model, images, found.mode)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
forward = compiled(lambda: F.cross_entropy(model(images), labels), found.mode)
measure(training_step(forward, optimizer), found)
