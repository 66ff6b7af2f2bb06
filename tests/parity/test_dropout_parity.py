"""The dropout family of both packages on the same inputs and seed."""

import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import flambeau

EXACT = """
F.dropout(x)
F.dropout(x, 0.1)
F.dropout(x, 0.9, True)
F.dropout(x, 0.0)
F.dropout(x, 1.0)
F.dropout(x, 0.5, False)
F.dropout(x.double(), 0.3)
F.dropout(x[1:, :, 2])
F.dropout(x.permute(2, 0, 3, 1), 0.3)
F.dropout(x.transpose(1, 2), 0.3)
F.dropout1d(x[0], 0.4)
F.dropout1d(x[0, 0], 0.4)
F.dropout2d(x, 0.4)
F.dropout3d(x.unsqueeze(2), 0.4)
F.dropout3d(x, 0.4)
T.nn.Dropout(0.2)(x)
T.nn.Dropout2d(0.2)(x)
F.dropout(x.clone(), 0.5, inplace=True)
""".strip().splitlines()

CLOSE = """
F.alpha_dropout(x, 0.3, True)
F.feature_alpha_dropout(x, 0.3, True)
T.nn.AlphaDropout(0.2)(x)
""".strip().splitlines()

INPUT = np.random.default_rng(0).standard_normal((6, 5, 4, 7)).astype(np.float32)


def evaluate(expression, module):
    module.manual_seed(31)
    scope = {"T": module, "F": module.nn.functional, "x": module.from_numpy(INPUT.copy())}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = eval(expression, scope)
    return result.numpy(), module.get_rng_state().numpy()


@pytest.mark.parametrize("expression", EXACT)
def test_same_bits(expression):
    theirs, their_state = evaluate(expression, torch)
    ours, our_state = evaluate(expression, flambeau)
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(ours, theirs)
    assert np.array_equal(our_state, their_state)


@pytest.mark.parametrize("expression", CLOSE)
def test_close(expression):
    theirs, their_state = evaluate(expression, torch)
    ours, our_state = evaluate(expression, flambeau)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)
    assert np.array_equal(our_state, their_state)


def test_factors_follow_the_order_of_memory():
    from flambeau.ops.random import dropout_mask

    torch.manual_seed(2)
    flambeau.manual_seed(2)
    theirs = torch.nn.functional.dropout(torch.ones(4, 6).t(), 0.4)
    view = flambeau.ones(4, 6).t()
    ours = dropout_mask(view.shape, 0.4, flambeau.float32, like=view)
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def test_a_training_run_with_dropout_draws_the_same_masks():
    losses = []
    for module in (torch, flambeau):
        module.manual_seed(0)
        x = module.randn(8, 16)
        w1 = module.randn(16, 32).mul_(0.1).requires_grad_()
        w2 = module.randn(32, 1).mul_(0.1).requires_grad_()
        curve = []
        for _ in range(5):
            hidden = module.nn.functional.dropout(module.relu(x @ w1), 0.5)
            loss = ((hidden @ w2 - 1) ** 2).mean()
            loss.backward()
            with module.no_grad():
                for w in (w1, w2):
                    w -= 0.1 * w.grad
                    w.grad = None
            curve.append(loss.item())
        losses.append(curve)
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)
