"""Contraction (any einsum-like product of two values) and convolution with its gradients.

Convolution's layouts are logical: x (N, C, spatial…), w (O, C / groups, spatial…).
"""

from __future__ import annotations

import numpy as np

from ..ir import p, primitive

__all__: list[str] = []


def _conj(node):
    return p.conj(node) if node.dtype.is_complex else node


# ---- contract -----------------------------------------------------------------------------------


def free_dims(ndim, batch, contracted):
    return tuple(d for d in range(ndim) if d not in batch and d not in contracted)


def _contract_infer(inputs, attrs):
    a, b = inputs
    ab, bb, ac, bc = (attrs[k] for k in ("batch_a", "batch_b", "contract_a", "contract_b"))
    assert a.dtype is b.dtype, inputs
    assert [a.shape[d] for d in ab] == [b.shape[d] for d in bb], (inputs, attrs)
    assert [a.shape[d] for d in ac] == [b.shape[d] for d in bc], (inputs, attrs)
    free_a, free_b = free_dims(a.ndim, ab, ac), free_dims(b.ndim, bb, bc)
    shape = (tuple(a.shape[d] for d in ab) + tuple(a.shape[d] for d in free_a)
             + tuple(b.shape[d] for d in free_b))
    return shape, a.dtype


def _contract(node, a, b):
    ab, bb, ac, bc = (node.attrs[k] for k in ("batch_a", "batch_b", "contract_a", "contract_b"))
    free_a, free_b = free_dims(a.ndim, ab, ac), free_dims(b.ndim, bb, bc)
    batch = [a.shape[d] for d in ab]
    m = int(np.prod([a.shape[d] for d in free_a], dtype=np.int64))
    n = int(np.prod([b.shape[d] for d in free_b], dtype=np.int64))
    k = int(np.prod([a.shape[d] for d in ac], dtype=np.int64))
    left = np.transpose(a, ab + free_a + ac).reshape(batch + [m, k])
    right = np.transpose(b, bb + bc + free_b).reshape(batch + [k, n])
    return np.matmul(left, right).reshape(node.shape)


def _contract_vjp(node, g):
    a, b = node.inputs
    ab, bb, ac, bc = (node.attrs[k] for k in ("batch_a", "batch_b", "contract_a", "contract_b"))
    free_a, free_b = free_dims(a.ndim, ab, ac), free_dims(b.ndim, bb, bc)
    nb, nfa, nfb = len(ab), len(free_a), len(free_b)
    lead = tuple(range(nb))
    ga = gb = None
    if a.requires_grad:   # g[batch, fa, fb] . b[batch, fb] -> [batch, fa, contracted dims of b]
        out = p.contract(g, _conj(b), batch_a=lead, batch_b=bb,
                         contract_a=tuple(range(nb + nfa, nb + nfa + nfb)), contract_b=free_b)
        # the contracted dims of b come out in ascending order of b's dims
        rest = sorted(range(len(bc)), key=lambda i: bc[i])
        produced = ab + free_a + tuple(ac[i] for i in rest)
        ga = _unpermute(out, produced)
    if b.requires_grad:   # a[batch, fa] . g[batch, fa, fb] -> [batch, contracted dims of a, fb]
        out = p.contract(_conj(a), g, batch_a=ab, batch_b=lead,
                         contract_a=free_a, contract_b=tuple(range(nb, nb + nfa)))
        rest = sorted(range(len(ac)), key=lambda i: ac[i])
        produced = bb + tuple(bc[i] for i in rest) + free_b
        gb = _unpermute(out, produced)
    return ga, gb


def _unpermute(node, produced):
    """Dimension i of `node` is dimension produced[i] of the result."""
    dims = [0] * len(produced)
    for i, d in enumerate(produced):
        dims[d] = i
    return node if dims == list(range(len(dims))) else p.permute(node, dims=tuple(dims))


# Sum of products over contract_a/contract_b, in step over batch_a/batch_b (tuples of dims).
# Output dims: batch, then a's free dims, then b's free dims, each in ascending order.
primitive("contract", "contract", _contract_infer, _contract, _contract_vjp)


# ---- convolve ------------------------------------------------------------------------------------


def window_extent(extent, size, stride, low, high, dilation, base=1):
    """How many windows of `size` fit: `base` spreads the input by base - 1 zeros."""
    spread = (extent - 1) * base + 1 if extent else 0
    reach = (size - 1) * dilation + 1
    return (spread + low + high - reach) // stride + 1


def _convolve_infer(inputs, attrs):
    x, w = inputs
    assert x.dtype is w.dtype and x.shape[1] == w.shape[1] * attrs["groups"], inputs
    spatial = tuple(window_extent(x.shape[2 + i], w.shape[2 + i], attrs["stride"][i],
                                  *attrs["padding"][i], attrs["dilation"][i],
                                  attrs["base_dilation"][i])
                    for i in range(x.ndim - 2))
    return (x.shape[0], w.shape[0]) + spatial, x.dtype


def _prepare(x, attrs):
    """x spread by base_dilation and zero-padded (negative padding cuts)."""
    n = x.ndim - 2
    base = attrs["base_dilation"]
    if any(b != 1 for b in base):
        shape = x.shape[:2] + tuple((e - 1) * b + 1 if e else 0
                                    for e, b in zip(x.shape[2:], base))
        spread = np.zeros(shape, x.dtype)
        spread[(slice(None), slice(None)) + tuple(slice(None, None, b) for b in base)] = x
        x = spread
    low = [max(0, a) for a, _ in attrs["padding"]]
    high = [max(0, b) for _, b in attrs["padding"]]
    x = np.pad(x, [(0, 0), (0, 0)] + list(zip(low, high)))
    cut = tuple(slice(max(0, -a), x.shape[2 + i] - max(0, -b))
                for i, (a, b) in enumerate(attrs["padding"]))
    return x[(slice(None), slice(None)) + cut] if n else x


def windows(x, size, stride, dilation, count):
    """A view (N, C, count…, size…) of the windows of x (N, C, spatial…)."""
    s = x.strides
    return np.lib.stride_tricks.as_strided(
        x, x.shape[:2] + tuple(count) + tuple(size),
        s[:2] + tuple(a * b for a, b in zip(s[2:], stride))
        + tuple(a * b for a, b in zip(s[2:], dilation)), writeable=False)


def _convolve(node, x, w):
    attrs, groups = node.attrs, node.attrs["groups"]
    x = np.ascontiguousarray(_prepare(x, attrs))
    count, size = node.shape[2:], w.shape[2:]
    view = windows(x, size, attrs["stride"], attrs["dilation"], count)
    n, taps = len(count), int(np.prod(w.shape[1:], dtype=np.int64))
    pixels = int(np.prod(count, dtype=np.int64))
    per, out = w.shape[0] // groups, np.empty(node.shape, x.dtype)
    for group in range(groups):
        cols = view[:, group * w.shape[1]:(group + 1) * w.shape[1]]
        cols = np.transpose(cols, (0, 1) + tuple(range(2 + n, 2 + 2 * n)) + tuple(range(2, 2 + n)))
        cols = cols.reshape(x.shape[0], taps, pixels)
        part = w[group * per:(group + 1) * per].reshape(per, taps) @ cols
        out[:, group * per:(group + 1) * per] = part.reshape((x.shape[0], per) + count)
    return out


def swap_groups(w, groups):
    """(O, I/g, …) -> (I, O/g, …): the weights of the transposed convolution."""
    if groups == 1:
        return p.permute(w, dims=(1, 0) + tuple(range(2, w.ndim)))
    o, i = w.shape[0] // groups, w.shape[1]
    parts = p.reshape(w, shape=(groups, o, i) + w.shape[2:])
    parts = p.permute(parts, dims=(0, 2, 1) + tuple(range(3, parts.ndim)))
    return p.reshape(parts, shape=(groups * i, o) + w.shape[2:])


def input_gradient(g, w, attrs, shape):
    """The gradient with respect to convolve's x: a convolution of g with flipped weights."""
    spatial = range(len(shape) - 2)
    flipped = p.flip(swap_groups(w, attrs["groups"]), dims=tuple(2 + i for i in spatial))
    padding = []
    for i in spatial:
        reach = (w.shape[2 + i] - 1) * attrs["dilation"][i] + 1
        extent = (shape[2 + i] - 1) * attrs["base_dilation"][i] + 1
        spread = (g.shape[2 + i] - 1) * attrs["stride"][i] + 1
        low = reach - 1 - attrs["padding"][i][0]
        padding.append((low, extent + reach - 1 - low - spread))
    return p.convolve(g, flipped, stride=attrs["base_dilation"], padding=tuple(padding),
                      dilation=attrs["dilation"], base_dilation=attrs["stride"],
                      groups=attrs["groups"])


def _convolve_vjp(node, g):
    x, w = node.inputs
    gx = input_gradient(g, w, node.attrs, x.shape) if x.requires_grad else None
    gw = (p.convolve_weight(x, g, size=w.shape[2:], **node.attrs) if w.requires_grad else None)
    return gx, gw


# attrs stride, padding ((low, high) per dim), dilation, base_dilation (zeros between the
# elements of x: > 1 in transposed convolutions), groups.
primitive("convolve", "contract", _convolve_infer, _convolve, _convolve_vjp)


def _convolve_weight_infer(inputs, attrs):
    x, g = inputs
    return (g.shape[1], x.shape[1] // attrs["groups"]) + tuple(attrs["size"]), x.dtype


def _convolve_weight(node, x, g):
    attrs, groups, size = node.attrs, node.attrs["groups"], node.attrs["size"]
    x = np.ascontiguousarray(_prepare(x, attrs))
    n, count = len(size), g.shape[2:]
    view = windows(x, size, attrs["stride"], attrs["dilation"], count)
    ci, co = x.shape[1] // groups, g.shape[1] // groups
    taps = ci * int(np.prod(size, dtype=np.int64))
    pixels = int(np.prod(count, dtype=np.int64))
    out = np.zeros(node.shape, x.dtype)
    for group in range(groups):
        cols = view[:, group * ci:(group + 1) * ci]
        cols = np.transpose(cols, (1,) + tuple(range(2 + n, 2 + 2 * n)) + (0,)
                            + tuple(range(2, 2 + n))).reshape(taps, x.shape[0] * pixels)
        dy = np.moveaxis(g[:, group * co:(group + 1) * co], 1, 0).reshape(co, -1)
        out[group * co:(group + 1) * co] = (dy @ cols.T).reshape((co, ci) + tuple(size))
    return out


def _convolve_weight_vjp(node, g):
    """Linear in x and in the output gradient: two more convolutions."""
    x, dy = node.inputs
    attrs = {k: v for k, v in node.attrs.items() if k != "size"}
    gx = input_gradient(dy, g, attrs, x.shape) if x.requires_grad else None
    gy = p.convolve(x, g, **attrs) if dy.requires_grad else None
    return gx, gy


# The gradient of convolve with respect to w, from x and the output gradient; attrs of convolve
# and size (the spatial extents of w).
primitive("convolve_weight", "contract", _convolve_weight_infer, _convolve_weight,
          _convolve_weight_vjp)
