"""One epoch of Fashion-MNIST as the notes write it: dataset, ToTensor, DataLoader, MLP, SGD."""

import time

import torch
from _timing import options, report
from torch import nn
from torch.utils.data import DataLoader

try:
    from torchvision import datasets, transforms
    FashionMNIST, ToTensor = datasets.FashionMNIST, transforms.ToTensor
except Exception:       # not installed, or built for another PyTorch
    from _torchvision import FashionMNIST, ToTensor

found = options(1, batch=64)
training_data = FashionMNIST(root=found.data, train=True, download=False, transform=ToTensor())
loader = DataLoader(training_data, batch_size=found.batch, shuffle=True)


class NeuralNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.flatten = nn.Flatten()
        self.stack = nn.Sequential(nn.Linear(28 * 28, 512), nn.ReLU(), nn.Linear(512, 512),
                                   nn.ReLU(), nn.Linear(512, 10))

    def forward(self, x):
        return self.stack(self.flatten(x))


model = NeuralNetwork()
loss_of = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)


def epoch():
    """The mean loss, read now and then as people do."""
    total, count = 0.0, 0
    model.train()
    for index, (images, labels) in enumerate(loader):
        loss = loss_of(model(images), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if index % 100 == 0:
            total += loss.item()
            count += 1
    return total / count


begin = time.perf_counter()
losses = [epoch()]
report(step_s=time.perf_counter() - begin, losses=losses)
