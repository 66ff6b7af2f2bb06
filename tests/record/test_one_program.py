"""A plain training loop is one program from its first step on."""

import gc

import numpy as np
import pytest

import flambeau as torch
from flambeau.record import execute
from flambeau.record.report import program_count
from flambeau.record.trace import flush, reset_programs
from flambeau.record.values import Value, concrete
from flambeau.runtime.buffer import Buffer

nn, F = torch.nn, torch.nn.functional


class Residual(nn.Module):
    """A block of ResNet."""

    def __init__(self, channels):
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels),
            nn.ReLU(), nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels))

    def forward(self, x):
        return F.relu(x + self.branch(x))


class Decoder(nn.Module):
    """A small GPT."""

    def __init__(self, tokens, width):
        super().__init__()
        self.tokens, self.places = nn.Embedding(tokens, width), nn.Embedding(8, width)
        self.register_buffer("mask", torch.triu(torch.ones(8, 8), diagonal=1).bool())
        self.norm, self.last_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        # without biases: that of keys has no gradient but rounding errors, which Adam scales up
        self.attention = nn.MultiheadAttention(width, 2, bias=False, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(),
                                 nn.Linear(4 * width, width))
        self.head = nn.Linear(width, tokens, bias=False)

    def forward(self, index):
        x = self.tokens(index) + self.places(torch.arange(8))
        y = self.norm(x)
        x = x + self.attention(y, y, y, attn_mask=self.mask, need_weights=False)[0]
        return self.head(self.last_norm(x + self.mlp(x))).reshape(-1, self.head.out_features)


def mlp():
    return nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 5)), torch.randn(8, 12)


def cnn():
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                         nn.Linear(36, 5)), torch.randn(8, 1, 6, 6)


def resnet():
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), Residual(8),
                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5)), (
        torch.randn(8, 3, 8, 8))


def gpt():
    return Decoder(5, 8), torch.randint(0, 5, (1, 8))


def train(model, x, optimizer, steps=4, reads=True):
    """The losses of some steps; those that are not read are None."""
    y = torch.tensor([0, 1, 2, 3, 4, 0, 1, 2])
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item() if reads else None)
    return losses


OPTIMIZERS = {
    "sgd": lambda q: torch.optim.SGD(q, lr=0.1),
    "momentum": lambda q: torch.optim.SGD(q, lr=0.1, momentum=0.9, weight_decay=1e-4),
    "dampening": lambda q: torch.optim.SGD(q, lr=0.1, momentum=0.9, dampening=0.5),
    "nesterov": lambda q: torch.optim.SGD(q, lr=0.1, momentum=0.9, nesterov=True),
    "adam": lambda q: torch.optim.Adam(q, amsgrad=True),
    "adamw": torch.optim.AdamW,
    "adamax": torch.optim.Adamax,
    "adagrad": torch.optim.Adagrad,
    "adadelta": torch.optim.Adadelta,
    "rmsprop": lambda q: torch.optim.RMSprop(q, lr=1e-3, momentum=0.9, centered=True),
}


@pytest.mark.parametrize("reads", [True, False])
@pytest.mark.parametrize("make, optimizer", [
    (mlp, "adam"), (cnn, "momentum"), (resnet, "momentum"), (gpt, "adamw"),
    *((mlp, name) for name in OPTIMIZERS if name != "adam")])
def test_a_training_loop_compiles_one_program(make, optimizer, reads, monkeypatch):
    reset_programs()
    model, x = make()
    optimizer = OPTIMIZERS[optimizer](model.parameters())
    monkeypatch.setattr(execute.settings, "interpreted_runs", 0)
    before = program_count()
    train(model, x, optimizer, reads=reads)
    found = [c for c in torch.compilations() if c.number >= before]
    assert len(found) == 1, [c.reason for c in found]
    assert found[0].runs == (4 if reads else 3)          # or the last step is pending
    flush()


def test_the_first_run_is_interpreted_and_the_second_compiles(monkeypatch):
    monkeypatch.setattr(execute.settings, "interpreted_runs", 1)
    reset_programs()
    model = nn.Sequential(nn.Linear(12, 17), nn.ReLU(), nn.Linear(17, 5))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    before = len(execute.programs)
    train(model, torch.randn(8, 12), optimizer, 2)
    program, = execute.programs[before:]
    assert program.runs == 2 and program.executable is not None


def test_memory_seen_elsewhere_is_copied_before_it_is_written(monkeypatch):
    monkeypatch.setattr(execute.settings, "interpreted_runs", 0)
    given = torch.randn(5, 13)
    kept, copied = given.numpy().copy(), given.clone()
    model = nn.Linear(13, 5)
    model.weight = nn.Parameter(given)
    x = torch.randn(8, 13)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    train(model, x, optimizer)
    np.testing.assert_array_equal(copied.numpy(), kept)
    np.testing.assert_array_equal(given.numpy(), model.weight.detach().numpy())
    assert not np.array_equal(given.numpy(), kept)
    state = model.state_dict()
    copies = {name: t.clone() for name, t in state.items()}
    numbers = {name: t.numpy().copy() for name, t in copies.items()}
    train(model, x, optimizer)
    for name, tensor in state.items():                   # of the same memory as the parameters
        np.testing.assert_array_equal(tensor.numpy(), model.state_dict()[name].numpy())
        np.testing.assert_array_equal(copies[name].numpy(), numbers[name])
        assert not np.array_equal(tensor.numpy(), numbers[name])


def test_new_parameters_that_nobody_else_sees_are_updated_where_they_are(monkeypatch):
    monkeypatch.setattr(execute.settings, "interpreted_runs", 0)
    model = nn.Linear(13, 5)
    places = [p._value.buffer.pointer for p in model.parameters()]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    train(model, torch.randn(8, 13), optimizer, 2)
    flush()
    assert [p._value.buffer.pointer for p in model.parameters()] == places


def test_what_private_memory_is():
    array = np.ones(5, np.float32)
    value = concrete(array, torch.float32)
    assert not value.is_private()                        # the name `array` sees it
    del array
    assert value.is_private()
    value.buffer.array("int8", (20,))[:] = 0             # gone again
    assert value.is_private()
    other = value.sibling()
    assert not value.is_private() and not other.is_private()
    del other
    assert value.is_private()
    view = value.array[1:]
    assert not value.is_private()
    del view
    whole = np.ones((2, 5), np.float32)
    part = concrete(whole.reshape(10)[5:], torch.float32)
    assert not part.is_private()
    del whole
    assert part.is_private()                             # nobody sees the rest either
    assert not concrete(np.frombuffer(bytearray(20), np.float32), torch.float32).is_private()
    pooled = Value(value.aval)
    pooled.set_buffer(Buffer(20))
    assert pooled.is_private()
    seen = pooled.buffer.array("float32", (5,))
    assert not pooled.is_private()
    del seen
    assert pooled.is_private()


def test_momentum_begins_with_the_gradient_undamped():
    first, late = (torch.tensor([value], requires_grad=True) for value in (1.0, 2.0))
    optimizer = torch.optim.SGD([first, late], lr=0.5, momentum=0.5, dampening=0.25)
    assert optimizer.state_dict()["state"] == {}
    first.grad = torch.tensor([4.0])
    optimizer.step()
    assert optimizer.state[first]["momentum_buffer"].item() == 4.0
    assert late not in optimizer.state
    late.grad = torch.tensor([8.0])
    optimizer.step()
    assert optimizer.state[first]["momentum_buffer"].item() == 0.5 * 4.0 + 0.75 * 4.0
    assert optimizer.state[late]["momentum_buffer"].item() == 8.0
    assert (first.item(), late.item()) == (1.0 - 0.5 * 4.0 - 0.5 * 5.0, 2.0 - 0.5 * 8.0)
    saved = optimizer.state_dict()
    saved["state"][0]["momentum_buffer"] = None          # as files of older versions have it
    optimizer.load_state_dict(saved)
    optimizer.step()
    assert optimizer.state[first]["momentum_buffer"].item() == 4.0
    assert optimizer.state[late]["momentum_buffer"].item() == 0.5 * 8.0 + 0.75 * 8.0


@pytest.mark.parametrize("was_on", [True, False])
def test_making_a_program_leaves_garbage_collection_as_it_was(was_on, monkeypatch):
    monkeypatch.setattr(execute.settings, "interpreted_runs", 0)
    reset_programs()
    seen = []

    def compile(self, *rest, _own=execute.Program.compile):
        seen.append(gc.isenabled())
        _own(self, *rest)

    monkeypatch.setattr(execute.Program, "compile", compile)
    before = gc.isenabled()
    (gc.enable if was_on else gc.disable)()
    try:
        assert torch.ones(7, 3).cos().sum().item() > 0
        assert gc.isenabled() == was_on and seen == [False]
    finally:
        (gc.enable if before else gc.disable)()
