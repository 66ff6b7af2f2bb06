"""Reading and writing at computed places. Indices are int64 and count from the front.

Out-of-range indices raise IndexError when the program runs; the message names the user's line.
"""

from __future__ import annotations

import numpy as np

from ..ir import full_like, p, primitive

__all__: list[str] = []


_OUTSIDE = "index {bad} is out of bounds for dimension {dim} with size {extent}"
# attribute "message" -> the exception and its text: PyTorch's operations differ in them
_OUT_OF_RANGE = {
    "": (IndexError, _OUTSIDE),
    "along": (RuntimeError, _OUTSIDE),
    "index_copy": (IndexError, f"index_copy_(): {_OUTSIDE}"),
    "embedding": (IndexError, "index out of range in self: index {bad} in a table of {extent} "
                              "rows"),
    "select": (IndexError, "index out of range in self: index {bad} for dimension {dim} with size "
                           "{extent}"),
    "take": (IndexError, "out of range: tried to access index {wrapped} on a tensor of {extent} "
                         "elements."),
    "target": (IndexError, "Target {bad} is out of bounds: there are {extent} classes"),
    "probability": (RuntimeError, "all elements of input should be between 0 and 1: apply a "
                                  "sigmoid, or use binary_cross_entropy_with_logits"),
    "variance": (ValueError, "var has negative entry/entries"),
    "bag": (RuntimeError, "Index {place} of input takes value {bad} which is not in the valid "
                          "range [0, {extent})"),
    "maximum of bag": (RuntimeError, "embedding_bag: Expected idx >= 0 && idx < num_embeddings but "
                                     "found idx to be {bad}"),
}


def _check_range(node, index, extent):
    if index.size and (index.min() < 0 or index.max() >= extent):
        bad = index[(index < 0) | (index >= extent)].flat[0]
        where = f" (line {node.site[1]} of {node.site[0]})" if node.site else ""
        kind, text = _OUT_OF_RANGE[node.attrs.get("message", "")]
        raise kind(text.format(bad=int(bad), extent=extent, dim=node.attrs["dim"],
                               place=int(np.flatnonzero(index == bad)[0]),
                               wrapped=int(bad) - extent if bad < 0 else int(bad)) + where)


# ---- conditions ----------------------------------------------------------------------------------


def _within(node, x):
    _check_range(node, x, 1)
    return np.array(x)


# An int64 that is 0 everywhere; the program fails where it is not, as for an index into one
# element. attrs dim (0) and message.
primitive("within", "pointwise", lambda inputs, attrs: (inputs[0].shape, inputs[0].dtype), _within,
          lambda node, g: (None,))


# ---- take and put: whole slices along one dimension ---------------------------------------------


def _take_infer(inputs, attrs):
    x, index = inputs
    dim = attrs["dim"]
    return x.shape[:dim] + index.shape + x.shape[dim + 1:], x.dtype


def _take(node, x, index):
    _check_range(node, index, x.shape[node.attrs["dim"]])
    return np.take(x, index, node.attrs["dim"])


# out[a, i…, b] = x[a, index[i…], b]. attrs dim, message ("", "embedding", "target").
primitive("take", "index", _take_infer, _take, lambda node, g: (
    p.put(full_like(node.inputs[0], 0), node.inputs[1], g, mode="add", **node.attrs), None))


def _put(node, x, index, values):
    dim = node.attrs["dim"]
    _check_range(node, index, x.shape[dim])
    out = np.array(x)
    place = (slice(None),) * dim + (index,)
    if node.attrs["mode"] == "add":
        _add_at(out, dim, index, values)
    else:
        out[place] = values
    return out


def _add_at(out, dim, index, values):
    """out[…, index, …] += values, repeats included (np.add.at is slow: sort and add segments)."""
    flat = index.reshape(-1)
    lead, tail = out.shape[:dim], out.shape[dim + 1:]
    values = values.reshape(lead + (flat.size,) + tail)
    if flat.size == 0:
        return
    order = np.argsort(flat, kind="stable")
    ordered = flat[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    sums = np.add.reduceat(np.take(values, order, dim), starts, axis=dim)
    out[(slice(None),) * dim + (ordered[starts],)] += sums.astype(out.dtype)


def _put_vjp(node, g):
    x, index, values = node.inputs
    attrs = {k: v for k, v in node.attrs.items() if k != "mode"}
    taken = p.take(g, index, **attrs)
    if node.attrs["mode"] == "add":
        return g, None, taken
    gx = p.put(g, index, full_like(values, 0), mode="set", **attrs)
    return gx if x.requires_grad else None, None, taken if values.requires_grad else None


# x with out[a, index[i…], b] set to (or increased by) values[a, i…, b]; mode "set" or "add".
# With repeated indices "set" keeps the last.
primitive("put", "index", lambda inputs, attrs: (inputs[0].shape, inputs[0].dtype),
          _put, _put_vjp)


# ---- gather and scatter: single elements along one dimension ------------------------------------


def _grid(node, index):
    """The index arrays that address x at `index` along dim and in place along the others."""
    places = list(np.indices(index.shape, sparse=True))
    places[node.attrs["dim"]] = index
    return tuple(places)


def _gather(node, x, index):
    _check_range(node, index, x.shape[node.attrs["dim"]])
    return x[_grid(node, index)]


# out[i, j, k] = x[i, index[i, j, k], k] for dim = 1; index may be smaller than x elsewhere.
primitive("gather", "index", lambda inputs, attrs: (inputs[1].shape, inputs[0].dtype), _gather,
          lambda node, g: (p.scatter(full_like(node.inputs[0], 0), node.inputs[1], g,
                                     mode="add", **node.attrs), None))

_REDUCERS = {"mul": np.multiply, "max": np.maximum, "min": np.minimum, "add": np.add}


def _scatter(node, x, index, values):
    _check_range(node, index, x.shape[node.attrs["dim"]])
    out = np.array(x)
    place = _grid(node, index)
    values = values[tuple(slice(0, e) for e in index.shape)]
    if node.attrs["mode"] == "set":
        out[place] = values
    else:
        _REDUCERS[node.attrs["mode"]].at(out, place, values)
    return out


def _scatter_vjp(node, g):
    x, index, values = node.inputs
    dim, mode = node.attrs["dim"], node.attrs["mode"]
    message = node.attrs["message"]
    if mode == "add":
        return g, None, p.gather(g, index, dim=dim, message=message)
    if mode == "set":
        zeros = full_like(values, 0)
        gx = p.scatter(g, index, zeros, dim=dim, mode="set", message=message)
        return gx, None, p.gather(g, index, dim=dim, message=message)
    if mode == "mul":
        return _scatter_product_vjp(node, g)
    # max and min: shared equally among those that attain the result
    at = p.gather(node, index, dim=dim, message=message)
    hit_x = p.cast(p.eq(x, node), dtype=g.dtype)
    hit_v = p.cast(p.eq(values, at), dtype=g.dtype)
    count = p.scatter(hit_x, index, hit_v, dim=dim, mode="add", message=message)
    share = p.div(g, count)
    return (p.mul(share, hit_x), None,
            p.mul(p.gather(share, index, dim=dim, message=message), hit_v))


def _scatter_product_vjp(node, g):
    """The product of the other factors: all nonzero ones where none or one factor is zero."""
    x, index, values = node.inputs
    at = {"dim": node.attrs["dim"], "message": node.attrs["message"]}

    def zeros(n):
        return p.eq(n, full_like(n, 0))

    def share(n, zero, count, product):
        others = p.where(zero, product, p.div(product, p.where(zero, full_like(n, 1), n)))
        own = p.cast(zero, dtype=count.dtype)
        return p.where(p.eq(count, own), others, full_like(n, 0))

    zero_x, zero_v = zeros(x), zeros(values)
    count = p.scatter(p.cast(zero_x, dtype=x.dtype), index, p.cast(zero_v, dtype=x.dtype),
                      mode="add", **at)
    product = p.scatter(p.where(zero_x, full_like(x, 1), x), index,
                        p.where(zero_v, full_like(values, 1), values), mode="mul", **at)
    gx = p.mul(g, share(x, zero_x, count, product))
    gv = p.mul(p.gather(g, index, **at),
               share(values, zero_v, p.gather(count, index, **at), p.gather(product, index, **at)))
    return gx, None, gv


# x with out[i, index[i, j, k], k] set to, or combined by mode with, values[i, j, k] (dim = 1).
# mode "set", "add", "mul", "max", "min"; values has the shape of index.
primitive("scatter", "index", lambda inputs, attrs: (inputs[0].shape, inputs[0].dtype),
          _scatter, _scatter_vjp)
