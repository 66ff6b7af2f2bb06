"""ResNet-18 for 32x32 images, batch 64, SGD with momentum."""

from _resnet import measure_resnet, resnet
from _timing import options

found = options(12, batch=64, channels=64, height=32, breadth=32)
measure_resnet(found, resnet([2, 2, 2, 2], False, True, 10, found.channels), 10)
