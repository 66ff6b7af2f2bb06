"""torch.fft and the short-time Fourier transform, on one primitive: the complex transform.

A real transform takes half of the complex one and its inverse completes the other half, so that
all gradients follow from the primitive's. Loaded when first named.
"""

from __future__ import annotations

import math

from .. import dtypes
from ..graph.ir import Node, full_like, p
from ..graph.primitives.fourier import dft
from ..graph.primitives.movement import slice_dim
from .build import expand_to, normalise_dim, to_float
from .declare import operation

__all__: list[str] = []


def _complex(x: Node) -> Node:
    x = to_float(x)
    if x.dtype in (dtypes.float16, dtypes.bfloat16):
        raise RuntimeError(f"Unsupported dtype {x.dtype.legacy_name}")
    return x if x.dtype.is_complex else p.cast(x, dtype=x.dtype.to_complex())


def _resized(x: Node, dim: int, n: int | None) -> Node:
    """`x` cut, or filled with zeros, to extent n along dim."""
    extent = x.shape[dim]
    if n is None:
        n = extent
    if n < 1:
        raise RuntimeError(f"Invalid number of data points ({n}) specified")
    if n < extent:
        return slice_dim(x, dim, 0, n)
    if n == extent:
        return x
    high = tuple(n - extent if d == dim else 0 for d in range(x.ndim))
    zeros = (0,) * x.ndim
    return p.pad(x, low=zeros, high=high, interior=zeros, value=0)


def _scaled(x: Node, norm: str | None, count: int, inverse: bool) -> Node:
    if norm not in (None, "backward", "forward", "ortho"):
        raise RuntimeError(f'Invalid normalization mode: "{norm}"')
    if norm == "ortho":
        factor = 1 / math.sqrt(count)
    elif (norm == "forward") != inverse:
        factor = 1 / count
    else:
        return x
    return p.mul(x, full_like(x, factor))


def transform(x: Node, sizes, dims, norm: str | None, inverse: bool) -> Node:
    """The complex transform along dims, resized to sizes first."""
    x = _complex(x)
    count = 1
    for dim, n in zip(dims, sizes):
        x = _resized(x, dim, n)
        count *= x.shape[dim]
    return _scaled(dft(x, tuple(dims), inverse), norm, count, inverse)


def half(x: Node, sizes, dims, norm: str | None, inverse: bool = False) -> Node:
    """The transform of a real input, without the half of the last dim that mirrors the rest."""
    if x.dtype.is_complex:
        raise RuntimeError(f"{'ihfft' if inverse else 'rfft'} expects a real input tensor, but got "
                           f"{x.dtype.legacy_name}")
    out = transform(x, sizes, dims, norm, inverse)
    return slice_dim(out, dims[-1], 0, out.shape[dims[-1]] // 2 + 1)


def whole(x: Node, sizes, dims, norm: str | None, inverse: bool = True) -> Node:
    """The real inverse of `half`: completes the mirrored half of the last dim."""
    x = _complex(x)
    last = dims[-1]
    n = sizes[-1] if sizes[-1] is not None else 2 * (x.shape[last] - 1)
    if n < 1:
        raise RuntimeError(f"Invalid number of data points ({n}) specified")
    if len(dims) > 1:
        x = transform(x, sizes[:-1], dims[:-1], norm, inverse)
    x = _resized(x, last, n // 2 + 1)
    mirrored = slice_dim(x, last, 1, (n + 1) // 2)
    if mirrored.shape[last]:
        x = p.concatenate(x, p.conj(p.flip(mirrored, dims=(last,))), dim=last)
    out = _scaled(dft(x, (last,), inverse), norm, n, inverse)
    return p.real(out)


# ---- one dimension -------------------------------------------------------------------------------


def _declare_one(name: str, kind: str, inverse: bool, description: str) -> None:
    def body(input: Tensor, n: int = None, dim: int = -1, norm: str = None):
        if input.ndim == 0:
            raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
        dim = normalise_dim(dim, input.ndim)
        if kind == "complex":
            return transform(input, (n,), (dim,), norm, inverse)
        if kind == "half":
            return half(input, (n,), (dim,), norm, inverse)
        # hfft is the real transform of a Hermitian signal: irfft of the conjugate, unscaled
        given = input if inverse else p.conj(_complex(input))
        if not inverse:
            norm = {None: "forward", "backward": "forward", "forward": "backward"}.get(norm, norm)
        return whole(given, (n,), (dim,), norm)

    body.__name__, body.__doc__ = name, description
    operation(name, namespace="fft", method=False, out=True)(body)


def _declare_ihfft() -> None:
    def body(input: Tensor, n: int = None, dim: int = -1, norm: str = None):
        return half(input, (n,), (normalise_dim(dim, input.ndim),), norm, True)

    body.__name__, body.__doc__ = "ihfft", "The inverse of hfft."
    operation("ihfft", namespace="fft", method=False, out=True)(body)


_declare_one("fft", "complex", False, "The discrete Fourier transform along dim.")
_declare_one("ifft", "complex", True, "The inverse discrete Fourier transform along dim.")
_declare_one("rfft", "half", False, "The Fourier transform of a real signal: its first n/2 + 1.")
_declare_one("irfft", "whole", True, "The inverse of rfft.")
_declare_one("hfft", "whole", False, "The Fourier transform of a Hermitian half: real.")
_declare_ihfft()


# ---- several dimensions -------------------------------------------------------------------------


def _places(input: Node, s, dim):
    """(sizes, dims) for the given `s` and `dim`."""
    if isinstance(dim, int):
        dim = (dim,)
    if isinstance(s, int):
        s = (s,)
    if dim is None:
        dim = range(input.ndim) if s is None else range(input.ndim - len(s), input.ndim)
    dims = tuple(normalise_dim(d, input.ndim) for d in dim)
    if len(set(dims)) != len(dims):
        raise RuntimeError("FFT dims must be unique")
    if s is None:
        return (None,) * len(dims), dims
    if len(s) != len(dims):
        raise RuntimeError("When given, dim and shape arguments must have the same length")
    return tuple(None if n == -1 else n for n in s), dims


def _several(input: Node, s, dim, norm, name: str) -> Node:
    sizes, dims = _places(input, s, dim)
    if name in ("fft", "ifft"):
        return transform(input, sizes, dims, norm, name == "ifft")
    if not dims:
        raise RuntimeError(f"{name}n must transform at least one axis")
    if name == "rfft":
        return half(input, sizes, dims, norm)
    if name == "irfft":
        return whole(input, sizes, dims, norm)
    if name == "hfft":
        turned = {None: "forward", "backward": "forward", "forward": "backward"}.get(norm, norm)
        return whole(p.conj(_complex(input)), sizes, dims, turned)
    if input.dtype.is_complex:
        raise RuntimeError("ihfftn expects a real input tensor, but got "
                           f"{input.dtype.legacy_name}")
    return half(input, sizes, dims, norm, True)


def _declare_several(name: str) -> None:
    def over_two(input: Tensor, s: tuple = None, dim: tuple = (-2, -1), norm: str = None):
        return _several(input, s, dim, norm, name)

    def over_all(input: Tensor, s: tuple = None, dim: tuple = None, norm: str = None):
        return _several(input, s, dim, norm, name)

    for body, suffix in ((over_two, "2"), (over_all, "n")):
        body.__name__ = name + suffix
        body.__doc__ = f"{name} over {'two' if suffix == '2' else 'several'} dimensions."
        operation(name + suffix, namespace="fft", method=False, out=True)(body)


for _name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft"):
    _declare_several(_name)


# ---- rearranging --------------------------------------------------------------------------------


def _declare_shift(name: str, back: bool, description: str) -> None:
    def body(input: Tensor, dim: tuple = None):
        from .shape import roll_node
        dims = (dim,) if isinstance(dim, int) else dim if dim is not None else range(input.ndim)
        out = input
        for d in (normalise_dim(d, input.ndim) for d in dims):
            n = input.shape[d]
            out = roll_node(out, (n + 1) // 2 if back else n // 2, d)
        return out

    body.__name__, body.__doc__ = name, description
    operation(name, namespace="fft", method=False)(body)


_declare_shift("fftshift", False, "The zero frequency moved to the middle.")
_declare_shift("ifftshift", True, "The inverse of fftshift.")


# ---- short-time transforms ----------------------------------------------------------------------


def frames(x: Node, size: int, step: int) -> Node:
    """Windows of `size` every `step` of the last dimension, as rows before it."""
    from .declare import DECLARED
    return DECLARED["_private.unfold"].body(x, x.ndim - 1, size, step)


def window_of(window, n: int, width: int, like: Node) -> Node:
    """The window (ones by default), centred in n places."""
    from .build import full
    if window is None:
        window = full((width,), 1, like.dtype.to_real())
    elif window.ndim != 1 or window.shape[0] != width:
        raise RuntimeError(f"expected a 1D window tensor of size equal to win_length={width}, but "
                           f"got window with size {list(window.shape)}")
    left = (n - width) // 2
    return p.pad(window, low=(left,), high=(n - width - left,), interior=(0,), value=0)


@operation("_stft", namespace="_private")
def stft(input: Tensor, n_fft: int, hop: int, width: int, window: Tensor | None,
         normalized: bool, onesided: bool):
    """Windowed transforms: (…, frequencies, frames), complex."""
    x = input if input.ndim == 2 else p.reshape(input, shape=(1, input.numel))
    if not 0 < n_fft <= x.shape[-1]:
        raise RuntimeError(f"stft({input.dtype}{list(input.shape)}, n_fft={n_fft}, hop_length="
                           f"{hop}, win_length={width}): expected 0 < n_fft <= {x.shape[-1]}, but "
                           f"got n_fft={n_fft}")
    if hop <= 0:
        raise RuntimeError(f"stft: expected hop_length > 0, but got hop_length={hop}")
    if not 0 < width <= n_fft:
        raise RuntimeError(f"stft: expected 0 < win_length <= n_fft, but got win_length={width}")
    cut = frames(x, n_fft, hop)
    shape = window_of(window, n_fft, width, x)
    cut, shape = _complex(cut), _complex(shape)
    if cut.dtype is not shape.dtype:
        shape = p.cast(shape, dtype=cut.dtype)
    cut = p.mul(cut, expand_to(shape, cut.shape))
    out = transform(cut, (None,), (2,), "ortho" if normalized else None, False)
    if onesided:
        out = slice_dim(out, 2, 0, n_fft // 2 + 1)
    out = p.permute(out, dims=(0, 2, 1))
    return out if input.ndim == 2 else p.reshape(out, shape=out.shape[1:])


@operation("_istft", namespace="_private")
def istft(input: Tensor, n_fft: int, hop: int, width: int, window: Tensor | None, center: bool,
          normalized: bool, onesided: bool, length: int, return_complex: bool):
    """The signal whose stft is nearest: overlapped frames over overlapped squared windows."""
    x = input if input.ndim == 3 else p.reshape(input, shape=(1,) + input.shape)
    count = x.shape[2]
    if x.shape[1] != (n_fft // 2 + 1 if onesided else n_fft):
        raise RuntimeError("istft: expected the frequency dimension (3rd to the last) of the input "
                           f"tensor to match n_fft / 2 + 1 when onesided=True, but got "
                           f"{x.shape[1]}")
    x = p.permute(x, dims=(0, 2, 1))
    norm = "ortho" if normalized else None
    cut = whole(x, (n_fft,), (2,), norm) if onesided else transform(x, (None,), (2,), norm, True)
    if not return_complex and cut.dtype.is_complex:
        cut = p.real(cut)
    shape = window_of(window, n_fft, width, input)
    if shape.dtype is not cut.dtype:
        shape = p.cast(shape, dtype=cut.dtype)
    weights = expand_to(shape, (1, count, n_fft))
    total = (count - 1) * hop + n_fft
    signal = _overlapped(p.mul(cut, expand_to(shape, cut.shape)), hop, total)
    envelope = _overlapped(p.mul(weights, weights), hop, total)
    start = n_fft // 2 if center else 0
    stop = start + length if length is not None else total - start
    signal = slice_dim(signal, 1, start, min(stop, total))
    envelope = slice_dim(envelope, 1, start, min(stop, total))
    out = p.div(signal, expand_to(envelope, signal.shape))
    if stop > total:
        out = p.pad(out, low=(0, 0), high=(0, stop - total), interior=(0, 0), value=0)
    return out if input.ndim == 3 else p.reshape(out, shape=out.shape[1:])


def _overlapped(parts: Node, hop: int, total: int) -> Node:
    """Frames (rows, count, size) added up at every `hop`."""
    rows, count, size = parts.shape
    base = full_like(p.reshape(slice_dim(slice_dim(parts, 1, 0, 1), 2, 0, 1), shape=(rows, 1)), 0)
    base = expand_to(base, (rows, total))
    if parts.dtype.is_complex:
        return p.complex(_overlapped(p.real(parts), hop, total),
                         _overlapped(p.imag(parts), hop, total))
    return p.as_strided_scatter(base, parts, mode="add", shape=(rows, count, size),
                                strides=(total, hop, 1), offset=0)
