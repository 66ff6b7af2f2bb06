"""A program that fails leaves the model, the optimizer and the buffers as they were."""

import gc

import pytest

import flambeau as torch
from flambeau.nn import functional as F
from flambeau.record.execute import settings
from flambeau.runtime import buffer

OPTIMIZERS = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.1),
    "Rprop": lambda p: torch.optim.Rprop(p, lr=0.1),
}


class Training:
    """A small network whose steps can be given a label that is out of range."""

    def __init__(self, optimizer):
        torch.manual_seed(0)
        self.model = torch.nn.Sequential(torch.nn.Linear(10, 20), torch.nn.ReLU(),
                                         torch.nn.Linear(20, 10))
        self.optimizer = OPTIMIZERS[optimizer](self.model.parameters())

    def step(self, label=3, computed=False):
        x, y = torch.randn(8, 10), torch.arange(8)
        if computed:
            y = y * 1 + torch.tensor([0] * 7 + [label - 7])
        else:
            y = torch.tensor([0, 1, 2, 3, 4, 5, 6, label])
        loss = F.cross_entropy(self.model(x), y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def numbers(self):
        found = {k: v.tolist() for k, v in self.model.state_dict().items()}
        for i, state in self.optimizer.state_dict()["state"].items():
            found.update({(i, k): v.tolist() if torch.is_tensor(v) else v
                          for k, v in state.items()})
        return found


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("computed", [True, False])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_an_index_out_of_range_undoes_the_step(monkeypatch, optimizer, computed, compiled):
    monkeypatch.setattr(settings, "interpreted_runs", 0 if compiled else 100)
    training = Training(optimizer)
    for _ in range(3):
        training.step(computed=computed)
    before = training.numbers()
    for _ in range(2):
        with pytest.raises(IndexError, match="Target 10 is out of bounds"):
            training.step(10, computed)
        assert training.numbers() == before
    assert all(p.grad is None for p in training.model.parameters())
    losses = [training.step(computed=computed) for _ in range(4)]
    assert losses[-1] == losses[-1] and training.numbers() != before


def test_the_same_numbers_as_a_loop_that_never_failed():
    losses = []
    for fails in (False, True):
        training = Training("AdamW")
        for _ in range(2):
            training.step()
        if fails:
            state = torch.get_rng_state()
            with pytest.raises(IndexError):
                training.step(10)
            torch.set_rng_state(state)
        losses.append([training.step() for _ in range(3)])
    assert losses[0] == losses[1]


def test_memory_that_runs_out_undoes_the_step(monkeypatch):
    monkeypatch.setattr(settings, "interpreted_runs", 0)
    training = Training("SGD")
    training.step()
    before = training.numbers()

    def refuse(sizes):
        raise torch.OutOfMemoryError.of(1 << 40)

    with monkeypatch.context() as patch:
        patch.setattr(buffer.Buffer, "several", refuse)
        with pytest.raises(RuntimeError, match="can't allocate memory: you tried to allocate"):
            training.step()
    assert training.numbers() == before
    training.step()


def test_views_and_shared_memory_are_undone_too():
    whole = torch.zeros(6)
    part, bare = whole[2:4], whole.detach()
    whole.tolist()
    part.add_(1)
    bad = torch.tensor([1, 9])
    with pytest.raises(IndexError):
        part += torch.arange(5.0)[bad * 1]
        whole.tolist()
    assert part.tolist() == whole[2:4].tolist() == bare[2:4].tolist()
    part.mul_(2)
    assert whole.tolist() == bare.tolist()


def test_memory_shared_after_the_write():
    x = torch.zeros(3)
    x.tolist()
    x.add_(1)
    y = x.detach()
    with pytest.raises(IndexError):
        (torch.arange(5.0)[torch.tensor([9]) * 1] + x[0]).tolist()
    assert x.tolist() == y.tolist() == [0.0] * 3
    x.add_(1)
    assert y.tolist() == [1.0] * 3


def test_a_write_through_data_and_the_optimizers_in_one_program():
    training = Training("SGD")
    parameters = list(training.model.parameters())

    def decay(*_):
        for p in parameters:
            p.data.mul_(0.99)

    training.optimizer.register_step_pre_hook(decay)
    for _ in range(3):
        training.step(computed=True)
    before = training.numbers()
    with pytest.raises(IndexError):
        training.step(10, computed=True)
    assert training.numbers() == before
    training.step(computed=True)


def test_what_was_overwritten_unread_is_an_error_with_its_cause():
    x = torch.zeros(2)
    x.copy_(torch.arange(5.0)[torch.tensor([1, 9]) * 1])
    with pytest.raises(IndexError):
        x.tolist()
    with pytest.raises(RuntimeError, match="a program that failed: index 9 is out of bounds"):
        x.tolist()
    x.copy_(torch.ones(2))
    assert x.tolist() == [1.0, 1.0]


def test_an_error_does_not_keep_its_batch_alive():
    """Otherwise memory that ran out would stay full until Python looks for cycles."""
    training = Training("SGD")
    training.step()
    gc.collect()
    gc.disable()
    try:
        with pytest.raises(IndexError):
            training.step(10)
        assert not [o for o in gc.get_objects() if isinstance(o, IndexError)]
    finally:
        gc.enable()
