"""The discrete Fourier transform: one linear call, whose adjoint is the opposite direction."""

from __future__ import annotations

import numpy as np

from ..ir import p
from .external import external

__all__ = ["dft"]


def dft(node, dims: tuple[int, ...], inverse: bool):
    """sum over n of x[n] exp(-+2 pi i k n / N) along dims, unscaled, of a complex node."""
    return p.external(node, call="dft", static=(dims, inverse),
                      result=((node.shape, node.dtype),))


@external("dft", lambda node, g: (dft(g, node.attrs["static"][0], not node.attrs["static"][1]),))
def _dft(static, x):
    dims, inverse = static
    if x.size == 0 or not dims:
        return x
    if inverse:
        return np.fft.ifftn(x, axes=dims, norm="forward").astype(x.dtype)
    return np.fft.fftn(x, axes=dims, norm="backward").astype(x.dtype)
