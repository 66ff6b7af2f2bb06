"""Chooses how values lie in memory: channels-last between convolutions and pools.

After the rewriting passes, before `partition`. Logical shapes stay (N, C, spatial…); a value in
`layouts` lies as (N, spatial…, C). Program inputs and outputs are row-major: an output that a
kernel writes channels-last gets a copy. A convolution or pool reads its first operand through any
strides, but gradients must arrive channels-last: other operands of theirs are copied, too.
"""

from __future__ import annotations

from ...codegen.fused_operations import is_native
from ..ir import Node, p, topological_order
from .simplify import rebuild
from .steps import DENSE, row_major

__all__ = ["assign_layouts", "channels_last_strides", "in_planes", "is_native_window"]

_CONVOLUTIONS = frozenset(("convolve", "convolve_weight"))
_POOLS = frozenset(("max_pool", "sum_pool", "max_pool_index"))
_POOL_GRADIENTS = frozenset(("max_pool_gradient", "sum_pool_gradient"))
FEW_CHANNELS = 4       # pools of fewer channels run over planes, one image a channel


def channels_last_strides(shape) -> tuple[int, ...]:
    """Strides, in elements, of (N, C, spatial…) that lies as (N, spatial…, C)."""
    step, strides = shape[1], [0] * len(shape)
    strides[1] = 1
    for d in reversed(range(2, len(shape))):
        strides[d] = step
        step *= shape[d]
    strides[0] = step
    return tuple(strides)


def is_native_window(node: Node) -> bool:
    """Whether a convolution or pool has native code."""
    if node.op in _CONVOLUTIONS:
        return node.dtype.name in ("float32", "float64") and 3 <= node.inputs[0].ndim <= 5 \
            and node.numel > 0 and node.inputs[0].numel > 0 and _plain(node)
    if node.op in _POOLS | _POOL_GRADIENTS:
        return node.inputs[0].dtype.name in ("float32", "float64") and node.numel > 0 \
            and node.inputs[0].numel > 0 and len(node.attrs["size"]) <= 3 \
            and all(low >= 0 and high >= 0 for low, high in node.attrs["padding"])
    return False


def _plain(node):
    """Negative padding, which cuts the input, is for NumPy."""
    return node.inputs[1].numel > 0


def in_planes(node: Node) -> bool:
    """Whether a pool works on planes, so that its arrays are row-major."""
    n = len(node.attrs["size"])
    return node.ndim != n + 2 or node.shape[1] < FEW_CHANNELS


def _same_layout(shape):
    """Whether row-major and channels-last are the same order of elements."""
    pairs = zip(shape, row_major(shape), channels_last_strides(shape))
    return all(extent == 1 or a == b for extent, a, b in pairs)


def assign_layouts(outputs: list[Node]) -> tuple[list[Node], dict]:
    """(outputs with the copies that layouts need, {node: strides} of what is channels-last)."""
    new: dict[Node, Node] = {}
    last: set[Node] = set()
    order = topological_order(outputs)
    picked: dict = {_picks(n): None for n in order if n.op == "convolve_weight" and _picks(n)}
    for original in order:
        node = original
        inputs = tuple(new[i] for i in node.inputs)
        picks = _picks(node)
        if picks in picked:
            if picked[picks] is None:
                picked[picks] = _picked_pixels(node, inputs[0], last)
            inputs = (picked[picks], *inputs[1:])
            node = Node(node.primitive, node.inputs, {
                **node.attrs, "stride": (1,) * len(node.attrs["stride"])}, node.shape, node.dtype,
                False)
            node.site, node.scope = original.site, original.scope
        if node.op in _POOL_GRADIENTS | {"convolve_weight"} and is_native_window(node):
            at = 0 if node.op == "sum_pool_gradient" else 1
            if node.op == "convolve_weight" or not in_planes(node):
                inputs = inputs[:at] + (_as_channels_last(inputs[at], last),) + inputs[at + 1:]
            elif inputs[at] in last or inputs[at].op not in ("input",):
                inputs = inputs[:at] + (p.detach(inputs[at]),) + inputs[at + 1:]
        if node.op in DENSE or node.op == "as_strided":
            inputs = tuple(p.detach(i) if i in last else i for i in inputs)
        built = node
        if any(a is not b for a, b in zip(inputs, node.inputs)):
            built = rebuild(node, inputs)
        new[original] = built
        if _is_channels_last(built, last):
            last.add(built)
    results = []
    for output in outputs:
        node = new[output]
        # an output is row-major, and so cannot be what a later kernel wants channels-last
        results.append(p.detach(node) if node in last else node)
    return results, {n: channels_last_strides(n.shape) for n in last
                     if not _same_layout(n.shape)}


def _picks(node):
    """What identifies the pixels that a 1x1 convolution with strides reads, or None.

    Where its weight gradient is wanted, they are copied once: the gradient then is a product of
    matrices (256 to 512 channels at 56x56: 8.2 ms instead of 13).
    """
    if node.op not in _CONVOLUTIONS or not is_native_window(node):
        return None
    attrs, weight = node.attrs, node if node.op == "convolve_weight" else node.inputs[1]
    if (all(s == 1 for s in attrs["stride"]) or any(s != 1 for s in attrs["base_dilation"])
            or any(e != 1 for e in weight.shape[2:]) or attrs["groups"] != 1
            or any(low or high for low, high in attrs["padding"])):
        return None
    return node.inputs[0], attrs["stride"]


def _picked_pixels(node, x, last):
    """A copy, channels-last, of every stride-th pixel of `x`."""
    steps = (1, 1, *node.attrs["stride"])
    stops = tuple((e - 1) // s * s + 1 for e, s in zip(x.shape, steps))
    part = p.slice(x, starts=(0,) * x.ndim, stops=stops, steps=steps)
    copy = p.detach(part)
    for new in (part, copy):
        new.site, new.scope = node.site, node.scope
    last.add(copy)
    return copy


def _is_channels_last(node, last):
    if node.ndim < 3:
        return False
    if node.op == "convolve":
        return is_native_window(node)
    if node.op in _POOLS | _POOL_GRADIENTS:
        return is_native_window(node) and not in_planes(node)
    if node.primitive.kind == "pointwise" and is_native(node):
        return any(i in last and i.shape == node.shape for i in node.inputs)
    if node.op in ("pad", "slice", "flip"):
        return node.inputs[0] in last and node.ndim == node.inputs[0].ndim
    return False


def _as_channels_last(node, last):
    """`node` itself, or a copy of it in the other layout."""
    if node in last and node.primitive.kind != "movement":
        return node
    copy = p.detach(node)
    last.add(copy)
    return copy
