"""The short last batch of an epoch runs the machine code of the full ones."""

import pytest

import flambeau as torch
from flambeau.record import execute
from flambeau.record.trace import reset_programs

nn = torch.nn


def linear():
    return nn.Sequential(nn.Flatten(), nn.Linear(144, 70), nn.ReLU(), nn.Dropout(0.1),
                         nn.Linear(70, 10)), (1, 12, 12)


def convolutional():
    return nn.Sequential(
        nn.Conv2d(1, 20, 3), nn.BatchNorm2d(20), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(20, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.AvgPool2d(2),
        nn.Dropout(0.2), nn.Flatten(), nn.Linear(96, 10)), (1, 12, 12)


class _Residual(nn.Module):
    """A block of ResNet: Winograd's form, weight gradients, a 1x1 convolution with stride."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
                                   nn.BatchNorm2d(outputs), nn.ReLU(),
                                   nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
                                   nn.BatchNorm2d(outputs))
        self.short = nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x):
        return torch.relu(self.first(x) + self.short(x))


def residual():
    return nn.Sequential(_Residual(3, 16, 1), _Residual(16, 32, 2), nn.AdaptiveAvgPool2d(1),
                         nn.Flatten(), nn.Linear(32, 10)), (3, 16, 16)


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


class _Language(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.places = nn.Embedding(50, 32), nn.Embedding(16, 32)
        self.block = nn.TransformerEncoderLayer(32, 2, 64, batch_first=True, activation="gelu")
        self.last = nn.Linear(32, 10)

    def forward(self, x):
        ids = (x * 4).abs().long()
        return self.last(self.block(self.words(ids) + self.places(torch.arange(16))).mean(1))


def language():
    return _Language(), (16,)


MODELS = [linear, convolutional, residual, attention, recurrent, language]


class Steps:
    """Steps of a model with any batch, and the kernels that they use."""

    def __init__(self, make, training=True):
        torch.manual_seed(0)
        self.model, self.shape = make()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        self.model.train(training)
        self.training = training

    def run(self, batch, count=2):
        with torch.set_grad_enabled(self.training):
            for _ in range(count):
                x, y = torch.randn(batch, *self.shape), torch.randint(0, 10, (batch,))
                loss = nn.functional.cross_entropy(self.model(x), y)
                if self.training:
                    self.optimizer.zero_grad()
                    loss.backward()
                    self.optimizer.step()
                loss.item()

    def kernels(self, batch):
        """The names of the kernels that two steps make or use for the first time."""
        before = len(execute.programs)
        self.run(batch)
        made = [p for p in execute.programs[before:] if p.executable]
        assert made
        return {k.name for p in made for k in p.executable.kernels}


@pytest.fixture(autouse=True)
def compiled_at_once(monkeypatch):
    monkeypatch.setattr(execute.settings, "interpreted_runs", 0)
    monkeypatch.setattr(execute.settings, "strict", True)
    monkeypatch.setenv("FLAMBEAU_STRICT", "1")


@pytest.mark.parametrize("make", MODELS)
@pytest.mark.parametrize("training", [True, False])
def test_other_batches_need_no_new_kernels(make, training, monkeypatch):
    steps = Steps(make, training)
    known = steps.kernels(64)
    # each run is compared with the interpreter's: the extents are those of the short batch
    monkeypatch.setattr(execute.settings, "verify", 1e-3)
    for batch in (48, 33, 17, 7, 5, 3, 2, 1):
        assert steps.kernels(batch) <= known, batch


def test_a_short_batch_that_runs_often_is_compiled_for_itself(monkeypatch):
    monkeypatch.setattr(execute.settings, "lent_runs", 4)
    reset_programs()
    steps = Steps(linear, training=False)
    steps.run(64)
    steps.run(2, 3)
    program = execute.programs[-1]
    assert program.executable.lent
    assert not any(k.name.startswith("dot_products") for k in program.executable.kernels)
    steps.run(2, 2)
    assert execute.programs[-1] is program and not program.executable.lent
    assert any(k.name.startswith("dot_products") for k in program.executable.kernels)
