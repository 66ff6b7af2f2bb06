"""Distributions: moments of samples, a policy's gradient, what is checked and when."""

import math

import numpy as np
import pytest

import flambeau as torch
from flambeau import distributions as D

SOME = [D.Categorical(torch.tensor([0.2, 0.5, 0.3])), D.Bernoulli(0.3), D.Normal(1.0, 2.0),
        D.Uniform(-1.0, 3.0), D.Exponential(2.0), D.Poisson(3.0)]


@pytest.mark.parametrize("one", SOME, ids=lambda d: type(d).__name__)
def test_samples_are_distributed_so(one):
    torch.manual_seed(0)
    drawn = one.sample((20000,)).double().numpy()
    if isinstance(one, D.Categorical):
        shares = np.bincount(drawn.astype(int)) / len(drawn)
        np.testing.assert_allclose(shares, one.probs.numpy(), atol=0.02)
        return
    assert abs(drawn.mean() - one.mean.item()) < 0.05 * one.stddev.item() + 0.01
    assert abs(drawn.std() - one.stddev.item()) < 0.05 * one.stddev.item()


@pytest.mark.parametrize("one", SOME[2:5], ids=lambda d: type(d).__name__)
def test_densities_are_the_slope_of_their_cdf(one):
    x = torch.linspace(0.1, 2.9, 30, dtype=torch.float64)
    step = 1e-3
    slope = (one.cdf(x + step) - one.cdf(x - step)) / (2 * step)
    np.testing.assert_allclose(one.log_prob(x).exp().numpy(), slope.numpy(), rtol=1e-3, atol=1e-4)
    inside = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    np.testing.assert_allclose(one.cdf(one.icdf(inside)).numpy(), inside.numpy(), rtol=1e-5)


def test_a_policy_learns_the_better_action():
    torch.manual_seed(0)
    policy = torch.nn.Linear(1, 2)
    optimizer = torch.optim.SGD(policy.parameters(), lr=0.5)
    for _ in range(60):
        choice = D.Categorical(logits=policy(torch.ones(16, 1)))
        action = choice.sample()
        loss = -(choice.log_prob(action) * (action == 1).float()).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert D.Categorical(logits=policy(torch.ones(1))).probs[1].item() > 0.9


def test_checks_can_be_left_out():
    with pytest.raises(ValueError, match="Expected parameter scale .* GreaterThan"):
        D.Normal(0.0, -1.0)
    D.Normal(0.0, -1.0, validate_args=False)
    D.Distribution.set_default_validate_args(False)
    try:
        D.Normal(0.0, -1.0)
    finally:
        D.Distribution.set_default_validate_args(True)


def test_divergences_of_own_distributions():
    class Sharp(D.Normal):
        pass

    @D.register_kl(Sharp, D.Exponential)
    def rule(p, q):
        return torch.tensor(7.0)

    assert D.kl_divergence(Sharp(0.0, 1.0), D.Exponential(1.0)).item() == 7
    assert D.kl_divergence(Sharp(0.0, 1.0), D.Normal(0.0, 1.0)).item() == 0
    with pytest.raises(NotImplementedError, match="No KL"):
        D.kl_divergence(D.Exponential(1.0), Sharp(0.0, 1.0))


def test_categories_without_probability_have_no_entropy():
    one = D.Categorical(torch.tensor([1.0, 0.0]))
    assert one.entropy().item() == pytest.approx(0, abs=1e-5)
    assert D.Categorical(torch.ones(4)).entropy().item() == pytest.approx(math.log(4))
