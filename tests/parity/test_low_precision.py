"""Functions of layers in bfloat16 and float16 against PyTorch, to about two units of the type."""
import numpy as np
import pytest

torch = pytest.importorskip("torch")

import flambeau as fb

FUNCTIONS = {
    "linear": (lambda t, x, w, b: t.nn.functional.linear(x, w, b), (4, 8), (3, 8), (3,)),
    "conv2d": (lambda t, x, w: t.nn.functional.conv2d(x, w), (2, 3, 6, 6), (4, 3, 3, 3)),
    "layer_norm": (
        lambda t, x, w, b: t.nn.functional.layer_norm(x, (8,), w, b), (4, 8), (8,), (8,)),
    "batch_norm": (
        lambda t, x: t.nn.functional.batch_norm(
            x, t.zeros(3), t.ones(3), t.ones(3), t.zeros(3), True), (4, 3, 5)),
    "group_norm": (lambda t, x: t.nn.functional.group_norm(x, 1), (4, 3, 5)),
    "rms_norm": (lambda t, x: t.nn.functional.rms_norm(x * 0.01, (5,)), (4, 3, 5)),
    "softmax": (lambda t, x: t.nn.functional.softmax(x, -1), (4, 5)),
    "cross_entropy": (
        lambda t, x: t.nn.functional.cross_entropy(x, t.tensor([1, 2, 3, 4])), (4, 5)),
    "gelu": (lambda t, x: t.nn.functional.gelu(x), (4, 5)),
    "max_pool2d": (lambda t, x: t.nn.functional.max_pool2d(x, 2), (1, 2, 4, 4)),
    "avg_pool2d": (lambda t, x: t.nn.functional.avg_pool2d(x, 2), (1, 2, 4, 4)),
    "attention": (
        lambda t, q, k, v: t.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True),
        (1, 2, 5, 4), (1, 2, 5, 4), (1, 2, 5, 4)),
    "interpolate": (
        lambda t, x: t.nn.functional.interpolate(x, scale_factor=2, mode="bilinear"),
        (1, 2, 4, 4)),
    "mse_loss": (lambda t, x, y: t.nn.functional.mse_loss(x, y), (4, 5), (4, 5)),
}


def run(library, dtype, function, arrays):
    dtype = getattr(library, dtype)
    tensors = [library.tensor(a).to(dtype).requires_grad_() for a in arrays]
    out = function(library, *tensors)
    out.float().sum().backward()
    values = [out.detach(), *(tensor.grad for tensor in tensors)]
    return str(out.dtype), [value.float().numpy() for value in values]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_function(name, dtype):
    function, *shapes = FUNCTIONS[name]
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
    kind, expected = run(torch, dtype, function, arrays)
    mine, found = run(fb, dtype, function, arrays)
    assert mine == kind
    unit = 2.0**-8 if dtype == "bfloat16" else 2.0**-11
    for a, b in zip(found, expected):
        np.testing.assert_allclose(a, b, 3 * unit, 3 * unit * max(1.0, np.abs(b).max()))
