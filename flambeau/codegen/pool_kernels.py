"""The machine code of pooling: windows, vectors of channels, divisors.

Below `pooling`, which plans the calls. Forward kernels run over lines of windows (image, depth,
height); a window that lies wholly in the input is written out if its size is small, others take
loops over the taps that exist. Backward kernels own what they write: see `pooling`.
"""

from __future__ import annotations

import itertools
import math

from flambeau.codegen.emitter import I32, I64, Module, vector
from flambeau.codegen.kernel_call import ArgumentTable
from flambeau.codegen.tile import element_type, vector_lanes

__all__ = ["DIMENSION", "INTEGERS", "emit_backward", "emit_forward"]

DIMENSION = ("extent", "size", "out", "stride", "low", "high", "dilation")
INTEGERS = ("channels", "x_image", "x_c", "divisor_kind", "divisor", "strip", "strips") + tuple(
    f"{name}_{letter}" for letter in "dhw" for name in DIMENSION + ("x",))


class _Dim:
    """The integers of one dimension, and the window of one output in it."""

    def __init__(self, f, get):
        self.f = f
        for name in DIMENSION + ("x",):
            setattr(self, name, get[name])

    def window(self, out):
        """Sets start, first and last: the window's place, its taps inside; inside: whether all."""
        f = self.f
        self.start = out * self.stride - self.low
        before = f.select(f.lt(self.start, 0), f.i64(0) - self.start, f.i64(0))
        self.first = (before + self.dilation - 1) / self.dilation
        room = self.extent - self.start
        self.last = f.min_int((room + self.dilation - 1) / self.dilation, self.size)
        self.inside = f.eq(self.last - self.first, self.size)
        padded = (room + self.high + self.dilation - 1) / self.dilation
        self.padded = f.min_int(padded, self.size)
        self.valid = f.select(f.gt(self.last, self.first), self.last - self.first, f.i64(0))


class _Pool:
    """What the kernels share: their arguments, and loads and stores of vectors of channels."""

    def __init__(self, name, kind, pointers, dtype, size, strided, epilogue):
        self.module = Module(name, pipeline="light")
        self.f = f = self.module.kernel(name)
        self.table = ArgumentTable(pointers, INTEGERS, epilogue)
        self.kind, self.pointers, self.size = kind, pointers, size
        self.strided, self.epilogue = strided, epilogue
        for slot in pointers + INTEGERS:
            setattr(self, slot, self.table.load(f, slot))
        self.dims = [_Dim(f, {n: getattr(self, f"{n}_{letter}") for n in DIMENSION + ("x",)})
                     for letter in "dhw"]
        self.lanes = vector_lanes(dtype)
        self.element = element_type(dtype)
        self.vector = vector(self.element, self.lanes)

    def over_channels(self, first, last, body):
        """body(channel, vectors, mask) for four vectors at a time, then for one, masked."""
        f = self.f
        step = 4 * self.lanes
        whole = first + (last - first) / step * step
        with f.loop(first, whole, step) as loop:
            body(loop.index, 4, None)
        with f.loop(whole, last, self.lanes) as loop:
            body(loop.index, 1, f.tail_mask(last - loop.index, self.lanes))

    def load(self, pointer, mask, index, type=None):
        """A vector of neighbouring elements."""
        type = type or self.vector
        if mask is None:
            return self.f.load(type, pointer, index)
        return self.f.load_masked(type, pointer, mask, index)

    def load_x(self, start, mask, channel):
        """A vector of channels of x, which may be far apart."""
        f = self.f
        if not self.strided:
            return self.load(start, mask, channel)
        lanes = f.splat(channel, self.lanes) + f.iota(vector(I64, self.lanes))
        return f.gather(self.vector, start, lanes * f.splat(self.x_c, self.lanes), mask)

    def store(self, value, pointer, mask, index):
        """The counterpart of `load`."""
        if mask is None:
            return self.f.store(value, pointer, index)
        return self.f.store_masked(value, pointer, mask, index)

    def splat_number(self, number):
        """An i32 in every lane."""
        return self.f.splat(self.f.cast(number, I32), self.lanes)

    def set_divisor(self):
        """The divisor of the current window, as a vector."""
        f = self.f
        padded, valid = (math.prod((getattr(dim, name) for dim in self.dims[1:]),
                                   start=getattr(self.dims[0], name))
                         for name in ("padded", "valid"))
        divisor = f.select(f.eq(self.divisor_kind, 1), self.divisor, f.i64(1))
        divisor = f.select(f.eq(self.divisor_kind, 2), padded, divisor)
        divisor = f.select(f.eq(self.divisor_kind, 3), valid, divisor)
        self.factor = f.splat(f.cast(divisor, self.element), self.lanes)

    def over_taps(self, values, step):
        """step(values, offset in x, flat place) of every tap inside, from first to last."""
        f = self.f
        if self.size is None:
            return self._tap_loops(0, values, f.i64(0), f.i64(0), step)
        inside = self.dims[0].inside & self.dims[1].inside & self.dims[2].inside
        with f.if_(inside) as branch:
            found = values
            for tap in itertools.product(*map(range, self.size)):
                offset, place = f.i64(0), f.i64(0)
                for dim, t in zip(self.dims, tap):
                    at = dim.start + dim.dilation * t
                    offset, place = offset + at * dim.x, place * dim.extent + at
                found = step(found, offset, place)
            branch.give(*found)
        with branch.otherwise():
            branch.give(*self._tap_loops(0, values, f.i64(0), f.i64(0), step))
        return branch.results

    def _tap_loops(self, level, values, offset, place, step):
        if level == 3:
            return step(values, offset, place)
        dim = self.dims[level]
        with self.f.loop(dim.first, dim.last, carried=values) as loop:
            at = dim.start + loop.index * dim.dilation
            loop.next(*self._tap_loops(level + 1, loop.carried, offset + at * dim.x,
                                       place * dim.extent + at, step))
        return loop.results

    def over_windows(self, item, body):
        """body(image, pixel) for each window of the line `item` (image, depth, height)."""
        f = self.f
        d, h, w = self.dims
        h.window(item % h.out)
        rest = item / h.out
        d.window(rest % d.out)
        image = rest / d.out
        with f.loop(0, w.out) as column:
            w.window(column.index)
            body(image, item * w.out + column.index)


def emit_forward(name, kind, pointers, dtype, size, strided, epilogue):
    """The text of a kernel over lines of windows: "max" or "sum" of each."""
    pool = _Pool(name, kind, pointers, dtype, size, strided, epilogue)
    f = pool.f

    def window(image, pixel):
        if kind == "sum":
            pool.set_divisor()
        source = f.at(pool.x, image * pool.x_image, pool.element)
        pool.over_channels(f.i64(0), pool.channels, lambda channel, vectors, mask: _reduce_window(
            pool, source, pixel, channel, vectors, mask))

    with f.loop(f.begin, f.end) as items:
        pool.over_windows(items.index, window)
    return pool.module.text()


def _better(f, value, best):
    """A NaN is larger than anything, and then the last of them."""
    return f.gt(value, best) | f.isnan(value)


def _reduce_window(pool, source, pixel, channel, vectors, mask):
    f, lanes = pool.f, pool.lanes
    with_index = "index" in pool.pointers
    values = [f.constant(pool.vector, 0 if pool.kind == "sum" else -math.inf)] * vectors
    if with_index:  # where every element is -inf, the first one is the maximum
        d, h, w = (dim.start + dim.first * dim.dilation for dim in pool.dims)
        first = (d * pool.extent_h + h) * pool.extent_w + w
        values += [pool.splat_number(first)] * vectors

    def step(values, offset, place):
        start = f.at(source, offset, pool.element)
        number = pool.splat_number(place) if with_index else None
        following, numbers = [], []
        for j in range(vectors):
            value = pool.load_x(start, mask, channel + j * lanes)
            if pool.kind == "sum":
                following.append(values[j] + value)
                continue
            better = _better(f, value, values[j])
            following.append(f.select(better, value, values[j]))
            if with_index:
                numbers.append(f.select(better, number, values[vectors + j]))
        return following + numbers

    results = pool.over_taps(values, step)
    target = pixel * pool.channels + channel
    for j in range(vectors):
        at = target + j * lanes
        if "out" in pool.pointers:
            value = results[j] / pool.factor if pool.kind == "sum" else results[j]
            if pool.epilogue:
                value = pool.epilogue.emit(f, value, pixel, channel + j * lanes, mask,
                                           pool.table.epilogue_slot)
            pool.store(value, pool.out, mask, at)
        if with_index:
            pool.store(f.cast(results[vectors + j], I64), pool.index, mask, at)


def emit_backward(name, kind, pointers, dtype, size, strided, epilogue):
    """The text of a gradient: "max" from places, "sum", and both "_tiled" over lines of windows."""
    pool = _Pool(name, kind, pointers, dtype, size, strided, epilogue)
    f = pool.f
    d, h, w = pool.dims
    if kind == "sum" or kind == "sum_tiled":  # offsets of taps are then offsets in dx
        w.x = pool.channels
        h.x = w.x * w.extent
        d.x = h.x * h.extent
    plane = d.extent * h.extent * w.extent * pool.channels
    with f.loop(f.begin, f.end) as items:
        if kind.endswith("tiled"):
            emit = _spread if kind == "sum_tiled" else _place_maximum

            def window(image, pixel):
                target = f.at(pool.dx, image * plane, pool.element)
                emit(pool, image, target, pixel, f.i64(0), pool.channels)

            pool.over_windows(items.index, window)
        else:
            image, strip = items.index / pool.strips, items.index % pool.strips
            first = strip * pool.strip
            last = f.min_int(pool.channels, first + pool.strip)
            target = f.at(pool.dx, image * plane, pool.element)
            _clear(pool, target, plane, first, last)
            lines = d.out * h.out
            if kind == "max":
                with f.loop(image * lines * w.out, (image + 1) * lines * w.out) as pixel:
                    _scatter(pool, target, pixel.index, first, last)
            else:
                with f.loop(image * lines, (image + 1) * lines) as line:
                    pool.over_windows(line.index, lambda _, pixel: _spread(
                        pool, None, target, pixel, first, last))
    return pool.module.text()


def _clear(pool, target, plane, first, last):
    """Zeros in a strip of the channels of an image."""
    f = pool.f
    with f.if_(f.eq(last - first, pool.channels)) as branch:
        f.fill_bytes(target, 0, plane * pool.element.size)
    with branch.otherwise():
        zero = f.constant(pool.vector, 0)
        with f.loop(0, plane, pool.channels) as pixel:
            with f.loop(first, last, pool.lanes) as c:
                mask = f.tail_mask(last - c.index, pool.lanes)
                f.store_masked(zero, target, mask, pixel.index + c.index)


def _scatter(pool, target, pixel, first, last):
    """dx[place of the maximum] += dy, channel by channel: two or three cycles each."""
    f = pool.f
    at = pixel * pool.channels
    with f.loop(first, last) as c:
        place = f.load(I64, pool.index, at + c.index) * pool.channels + c.index
        value = f.load(pool.element, target, place) + f.load(pool.element, pool.dy, at + c.index)
        f.store(value, target, place)


def _spread(pool, _, target, pixel, first, last):
    """dx of every element of a window += dy / divisor; written once where windows tile."""
    f, lanes = pool.f, pool.lanes
    pool.set_divisor()

    def body(channel, vectors, mask):
        values = [pool.load(pool.dy, mask, pixel * pool.channels + channel + j * lanes)
                  / pool.factor for j in range(vectors)]

        def step(carried, offset, _):
            start = f.at(target, offset + channel, pool.element)
            for j, value in enumerate(carried):
                if pool.kind == "sum":
                    value = value + pool.load(start, mask, j * lanes)
                pool.store(value, start, mask, j * lanes)
            return carried

        pool.over_taps(values, step)

    pool.over_channels(first, last, body)


def _place_maximum(pool, image, target, pixel, first, last):
    """Finds each window's maximum in x again, and writes dy there and zeros elsewhere."""
    f, lanes = pool.f, pool.lanes
    source = f.at(pool.x, image * pool.x_image, pool.element)

    def body(channel, vectors, mask):
        start = [f.constant(pool.vector, -math.inf)] * vectors
        d, h, w = (dim.start for dim in pool.dims)
        start += [pool.splat_number((d * pool.extent_h + h) * pool.extent_w + w)] * vectors

        def find(values, offset, place):
            number = pool.splat_number(place)
            found = []
            for j in range(vectors):
                value = pool.load_x(f.at(source, offset, pool.element), mask, channel + j * lanes)
                better = _better(f, value, values[j])
                found.append((f.select(better, value, values[j]),
                              f.select(better, number, values[vectors + j])))
            return [best for best, _ in found] + [number for _, number in found]

        places = pool.over_taps(start, find)[vectors:]
        gradients = [pool.load(pool.dy, mask, pixel * pool.channels + channel + j * lanes)
                     for j in range(vectors)]

        def write(values, _, place):
            number = pool.splat_number(place)
            for j in range(vectors):
                chosen = f.select(f.eq(places[j], number), gradients[j], 0.0)
                pool.store(chosen, target, mask, place * pool.channels + channel + j * lanes)
            return values

        pool.over_taps([], write)

    pool.over_channels(first, last, body)
