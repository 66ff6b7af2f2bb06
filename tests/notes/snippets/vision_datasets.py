import tempfile

import torch
import torchvision
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

data = datasets.FakeData(size=8, image_size=(3, 16, 16), num_classes=4,
                         transform=transforms.ToTensor())
image, target = data[0]
print(len(data), image.shape, image.dtype, 0 <= int(target) < 4)
for images, targets in DataLoader(data, batch_size=8):
    print(images.shape, targets.shape, targets.dtype)
grid = torchvision.utils.make_grid(images, nrow=4)
print(grid.shape)
try:
    datasets.MNIST(root=tempfile.mkdtemp(), train=True, download=False)
except RuntimeError as error:
    print(str(error)[:18])
print(torch.equal(data[1][0], data[1][0]))

# Output:
# 8 torch.Size([3, 16, 16]) torch.float32 True
# torch.Size([8, 3, 16, 16]) torch.Size([8]) torch.int64
# torch.Size([3, 38, 74])
# Dataset not found.
# True
