"""Training steps of many kinds of networks, each compiled run compared with the interpreter."""

import pytest

import flambeau as torch
from flambeau import nn
from flambeau.nn import functional as F
from flambeau.record import execute
from flambeau.record.trace import flush, reset_programs


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs),
            nn.ReLU(), nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs))
        self.short = nn.Sequential() if stride == 1 and inputs == outputs else nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        return F.relu(self.body(x) + self.short(x))


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm, self.qkv = nn.LayerNorm(width), nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(),
                                 nn.Linear(4 * width, width))

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = (p.view(b, t, self.heads, c // self.heads).transpose(1, 2)
                   for p in self.qkv(self.norm(x)).split(c, 2))
        scores = (q @ k.transpose(-2, -1)) / (c // self.heads) ** 0.5
        scores = scores.masked_fill(torch.ones(t, t).triu(1).bool(), float("-inf"))
        y = (scores.softmax(-1) @ v).transpose(1, 2).reshape(b, t, c)
        x = x + self.out(y)
        return x + self.mlp(x)


class Language(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.places = nn.Embedding(17, 24), nn.Embedding(9, 24)
        self.block = Attention(24, 3)

    def forward(self, index):
        x = self.table(index) + self.places(torch.arange(index.shape[1]))
        return self.block(x) @ self.table.weight.t()


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.table = nn.Embedding(17, 12)
        self.net = getattr(nn, kind)(12, 10, num_layers=2, bidirectional=True, batch_first=True)
        self.head = nn.Linear(20, 17)

    def forward(self, index):
        return self.head(self.net(self.table(index))[0])


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(16, 4, 24, dropout=0.1, norm_first=True)
        self.net = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, x):
        return self.net(x.transpose(0, 1)).transpose(0, 1)


def images(*layers):
    return nn.Sequential(*layers), lambda n: torch.randn(n, 3, 13, 15)


def tokens(module):
    return module, lambda n: torch.randint(0, 17, (n, 9))


NETWORKS = {
    "mlp": lambda: (nn.Sequential(nn.Linear(30, 50), nn.Tanh(), nn.Linear(50, 33), nn.ELU(),
                                  nn.LayerNorm(33), nn.Linear(33, 7), nn.Softplus()),
                    lambda n: torch.randn(n, 30)),
    "residual": lambda: images(nn.Conv2d(3, 16, 3, padding=1), Block(16, 16, 1), Block(16, 24, 2),
                               nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, 5)),
    "residual to one pixel": lambda: images(Block(3, 8, 2), Block(8, 16, 2), Block(16, 16, 2),
                                            Block(16, 32, 2), Block(32, 32, 2)),
    "pools": lambda: images(nn.Conv2d(3, 20, 5), nn.ReLU(), nn.MaxPool2d(3, 2, 1, ceil_mode=True),
                            nn.Conv2d(20, 7, 2, dilation=2), nn.AvgPool2d(2, 1, 1),
                            nn.LeakyReLU(0.1), nn.Flatten(), nn.LazyLinear(4)),
    "depthwise": lambda: images(nn.Conv2d(3, 12, 3, groups=3), nn.Hardswish(),
                                nn.Conv2d(12, 12, 3, stride=2, groups=12), nn.BatchNorm2d(12),
                                nn.ReLU6(), nn.Conv2d(12, 8, 1), nn.SiLU()),
    "norms": lambda: images(nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8), nn.GELU(), nn.Conv2d(8, 6, 3),
                            nn.InstanceNorm2d(6, affine=True), nn.PReLU(), nn.Dropout2d(0.3)),
    "generator": lambda: images(nn.ConvTranspose2d(3, 8, 4, 2, 1), nn.BatchNorm2d(8), nn.ReLU(),
                                nn.ConvTranspose2d(8, 3, 3, 2, 1, output_padding=1), nn.Tanh()),
    "shuffled": lambda: images(nn.Conv2d(3, 12, 3, padding=1, padding_mode="reflect"),
                               nn.PixelShuffle(2), nn.Upsample(scale_factor=2, mode="bilinear"),
                               nn.ZeroPad2d(1), nn.Conv2d(3, 2, 3, stride=3)),
    "one dimension": lambda: (nn.Sequential(nn.Conv1d(4, 8, 5, padding=2), nn.BatchNorm1d(8),
                                            nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(8, 5, 3, 2)),
                              lambda n: torch.randn(n, 4, 21)),
    "three dimensions": lambda: (nn.Sequential(nn.Conv3d(2, 6, 3), nn.BatchNorm3d(6), nn.ReLU(),
                                               nn.MaxPool3d(2), nn.Conv3d(6, 4, 2)),
                                 lambda n: torch.randn(n, 2, 8, 9, 7)),
    "language": lambda: tokens(Language()),
    "LSTM": lambda: tokens(Recurrent("LSTM")),
    "GRU": lambda: tokens(Recurrent("GRU")),
    "encoder": lambda: (Encoder(), lambda n: torch.randn(n, 6, 16)),
}

OPTIMIZERS = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=1e-3, eps=1e-3),
}


@pytest.fixture(autouse=True)
def verify(monkeypatch):
    reset_programs()
    monkeypatch.setattr(execute.settings, "verify", 2e-3)
    monkeypatch.setattr(execute.settings, "heavy_work", 0)      # compile at once
    monkeypatch.setattr(execute.settings, "strict", True)
    yield
    flush()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", NETWORKS)
def test_compiled_steps_are_what_the_interpreter_computes(name, optimizer):
    torch.manual_seed(0)
    model, draw = NETWORKS[name]()
    model(draw(2))
    update = OPTIMIZERS[optimizer](model.parameters())
    first = None
    for n in (8, 8, 8, 5, 3):
        update.zero_grad()
        x = draw(n)
        out = model(x)
        if out.ndim == 3 and x.dtype is torch.int64:
            loss = F.cross_entropy(out.flatten(0, 1), x.flatten(), label_smoothing=0.1)
        else:
            loss = (out * torch.linspace(-1, 1, out.numel()).view(out.shape)).mean() + (
                out ** 2).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        update.step()
        assert torch.isfinite(loss).item()
        first = first or loss.item()
    model.eval()
    with torch.no_grad():
        model(draw(4)).sum().item()
