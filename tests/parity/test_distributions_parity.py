"""Distributions of both packages on the same expressions: samples, values, gradients, errors.

`D` is torch.distributions and `T` torch in one evaluation, and Flambeau's in the other; both start
from the same seed.
"""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import flambeau

MADE = [
    "Categorical(T.tensor([[.2, .3, .5], [.1, .1, .8]]))",
    "Categorical(probs=T.tensor([1., 2., 5.]))",
    "Categorical(logits=T.tensor([[.2, -.3, .5], [.1, .1, 2.]]))",
    "Bernoulli(T.tensor([.2, .5, 1.]))",
    "Bernoulli(.25)",
    "Bernoulli(logits=T.tensor([[.2], [-3.]]))",
    "Normal(T.tensor([0., 1., -2.]), T.tensor([1., .5, 3.]))",
    "Normal(0., 2.)",
    "Normal(T.zeros(2, 3), 1)",
    "Normal(T.zeros(20), T.ones(20, dtype=T.float64).float())",
    "Normal(T.zeros(3, dtype=T.float64), 2.5)",
    "Uniform(T.tensor([0., 1.]), T.tensor([2., 5.]))",
    "Uniform(-1., 1.)",
    "Exponential(T.tensor([.5, 2.]))",
    "Exponential(3.)",
    "Poisson(T.tensor([.5, 0., 20.]))",
    "Independent(D.Normal(T.zeros(4, 3), T.ones(4, 3)), 1)",
    "Independent(D.Bernoulli(T.full((2, 3), .3)), 2)",
    "Independent(D.Normal(T.zeros(3), 1.), 0)",
]
ASKED = [
    "d", "d.sample()", "d.sample((3,))", "d.sample(T.Size([2, 4]))", "d.sample((0,))",
    "d.rsample()", "d.rsample((5,))", "d.has_rsample", "d.has_enumerate_support",
    "d.log_prob(d.sample())", "d.log_prob(d.sample((4,)))", "d.log_prob(d.sample((2, 3)))",
    "d.entropy()", "d.perplexity()", "d.mean", "d.mode", "d.variance", "d.stddev",
    "d.batch_shape", "d.event_shape", "d.support", "d.enumerate_support()",
    "d.enumerate_support(expand=False)", "d.expand((5,) + tuple(d.batch_shape))",
    "d.expand((5,) + tuple(d.batch_shape)).log_prob(d.sample())",
    "d.expand((5,) + tuple(d.batch_shape)).sample()", "d.param_shape", "d.probs", "d.logits",
    "d.cdf(d.sample())", "d.icdf(T.tensor([[.25], [.5]]).to(d.mean.dtype))",
    "D.kl_divergence(d, d.expand(d.batch_shape))", "d.log_prob(1.5)",
    "d.log_prob(T.tensor(float('nan')))", "d.log_prob(T.full((7, 5, 9), 1.))",
    "d.log_prob(T.tensor(-77.5))",
]
OTHER = """
D.Categorical()
D.Categorical(T.tensor([.5, .5]), T.tensor([.5, .5]))
D.Categorical(T.tensor(.5))
D.Categorical(logits=T.tensor(.5))
D.Categorical(T.tensor([-.5, .5]))
D.Categorical(logits=T.tensor([float('nan'), 1.]))
D.Bernoulli(T.tensor([1.5]))
D.Bernoulli()
D.Bernoulli("a")
D.Normal(T.zeros(2), -T.ones(2))
D.Normal(T.zeros(2), T.ones(3))
D.Normal(T.tensor([0., float('nan')]), 1.)
D.Uniform(1., 0.)
D.Uniform(T.zeros(2), T.tensor([1., -1.]))
D.Exponential(-1.)
D.Poisson(-1.)
D.Independent(D.Normal(0., 1.), 1)
D.Normal(0., -1., validate_args=False)
D.Normal(0., 1., validate_args=False).log_prob(T.tensor(float('nan')))
D.kl_divergence(D.Normal(0., 1.), D.Normal(T.tensor([1., 2.]), 3.))
D.kl_divergence(D.Categorical(T.tensor([.5, .5, 0.])), D.Categorical(T.tensor([.1, .9, 0.])))
D.kl_divergence(D.Categorical(T.tensor([.5, .5])), D.Categorical(T.tensor([1., 0.])))
D.kl_divergence(D.Bernoulli(.3), D.Bernoulli(T.tensor([.1, 1., .3])))
D.kl_divergence(D.Uniform(0., 1.), D.Uniform(T.tensor([-1., .5]), 2.))
D.kl_divergence(D.Exponential(1.), D.Exponential(2.))
D.kl_divergence(D.Poisson(1.), D.Poisson(2.))
D.kl_divergence(D.Normal(0., 1.), D.Categorical(T.ones(2)))
D.constraints.simplex
D.constraints.real_vector
D.constraints.greater_than(2)
D.constraints.integer_interval(0, 3).check(T.tensor([-1., 0., 1.5, 3., 4.]))
D.constraints.simplex.check(T.tensor([[.5, .5], [.5, .6]]))
D.constraints.positive_integer
D.utils.logits_to_probs(T.tensor([1., 2.]))
D.utils.probs_to_logits(T.tensor([0., 1.]), is_binary=True)
""".strip().splitlines()


def outcome(module, text, made=None):
    """What the expression gives, or how it fails."""
    names = {"T": module, "D": module.distributions, "d": None}
    module.manual_seed(3)
    try:
        if made is not None:
            names["d"] = eval("D." + made, names)
        return eval(text, names), None
    except Exception as error:
        return None, error


def compare(text, made=None):
    ours, our_error = outcome(flambeau, text, made)
    theirs, their_error = outcome(torch, text, made)
    assert type(our_error).__name__ == type(their_error).__name__, (our_error, their_error)
    if their_error is not None:
        if not isinstance(their_error, (AttributeError, NotImplementedError)):
            assert str(our_error).startswith(str(their_error).split("\n")[0])
    elif isinstance(theirs, torch.Tensor):
        assert str(ours.dtype) == str(theirs.dtype) and tuple(ours.shape) == tuple(theirs.shape)
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=2e-6, atol=1e-6)
    else:
        assert repr(ours) == repr(theirs)


@pytest.mark.parametrize("text", ASKED)
@pytest.mark.parametrize("made", MADE)
def test_what_a_distribution_answers(made, text):
    compare(text, made)


@pytest.mark.parametrize("text", OTHER)
def test_values_and_errors(text):
    compare(text)


GRADIENTS = {
    "policy": ("D.Categorical(logits=p)", "-(d.log_prob(d.sample()) * T.arange(4.)).mean() "
               "- 0.1 * d.entropy().mean()"),
    "probabilities": ("D.Categorical(p.softmax(-1))", "d.log_prob(d.sample()).sum()"),
    "reparametrised": ("D.Normal(p[:, 0], p[:, 1].exp())",
                       "(d.rsample((6,)) ** 2).mean() + D.kl_divergence(d, D.Normal(0., 1.)).sum()"
                       ),
    "exponential": ("D.Exponential(p.exp())", "d.rsample().sum() + d.log_prob(d.sample()).sum()"),
    "uniform": ("D.Uniform(p - 9, p + 9)", "d.rsample().pow(2).sum()"),
    "bernoulli": ("D.Bernoulli(logits=p)", "d.log_prob(d.sample()).sum() + d.entropy().sum()"),
    "independent": ("D.Independent(D.Normal(p, 1.), 1)", "d.log_prob(d.rsample()).sum() "
                    "+ (d.log_prob(T.zeros(4, 3)) ** 2).sum()"),
}


@pytest.mark.parametrize("made, text", GRADIENTS.values(), ids=GRADIENTS)
def test_gradients(made, text):
    grads = []
    for module in (flambeau, torch):
        module.manual_seed(1)
        p = module.randn(4, 3, requires_grad=True)
        names = {"T": module, "D": module.distributions, "p": p}
        for _ in range(3):          # compiled from the second time on
            names["d"] = eval(made, names)
            p.grad = None
            eval(text, names).backward()
        grads.append(p.grad.numpy())
    np.testing.assert_allclose(*grads, rtol=2e-5, atol=1e-6)
