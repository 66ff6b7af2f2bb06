"""Writing through views: the value of the base after a view of it was written."""

from __future__ import annotations

from ..graph.ir import Node, full, p
from ..graph.primitives.movement import slice_dim
from ..record.trace import Operation

__all__ = ["as_complex", "as_pairs", "put_back", "write_view"]


def put_back(node: Node, base: Node, new: Node) -> Node:
    """`base` after `new` is written at `node`, a movement of `base`."""
    if node is base:
        return new
    source = node.inputs[0]
    if node.op == "permute":
        inverse = [0] * node.ndim
        for i, d in enumerate(node.attrs["dims"]):
            inverse[d] = i
        new = p.permute(new, dims=tuple(inverse))
    elif node.op == "reshape":
        new = p.reshape(new, shape=source.shape)
    elif node.op == "flip":
        new = p.flip(new, dims=node.attrs["dims"])
    elif node.op in ("detach", "variable", "boundary"):
        pass
    elif node.op == "slice":
        new = _update_slice(source, new, node.attrs)
    elif node.op == "as_strided":
        new = p.as_strided_scatter(source, new, mode="set", **node.attrs)
    elif node.op == "expand":
        raise RuntimeError("unsupported operation: more than one element of the written-to tensor "
                           "refers to a single memory location. Please clone() the tensor before "
                           "performing the operation.")
    elif node.op == "real":
        new = p.complex(new, p.imag(source))
    elif node.op == "imag":
        new = p.complex(p.real(source), new)
    else:
        raise RuntimeError(f"writing through a view made by {node.op} is not supported: clone() "
                           "the view before writing")
    return put_back(source, base, new)


def _update_slice(source: Node, new: Node, attrs) -> Node:
    """`source` with `new` in the place of the slice."""
    low, high, interior = [], [], []
    for extent, start, step, count in zip(source.shape, attrs["starts"], attrs["steps"],
                                          new.shape):
        used = (count - 1) * step + 1 if count else 0
        low.append(start)
        interior.append(step - 1)
        high.append(extent - start - used)
    if new.numel == 0:
        return source
    place = {"low": tuple(low), "high": tuple(high), "interior": tuple(interior), "value": 0}
    from .. import dtypes
    mask = p.pad(full(new.shape, True, dtypes.bool_), **place)
    return p.where(mask, p.pad(new, **place), source)


def _build_write(arguments, chain):
    base, new = arguments
    steps, node = [], base
    for declaration, static, index in chain:
        built = declaration.build([node], static)
        made = built if isinstance(built, Node) else built[index]
        steps.append((declaration.name, node, made))
        node = made
    for name, source, made in reversed(steps):
        if name in _WHOLE_WRITES:
            new = _WHOLE_WRITES[name](new)
        else:
            new = put_back(made, source, new)
    return new


def as_pairs(numbers: Node) -> Node:
    """Real and imaginary parts in a new last dimension."""
    shape = numbers.shape + (1,)
    return p.concatenate(p.reshape(p.real(numbers), shape=shape),
                         p.reshape(p.imag(numbers), shape=shape), dim=numbers.ndim)


def as_complex(pairs: Node) -> Node:
    """Complex numbers of the pairs in the last dimension."""
    last, shape = pairs.ndim - 1, pairs.shape[:-1]
    parts = [p.reshape(slice_dim(pairs, last, i, i + 1), shape=shape) for i in (0, 1)]
    return p.complex(*parts)


# views of the same numbers in another type, whose writes replace all that they are views of
_WHOLE_WRITES = {"view_as_complex": as_pairs, "view_as_real": as_complex}
write_view = Operation("write through a view", _build_write)
