"""Takes what does not vary out of sums, so that several sums of the same values become one.

Between `eliminate_common` passes. The gradients of a normalisation, derived rule by rule, sum the
same two products up to four times: with g the gradient, c the centred values and w, r the weight
and the inverse deviation of a channel, they are sum(g), sum(g * c * r), sum(g * w * c) and
sum(g * w * r + 2 v c). Written as multiples of sum(g) and sum(g * c), with sum(c) = 0, two remain,
which one kernel makes from one pass over memory (ResNet-50's BatchNorm: 4 passes before).

A sum is split into several only if all of these are computed anyway.
"""

from __future__ import annotations

import collections

from ..ir import Node, building, p, topological_order
from .simplify import rebuild, splat_value

__all__ = ["factor_sums", "mean_of", "unspread"]

MAX_TERMS = 8
_FLOATS = ("float32", "float64")


def factor_sums(outputs: list[Node]) -> list[Node]:
    """The outputs of an equivalent graph whose sums share their passes over memory."""
    order = topological_order(outputs)
    number = {node: i for i, node in enumerate(order)}
    sums = {node: _Sum(node, number) for node in order
            if node.op == "reduce_sum" and node.dtype.name in _FLOATS and node.numel
            and node.inputs[0].numel != node.numel}
    known = collections.Counter(key for one in sums.values() for key in one.keys())
    chosen = {node: one for node, one in sums.items() if one.pays(known)}
    if not chosen:
        return outputs
    new: dict[Node, Node] = {}
    made: dict[tuple, Node] = {}
    before = building.site, building.scope, building.grad_enabled
    building.grad_enabled = False
    try:
        for node in order:
            building.site, building.scope = node.site, node.scope
            inputs = tuple([new[i] for i in node.inputs])
            if node in chosen:
                new[node] = chosen[node].build(new, made)
            else:
                changed = any(a is not b for a, b in zip(inputs, node.inputs))
                new[node] = rebuild(node, inputs) if changed else node
    finally:
        building.site, building.scope, building.grad_enabled = before
    return [new[o] for o in outputs]


class _Sum:
    """A sum as a combination of sums: terms maps what is summed to [(sign, coefficients)].

    What is summed is the dimensions and the factors that vary along them, in the order of the
    graph; coefficients are (whether it divides, node) of nodes that do not vary.
    """

    def __init__(self, node: Node, number):
        self.node, self.number = node, number
        self.dims = node.attrs["dims"]
        self.terms: dict[tuple, list] = {}
        self.factored = False
        self._add(node.inputs[0], 1, ())

    def _add(self, value, sign, coefficients):
        """Adds a summand, if there are not too many yet."""
        if sum(map(len, self.terms.values())) >= MAX_TERMS:
            self._add_product([value], sign, coefficients)
            return
        if value.op == "neg":
            self.factored = True
            self._add(value.inputs[0], -sign, coefficients)
        elif value.op in ("add", "sub") and not self._is_centred(value):
            a, b = value.inputs
            self._add(a, sign, coefficients)
            self._add(b, -sign if value.op == "sub" else sign, coefficients)
        else:
            varying: list[Node] = []
            constant = list(coefficients)
            _factors(value, self.dims, False, varying, constant)
            if len(varying) == 1 and varying[0] is not value:
                self.factored = True
                self._add(varying[0], sign, tuple(constant))
            else:
                self._add_product(varying, sign, tuple(constant))

    def _add_product(self, varying, sign, coefficients):
        if coefficients:
            self.factored = True
        if len(varying) == 1 and self._is_centred(varying[0]):
            self.factored = True
            return
        key = self.dims, tuple(sorted(varying, key=self.number.__getitem__))
        self.terms.setdefault(key, []).append((sign, coefficients))

    def _is_centred(self, value):
        """Whether this is x - mean(x) over the same dimensions, whose sum is zero."""
        if value.op != "sub":
            return False
        x, average = value.inputs
        average = unspread(average, self.dims)
        while average is not None and average.op == "reshape":
            average = average.inputs[0]
        return average is not None and mean_of(average, self.dims) is x

    def keys(self):
        """What is summed if the sum stays as it is, or becomes a multiple of another."""
        return self.terms if len(self.terms) == 1 else ((self.dims, (self.node.inputs[0],)),)

    def pays(self, known):
        """Whether the combination is cheaper than the sum as it stands.

        known: how many sums are of what.
        """
        if any(not varying for _, varying in self.terms):
            return False
        if len(self.terms) == 1 and not self.factored:
            return all(len(key[1]) > 1 and known[key] > 1 for key in self.terms)
        return len(self.terms) <= 1 or all(known[key] for key in self.terms)

    def build(self, new, made):
        """The nodes of the combination."""
        shape, dtype = self.node.shape, self.node.dtype
        total = None
        for key, parts in self.terms.items():
            if key not in made:
                product, *others = (new[f] for f in key[1])
                for other in others:
                    product = p.mul(product, other)
                made[key] = p.reduce_sum(product, dims=self.dims)
            for sign, coefficients in parts:
                term = made[key]
                for divides, node in coefficients:
                    factor = _as_shape(new[node], self.dims, shape)
                    term = (p.div if divides else p.mul)(term, factor)
                if total is None:
                    total = p.neg(term) if sign < 0 else term
                else:
                    total = (p.sub if sign < 0 else p.add)(total, term)
        if total is None:
            zero = p.constant(value=0, shape=(), dtype=dtype)
            total = p.expand(p.reshape(zero, shape=(1,) * len(shape)), shape=shape)
        return total


def _factors(value, dims, divides, varying, constant):
    """Sorts the factors of a product by whether they vary along `dims`."""
    if unspread(value, dims) is not None:
        constant.append((divides, value))
    elif value.op == "mul":
        for factor in value.inputs:
            _factors(factor, dims, divides, varying, constant)
    elif value.op == "div" and unspread(value.inputs[1], dims) is not None:
        constant.append((True, value.inputs[1]))
        _factors(value.inputs[0], dims, divides, varying, constant)
    else:
        varying.append(value)


def unspread(node, dims):
    """What `node` repeats along all of `dims`, with extents of 1 there; None if it varies."""
    if node.op != "expand":
        return None
    source = node.inputs[0]
    return source if all(source.shape[d] == 1 for d in dims) else None


def mean_of(node, dims):
    """The values whose mean over `dims` a node is, or None."""
    if node.op != "div" or node.inputs[0].op != "reduce_sum":
        return None
    total, count = node.inputs
    x = total.inputs[0]
    same = total.attrs["dims"] == dims and splat_value(count) == x.numel // max(1, total.numel)
    return x if same else None


def _as_shape(node, dims, shape):
    """A value that does not vary along `dims`, without these dimensions."""
    source = unspread(node, dims)
    kept = tuple(e for d, e in enumerate(source.shape) if d not in dims)
    source = p.reshape(source, shape=kept)
    return source if kept == shape else p.expand(source, shape=shape)
