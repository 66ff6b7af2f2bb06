"""Flambeau: PyTorch's API, recorded and compiled.

    import flambeau as torch

This module is the torch namespace. Operations come from the declarations in ``ops``; the heavier
packages (``nn``, ``optim``, ``utils``, ``vision`` …) are loaded when first named.
"""

from __future__ import annotations

import importlib
import math as _math
import sys as _sys

if _sys.argv[:1] == ["-m"]:  # Python is on its way to run a module, perhaps this one
    from . import _starting as _starting  # before all that a file of the user's could stand for

if not getattr(_sys, "_is_gil_enabled", lambda: True)():
    raise ImportError("Flambeau needs Python's global interpreter lock: it counts references to "
                      "know which results are in use. On a free-threaded Python set PYTHON_GIL=1 "
                      "(or start it with -X gil=1), or take the usual build")

from . import dtypes as _dtypes
from .dtypes import (Size, device, dtype, finfo, iinfo, layout, memory_format, promote_types)

__version__ = "2.13.0+flambeau.0.1.0"

float32 = float = _dtypes.float32
float64 = double = _dtypes.float64
float16 = half = _dtypes.float16
bfloat16 = _dtypes.bfloat16
uint8 = _dtypes.uint8
int8 = _dtypes.int8
int16 = short = _dtypes.int16
int32 = int = _dtypes.int32
int64 = long = _dtypes.int64
bool = _dtypes.bool_
complex64 = cfloat = _dtypes.complex64
complex128 = cdouble = _dtypes.complex128
strided, sparse_coo, sparse_csr = _dtypes.strided, _dtypes.sparse_coo, _dtypes.sparse_csr
contiguous_format, preserve_format = _dtypes.contiguous_format, _dtypes.preserve_format
channels_last, channels_last_3d = _dtypes.channels_last, _dtypes.channels_last_3d
pi, e, inf, nan = _math.pi, _math.e, _math.inf, _math.nan
newaxis = None

from .tensor import Tensor
from .construct import (arange, as_tensor, asarray, empty, empty_like, eye, from_numpy,
                        frombuffer, full_like, full_tensor as full, linspace, logspace, ones,
                        ones_like, scalar_tensor, tensor, zeros, zeros_like)
from . import methods as _methods
from . import indexing as _indexing
from ._printing import set_printoptions
from ._namespace import *
from ._namespace import __all__ as _namespace_names
from ._methods.queries import from_dlpack, is_same_size
from .autograd.modes import (enable_grad, inference_mode, is_grad_enabled,
                             is_inference_mode_enabled, no_grad, set_grad_enabled)
from .ops.declare import DECLARED as _DECLARED
from .ops.dynamic import (argwhere, bincount, bucketize, histc, index_put, isin,
                          masked_scatter, masked_select, nonzero, searchsorted, unique,
                          unique_consecutive)
from .ops.overloads import (broadcast_tensors, einsum, masked_fill, max, median, meshgrid, min,
                            norm, repeat_interleave, scatter, swapaxes, tensor_split, tensordot,
                            where)
from .record.report import compilations
from .runtime._out_of_memory import OutOfMemoryError
from .ops.random import (bernoulli, binomial, multinomial, normal, poisson, rand,
                         rand_like, randint, randint_like, randn, randn_like, randperm)

from ._deferred import _module_of, find as _find_deferred

_SUBMODULES = {"accelerator", "amp", "audio", "autograd", "backends", "compiler", "cpu", "cuda",
               "distributed", "distributions", "fft", "func", "hub", "jit", "linalg", "masked",
               "mps", "multiprocessing", "nn", "onnx", "optim", "profiler", "random",
               "serialization", "signal", "special", "testing", "text", "utils", "version",
               "vision", "xpu"}
_LAZY = {
    "Generator": "random", "default_generator": "random", "manual_seed": "random",
    "seed": "random", "initial_seed": "random", "get_rng_state": "random",
    "set_rng_state": "random", "save": "serialization", "load": "serialization",
    "is_anomaly_enabled": "autograd.anomaly",
    "autocast": "amp", "get_autocast_dtype": "amp", "is_autocast_enabled": "amp",
    "set_autocast_dtype": "amp", "set_autocast_enabled": "amp", "explain": "_explain",
}
_LAZY.update(dict.fromkeys((
    "adaptive_avg_pool1d", "adaptive_max_pool1d", "alpha_dropout", "alpha_dropout_", "avg_pool1d",
    "batch_norm", "bilinear", "celu", "celu_", "channel_shuffle", "conv1d", "conv2d", "conv3d",
    "conv_tbc", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "cosine_similarity",
    "dropout", "dropout_", "embedding", "feature_alpha_dropout", "feature_dropout", "group_norm",
    "hardshrink", "instance_norm", "layer_norm", "max_pool1d", "max_pool1d_with_indices",
    "max_pool2d", "max_pool3d", "pairwise_distance", "pdist", "pixel_shuffle", "pixel_unshuffle",
    "prelu", "rms_norm", "rrelu", "rrelu_", "selu", "selu_", "threshold", "threshold_",
), "nn._torch_functions"))
_LAZY.update(dict.fromkeys((
    "BFloat16Tensor", "BoolTensor", "ByteTensor", "CharTensor", "DoubleTensor", "FloatTensor",
    "HalfTensor", "IntTensor", "LongTensor", "ShortTensor"), "_tensor_types"))
_LAZY.update(dict.fromkeys(("TypedStorage", "UntypedStorage"), "_storage"))

for _key, _declaration in _DECLARED.items():
    if not _declaration.namespace:
        for _name in (_declaration.name, *_declaration.aliases):
            if not _name.startswith(("_", "special_")) and _name not in globals():
                globals()[_name] = _declaration.function
        if _declaration.inplace and not _declaration.view:
            for _name in (_declaration.name, *_declaration.aliases):
                if not _name.startswith("special_") and _name + "_" not in globals():
                    globals()[_name + "_"] = getattr(Tensor, _name + "_")
for _name in ("as_strided_", "detach_", "fill_", "index_put_", "resize_as_", "squeeze_",
              "unsqueeze_", "zero_"):
    if hasattr(Tensor, _name):
        globals()[_name] = getattr(Tensor, _name)
del _key, _declaration, _name


def _missing(name: str):
    from ._missing import missing
    return missing("torch", name, {*globals(), *_SUBMODULES, *_LAZY, *_module_of})


def __getattr__(name: str):
    if name in _module_of:
        found = _find_deferred(name)
        globals()[name] = found
        return found
    if name in _LAZY:
        found = getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)
        globals()[name] = found
        return found
    if name.startswith("_foreach_"):
        from .ops import foreach
        if hasattr(foreach, name):
            return getattr(foreach, name)
    if name in _SUBMODULES:
        try:
            return importlib.import_module(f".{name}", __name__)
        except ModuleNotFoundError as error:
            if error.name == f"{__name__}.{name}":
                raise _missing(name) from None
            raise
    raise _missing(name)


def __dir__():
    return sorted({*globals(), *_SUBMODULES, *_LAZY, *_module_of})


__all__ = sorted({n for n in globals() if not n.startswith("_")} - {"annotations", "importlib"}
                 | set(_namespace_names) | set(_LAZY) | set(_module_of))
