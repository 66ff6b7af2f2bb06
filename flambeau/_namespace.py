"""Functions of the torch namespace that make no graph: queries, settings, comparisons."""

from __future__ import annotations

import builtins

from . import dtypes
from .dtypes import default_dtype
from .ops._arguments import type_name
from .ops.build import broadcast_shapes as _broadcast_shapes
from .ops.declare import DECLARED
from .tensor import Tensor

__all__ = [
    "allclose", "are_deterministic_algorithms_enabled", "broadcast_shapes", "can_cast", "compile",
    "equal", "frobenius_norm", "get_default_device", "get_default_dtype", "get_device",
    "get_float32_matmul_precision", "get_num_interop_threads", "get_num_threads", "is_complex",
    "is_conj", "is_deterministic_algorithms_warn_only_enabled", "is_floating_point", "is_inference",
    "is_neg", "is_nonzero", "is_signed", "is_storage", "is_tensor", "nuclear_norm", "numel",
    "orgqr", "range", "result_type", "set_default_device", "set_default_dtype",
    "set_default_tensor_type", "set_float32_matmul_precision", "set_flush_denormal",
    "set_num_interop_threads", "set_num_threads", "to_dlpack", "typename",
    "use_deterministic_algorithms",
]


def is_tensor(obj) -> bool:
    """Whether `obj` is a tensor."""
    return isinstance(obj, Tensor)


def is_storage(obj) -> bool:
    """Whether `obj` is a storage."""
    return type(obj).__name__ in ("UntypedStorage", "TypedStorage")


def is_floating_point(input) -> bool:
    """Whether the elements are floating-point numbers."""
    return input.dtype.category == 2


def is_complex(input) -> bool:
    """Whether the elements are complex numbers."""
    return input.dtype.category == 3


def is_signed(input) -> bool:
    """Whether the dtype has negative numbers."""
    return input.dtype.is_signed


def is_conj(input) -> bool:
    """False: conjugates are computed, not marked."""
    return False


def is_neg(input) -> bool:
    """False: negatives are computed, not marked."""
    return False


def is_inference(input) -> bool:
    """False: tensors made in inference mode are like all others here."""
    return False


def get_device(input) -> int:
    """-1: on the CPU."""
    return -1


def is_nonzero(input) -> bool:
    """Whether the one element is not zero."""
    return bool(input)


def numel(input) -> int:
    """The number of elements."""
    return input.numel()


def typename(obj) -> str:
    """The name of an object's type."""
    if isinstance(obj, Tensor):
        return obj.type()
    kind = type(obj)
    return kind.__qualname__ if kind.__module__ == "builtins" else (
        f"{kind.__module__}.{kind.__qualname__}")


def broadcast_shapes(*shapes) -> dtypes.Size:
    """The shape that `shapes` broadcast to."""
    shapes = tuple((s,) if isinstance(s, int) else tuple(s) for s in shapes)
    common: tuple[int, ...] = ()
    for i, shape in enumerate(shapes):
        for place in builtins.range(1, min(len(shape), len(common)) + 1):
            if shape[-place] != common[-place] and 1 not in (shape[-place], common[-place]):
                raise RuntimeError(
                    f"Attempting to broadcast a dimension of length {shape[-place]} at "
                    f"-{place}! Mismatching argument at index {i} had {shape}; but expected "
                    f"shape should be broadcastable to {list(common)}")
        common = _broadcast_shapes(common, shape)
    return dtypes.Size(common)


def result_type(tensor1, tensor2) -> dtypes.dtype:
    """The type that arithmetic on both operands has."""
    if any(not isinstance(x, (Tensor, int, float, complex)) for x in (tensor1, tensor2)):
        raise TypeError("result_type() received an invalid combination of arguments - got "
                        f"({type_name(tensor1)}, {type_name(tensor2)}), but expected one of:\n "
                        "* (Tensor | Number tensor1, Tensor | Number tensor2)")
    if isinstance(tensor1, Tensor) or isinstance(tensor2, Tensor):
        return DECLARED["_private._result_probe"].function(tensor1, tensor2).dtype
    from .ops.build import node_of, result_dtype
    return result_dtype(node_of(tensor1), node_of(tensor2))


def can_cast(from_, to) -> bool:
    """Whether the casting rules allow in-place results of type `to`."""
    return not from_.category > to.category


def equal(input, other) -> bool:
    """Whether shapes and all elements are equal."""
    for position, name, given in ((1, "input", input), (2, "other", other)):
        if not isinstance(given, Tensor):
            raise TypeError(f"equal(): argument '{name}' (position {position}) must be Tensor, "
                            f"not {type_name(given)}")
    if input.shape != other.shape:
        return False
    if input.dtype is not other.dtype:
        raise RuntimeError(f"Expected object of data type {input.dtype} but got data type "
                           f"{other.dtype} for argument #2 'other' in call to equal")
    return bool((input == other).all())


def allclose(input, other, rtol: float = 1e-5, atol: float = 1e-8,
             equal_nan: bool = False) -> bool:
    """Whether |input - other| <= atol + rtol * |other| everywhere."""
    return bool(DECLARED["isclose"].function(input, other, rtol, atol, equal_nan).all())


Tensor.equal = equal            # type: ignore[attr-defined]
Tensor.allclose = allclose      # type: ignore[attr-defined]


def get_default_dtype() -> dtypes.dtype:
    """The floating-point type of new tensors."""
    return default_dtype()


def set_default_dtype(d: dtypes.dtype) -> None:
    """Make `d` the floating-point type of new tensors."""
    from .record.trace import reset_programs
    if not isinstance(d, dtypes.dtype):
        raise TypeError("invalid dtype object: only floating-point types are supported as the "
                        f"default type, received {d!r}")
    reset_programs()          # the default type is part of what programs mean
    dtypes.set_default_dtype(d)


def set_default_tensor_type(t) -> None:
    """Make ``torch.FloatTensor`` or ``torch.DoubleTensor`` the type of new tensors."""
    if isinstance(t, str):
        found = [d for d in dtypes.ALL_DTYPES if t == f"torch.{d.legacy_name}Tensor"]
        if not found:
            raise TypeError(f"invalid type object: {t!r}")
        set_default_dtype(found[0])
        return
    set_default_dtype(getattr(t, "dtype", t))


def get_default_device():
    """The device of new tensors."""
    from .construct import _default_device
    return dtypes.device(_default_device[0] or "cpu")


def set_default_device(device) -> None:
    """Make `device` the device of new tensors."""
    from .construct import _default_device, check_device
    if device is not None:
        check_device(device)
    _default_device[0] = device


def get_num_threads() -> int:
    """How many threads run kernels."""
    from .runtime import _pool
    return _pool.get_num_threads()


def set_num_threads(number: int) -> None:
    """Run kernels with `number` threads."""
    if not isinstance(number, int) or number < 1:
        raise RuntimeError("set_num_threads expects a positive integer")
    from .runtime import _pool
    _pool.set_num_threads(number)


def get_num_interop_threads() -> int:
    """Independent operations are not run side by side: 1."""
    return 1


def set_num_interop_threads(number: int) -> None:
    """Accepted for compatibility; only 1 has a meaning here."""
    if number < 1:
        raise RuntimeError("set_num_interop_threads expects a positive integer")


_matmul_precision = ["highest"]


def set_float32_matmul_precision(precision: str) -> None:
    """Products of float32 are always computed in float32; the setting is remembered."""
    if precision not in ("highest", "high", "medium"):
        raise RuntimeError(f"float32_matmul_precision must be one of highest, high or medium, got "
                           f"{precision}")
    _matmul_precision[0] = precision


def get_float32_matmul_precision() -> str:
    """What set_float32_matmul_precision was given."""
    return _matmul_precision[0]


_deterministic = [False, False]


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Remembered: all algorithms here are deterministic whatever the number of threads."""
    _deterministic[:] = bool(mode), bool(mode and warn_only)


def are_deterministic_algorithms_enabled() -> bool:
    """What use_deterministic_algorithms was given; results never depend on threads or timing."""
    return _deterministic[0]


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Whether use_deterministic_algorithms was given ``warn_only``."""
    return _deterministic[1]


def set_flush_denormal(mode: bool) -> bool:
    """False: denormal numbers are always computed as such."""
    return False


# ---- old names ----------------------------------------------------------------------------------


def range(start, end=None, step=1, **options) -> Tensor:
    """Like arange, but with the end, and floating-point numbers; deprecated by PyTorch."""
    import warnings

    from .construct import arange
    warnings.warn("torch.range is deprecated and will be removed in a future release because its "
                  "behavior is inconsistent with Python's range builtin. Instead, use "
                  "torch.arange, which produces values in [start, end).", UserWarning, stacklevel=2)
    start, end = (0, start) if end is None else (start, end)
    options.setdefault("dtype", default_dtype())
    count = int((end - start) / step)
    return arange(start, start + (count + 0.5) * step, step, **options)


def frobenius_norm(input, dim, keepdim: bool = False) -> Tensor:
    """The root of the sum of squares over dim."""
    return input.norm("fro", dim, keepdim)


def nuclear_norm(input, dim=None, keepdim: bool = False) -> Tensor:
    """The sum of a matrix's singular values."""
    return input.norm("nuc", dim, keepdim)


def orgqr(input, input2) -> Tensor:
    """See torch.linalg.householder_product."""
    return input.orgqr(input2)


def to_dlpack(tensor):
    """A capsule for ``from_dlpack`` of other packages; newer ones take the tensor itself."""
    return tensor.__dlpack__()


def compile(model=None, *, fullgraph=False, dynamic=None, backend="inductor", mode=None,
            options=None, disable=False):
    """The model itself: every program is compiled anyway."""
    if model is None:
        return lambda m: m
    return model
