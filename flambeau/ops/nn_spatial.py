"""Rearranging positions: padding, sliding blocks, pixel shuffles, resampling."""

from __future__ import annotations

from .. import dtypes
from ..graph.primitives.movement import slice_dim
from .build import cast, expand_to, full, full_like, p
from .declare import operation

__all__ = ["channel_shuffle", "fold", "grid_sample", "pad_edges", "pad_number", "pixel_shuffle",
           "pixel_unshuffle", "resample_by_matrices", "resample_by_taps", "unfold"]


def _nn(body):
    return operation(method=False, namespace="_nn")(body)


# ---- padding ----


@_nn
def pad_number(input: Tensor, pad: tuple, value: float):
    """``input`` with ``value`` around; ``pad`` holds (low, high) from the last dimension on."""
    if len(pad) % 2:
        raise RuntimeError("Padding length must be divisible by 2")
    if len(pad) > 2 * input.ndim:
        raise RuntimeError(
            "Padding length should be less than or equal to two times the input dimension but got "
            f"padding length {len(pad)} and input of dimension {input.ndim}")
    low, high = [0] * input.ndim, [0] * input.ndim
    for i in range(len(pad) // 2):
        dim = input.ndim - 1 - i
        low[dim], high[dim] = pad[2 * i], pad[2 * i + 1]
        new = input.shape[dim] + low[dim] + high[dim]
        if new < 0:
            raise RuntimeError(
                f"The input size {input.shape[dim]}, plus negative padding {low[dim]} and "
                f"{high[dim]} resulted in a negative output size, which is invalid. Check "
                f"dimension {dim} of your input.")
    if value == int(value) if abs(value) < 2.0 ** 63 else False:
        value = int(value) if input.dtype.category == 1 else value
    return p.pad(input, low=tuple(low), high=tuple(high), interior=(0,) * input.ndim, value=value)


@_nn
def pad_edges(input: Tensor, pad: tuple, mode: str):
    """``input`` continued by reflection, by its border, or periodically."""
    dims = len(pad) // 2
    out = input
    for i in range(dims):
        dim = input.ndim - 1 - i
        low, high = pad[2 * i], pad[2 * i + 1]
        out = _PAD_DIM[mode](out, dim, low, high, input, pad)
    return out


def _cut(x, dim, low, high):
    """Negative padding removes elements."""
    if min(low, high) < 0:
        x = slice_dim(x, dim, max(0, -low), x.shape[dim] - max(0, -high))
    return x, max(0, low), max(0, high)


def _join(parts, dim):
    parts = [part for part in parts if part is not None]
    parts = [part for part in parts if part.shape[dim]] or parts[:1]
    return parts[0] if len(parts) == 1 else p.concatenate(*parts, dim=dim)


def _reflect(x, dim, low, high, input, pad):
    extent = x.shape[dim]
    if low >= extent or high >= extent:
        raise RuntimeError(
            "Argument #4: Padding size should be less than the corresponding input dimension, but "
            f"got: padding ({low}, {high}) at dimension {dim} of input {list(input.shape)}")
    x, low, high = _cut(x, dim, low, high)
    extent = x.shape[dim]
    before = p.flip(slice_dim(x, dim, 1, low + 1), dims=(dim,)) if low else None
    after = (p.flip(slice_dim(x, dim, extent - 1 - high, extent - 1), dims=(dim,)) if high
             else None)
    return _join([before, x, after], dim)


def _replicate(x, dim, low, high, input, pad):
    extent = x.shape[dim]
    if extent == 0:
        raise RuntimeError("Expected non-empty input to pad, but got input of shape "
                           f"{list(input.shape)}")
    total = extent + low + high        # place j of the result reads x at j - low, clipped
    before, after = max(0, min(total, low)), max(0, min(total, high))
    start = max(0, -low)
    middle = max(0, total - before - after)

    def border(at, times):
        edge = slice_dim(x, dim, at, at + 1)
        return p.expand(edge, shape=edge.shape[:dim] + (times,) + edge.shape[dim + 1:])

    return _join([border(0, before) if before else None,
                  slice_dim(x, dim, start, start + middle) if middle else None,
                  border(extent - 1, after) if after else None], dim)


def _circular(x, dim, low, high, input, pad):
    extent = x.shape[dim]
    if low > extent or high > extent:
        raise RuntimeError("Padding value causes wrapping around more than once.")
    if extent + low + high < 0:
        raise RuntimeError("Negative padding value is resulting in an empty dimension")
    x, low, high = _cut(x, dim, low, high)
    extent = x.shape[dim]
    return _join([slice_dim(x, dim, extent - low, extent) if low else None, x,
                  slice_dim(x, dim, 0, high) if high else None], dim)


_PAD_DIM = {"reflect": _reflect, "replicate": _replicate, "circular": _circular}


# ---- shuffles ----


@operation(method=False, namespace="nn.functional")
def pixel_shuffle(input: Tensor, upscale_factor: int):
    """``(*, C r^2, H, W)`` to ``(*, C, H r, W r)``."""
    r = upscale_factor
    if input.ndim < 3:
        raise RuntimeError("pixel_shuffle expects input to have at least 3 dimensions, but got "
                           f"input with {input.ndim} dimension(s)")
    if r <= 0:
        raise RuntimeError(f"pixel_shuffle expects a positive upscale_factor, but got {r}")
    lead, (c, h, w) = input.shape[:-3], input.shape[-3:]
    if c % (r * r):
        raise RuntimeError("pixel_shuffle expects its input's 'channel' dimension to be divisible "
                           f"by the square of upscale_factor, but input.size(-3)={c} is not "
                           f"divisible by {r * r}")
    n = len(lead)
    x = p.reshape(input, shape=lead + (c // (r * r), r, r, h, w))
    x = p.permute(x, dims=tuple(range(n)) + (n, n + 3, n + 1, n + 4, n + 2))
    return p.reshape(x, shape=lead + (c // (r * r), h * r, w * r))


@operation(method=False, namespace="nn.functional")
def pixel_unshuffle(input: Tensor, downscale_factor: int):
    """``(*, C, H r, W r)`` to ``(*, C r^2, H, W)``."""
    r = downscale_factor
    if input.ndim < 3:
        raise RuntimeError("pixel_unshuffle expects input to have at least 3 dimensions, but got "
                           f"input with {input.ndim} dimension(s)")
    if r <= 0:
        raise RuntimeError(f"pixel_unshuffle expects a positive downscale_factor, but got {r}")
    lead, (c, h, w) = input.shape[:-3], input.shape[-3:]
    for word, size, place in (("height", h, -2), ("width", w, -1)):
        if size % r:
            raise RuntimeError(f"pixel_unshuffle expects {word} to be divisible by "
                               f"downscale_factor, but input.size({place})={size} is not divisible "
                               f"by {r}")
    n = len(lead)
    x = p.reshape(input, shape=lead + (c, h // r, r, w // r, r))
    x = p.permute(x, dims=tuple(range(n)) + (n, n + 2, n + 4, n + 1, n + 3))
    return p.reshape(x, shape=lead + (c * r * r, h // r, w // r))


@operation(method=False, namespace="nn.functional")
def channel_shuffle(input: Tensor, groups: int):
    """``(N, g * k, *)`` with channels regrouped as k groups of g."""
    if input.ndim < 3:
        raise RuntimeError("channel_shuffle expects input with > 2 dims, but got input with sizes "
                           f"{list(input.shape)}")
    if groups <= 0:
        raise RuntimeError("Number of groups to divide channels in must be positive. Value of "
                           f"groups:{groups}")
    n, c = input.shape[:2]
    if c % groups:
        raise RuntimeError("Number of channels must be divisible by groups. Got "
                           f"{c} channels and {groups} groups.")
    x = p.reshape(input, shape=(n, groups, c // groups) + input.shape[2:])
    x = p.permute(x, dims=(0, 2, 1) + tuple(range(3, x.ndim)))
    return p.reshape(x, shape=input.shape)


# ---- sliding blocks ----


def _pair(value):
    return (value, value) if isinstance(value, int) else tuple(value)


def _block_geometry(extents, kernel_size, dilation, padding, stride, **shown):
    sizes = [(e + 2 * a - d * (k - 1) - 1) // s + 1
             for e, k, d, a, s in zip(extents, kernel_size, dilation, padding, stride)]
    if min(sizes) < 1:
        raise RuntimeError(
            f"Given input with spatial size {tuple(extents)}, kernel_size={kernel_size}, "
            f"dilation={dilation}, padding={padding}, calculated shape of the array of sliding "
            f"blocks as {tuple(sizes)}, but its components must be at least one.")
    return sizes


def _block_window(shape, kernel_size, dilation, stride, counts):
    """as_strided attributes that show padded (N, C, H, W) as (N, C, kh, kw, oh, ow)."""
    n, c, h, w = shape
    return {"shape": (n, c) + tuple(kernel_size) + tuple(counts),
            "strides": (c * h * w, h * w, w * dilation[0], dilation[1], w * stride[0], stride[1]),
            "offset": 0}


@operation(method=False, namespace="nn.functional")
def unfold(input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1):
    """The blocks of ``input`` (N, C, H, W) as columns (N, C * kh * kw, L).

    >>> import flambeau as torch
    >>> torch.nn.functional.unfold(torch.zeros(1, 3, 10, 12), (4, 5)).shape
    torch.Size([1, 60, 56])
    """
    kernel_size, dilation, padding, stride = map(_pair, (kernel_size, dilation, padding, stride))
    if input.ndim not in (3, 4):
        raise RuntimeError("Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and "
                           "other non-zero dimensions for input, but got: "
                           f"{list(input.shape)}")
    x = p.reshape(input, shape=(1,) + input.shape) if input.ndim == 3 else input
    counts = _block_geometry(x.shape[2:], kernel_size, dilation, padding, stride)
    around = (0, 0) + padding
    x = p.pad(x, low=around, high=around, interior=(0,) * 4, value=0)
    n, c, h, w = x.shape
    if kernel_size == stride and dilation == (1, 1):
        x = slice_dim(slice_dim(x, 2, 0, counts[0] * stride[0]), 3, 0, counts[1] * stride[1])
        x = p.reshape(x, shape=(n, c, counts[0], stride[0], counts[1], stride[1]))
        x = p.permute(x, dims=(0, 1, 3, 5, 2, 4))
    else:
        x = p.as_strided(x, **_block_window(x.shape, kernel_size, dilation, stride, counts))
    shape = (n, c * kernel_size[0] * kernel_size[1], counts[0] * counts[1])
    return p.reshape(x, shape=shape[1:] if input.ndim == 3 else shape)


@operation(method=False, namespace="nn.functional")
def fold(input: Tensor, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0,
         stride: Any = 1):
    """Columns (N, C * kh * kw, L) added up to (N, C, *output_size): the adjoint of unfold."""
    output_size, kernel_size, dilation, padding, stride = map(
        _pair, (output_size, kernel_size, dilation, padding, stride))
    if input.ndim not in (2, 3):
        raise RuntimeError("Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch "
                           f"size and non-zero dimensions for input, but got: {list(input.shape)}")
    x = p.reshape(input, shape=(1,) + input.shape) if input.ndim == 2 else input
    taps = kernel_size[0] * kernel_size[1]
    n, rows, columns = x.shape
    if rows % taps:
        raise RuntimeError("Expected size of input's dimension 1 to be divisible by the product of "
                           f"kernel_size, but got input.size(1)={rows} and "
                           f"kernel_size={kernel_size}.")
    counts = _block_geometry(output_size, kernel_size, dilation, padding, stride)
    if counts[0] * counts[1] != columns:
        raise RuntimeError(
            f"Given output_size={output_size}, kernel_size={kernel_size}, dilation={dilation}, "
            f"padding={padding}, stride={stride}, expected size of input's dimension 2 to match "
            f"the calculated number of sliding blocks {counts[0]} * {counts[1]} = "
            f"{counts[0] * counts[1]}, but got input.size(2)={columns}.")
    c = rows // taps
    h, w = (e + 2 * a for e, a in zip(output_size, padding))
    x = p.reshape(x, shape=(n, c) + kernel_size + tuple(counts))
    canvas = full((n, c, h, w), 0, x.dtype)
    out = p.as_strided_scatter(canvas, x, mode="add", **_block_window(
        canvas.shape, kernel_size, dilation, stride, counts))
    out = slice_dim(slice_dim(out, 2, padding[0], h - padding[0]), 3, padding[1], w - padding[1])
    return p.reshape(out, shape=out.shape[1:]) if input.ndim == 2 else out


# ---- resampling ----


@_nn
def resample_by_taps(input: Tensor, places: Tensors, weights: Tensors):
    """Interpolate the last dimensions, one after the other.

    Per dimension ``places`` (outputs, taps) are int64 and ``weights`` of the same shape; without
    weights the single tap is copied.
    """
    dims = len(places)
    out = input
    for d in range(dims):
        dim = input.ndim - dims + d
        place = places[d]
        outputs, taps = place.shape
        if not weights:
            out = p.take(out, p.reshape(place, shape=(outputs,)), dim=dim, message="")
            continue
        total = None
        for tap in range(taps):
            index = p.reshape(slice_dim(place, 1, tap, tap + 1), shape=(outputs,))
            factor = p.reshape(slice_dim(weights[d], 1, tap, tap + 1), shape=tuple(
                outputs if i == dim else 1 for i in range(input.ndim)))
            part = p.take(out, index, dim=dim, message="")
            part = p.mul(part, expand_to(cast(factor, part.dtype), part.shape))
            total = part if total is None else p.add(total, part)
        out = total
    return out


@_nn
def resample_by_matrices(input: Tensor, matrices: Tensors):
    """Interpolate the last dimensions, each by a matrix (outputs, inputs)."""
    dims = len(matrices)
    out = input
    for d, matrix in enumerate(matrices):
        dim = input.ndim - dims + d
        out = p.contract(out, cast(matrix, out.dtype), batch_a=(), batch_b=(), contract_a=(dim,),
                         contract_b=(1,))
        order = list(range(out.ndim - 1))
        order.insert(dim, out.ndim - 1)
        out = p.permute(out, dims=tuple(order))
    return out


def _unnormalised(coordinate, size, align_corners):
    """From [-1, 1] to pixel positions."""
    one = full_like(coordinate, 1)
    if align_corners:
        return p.mul(p.add(coordinate, one), full_like(coordinate, (size - 1) / 2))
    scaled = p.mul(p.add(coordinate, one), full_like(coordinate, size))
    return p.div(p.sub(scaled, one), full_like(coordinate, 2))


def _clipped(x, size):
    zero, last = full_like(x, 0), full_like(x, size - 1)
    low = p.where(p.le(x, zero), zero, x)
    return p.where(p.ge(low, last), last, low)


def _reflected(x, size, align_corners):
    low, high = (0, 2 * (size - 1)) if align_corners else (-1, 2 * size - 1)
    if low == high:
        return full_like(x, 0)
    shift, span = full_like(x, low / 2), full_like(x, (high - low) / 2)
    away = p.abs(p.sub(x, shift))
    turns = p.floor(p.div(p.detach(away), span))
    rest = p.sub(away, p.mul(turns, span))
    half = p.div(turns, full_like(x, 2))
    even = p.eq(p.floor(half), half)
    return p.where(even, p.add(rest, shift), p.add(p.sub(span, rest), shift))


def _source(coordinate, size, padding_mode, align_corners):
    x = _unnormalised(coordinate, size, align_corners)
    if padding_mode == "reflection":
        x = _reflected(x, size, align_corners)
    return x if padding_mode == "zeros" else _clipped(x, size)


def _cubic(t):
    """The four cubic convolution weights (a = -0.75) at the fraction `t`."""
    a = -0.75

    def number(value):
        return full_like(t, value)

    def near(x):          # |x| <= 1
        return p.add(p.mul(p.mul(p.sub(p.mul(number(a + 2), x), number(a + 3)), x), x), number(1))

    def far(x):           # 1 < |x| < 2
        inner = p.sub(p.mul(number(a), x), number(5 * a))
        return p.sub(p.mul(p.add(p.mul(inner, x), number(8 * a)), x), number(4 * a))

    one = number(1)
    rest = p.sub(one, t)
    return [far(p.add(t, one)), near(t), near(rest), far(p.add(rest, one))]


@operation("grid_sample", method=False, namespace="_nn")
def grid_sample(input: Tensor, grid: Tensor, mode: str, padding_mode: str, align_corners: bool):
    """``input`` (N, C, spatial…) at the positions ``grid`` (N, outputs…, dims) in [-1, 1]."""
    dims = input.ndim - 2
    if dims not in (2, 3) or grid.ndim != input.ndim:
        raise RuntimeError("grid_sampler(): expected 4D or 5D input and grid with same number of "
                           f"dimensions, but got input with sizes {list(input.shape)} and grid "
                           f"with sizes {list(grid.shape)}")
    if grid.shape[0] != input.shape[0]:
        raise RuntimeError("grid_sampler(): expected grid and input to have same batch size, but "
                           f"got input with sizes {list(input.shape)} and grid with sizes "
                           f"{list(grid.shape)}")
    if grid.shape[-1] != dims:
        raise RuntimeError(f"grid_sampler(): expected grid to have size {dims} in last dimension, "
                           f"but got grid with sizes {list(grid.shape)}")
    if mode == "bicubic" and dims == 3:
        raise RuntimeError("grid_sampler(): bicubic interpolation only supports 4D input")
    n, channels, spatial = input.shape[0], input.shape[1], input.shape[2:]
    outputs, points = grid.shape[1:-1], 1
    for extent in outputs:
        points *= extent
    grid = cast(p.reshape(grid, shape=(n, points, dims)), input.dtype)
    taps = []                     # per dimension a list of (position, weight)
    for d, size in enumerate(spatial):
        column = dims - 1 - d      # the grid lists x, the last dimension, first
        at = p.reshape(slice_dim(grid, 2, column, column + 1), shape=(n, points))
        if mode == "bicubic":
            x = _unnormalised(at, size, align_corners)
            base = p.floor(p.detach(x))
            taps.append([(p.add(base, full_like(base, i - 1)), weight)
                         for i, weight in enumerate(_cubic(p.sub(x, base)))])
            continue
        x = _source(at, size, padding_mode, align_corners)
        if mode == "nearest":
            taps.append([(p.round(p.detach(x)), full_like(x, 1))])
        else:
            base = p.floor(p.detach(x))
            high = p.sub(x, base)
            taps.append([(base, p.sub(full_like(x, 1), high)),
                         (p.add(base, full_like(base, 1)), high)])
    plane = 1
    for extent in spatial:
        plane *= extent
    flat_input = p.reshape(input, shape=(n, channels, plane))
    total = None
    for corner in _product(taps):
        flat: Any = None
        weight: Any = None
        inside: Any = None
        for (place, factor), size in zip(corner, spatial):
            if mode == "bicubic" and padding_mode != "zeros":
                if padding_mode == "reflection":
                    place = _reflected(place, size, align_corners)
                place = _clipped(place, size)
            ok = p.bitwise_and(p.ge(place, full_like(place, 0)),
                               p.le(place, full_like(place, size - 1)))
            inside = ok if inside is None else p.bitwise_and(inside, ok)
            index = cast(p.where(ok, place, full_like(place, 0)), dtypes.int64)
            flat = index if flat is None else p.add(p.mul(flat, full_like(flat, size)), index)
            weight = factor if weight is None else p.mul(weight, factor)
        shape = (n, channels, points)
        index = p.expand(p.reshape(flat, shape=(n, 1, points)), shape=shape)
        value = p.gather(flat_input, index, dim=2, message="")
        weight = p.where(inside, weight, full_like(weight, 0))
        part = p.mul(value, p.expand(p.reshape(weight, shape=(n, 1, points)), shape=shape))
        total = part if total is None else p.add(total, part)
    return p.reshape(total, shape=(n, channels) + outputs)


def _product(taps):
    if not taps:
        yield ()
        return
    for first in taps[0]:
        for rest in _product(taps[1:]):
            yield (first, *rest)


