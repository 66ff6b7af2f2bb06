"""Convolutions and pooling with random geometry against PyTorch, interpreted and compiled."""
import random

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import flambeau as fb


def draw(rng, dims):
    """One configuration: (function name, arguments, options), or None if it has no output."""
    size = lambda low, high: tuple(rng.randint(low, high) for _ in range(dims))
    groups = rng.choice([1, 1, 2, 3])
    channels, outputs = groups * rng.randint(1, 3), groups * rng.randint(1, 3)
    kernel, stride, dilation = size(1, 4), size(1, 3), size(1, 3)
    spatial, batch = size(3, 9), rng.randint(1, 3)
    kind = rng.choice(["conv", "conv", "transposed", "max", "avg"])
    x = (batch, channels, *spatial)
    if kind == "conv":
        padding = rng.choice([size(0, 3), "valid"])
        pad = (0,) * dims if padding == "valid" else padding
        if any(s + 2 * p < d * (k - 1) + 1
               for s, p, d, k in zip(spatial, pad, dilation, kernel)):
            return None
        w = (outputs, channels // groups, *kernel)
        bias = [(outputs,)] if rng.random() < 0.5 else []
        return f"conv{dims}d", [x, w, *bias], {
            "stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    if kind == "transposed":
        padding = size(0, 1)
        extra = tuple(rng.randint(0, max(s, d) - 1) for s, d in zip(stride, dilation))
        sizes = [(n - 1) * s - 2 * p + d * (k - 1) + e + 1 for n, s, p, d, k, e in zip(
            spatial, stride, padding, dilation, kernel, extra)]
        if min(sizes) < 1:
            return None
        w = (channels, outputs // groups, *kernel)
        return f"conv_transpose{dims}d", [x, w, (outputs,)], {
            "stride": stride, "padding": padding, "output_padding": extra, "groups": groups,
            "dilation": dilation}
    padding = tuple(rng.randint(0, k // 2) for k in kernel)
    options = {"kernel_size": kernel, "stride": stride, "padding": padding,
               "ceil_mode": rng.random() < 0.5}
    if kind == "avg":
        options["count_include_pad"] = rng.random() < 0.5
        dilation = (1,) * dims
        if any(k > s for k, s in zip(kernel, spatial)):
            return None                   # PyTorch refuses it in three dimensions
    else:
        options["dilation"] = dilation
    if any(s + 2 * p < d * (k - 1) + 1
           for s, p, d, k in zip(spatial, padding, dilation, kernel)):
        return None
    return f"{kind}_pool{dims}d", [x], options


def configurations(count):
    rng = random.Random(5)
    found = []
    while len(found) < count:
        case = draw(rng, rng.choice([1, 2, 2, 2, 3]))
        if case is not None:
            found.append(case)
    return found


def run(library, name, arrays, options):
    tensors = [library.tensor(a).requires_grad_() for a in arrays]
    out = getattr(library.nn.functional, name)(*tensors, **options)
    (out * out).sum().backward()
    return [out.detach().numpy(), *(t.grad.numpy() for t in tensors)]


@pytest.mark.parametrize("case", configurations(60), ids=lambda c: f"{c[0]}-{c[1][0]}")
def test_geometry(case):
    name, shapes, options = case
    rng = np.random.default_rng(1)
    arrays = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
    expected = run(torch, name, arrays, options)
    for _ in range(4):                    # first interpreted, then compiled
        for mine, theirs in zip(run(fb, name, arrays, options), expected):
            np.testing.assert_allclose(mine, theirs, 2e-3, 2e-4, err_msg=f"{name} {options}")
