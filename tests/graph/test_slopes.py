"""Gradients of activations become one gradient times a slope, made where the activation is."""

import numpy as np
import pytest
from graphs import assert_same, input_node, run_compiled
from test_compile import tolerance_scale

import flambeau as torch
from flambeau.graph.compile import compile_program
from flambeau.graph.differentiate import gradients
from flambeau.graph.interpret import interpret
from flambeau.graph.ir import full, p
from flambeau.graph.passes.rewrite import rewrite
from flambeau.graph.passes.slopes import factor_slopes


def product(a, b, transposed=False):
    return p.contract(a, b, batch_a=(), batch_b=(), contract_a=(1,), contract_b=(int(transposed),))


def gelu(x):
    inner = p.erf(p.mul(x, full(x.shape, 0.5 ** 0.5, x.dtype)))
    return p.mul(p.mul(full(x.shape, 0.5, x.dtype), x), p.add(full(x.shape, 1, x.dtype), inner))


def silu(x):
    return p.mul(x, p.sigmoid(x))


def tanh_gelu(x):
    cube = p.mul(x, p.mul(x, x))
    inner = p.tanh(p.add(p.mul(x, full(x.shape, 0.8, x.dtype)),
                         p.mul(cube, full(x.shape, 0.035, x.dtype))))
    return p.mul(p.mul(full(x.shape, 0.5, x.dtype), x), p.add(full(x.shape, 1, x.dtype), inner))


def layer(activation, bias=True):
    """(outputs, inputs) of x W, an activation, another product; gradients of the weights."""
    inputs = [input_node(i, shape) for i, shape in enumerate([(48, 20), (20, 64), (64,), (64, 16),
                                                              (48, 16)])]
    x, w, b, v, above = inputs
    for node in (w, v):
        node.requires_grad = True
    h = product(x, w)
    if bias:
        h = p.add(h, p.expand(p.reshape(b, shape=(1, 64)), shape=(48, 64)))
    y = product(activation(h), v)
    return [y, *gradients([y], [above], [w, v])], inputs


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("activation", [gelu, silu, tanh_gelu])
def test_values_stay(activation, bias):
    outputs, inputs = layer(activation, bias)
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(i.shape).astype(np.float32) for i in inputs]
    expected = interpret(outputs, arrays)
    rewritten = rewrite(outputs)
    compiled = run_compiled(compile_program(outputs, inputs), outputs, arrays)
    for found in (interpret(rewritten, arrays), compiled):
        for a, b, node in zip(found, expected, outputs):
            assert_same(a, b, node, 8 * tolerance_scale(outputs, node))


@pytest.mark.parametrize("activation", [gelu, silu, tanh_gelu])
def test_the_gradient_reads_only_the_slope(activation):
    outputs, inputs = layer(activation)
    kernels = compile_program(outputs, inputs, details=True).kernels
    # two products forward, the gradient of the activation, two of the weights: nothing between
    assert len(kernels) == 5
    dear = {"erf", "exp", "tanh", "sigmoid"}
    assert [bool(dear & {op for _, op, _ in k.parts}) for k in kernels].count(True) == 1


def test_a_product_of_a_slope_stays():
    outputs, _ = layer(lambda h: p.exp(h))
    rewritten = rewrite(outputs)
    assert factor_slopes(rewritten) == rewritten


def test_no_slope_without_a_product_before_it():
    x = input_node(0, (8, 8))
    x.requires_grad = True
    y = gelu(x)
    found = gradients([y], [product(input_node(1, (8, 8)), input_node(2, (8, 8)))], [x])
    assert factor_slopes(found) == found


def test_training_agrees_with_plain_products():
    def losses(separate):
        torch.manual_seed(0)
        net = torch.nn.Sequential(torch.nn.Linear(6, 32), torch.nn.GELU(), torch.nn.Linear(32, 4))
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        x, result = torch.randn(16, 6), []
        for _ in range(6):
            h = net[0](x)
            if separate:
                h.sum().item()         # ends the program: backward reads what was saved
            loss = net[2](net[1](h)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            result.append(loss.item())
        return result
    np.testing.assert_allclose(losses(True), losses(False), rtol=1e-5)
