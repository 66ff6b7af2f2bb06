"""torch.fft: discrete Fourier transforms. Declared in ops/fourier.py."""

from __future__ import annotations

import numpy as _np

from .ops import fourier as _fourier  # noqa: F401
from .ops.declare import DECLARED as _DECLARED

for _name, _declaration in _DECLARED.items():
    if _declaration.namespace == "fft":
        globals()[_declaration.name] = _declaration.function


def _frequencies(name: str, make):
    def function(n, d=1.0, *, out=None, dtype=None, layout=None, device=None,
                 requires_grad=False):
        from .construct import check_device, new_array_tensor
        from .dtypes import default_dtype
        check_device(device)
        kind = dtype or default_dtype()
        made = new_array_tensor(make(n, d).astype(kind.compute), kind)
        if out is not None:
            out._write_out(made)
            return out
        return made.requires_grad_() if requires_grad else made

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"The frequencies of {name[:-4]} for n samples d apart."
    return function


fftfreq = _frequencies("fftfreq", _np.fft.fftfreq)
rfftfreq = _frequencies("rfftfreq", _np.fft.rfftfreq)
__all__ = sorted({n for n in globals() if not n.startswith("_")} - {"annotations"})
del _name, _declaration

from ._missing import raise_missing  # noqa: E402

__getattr__ = raise_missing(__name__)
