"""An epoch of Fashion-MNIST through a DataLoader: the network of cnn.py, batch 64."""

import gzip
import os

import numpy as np
import torch
import torch.nn.functional as F
from _timing import measure, options
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

found = options(1)
found.warmup = 0


def read(name, header):
    """The bytes of one of the data set's files, packed or not."""
    for folder in (found.data, os.path.join(found.data, "FashionMNIST", "raw"),
                   "/usr/share/datasets/fashion-mnist"):
        for path, opener in ((os.path.join(folder, name), open),
                             (os.path.join(folder, name + ".gz"), gzip.open)):
            if os.path.exists(path):
                with opener(path, "rb") as file:
                    return np.frombuffer(file.read(), np.uint8, offset=header)
    raise SystemExit(f"{name} is neither in {found.data} nor in Debian's dataset-fashion-mnist")


images = torch.from_numpy(read("train-images-idx3-ubyte", 16).reshape(-1, 1, 28, 28).copy())
labels = torch.from_numpy(read("train-labels-idx1-ubyte", 8).astype(np.int64))
loader = DataLoader(TensorDataset((images.float() / 255 - 0.286) / 0.353, labels), batch_size=64,
                    shuffle=True)
model = nn.Sequential(nn.Conv2d(1, 20, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(20, 20, 5),
                      nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(320, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)


def epoch():
    total = 0.0
    for x, y in loader:
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / len(loader)


measure(epoch, found)
