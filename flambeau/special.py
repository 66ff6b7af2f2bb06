"""torch.special: functions of mathematical physics and statistics. Declared in ops/."""

from __future__ import annotations

from .ops import special as _special  # noqa: F401
from .ops.declare import DECLARED as _DECLARED
from .ops.spectral import mvlgamma as multigammaln  # noqa: F401
from .ops.spectral import polygamma  # noqa: F401

for _declaration in _DECLARED.values():
    if _declaration.namespace == "special":
        globals()[_declaration.name] = _declaration.function
    elif not _declaration.namespace:
        for _alias in _declaration.aliases:
            if _alias.startswith("special_"):
                globals()[_alias.removeprefix("special_")] = _declaration.function

# the same functions as in torch
softmax, log_softmax = _DECLARED["softmax"].function, _DECLARED["log_softmax"].function
logsumexp, xlogy, round = (_DECLARED[n].function for n in ("logsumexp", "xlogy", "round"))
__all__ = sorted({n for n in globals() if not n.startswith("_")} - {"annotations"})
del _declaration, _alias

from ._missing import raise_missing  # noqa: E402

__getattr__ = raise_missing(__name__)
