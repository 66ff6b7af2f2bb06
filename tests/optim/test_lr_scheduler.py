"""Learning-rate schedulers: formulas, combinations, saving, warnings."""

import math
import warnings

import pytest

import flambeau as torch
from flambeau.optim import lr_scheduler, swa_utils


def optimizer(lr=1.0, **options):
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr, **options)


def curve(scheduler, steps):
    rates = []
    for _ in range(steps):
        rates.append(scheduler.get_last_lr()[0])
        scheduler.optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize("make, expected", [
    (lambda o: lr_scheduler.StepLR(o, 2, 0.5), [1, 1, 0.5, 0.5, 0.25, 0.25]),
    (lambda o: lr_scheduler.MultiStepLR(o, [1, 3], 0.1), [1, 0.1, 0.1, 0.01, 0.01]),
    (lambda o: lr_scheduler.ExponentialLR(o, 0.5), [1, 0.5, 0.25, 0.125]),
    (lambda o: lr_scheduler.ConstantLR(o, 0.25, 2), [0.25, 0.25, 1, 1]),
    (lambda o: lr_scheduler.LinearLR(o, 0.5, 1.0, 2), [0.5, 0.75, 1, 1]),
    (lambda o: lr_scheduler.PolynomialLR(o, 4, 2.0), [1, 0.5625, 0.25, 0.0625, 0, 0]),
    (lambda o: lr_scheduler.LambdaLR(o, lambda t: 1 / (1 + t)), [1, 1 / 2, 1 / 3]),
    (lambda o: lr_scheduler.MultiplicativeLR(o, lambda t: 0.5), [1, 0.5, 0.25]),
    (lambda o: lr_scheduler.CosineAnnealingLR(o, 4, 0.2),
     [0.2 + 0.4 * (1 + math.cos(math.pi * t / 4)) for t in range(8)]),
    (lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 2, 2),
     [1, 0.5, *[0.5 * (1 + math.cos(math.pi * t / 4)) for t in range(4)], 1]),
    (lambda o: lr_scheduler.CyclicLR(o, 0.1, 1.1, 2, cycle_momentum=False),
     [0.1, 0.6, 1.1, 0.6, 0.1]),
])
def test_curves(make, expected):
    scheduler = make(optimizer())
    assert curve(scheduler, len(expected)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("make", [
    lambda o: lr_scheduler.StepLR(o, 2, 0.5),
    lambda o: lr_scheduler.MultiStepLR(o, [2, 5], 0.1),
    lambda o: lr_scheduler.ExponentialLR(o, 0.9),
    lambda o: lr_scheduler.LinearLR(o, 0.1, 0.8, 6),
    lambda o: lr_scheduler.CosineAnnealingLR(o, 5),
])
def test_the_closed_form_agrees_with_stepping(make):
    scheduler = make(optimizer())
    expected = curve(scheduler, 8)[7]
    other = make(optimizer())
    with pytest.warns(UserWarning, match="The epoch parameter in `scheduler.step"):
        other.step(7)
    assert other.get_last_lr()[0] == pytest.approx(expected, rel=1e-9)


def test_one_cycle_moves_momentum_against_the_learning_rate():
    o = optimizer(momentum=0.9)
    scheduler = lr_scheduler.OneCycleLR(o, max_lr=1.0, total_steps=10)
    seen = []
    for _ in range(10):
        seen.append((o.param_groups[0]["lr"], o.param_groups[0]["momentum"]))
        o.step()
        scheduler.step()
    rates, momenta = zip(*seen)
    assert rates[0] == pytest.approx(0.04) and max(rates) == pytest.approx(1.0)
    assert rates[-1] == pytest.approx(0.04 / 1e4)
    assert momenta[rates.index(max(rates))] == min(momenta) == pytest.approx(0.85)
    with pytest.raises(ValueError, match="Tried to step 11 times"):
        scheduler.step()


def test_chained_and_sequential():
    o = optimizer()
    both = lr_scheduler.ChainedScheduler([lr_scheduler.ConstantLR(o, 0.5, 2),
                                          lr_scheduler.ExponentialLR(o, 0.9)])
    assert curve(both, 4) == pytest.approx([0.5, 0.45, 0.81, 0.729])
    o = optimizer()
    one_then_other = lr_scheduler.SequentialLR(
        o, [lr_scheduler.ConstantLR(o, 0.1, 2), lr_scheduler.ExponentialLR(o, 0.5)], [2])
    assert curve(one_then_other, 5) == pytest.approx([0.1, 0.1, 1.0, 0.5, 0.25])
    with pytest.raises(ValueError, match="number of schedulers provided to be one more"):
        lr_scheduler.SequentialLR(o, [lr_scheduler.ExponentialLR(o, 0.5)], [1])


def test_plateau():
    o = optimizer()
    scheduler = lr_scheduler.ReduceLROnPlateau(o, patience=1, factor=0.5, cooldown=1, min_lr=0.3)
    rates = []
    for metric in (1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5):
        scheduler.step(torch.tensor(metric))
        rates.append(scheduler.get_last_lr()[0])
    assert rates == [1, 1, 1, 0.5, 0.5, 0.5, 0.3, 0.3]
    with pytest.raises(ValueError, match="mode best is unknown"):
        lr_scheduler.ReduceLROnPlateau(o, mode="best")
    with pytest.raises(ValueError, match="Factor should be < 1.0"):
        lr_scheduler.ReduceLROnPlateau(o, factor=1.0)


@pytest.mark.parametrize("make", [
    lambda o: lr_scheduler.CosineAnnealingLR(o, 9),
    lambda o: lr_scheduler.CyclicLR(o, 0.1, 1.0, 3, mode="exp_range", gamma=0.9),
    lambda o: lr_scheduler.OneCycleLR(o, 1.0, 12),
    lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=1),
    lambda o: lr_scheduler.SequentialLR(o, [lr_scheduler.LinearLR(o), lr_scheduler.StepLR(o, 2)],
                                        [3]),
    lambda o: swa_utils.SWALR(o, 0.1, anneal_epochs=4),
])
def test_schedules_go_on_from_a_state_dict(make):
    def advance(o, scheduler):
        o.step()
        if isinstance(scheduler, lr_scheduler.ReduceLROnPlateau):
            scheduler.step(1.0)
        else:
            scheduler.step()

    o = optimizer(momentum=0.9)
    scheduler = make(o)
    for _ in range(4):
        advance(o, scheduler)
    again = optimizer(momentum=0.9)
    other = make(again)
    other.load_state_dict(scheduler.state_dict())
    again.load_state_dict(o.state_dict())
    for _ in range(4):
        advance(o, scheduler)
        advance(again, other)
    assert other.get_last_lr() == scheduler.get_last_lr()


def test_learning_rates_that_are_tensors_keep_their_identity():
    rate = torch.tensor(1.0)
    o = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=rate)
    scheduler = lr_scheduler.ExponentialLR(o, 0.5)
    o.step()
    scheduler.step()
    assert o.param_groups[0]["lr"] is rate and rate.item() == 0.5


def test_warnings():
    o = optimizer()
    scheduler = lr_scheduler.StepLR(o, 2)
    with pytest.warns(UserWarning, match="Detected call of `lr_scheduler.step"):
        scheduler.step()
    with pytest.warns(UserWarning, match="please use `get_last_lr"):
        scheduler.get_lr()
    with pytest.raises(KeyError, match="initial_lr"):
        lr_scheduler.StepLR(optimizer(), 2, last_epoch=3)
    with pytest.raises(TypeError, match="is not an Optimizer"):
        lr_scheduler.StepLR(3, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        o = optimizer()
        scheduler = lr_scheduler.StepLR(o, 2)
        o.step()
        scheduler.step()


def test_averaged_model_and_batch_statistics():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    average = swa_utils.AveragedModel(model)
    weights = []
    for step in range(3):
        with torch.no_grad():
            model[0].weight.fill_(float(step))
        weights.append(float(step))
        average.update_parameters(model)
    assert average.module[0].weight.mean().item() == pytest.approx(sum(weights) / 3)
    assert average.n_averaged.item() == 3
    data = [torch.randn(8, 2) for _ in range(2)]
    swa_utils.update_bn(data, average)
    outputs = torch.cat([average.module[0](x) for x in data])
    assert average.module[1].running_mean.tolist() == pytest.approx(
        outputs.mean(0).tolist(), abs=1e-5)
    ema = swa_utils.AveragedModel(model, multi_avg_fn=swa_utils.get_ema_multi_avg_fn(0.5))
    ema.update_parameters(model)
    with torch.no_grad():
        model[0].weight.fill_(4.0)
    ema.update_parameters(model)
    assert ema.module[0].weight.mean().item() == pytest.approx(3.0)
