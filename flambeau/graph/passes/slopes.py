"""Slopes of dear activations: f'(x) as a value that is made where f(x) is.

`factor_slopes` is the last rewriting pass, `find_slopes` a part of `partition`. Derived rule by
rule, the gradient of GELU is a sum of products with the gradient g that comes from above,

    g x c exp(-x^2 / 2) + g (1 + erf(x / sqrt(2))) / 2

which reads x and the error function. Written as g * slope(x), it reads one value, the slope, which
the kernel that makes GELU from x makes besides: the error function is computed once, and neither it
nor x is kept for the gradient. Only where x is a matrix product, or one with a bias, and g another:
there both kernels are the products' own, whose epilogues these are.
"""

from __future__ import annotations

from ...codegen.extents import usual
from ...codegen.fused_operations import EXPENSIVE
from ..ir import Node, building, full_like, p, topological_order
from .simplify import rebuild

__all__ = ["factor_slopes", "find_slopes"]

_PRODUCTS = frozenset(("contract", "convolve"))
_MANY = object()          # instead of the one product that values are made of


def factor_slopes(outputs: list[Node]) -> list[Node]:
    """An equivalent graph where such gradients are products of one gradient and a slope."""
    order = topological_order(outputs)
    if not any(node.op in EXPENSIVE for node in order):
        return outputs
    roots = _roots(order)
    if not roots:
        return outputs
    new: dict[Node, Node] = {}
    before = building.site, building.scope, building.grad_enabled
    building.grad_enabled = False
    try:
        for node in order:
            building.site, building.scope = node.site, node.scope
            if node in roots:
                factor = roots[node]
                new[node] = p.mul(new[factor.g], factor.slope(node, new))
                continue
            inputs = tuple([new[i] for i in node.inputs])
            changed = any(a is not b for a, b in zip(inputs, node.inputs))
            new[node] = rebuild(node, inputs) if changed else node
    finally:
        building.site, building.scope, building.grad_enabled = before
    return [new[o] for o in outputs]


def find_slopes(order: list[Node], users: dict[Node, list[Node]]) -> dict[Node, Node]:
    """{a value that a slope needs, or the slope itself: the slope} in a partition's graph."""
    found: dict[Node, Node] = {}
    if not any(node.op in EXPENSIVE for node in order):
        return found
    sources = _sources(order)
    for node in order:
        if node.op != "mul":
            continue
        for g, slope in (node.inputs, node.inputs[::-1]):
            if (_product(g) is not None and len(users[slope]) == 1
                    and _is_slope([slope], g, sources)):
                stack = [slope]
                while stack:
                    part = stack.pop()
                    if part.primitive.kind == "pointwise" and part not in found:
                        found[part] = slope
                        stack.extend(part.inputs)
    return found


def _product(node):
    """The matrix product or convolution whose elements are a node's, in their order, or None."""
    while node.op == "reshape":
        node = node.inputs[0]
    return node if node.op in _PRODUCTS else None


def _sources(order):
    """{node: (what product it is made of, besides leaves, and by dear operations)}, elementwise.

    The first is None for leaves alone, `_MANY` where there is anything else.
    """
    sources: dict[Node, tuple] = {}
    for node in order:
        kind, product = node.primitive.kind, _product(node)
        if product is not None:
            sources[node] = product, False
        elif kind == "leaf":
            large = node.op == "input" and usual(node.numel) > 1
            sources[node] = (_MANY if large else None), False
        elif node.op in ("reshape", "expand"):
            source, base = sources[node.inputs[0]], node.inputs[0]
            while base.op == "reshape":
                base = base.inputs[0]
            a_bias = base.op == "input" and usual(base.numel) < usual(node.numel)
            sources[node] = (None, False) if a_bias else source
        elif kind == "pointwise":
            parts, dear = set(), node.op in EXPENSIVE
            for operand in node.inputs:
                part, is_dear = sources[operand]
                dear |= is_dear
                if part is not None:
                    parts.add(part)
            sources[node] = (parts.pop() if len(parts) == 1 else _MANY if parts else None), dear
        else:
            sources[node] = _MANY, False
    return sources


def _is_slope(parts, g, sources):
    """Whether parts of one value are made of one product, dearly, and have the elements of `g`."""
    found = {sources[part][0] for part in parts} - {None}
    if len(found) != 1 or _MANY in found or not any(sources[part][1] for part in parts):
        return False
    x, = found
    return x is not _product(g) and usual(x.numel) == usual(g.numel) and not _needs(x, _product(g))


def _needs(x, g):
    """Whether the product x, which comes before the gradient, needs the product g."""
    return g in topological_order([x])


class _Factor:
    """A node as a multiple of the gradient g."""

    def __init__(self, g, bit, linear):
        self.g, self.bit, self.linear = g, bit, linear
        self.made: dict[Node, Node | None] = {}

    def parts(self, node):
        """What the slope is made of: the operands that g does not enter."""
        found, seen, stack = [], set(), [node]
        while stack:
            part = stack.pop()
            if part in seen:
                continue
            seen.add(part)
            if not self.linear[part] & self.bit:
                found.append(part)
            elif part is not self.g:
                stack.extend(part.inputs)
        return found

    def slope(self, node, new):
        """node / g; None for 1."""
        if node is self.g:
            return None
        if node in self.made:
            return self.made[node]
        values = [self.slope(i, new) if self.linear[i] & self.bit else new[i] for i in node.inputs]
        if node.op == "mul":
            a, b = values
            made = b if a is None else a if b is None else p.mul(a, b)
        else:
            values = [full_like(node, 1) if v is None else v for v in values]
            made = node.primitive(*values, **node.attrs)
        self.made[node] = made
        return made


def _roots(order):
    """{node: the `_Factor` by which it becomes the product of a gradient and a slope}."""
    bits: dict[Node, int] = {}
    linear: dict[Node, int] = {}      # the gradients of which a node is a multiple
    depends: dict[Node, int] = {}     # those that enter it
    above: dict[Node, int] = {}       # those of which a user is a multiple
    for node in order:
        above[node] = 0
        if node.primitive.kind != "pointwise":
            bit = 0
            if _product(node) is not None and node.dtype.category == 2:
                bit = bits[node] = 1 << len(bits)
            linear[node] = depends[node] = bit
            continue
        linear[node] = _multiples(node, linear, depends)
        depends[node] = 0
        for operand in node.inputs:
            depends[node] |= depends[operand]
            above[operand] |= linear[node]
    gradients = {bit: node for node, bit in bits.items()}
    sources, roots = None, {}
    for node in order:
        if node.primitive.kind == "pointwise" and linear[node] & ~above[node]:
            sources = sources or _sources(order)
            mask = linear[node] & ~above[node]
            while mask:
                bit = mask & -mask
                mask ^= bit
                g = gradients[bit]
                factor = _Factor(g, bit, linear)
                if (node.op != "mul" or g not in node.inputs) and \
                        _is_slope(factor.parts(node), g, sources):
                    roots[node] = factor
                    break
    return roots


def _multiples(node, linear, depends):
    """The gradients of which a pointwise node is a multiple, as a bit mask."""
    op, operands = node.op, node.inputs
    if op == "neg":
        return linear[operands[0]]
    if op in ("mul", "div", "add", "sub"):
        a, b = operands
        if op == "mul":
            return linear[a] & ~depends[b] | linear[b] & ~depends[a]
        if op == "div":
            return linear[a] & ~depends[b]
        return linear[a] & linear[b]
    return 0
