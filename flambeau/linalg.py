"""torch.linalg: matrices and what can be done with them. Declared in ops/linalg*.py."""

from __future__ import annotations

from .graph.primitives.external import LinAlgError  # noqa: F401
from .ops import composed as _composed  # noqa: F401
from .ops.declare import DECLARED as _DECLARED
from .ops.solvers import cond, lstsq, matrix_rank, pinv  # noqa: F401
from .ops.solvers import linalg_lu_solve as lu_solve  # noqa: F401

for _name, _declaration in _DECLARED.items():
    if _declaration.namespace == "linalg" and not _declaration.name.startswith("_"):
        globals()[_declaration.name] = _declaration.function
matmul = _DECLARED["matmul"].function


def vander(x, *, N=None):
    """Vandermonde matrices of the last dimension: powers 0 to N - 1."""
    x = x if x.ndim else x.reshape(1)
    n = x.shape[-1] if N is None else N
    if n <= 1:
        raise RuntimeError(f"N must be greater than 1. It is {n}")
    return _DECLARED["_private._vander"].function(x, n, True)


_functions = {n for n in globals() if not n.startswith("_")} - {"annotations"}
__all__ = sorted(_functions)
del _name, _declaration

from ._missing import raise_missing  # noqa: E402

__getattr__ = raise_missing(__name__)
