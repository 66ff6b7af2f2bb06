"""Memory that NumPy code sees, and gradients: a look at a result keeps its graph."""

import weakref

import numpy as np
import pytest

import flambeau as torch
from flambeau.record import execute
from flambeau.record.trace import flush, reset_programs


@pytest.fixture
def inputs():
    torch.manual_seed(0)
    return torch.randn(4, 5), torch.nn.Linear(5, 3)


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("state", [True, False])
def test_a_result_that_numpy_saw_is_differentiated(inputs, keep, state):
    x, layer = inputs
    seen = [v.numpy() for v in layer.state_dict().values()] if state else None
    y = layer(x)
    array = y.detach().numpy()
    before = array.copy()
    if not keep:
        del array
    assert y.requires_grad and y.grad_fn is not None and not y.is_leaf
    (y * y).sum().backward()
    np.testing.assert_allclose(layer.bias.grad, 2 * before.sum(0), 1e-5)
    np.testing.assert_allclose(layer.weight.grad, 2 * before.T @ x.numpy(), 1e-5)
    del seen


def test_what_numpy_writes_is_read_through_a_result(inputs):
    x, layer = inputs
    y = layer(x)
    view = y[1:]
    array = y.detach().numpy()
    array[:] = 2
    assert (y == 2).all() and (view == 2).all()
    (view * y[1:]).sum().backward()
    np.testing.assert_allclose(layer.bias.grad, [12.0] * 3)


def test_a_write_after_numpy_looked_is_noticed_by_backward(inputs):
    x, layer = inputs
    y = torch.sigmoid(layer(x))
    array = y.detach().numpy()
    y.detach().mul_(2)
    assert (array == y.detach().numpy()).all()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


LOOKS = {
    "loss": lambda model, loss, out, y: loss.detach().numpy(),
    "its mean": lambda model, loss, out, y: loss.detach().numpy().mean(),
    "right answers": lambda model, loss, out, y: (out.detach().numpy().argmax(1) == y.numpy()),
    "losses kept": lambda model, loss, out, y: loss.detach(),
    "weights": lambda model, loss, out, y: [p.detach().numpy() for p in model.parameters()],
    "nothing": lambda model, loss, out, y: None,
}


@pytest.mark.parametrize("look", sorted(LOOKS))
@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("part", [False, True])
def test_a_loop_that_looks_is_one_program(look, before, part, monkeypatch):
    """Batches come from NumPy, arrays of results are held, and of parameters if `before`."""
    monkeypatch.setattr(execute.settings, "compile", False)
    reset_programs()
    model = torch.nn.Sequential(torch.nn.Linear(12, 16), torch.nn.ReLU(), torch.nn.Linear(16, 5))
    held = [p.detach().numpy() for p in model.parameters()] if before else []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    xs, ys = np.random.randn(64, 12).astype(np.float32), np.arange(64) % 5
    whole = torch.from_numpy(xs), torch.from_numpy(ys)
    known = len(execute.programs)
    for i in range(0, 64, 8):
        if part:
            x, y = (t[i:i + 8] for t in whole)
        else:
            x, y = torch.from_numpy(xs[i:i + 8]), torch.from_numpy(ys[i:i + 8])
        optimizer.zero_grad()
        out = model(x)
        loss = torch.nn.functional.cross_entropy(out, y)
        loss.backward()
        optimizer.step()
        held.append(LOOKS[look](model, loss, out, y))
    flush()
    made = execute.programs[known:]
    # the first is another where arrays of the parameters are held from then on, or the last where
    # nothing gave up its gradients
    assert len(made) <= 2 and sum(program.runs for program in made) == 8
    assert max(program.runs for program in made) >= 7
    for parameter, array in zip(model.parameters(), held if before else []):
        np.testing.assert_array_equal(array, parameter.detach().numpy())


@pytest.mark.parametrize("keep", [torch.Tensor.detach, lambda loss: loss])
def test_losses_that_are_kept_do_not_keep_old_parameters(keep):
    model = torch.nn.Linear(5, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    kept, old = [], []
    for _ in range(4):
        old.append(weakref.ref(model.weight._value))
        loss = (model(torch.ones(2, 5)) ** 2).sum()
        assert loss.item() > 0                       # before backward, which reads what was saved
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        kept.append(keep(loss))
    flush()
    assert [reference() for reference in old] == [None] * 4
    assert len({loss.item() for loss in kept}) == 4
