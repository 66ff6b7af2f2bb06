"""Optimizers against NumPy, and what holds for all of them: states, groups, hooks, programs."""

import copy
import pickle
import threading

import numpy as np
import pytest

import flambeau as torch
from flambeau.record.execute import programs

OPTIMIZERS = ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam",
              "ASGD", "Rprop", "Adafactor"]


def parameters(seed=0):
    rng = np.random.default_rng(seed)
    return [torch.tensor(rng.standard_normal(shape).astype(np.float32)).requires_grad_()
            for shape in ((3, 2), (4,))]


def give_gradients(params, seed):
    rng = np.random.default_rng(seed)
    for p in params:
        p.grad = torch.tensor(rng.standard_normal(tuple(p.shape)).astype(np.float32))


def arrays(params):
    return [p.detach().numpy().copy() for p in params]


def test_sgd_with_momentum_against_numpy():
    params = parameters()
    expected, buffers = arrays(params), [None, None]
    optimizer = torch.optim.SGD(params, lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=True)
    for step in range(4):
        give_gradients(params, step)
        for i, p in enumerate(params):
            g = p.grad.numpy() + 0.01 * expected[i]
            buffers[i] = g if buffers[i] is None else 0.9 * buffers[i] + g
            expected[i] = expected[i] - 0.1 * (g + 0.9 * buffers[i])
        optimizer.step()
    for got, want in zip(arrays(params), expected):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_adamw_against_numpy():
    params = parameters()
    expected = [a.astype(np.float64) for a in arrays(params)]
    m, v = [0.0, 0.0], [0.0, 0.0]
    optimizer = torch.optim.AdamW(params, lr=0.01, betas=(0.8, 0.9), weight_decay=0.1)
    for step in range(1, 5):
        give_gradients(params, step)
        for i, p in enumerate(params):
            g = p.grad.numpy().astype(np.float64)
            m[i] = 0.8 * m[i] + 0.2 * g
            v[i] = 0.9 * v[i] + 0.1 * g * g
            corrected = np.sqrt(v[i] / (1 - 0.9 ** step)) + 1e-8
            expected[i] = (expected[i] * (1 - 0.01 * 0.1)
                           - 0.01 * m[i] / (1 - 0.8 ** step) / corrected)
        optimizer.step()
    for got, want in zip(arrays(params), expected):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_changing_numbers_compile_nothing_new(name):
    params = parameters()
    optimizer = getattr(torch.optim, name)(params, lr=0.01)
    for step in range(3):
        give_gradients(params, step)
        optimizer.step()
    before = len(programs)
    for step in range(3, 12):
        for group in optimizer.param_groups:
            group["lr"] = 0.01 / step
        give_gradients(params, step)
        optimizer.step()
    assert len(programs) == before


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_goes_on_from_a_state_dict(name):
    first, second = parameters(), parameters()
    a = getattr(torch.optim, name)(first, lr=0.02)
    for step in range(3):
        give_gradients(first, step)
        a.step()
    with torch.no_grad():
        for p, q in zip(second, first):
            p.copy_(q)
    b = getattr(torch.optim, name)(second, lr=0.5)
    b.load_state_dict(copy.deepcopy(a.state_dict()))
    for step in range(3, 6):
        for params, optimizer in ((first, a), (second, b)):
            give_gradients(params, step)
            optimizer.step()
    # not equal to the bit: the first run of a program is interpreted, later ones are compiled
    for x, y in zip(arrays(first), arrays(second)):
        np.testing.assert_allclose(x, y, rtol=1e-6, atol=1e-7)


def test_a_whole_training_step_is_one_program():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.Tanh(), torch.nn.Linear(7, 2))
    optimizer = torch.optim.Adam(model.parameters())
    x, y = torch.randn(3, 5), torch.randn(3, 2)

    def step():
        loss = ((model(x) - y) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    for _ in range(3):
        step()                  # each runs the program of the one before it
    runs = [p.runs for p in programs]
    step()
    assert len(programs) == len(runs)
    assert sum(p.runs for p in programs) == sum(runs) + 1


def test_gradients_dropped_after_a_step_are_no_outputs():
    model = torch.nn.Linear(5, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x = torch.randn(3, 5)
    for _ in range(3):
        loss = model(x).pow(2).sum()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    before = loss.item()
    assert {n.shape for n in programs[-1].outputs} == {(), (2, 5), (2,)}
    assert len(programs[-1].outputs) == 3
    loss = model(x).pow(2).sum()
    loss.backward()
    optimizer.step()
    assert loss.item() < before                  # read before gradients are dropped: they live
    assert len(programs[-1].outputs) == 5
    assert model.weight.grad is not None and model.weight.grad.abs().sum().item() > 0


def test_a_step_is_seen_by_everything_that_reads():
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)

    def update():
        old = model.weight.detach().numpy().copy()
        optimizer.zero_grad()
        model(torch.ones(4, 3)).sum().backward()
        optimizer.step()
        return old - 0.5 * 4
    for read in (lambda: model.weight.detach().numpy(), lambda: model.weight.data.numpy(),
                 lambda: np.array(model.weight.tolist()),
                 lambda: model.state_dict()["weight"].numpy(),
                 lambda: copy.deepcopy(model).weight.detach().numpy(),
                 lambda: torch.nn.utils.parameters_to_vector([model.weight])
                 .detach().numpy().reshape(2, 3)):
        expected = update()
        np.testing.assert_allclose(read(), expected, rtol=1e-6)
    expected = update()
    seen = []
    thread = threading.Thread(target=lambda: seen.append(model.weight.detach().numpy()))
    thread.start()
    thread.join(10)
    np.testing.assert_allclose(seen[0], expected, rtol=1e-6)
    np.testing.assert_allclose(update(), expected - 0.5 * 4, rtol=1e-6)


def test_parameters_stay_leaves_of_the_same_identity():
    params = parameters()
    optimizer = torch.optim.SGD(params, lr=0.1)
    versions = [p._version for p in params]
    for _ in range(2):
        (params[0].sum() + (params[1] ** 2).sum()).backward()
        optimizer.step()
        optimizer.zero_grad()
    assert all(p.is_leaf and p.requires_grad and p.grad is None for p in params)
    assert all(p._version > v for p, v in zip(params, versions))


def test_a_view_and_data_see_the_update():
    w = torch.ones(4, requires_grad=True)
    view, data = w.detach()[1:3], w.data
    w.grad = torch.ones(4)
    torch.optim.SGD([w], lr=0.5).step()
    assert view.tolist() == [0.5, 0.5]
    assert data.tolist() == [0.5] * 4


def test_copies_of_parameters_and_gradients_do_not_change():
    w = torch.ones(3, requires_grad=True)
    start = torch.full((3,), 5.0)
    with torch.no_grad():
        w.copy_(start)
    optimizer = torch.optim.SGD([w], lr=0.1, momentum=0.9)
    kept = []
    for step in range(6):
        w.grad = torch.full((3,), float(step))
        kept.append((w.detach().clone(), w.grad))
        optimizer.step()
    assert start.tolist() == [5.0] * 3
    assert [g.tolist() for _, g in kept] == [[float(s)] * 3 for s in range(6)]
    assert kept[0][0].tolist() == [5.0] * 3


def test_a_write_between_forward_and_backward_is_an_error():
    w = torch.ones(3, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.1)
    loss = (w * w).sum()
    loss.backward(retain_graph=True)
    optimizer.step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_unused_parameters_are_left_alone_and_catch_up_later():
    a, b = parameters()
    optimizer = torch.optim.Adam([a, b], lr=0.1)
    before = b.detach().numpy().copy()
    a.grad = torch.ones(3, 2)
    optimizer.step()
    np.testing.assert_array_equal(b.detach().numpy(), before)
    assert b not in optimizer.state
    give_gradients([a, b], 1)
    optimizer.step()
    assert optimizer.state[a]["step"].item() == 2 and optimizer.state[b]["step"].item() == 1


def test_groups_have_options_of_their_own():
    a, b = parameters()
    optimizer = torch.optim.SGD([{"params": [a]}, {"params": b, "lr": 1.0}], lr=0.1)
    a0, b0 = arrays([a, b])
    a.grad, b.grad = torch.ones(3, 2), torch.ones(4)
    optimizer.step()
    np.testing.assert_allclose(a.detach().numpy(), a0 - 0.1, rtol=1e-6)
    np.testing.assert_allclose(b.detach().numpy(), b0 - 1.0, rtol=1e-6)
    c = torch.ones(2, requires_grad=True)
    optimizer.add_param_group({"params": c, "lr": 0.5})
    c.grad = torch.ones(2)
    optimizer.step()
    assert c.tolist() == [0.5, 0.5]


def test_closures_see_gradients_and_give_the_loss():
    w = torch.tensor([2.0], requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.25)

    def closure():
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 4.0
    assert w.item() == 1.0


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
def test_lbfgs_finds_the_minimum_of_rosenbrocks_function(search):
    w = torch.tensor([-1.0, 1.5], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([w], lr=1.0 if search else 0.1, max_iter=100,
                                  line_search_fn=search)

    def closure():
        optimizer.zero_grad()
        loss = (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2
        loss.backward()
        return loss

    first = closure().item()
    for _ in range(3):
        optimizer.step(closure)
    if search:
        np.testing.assert_allclose(w.detach().numpy(), [1.0, 1.0], atol=1e-4)
    assert closure().item() < first


def test_zero_grad():
    params = parameters()
    optimizer = torch.optim.SGD(params, lr=0.1)
    give_gradients(params, 0)
    optimizer.zero_grad(set_to_none=False)
    assert all(p.grad.abs().sum().item() == 0 for p in params)
    optimizer.zero_grad()
    assert all(p.grad is None for p in params)


def test_hooks_run_in_order_and_can_be_removed():
    w = torch.ones(1, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.1)
    seen = []
    handles = [optimizer.register_step_pre_hook(lambda o, a, k: seen.append("before")),
               optimizer.register_step_post_hook(lambda o, a, k: seen.append("after")),
               optimizer.register_state_dict_post_hook(lambda o, s: {**s, "more": 1})]
    w.grad = torch.ones(1)
    optimizer.step()
    assert seen == ["before", "after"]
    assert optimizer.state_dict()["more"] == 1
    for handle in handles:
        handle.remove()
    optimizer.step()
    assert seen == ["before", "after"] and "more" not in optimizer.state_dict()


def test_an_optimizer_of_ones_own_in_plain_tensor_operations():
    class SignSGD(torch.optim.Optimizer):
        def __init__(self, params, lr):
            super().__init__(params, {"lr": lr})

        @torch.no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    p.add_(p.grad.sign(), alpha=-group["lr"])

    w = torch.tensor([1.0, 1.0], requires_grad=True)
    optimizer = SignSGD([w], lr=0.5)
    w.grad = torch.tensor([3.0, -2.0])
    optimizer.step()
    assert w.tolist() == [0.5, 1.5]
    assert "lr: 0.5" in repr(optimizer)


def test_state_dict_survives_pickling():
    params = parameters()
    optimizer = torch.optim.Adam(params, lr=0.1)
    give_gradients(params, 0)
    optimizer.step()
    state = pickle.loads(pickle.dumps(optimizer.state_dict()))
    assert state["param_groups"][0]["params"] == [0, 1]
    assert state["state"][1]["step"].item() == 1.0
    assert state["state"][0]["exp_avg"].shape == (3, 2)


def test_complex_parameters_are_pairs_of_real_ones():
    rng = np.random.default_rng(0)
    start = rng.standard_normal(4) + 1j * rng.standard_normal(4)
    gradient = rng.standard_normal(4) + 1j * rng.standard_normal(4)
    z = torch.tensor(start.astype(np.complex64)).requires_grad_()
    pair = torch.tensor(np.stack([start.real, start.imag]).astype(np.float32)).requires_grad_()
    for p, g in ((z, gradient.astype(np.complex64)),
                 (pair, np.stack([gradient.real, gradient.imag]).astype(np.float32))):
        optimizer = torch.optim.Adam([p], lr=0.1)
        p.grad = torch.tensor(g)
        optimizer.step()
        optimizer.step()
    got, want = z.detach().numpy(), pair.detach().numpy()
    np.testing.assert_allclose(np.stack([got.real, got.imag]), want, rtol=1e-6)


@pytest.mark.parametrize("make, error, text", [
    (lambda o, w: o.SGD([]), ValueError, "optimizer got an empty parameter list"),
    (lambda o, w: o.SGD(w), TypeError, "params argument given to the optimizer should be"),
    (lambda o, w: o.SGD([w * 2]), ValueError, "can't optimize a non-leaf Tensor"),
    (lambda o, w: o.SGD([1.0]), TypeError, "optimizer can only optimize Tensors, but one of"),
    (lambda o, w: o.SGD([w], lr=-1), ValueError, "Invalid learning rate: -1"),
    (lambda o, w: o.SGD([w], nesterov=True), ValueError, "Nesterov momentum requires"),
    (lambda o, w: o.Adam([w], betas=(1.0, 0.9)), ValueError, "Invalid beta parameter at index 0"),
    (lambda o, w: o.Adam([w], foreach=True, fused=True), RuntimeError, "cannot be `True`"),
    (lambda o, w: o.Adam([w], differentiable=True), NotImplementedError, "differentiable"),
    (lambda o, w: o.SparseAdam([w]), NotImplementedError, "SparseAdam does not support dense"),
    (lambda o, w: o.Adam([{"params": {w}}]), TypeError, "organized in ordered collections"),
    (lambda o, w: o.LBFGS([{"params": [w]}, {"params": [torch.ones(1)]}]), ValueError,
     "LBFGS doesn't support per-parameter options"),
])
def test_errors(make, error, text):
    with pytest.raises(error, match=text):
        make(torch.optim, torch.ones(2, requires_grad=True))


def test_errors_of_loading():
    a, b = parameters()
    one, two = torch.optim.SGD([a], lr=0.1), torch.optim.SGD([a, b], lr=0.1)
    with pytest.raises(ValueError, match="doesn't match the size of optimizer's group"):
        one.load_state_dict(two.state_dict())
    two.add_param_group({"params": torch.ones(1, requires_grad=True)})
    with pytest.raises(ValueError, match="different number of parameter groups"):
        one.load_state_dict(two.state_dict())
    with pytest.raises(ValueError, match="appear in more than one parameter group"):
        two.add_param_group({"params": a})
    with pytest.warns(UserWarning, match="duplicate parameters"):
        torch.optim.SGD([a, a], lr=0.1)
    optimizer = torch.optim.Adam([a], capturable=True)
    a.grad = torch.ones(3, 2)
    with pytest.raises(AssertionError, match="capturable=True"):
        optimizer.step()


def test_parameters_initialised_through_data_train_as_others_do():
    results = []
    for kept in (False, True):
        w = torch.nn.Parameter(torch.zeros(3))
        w.data.fill_(2.0)
        data = w.data if kept else None
        optimizer = torch.optim.SGD([w], lr=0.1, momentum=0.9)
        for _ in range(4):
            optimizer.zero_grad()
            (w * w).sum().backward()
            optimizer.step()
        results.append(w.tolist())
        assert w.is_leaf and w.requires_grad
        if kept:
            assert data.tolist() == w.tolist()
            data.fill_(1.0)
            assert w.tolist() == [1.0] * 3
    assert results[0] == results[1]
