"""torch.jit: modules stay what they are; what cannot be had raises and says so."""

import pytest

import flambeau as torch


def test_scripted_is_the_same():
    model = torch.nn.Linear(2, 1)
    assert torch.jit.script(model) is model
    assert torch.jit.trace(model, torch.ones(1, 2)) is model
    assert torch.jit.trace_module(model, {"forward": torch.ones(1, 2)}) is model
    assert torch.jit.freeze(model.eval()) is model
    assert torch.jit.optimize_for_inference(model) is model


def test_tracing_runs_once():
    calls = []
    torch.jit.trace(lambda *given: calls.append(given), [torch.ones(1), torch.ones(2)])
    assert [len(given) for given in calls] == [2]


@pytest.mark.parametrize("program, error, words", [
    ("torch.jit.script(5)", TypeError, "received int"),
    ("torch.jit.trace(5, ())", TypeError, "received int"),
    ("torch.jit.trace(model, x, no_such_option=1)", TypeError, "no_such_option"),
    ("torch.jit.script(model).save('m.pt')", AttributeError, "state_dict"),
    ("torch.jit.script(model).graph", AttributeError, "return the module itself"),
    ("torch.jit.save(model, 'm.pt')", NotImplementedError, "torch.jit.save"),
    ("torch.jit.load('m.pt')", NotImplementedError, "torch.jit.load"),
    ("torch.jit.freeze(model)", RuntimeError, "eval"),
    ("torch.jit.optimize_for_inference(model)", RuntimeError, "eval"),
])
def test_what_cannot_be_had(program, error, words):
    names = {"torch": torch, "model": torch.nn.Linear(2, 1), "x": torch.ones(1, 2)}
    with pytest.raises(error, match=words):
        eval(program, names)
