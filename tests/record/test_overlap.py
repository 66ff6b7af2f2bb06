"""A step that runs while the next batch is loaded: values, errors, interrupts, forks, threads."""

import os
import threading
import time

import numpy as np
import pytest

import flambeau as torch
from flambeau import nn
from flambeau.record import overlap
from flambeau.record.overlap import run_meanwhile
from flambeau.record.trace import flush
from flambeau.utils.data import DataLoader, Dataset, dataloader


class Slow(Dataset):
    """Samples that take long enough for the step to run meanwhile; `load` is called for each."""

    def __init__(self, load=None):
        self.x = np.random.default_rng(0).standard_normal((40, 6)).astype(np.float32)
        self.load = load

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        if self.load is not None:
            self.load(index)
        return torch.tensor(self.x[index]), index % 3


@pytest.fixture
def always(monkeypatch):
    """Every batch is loaded while the step runs; lists the threads that ran programs."""
    monkeypatch.setattr(dataloader, "_WORTHWHILE_SECONDS", -1.0)
    seen = []
    run = overlap._Job.run
    monkeypatch.setattr(overlap._Job, "run", lambda job: (
        seen.append(threading.current_thread().name), run(job))[1])
    return seen


def trained(data, epochs=3, **options):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    losses = []
    for _ in range(epochs):
        for x, y in DataLoader(data, 8, shuffle=True, **options):
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.detach())
    return [loss.item() for loss in losses], model


def test_the_same_numbers(always):
    trained(Slow())                             # from here on all programs are compiled
    found, _ = trained(Slow())
    assert always and set(always) == {"flambeau run"}
    always.clear()
    dataloader._WORTHWHILE_SECONDS = 1e9
    expected, _ = trained(Slow())
    assert not always and found == expected


def test_slow_loading_turns_it_on(monkeypatch):
    jobs = []
    monkeypatch.setattr(overlap._Job, "wait", lambda job, wait=overlap._Job.wait: (
        jobs.append(job), wait(job))[1])
    trained(Slow(lambda index: time.sleep(1e-4)), 1)
    assert len(jobs) == 5          # before each but the first of five batches, and at the end


def test_loading_sees_the_step_that_runs(always):
    data = Slow()
    torch.manual_seed(0)
    w = torch.zeros(6, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=1.0)
    seen = []
    data.load = lambda index: seen.append(float(w.detach()[0]) if index % 8 == 0 else None)
    for _ in DataLoader(data, 8):
        optimizer.zero_grad()
        (w * torch.ones(6)).sum().backward()
        optimizer.step()
    assert [s for s in seen if s is not None] == [0.0, -1.0, -2.0, -3.0, -4.0]
    assert w.detach().tolist() == [-5.0] * 6


def test_loading_may_compute(always):
    data = Slow()
    weight = torch.randn(6, 6)
    results = []
    data.load = lambda index: results.append((weight @ torch.tensor(data.x[index])).sum().item())
    losses, _ = trained(data, 2)
    assert np.isfinite(losses).all()
    expected = sorted((weight.numpy() @ data.x.T).sum(0).tolist() * 2)
    np.testing.assert_allclose(sorted(results), expected, rtol=1e-4, atol=1e-5)


def test_errors_of_the_run_come_out_where_it_is_waited_for():
    table = torch.randn(5, 4)

    def step():
        return table[(torch.tensor([1, 9]) + 0)].sum()
    for _ in range(3):                          # interpreted, then compiled
        pending = step()
        with pytest.raises(IndexError, match="9"):
            run_meanwhile(lambda: None)
        with pytest.raises(RuntimeError, match="failed"):
            pending.item()
    assert (table * 0).sum().item() == 0


def test_errors_of_loading_leave_the_step_done(always):
    def load(index):
        if index == 17:
            raise ValueError("broken sample")
    data = Slow(load)
    w = torch.zeros(2, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=1.0)
    with pytest.raises(ValueError, match="broken sample"):
        for _ in DataLoader(data, 8):
            optimizer.zero_grad()
            (w * 1.0).sum().backward()
            optimizer.step()
    assert w.detach().tolist() == [-2.0, -2.0]


def test_an_interrupt_loses_nothing(always):
    w = torch.zeros(2, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=1.0)

    def load(index):
        if index == 24:
            raise KeyboardInterrupt
    steps = 0
    with pytest.raises(KeyboardInterrupt):
        for _ in DataLoader(Slow(load), 8):
            optimizer.zero_grad()
            (w * 1.0).sum().backward()
            optimizer.step()
            steps += 1
    assert steps == 3 and w.detach().tolist() == [-3.0, -3.0]
    (w * 1.0).sum().backward()
    optimizer.step()
    assert w.detach().tolist() == [-5.0, -5.0]  # the gradient of the last step was kept


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_while_the_step_runs(always):
    w = torch.zeros(40_000, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=1.0)
    codes = []

    def load(index):
        if index % 8 == 3:
            child = os.fork()
            if child == 0:
                expected = -float(index // 8)
                fine = w.detach()[5].item() == expected and (w * 2).sum().item() == (
                    2 * expected * 40_000)
                os._exit(0 if fine else 1)
            codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    for _ in DataLoader(Slow(load), 8):
        optimizer.zero_grad()
        (w * 1.0).sum().backward()
        optimizer.step()
    assert codes == [0] * 5 and w.detach()[0].item() == -5


def test_two_threads_take_turns(always):
    results = {}

    def train(number):
        results[number], _ = trained(Slow(), 4)
    expected, _ = trained(Slow(), 4)
    threads = [threading.Thread(target=train, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(results) == 3
    for losses in results.values():             # draws of the shared generator differ
        assert np.isfinite(losses).all() and len(losses) == len(expected)


def test_with_nothing_pending_work_is_just_done():
    flush()
    assert run_meanwhile(lambda: threading.current_thread().name) == (
        threading.current_thread().name)
