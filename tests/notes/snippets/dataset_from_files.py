import os
import tempfile

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms


class Ants(Dataset):
    def __init__(self, root, label):
        self.root, self.label = root, label
        self.names = sorted(os.listdir(os.path.join(root, label)))

    def __getitem__(self, index):
        image = Image.open(os.path.join(self.root, self.label, self.names[index]))
        return transforms.ToTensor()(image), self.label

    def __len__(self):
        return len(self.names)


with tempfile.TemporaryDirectory() as root:
    for label, number in (("ants", 3), ("bees", 2)):
        os.mkdir(os.path.join(root, label))
        for i in range(number):
            array = np.full((4, 5, 3), 40 * i, dtype=np.uint8)
            Image.fromarray(array).save(os.path.join(root, label, f"{i}.png"))
    train = Ants(root, "ants") + Ants(root, "bees")
    print(len(train))
    image, label = train[4]
    print(image.shape, label, round(image.max().item(), 4))
    for images, labels in DataLoader(train, batch_size=3):
        print(images.shape, labels)

# Output:
# 5
# torch.Size([3, 4, 5]) bees 0.1569
# torch.Size([3, 3, 4, 5]) ('ants', 'ants', 'ants')
# torch.Size([2, 3, 4, 5]) ('bees', 'bees')
