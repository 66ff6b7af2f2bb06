"""Pooling windows over the last n dimensions of x (leading dimensions…, spatial…).

attrs of all: size, stride, padding ((low, high) per dim), dilation: tuples of length n.
"""

from __future__ import annotations

import numpy as np

from ... import dtypes
from ..ir import p, primitive
from .contract import window_extent

__all__: list[str] = []


def _windowed_shape(x, attrs):
    n = len(attrs["size"])
    lead = x.shape[:x.ndim - n]
    return lead + tuple(
        window_extent(x.shape[x.ndim - n + i], attrs["size"][i], attrs["stride"][i],
                      *attrs["padding"][i], attrs["dilation"][i]) for i in range(n))


def _padded(x, attrs, value):
    n = len(attrs["size"])
    widths = [(0, 0)] * (x.ndim - n) + [(max(0, a), max(0, b)) for a, b in attrs["padding"]]
    return np.pad(x, widths, constant_values=value)


def _view(x, attrs, count):
    n = len(count)
    s = x.strides
    return np.lib.stride_tricks.as_strided(
        x, x.shape[:-n] + tuple(count) + tuple(attrs["size"]),
        s[:-n] + tuple(a * b for a, b in zip(s[-n:], attrs["stride"]))
        + tuple(a * b for a, b in zip(s[-n:], attrs["dilation"])), writeable=False)


def _lowest(dtype):
    return -np.inf if dtype.kind == "f" else np.iinfo(dtype).min


def _flat_index(node, x):
    """Per window, the place of its first maximum in the flattened spatial extents of x."""
    attrs, n = node.attrs, len(node.attrs["size"])
    count, spatial = node.shape[-n:], x.shape[-n:]
    view = _view(_padded(x, attrs, _lowest(x.dtype)), attrs, count)
    flat = view.reshape(view.shape[:-n] + (-1,))
    if flat.dtype.kind == "f":
        # a NaN in the window is its maximum; a window of -inf alone takes its first real element
        valid = _view(_padded(np.ones((1,) * (x.ndim - n) + spatial, bool), attrs, False), attrs,
                      count).reshape((1,) * (x.ndim - n) + tuple(count) + (-1,))
        rank = np.where(np.isnan(flat), np.inf, flat)
        best = np.argmax(np.where(valid, rank, -np.inf), -1)
        first = np.argmax(valid, -1)
        lost = np.take_along_axis(np.broadcast_to(valid, flat.shape), best[..., None],
                                  -1)[..., 0]
        best = np.where(lost, best, first)
    else:
        best = np.argmax(flat, -1)
    offsets = np.unravel_index(best, attrs["size"])
    index = np.zeros(best.shape, np.int64)
    for i in range(n):
        start = np.arange(count[i]) * attrs["stride"][i] - attrs["padding"][i][0]
        start = start.reshape((-1,) + (1,) * (n - 1 - i))
        index = index * spatial[i] + start + offsets[i] * attrs["dilation"][i]
    return index


def _max_pool(node, x):
    n = len(node.attrs["size"])
    view = _view(_padded(x, node.attrs, _lowest(x.dtype)), node.attrs, node.shape[-n:])
    return view.max(axis=tuple(range(-n, 0)))


def _max_pool_vjp(node, g):
    x = node.inputs[0]
    return (p.max_pool_gradient(x, g, **node.attrs),)


primitive("max_pool", "window", lambda inputs, attrs: (_windowed_shape(inputs[0], attrs),
                                                       inputs[0].dtype),
          _max_pool, _max_pool_vjp)
# The flat spatial index of each window's maximum, int64, as PyTorch's return_indices.
primitive("max_pool_index", "window",
          lambda inputs, attrs: (_windowed_shape(inputs[0], attrs), dtypes.int64), _flat_index)


def _max_pool_gradient(node, x, g):
    n = len(node.attrs["size"])
    index = _flat_index(_Windowed(node, g.shape), x)
    lead = x.shape[:-n]
    rows = int(np.prod(lead, dtype=np.int64))
    plane = int(np.prod(x.shape[-n:], dtype=np.int64))
    place = (np.arange(rows)[:, None] * plane + index.reshape(rows, -1)).reshape(-1)
    out = np.bincount(place, g.reshape(-1), minlength=rows * plane)
    return out.reshape(x.shape).astype(x.dtype)


class _Windowed:
    """A node's attributes with the shape of its pooled side."""

    def __init__(self, node, shape):
        self.attrs, self.shape = node.attrs, shape


def _max_pool_gradient_vjp(node, g):
    """Linear in the output gradient: read the second gradient at the maxima."""
    x, dy = node.inputs
    n = len(node.attrs["size"])
    index = p.max_pool_index(x, **node.attrs)
    lead = x.shape[:-n]
    plane = 1
    for extent in x.shape[-n:]:
        plane *= extent
    count = 1
    for extent in dy.shape[-n:]:
        count *= extent
    flat = p.reshape(g, shape=lead + (plane,))
    at = p.gather(flat, p.reshape(index, shape=lead + (count,)), dim=len(lead), message="")
    return None, p.reshape(at, shape=dy.shape)


# The gradient of max_pool from x and the output gradient: goes to each window's first maximum.
primitive("max_pool_gradient", "window", lambda inputs, attrs: (inputs[0].shape,
                                                                inputs[0].dtype),
          _max_pool_gradient, _max_pool_gradient_vjp)


def _sum_pool(node, x):
    n = len(node.attrs["size"])
    view = _view(_padded(x, node.attrs, 0), node.attrs, node.shape[-n:])
    return view.sum(axis=tuple(range(-n, 0)), dtype=x.dtype)


primitive("sum_pool", "window", lambda inputs, attrs: (_windowed_shape(inputs[0], attrs),
                                                       inputs[0].dtype),
          _sum_pool, lambda node, g: (p.sum_pool_gradient(
              g, shape=node.inputs[0].shape, **node.attrs),))


def _sum_pool_gradient(node, g):
    attrs = node.attrs
    n = len(attrs["size"])
    shape = node.shape
    widths = [e + max(0, a) + max(0, b) for e, (a, b) in zip(shape[-n:], attrs["padding"])]
    out = np.zeros(shape[:-n] + tuple(widths), g.dtype)
    for tap in np.ndindex(*attrs["size"]):
        place = tuple(slice(t * d, t * d + (c - 1) * s + 1, s) for t, d, s, c in zip(
            tap, attrs["dilation"], attrs["stride"], g.shape[-n:]))
        out[(Ellipsis,) + place] += g
    cut = tuple(slice(a, a + e) for (a, _), e in zip(attrs["padding"], shape[-n:]))
    return out[(Ellipsis,) + cut]


# attrs of sum_pool and shape, the shape of x.
primitive("sum_pool_gradient", "window", lambda inputs, attrs: (attrs["shape"], inputs[0].dtype),
          _sum_pool_gradient, lambda node, g: (p.sum_pool(
              g, **{k: v for k, v in node.attrs.items() if k != "shape"}),))
