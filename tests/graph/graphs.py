"""Random graphs for the tests of the passes, the interpreter and the compiler."""

from __future__ import annotations

import numpy as np

import flambeau.graph.primitives  # noqa: F401
from flambeau import dtypes
from flambeau.graph.interpret import round_to_bfloat16
from flambeau.graph.ir import Node, expand_to, full, iota, p
from flambeau.runtime.buffer import Buffer

FLOATS = (dtypes.float32, dtypes.float64, dtypes.float16, dtypes.bfloat16)
INTEGERS = (dtypes.int64, dtypes.int32, dtypes.int16, dtypes.int8, dtypes.uint8)
TOLERANCE = {"float32": 2e-5, "float64": 1e-12, "float16": 4e-3, "bfloat16": 3e-2}


def input_node(index, shape, dtype=dtypes.float32) -> Node:
    return p.input(index=index, shape=tuple(shape), dtype=dtype)


def scalar_node(index, dtype=dtypes.float32) -> Node:
    return p.scalar(index=index, shape=(), dtype=dtype)


def array_for(node: Node, rng) -> np.ndarray:
    """Random contents of an input, as it lies in memory."""
    if node.dtype.category == 2:
        values = rng.standard_normal(node.shape).astype(np.float32)
        if node.dtype is dtypes.bfloat16:
            return round_to_bfloat16(values)
        return values.astype(node.dtype.storage)
    if node.dtype is dtypes.bool_:
        return rng.integers(0, 2, node.shape).astype(bool)
    low = 0 if not node.dtype.is_signed else -5
    return rng.integers(low, 9, node.shape).astype(node.dtype.storage)


def run_compiled(executable, outputs, arrays, scalars=()):
    """The outputs as arrays; the inputs are copied, so that donation shows nowhere else."""
    buffers = []
    for array in arrays:
        buffer = Buffer(max(1, array.nbytes))
        buffer.array(array.dtype, array.shape)[...] = array
        buffers.append(buffer)
    results = executable.run(buffers, scalars)
    return [np.array(r.array(o.dtype.storage, o.shape)) for r, o in zip(results, outputs)]


def assert_same(got, expected, node, scale=1.0):
    """Equal to the tolerance of the node's dtype; NaN where NaN is expected."""
    assert got.shape == expected.shape and got.dtype == expected.dtype
    if node.dtype.category < 2:
        np.testing.assert_array_equal(got, expected, err_msg=repr(node))
        return
    if node.dtype is dtypes.bfloat16:
        got, expected = ((a.astype(np.uint32) << 16).view(np.float32) for a in (got, expected))
    tolerance = TOLERANCE[node.dtype.name] * scale
    np.testing.assert_allclose(got.astype(np.float64), expected.astype(np.float64),
                               rtol=tolerance, atol=tolerance, err_msg=repr(node))


def spread(node: Node, like: Node, dims) -> Node:
    """A reduction of `like` over `dims`, repeated along them."""
    shape = tuple(1 if d in dims else e for d, e in enumerate(like.shape))
    return expand_to(p.reshape(node, shape=shape), like.shape)


# ---- random graphs ------------------------------------------------------------------------------

_UNARY = ("neg", "abs", "sqrt", "exp", "tanh", "sign", "floor", "round", "sigmoid", "rsqrt")
_BINARY = ("add", "sub", "mul", "maximum", "minimum", "div")
_COMPARE = ("eq", "ne", "lt", "le", "gt", "ge")


class RandomGraph:
    """Grows a graph from the choices of `draw(sequence)`, keeping values of moderate size."""

    def __init__(self, choose, inputs, scalars=()):
        self.choose = choose
        self.nodes: list[Node] = list(inputs)
        self.scalars = list(scalars)

    def number(self, low, high):
        return self.choose(range(low, high + 1))

    def grow(self, steps):
        for _ in range(steps):
            source = self.choose(self.nodes[-6:])
            kind = self.choose(("pointwise", "pointwise", "pointwise", "movement", "movement",
                                "reduce", "row"))
            new = getattr(self, "_" + kind)(source)
            if new is not None and new.numel <= 40_000:
                self.nodes.append(new)
        return self

    def _partner(self, node):
        """Another value of the same type and shape, broadcast where it can be."""
        same = [n for n in self.nodes if n.dtype is node.dtype and n.shape == node.shape]
        wide = [n for n in self.nodes if n.dtype is node.dtype and n.shape != node.shape
                and n.ndim <= node.ndim and all(a in (1, b) for a, b in zip(
                    n.shape[::-1], node.shape[::-1]))]
        scalars = [s for s in self.scalars if s.dtype is node.dtype]
        options = same + wide + scalars + [full(node.shape, self.choose((0, 1, 3)), node.dtype)]
        return expand_to(self.choose(options), node.shape)

    def _pointwise(self, node):
        dtype = node.dtype
        what = self.choose(("unary", "binary", "binary", "compare", "cast", "where"))
        if what == "unary" and dtype.category == 2:
            op = self.choose(_UNARY)
            if op in ("sqrt", "rsqrt"):
                node = p.add(p.abs(node), full(node.shape, 0.5, dtype))
            elif op == "exp":
                node = p.minimum(node, full(node.shape, 3, dtype))
            return getattr(p, op)(node)
        if what == "unary" and dtype is dtypes.bool_:
            return p.logical_not(node)
        if what in ("unary", "binary"):
            op = self.choose(_BINARY)
            if dtype is dtypes.bool_:
                op = self.choose(("add", "mul", "maximum", "minimum", "bitwise_xor"))
            elif op == "div":
                if dtype.category != 2:
                    op = "mul"
                else:
                    other = p.add(p.abs(self._partner(node)), full(node.shape, 1, dtype))
                    return p.div(node, other)
            result = getattr(p, op)(node, self._partner(node))
            if op == "mul" and dtype.category == 2:     # bounded, so that nothing overflows
                result = p.maximum(p.minimum(result, full(node.shape, 8, dtype)),
                                   full(node.shape, -8, dtype))
            return result
        if what == "compare":
            return getattr(p, self.choose(_COMPARE))(node, self._partner(node))
        if what == "cast":
            target = self.choose((dtypes.float32, dtypes.float64, dtypes.int64, dtypes.int32,
                                  dtypes.bool_, dtypes.bfloat16, dtypes.float16))
            return p.cast(node, dtype=target) if target is not dtype else None
        other = self._partner(node)
        masks = [n for n in self.nodes if n.dtype is dtypes.bool_ and n.shape == node.shape]
        mask = self.choose(masks) if masks else p.gt(node, other)
        return p.where(mask, node, other)

    def _movement(self, node):
        what = self.choose(("permute", "reshape", "expand", "slice", "flip", "pad", "merge",
                            "concatenate"))
        if what == "permute" and node.ndim > 1:
            dims = list(range(node.ndim))
            a, b = self.number(0, node.ndim - 1), self.number(0, node.ndim - 1)
            dims[a], dims[b] = dims[b], dims[a]
            return p.permute(node, dims=tuple(dims))
        if what == "reshape" and node.numel:
            extent = self.choose([d for d in (1, 2, 3, 4, 5, 6, 8) if node.numel % d == 0])
            return p.reshape(node, shape=(extent, node.numel // extent))
        if what == "merge" and node.ndim > 1 and node.numel:
            shape = (node.shape[0] * node.shape[1],) + node.shape[2:]
            return p.reshape(node, shape=shape)
        if what == "expand" and node.ndim:
            node = p.reshape(node, shape=node.shape[:-1] + (1,) + node.shape[-1:])
            shape = node.shape[:-2] + (self.number(1, 4),) + node.shape[-1:]
            return p.expand(node, shape=shape)
        if what == "slice" and node.ndim:
            starts, stops, steps = [], [], []
            for extent in node.shape:
                start = self.number(0, min(2, extent))
                starts.append(start)
                stops.append(max(start, extent - self.number(0, 1)))
                steps.append(self.number(1, 2))
            return p.slice(node, starts=tuple(starts), stops=tuple(stops), steps=tuple(steps))
        if what == "flip" and node.ndim:
            return p.flip(node, dims=(self.number(0, node.ndim - 1),))
        if what == "pad" and node.ndim:
            low = tuple(self.number(-1, 2) if e > 3 else self.number(0, 2) for e in node.shape)
            high = tuple(self.number(0, 2) for _ in node.shape)
            interior = tuple(self.choose((0, 0, 0, 1)) for _ in node.shape)
            return p.pad(node, low=low, high=high, interior=interior,
                         value=self.choose((0, 1)))
        if what == "concatenate" and node.ndim:
            other = self._partner(node)
            return p.concatenate(node, other, dim=self.number(0, node.ndim - 1))
        return None

    def _dims(self, node):
        if not node.ndim:
            return ()
        first = self.number(0, node.ndim - 1)
        second = self.number(0, node.ndim - 1)
        return tuple(sorted({first, second}))

    def _reduce(self, node):
        dims = self._dims(node)
        if not node.ndim:
            return None
        if self.choose((0, 0, 0, 0, 1)) and node.shape[dims[0]] > 0:
            return getattr(p, self.choose(("argmax", "argmin")))(node, dim=dims[0])
        if node.dtype is dtypes.bool_:
            return getattr(p, self.choose(("reduce_any", "reduce_all")))(node, dims=dims)
        ops = ["reduce_sum", "reduce_sum"]
        if all(node.shape[d] for d in dims):
            ops += ["reduce_max", "reduce_min"]
        return getattr(p, self.choose(ops))(node, dims=dims)

    def _row(self, node):
        """A softmax or a normalisation: reductions whose results meet their rows again."""
        if node.dtype not in FLOATS or not node.ndim or not node.numel:
            return None
        dims = self._dims(node)
        top = p.reduce_max(node, dims=dims)
        shifted = p.sub(node, spread(top, node, dims))
        powers = p.exp(shifted)
        total = p.reduce_sum(powers, dims=dims)
        return p.div(powers, spread(total, node, dims))


def pick_outputs(choose, nodes):
    """Some of the nodes, the last among them."""
    chosen = [n for n in nodes if choose((True, False, False))]
    return list(dict.fromkeys(chosen + [nodes[-1]]))


__all__ = ["FLOATS", "INTEGERS", "RandomGraph", "array_for", "assert_same", "input_node", "iota",
           "pick_outputs", "run_compiled", "scalar_node", "spread"]
