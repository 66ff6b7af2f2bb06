"""Where operations were called, what programs are watched, and when their kernels ran."""

import inspect

import pytest

import flambeau as torch
import flambeau.nn.functional as F
from flambeau.record import execute
from flambeau.record.sites import Site, user_site
from flambeau.record.trace import flush, reset_programs


@pytest.fixture(autouse=True)
def forget():
    reset_programs()
    yield
    flush()


class Recorder(execute.Watcher):
    def __init__(self):
        self.runs = []

    def after(self, program, trace, begin, end, times):
        self.runs.append((program, begin, end, times))


@pytest.fixture
def recorder():
    found = Recorder()
    execute.watchers.append(found)
    yield found
    execute.watchers.remove(found)


def train(number):
    torch.manual_seed(0)
    w = torch.randn(16, 8, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.1)
    x, losses = torch.randn(4, 16), []
    for _ in range(number):
        loss = F.relu(x @ w).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_a_site_is_a_line_and_a_call():
    site = user_site("relu")
    assert site == (__file__, inspect.currentframe().f_lineno - 1) and site.operation == "relu"
    back = site.gradient()
    assert back == site and back.forward is site and back.operation == "relu"
    assert back.gradient() is back and site.gradient() is back
    assert not Site(("", 0)) and site


def test_watching_changes_no_result(recorder):
    execute.watchers.remove(recorder)
    train(6)                             # from now on compiled: NumPy sums in another order
    expected = train(6)
    execute.watchers.append(recorder)
    assert train(6) == expected
    assert len(recorder.runs) >= 6


def test_kernels_are_timed_within_their_run(recorder):
    train(5)
    program, begin, end, times = recorder.runs[-1]
    assert begin <= times[0].moments[0] and times[-1].moments[-1] <= end
    assert sum(len(t.moments) - 1 for t in times) == len(program.executable.kernels)
    for one in times:
        assert (one.moments[1:] >= one.moments[:-1]).all()


def test_details_tell_calls_and_memory(recorder):
    train(4)
    program = recorder.runs[-1][0]
    details = program.detailed()
    assert [k.name for k in details.kernels] == [k.name for k in program.executable.kernels]
    assert not any(k.parts for k in program.executable.kernels)
    calls = {(site.operation, site.forward is not None)
             for k in details.kernels for site, _, _ in k.parts if site is not None}
    assert {("matmul", False), ("relu", False), ("relu", True), ("matmul", True),
            ("SGD.step", False)} <= calls
    for block in details.blocks:
        assert block.offset + block.nbytes <= details.arena_bytes
        assert 0 <= block.first <= block.last < len(details.kernels)
    for a in details.blocks:                  # nothing overlaps in memory and in time
        for b in details.blocks:
            if a is not b and a.first <= b.last and b.first <= a.last:
                assert a.offset + a.nbytes <= b.offset or b.offset + b.nbytes <= a.offset
