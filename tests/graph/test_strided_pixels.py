"""1x1 convolutions with strides and a weight gradient read a copy of their pixels."""

import pytest

import flambeau as torch
from flambeau.record import execute
from flambeau.record.trace import reset_programs


@pytest.mark.parametrize("stride, copies", [((2, 2), 1), ((1, 3), 1), ((1, 1), 0)])
def test_pixels_are_copied_once_for_both_directions(stride, copies, monkeypatch):
    monkeypatch.setattr(execute.settings, "verify", 1e-3)
    monkeypatch.setattr(execute.settings, "interpreted_runs", 0)
    reset_programs()
    torch.manual_seed(0)
    first = torch.nn.Conv2d(8, 24, 1)
    second = torch.nn.Conv2d(24, 40, 1, stride)
    x = torch.randn(4, 8, 11, 13)
    loss = (second(torch.tanh(first(x))) ** 2).mean()
    loss.backward()
    loss.item()
    program = execute.programs[-1]
    found = [k for k in program.executable.kernels if k.ops == ("detach",)]
    assert len(found) == copies


def test_inference_copies_nothing(monkeypatch):
    monkeypatch.setattr(execute.settings, "interpreted_runs", 0)
    reset_programs()
    model = torch.nn.Sequential(torch.nn.Conv2d(8, 24, 1), torch.nn.Conv2d(24, 40, 1, 2))
    with torch.no_grad():
        model(torch.randn(4, 8, 11, 13)).numpy()
    program = execute.programs[-1]
    assert not any("detach" in k.ops for k in program.executable.kernels[:-1])
