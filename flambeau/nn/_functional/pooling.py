"""Pooling functions of one, two and three dimensions, generated from one form each."""
import flambeau
from flambeau.ops import nn_pool as ops

from .._sizes import _list_with_default, _ntuple


def _max_pool(dims):
    name = f"max_pool{dims}d"

    def pool(
        input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False,
        return_indices=False,
    ):
        operation = ops.max_pool_with_indices if return_indices else ops.max_pool
        return operation(input, dims, kernel_size, stride, padding, dilation, ceil_mode)

    def with_indices(
        input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False,
        return_indices=False,
    ):
        return ops.max_pool_with_indices(
            input, dims, kernel_size, stride, padding, dilation, ceil_mode
        )

    _name(pool, name, f"The maximum of each window over {dims} dimension(s); see MaxPool{dims}d.")
    _name(with_indices, f"{name}_with_indices", f"``{name}`` and the places of the maxima.")
    return pool, with_indices


def _name(function, name, doc):
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc


max_pool1d, max_pool1d_with_indices = _max_pool(1)
max_pool2d, max_pool2d_with_indices = _max_pool(2)
max_pool3d, max_pool3d_with_indices = _max_pool(3)


def avg_pool1d(
    input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True
):
    """The mean of each window of ``(N, C, L)``; see :class:`flambeau.nn.AvgPool1d`."""
    return ops.avg_pool(
        input, 1, kernel_size, stride, padding, ceil_mode, bool(count_include_pad), None
    )


def _avg_pool(dims):
    def pool(
        input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True,
        divisor_override=None,
    ):
        return ops.avg_pool(
            input, dims, kernel_size, stride, padding, ceil_mode, bool(count_include_pad),
            divisor_override,
        )

    _name(pool, f"avg_pool{dims}d", f"The mean of each window; see AvgPool{dims}d.")
    return pool


avg_pool2d = _avg_pool(2)
avg_pool3d = _avg_pool(3)


def _lp_pool(dims):
    def pool(input, norm_type, kernel_size, stride=None, ceil_mode=False):
        return ops.lp_pool(input, dims, norm_type, kernel_size, stride, ceil_mode)

    _name(pool, f"lp_pool{dims}d", "``(sum x^p)^(1/p)`` of each window.")
    return pool


lp_pool1d, lp_pool2d, lp_pool3d = map(_lp_pool, (1, 2, 3))


# ---- adaptive ----


def _output_size(output_size, input, dims, name):
    """``output_size`` as a tuple; None keeps the input's size."""
    sizes = _ntuple(dims)(output_size)
    if len(sizes) != dims:
        raise RuntimeError(f"{name}: output_size must be {dims}")
    if dims > 1 and not isinstance(output_size, int):
        sizes = _list_with_default(sizes, input.shape)
    return tuple(int(size) for size in sizes)


def _adaptive_avg(dims):
    name = f"adaptive_avg_pool{dims}d"

    def pool(input, output_size):
        return ops.adaptive_avg_pool(input, _output_size(output_size, input, dims, name))

    _name(pool, name, f"Means over windows that give ``output_size``; see AdaptiveAvgPool{dims}d.")
    return pool


adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = map(_adaptive_avg, (1, 2, 3))


def _adaptive_max(dims):
    name = f"adaptive_max_pool{dims}d"

    def pool(input, output_size, return_indices=False):
        sizes = _output_size(output_size, input, dims, name)
        found = ops.adaptive_max_pool(input, sizes)
        return found if return_indices else found[0]

    def with_indices(input, output_size, return_indices=False):
        return ops.adaptive_max_pool(input, _output_size(output_size, input, dims, name))

    _name(pool, name, f"Maxima over windows that give ``output_size``; see AdaptiveMaxPool{dims}d.")
    _name(with_indices, f"{name}_with_indices", f"``{name}`` and the places of the maxima.")
    return pool, with_indices


adaptive_max_pool1d, adaptive_max_pool1d_with_indices = _adaptive_max(1)
adaptive_max_pool2d, adaptive_max_pool2d_with_indices = _adaptive_max(2)
adaptive_max_pool3d, adaptive_max_pool3d_with_indices = _adaptive_max(3)


# ---- unpooling ----


def _unpool_size(input, kernel_size, stride, padding, output_size):
    """The size before pooling; one that a caller asks for must be possible."""
    dims = len(kernel_size)
    spatial = input.shape[-dims:]
    default = tuple(
        (length - 1) * stride[d] + kernel_size[d] - 2 * padding[d]
        for d, length in enumerate(spatial)
    )
    if output_size is None:
        return default
    output_size = tuple(output_size)
    if len(output_size) == dims + 2:
        output_size = output_size[2:]
    if len(output_size) != dims:
        raise ValueError(
            f"output_size should be a sequence containing {dims} or {dims + 2} elements, but it "
            f"has a length of '{len(output_size)}'"
        )
    for d, size in enumerate(output_size):
        low, high = default[d] - stride[d], default[d] + stride[d]
        if not low < size < high:
            raise ValueError(
                f'invalid output_size "{output_size}" (dim {d} must be between {low} and {high})'
            )
    return output_size


def _unpool(dims):
    spread = _ntuple(dims)

    def unpool(input, indices, kernel_size, stride=None, padding=0, output_size=None):
        kernel_size = spread(kernel_size)
        stride = kernel_size if stride is None else spread(stride)
        size = _unpool_size(input, kernel_size, stride, spread(padding), output_size)
        return ops.max_unpool(input, indices, size)

    _name(unpool, f"max_unpool{dims}d", "Values put back to the places of maxima, zeros elsewhere.")
    return unpool


max_unpool1d, max_unpool2d, max_unpool3d = map(_unpool, (1, 2, 3))


# ---- fractional ----


def _fractional(dims):
    spread = _ntuple(dims)
    name = f"fractional_max_pool{dims}d"

    def with_indices(
        input, kernel_size, output_size=None, output_ratio=None, return_indices=False,
        _random_samples=None,
    ):
        if output_size is None and output_ratio is None:
            raise ValueError(f"{name} requires specifying either an output_size or an output_ratio")
        if output_size is None:
            if isinstance(output_ratio, float) and output_ratio > 1:
                raise ValueError(f"{name}: output_ratio must be less than 1, got {output_ratio}")
            ratios = spread(output_ratio)
            output_size = [int(n * r) for n, r in zip(input.shape[-dims:], ratios)]
        if _random_samples is None:
            batch = 1 if input.dim() == dims + 1 else input.size(0)
            channels = input.size(-dims - 1)
            _random_samples = flambeau.rand(batch, channels, dims, dtype=input.dtype)
        return ops.fractional_max_pool(
            input, _random_samples, spread(kernel_size), tuple(spread(output_size))
        )

    def pool(
        input, kernel_size, output_size=None, output_ratio=None, return_indices=False,
        _random_samples=None,
    ):
        found = with_indices(
            input, kernel_size, output_size, output_ratio, return_indices, _random_samples
        )
        return found if return_indices else found[0]

    _name(pool, name, f"Maxima of randomly placed windows; see FractionalMaxPool{dims}d.")
    _name(with_indices, f"{name}_with_indices", f"``{name}`` and the places of the maxima.")
    return pool, with_indices


fractional_max_pool2d, fractional_max_pool2d_with_indices = _fractional(2)
fractional_max_pool3d, fractional_max_pool3d_with_indices = _fractional(3)
