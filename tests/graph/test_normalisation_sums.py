"""Sums of a normalisation: what does not vary is taken out, variances come from one pass."""

import numpy as np
import pytest
from graphs import array_for, assert_same, input_node, run_compiled, spread

import flambeau as torch
from flambeau.graph.compile import compile_program
from flambeau.graph.interpret import interpret
from flambeau.graph.ir import check, full_like, p, topological_order
from flambeau.graph.passes.assign_layouts import channels_last_strides
from flambeau.graph.passes.factor_sums import factor_sums
from flambeau.graph.passes.partition import partition
from flambeau.graph.passes.rewrite import rewrite
from flambeau.graph.passes.split_reductions import split_reductions
from flambeau.graph.primitives.reduce import mean
from flambeau.record import execute

DIMS = (0, 2, 3)
X, G = input_node(0, (4, 6, 3, 5)), input_node(1, (4, 6, 3, 5))
W = input_node(2, (6,))


def total(node, dims=DIMS):
    return p.reduce_sum(node, dims=dims)


def centred(x, dims=DIMS):
    return p.sub(x, spread(mean(x, dims), x, dims))


def sums(outputs):
    return [n for n in topological_order(outputs) if n.op == "reduce_sum"]


def factored(*outputs):
    """The rewritten graph, which has the same meaning."""
    outputs = list(outputs)
    rewritten = rewrite(outputs)
    check(rewritten)
    rng = np.random.default_rng(0)
    arrays = [array_for(node, rng) for node in (X, G, W)]
    for a, b, node in zip(interpret(rewritten, arrays), interpret(outputs, arrays), outputs):
        assert_same(a, b, node, 10)
    return rewritten


def test_factors_that_do_not_vary_leave_a_sum():
    wide = spread(W, X, DIMS)
    rewritten = factored(total(p.mul(p.mul(G, wide), X)), total(p.div(p.mul(X, G), wide)),
                         total(p.neg(p.mul(G, p.mul(wide, X)))))
    assert len(sums(rewritten)) == 1


def test_a_sum_of_centred_values_is_zero():
    rewritten = factored(total(p.mul(centred(X), spread(W, X, DIMS))))
    assert not sums(rewritten)


def test_a_sum_is_split_only_into_known_ones():
    assert len(sums(factored(total(p.add(X, G))))) == 1
    assert len(sums(factored(total(p.sub(X, G)), total(X), total(G)))) == 2
    assert len(sums(factored(total(p.sub(X, G)), total(X)))) == 2


def test_factors_that_vary_along_one_dimension_stay():
    wide = spread(input_node(2, (4, 6)), X, (2, 3))
    node = total(p.mul(X, wide))
    assert factor_sums([node]) == [node]


def test_gradients_of_batch_norm_take_two_sums():
    c = centred(X)
    variance = mean(p.mul(c, c), DIMS)
    r = p.rsqrt(p.add(variance, full_like(variance, 1e-5)))
    wide = spread(r, X, DIMS)
    g = p.mul(G, spread(W, X, DIMS))
    slope = total(p.mul(g, c))
    part = p.mul(spread(slope, X, DIMS), c)
    back = p.add(p.add(p.mul(g, wide), part), part)
    rewritten = factored(r, slope, total(p.neg(back)), total(p.mul(G, p.mul(c, wide))), total(G))
    assert len(sums(rewritten)) == 4            # those, and the two of the forward pass


@pytest.mark.parametrize("shape", [(8, 64, 24, 24), (4, 200, 7, 7), (64, 33, 10, 9), (3000, 12)])
def test_variances_are_combined_from_blocks(shape):
    """Accurate where the mean is far from zero, too: sums of squares would lose all digits."""
    dims = (0,) + tuple(range(2, len(shape)))
    x = input_node(0, shape)
    average = mean(x, dims)
    c = p.sub(x, spread(average, x, dims))
    outputs = [average, mean(p.mul(c, c), dims)]
    rng = np.random.default_rng(0)
    array = (1000 + rng.standard_normal(shape)).astype(np.float32)
    executable = compile_program(outputs, [x])
    found = run_compiled(executable, outputs, [array])
    exact = array.astype(np.float64)
    np.testing.assert_allclose(found[0], exact.mean(dims), rtol=1e-6)
    np.testing.assert_allclose(found[1], exact.var(dims), rtol=2e-5)


def test_variances_read_memory_once():
    shape = (8, 64, 56, 56)
    x = input_node(0, shape)
    layouts = {x: channels_last_strides(shape)}
    c = centred(x)
    split = split_reductions([total(p.mul(c, c))], layouts)
    over_x = [n for n in sums(split) if n.inputs[0].numel == x.numel]
    assert len(over_x) == 2 and over_x[0].attrs == over_x[1].attrs
    steps = partition(split, layouts).steps
    assert len(steps) == 2, steps


def test_sums_of_the_same_values_share_a_kernel():
    shape = (8, 64, 24, 24)
    x, g = input_node(0, shape), input_node(1, shape)
    outputs = [total(g), total(p.mul(g, x)), total(p.exp(g))]
    executable = compile_program(outputs, [x, g])
    assert sum(k.bytes > 1_000_000 for k in executable.kernels) == 1
    rng = np.random.default_rng(0)
    arrays = [array_for(node, rng) for node in (x, g)]
    for a, b, node in zip(run_compiled(executable, outputs, arrays), interpret(outputs, arrays),
                          outputs):
        assert_same(a, b, node, 100)


def test_training_with_batch_norm_keeps_its_numbers(monkeypatch):
    """Compiled against interpreted, with means far from zero."""
    def losses():
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Conv2d(3, 16, 3, bias=False),
                                    torch.nn.BatchNorm2d(16), torch.nn.ReLU(),
                                    torch.nn.Conv2d(16, 16, 1), torch.nn.BatchNorm2d(16))
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        images = torch.randn(4, 3, 32, 32) + 5
        found = []
        for _ in range(4):
            optimizer.zero_grad()
            loss = (model(images) ** 3).mean() + model(images * 0.5).abs().mean()
            loss.backward()
            optimizer.step()
            found.append(loss.item())
        return found

    compiled = losses()
    monkeypatch.setattr(execute.settings, "compile", False)
    np.testing.assert_allclose(compiled, losses(), rtol=1e-4)
