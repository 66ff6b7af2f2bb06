"""Optimizers and schedulers against PyTorch, and the exchange of their states."""

import io

import numpy as np
import pytest

import flambeau

torch = pytest.importorskip("torch")

CASES = [
    ("SGD", dict(lr=0.1)),
    ("SGD", dict(lr=0.1, momentum=0.9, dampening=0.3, weight_decay=0.02, maximize=True)),
    ("SGD", dict(lr=0.1, momentum=0.9, nesterov=True)),
    ("Adam", dict(lr=0.02)),
    ("Adam", dict(lr=0.02, betas=(0.3, 0.6), amsgrad=True, weight_decay=0.1, eps=1e-3)),
    ("Adam", dict(lr=0.02, maximize=True, decoupled_weight_decay=True, weight_decay=0.1)),
    ("AdamW", dict(lr=0.02)),
    ("AdamW", dict(lr=0.02, amsgrad=True, weight_decay=0.5)),
    ("RMSprop", dict(lr=0.02)),
    ("RMSprop", dict(lr=0.02, momentum=0.7, centered=True, weight_decay=0.1)),
    ("RMSprop", dict(lr=0.02, centered=True, maximize=True)),
    ("Adagrad", dict(lr=0.1)),
    ("Adagrad", dict(lr=0.1, lr_decay=0.2, weight_decay=0.1, initial_accumulator_value=0.5)),
    ("Adadelta", dict()),
    ("Adadelta", dict(lr=0.5, rho=0.7, weight_decay=0.1)),
    ("Adamax", dict(lr=0.02)),
    ("Adamax", dict(lr=0.02, weight_decay=0.1, maximize=True)),
    ("NAdam", dict(lr=0.02)),
    ("NAdam", dict(lr=0.02, weight_decay=0.1, decoupled_weight_decay=True, momentum_decay=0.1)),
    ("RAdam", dict(lr=0.02)),
    ("RAdam", dict(lr=0.02, weight_decay=0.1, betas=(0.8, 0.9))),
    ("ASGD", dict(lr=0.02)),
    ("ASGD", dict(lr=0.02, t0=3, lambd=0.1, weight_decay=0.1)),
    ("Rprop", dict(lr=0.02)),
    ("Rprop", dict(lr=0.02, etas=(0.4, 1.5), step_sizes=(0.01, 0.05), maximize=True)),
    ("Adafactor", dict(lr=0.02)),
    ("Adafactor", dict(lr=0.02, weight_decay=0.1, d=2.0, maximize=True)),
]


def start(library, dtype="float32"):
    rng = np.random.default_rng(0)
    return [library.tensor(rng.standard_normal(s).astype(dtype)).requires_grad_()
            for s in ((5, 4), (5,))]


def run(library, params, optimizer, steps, first=0):
    for step in range(first, first + steps):
        rng = np.random.default_rng(step + 1)
        for p in params:
            gradient = rng.standard_normal(tuple(p.shape)).astype(p.detach().numpy().dtype)
            p.grad = library.tensor(gradient)
        if step % 3 == 2:
            optimizer.param_groups[0]["lr"] *= 0.7
        optimizer.step()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name, options", CASES)
def test_ten_steps(name, options, dtype):
    results = []
    for library in (flambeau, torch):
        params = start(library, dtype)
        run(library, params, getattr(library.optim, name)(params, **options), 10)
        results.append([p.detach().numpy() for p in params])
    tolerance = 3e-6 if dtype == "float32" else 1e-7      # step counts are float32 in both
    for ours, theirs in zip(*results):
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


def as_library(state, library):
    """A state dict with its tensors made by another library."""
    if isinstance(state, dict):
        return {k: as_library(v, library) for k, v in state.items()}
    if isinstance(state, (list, tuple)):
        return type(state)(as_library(v, library) for v in state)
    return library.tensor(state.detach().numpy()) if hasattr(state, "detach") else state


@pytest.mark.parametrize("name, options", CASES)
def test_states_are_exchanged_in_both_directions(name, options):
    for source, target in ((flambeau, torch), (torch, flambeau)):
        first = start(source)
        a = getattr(source.optim, name)(first, **options)
        run(source, first, a, 3)
        second = [target.tensor(p.detach().numpy()).requires_grad_() for p in first]
        b = getattr(target.optim, name)(second, **options)
        b.load_state_dict(as_library(a.state_dict(), target))
        assert list(b.state_dict()["param_groups"][0]) == list(a.state_dict()["param_groups"][0])
        for i, state in a.state_dict()["state"].items():
            assert list(state) == list(b.state_dict()["state"][i])
        run(source, first, a, 3, first=3)
        run(target, second, b, 3, first=3)
        for p, q in zip(first, second):
            np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=5e-6,
                                       atol=3e-6)


def test_a_saved_state_is_read_by_the_other_library():
    for source, target in ((flambeau, torch), (torch, flambeau)):
        params = start(source)
        optimizer = source.optim.AdamW(params, lr=0.01)
        run(source, params, optimizer, 2)
        file = io.BytesIO()
        source.save({"optimizer": optimizer.state_dict()}, file)
        file.seek(0)
        loaded = target.load(file, weights_only=True)["optimizer"]
        fresh = target.optim.AdamW(start(target), lr=1.0)
        fresh.load_state_dict(loaded)
        assert fresh.param_groups[0]["lr"] == 0.01
        kept = fresh.state_dict()["state"][0]
        assert kept["step"].item() == 2.0
        np.testing.assert_array_equal(kept["exp_avg"].numpy(),
                                      optimizer.state_dict()["state"][0]["exp_avg"].numpy())


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
def test_lbfgs(search):
    results = []
    for library in (flambeau, torch):
        params = start(library, "float64")
        target = [library.tensor(np.ones(s)) for s in ((5, 4), (5,))]
        optimizer = library.optim.LBFGS(params, lr=0.3, max_iter=4, history_size=3,
                                        line_search_fn=search)
        losses = []

        def closure():
            optimizer.zero_grad()  # noqa: B023
            loss = sum((((p - t) ** 2).sum() + ((p - t) ** 4).sum())
                       for p, t in zip(params, target))  # noqa: B023
            loss.backward()
            losses.append(loss.item())  # noqa: B023
            return loss

        for _ in range(4):
            optimizer.step(closure)
        results.append((losses, [p.detach().numpy() for p in params]))
    assert len(results[0][0]) == len(results[1][0])
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-6, atol=1e-12)
    for ours, theirs in zip(results[0][1], results[1][1]):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-8)


SCHEDULES = {
    "LambdaLR": lambda s, o: s.LambdaLR(o, lambda t: 0.95 ** t),
    "MultiplicativeLR": lambda s, o: s.MultiplicativeLR(o, lambda t: 0.9 + 0.01 * t),
    "StepLR": lambda s, o: s.StepLR(o, 3, 0.4),
    "MultiStepLR": lambda s, o: s.MultiStepLR(o, [2, 2, 7], 0.3),
    "ConstantLR": lambda s, o: s.ConstantLR(o, 0.3, 4),
    "LinearLR": lambda s, o: s.LinearLR(o, 0.2, 0.7, 6),
    "ExponentialLR": lambda s, o: s.ExponentialLR(o, 0.85),
    "PolynomialLR": lambda s, o: s.PolynomialLR(o, 9, 1.7),
    "CosineAnnealingLR": lambda s, o: s.CosineAnnealingLR(o, 5, 0.01),
    "CosineAnnealingWarmRestarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 3, 2, 0.02),
    "CyclicLR": lambda s, o: s.CyclicLR(o, 0.01, 0.2, 3, 5, mode="triangular2"),
    "CyclicLR exp": lambda s, o: s.CyclicLR(o, 0.01, 0.2, 3, mode="exp_range", gamma=0.9),
    "OneCycleLR": lambda s, o: s.OneCycleLR(o, 0.3, 22),
    "OneCycleLR three": lambda s, o: s.OneCycleLR(o, 0.3, 22, three_phase=True,
                                                  anneal_strategy="linear"),
    "SequentialLR": lambda s, o: s.SequentialLR(
        o, [s.LinearLR(o, 0.1, 1.0, 4), s.CosineAnnealingLR(o, 10), s.StepLR(o, 2)], [4, 12]),
    "ChainedScheduler": lambda s, o: s.ChainedScheduler([s.LinearLR(o, 0.5), s.StepLR(o, 4)]),
}


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_schedules(name, optimizer):
    curves, states = [], []
    for library in (flambeau, torch):
        params = start(library)
        options = dict(momentum=0.9) if optimizer == "SGD" else {}
        o = getattr(library.optim, optimizer)(
            [{"params": params[:1]}, {"params": params[1:], "lr": 0.5}], lr=0.1, **options)
        scheduler = SCHEDULES[name](library.optim.lr_scheduler, o)
        rates = []
        for _ in range(20):
            o.step()
            scheduler.step()
            rates.append([*scheduler.get_last_lr(),
                          *[g.get("momentum", g.get("betas", (0,))[0]) for g in o.param_groups]])
        curves.append(rates)
        states.append(scheduler.state_dict())
    np.testing.assert_allclose(curves[0], curves[1], rtol=1e-12, atol=1e-15)
    assert set(states[0]) == set(states[1])


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
def test_plateau(mode, threshold_mode):
    curves = []
    for library in (flambeau, torch):
        o = library.optim.SGD(start(library), lr=1.0)
        scheduler = library.optim.lr_scheduler.ReduceLROnPlateau(
            o, mode, factor=0.5, patience=2, threshold=0.1, threshold_mode=threshold_mode,
            cooldown=2, min_lr=0.01)
        rng = np.random.default_rng(5)
        rates = []
        for _ in range(40):
            scheduler.step(float(rng.random()))
            rates.append(scheduler.get_last_lr()[0])
        curves.append(rates)
    assert curves[0] == curves[1]


def test_warm_restarts_at_fractions_and_swalr():
    curves = []
    for library in (flambeau, torch):
        o = library.optim.SGD(start(library), lr=1.0)
        scheduler = library.optim.lr_scheduler.CosineAnnealingWarmRestarts(o, 2, 2)
        rates = []
        for t in np.arange(0, 9, 0.4):
            scheduler.step(float(t))
            rates.append(scheduler.get_last_lr()[0])
        for strategy in ("cos", "linear"):
            o = library.optim.SGD(start(library), lr=1.0)
            scheduler = library.optim.swa_utils.SWALR(o, 0.05, 5, strategy)
            for _ in range(8):
                o.step()
                scheduler.step()
                rates.append(scheduler.get_last_lr()[0])
        curves.append(rates)
    np.testing.assert_allclose(curves[0], curves[1], rtol=1e-12)


def test_repr_and_errors_read_the_same():
    texts = []
    for library in (flambeau, torch):
        params = start(library)
        found = [repr(library.optim.Adam(params, lr=0.1)), repr(library.optim.SGD(params))]
        for bad in (dict(lr=-1.0), dict(eps=-1.0), dict(betas=(0.5, 1.5)),
                    dict(weight_decay=-0.1)):
            with pytest.raises(ValueError) as error:
                library.optim.Adam(params, **bad)
            found.append(str(error.value))
        texts.append(found)
    assert texts[0] == texts[1]
