"""Names of torch and methods of Tensor whose modules are loaded when first used.

Declaring an operation takes about 0.1 ms; ``import flambeau`` leaves out those that few programs
use. tests/ops/test_declared.py checks that the tables below are complete.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["DEFERRED", "METHODS", "defer_methods", "find"]

# module -> names of torch
DEFERRED = {
    "ops.scans": "cummax cummin cumulative_trapezoid diff logcumsumexp trapezoid trapz",
    "ops.statistics": "corrcoef cov mode nanquantile quantile",
    "ops.assemble": """as_strided_scatter cdist combinations cross diagflat diagonal_scatter dist
        dsplit hsplit index_reduce inner kron put renorm select_scatter slice_scatter vdot
        view_as_complex view_as_real vsplit""",
    "ops.composed": """alias_copy as_strided_copy atleast_1d atleast_2d atleast_3d block_diag
        cartesian_prod constant_pad_nd detach_copy diagonal_copy empty_permuted empty_strided
        expand_copy fill gradient histogram histogramdd nanmedian narrow_copy nonzero_static
        permute_copy ravel resolve_conj resolve_neg select_copy split_copy split_with_sizes
        split_with_sizes_copy squeeze_copy t_copy transpose_copy tril_indices triu_indices
        unbind_copy unfold_copy unravel_index unsafe_chunk unsafe_split unsqueeze_copy vander
        view_as_complex_copy view_as_real_copy view_copy""",
    "ops.special": "i0 igamma igammac ldexp logaddexp2",
    "ops.spectral": "frexp istft mvlgamma polygamma stft",
    "ops.linalg": """cholesky_inverse cholesky_solve geqrf lu_unpack ormqr triangular_solve""",
    "ops.solvers": """chain_matmul cholesky det inverse logdet lu lu_solve matrix_exp matrix_power
        pca_lowrank pinverse qr slogdet svd svd_lowrank""",
    "ops.windows": """bartlett_window blackman_window hamming_window hann_window kaiser_window""",
}

# module -> methods of Tensor (those declared with an in-place form have that, too)
METHODS = {
    "ops.scans": "cummax cummin diff logcumsumexp",
    "ops.statistics": "corrcoef cov mode nanquantile quantile",
    "ops.assemble": """as_strided_scatter cross diagflat diagonal_scatter dist dsplit hsplit
        index_reduce index_reduce_ inner kron put put_ renorm renorm_ select_scatter slice_scatter
        vdot vsplit""",
    "ops.composed": "histogram nanmedian narrow_copy nonzero_static unsafe_chunk unsafe_split",
    "ops.special": "i0 i0_ igamma igamma_ igammac igammac_ ldexp ldexp_ logaddexp2 logaddexp2_",
    "ops.spectral": "frexp istft mvlgamma mvlgamma_ polygamma polygamma_ stft",
    "ops.linalg": "cholesky_inverse cholesky_solve geqrf ormqr triangular_solve",
    "ops.solvers": """cholesky det inverse logdet lu lu_solve matrix_exp matrix_power pinverse qr
        slogdet svd""",
}

_module_of = {name: module for module, names in DEFERRED.items() for name in names.split()}


def find(name: str) -> Any:
    """The function that ``torch.<name>`` means, or None."""
    module = _module_of.get(name)
    if module is None:
        return None
    loaded = import_module(f".{module}", __package__)
    if hasattr(loaded, name):
        return getattr(loaded, name)
    from .ops.declare import DECLARED
    for declaration in DECLARED.values():
        if not declaration.namespace and name in (declaration.name, *declaration.aliases):
            return declaration.function
    raise AttributeError(f"{module} does not declare {name}")


def _load_methods(tensor_class, module: str) -> None:
    """Replace the stand-ins of a module by its methods."""
    from .methods import attach, in_place_form
    from .ops.declare import DECLARED
    loaded = import_module(f".{module}", __package__)
    names = METHODS[module].split()
    for name in names:
        delattr(tensor_class, name)
    for declaration in list(DECLARED.values()):
        if declaration.name in names:
            attach(declaration)
    for name in names:
        if name not in tensor_class.__dict__:
            plain = name.removesuffix("_")
            function = getattr(loaded, plain)
            setattr(tensor_class, name, function if plain == name
                    else in_place_form(function, plain))


def _stand_in(tensor_class, module: str, name: str):
    def method(self, *given, **options):
        if tensor_class.__dict__[name] is method:
            _load_methods(tensor_class, module)
        return getattr(self, name)(*given, **options)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"See torch.{name.removesuffix('_')}."
    return method


def defer_methods(tensor_class) -> None:
    """Give `tensor_class` stand-ins for the methods whose modules are not loaded."""
    for module, names in METHODS.items():
        for name in names.split():
            setattr(tensor_class, name, _stand_in(tensor_class, module, name))
