"""stft, istft and the names of special functions that arrange their arguments first."""

from __future__ import annotations

from . import assemble, fourier, special  # noqa: F401
from .declare import DECLARED

__all__ = ["frexp", "istft", "mvlgamma", "polygamma", "stft"]


def stft(input, n_fft, hop_length=None, win_length=None, window=None, center=True,
         pad_mode="reflect", normalized=False, onesided=None, return_complex=None,
         align_to_window=None):
    """The short-time Fourier transform: (…, frequencies, frames).

    window: (win_length,) or None for ones; center pads by n_fft / 2 on both sides in pad_mode;
    return_complex=False gives real and imaginary parts in a last dimension of 2.
    """
    if input.ndim not in (1, 2):
        raise RuntimeError(f"stft({input.dtype}{list(input.shape)}): expected a 1D or 2D tensor")
    is_complex = input.dtype.is_complex or (window is not None and window.dtype.is_complex)
    if return_complex is None:
        if not is_complex:
            raise RuntimeError("stft requires the return_complex parameter be given for real "
                               "inputs, and will further require that return_complex=True in a "
                               "future PyTorch release.")
        return_complex = True
    if align_to_window is not None and center:
        raise RuntimeError("stft align_to_window should only be set when center = false")
    if center:
        input = _widened(input, n_fft // 2, pad_mode)
    onesided = not is_complex if onesided is None else onesided
    out = DECLARED["_private._stft"].function(
        input, n_fft, n_fft // 4 if hop_length is None else hop_length,
        n_fft if win_length is None else win_length, window, normalized, onesided)
    return out if return_complex else DECLARED["view_as_real"].function(out)


def _widened(input, width, mode):
    """`input` with `width` elements before and behind, as `torch.nn.functional.pad` makes them."""
    from . import nn_spatial  # noqa: F401  (declares them)
    if mode == "constant":
        return DECLARED["_nn.pad_number"].function(input, (width, width), 0.0)
    if mode not in ("reflect", "replicate", "circular"):
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    return DECLARED["_nn.pad_edges"].function(input, (width, width), mode)


def istft(input, n_fft, hop_length=None, win_length=None, window=None, center=True,
          normalized=False, onesided=None, length=None, return_complex=False):
    """The inverse of stft: the signal whose transform is nearest to `input`."""
    if not input.dtype.is_complex:
        raise RuntimeError("istft requires a complex-valued input tensor matching the output from "
                           "stft with return_complex=True.")
    onesided = input.shape[-2] != n_fft if onesided is None else onesided
    return DECLARED["_private._istft"].function(
        input, n_fft, n_fft // 4 if hop_length is None else hop_length,
        n_fft if win_length is None else win_length, window, center, normalized, onesided, length,
        return_complex)


def polygamma(n, input, *, out=None):
    """The n-th derivative of digamma."""
    if hasattr(n, "_fetch"):                # the method: x.polygamma(n)
        n, input = input, n
    found = DECLARED["_private._polygamma"].function(input, n)
    if out is None:
        return found
    out._write_out(found)
    return out


def mvlgamma(input, p, *, out=None):
    """The logarithm of the multivariate gamma function of dimension p."""
    found = DECLARED["_private._mvlgamma"].function(input, p)
    if out is None:
        return found
    out._write_out(found)
    return out


def frexp(input, *, out=None):
    """(mantissas in [0.5, 1), exponents of 2)."""
    found = DECLARED["_private._frexp"].function(input)
    if out is None:
        return found
    for o, f in zip(out, found):
        o._write_out(f)
    return out


IN_PLACE = ("mvlgamma", "polygamma")
