"""What operation bodies are written with: broadcasting, promotion and checks over graph nodes.

Bodies run once per new program, on nodes. Python numbers that a user passed arrive as ``scalar``
nodes, whose type gives way to tensors' types as PyTorch's promotion rules say.
"""

from __future__ import annotations

from .. import dtypes
from ..dtypes import default_dtype, promote_types
from ..graph.ir import Node, constant, expand_to, full, full_like, iota, p
from ..graph.primitives.pointwise import cast
from ..graph.primitives.reduce import keep_dims, mean, spread, sum_to

__all__ = [
    "attached", "broadcast", "broadcast_shapes", "cast", "constant", "expand_to",
    "expanded", "full",
    "full_like", "iota", "is_number", "keep_dims", "mean", "node_of", "normalise_dim",
    "normalise_dims", "operands", "ordered",
    "p", "promote", "reduced", "result_dtype", "spread", "sum_to", "to_float", "where",
]


def is_number(node) -> bool:
    """Whether `node` is a Python number rather than a tensor's value."""
    return not isinstance(node, Node) or node.op in ("scalar", "constant")


def node_of(x, dtype=None) -> Node:
    """`x`, a node or a Python number, as a node (of `dtype` if given)."""
    if isinstance(x, Node):
        return x if dtype is None else cast(x, dtype)
    if dtype is None:
        kinds = {bool: dtypes.bool_, int: dtypes.int64, float: dtypes.float64}
        dtype = kinds.get(type(x), dtypes.complex128)
    return constant(x, dtype)


def _weak_dtype(node: Node) -> dtypes.dtype:
    category = node.dtype.category
    if category < 2:
        return node.dtype
    return default_dtype() if category == 2 else default_dtype().to_complex()


def _combine(higher, lower):
    """PyTorch's rule for a stronger and a weaker group of operands."""
    if higher is None or lower is None:
        return lower if higher is None else higher
    if lower.category > higher.category:
        if higher.category == 2:
            return higher.to_complex()
        return promote_types(higher, lower)
    return higher


def result_dtype(*nodes) -> dtypes.dtype:
    """The type that an arithmetic operation on `nodes` computes in."""
    groups = {"dims": None, "zero": None, "weak": None}
    for node in nodes:
        node = node_of(node)
        if is_number(node):
            name, kind = "weak", _weak_dtype(node)
        else:
            name, kind = ("dims" if node.shape else "zero"), node.dtype
        old = groups[name]
        groups[name] = kind if old is None else promote_types(old, kind)
    return _combine(_combine(groups["dims"], groups["zero"]), groups["weak"])


def broadcast_shapes(*shapes) -> tuple[int, ...]:
    """The common shape of `shapes`, or PyTorch's error."""
    result: list[int] = []
    for shape in shapes:
        shape = list(shape)
        length = max(len(result), len(shape))
        left = [1] * (length - len(result)) + result
        right = [1] * (length - len(shape)) + shape
        for d, a, b in reversed(list(zip(range(length), left, right))):
            if a != b and a != 1 and b != 1:
                raise RuntimeError(
                    f"The size of tensor a ({a}) must match the size of tensor b ({b}) at "
                    f"non-singleton dimension {d}: shapes {list(result)} and {list(shape)} do not "
                    "broadcast")
        result = [b if a == 1 else a for a, b in zip(left, right)]
    return tuple(result)


def expanded(node: Node, size) -> Node:
    """`node` expanded to `size`, where -1 keeps an extent; or PyTorch's error."""
    extra = len(size) - node.ndim
    if extra < 0:
        raise RuntimeError(f"expand(torch.{node.dtype.legacy_name}Tensor{{{list(node.shape)}}}, "
                           f"size={list(size)}): the number of sizes provided ({len(size)}) must "
                           "be greater or equal to the number of dimensions in the tensor "
                           f"({node.ndim})")
    shape = list(size)
    for d, extent in reversed(list(enumerate(size))):
        old = node.shape[d - extra] if d >= extra else None
        if extent == -1:
            if old is None:
                raise RuntimeError("The expanded size of the tensor (-1) isn't allowed in a "
                                   f"leading, non-existing dimension {d}")
            extent = old
        elif old is not None and old not in (1, extent):
            raise RuntimeError(f"The expanded size of the tensor ({extent}) must match the "
                               f"existing size ({old}) at non-singleton dimension {d}.  Target "
                               f"sizes: {list(size)}.  Tensor sizes: {list(node.shape)}")
        shape[d] = extent
    return expand_to(node, tuple(shape))


def broadcast(*nodes) -> list[Node]:
    """`nodes` expanded to their common shape."""
    shape = broadcast_shapes(*(n.shape for n in nodes))
    return [expand_to(n, shape) for n in nodes]


def operands(*nodes, dtype=None) -> list[Node]:
    """`nodes` promoted to their common type (or `dtype`) and broadcast."""
    nodes = [node_of(n) for n in nodes]
    kind = result_dtype(*nodes) if dtype is None else dtype
    return broadcast(*[cast(n, kind) for n in nodes])


def promote(*nodes) -> list[Node]:
    """`nodes` in their common type, shapes unchanged."""
    kind = result_dtype(*nodes)
    return [node_of(n, kind) for n in nodes]


def attached(node: Node, *sources: Node) -> Node:
    """`node`, with gradients of 0 for the sources, which it does not depend on."""
    for source in sources:
        if source.requires_grad and not node.requires_grad:
            total = p.reduce_sum(source, dims=tuple(range(source.ndim)))
            total = cast(total, node.dtype)
            node = p.where(full(node.shape, True, dtypes.bool_), node,
                           expand_to(total, node.shape))
    return node


def to_float(node) -> Node:
    """Integers and booleans become the default floating-point type."""
    node = node_of(node)
    if node.dtype.category < 2:
        return cast(node, default_dtype())
    return cast(node, _weak_dtype(node)) if is_number(node) else node


def normalise_dim(dim: int, ndim: int) -> int:
    """`dim` counted from the front, or PyTorch's IndexError."""
    reach = max(ndim, 1)
    if not -reach <= dim < reach:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-reach}, "
                         f"{reach - 1}], but got {dim})")
    return dim % reach


def normalise_dims(dims, ndim: int) -> tuple[int, ...]:
    """Sorted dimensions counted from the front; None or () means all."""
    if dims is None or dims == ():
        return tuple(range(ndim))
    if isinstance(dims, int):
        dims = (dims,)
    found = [normalise_dim(d, ndim) for d in dims]
    for d in found:
        if found.count(d) > 1:
            raise RuntimeError(f"dim {d} appears multiple times in the list of dims")
    return tuple(sorted(found)) if ndim else ()


def reduced(primitive, node: Node, dims, keepdim: bool) -> Node:
    """A reduction over `dims` (any form), the dimensions kept as 1 if asked."""
    dims = normalise_dims(dims, node.ndim)
    out = primitive(node, dims=dims)
    return keep_dims(out, node.shape, dims) if keepdim else out


def ordered(node: Node, name: str) -> Node:
    """`node`, whose elements the operation `name` compares: complex numbers have no order."""
    if node.dtype.category == 3:
        raise NotImplementedError(f'"{name}" not implemented for \'{node.dtype.legacy_name}\': '
                                  "complex numbers have no order")
    return node


def where(condition: Node, a, b) -> Node:
    """Choose by `condition`; numbers allowed on either side."""
    a, b = operands(a, b)
    shape = broadcast_shapes(condition.shape, a.shape)
    return p.where(expand_to(condition, shape), expand_to(a, shape), expand_to(b, shape))
