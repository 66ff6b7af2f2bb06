"""What the bodies of neural-network operations share: sizes per dimension, checks, reductions."""

from __future__ import annotations

from .. import dtypes
from ..graph.ir import Node
from .build import cast, expand_to, full_like, mean, p

__all__ = ["check_floating", "check_same_dtype", "computing_dtype", "per_channel", "per_dim",
           "reduce_loss", "scaled", "shifted"]


def per_dim(value, dims: int, name: str) -> tuple[int, ...]:
    """`value`, a number or a sequence, as one number per spatial dimension."""
    if isinstance(value, int):
        return (value,) * dims
    value = tuple(int(v) for v in value)
    if len(value) == 1:
        return value * dims
    if len(value) != dims:
        raise RuntimeError(
            f"expected {name} to be a single integer value or a list of {dims} values to match the "
            f"convolution dimensions, but got {name}={list(value)}")
    return value


def check_same_dtype(*nodes: Node | None, message: str = "expected scalar type {} but found {}"
                     ) -> None:
    """Raise where two nodes differ in dtype."""
    given = [node for node in nodes if node is not None]
    for node in given[1:]:
        if node.dtype is not given[0].dtype:
            names = (given[0].dtype.legacy_name, node.dtype.legacy_name)
            raise RuntimeError(message.format(*names) + ": convert one of them with .to(dtype)")


def check_floating(node: Node, name: str) -> None:
    """Raise for integers and booleans, as kernels without an integer form do."""
    if node.dtype.category < 2:
        raise NotImplementedError(f'"{name}" not implemented for \'{node.dtype.legacy_name}\': '
                                  "convert the input with .float()")


def computing_dtype(dtype):
    """The type in which sums over `dtype` are formed: float32 for the 16-bit types."""
    return dtypes.float32 if dtype.category == 2 and dtype.itemsize < 4 else dtype


def per_channel(vector: Node, ndim: int, dim: int = 1) -> Node:
    """A vector reshaped so that it broadcasts along `dim` of a value with `ndim` dimensions."""
    shape = [1] * ndim
    shape[dim] = vector.shape[0]
    return p.reshape(vector, shape=tuple(shape))


def scaled(node: Node, weight: Node | None, bias: Node | None, dim: int = 1) -> Node:
    """`node` times weight plus bias, vectors along `dim`."""
    if weight is not None:
        weight = per_channel(cast(weight, node.dtype), node.ndim, dim)
        node = p.mul(node, expand_to(weight, node.shape))
    return shifted(node, bias, dim)


def shifted(node: Node, bias: Node | None, dim: int = 1) -> Node:
    """`node` plus the vector `bias` along `dim`."""
    if bias is None:
        return node
    bias = per_channel(cast(bias, node.dtype), node.ndim, dim)
    return p.add(node, expand_to(bias, node.shape))


def reduce_loss(node: Node, reduction: str) -> Node:
    """The mean, the sum, or every element."""
    if reduction == "none":
        return node
    dims = tuple(range(node.ndim))
    if reduction == "mean":
        if node.dtype.category < 2:
            raise RuntimeError("mean(): could not infer output dtype. Input dtype must be either a "
                               f"floating point or complex dtype. Got: {node.dtype.legacy_name}")
        return mean(node, dims) if dims else node
    if reduction == "sum":
        return p.reduce_sum(node, dims=dims) if dims else node
    raise ValueError(f"{reduction} is not a valid value for reduction")


def zeros_like(node: Node) -> Node:
    """Zeros of the shape and dtype of `node`."""
    return full_like(node, 0)
