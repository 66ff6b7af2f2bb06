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

`divisor` makes an average of a sum: a number (`divisor_override`), "window" (what of the window lies
in the padded input, `count_include_pad=True`) or "valid" (what lies in the input). Gradients are
gathered, each input element from the windows that hold it: no order of threads can change a sum.
"""

from __future__ import annotations

import dataclasses
import math

from flambeau.codegen.emitter import I32, I64, Module, vector
from flambeau.codegen.kernel_call import (ArgumentTable, KernelCall, Pointer, default_grain)
from flambeau.codegen.tile import element_type, vector_lanes

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


def in_planes(shape: PoolShape) -> PoolShape:
    """The pooling of an NCHW-contiguous array, as of batch * channels images of one channel."""
    return dataclasses.replace(shape, batch=shape.batch * shape.channels, channels=1)


_DIM = ("extent", "size", "out", "stride", "low", "high", "dilation")
_INTEGERS = ("channels", "x_image", "x_c", "divisor_kind", "divisor") + tuple(
    f"{name}_{letter}" for letter in "dhw" for name in _DIM + ("x",))
_DIVISORS = {None: 0, "window": 2, "valid": 3}


def _values(shape, x_strides, divisor):
    values = {"channels": shape.channels, "x_image": x_strides[0], "x_c": x_strides[-1],
              "divisor_kind": _DIVISORS.get(divisor, 1),
              "divisor": divisor if isinstance(divisor, int) else 1}
    steps = (0,) * (3 - len(shape.extents)) + tuple(x_strides[1:-1])
    for letter, dim, step in zip("dhw", shape.dims, steps):
        values[f"x_{letter}"] = step
        values.update((f"{name}_{letter}", v) for name, v in zip(_DIM, dim))
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
    kind = "max" + ("_value" if out else "") + ("_index" if index else "")
    return _forward(shape, kind, x, {"out": out, "index": index}, None, epilogue,
                    label or "max pool")


def plan_sum_pool(shape, *, x, out, divisor=None, epilogue=None, label=""):
    """Writes the sum of each window, or its average with a `divisor`."""
    _check_divisor(divisor)
    return _forward(shape, "sum", x, {"out": out}, divisor, epilogue, label or "sum pool")


def plan_max_pool_gradient(shape, *, dy, dx, allocate, x=None, index=None, label=""):
    """Adds each gradient at its window's maximum; the places are found again from `x` if needed."""
    calls = []
    if index is None:
        index = Pointer(allocate(max(8, shape.batch * shape.channels * math.prod(shape.out) * 8)))
        calls += plan_max_pool(shape, x=x, index=index)
    return calls + _backward(shape, "max", {"dy": dy, "index": index, "dx": dx}, None,
                             label or "max pool gradient")


def plan_sum_pool_gradient(shape, *, dy, dx, divisor=None, label=""):
    """Spreads each gradient over its window, divided as `plan_sum_pool` divides."""
    _check_divisor(divisor)
    return _backward(shape, "sum", {"dy": dy, "dx": dx}, divisor, label or "sum pool gradient")


def _forward(shape, kind, x, outputs, divisor, epilogue, label):
    outputs = {name: pointer for name, pointer in outputs.items() if pointer is not None}
    rows = shape.batch * math.prod(dim[2] for dim in shape.dims[:2])
    table = ArgumentTable(("x", *outputs), _INTEGERS, epilogue)
    args = table.fill(x=x.pointer, **outputs, **_values(shape, x.strides, divisor))
    return _call(shape, f"pool_{kind}", _forward_kernel, kind, ("x", *outputs), epilogue, args,
                 rows,
                 label)


def _backward(shape, kind, pointers, divisor, label):
    strides = [shape.channels]
    for extent in reversed(shape.extents):
        strides.append(strides[-1] * extent)
    strides = [strides[-1], *strides[-2::-1], 1]
    rows = shape.batch * math.prod(dim[0] for dim in shape.dims[:2])
    table = ArgumentTable(tuple(pointers), _INTEGERS)
    args = table.fill(**pointers, **_values(shape, strides, divisor))
    return _call(shape, f"pool_{kind}_gradient", _backward_kernel, kind, tuple(pointers), None, args,
                 rows, label)


def _call(shape, name, build, kind, pointers, epilogue, args, rows, label):
    inside = shape.channels * shape.batch * math.prod(shape.extents)
    outside = shape.channels * shape.batch * math.prod(shape.out)
    if not rows or not shape.channels or not shape.dims[2][0 if "gradient" in name else 2]:
        return []
    name += f"_{shape.dtype}" + (f"_{epilogue.key}" if epilogue else "")
    if name not in _texts:
        _texts[name] = build(name, kind, pointers, shape.dtype, epilogue)
    work = outside * math.prod(shape.size)
    nbytes = (4 if shape.dtype == "float32" else 8) * (inside + outside)
    return [KernelCall(name, _texts[name], args, rows,
                       default_grain(rows, (work + nbytes) // rows, 128 << 10), 0, work, nbytes,
                       label)]


_texts: dict[str, str] = {}


class _Window:
    """What both directions share: the integers, vectors of channels, divisors."""

    def __init__(self, name, pointers, dtype, epilogue):
        self.module = Module(name, pipeline="light")
        self.f = f = self.module.kernel(name)
        self.table = ArgumentTable(pointers, _INTEGERS, epilogue)
        self.epilogue = epilogue
        for slot in pointers + _INTEGERS:
            setattr(self, slot, self.table.load(f, slot))
        self.lanes = vector_lanes(dtype)
        self.element = element_type(dtype)
        self.vector = vector(self.element, self.lanes)

    def dim(self, letter):
        """The integers of one dimension by name."""
        return {name: getattr(self, f"{name}_{letter}") for name in _DIM + ("x",)}

    def over_channels(self, body):
        """body(channel, vectors, mask) for four vectors at a time, then for one, masked."""
        f = self.f
        step = 4 * self.lanes
        whole = self.channels / step * step
        with f.loop(0, whole, step) as loop:
            body(loop.index, 4, None)
        with f.loop(whole, self.channels, self.lanes) as loop:
            body(loop.index, 1, f.tail_mask(self.channels - loop.index, self.lanes))

    def load(self, type, pointer, mask, index):
        f = self.f
        return (f.load(type, pointer, index) if mask is None else
                f.load_masked(type, pointer, mask, index))

    def load_strided(self, start, channel, mask):
        """A vector of channels; element by element where they are not contiguous."""
        f = self.f
        with f.if_(f.eq(self.x_c, 1)) as branch:
            branch.give(self.load(self.vector, start, mask, channel))
        with branch.otherwise():
            lanes = f.splat(channel, self.lanes) + f.iota(vector(I64, self.lanes))
            branch.give(f.gather(self.vector, start, lanes * f.splat(self.x_c, self.lanes), mask))
        return branch.results[0]

    def store(self, value, pointer, mask, index):
        f = self.f
        if mask is None:
            f.store(value, pointer, index)
        else:
            f.store_masked(value, pointer, mask, index)

    def first_and_last(self, dim, out):
        """(start of the window, first tap inside, one past the last tap inside)."""
        f = self.f
        start = out * dim["stride"] - dim["low"]
        zero = f.i64(0)
        before = f.select(f.lt(start, 0), zero - start, zero)
        first = (before + dim["dilation"] - 1) / dim["dilation"]
        room = dim["extent"] - start
        last = (room + dim["dilation"] - 1) / dim["dilation"]
        return start, first, f.min_int(last, dim["size"])

    def counts(self, dim, out):
        """(taps in the padded input, taps in the input)."""
        f = self.f
        start, first, last = self.first_and_last(dim, out)
        room = dim["extent"] + dim["high"] - start
        padded = f.min_int((room + dim["dilation"] - 1) / dim["dilation"], dim["size"])
        return padded, f.select(f.gt(last, first), last - first, f.i64(0))

    def factor(self, counts):
        """1 / divisor for the (padded, valid) counts of the three dimensions."""
        f = self.f
        padded, valid = (a * b * c for a, b, c in zip(*counts))
        divisor = f.select(f.eq(self.divisor_kind, 1), self.divisor, f.i64(1))
        divisor = f.select(f.eq(self.divisor_kind, 2), padded, divisor)
        divisor = f.select(f.eq(self.divisor_kind, 3), valid, divisor)
        return f.splat(f.cast(divisor, self.element), self.lanes)


def _forward_kernel(name, kind, pointers, dtype, epilogue):
    window = _Window(name, pointers, dtype, epilogue)
    f = window.f
    d, h, w = (window.dim(letter) for letter in "dhw")
    with f.loop(f.begin, f.end) as items:
        out_h, rest = items.index % h["out"], items.index / h["out"]
        out_d, image = rest % d["out"], rest / d["out"]
        taps = [window.first_and_last(d, out_d), window.first_and_last(h, out_h), None]
        source = f.at(window.x, image * window.x_image, window.element)
        with f.loop(0, w["out"]) as column:
            taps[2] = window.first_and_last(w, column.index)
            pixel = items.index * w["out"] + column.index
            factor = None
            if kind == "sum":
                factor = window.factor([window.counts(dim, out) for dim, out in (
                    (d, out_d), (h, out_h), (w, column.index))])
            window.over_channels(lambda channel, vectors, mask: _one_window(
                window, kind, (d, h, w), taps, source, pixel, factor, channel, vectors, mask))
    return window.module.text()


def _one_window(window, kind, dims, taps, source, pixel, factor, channel, vectors, mask):
    f, lanes = window.f, window.lanes
    with_index = kind.endswith("_index")
    start = f.constant(window.vector, 0 if kind == "sum" else -math.inf)
    # where every element is -inf, the first one is the maximum
    places = [start_of + first * dim["dilation"] for dim, (start_of, first, _) in zip(dims, taps)]
    first_place = ((places[0] * dims[1]["extent"]) + places[1]) * dims[2]["extent"] + places[2]
    carried = [start] * vectors
    if with_index:
        carried += [f.splat(f.cast(first_place, I32), lanes)] * vectors

    def step(values, place, index):
        start = f.at(source, place, window.element)
        following, indices = [], []
        for j in range(vectors):
            value = window.load_strided(start, channel + j * lanes, mask)
            best = values[j]
            if kind == "sum":
                following.append(best + value)
                continue
            better = f.gt(value, best) | f.isnan(value)
            following.append(f.select(better, value, best))
            if with_index:
                number = f.splat(f.cast(index, I32), lanes)
                indices.append(f.select(better, number, values[vectors + j]))
        return following + indices

    def nest(level, values, place, index):
        if level == 3:
            return step(values, place, index)
        dim, (start_of, first, last) = dims[level], taps[level]
        with f.loop(first, last, carried=values) as loop:
            at = start_of + loop.index * dim["dilation"]
            loop.next(*nest(level + 1, loop.carried, place + at * dim["x"],
                            index * dim["extent"] + at))
        return loop.results

    results = nest(0, carried, f.i64(0), f.i64(0))
    target = pixel * window.channels + channel
    for j in range(vectors):
        at = target + j * lanes
        if "out" in window.__dict__:
            value = results[j]
            if kind == "sum":
                value = value / factor
            if window.epilogue:
                value = window.epilogue.emit(f, value, pixel, channel + j * lanes, mask,
                                             window.table.epilogue_slot)
            window.store(value, window.out, mask, at)
        if with_index:
            window.store(f.cast(results[vectors + j], I64), window.index, mask, at)


def _backward_kernel(name, kind, pointers, dtype, epilogue):
    window = _Window(name, pointers, dtype, epilogue)
    f = window.f
    dims = d, h, w = tuple(window.dim(letter) for letter in "dhw")
    with f.loop(f.begin, f.end) as items:
        in_h, rest = items.index % h["extent"], items.index / h["extent"]
        in_d, image = rest % d["extent"], rest / d["extent"]
        with f.loop(0, w["extent"]) as column:
            places = in_d, in_h, column.index
            number = (in_d * h["extent"] + in_h) * w["extent"] + column.index
            target = (items.index * w["extent"] + column.index) * window.channels
            window.over_channels(lambda channel, vectors, mask: _gathered(
                window, kind, dims, places, image, number, target + channel, channel, vectors,
                mask))
    return window.module.text()


def _gathered(window, kind, dims, places, image, number, target, channel, vectors, mask):
    """dx of some channels of one element: the sum over the windows that hold it."""
    f, lanes = window.f, window.lanes
    zero = f.constant(window.vector, 0)

    def step(values, pixel, outs):
        start = f.at(window.dy, pixel * window.channels, window.element)
        if kind == "sum":
            factor = window.factor([window.counts(dim, out) for dim, out in zip(dims, outs)])
        following = []
        for j in range(vectors):
            value = window.load(window.vector, start, mask, channel + j * lanes)
            if kind == "sum":
                value = value / factor
            else:
                index = window.load(vector(I64, lanes), window.index, mask,
                                    pixel * window.channels + channel + j * lanes)
                value = f.select(f.eq(index, f.splat(number, lanes)), value, zero)
            following.append(values[j] + value)
        return following

    def nest(level, values, pixel, outs):
        if level == 3:
            return step(values, pixel, outs)
        dim = dims[level]
        padded = places[level] + dim["low"]
        reach = padded - (dim["size"] - 1) * dim["dilation"]
        first = f.select(f.gt(reach, 0), (reach + dim["stride"] - 1) / dim["stride"], f.i64(0))
        last = f.min_int(padded / dim["stride"] + 1, dim["out"])
        with f.loop(first, last, carried=values) as loop:
            following = loop.index
            inside = f.eq((padded - following * dim["stride"]) % dim["dilation"], 0)
            with f.if_(inside) as branch:
                branch.give(*nest(level + 1, loop.carried, pixel * dim["out"] + following,
                                  outs + [following]))
            with branch.otherwise():
                branch.give(*loop.carried)
            loop.next(*branch.results)
        return loop.results

    results = nest(0, [zero] * vectors, image, [])
    for j, value in enumerate(results):
        window.store(value, window.dx, mask, target + j * lanes)
