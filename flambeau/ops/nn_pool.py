"""Pooling: maxima, means and power means of windows, and putting maxima back."""

from __future__ import annotations

from .. import dtypes
from ._nn_common import check_floating
from .build import cast, expand_to, full, full_like, iota, p
from .declare import operation

__all__ = ["adaptive_avg_pool", "adaptive_max_pool", "avg_pool", "fractional_max_pool", "lp_pool",
           "max_pool", "max_pool_with_indices", "max_unpool"]


# ---- windows ----


def _per_dim(value, dims: int, name: str, argument: str) -> tuple[int, ...]:
    if isinstance(value, int):
        return (value,) * dims
    value = tuple(value)
    if len(value) == 1:
        return value * dims
    if len(value) != dims:
        words = {1: "one int", 2: "two ints", 3: "three ints"}
        raise RuntimeError(f"{name}: {argument} must either be a single int, or a tuple of "
                           f"{words[dims]}")
    return value


def _extent(length, size, stride, pad, dilation, ceil_mode) -> int:
    """How many windows there are, as PyTorch counts them."""
    reach = dilation * (size - 1) + 1
    room = length + 2 * pad - reach
    if not ceil_mode:
        return room // stride + 1
    count = -(-room // stride) + 1
    return count - 1 if (count - 1) * stride >= length + pad else count


def _windows(input, size, stride, padding, dilation, ceil_mode, name):
    """The attributes of the window primitives, checked."""
    dims = len(size)
    if min(stride) <= 0:
        raise RuntimeError("stride should not be zero" if 0 in stride else
                           f"stride must be greater than zero, but got {list(stride)}")
    if min(dilation) <= 0:
        raise RuntimeError("dilation should be greater than zero, but got "
                           f"{' '.join(map(str, dilation))}")
    if min(size) <= 0:
        raise RuntimeError("kernel size should be greater than zero, but got "
                           f"{' '.join(map(str, size))}")
    for pad, k, d in zip(padding, size, dilation):
        if pad < 0:
            raise RuntimeError(f"pad must be non-negative, but got pad: {pad}")
        if pad > (d * (k - 1) + 1) // 2:
            raise RuntimeError("pad should be at most half of effective kernel size, but got "
                               f"pad={pad}, kernel_size={k} and dilation={d}")
    if input.ndim not in (dims + 1, dims + 2):
        if dims == 1:
            raise RuntimeError(f"{name}: Expected 2D or 3D (batch mode) tensor with optional 0 dim "
                               f"batch size for input, but got:{list(input.shape)}")
        raise RuntimeError(f"non-empty {dims + 1}D or {dims + 2}D (batch mode) tensor expected "
                           f"for input, but got input of size {list(input.shape)}")
    if 0 in input.shape[-dims - 1:] or (dims == 1 and input.ndim == 2 and 0 in input.shape):
        if dims == 1:
            raise RuntimeError(f"{name}: Expected 2D or 3D (batch mode) tensor with optional 0 dim "
                               f"batch size for input, but got:{list(input.shape)}")
        raise RuntimeError("Expected input's non-batch dimensions to have positive length, but "
                           f"input has a shape of {list(input.shape)}")
    spatial = input.shape[-dims:]
    counts = [_extent(*each, ceil_mode) for each in zip(spatial, size, stride, padding, dilation)]
    if min(counts) < 1:
        if dims == 1:
            raise RuntimeError(f"{name}() Invalid computed output size: {counts[0]}")
        channels = input.shape[-dims - 1]
        given = "x".join(map(str, (channels,) + spatial))
        wanted = "x".join(map(str, [channels] + [max(0, c) for c in counts]))
        raise RuntimeError(f"Given input size: ({given}). Calculated output size: ({wanted}). "
                           "Output size is too small")
    pairs = []
    for length, k, s, pad, d, count in zip(spatial, size, stride, padding, dilation, counts):
        needed = (count - 1) * s + d * (k - 1) + 1 - length - pad
        pairs.append((pad, max(pad, needed) if ceil_mode else pad))
    return {"size": size, "stride": stride, "padding": tuple(pairs), "dilation": dilation}, counts


def _max_windows(input, kernel_size, stride, padding, dilation, ceil_mode, dims):
    name = f"max_pool{dims}d"
    if input.dtype.category in (0, 3):
        raise NotImplementedError(f'"{name}" not implemented for \'{input.dtype.legacy_name}\'')
    size = _per_dim(kernel_size, dims, name, "kernel_size")
    stride = size if stride in (None, ()) else _per_dim(stride, dims, name, "stride")
    padding = _per_dim(padding, dims, name, "padding")
    dilation = _per_dim(dilation, dims, name, "dilation")
    return _windows(input, size, stride, padding, dilation, ceil_mode, name)[0]


# ---- maximum ----


@operation(method=False, namespace="nn.functional")
def max_pool(input: Tensor, dims: int, kernel_size: Any, stride: Any = None, padding: Any = 0,
             dilation: Any = 1, ceil_mode: bool = False):
    """The maximum of each window over the last ``dims`` dimensions."""
    attrs = _max_windows(input, kernel_size, stride, padding, dilation, ceil_mode, dims)
    return p.max_pool(input, **attrs)


@operation(method=False, namespace="nn.functional")
def max_pool_with_indices(input: Tensor, dims: int, kernel_size: Any, stride: Any = None,
                          padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False):
    """The maximum of each window, and its place in the flattened spatial dimensions."""
    attrs = _max_windows(input, kernel_size, stride, padding, dilation, ceil_mode, dims)
    return p.max_pool(input, **attrs), p.max_pool_index(input, **attrs)


@operation(method=False, namespace="nn.functional")
def max_unpool(input: Tensor, indices: Tensor, output_size: tuple):
    """Zeros of spatial size ``output_size`` with ``input`` at the flat places ``indices``."""
    if indices.dtype is not dtypes.int64:
        raise RuntimeError("elements in indices should be type int64 but got: "
                           f"{indices.dtype.legacy_name}")
    if input.shape != indices.shape:
        raise RuntimeError(f"Expected shape of indices to be: {list(input.shape)} but got: "
                           f"{list(indices.shape)}")
    lead = input.shape[:input.ndim - len(output_size)]
    plane, count = 1, 1
    for extent, old in zip(output_size, input.shape[len(lead):]):
        plane, count = plane * extent, count * old
    empty = full(lead + (plane,), 0, input.dtype)
    flat = p.scatter(empty, p.reshape(indices, shape=lead + (count,)),
                     p.reshape(input, shape=lead + (count,)), dim=len(lead), mode="set",
                     message="")
    return p.reshape(flat, shape=lead + tuple(output_size))


# ---- averages ----


def _counts(attrs, counts, spatial, padding, include_pad, lead):
    """How many elements every window averages, as a product of one vector per dimension."""
    shape = (1,) * lead + tuple(counts)
    total = None
    for d, (k, s, pad, length) in enumerate(zip(attrs["size"], attrs["stride"], padding, spatial)):
        start = p.add(p.mul(iota(shape, lead + d), full(shape, s, dtypes.int64)),
                      full(shape, -pad, dtypes.int64))
        end = p.minimum(p.add(start, full(shape, k, dtypes.int64)),
                        full(shape, length + (pad if include_pad else 0), dtypes.int64))
        if not include_pad:
            start = p.maximum(start, full(shape, 0, dtypes.int64))
        extent = p.sub(end, start)
        total = extent if total is None else p.mul(total, extent)
    return total


@operation(method=False, namespace="nn.functional")
def avg_pool(input: Tensor, dims: int, kernel_size: Any, stride: Any = None, padding: Any = 0,
             ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: Any = None):
    """The mean of each window over the last ``dims`` dimensions."""
    name = f"avg_pool{dims}d"
    if input.dtype.category in (0, 3):
        raise NotImplementedError(f'"{name}" not implemented for \'{input.dtype.legacy_name}\'')
    if divisor_override == 0:
        raise RuntimeError("divisor must be not zero")
    size = _per_dim(kernel_size, dims, name, "kernel_size")
    stride = size if stride in (None, ()) else _per_dim(stride, dims, name, "stride")
    padding = _per_dim(padding, dims, name, "padding")
    if dims == 2 and 0 < input.ndim <= dims:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-input.ndim}, "
                         f"{input.ndim - 1}], but got -3): 3D or 4D "
                         f"input expected, received shape {list(input.shape)}")
    attrs, counts = _windows(input, size, stride, padding, (1,) * dims, ceil_mode, name)
    total = p.sum_pool(input, **attrs)
    division = p.div if input.dtype.category == 2 else p.trunc_divide
    taps = 1
    for k in size:
        taps *= k
    spatial = input.shape[-dims:]
    inside = all((count - 1) * s + k <= length + 2 * pad for count, s, k, length, pad in zip(
        counts, stride, size, spatial, padding))
    if divisor_override is not None:
        divisor = full_like(total, divisor_override)
    elif inside and (count_include_pad or not any(padding)):
        divisor = full_like(total, taps)
    else:
        divisor = _counts(attrs, counts, spatial, padding, count_include_pad, input.ndim - dims)
        divisor = expand_to(cast(divisor, total.dtype), total.shape)
    return division(total, divisor)


@operation(method=False, namespace="nn.functional")
def lp_pool(input: Tensor, dims: int, norm_type: Number, kernel_size: Any, stride: Any = None,
            ceil_mode: bool = False):
    """``(sum x^p)^(1/p)`` of each window."""
    check_floating(input, f"avg_pool{dims}d")
    size = _per_dim(kernel_size, dims, f"avg_pool{dims}d", "kernel_size")
    stride = size if stride in (None, ()) else _per_dim(stride, dims, "avg_pool", "stride")
    attrs, counts = _windows(input, size, stride, (0,) * dims, (1,) * dims, ceil_mode, "lp_pool")
    power = expand_to(cast(norm_type, input.dtype), input.shape)
    total = p.sum_pool(p.pow(input, power), **attrs)
    lead = input.ndim - dims
    if ceil_mode:      # PyTorch scales the mean of the part inside by the whole window
        inside = _counts(attrs, counts, input.shape[-dims:], (0,) * dims, True, lead)
        taps = 1
        for k in size:
            taps *= k
        inside = expand_to(cast(inside, total.dtype), total.shape)
        total = p.mul(p.div(total, inside), full_like(total, taps))
    root = expand_to(p.reciprocal(cast(norm_type, input.dtype)), total.shape)
    return p.pow(p.mul(p.sign(total), p.relu(p.abs(total))), root)


# ---- adaptive ----


def _check_adaptive(input, output_size, name, colon=""):
    dims = len(output_size)
    if input.ndim not in (dims + 1, dims + 2):
        raise RuntimeError(f"{name}(): Expected {dims + 1}D or {dims + 2}D tensor, but got{colon} "
                           f"{list(input.shape)}")
    if any(size < 0 for size in output_size):
        raise RuntimeError(f"{name}(): elements of output_size must be greater than or equal to 0 "
                           f"but received {list(output_size)}")
    if any(e == 0 for e in input.shape[1:]) and 0 not in output_size:
        raise RuntimeError(f"{name}(): Expected input to have non-zero size for non-batch "
                           f"dimensions, but input has sizes {list(input.shape)} with dimension "
                           "being empty")


def _even_windows(input, output_size):
    """Window attributes if every output covers equally many inputs, else None."""
    spatial = input.shape[-len(output_size):]
    if any(o == 0 or length % o for length, o in zip(spatial, output_size)):
        return None
    size = tuple(length // o for length, o in zip(spatial, output_size))
    dims = len(size)
    return {"size": size, "stride": size, "padding": ((0, 0),) * dims, "dilation": (1,) * dims}


def _bounds(shape, dim, length, outputs):
    """First and one past the last input of every output along `dim`."""
    place = iota(shape, dim)
    start = p.floor_divide(p.mul(place, full(shape, length, dtypes.int64)),
                           full(shape, outputs, dtypes.int64))
    end = p.mul(p.add(place, full(shape, 1, dtypes.int64)), full(shape, length, dtypes.int64))
    end = p.floor_divide(p.add(end, full(shape, outputs - 1, dtypes.int64)),
                         full(shape, outputs, dtypes.int64))
    return start, end


@operation(method=False, namespace="nn.functional")
def adaptive_avg_pool(input: Tensor, output_size: tuple):
    """Means of windows that divide the last dimensions into ``output_size`` parts."""
    dims = len(output_size)
    name = f"adaptive_avg_pool{dims}d"
    _check_adaptive(input, output_size, name)
    check_floating(input, name)
    attrs = _even_windows(input, output_size)
    if attrs is not None:
        taps = 1
        for k in attrs["size"]:
            taps *= k
        total = p.sum_pool(input, **attrs)
        return p.div(total, full_like(total, taps))
    out = input
    for d, outputs in enumerate(output_size):     # one matrix of means per dimension
        dim = input.ndim - dims + d
        length = input.shape[dim]
        start, end = _bounds((outputs, length), 0, length, outputs)
        column = iota((outputs, length), 1)
        inside = p.bitwise_and(p.ge(column, start), p.lt(column, end))
        matrix = p.div(cast(inside, out.dtype), cast(p.sub(end, start), out.dtype))
        out = p.contract(out, matrix, batch_a=(), batch_b=(), contract_a=(dim,), contract_b=(1,))
        order = list(range(out.ndim - 1))
        order.insert(dim, out.ndim - 1)
        out = p.permute(out, dims=tuple(order))
    return out


@operation(method=False, namespace="nn.functional")
def adaptive_max_pool(input: Tensor, output_size: tuple):
    """Maxima of windows that divide the last dimensions, and their flat places."""
    dims = len(output_size)
    name = f"adaptive_max_pool{dims}d"
    _check_adaptive(input, output_size, name, ":")
    check_floating(input, name)
    attrs = _even_windows(input, output_size)
    if attrs is not None:
        return p.max_pool(input, **attrs), p.max_pool_index(input, **attrs)
    spatial = input.shape[-dims:]
    places = []
    for length, outputs in zip(spatial, output_size):
        widest = max((-(-(i + 1) * length // outputs)) - i * length // outputs
                     for i in range(outputs)) if outputs else 1
        start, end = _bounds((outputs, widest), 0, length, outputs)
        last = p.sub(end, full_like(end, 1))       # short windows repeat their last element
        places.append(p.minimum(p.add(start, iota((outputs, widest), 1)), last))
    return _maxima_at(input, places)


def _maxima_at(input, places):
    """Maxima over windows given per dimension by index matrices (outputs, taps)."""
    dims = len(places)
    lead = input.shape[:input.ndim - dims]
    spatial = input.shape[len(lead):]
    taken = input
    for d, place in enumerate(places):             # (lead…, o1, k1, o2, k2, …)
        taken = p.take(taken, place, dim=len(lead) + 2 * d, message="")
    outs = tuple(len(lead) + 2 * d for d in range(dims))
    taps = tuple(o + 1 for o in outs)
    order = tuple(range(len(lead))) + outs + taps
    grid = tuple(place.shape[0] for place in places)
    depth = 1
    for place in places:
        depth *= place.shape[1]
    taken = p.reshape(p.permute(taken, dims=order), shape=lead + grid + (depth,))
    best = p.argmax(taken, dim=taken.ndim - 1)
    best = p.reshape(best, shape=best.shape + (1,))
    values = p.gather(taken, best, dim=taken.ndim - 1, message="")
    flat = None
    for d, place in enumerate(places):             # the flat place of every tap
        shape = [1] * (2 * dims)
        shape[d], shape[dims + d] = place.shape
        index = p.expand(p.reshape(place, shape=tuple(shape)),
                         shape=grid + tuple(place.shape[1] for place in places))
        if flat is not None:
            index = p.add(p.mul(flat, full_like(flat, spatial[d])), index)
        flat = index
    flat = expand_to(p.reshape(flat, shape=(1,) * len(lead) + grid + (depth,)), taken.shape)
    indices = p.gather(flat, best, dim=taken.ndim - 1, message="")
    shape = lead + grid
    return p.reshape(values, shape=shape), p.reshape(indices, shape=shape)


@operation(method=False, namespace="nn.functional")
def fractional_max_pool(input: Tensor, samples: Tensor, kernel_size: tuple, output_size: tuple):
    """Maxima of windows whose places the ``samples`` (N, C, dims) in [0, 1) decide."""
    dims = len(output_size)
    unbatched = input.ndim == dims + 1
    x = p.reshape(input, shape=(1,) + input.shape) if unbatched else input
    rows, spatial = x.shape[0] * x.shape[1], x.shape[2:]
    x = p.reshape(x, shape=(rows,) + spatial)
    for length, size, outputs in zip(spatial, kernel_size, output_size):
        if outputs + size - 1 > length:
            raise RuntimeError(f"fractional_max_pool{dims}d(): pool size {size} too large relative "
                               f"to input size {length}")
    if samples.shape[-1] != dims:
        raise RuntimeError(f"Expect _random_samples.size(2) equals to {dims} got "
                           f"{samples.shape[-1]}")
    samples = cast(p.reshape(samples, shape=(rows, dims)), x.dtype)
    flat = None
    full_grid = (rows,) + tuple(output_size) + tuple(kernel_size)
    for d, (length, size, outputs) in enumerate(zip(spatial, kernel_size, output_size)):
        # PyTorch keeps the samples as (width, height) in two dimensions, (time, height, width)
        # in three.
        column = {2: (1, 0)}.get(dims, tuple(range(dims)))[d]
        u = p.slice(samples, starts=(0, column), stops=(rows, column + 1), steps=(1, 1))
        u = p.expand(u, shape=(rows, outputs))
        place = cast(iota((rows, outputs), 1), x.dtype)
        alpha = (length - size) / (outputs - 1) if outputs > 1 else 0.0
        alpha = full_like(u, alpha)
        start = p.sub(p.trunc(p.mul(p.add(place, u), alpha)), p.trunc(p.mul(u, alpha)))
        start = cast(start, dtypes.int64)
        is_last = p.eq(iota((rows, outputs), 1), full((rows, outputs), outputs - 1, dtypes.int64))
        start = p.where(is_last, full_like(start, length - size), start)
        shape = [rows] + [1] * (2 * dims)
        shape[1 + d] = outputs
        start = p.expand(p.reshape(start, shape=tuple(shape)), shape=full_grid)
        index = p.add(start, iota(full_grid, 1 + dims + d))
        if flat is not None:
            index = p.add(p.mul(flat, full_like(flat, length)), index)
        flat = index
    plane, count, taps = 1, 1, 1
    for length, size, outputs in zip(spatial, kernel_size, output_size):
        plane, count, taps = plane * length, count * outputs, taps * size
    x = p.reshape(x, shape=(rows, plane))
    flat = p.reshape(flat, shape=(rows, count * taps))
    taken = p.reshape(p.gather(x, flat, dim=1, message=""), shape=(rows, count, taps))
    best = p.reshape(p.argmax(taken, dim=2), shape=(rows, count, 1))
    values = p.gather(taken, best, dim=2, message="")
    indices = p.gather(p.reshape(flat, shape=(rows, count, taps)), best, dim=2, message="")
    shape = input.shape[:input.ndim - dims] + tuple(output_size)
    return p.reshape(values, shape=shape), p.reshape(indices, shape=shape)
