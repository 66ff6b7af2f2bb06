"""Window functions: torch.hann_window and its kin, and torch.signal.windows."""

from __future__ import annotations

import math

import numpy as np

from .. import dtypes
from ..dtypes import default_dtype

__all__ = ["bartlett", "bartlett_window", "blackman", "blackman_window", "cosine", "exponential",
           "gaussian", "general_cosine", "general_hamming", "hamming", "hamming_window", "hann",
           "hann_window", "kaiser", "kaiser_window", "nuttall"]


def _made(values, name: str, dtype, layout, device, requires_grad):
    from ..construct import check_device, check_options, new_array_tensor
    check_device(device)
    check_options(layout)
    kind = dtype or default_dtype()
    if kind.category != 2:
        raise RuntimeError(f"{name} expects floating point dtypes, got: {kind}")
    made = new_array_tensor(np.asarray(values, np.float64).astype(kind.compute), kind)
    return made.requires_grad_() if requires_grad else made


def _places(M: int, sym: bool, name: str) -> tuple[np.ndarray, int]:
    """0 … M - 1, and the extent of the whole period."""
    if M < 0:
        raise ValueError(f"{name} requires non-negative window length, got M={M}")
    return np.arange(M, dtype=np.float64), max(1, M - 1 if sym else M)


# ---- torch.signal.windows -----------------------------------------------------------------------


def general_cosine(M, *, a, sym=True, dtype=None, layout=None, device=None, requires_grad=False):
    """sum of (-1)**k a[k] cos(2 pi k n / (M - 1))."""
    n, period = _places(M, sym, "general_cosine")
    if not isinstance(a, (list, tuple)) or not a:
        raise TypeError("Coefficients must be a list/tuple" if not isinstance(a, (list, tuple))
                        else "Coefficients cannot be empty")
    values = sum((-1) ** k * c * np.cos(2 * math.pi * k * n / period) for k, c in enumerate(a))
    if M == 1:
        values = np.ones(1)
    return _made(values, "general_cosine", dtype, layout, device, requires_grad)


def general_hamming(M, *, alpha=0.54, sym=True, **options):
    """alpha - (1 - alpha) cos(2 pi n / (M - 1))."""
    return general_cosine(M, a=[alpha, 1 - alpha], sym=sym, **options)


def hamming(M, *, sym=True, **options):
    """The Hamming window."""
    return general_hamming(M, sym=sym, **options)


def hann(M, *, sym=True, **options):
    """The Hann window."""
    return general_hamming(M, alpha=0.5, sym=sym, **options)


def blackman(M, *, sym=True, **options):
    """The Blackman window."""
    return general_cosine(M, a=[0.42, 0.5, 0.08], sym=sym, **options)


def nuttall(M, *, sym=True, **options):
    """Nuttall's minimum four-term Blackman-Harris window."""
    return general_cosine(M, a=[0.3635819, 0.4891775, 0.1365995, 0.0106411], sym=sym, **options)


def bartlett(M, *, sym=True, dtype=None, layout=None, device=None, requires_grad=False):
    """The triangular window that begins and ends with 0."""
    n, period = _places(M, sym, "bartlett")
    values = np.ones(M) if M == 1 else 1 - np.abs(2 * n / period - 1)
    return _made(values, "bartlett", dtype, layout, device, requires_grad)


def cosine(M, *, sym=True, dtype=None, layout=None, device=None, requires_grad=False):
    """sin(pi (n + 1/2) / M)."""
    n, period = _places(M, sym, "cosine")
    whole = M if sym else M + 1
    return _made(np.sin(math.pi * (n + 0.5) / max(1, whole)), "cosine", dtype, layout, device,
                 requires_grad)


def exponential(M, *, center=None, tau=1.0, sym=True, dtype=None, layout=None, device=None,
                requires_grad=False):
    """exp(-|n - center| / tau)."""
    n, period = _places(M, sym, "exponential")
    if tau <= 0:
        raise ValueError(f"Tau must be positive, got: {tau} instead.")
    if sym and center is not None:
        raise ValueError("Center must be None for symmetric windows")
    middle = (M - 1 if sym and M > 1 else M) / 2 if center is None else center
    if center is None and M == 1:
        middle = 0.0
    return _made(np.exp(-np.abs(n - middle) / tau), "exponential", dtype, layout, device,
                 requires_grad)


def gaussian(M, *, std=1.0, sym=True, dtype=None, layout=None, device=None, requires_grad=False):
    """exp(-(n - middle)**2 / (2 std**2))."""
    n, period = _places(M, sym, "gaussian")
    if std <= 0:
        raise ValueError(f"Standard deviation must be positive, got: {std} instead.")
    middle = (M - 1 if sym else M) / 2
    if M == 1:
        middle = 0.0
    return _made(np.exp(-((n - middle) / std) ** 2 / 2), "gaussian", dtype, layout, device,
                 requires_grad)


def kaiser(M, *, beta=12.0, sym=True, dtype=None, layout=None, device=None, requires_grad=False):
    """I0(beta sqrt(1 - (2 n / (M - 1) - 1)**2)) / I0(beta)."""
    n, period = _places(M, sym, "kaiser")
    if beta < 0:
        raise ValueError(f"beta must be non-negative, got: {beta} instead.")
    inside = np.maximum(0.0, 1 - (2 * n / period - 1) ** 2)
    values = np.ones(M) if M == 1 else np.i0(beta * np.sqrt(inside)) / np.i0(float(beta))
    return _made(values, "kaiser", dtype, layout, device, requires_grad)


# ---- the older names in torch, periodic by default ----------------------------------------------


def _older(name: str, window, **defaults):
    def function(window_length, periodic=True, *coefficients, dtype=None, layout=None, device=None,
                 pin_memory=False, requires_grad=False, **named):
        chosen = dict(defaults)
        chosen.update(zip(defaults, coefficients))
        chosen.update(named)
        if window_length < 0:
            raise RuntimeError(f"{name} requires non-negative window_length, got window_length="
                               f"{window_length}")
        if (dtype or default_dtype()) not in (dtypes.float32, dtypes.float64, dtypes.float16,
                                              dtypes.bfloat16):
            raise RuntimeError(f"{name} expects floating point dtypes, got: {dtype}")
        return window(window_length, chosen, sym=not periodic, dtype=dtype, layout=layout,
                      device=device, requires_grad=requires_grad)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"The window of torch.signal.windows.{name.removesuffix('_window')}."
    return function


bartlett_window = _older("bartlett_window", lambda n, c, **o: bartlett(n, **o))
blackman_window = _older("blackman_window", lambda n, c, **o: blackman(n, **o))
hann_window = _older("hann_window", lambda n, c, **o: hann(n, **o))
hamming_window = _older(
    "hamming_window", lambda n, c, **o: general_cosine(n, a=[c["alpha"], c["beta"]], **o),
    alpha=0.54, beta=0.46)
kaiser_window = _older("kaiser_window", lambda n, c, **o: kaiser(n, beta=c["beta"], **o),
                       beta=12.0)
