"""The same seed gives PyTorch's loss curve: 100 steps of three networks."""

import numpy as np
import pytest

import flambeau

torch = pytest.importorskip("torch")


def mlp(lib):
    nn = lib.nn
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 32), nn.Tanh(),
                          nn.Linear(32, 10))
    optimizer = lib.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    return model, optimizer, None


def cnn(lib):
    nn = lib.nn
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 12, 3), nn.BatchNorm2d(12), nn.ReLU(), nn.Dropout(0.25), nn.Flatten(),
        nn.Linear(48, 10))
    optimizer = lib.optim.Adam(model.parameters(), lr=3e-3)
    scheduler = lib.optim.lr_scheduler.StepLR(optimizer, 30, gamma=0.5)
    return model, optimizer, scheduler


def transformer(lib):
    nn = lib.nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Linear(8, 16)
            layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.1, batch_first=True,
                                               activation="gelu")
            self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
            self.norm = nn.LayerNorm(16)
            self.head = nn.Linear(16, 10)

        def forward(self, x):
            h = self.encoder(self.embed(x.flatten(1).unflatten(1, (8, 8))))
            return self.head(self.norm(h).mean(1))

    model = Net()
    optimizer = lib.optim.AdamW(model.parameters(), lr=1e-3)
    scheduler = lib.optim.lr_scheduler.CosineAnnealingLR(optimizer, 100)
    return model, optimizer, scheduler


def loss_curve(lib, build, steps=100):
    lib.manual_seed(0)
    model, optimizer, scheduler = build(lib)
    criterion = lib.nn.CrossEntropyLoss()
    x = lib.randn(128, 1, 8, 8)
    y = lib.randint(0, 10, (128,))
    data = lib.utils.data.TensorDataset(x, y)
    loader = lib.utils.data.DataLoader(data, batch_size=32, shuffle=True)
    losses = []
    while len(losses) < steps:
        for inputs, labels in loader:
            optimizer.zero_grad()
            loss = criterion(model(inputs), labels)
            loss.backward()
            lib.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            losses.append(loss.item())
        if scheduler is not None:
            scheduler.step()
    return np.array(losses[:steps])


@pytest.mark.parametrize("build", [mlp, cnn, transformer], ids=lambda f: f.__name__)
def test_loss_curve_is_pytorchs(build):
    ours, theirs = loss_curve(flambeau, build), loss_curve(torch, build)
    np.testing.assert_allclose(ours, theirs, rtol=1e-3)
    assert theirs[-1] < theirs[0]
