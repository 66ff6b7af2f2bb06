"""Threads that use the same tensors: each records a program of its own."""

import os
import signal
import threading

import numpy as np
import pytest

import flambeau as torch
from flambeau import nn


def _run(function, number=4):
    failures = []

    def guarded(i):
        try:
            function(i)
        except BaseException as error:  # handed to the test
            failures.append(error)
    threads = [threading.Thread(target=guarded, args=(i,)) for i in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures, failures[0]


def test_a_module_is_shared_by_threads():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)).eval()
    x = torch.randn(4, 1, 8, 8)
    with torch.no_grad():
        expected = net(x).numpy()

    def infer(_):
        for _ in range(50):
            with torch.no_grad():
                np.testing.assert_allclose(net(x).numpy(), expected, rtol=1e-5, atol=1e-6)
    _run(infer)


def test_threads_train_on_shared_data():
    x = torch.ones(8, 4) / 2

    def train(i):
        w = torch.zeros(4, 1, requires_grad=True)
        optimizer = torch.optim.SGD([w], lr=0.1)
        for _ in range(100):
            loss = (x @ w - float(i)).pow(2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        assert loss.item() < 1e-3
    _run(train)


def test_the_gradient_mode_is_the_thread_s_own():
    inside, done = threading.Event(), threading.Event()
    seen = []

    def other():
        inside.wait(10)
        seen.append((torch.ones(1, requires_grad=True) * 2).requires_grad)
        done.set()
    thread = threading.Thread(target=other)
    thread.start()
    with torch.no_grad():
        inside.set()
        done.wait(10)
    thread.join(10)
    assert seen == [True]


def _read_elsewhere():
    x = torch.arange(3.0)
    pending = x * 2                       # recorded here, not yet run
    _run(lambda i: np.testing.assert_array_equal((x + i).numpy(), np.arange(3.0) + i))
    _run(lambda i: np.testing.assert_array_equal((pending + i).numpy(), x.numpy() * 2 + i))
    np.testing.assert_array_equal((pending + x).numpy(), [0, 3, 6])


def test_threads_read_what_is_pending_elsewhere():
    for _ in range(20):
        _read_elsewhere()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_children_go_on_where_another_thread_of_the_parent_was():
    """The thread that trained, drew numbers and held their locks is not there in a child."""
    def step():
        torch.manual_seed(0)
        model = torch.nn.Linear(40, 30)
        x = torch.rand(64, 40)
        for _ in range(3):
            loss = (model(x) ** 2).mean()
            model.weight.grad = None
            loss.backward()
            loss.item()
        return torch.isfinite(model.weight.grad).all().item()

    assert step()
    stopped = threading.Event()

    def go_on():
        while not stopped.is_set():
            step()

    other = threading.Thread(target=go_on)
    other.start()
    codes = []
    try:
        for _ in range(8):
            child = os.fork()
            if not child:
                signal.alarm(20)             # a child that waits for a lock is ended
                os._exit(0 if step() else 1)
            codes.append(os.waitpid(child, 0)[1])
    finally:
        stopped.set()
        other.join()
    assert codes == [0] * 8
