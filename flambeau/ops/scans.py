"""Running extremes, differences and integrals along a dimension."""

from __future__ import annotations

from .. import dtypes
from ..graph.ir import Node, full_like, p
from ..graph.primitives import scan
from ..graph.primitives.movement import slice_dim
from .build import cast, expand_to, node_of, normalise_dim, operands, promote, to_float
from .declare import operation
from .reduce import Extremes, pick

__all__: list[str] = []


def _declare_running(name: str, largest: bool, description: str) -> None:
    def body(input: Tensor, dim: int):
        dim = normalise_dim(dim, input.ndim)
        flat = input if input.ndim else p.reshape(input, shape=(1,))
        index = scan.running_index(flat, dim, largest)
        values = pick(flat, index, dim)
        if not input.ndim:
            values, index = p.reshape(values, shape=()), p.reshape(index, shape=())
        return Extremes[name]((values, index))

    body.__name__, body.__doc__ = name, description
    operation(name, out=True)(body)


_declare_running("cummax", True, "The largest element up to each position of dim, and its index.")
_declare_running("cummin", False, "The smallest element up to each position of dim, and its index.")


@operation(out=True)
def logcumsumexp(input: Tensor, dim: int):
    """log(cumsum(exp(x))) along dim, without overflow."""
    if input.dtype.category < 2:
        raise NotImplementedError(f'"logcumsumexp_out_cpu" not implemented for '
                                  f"'{input.dtype.legacy_name}'")
    dim = normalise_dim(dim, input.ndim)
    if not input.ndim:
        return p.reshape(input, shape=())
    return scan.logcumsumexp(input, dim)


@operation(out=True)
def diff(input: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None,
         append: Tensor | None = None):
    """The n-th differences of neighbours along dim."""
    if input.ndim == 0:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    dim = normalise_dim(dim, input.ndim)
    parts = [part for part in (prepend, input, append) if part is not None]
    for part in parts:
        if part.ndim != input.ndim:
            raise RuntimeError("diff expects prepend or append to be the same dimension as input")
    x = p.concatenate(*promote(*parts), dim=dim) if len(parts) > 1 else input
    n = min(n, x.shape[dim])
    for _ in range(n):
        extent = x.shape[dim]
        high, low = slice_dim(x, dim, 1, extent), slice_dim(x, dim, 0, extent - 1)
        x = p.bitwise_xor(high, low) if x.dtype is dtypes.bool_ else p.sub(high, low)
    return p.reshape(x, shape=x.shape) if x is input else x


def _halves(y: Node, dim: int) -> Node:
    """The sums of neighbours along dim."""
    extent = y.shape[dim]
    return p.add(slice_dim(y, dim, 1, extent), slice_dim(y, dim, 0, max(0, extent - 1)))


def _areas(y: Node, x, dx, dim: int, name: str) -> Node:
    dim = normalise_dim(dim, y.ndim)
    y = to_float(y)
    sums = _halves(y, dim)
    if x is not None:
        if x.ndim == 1:
            if x.shape[0] != y.shape[dim]:
                raise RuntimeError(f"{name}: There must be one `x` value for each sample point")
            shape = [1] * y.ndim
            shape[dim] = x.shape[0]
            x = p.reshape(x, shape=tuple(shape))
            along = dim
        else:
            if x.ndim < y.ndim:
                x = p.reshape(x, shape=(1,) * (y.ndim - x.ndim) + x.shape)
            along = dim + x.ndim - y.ndim
        extent = x.shape[along]
        steps = p.sub(slice_dim(x, along, 1, extent), slice_dim(x, along, 0, extent - 1))
        sums, steps = operands(sums, steps)
        return p.mul(p.mul(sums, steps), full_like(sums, 0.5))
    step = node_of(1.0 if dx is None else dx, y.dtype)
    return p.mul(p.mul(sums, expand_to(step, sums.shape)), full_like(sums, 0.5))


@operation(method=False, aliases=("trapz",))
def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: Number = 1, dim: int = -1):
    """The integral along dim by the trapezoidal rule, at points x or in steps of dx."""
    dim = normalise_dim(dim, y.ndim)
    if y.shape[dim] == 0:
        return p.reduce_sum(to_float(y), dims=(dim,))
    areas = _areas(y, x, dx, dim, "trapezoid")
    return p.reduce_sum(areas, dims=(dim + areas.ndim - y.ndim,))


@operation(method=False)
def cumulative_trapezoid(y: Tensor, x: Tensor | None = None, *, dx: Number = 1, dim: int = -1):
    """The running integral along dim by the trapezoidal rule."""
    dim = normalise_dim(dim, y.ndim)
    areas = _areas(y, x, dx, dim, "cumulative_trapezoid")
    return p.cumsum(areas, dim=dim + areas.ndim - y.ndim)


@operation("_gradient", namespace="_private")
def gradient(input: Tensor, spacing: Tensors, dims: tuple, edge_order: int):
    """Central differences along dims; spacing holds a 0-d step or a vector of places for each."""
    results = []
    for step, dim in zip(spacing, dims):
        results.append(_slope(input, step, normalise_dim(dim, input.ndim), edge_order))
    from .views import _Views
    return _Views(results)


def _along(values, like: Node, dim: int) -> Node:
    """A vector laid along `dim` and repeated to the shape of `like`."""
    shape = [1] * like.ndim
    shape[dim] = values.shape[0]
    target = list(like.shape)
    target[dim] = values.shape[0]
    return expand_to(p.reshape(values, shape=tuple(shape)), tuple(target))


def _slope(x: Node, step: Node, dim: int, edge_order: int) -> Node:
    x = to_float(x)
    n = x.shape[dim]
    if n < edge_order + 1:
        raise RuntimeError("torch.gradient expected each dimension size to be at least "
                           "edge_order+1")
    if step.ndim == 0:
        gaps = expand_to(p.reshape(cast(step, x.dtype), shape=(1,)), (n - 1,))
    else:
        gaps = cast(p.sub(slice_dim(step, 0, 1, n), slice_dim(step, 0, 0, n - 1)), x.dtype)

    def gap(a, b):
        return _along(slice_dim(gaps, 0, a, b), x, dim)

    def at(a, b):
        return slice_dim(x, dim, a, b)

    before, after = gap(0, n - 2), gap(1, n - 1)
    both = p.add(before, after)
    inner = p.add(
        p.add(p.mul(p.neg(p.div(after, p.mul(before, both))), at(0, n - 2)),
              p.mul(p.div(p.sub(after, before), p.mul(before, after)), at(1, n - 1))),
        p.mul(p.div(before, p.mul(after, both)), at(2, n)))
    if edge_order == 1:
        first = p.div(p.sub(at(1, 2), at(0, 1)), gap(0, 1))
        last = p.div(p.sub(at(n - 1, n), at(n - 2, n - 1)), gap(n - 2, n - 1))
    else:
        first = _edge(at(0, 1), at(1, 2), at(2, 3), gap(0, 1), gap(1, 2))
        last = p.neg(_edge(at(n - 1, n), at(n - 2, n - 1), at(n - 3, n - 2),
                           gap(n - 2, n - 1), gap(n - 3, n - 2)))
    return p.concatenate(first, inner, last, dim=dim)


def _edge(a: Node, b: Node, c: Node, near: Node, far: Node) -> Node:
    """The slope at `a` of the parabola through three neighbours."""
    both = p.add(near, far)
    weight_a = p.neg(p.div(p.add(p.add(near, near), far), p.mul(near, both)))
    weight_b = p.div(both, p.mul(near, far))
    weight_c = p.neg(p.div(near, p.mul(far, both)))
    return p.add(p.add(p.mul(weight_a, a), p.mul(weight_b, b)), p.mul(weight_c, c))
