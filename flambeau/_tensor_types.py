"""torch.FloatTensor, torch.LongTensor and the like: constructors and types to check against.

A tensor's Python type is always Tensor; these stand for "a CPU tensor of one dtype" in
``isinstance``, ``Tensor.type`` and ``set_default_tensor_type``.
"""

from __future__ import annotations

from . import dtypes
from .tensor import Tensor

__all__ = sorted(f"{kind.legacy_name}Tensor" for kind in dtypes.ALL_DTYPES
                 if kind.category < 3 and kind.legacy_name[:4] != "UInt")


class _TensorType(type):
    """The type of tensor types: ``isinstance`` looks at the dtype."""

    dtype: dtypes.dtype

    def __instancecheck__(cls, instance) -> bool:
        return isinstance(instance, Tensor) and instance.dtype is cls.dtype

    def __subclasscheck__(cls, other) -> bool:
        return cls is other

    def __call__(cls, *data, device=None):
        from .construct import legacy_tensor
        if len(data) == 1 and isinstance(data[0], Tensor) and data[0].dtype is not cls.dtype:
            raise TypeError(f"expected {cls.dtype} (got {data[0].dtype}): convert with "
                            f"tensor.to({cls.dtype})")
        return legacy_tensor(Tensor, *data, dtype=cls.dtype, device=device)

    def __repr__(cls) -> str:
        return f"<class 'torch.{cls.__name__}'>"


def _make(kind: dtypes.dtype):
    name = f"{kind.legacy_name}Tensor"
    made = _TensorType(name, (), {"dtype": kind, "__module__": "torch", "__doc__":
                                  f"CPU tensors of {kind!r}; calling it makes one."})
    return name, made


for _kind in dtypes.ALL_DTYPES:
    _name, _made = _make(_kind)
    if _name in __all__:
        globals()[_name] = _made
