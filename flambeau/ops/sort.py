"""Sorting, and what is found by rank: the largest, the k-th, the median."""

from __future__ import annotations

from .. import dtypes
from ..graph.ir import Node, iota, p
from ..graph.primitives.movement import slice_dim
from .build import cast, normalise_dim, ordered
from .declare import operation
from .reduce import Extremes, pick, picked_along

__all__: list[str] = []


def sort_node(input: Node, dim: int, descending: bool):
    if input.dtype.category == 3:
        raise RuntimeError(" Sort does not support complex dtypes on CPU: complex numbers have no "
                           "order")
    if input.ndim == 0:
        return p.reshape(input, shape=()), p.reshape(iota((1,), 0), shape=())
    dim = normalise_dim(dim, input.ndim)
    index = p.argsort(input, dim=dim, descending=descending)
    return pick(input, index, dim), index


@operation("sort", out=True)
def sort_(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False):
    """Sorted elements along dim and the indices that sort (stable)."""
    return Extremes["sort"](sort_node(input, dim, descending))


@operation(out=True)
def argsort(input: Tensor, dim: int = -1, descending: bool = False,
            stable: bool = False):
    """The indices that sort along dim."""
    return sort_node(input, dim, descending)[1]


@operation("msort", out=True)
def msort(input: Tensor):
    """Sorted along the first dimension."""
    return sort_node(input, 0, False)[0]


@operation(out=True)
def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True,
         sorted: bool = True):
    """The k largest (or smallest) elements along dim, and their indices."""
    if input.ndim == 0:
        return Extremes["topk"](sort_node(input, 0, largest))
    dim = normalise_dim(dim, input.ndim)
    if not 0 <= k <= input.shape[dim]:
        raise RuntimeError(f"selected index k out of range: k is {k}, dimension {dim} has "
                           f"{input.shape[dim]} elements")
    index = slice_dim(p.argsort(input, dim=dim, descending=largest), dim, 0, k)
    return Extremes["topk"]((pick(input, index, dim), index))


@operation(out=True)
def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False):
    """The k-th smallest element along dim, and its index."""
    return rank_along("kthvalue", input, k - 1, dim, keepdim)


def rank_along(name: str, input: Node, rank: int, dim: int, keepdim: bool):
    ordered(input, f"{name}_cpu")
    if input.ndim == 0:
        if rank:
            raise RuntimeError(f"{name}(): selected number k out of range for dimension 0")
        return Extremes[name](sort_node(input, 0, False))
    dim = normalise_dim(dim, input.ndim)
    if input.shape[dim] == 0:
        raise IndexError(f"{name}(): Expected reduction dim {dim} to have non-zero size.")
    if not 0 <= rank < input.shape[dim]:
        raise RuntimeError(f"{name}(): selected number k out of range for dimension {dim}")
    index = slice_dim(p.argsort(input, dim=dim, descending=False), dim, rank, rank + 1)
    if name == "median" and input.dtype.category == 2:       # a NaN is the median of its numbers
        missing = cast(p.isnan(input), dtypes.uint8)
        first = p.reshape(p.argmax(missing, dim=dim), shape=index.shape)
        index = p.where(p.isnan(pick(input, first, dim)), first, index)
    return picked_along(name, input, index, dim, keepdim)


@operation("_median_dim", namespace="_private")
def median_dim(input: Tensor, dim: int, keepdim: bool = False):
    """The lower median along dim, and its index."""
    extent = input.shape[normalise_dim(dim, input.ndim)] if input.ndim else 1
    return rank_along("median", input, (extent - 1) // 2, dim, keepdim)


@operation("_median_all", namespace="_private")
def median_all(input: Tensor):
    """The lower median of all elements."""
    flat = p.reshape(input, shape=(input.numel,))
    return rank_along("median", flat, (input.numel - 1) // 2, 0, False)[0]
