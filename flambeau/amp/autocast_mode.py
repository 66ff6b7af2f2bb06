"""autocast: products in bfloat16 or float16, losses and sums in float32, without changing a model.

Inside, the operations of the tables below are replaced by variants whose first nodes are casts.
They are other operations for the recorder, so programs with and without autocast are known side by
side; outside nothing is looked up.
"""

from __future__ import annotations

import functools
import warnings

from .. import dtypes
from ..graph.ir import Node
from ..graph.primitives.pointwise import cast
from ..ops.declare import DECLARED, Declaration
from ..record.trace import Operation

__all__ = ["autocast", "custom_bwd", "custom_fwd", "get_autocast_dtype", "is_autocast_available",
           "is_autocast_enabled", "set_autocast_dtype", "set_autocast_enabled"]

# PyTorch's lists for the CPU, as far as these are operations of their own here
_LOWER = """matmul mm bmm addmm addbmm baddbmm nn.functional.linear nn.functional.conv1d
    nn.functional.conv2d nn.functional.conv3d nn.functional.conv_tbc
    nn.functional.conv_transpose1d nn.functional.conv_transpose2d nn.functional.conv_transpose3d
    nn.functional.prelu _nn.scaled_dot_product_attention _private._einsum _private._tensordot
    _nn.recurrent_cell _nn.recurrent_layer""".split()
_FULL = """prod cdist trace quantile nanquantile nn.functional.binary_cross_entropy
    nn.functional.binary_cross_entropy_with_logits nn.functional.mse_loss nn.functional.nll_loss
    nn.functional.cross_entropy nn.functional.l1_loss nn.functional.smooth_l1_loss
    nn.functional.huber_loss nn.functional.kl_div nn.functional.poisson_nll_loss
    nn.functional.cosine_embedding_loss nn.functional.hinge_embedding_loss
    nn.functional.margin_ranking_loss nn.functional.soft_margin_loss
    nn.functional.triplet_margin_loss nn.functional.multi_margin_loss
    nn.functional.multilabel_margin_loss _nn.grid_sample""".split()
_WIDEST = ["cat", "stack"]
_HALVES = (dtypes.float16, dtypes.bfloat16)

_enabled: dict[str, bool] = {"cpu": False}
_kinds = {"cpu": dtypes.bfloat16, "cuda": dtypes.float16}


def _target(policy: str, arguments: list, low: dtypes.dtype) -> dtypes.dtype | None:
    """What floating-point operands (but float64) become."""
    found = [a.dtype for a in arguments if isinstance(a, Node) and a.primitive.name != "scalar"]
    if policy == "lower":
        return low
    if policy == "full" or dtypes.float32 in found:
        return dtypes.float32
    return None


@functools.cache
def _variant(declaration: Declaration, policy: str, low: dtypes.dtype) -> Operation:
    def build(arguments, static):
        kind = _target(policy, arguments, low)

        def fit(a):
            able = isinstance(a, Node) and a.primitive.name != "scalar" and (
                a.dtype is dtypes.float32 or a.dtype in _HALVES)
            return cast(a, kind) if able and kind is not None else a

        return declaration.build([fit(a) for a in arguments], static)
    return Operation(f"autocast.{declaration.name}", build)


_originals: dict[Declaration, Operation] = {}


def _apply() -> None:
    """Put the variants in place, or the operations themselves."""
    for declaration, operation in _originals.items():
        declaration.operation = operation
    _originals.clear()
    if not _enabled["cpu"]:
        return
    from .. import nn  # noqa: F401  (declares its operations)
    for policy, names in (("lower", _LOWER), ("full", _FULL), ("widest", _WIDEST)):
        for name in names:
            declaration = DECLARED.get(name)
            if declaration is not None:
                _originals[declaration] = declaration.operation
                declaration.operation = _variant(declaration, policy, _kinds["cpu"])


def is_autocast_available(device_type: str) -> bool:
    """Whether autocast works for a device: the CPU."""
    return device_type == "cpu"


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Whether autocast is on."""
    return _enabled.get(device_type, False)


def set_autocast_enabled(device_type: str, enabled: bool) -> None:
    """Turn autocast on or off."""
    if device_type == "cpu":
        _enabled["cpu"] = bool(enabled)
        _apply()


def get_autocast_dtype(device_type: str) -> dtypes.dtype:
    """What products are computed in."""
    return _kinds.get(device_type, dtypes.bfloat16)


def set_autocast_dtype(device_type: str, dtype: dtypes.dtype) -> None:
    """Set what products are computed in."""
    _kinds[device_type] = dtype
    if device_type == "cpu":
        _apply()


class autocast:
    """A context, or decorator, in which products are computed in a narrower type.

    Args:
        device_type: "cpu"; others disable the context, as PyTorch does without the device.
        dtype: torch.bfloat16 (default) or torch.float16.
        enabled: False makes the context one without autocast.
        cache_enabled: accepted; casts of parameters are shared by the compiler.

    >>> import flambeau as torch
    >>> a = torch.ones(2, 2)
    >>> with torch.autocast("cpu"):
    ...     b = a @ a
    >>> b.dtype
    torch.bfloat16
    """

    def __init__(self, device_type: str, dtype=None, enabled: bool = True,
                 cache_enabled: bool | None = None):
        if not isinstance(device_type, str):
            raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
        if device_type not in ("cpu", "cuda", "xpu", "mps", "hpu", "xla", "mtia", "maia"):
            raise RuntimeError("User specified an unsupported autocast device_type "
                               f"'{device_type}'")
        self.device = device_type
        self.fast_dtype = get_autocast_dtype(device_type) if dtype is None else dtype
        if device_type == "cuda" and enabled:
            warnings.warn("CUDA is not available or torch_xla is imported. Disabling autocast.",
                          UserWarning, stacklevel=2)
        if device_type != "cpu":
            enabled = False
        elif enabled and self.fast_dtype not in _HALVES:
            warnings.warn("In CPU autocast, but the target dtype is not supported. Disabling "
                          "autocast.\nCPU Autocast only supports dtype of torch.bfloat16, "
                          "torch.float16 currently.", UserWarning, stacklevel=2)
            enabled = False
        self._enabled = bool(enabled)
        self._before: list[tuple[bool, dtypes.dtype]] = []

    def __enter__(self):
        self._before.append((_enabled["cpu"], _kinds["cpu"]))
        if self.device == "cpu":
            _enabled["cpu"] = self._enabled
            if self._enabled:
                _kinds["cpu"] = self.fast_dtype
            _apply()
        return self

    def __exit__(self, *error) -> None:
        _enabled["cpu"], _kinds["cpu"] = self._before.pop()
        if self.device == "cpu":
            _apply()

    def __call__(self, function):
        @functools.wraps(function)
        def wrapped(*args, **kwargs):
            with self:
                return function(*args, **kwargs)
        return wrapped


def custom_fwd(fwd=None, *, device_type: str = "cuda", cast_inputs=None):
    """Decorates ``Function.forward``: with `cast_inputs`, autocast is off inside."""
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    @functools.wraps(fwd)
    def wrapped(*args, **kwargs):
        if cast_inputs is None or not is_autocast_enabled(device_type):
            return fwd(*args, **kwargs)
        args = [a.to(cast_inputs) if hasattr(a, "is_floating_point") and a.is_floating_point()
                else a for a in args]
        with autocast(device_type, enabled=False):
            return fwd(*args, **kwargs)
    return wrapped


def custom_bwd(bwd=None, *, device_type: str = "cuda"):
    """Decorates ``Function.backward``."""
    return functools.partial(custom_bwd, device_type=device_type) if bwd is None else bwd
