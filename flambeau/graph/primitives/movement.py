"""Movement primitives: the elements of the output are elements of the input, elsewhere."""

from __future__ import annotations

import numpy as np

from ..ir import full_like, p, primitive

__all__: list[str] = []


# ---- permute, reshape, expand, flip -----------------------------------------------------------

primitive("permute", "movement",
          lambda inputs, attrs: (tuple(inputs[0].shape[d] for d in attrs["dims"]),
                                 inputs[0].dtype),
          lambda node, x: np.transpose(x, node.attrs["dims"]),
          lambda node, g: (p.permute(g, dims=_inverse(node.attrs["dims"])),))


def _inverse(dims):
    inverse = [0] * len(dims)
    for position, d in enumerate(dims):
        inverse[d] = position
    return tuple(inverse)


def _reshape_infer(inputs, attrs):
    total = 1
    for extent in attrs["shape"]:
        total *= extent
    assert total == inputs[0].numel, (inputs, attrs)
    return attrs["shape"], inputs[0].dtype


primitive("reshape", "movement", _reshape_infer,
          lambda node, x: np.reshape(x, node.attrs["shape"]),
          lambda node, g: (p.reshape(g, shape=node.inputs[0].shape),))


def _expand_infer(inputs, attrs):
    old, new = inputs[0].shape, attrs["shape"]
    assert len(old) == len(new) and all(o in (n, 1) for o, n in zip(old, new)), (old, new)
    return new, inputs[0].dtype


def _expand_vjp(node, g):
    old, new = node.inputs[0].shape, node.shape
    dims = tuple(d for d in range(len(new)) if old[d] != new[d])
    return (p.reshape(p.reduce_sum(g, dims=dims), shape=old),)


# From extents of 1 to other extents, the rank unchanged.
primitive("expand", "movement", _expand_infer,
          lambda node, x: np.broadcast_to(x, node.attrs["shape"]), _expand_vjp)

primitive("flip", "movement", lambda inputs, attrs: (inputs[0].shape, inputs[0].dtype),
          lambda node, x: np.flip(x, node.attrs["dims"]),
          lambda node, g: (p.flip(g, dims=node.attrs["dims"]),))


# ---- slice and pad ----------------------------------------------------------------------------


def _slice_infer(inputs, attrs):
    shape = []
    for extent, start, stop, step in zip(inputs[0].shape, attrs["starts"], attrs["stops"],
                                         attrs["steps"]):
        assert 0 <= start <= extent and start <= stop <= extent and step >= 1, (inputs, attrs)
        shape.append((stop - start + step - 1) // step)
    return tuple(shape), inputs[0].dtype


def _slice_vjp(node, g):
    low, high, interior = [], [], []
    for extent, start, step, count in zip(node.inputs[0].shape, node.attrs["starts"],
                                          node.attrs["steps"], node.shape):
        used = (count - 1) * step + 1 if count else 0
        low.append(start)
        interior.append(step - 1)
        high.append(extent - start - used)
    return (p.pad(g, low=tuple(low), high=tuple(high), interior=tuple(interior), value=0),)


# Per dimension start (inclusive), stop (exclusive), step >= 1.
primitive("slice", "movement", _slice_infer,
          lambda node, x: x[tuple(slice(a, b, s) for a, b, s in zip(
              node.attrs["starts"], node.attrs["stops"], node.attrs["steps"]))], _slice_vjp)


def _pad_infer(inputs, attrs):
    shape = []
    for extent, low, high, interior in zip(inputs[0].shape, attrs["low"], attrs["high"],
                                           attrs["interior"]):
        inner = extent + max(extent - 1, 0) * interior
        shape.append(low + inner + high)
        assert shape[-1] >= 0, (inputs, attrs)
    return tuple(shape), inputs[0].dtype


def _pad(node, x):
    out = np.full(node.shape, node.attrs["value"], dtype=x.dtype)
    source, target = [], []
    for extent, low, interior, total in zip(x.shape, node.attrs["low"], node.attrs["interior"],
                                            node.shape):
        step = interior + 1
        first = -(-max(0, -low) // step)            # the first element that is kept
        place = low + first * step
        count = max(0, min(extent - first, -(-(total - place) // step)))
        source.append(slice(first, first + count))
        target.append(slice(place, place + count * step, step) if count else slice(0, 0))
    out[tuple(target)] = x[tuple(source)]
    return out


def _pad_vjp(node, g):
    starts, stops, steps, missing = [], [], [], False
    for low, high, interior, total in zip(node.attrs["low"], node.attrs["high"],
                                          node.attrs["interior"], node.shape):
        missing = missing or low < 0 or high < 0
        starts.append(low)
        stops.append(total - high)
        steps.append(interior + 1)
    if not missing:
        return (p.slice(g, starts=tuple(starts), stops=tuple(stops), steps=tuple(steps)),)
    # Negative padding cut elements off: grow the gradient back first.
    low, high = node.attrs["low"], node.attrs["high"]
    zeros = (0,) * g.ndim
    grown = p.pad(g, low=tuple(max(0, -a) for a in low), high=tuple(max(0, -a) for a in high),
                  interior=zeros, value=0)
    starts = tuple(max(0, a) for a in low)
    stops = tuple(n - max(0, b) for n, b in zip(grown.shape, high))
    return (p.slice(grown, starts=starts, stops=stops, steps=tuple(steps)),)


# low and high elements of the number `value` around, `interior` between neighbours; negative
# low and high cut elements off.
primitive("pad", "movement", _pad_infer, _pad, _pad_vjp)


# ---- concatenate ------------------------------------------------------------------------------


def _concatenate_infer(inputs, attrs):
    dim = attrs["dim"]
    shape = list(inputs[0].shape)
    shape[dim] = sum(i.shape[dim] for i in inputs)
    assert len({i.dtype for i in inputs}) == 1, inputs
    return tuple(shape), inputs[0].dtype


def _concatenate_vjp(node, g):
    dim, begin, grads = node.attrs["dim"], 0, []
    for i in node.inputs:
        end = begin + i.shape[dim]
        grads.append(slice_dim(g, dim, begin, end) if i.requires_grad else None)
        begin = end
    return tuple(grads)


primitive("concatenate", "movement", _concatenate_infer,
          lambda node, *arrays: np.concatenate(arrays, node.attrs["dim"]), _concatenate_vjp)


def slice_dim(node, dim: int, start: int, stop: int, step: int = 1):
    """`node` cut along one dimension."""
    if (start, stop, step) == (0, node.shape[dim], 1):
        return node
    starts, stops, steps = [0] * node.ndim, list(node.shape), [1] * node.ndim
    starts[dim], stops[dim], steps[dim] = start, stop, step
    return p.slice(node, starts=tuple(starts), stops=tuple(stops), steps=tuple(steps))


# ---- strided windows onto the elements of a contiguous value ------------------------------------


def _strided(array, attrs):
    flat = np.ascontiguousarray(array).reshape(-1)
    return np.lib.stride_tricks.as_strided(
        flat[attrs["offset"]:], attrs["shape"],
        tuple(s * flat.itemsize for s in attrs["strides"]), writeable=False)


# x seen through (shape, strides, offset), counted in elements of x's row-major order.
primitive("as_strided", "movement", lambda inputs, attrs: (attrs["shape"], inputs[0].dtype),
          lambda node, x: _strided(x, node.attrs),
          lambda node, g: (p.as_strided_scatter(
              full_like(node.inputs[0], 0), g, mode="add", **node.attrs),))


def _as_strided_scatter(node, x, new):
    out = np.array(x).reshape(-1)
    place = _strided(np.arange(out.size), node.attrs)
    if node.attrs["mode"] == "add":
        np.add.at(out, place, new)
    else:
        out[place] = new
    return out.reshape(x.shape)


def _as_strided_scatter_vjp(node, g):
    where = {k: node.attrs[k] for k in ("shape", "strides", "offset")}
    gnew = p.as_strided(g, **where)
    if node.attrs["mode"] == "add":
        return g, gnew
    return p.as_strided_scatter(g, full_like(gnew, 0), mode="set", **where), gnew


primitive("as_strided_scatter", "index",
          lambda inputs, attrs: (inputs[0].shape, inputs[0].dtype),
          _as_strided_scatter, _as_strided_scatter_vjp)
