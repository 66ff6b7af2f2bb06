"""Pooling in one to three dimensions: maxima with indices, sums, averages, and their gradients.

Between the graph compiler and the emitter; no tile is needed. The interface:

    shape = PoolShape(batch, channels, extents, size, out, stride, padding, dilation, dtype)
    plan_max_pool(shape, x=Operand, out=Pointer or None, index=Pointer or None, epilogue=None)
    plan_max_pool_gradient(shape, dy=Pointer, dx=Pointer, allocate=, x=Operand or index=Pointer)
    plan_sum_pool(shape, x=Operand, out=Pointer, divisor=None, epilogue=None)
    plan_sum_pool_gradient(shape, dy=Pointer, dx=Pointer, divisor=None)
        -> list[KernelCall]

`x.strides` are (image, spatial..., channel); every Pointer is dense and channels-last, (batch,
spatial..., channels). Vectors run over channels: an NCHW array with few channels is best seen as
`in_planes(shape)`, batch * channels images of one channel. `index` holds int64, the place of each
maximum in the flattened spatial extents, as PyTorch's `return_indices`; a NaN is a maximum.

`divisor` makes an average of a sum: a number (`divisor_override`), "window" (what of the window
lies in the padded input, `count_include_pad=True`) or "valid" (what lies in the input). A work item
of a gradient owns an image, or a strip of its channels, so no order of threads can change a sum;
where windows tile the input exactly, it is a line of windows, and each element is written once.
"""

from __future__ import annotations

import dataclasses
import math

from flambeau.codegen.kernel_call import ArgumentTable, KernelCall, Pointer, default_grain
from flambeau.codegen.pool_kernels import DIMENSION, INTEGERS, emit_backward, emit_forward
from flambeau.codegen.tile import vector_lanes

__all__ = ["PoolShape", "in_planes", "plan_max_pool", "plan_max_pool_gradient", "plan_sum_pool",
           "plan_sum_pool_gradient"]


@dataclasses.dataclass(frozen=True)
class PoolShape:
    """The numbers of a pooling; `padding` is (low, high) for each spatial dimension."""

    batch: int
    channels: int
    extents: tuple[int, ...]
    size: tuple[int, ...]
    out: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    dtype: str

    @property
    def dims(self):
        """(extent, size, out, stride, low, high, dilation) of depth, height and width."""
        found = [(e, k, o, s, p[0], p[1], d) for e, k, o, s, p, d in zip(
            self.extents, self.size, self.out, self.stride, self.padding, self.dilation)]
        return [(1, 1, 1, 1, 0, 0, 1)] * (3 - len(found)) + found

    @property
    def tiles(self):
        """Whether the windows cover the input without gaps and overlaps."""
        return all(e == k * o and s == k and not low and d == 1
                   for e, k, o, s, low, _, d in self.dims)


def in_planes(shape: PoolShape) -> PoolShape:
    """The pooling of an NCHW-contiguous array, as of batch * channels images of one channel."""
    return dataclasses.replace(shape, batch=shape.batch * shape.channels, channels=1)


_DIVISORS = {None: 0, "window": 2, "valid": 3}
_UNROLLED = 9  # windows of at most so many elements are written out in the machine code


def _values(shape, x_strides, divisor):
    values = {"channels": shape.channels, "x_image": x_strides[0], "x_c": x_strides[-1],
              "divisor_kind": _DIVISORS.get(divisor, 1),
              "divisor": divisor if isinstance(divisor, int) else 1}
    steps = (0,) * (3 - len(shape.extents)) + tuple(x_strides[1:-1])
    for letter, dim, step in zip("dhw", shape.dims, steps):
        values[f"x_{letter}"] = step
        values.update((f"{name}_{letter}", v) for name, v in zip(DIMENSION, dim))
    return values


def _check_divisor(divisor):
    if divisor is not None and divisor not in ("window", "valid") and not (
            isinstance(divisor, int) and divisor != 0):
        raise ValueError("divisor must be None, an int other than 0, 'window' or 'valid'; "
                         f"received {divisor!r}")


def plan_max_pool(shape, *, x, out=None, index=None, epilogue=None, label=""):
    """Writes maxima to `out` and their flat places to `index`, each if it is given."""
    if math.prod(shape.extents) >= 1 << 31:
        raise ValueError("max pooling over 2**31 or more elements of an image is not supported; "
                         f"received {shape.extents}")
    outputs = {"out": out, "index": index}
    return _forward(shape, "max", x, outputs, None, epilogue, label or "max pool")


def plan_sum_pool(shape, *, x, out, divisor=None, epilogue=None, label=""):
    """Writes the sum of each window, or its average with a `divisor`."""
    _check_divisor(divisor)
    return _forward(shape, "sum", x, {"out": out}, divisor, epilogue, label or "sum pool")


def plan_max_pool_gradient(shape, *, dy, dx, allocate, x=None, index=None, label=""):
    """Adds each gradient at its window's maximum; the places are found again from `x` if needed."""
    label = label or "max pool gradient"
    if index is None and shape.tiles and x.strides[-1] == 1:
        return _backward(shape, "max_tiled", {"x": x.pointer, "dy": dy, "dx": dx}, x.strides, None,
                         label)
    calls = []
    if index is None:
        index = Pointer(allocate(max(8, shape.batch * shape.channels * math.prod(shape.out) * 8)))
        calls += plan_max_pool(shape, x=x, index=index)
    pointers = {"dy": dy, "index": index, "dx": dx}
    return calls + _backward(shape, "max", pointers, None, None, label)


def plan_sum_pool_gradient(shape, *, dy, dx, divisor=None, label=""):
    """Spreads each gradient over its window, divided as `plan_sum_pool` divides."""
    _check_divisor(divisor)
    return _backward(shape, "sum_tiled" if shape.tiles else "sum", {"dy": dy, "dx": dx}, None,
                     divisor, label or "sum pool gradient")


def _forward(shape, kind, x, outputs, divisor, epilogue, label):
    pointers = {"x": x.pointer}
    pointers.update((name, pointer) for name, pointer in outputs.items() if pointer is not None)
    rows = shape.batch * math.prod(dim[2] for dim in shape.dims[:2])
    values = _values(shape, x.strides, divisor)
    strided = x.strides[-1] != 1 and shape.channels > 1
    variant = "_".join([kind, *pointers, *(["strided"] if strided else [])])
    return _call(shape, emit_forward, kind, variant, pointers, values, strided, epilogue, rows,
                 label)


def _backward(shape, kind, pointers, x_strides, divisor, label):
    lines = shape.batch * math.prod(dim[2] for dim in shape.dims[:2])
    lanes = vector_lanes(shape.dtype)
    strip = shape.channels
    if shape.batch < 8:  # too few images to share: an item is a strip of channels of an image
        strip = max(lanes, -(-shape.channels * shape.batch // 8 // lanes) * lanes)
    strips = -(-shape.channels // strip) if shape.channels else 0
    values = _values(shape, x_strides or (0,) * (len(shape.extents) + 2), divisor)
    values.update(strip=strip, strips=strips)
    tiled = kind.endswith("tiled")
    return _call(shape, emit_backward, kind, f"{kind}_gradient", pointers, values, False, None,
                 lines if tiled else shape.batch * strips, label)


def _call(shape, emit, kind, variant, pointers, values, strided, epilogue, items, label):
    inside = shape.channels * shape.batch * math.prod(shape.extents)
    outside = shape.channels * shape.batch * math.prod(shape.out)
    if not items or not inside or not outside:
        return []
    size = tuple(dim[1] for dim in shape.dims)
    size = size if math.prod(size) <= _UNROLLED else None
    name = f"pool_{variant}_{shape.dtype}" + (f"_{epilogue.key}" if epilogue else "")
    name += "_" + "x".join(map(str, size)) if size else ""
    if name not in _texts:
        _texts[name] = emit(name, kind, tuple(pointers), shape.dtype, size, strided, epilogue)
    values = {"strip": shape.channels, "strips": 1, **values}
    args = ArgumentTable(tuple(pointers), INTEGERS, epilogue).fill(**pointers, **values)
    work = outside * math.prod(shape.size)
    nbytes = (4 if shape.dtype == "float32" else 8) * (inside + outside)
    return [KernelCall(name, _texts[name], args, items,
                       default_grain(items, (work + nbytes) // items, 128 << 10), 0, work, nbytes,
                       label)]


_texts: dict[str, str] = {}
