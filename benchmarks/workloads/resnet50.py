"""ResNet-50 at 224x224, batch 8, SGD with momentum."""

from _resnet import measure_resnet, resnet
from _timing import options

found = options(8, batch=8, channels=64, height=224, breadth=224)
measure_resnet(found, resnet([3, 4, 6, 3], True, False, 1000, found.channels), 1000)
