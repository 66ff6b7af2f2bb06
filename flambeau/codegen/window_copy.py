"""Blocks of a convolution's input, copied into scratch with their zero padding.

Beside `convolve`: it says how a convolution is cut into blocks of pixels (`copy_values`, in Python)
and emits the copy of one block (`WindowCopy`). A block is a range of images, depths and heights of
the phase grid; what its windows reach of the input becomes a dense array (image, depth, height,
width, channels of one group). Where a dimension has one tap only, elements that no window reads are
left out. If no window leaves the input and channels are contiguous, nothing is copied.
"""

from __future__ import annotations

from flambeau.codegen.emitter import I64, PTR, VOID

__all__ = ["COPY_INTEGERS", "WindowCopy", "clipped_values", "copy_values"]

COPY_INTEGERS = (
    "batch", "blocks", "blocks_d", "blocks_h", "block_images", "block_d", "block_h", "direct",
    "x_image", "x_d", "x_h", "x_w", "x_c", "x_group", "extent_d", "extent_h", "step_d", "step_h",
    "lowest_d", "lowest_h", "lowest_w", "copy_step_d", "copy_step_h", "copy_step_w", "rows_d",
    "rows_h", "columns", "channels", "first_column", "last_column", "run")

_BUDGET = 256 << 10  # bytes of a copied block: a quarter of 1 MiB of L2
_PIXELS = 512        # pixels of a block: a panel of weights is then read from L2 often enough


def copy_values(shape, x_strides, items_per_block, pixels=_PIXELS, wanted=16, channels=None,
                may_be_direct=True):
    """The integers of `COPY_INTEGERS` for a ConvolveShape, and what its planner needs besides.

    A block holds `channels` of the channels of a group, by default all of them.

    `x_strides` are those of (image, depth, height, width, channel). Besides: `scratch` bytes,
    `block_pixels` (at most, in one phase), `a_strides` from pixel to pixel and `tap_strides` from
    tap to tap, both in (image,) depth, height, width.
    """
    dims = shape.dims
    group = shape.inputs // shape.groups
    channels = channels or group
    size = 4 if shape.dtype == "float32" else 8
    image, *steps, x_c = x_strides
    group_step, x_c = group * x_c, 1 if group == 1 else x_c
    direct = may_be_direct and x_c == 1 and all(dim.inside for dim in dims)
    single = [dim.lowest == dim.highest for dim in dims]
    counts = [dim.phases[0].count for dim in dims]

    def reach(i, count):
        return count if single[i] else dims[i].reach(count)

    def nbytes(depths, heights):
        return (0 if direct else reach(0, depths) * reach(1, heights) * reach(2, counts[2])
                * channels * size)

    images, depths, heights = _block(shape.batch, counts, nbytes, pixels)
    worth = max(1, min(wanted, shape.flops // 400_000))
    images, depths, heights = _split(shape.batch, counts, images, depths, heights,
                                     -(-worth // max(1, items_per_block * shape.groups)))
    columns = reach(2, counts[2])
    rows = reach(1, heights), reach(0, depths)
    line = columns * channels
    strides = (rows[1] * rows[0] * line, rows[0] * line, line, channels)
    width = dims[2]
    copy_step = [dim.step if one else 1 for dim, one in zip(dims, single)]
    first = max(0, -(width.lowest // copy_step[2]))
    last = min(columns, (width.extent - 1 - width.lowest) // copy_step[2] + 1)
    values = {
        "batch": shape.batch, "blocks_d": -(-counts[0] // depths),
        "blocks_h": -(-counts[1] // heights), "block_images": images, "block_d": depths,
        "block_h": heights, "direct": direct, "x_image": image, "x_c": x_c,
        "x_group": group_step, "rows_d": rows[1], "rows_h": rows[0], "columns": columns,
        "channels": channels, "first_column": min(first, columns),
        "last_column": max(last, min(first, columns)),
        "run": x_c == 1 and copy_step[2] == 1 and channels == group and (
            steps[2] == channels or columns == 1),
        "scratch": 0 if direct else -(-images * strides[0] * size // 64) * 64,
        "block_pixels": images * depths * heights * counts[2]}
    values["blocks"] = -(-shape.batch // images) * values["blocks_d"] * values["blocks_h"]
    for i, letter in enumerate("dhw"):
        values[f"x_{letter}"] = steps[i]
        values[f"lowest_{letter}"] = dims[i].lowest
        values[f"copy_step_{letter}"] = copy_step[i]
        if i < 2:
            values[f"extent_{letter}"] = dims[i].extent
            values[f"step_{letter}"] = dims[i].step
    taken = [1 if one else dim.step for dim, one in zip(dims, single)]
    values["tap_strides"] = steps if direct else strides[1:]
    values["a_strides"] = ([image] + [dim.step * s for dim, s in zip(dims, steps)] if direct else
                           [strides[0]] + [t * s for t, s in zip(taken, strides[1:])])
    return values


def clipped_values(shape, dims, x_strides, images):
    """As `copy_values` for clipped phases: nothing is copied, a block is a number of images."""
    image, *steps, x_c = x_strides
    values = dict.fromkeys(COPY_INTEGERS, 0)
    counts = [max(phase.count for phase in dim.phases) for dim in dims]
    values.update(batch=shape.batch, blocks=-(-shape.batch // images), blocks_d=1, blocks_h=1,
                  block_images=images, block_d=counts[0], block_h=counts[1], direct=1,
                  x_image=image, x_c=1, x_group=shape.inputs // shape.groups * x_c, channels=1)
    for letter, step, dim in zip("dhw", steps, dims):
        values[f"x_{letter}"], values[f"lowest_{letter}"] = step, dim.lowest
    values["scratch"] = 0
    values["block_pixels"] = images * counts[0] * counts[1] * counts[2]
    values["tap_strides"] = steps
    values["a_strides"] = [image] + [dim.step * s for dim, s in zip(dims, steps)]
    return values


def _even(extent, most):
    return max(1, -(-extent // max(1, -(-extent // max(1, most)))))


def _block(batch, counts, nbytes, pixels):
    """(images, depths, heights) of a block within the budgets of pixels and bytes."""
    area = counts[0] * counts[1] * counts[2]
    whole = nbytes(counts[0], counts[1])
    if area <= pixels and whole <= _BUDGET:
        most = min(pixels // max(1, area), _BUDGET // max(1, whole))
        return _even(batch, max(1, min(batch, most))), counts[0], counts[1]

    def fits(depths, heights):
        return (depths * heights * counts[2] <= pixels and nbytes(depths, heights) <= _BUDGET)

    if fits(1, counts[1]):
        depths = max(d for d in range(1, counts[0] + 1) if d == 1 or fits(d, counts[1]))
        return 1, _even(counts[0], depths), counts[1]
    heights = max([h for h in range(1, counts[1] + 1) if fits(1, h)], default=1)
    return 1, 1, _even(counts[1], heights)


def _split(batch, counts, images, depths, heights, wanted):
    """Smaller blocks until there are enough of them, down to about 32 pixels."""
    def blocks():
        return (-(-batch // images) * -(-counts[0] // depths) * -(-counts[1] // heights))

    while blocks() < wanted and images * depths * heights * counts[2] >= 64:
        if images > 1:
            images = -(-images // 2)
        elif depths > 1:
            depths = -(-depths // 2)
        elif heights > 1:
            heights = -(-heights // 2)
        else:
            break
    return images, depths, heights


class WindowCopy:
    """Emits the copy in a kernel; `get` has the values of `COPY_INTEGERS` as attributes.

    `table` is the kernel's ArgumentTable, with a pointer called x. The copy is a function of its
    own: LLVM takes half the time for two functions with few loops than for one with many.
    """

    def __init__(self, f, get, vector_type, table):
        self.f, self.get = f, get
        f.module.define_once("copy_block", lambda m: _CopyBlock(m, vector_type, table).emit())
        self.block_images, self.block_d, self.block_h = (get.block_images, get.block_d,
                                                         get.block_h)

    def decode(self, block):
        """Sets first_image, images, first_d and first_h from the number of a block."""
        f, get = self.f, self.get
        h, rest = block % get.blocks_h, block / get.blocks_h
        d, i = rest % get.blocks_d, rest / get.blocks_d
        self.first_image = i * get.block_images
        self.images = f.min_int(get.batch - self.first_image, get.block_images)
        self.first_d, self.first_h = d * get.block_d, h * get.block_h

    def emit(self, offset, copied=None):
        """Copies the block if it must be; the pointer to its first element.

        `offset` is that of the first channel in x; `copied` channels exist, by default all.
        """
        f = self.f
        return f.call("copy_block", PTR, [
            f.args, f.scratch, offset, self.get.channels if copied is None else copied,
            self.first_image, self.images, self.first_d, self.first_h])


class _Slots:
    """The slots of an argument table as attributes, loaded where they are used."""

    def __init__(self, table, f):
        self._table, self._f = table, f

    def __getattr__(self, name):
        return self._table.load_here(self._f, name)


class _CopyBlock:
    """Defines `copy_block`, whose parameters are those of its call above."""

    def __init__(self, module, vector_type, table):
        _define_runs(module, vector_type)
        self.element = vector_type.element
        self.f = module.function("copy_block", PTR, [PTR, PTR] + [I64] * 6,
                                 attributes="nounwind noinline", linkage="internal")
        (_, self.scratch, self.offset, self.copied, self.first_image, self.images, self.first_d,
         self.first_h) = self.f.parameters
        self.get = _Slots(table, self.f)

    def emit(self):
        f, get = self.f, self.get
        depth = self.first_d * get.step_d + get.lowest_d
        height = self.first_h * get.step_h + get.lowest_h
        start = f.at(get.x, self.offset + self.first_image * get.x_image, self.element)
        with f.if_(f.ne(get.direct, 0)) as branch:
            branch.give(f.at(start, depth * get.x_d + height * get.x_h + get.lowest_w * get.x_w,
                             self.element))
        with branch.otherwise():
            line = get.columns * get.channels
            with f.loop(0, self.images) as image, f.loop(0, get.rows_d) as d, \
                    f.loop(0, get.rows_h) as h:
                in_d = depth + d.index * get.copy_step_d
                in_h = height + h.index * get.copy_step_h
                inside = (f.compare("ult", in_d, get.extent_d)
                          & f.compare("ult", in_h, get.extent_h))
                number = (image.index * get.rows_d + d.index) * get.rows_h + h.index
                source = image.index * get.x_image + in_d * get.x_d + in_h * get.x_h
                self._line(f.at(self.scratch, number * line, self.element),
                           f.at(start, source, self.element), inside)
            branch.give(self.scratch)
        f.ret(branch.results[0])

    def _line(self, to, source, inside):
        f, get = self.f, self.get
        channels = get.channels
        first = f.select(inside, get.first_column, get.columns)
        last = f.select(inside, get.last_column, get.columns)
        f.call("zero_run", VOID, [to, first * channels])
        f.call("zero_run", VOID, [f.at(to, last * channels, self.element),
                                  (get.columns - last) * channels])

        def place(u):
            return f.at(source, (u * get.copy_step_w + get.lowest_w) * get.x_w, self.element)

        with f.if_(f.ne(get.run, 0)) as branch:
            f.call("copy_run", VOID, [f.at(to, first * channels, self.element), place(first),
                                      (last - first) * channels])
        with branch.otherwise():
            with f.if_(f.eq(get.x_c, 1)) as branch:
                with f.loop(first, last) as u:
                    f.call("copy_run", VOID, [f.at(to, u.index * channels, self.element),
                                              place(u.index), self.copied])
            with branch.otherwise():
                with f.loop(0, self.copied) as c, f.loop(first, last) as u:
                    value = f.load(self.element, place(u.index), c.index * get.x_c)
                    f.store(value, to, u.index * channels + c.index)


def _define_runs(module, type):
    """zero_run(to, count) and copy_run(to, from, count), of elements."""
    for name, pointers in (("zero_run", 1), ("copy_run", 2)):
        f = module.function(name, VOID, [PTR] * pointers + [I64],
                            attributes="nounwind noinline", linkage="internal")
        *places, count = f.parameters
        whole = count & -type.lanes
        with f.loop(0, whole, type.lanes) as loop:
            value = (f.constant(type, 0) if pointers == 1 else
                     f.load(type, places[1], loop.index))
            f.store(value, places[0], loop.index)
        with f.if_(f.lt(whole, count)):
            mask = f.tail_mask(count - whole, type.lanes)
            value = (f.constant(type, 0) if pointers == 1 else
                     f.load_masked(type, places[1], mask, whole))
            f.store_masked(value, places[0], mask, whole)
