"""FashionMNIST and ToTensor for PyTorch where torchvision is not installed.

They do for each image what torchvision does: the array becomes a PIL image, which becomes an array
again, channels first, contiguous, float32, divided by 255.
"""

import os

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset


def read_idx(path, header):
    with open(path, "rb") as file:
        return torch.from_numpy(np.frombuffer(file.read(), np.uint8, offset=header).copy())


class FashionMNIST(Dataset):
    def __init__(self, root, train, download, transform):
        del download
        folder = os.path.join(root, "FashionMNIST", "raw")
        split = "train" if train else "t10k"
        self.data = read_idx(os.path.join(folder, f"{split}-images-idx3-ubyte"),
                             16).view(-1, 28, 28)
        self.targets = read_idx(os.path.join(folder, f"{split}-labels-idx1-ubyte"), 8).long()
        self.transform = transform

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        image, target = self.data[index], int(self.targets[index])
        return self.transform(Image.fromarray(image.numpy(), mode="L")), target


class ToTensor:
    def __call__(self, image):
        values = torch.from_numpy(np.array(image, np.uint8, copy=True))
        values = values.view(image.size[1], image.size[0], 1).permute(2, 0, 1).contiguous()
        return values.to(torch.float32).div(255)
