"""Padding, interpolation and sampling; index and weight tables are made once per geometry."""
import functools
import math
import warnings

import numpy as np

import flambeau
from flambeau.ops import nn_spatial as ops

from .pooling import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d

channel_shuffle = native_channel_shuffle = ops.channel_shuffle
pixel_shuffle = ops.pixel_shuffle
pixel_unshuffle = ops.pixel_unshuffle


def pad(input, pad, mode="constant", value=None):
    """``input`` with borders: ``pad`` is (low, high) of the last dimension, then the one before.

    Modes are ``constant`` (with ``value``, 0 by default), ``reflect``, ``replicate`` and
    ``circular``.

    >>> import flambeau as torch
    >>> torch.nn.functional.pad(torch.ones(2), (1, 2))
    tensor([0., 1., 1., 0., 0.])
    """
    if not isinstance(input, flambeau.Tensor):
        raise TypeError("pad(): argument 'input' (position 1) must be Tensor, not "
                        f"{type(input).__name__}")
    if not isinstance(pad, (tuple, list)):
        raise TypeError("pad(): argument 'pad' (position 2) must be tuple of ints, not "
                        f"{type(pad).__name__}")
    for place, n in enumerate(pad):
        if not hasattr(n, "__index__"):
            raise TypeError("pad(): argument 'pad' (position 2) must be tuple of ints, but found "
                            f"element of type {type(n).__name__} at pos {place}")
    pad = tuple(int(n) for n in pad)
    if mode == "constant":
        return ops.pad_number(input, pad, 0.0 if value is None else float(value))
    if value is not None and value != 0:
        raise RuntimeError(f'Padding mode "{mode}" doesn\'t take in value argument')
    if len(pad) % 2:
        raise RuntimeError("Padding length must be divisible by 2")
    dims = len(pad) // 2
    if mode not in ("reflect", "replicate", "circular"):
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    if dims not in (1, 2, 3) or input.dim() not in (dims + 1, dims + 2):
        raise NotImplementedError(
            f"Padding size {len(pad)} is not supported for {input.dim()}D input tensor.\n"
            "Supported combinations for non-constant padding:\n"
            "  - 2D or 3D input: padding size = 2 (pads last dimension)\n"
            "  - 3D or 4D input: padding size = 4 (pads last 2 dimensions)\n"
            "  - 4D or 5D input: padding size = 6 (pads last 3 dimensions)"
        )
    return ops.pad_edges(input, pad, mode)


# ---- interpolation ----

_MODES = {
    "nearest": None, "nearest-exact": None, "area": None, "linear": 3, "bilinear": 4,
    "bicubic": 4, "trilinear": 5, "lanczos": 4,
}
_SUPPORTED = (
    "nearest | linear | bilinear | bicubic | trilinear | lanczos | area | nearest-exact"
)


def interpolate(
    input, size=None, scale_factor=None, mode="nearest", align_corners=None,
    recompute_scale_factor=None, antialias=False,
):
    """Resize the spatial dimensions of ``(N, C, …)``.

    Args:
        size, scale_factor: the new size, or the factor, per dimension or for all; one of them.
        mode: ``nearest``, ``nearest-exact``, ``linear``, ``bilinear``, ``bicubic``,
            ``trilinear`` or ``area``.
        align_corners: whether corner elements keep their place.
        recompute_scale_factor: use the factor that follows from the rounded size.
        antialias: filter before shrinking (bilinear and bicubic).

    >>> import flambeau as torch
    >>> x = torch.tensor([[[0.0, 1.0]]])
    >>> torch.nn.functional.interpolate(x, scale_factor=2)
    tensor([[[0., 0., 1., 1.]]])
    """
    if mode in ("nearest", "area", "nearest-exact"):
        if align_corners is not None:
            raise ValueError(
                "align_corners option can only be set with the interpolating modes: "
                "linear | bilinear | bicubic | trilinear"
            )
    align_corners = bool(align_corners)
    sizes, factors = _target(input, size, scale_factor, recompute_scale_factor, mode)
    if antialias and not (mode in ("bilinear", "bicubic", "lanczos") and input.dim() == 4):
        raise ValueError(
            "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires "
            "a 4-D tensor as input"
        )
    if input.dim() not in (3, 4, 5) or mode not in _MODES:
        raise NotImplementedError(
            f"Input Error: Only 3D, 4D and 5D input Tensors supported (got {input.dim()}D) for "
            f"the modes: {_SUPPORTED} (got {mode})"
        )
    wanted = _MODES[mode]
    if wanted is not None and input.dim() != wanted:
        raise NotImplementedError(
            f"Got {input.dim()}D input, but {mode} mode needs {wanted}D input"
        )
    if mode == "lanczos":
        if align_corners:
            raise ValueError("Lanczos mode does not support align_corners=True")
        if not antialias:
            raise ValueError("Lanczos mode requires antialias=True")
    if min(sizes) <= 0:
        raise RuntimeError(
            "Input and output sizes should be greater than 0, but got input "
            f"{list(input.shape[2:])} output {list(sizes)}"
        )
    if mode == "area":
        pools = {3: adaptive_avg_pool1d, 4: adaptive_avg_pool2d, 5: adaptive_avg_pool3d}
        return pools[input.dim()](input, sizes)
    geometry = list(zip(input.shape[2:], sizes, factors))
    # positions and weights have the input's precision
    real = np.float64 if input.dtype is flambeau.float64 else np.float32
    if antialias:
        matrices = [_filter_matrix(mode, align_corners, real, *each) for each in geometry]
        return ops.resample_by_matrices(input, matrices)
    tables = [_taps(mode, align_corners, real, *each) for each in geometry]
    weights = [] if mode.startswith("nearest") else [table[1] for table in tables]
    return ops.resample_by_taps(input, [table[0] for table in tables], weights)


def _target(input, size, scale_factor, recompute, mode):
    """The output sizes, and the factors that positions are computed with (None: from sizes)."""
    dims = input.dim() - 2
    spatial = list(input.shape[2:])
    if size is not None and scale_factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    if size is None and scale_factor is None:
        raise ValueError("either size or scale_factor should be defined")
    if size is not None:
        if recompute:
            raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
        if not isinstance(size, (list, tuple)):
            return [int(size)] * dims, [None] * dims
        if len(size) != dims:
            raise ValueError(
                "Input and output must have the same number of spatial dimensions, but got input "
                f"with spatial dimensions of {spatial} and output size of {size}. Please provide "
                "input tensor in (N, C, d1, d2, ...,dK) format and output size in "
                "(o1, o2, ...,oK) format."
            )
        return [int(n) for n in size], [None] * dims
    if isinstance(scale_factor, (list, tuple)):
        if len(scale_factor) != dims:
            raise ValueError(
                "Input and scale_factor must have the same number of spatial dimensions, but got "
                f"input with spatial dimensions of {spatial} and scale_factor of shape "
                f"{scale_factor}. Please provide input tensor in (N, C, d1, d2, ...,dK) format "
                "and scale_factor in (s1, s2, ...,sK) format."
            )
        factors = [float(factor) for factor in scale_factor]
    else:
        factors = [float(scale_factor)] * dims
    sizes = [math.floor(n * factor) for n, factor in zip(spatial, factors)]
    if recompute or mode == "area":
        factors = [None] * dims
    return sizes, factors


def _step(inputs, outputs, factor, align_corners):
    """The distance between output positions, in inputs."""
    if align_corners:
        return (inputs - 1) / (outputs - 1) if outputs > 1 else 0.0
    return 1.0 / factor if factor else inputs / outputs


def _positions(inputs, outputs, factor, align_corners, cubic, real):
    step = real(_step(inputs, outputs, factor, align_corners))
    places = np.arange(outputs, dtype=real)
    if align_corners:
        return places * step
    source = step * (places + real(0.5)) - real(0.5)
    return source if cubic else np.maximum(source, real(0))


def _cubic_weights(fraction):
    a = fraction.dtype.type(-0.75)

    def near(x):
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x):
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    return [far(fraction + 1), near(fraction), near(1 - fraction), far(2 - fraction)]


@functools.lru_cache(maxsize=256)
def _taps(mode, align_corners, real, inputs, outputs, factor):
    """Tables (outputs, taps) of input places and of their weights."""
    if mode.startswith("nearest"):
        step = np.float32(_step(inputs, outputs, factor, False))
        shift = np.float32(0.5 if mode == "nearest-exact" else 0.0)
        places = np.floor((np.arange(outputs, dtype=np.float32) + shift) * step)
        places = np.minimum(places.astype(np.int64), inputs - 1)[:, None]
        return flambeau.from_numpy(places), None
    cubic = mode == "bicubic"
    source = _positions(inputs, outputs, factor, align_corners, cubic, real)
    base = np.floor(source)
    fraction = (source - base).astype(real)
    base = base.astype(np.int64)
    if cubic:
        places = np.stack([base + i - 1 for i in range(4)], 1)
        weights = np.stack(_cubic_weights(fraction), 1)
    else:
        base = np.minimum(base, inputs - 1)
        places = np.stack([base, base + 1], 1)
        weights = np.stack([1 - fraction, fraction], 1)
    places = np.clip(places, 0, inputs - 1)
    return flambeau.from_numpy(places), flambeau.from_numpy(weights.astype(real))


def _triangle(x):
    return np.maximum(0, 1 - np.abs(x))


def _cubic_filter(x):
    a, x = -0.5, np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def _lanczos(x):
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


_FILTERS = {"bilinear": (_triangle, 2), "bicubic": (_cubic_filter, 4), "lanczos": (_lanczos, 6)}


@functools.lru_cache(maxsize=256)
def _filter_matrix(mode, align_corners, real, inputs, outputs, factor):
    """The matrix (outputs, inputs) of an antialiased resize."""
    function, width = _FILTERS[mode]
    step = _step(inputs, outputs, factor, align_corners)
    support = width / 2 * step if step >= 1 else width / 2
    inverse = 1 / step if step >= 1 else 1.0
    matrix = np.zeros((outputs, inputs), np.float64)
    for i in range(outputs):
        centre = step * (i + 0.5)
        low = max(int(centre - support + 0.5), 0)
        high = min(int(centre + support + 0.5), inputs)
        weights = function((np.arange(low, high) - centre + 0.5) * inverse)
        matrix[i, low:high] = weights / weights.sum()
    return flambeau.from_numpy(matrix.astype(real))


def upsample(input, size=None, scale_factor=None, mode="nearest", align_corners=None):
    """Deprecated name of :func:`interpolate`."""
    warnings.warn(
        "`nn.functional.upsample` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=2,
    )
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input, size=None, scale_factor=None):
    """Deprecated: ``interpolate`` with ``mode="nearest"``."""
    warnings.warn(
        "`nn.functional.upsample_nearest` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=2,
    )
    return interpolate(input, size, scale_factor, mode="nearest")


def upsample_bilinear(input, size=None, scale_factor=None):
    """Deprecated: ``interpolate`` with ``mode="bilinear"`` and aligned corners."""
    warnings.warn(
        "`nn.functional.upsample_bilinear` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=2,
    )
    return interpolate(input, size, scale_factor, mode="bilinear", align_corners=True)


# ---- sampling ----

_ALIGN_WARNING = (
    "Default grid_sample and affine_grid behavior has changed to align_corners=False since 1.3.0. "
    "Please specify align_corners=True if the old behavior is desired. See the documentation of "
    "grid_sample for details."
)


def grid_sample(input, grid, mode="bilinear", padding_mode="zeros", align_corners=None):
    """``input`` (N, C, H, W) read at the positions ``grid`` (N, H_out, W_out, 2) in [-1, 1].

    Modes ``bilinear``, ``nearest`` and ``bicubic``; outside are ``zeros``, the ``border`` or a
    ``reflection``.  Volumes (N, C, D, H, W) have grids with three coordinates (x, y, z).

    Reference: Jaderberg et al., 2015, https://arxiv.org/abs/1506.02025.
    """
    if mode not in ("bilinear", "nearest", "bicubic"):
        raise ValueError(
            "nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', "
            f"but got: '{mode}'"
        )
    if padding_mode not in ("zeros", "border", "reflection"):
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or "
            f"'reflection', but got: '{padding_mode}'"
        )
    if align_corners is None:
        warnings.warn(_ALIGN_WARNING, stacklevel=2)
    return ops.grid_sample(input, grid, mode, padding_mode, bool(align_corners))


def affine_grid(theta, size, align_corners=None):
    """The grid for :func:`grid_sample` that applies the affine maps ``theta`` (N, 2, 3)."""
    if align_corners is None:
        warnings.warn(_ALIGN_WARNING, stacklevel=2)
    if not theta.is_floating_point():
        raise ValueError(f"Expected theta to have floating point type, but got {theta.dtype}")
    size = tuple(int(n) for n in size)
    if len(size) not in (4, 5):
        raise NotImplementedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, "
            f"respectively. Got size {size}."
        )
    dims = len(size) - 2
    if theta.dim() != 3 or tuple(theta.shape[1:]) != (dims, dims + 1):
        raise ValueError(
            f"Expected a batch of {dims}D affine matrices of shape Nx{dims}x{dims + 1} for size "
            f"{size}. Got {theta.shape}."
        )
    if min(size) <= 0:
        raise ValueError(f"Expected non-zero, positive output size. Got {size}")
    if align_corners and min(size[2:]) == 1:
        warnings.warn(
            "Since version 1.3.0, affine_grid behavior has changed for unit-size grids when "
            "align_corners=True. This is not an intended use case of affine_grid. See the "
            "documentation of affine_grid for details.",
            stacklevel=2,
        )
    base = _base_grid(size[2:], bool(align_corners)).to(theta.dtype)
    grid = flambeau.matmul(base.unsqueeze(0), theta.transpose(1, 2))
    return grid.reshape(size[0], *size[2:], dims)


@functools.lru_cache(maxsize=64)
def _base_grid(spatial, align_corners):
    """Homogeneous coordinates (points, dims + 1) of an untransformed grid, x first."""
    axes = []
    for n in spatial:
        axis = np.linspace(-1, 1, n) if n > 1 else np.zeros(1)
        axes.append(axis if align_corners else axis * (n - 1) / n)
    mesh = np.meshgrid(*axes, indexing="ij")[::-1]
    columns = [m.reshape(-1) for m in mesh] + [np.ones(math.prod(spatial))]
    return flambeau.from_numpy(np.stack(columns, 1).astype(np.float32))
