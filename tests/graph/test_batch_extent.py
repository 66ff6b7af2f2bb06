"""The short last batch of an epoch runs the machine code of the full ones."""

import pytest

import flambeau as torch
from flambeau.record import execute

nn = torch.nn


def linear():
    return nn.Sequential(nn.Flatten(), nn.Linear(144, 70), nn.ReLU(), nn.Dropout(0.1),
                         nn.Linear(70, 10)), (1, 12, 12)


def convolutional():
    return nn.Sequential(
        nn.Conv2d(1, 20, 3), nn.BatchNorm2d(20), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(20, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.AvgPool2d(2),
        nn.Dropout(0.2), nn.Flatten(), nn.Linear(96, 10)), (1, 12, 12)


class _Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.parts, self.last = nn.LayerNorm(32), nn.Linear(32, 96), nn.Linear(32, 10)

    def forward(self, x):
        q, k, v = (t.unflatten(2, (2, 16)).transpose(1, 2)
                   for t in self.parts(self.norm(x)).chunk(3, 2))
        y = nn.functional.scaled_dot_product_attention(q, k, v)
        return self.last(x + y.transpose(1, 2).flatten(2))[:, -1]


def attention():
    return _Attention(), (35, 32)


class _Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.cells, self.last = nn.LSTM(12, 20, 1, batch_first=True), nn.Linear(20, 10)

    def forward(self, x):
        return self.last(self.cells(x)[0][:, -1])


def recurrent():
    return _Recurrent(), (5, 12)


@pytest.mark.parametrize("make", [linear, convolutional, attention, recurrent])
@pytest.mark.parametrize("training", [True, False])
def test_other_batches_need_no_new_kernels(make, training, monkeypatch):
    monkeypatch.setattr(execute.settings, "interpreted_runs", 0)
    torch.manual_seed(0)
    model, shape = make()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model.train(training)

    def kernels(batch):
        """The names of the kernels that two steps make or use for the first time."""
        before = len(execute.programs)
        with torch.set_grad_enabled(training):
            for _ in range(2):
                x, y = torch.randn(batch, *shape), torch.randint(0, 10, (batch,))
                loss = nn.functional.cross_entropy(model(x), y)
                if training:
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                loss.item()
        made = [p for p in execute.programs[before:] if p.executable]
        assert made
        return {k.name for p in made for k in p.executable.kernels}

    known = kernels(64)
    for batch in (48, 33, 17, 7):
        assert kernels(batch) <= known, batch
