"""Tensor's methods about what a tensor is, about Python functions, and DLPack."""

from __future__ import annotations

import numpy as np

from .. import dtypes
from ..ops.declare import DECLARED
from ..tensor import Tensor, from_array

__all__ = ["from_dlpack", "is_same_size"]


def is_same_size(input, other) -> bool:
    """Whether two tensors have the same shape."""
    return input.shape == other.shape


def _is_nonzero(self) -> bool:
    """Whether the one element is not zero."""
    return bool(self)


def _is_set_to(self, tensor) -> bool:
    """Whether both tensors are the same view of the same memory."""
    if self is tensor or self._storage is None or tensor._storage is None:
        return self is tensor
    mine, other = self._storage, tensor._storage
    return (mine.whole or mine) is (other.whole or other) and self._path() == tensor._path()


def _dim_order(self) -> tuple[int, ...]:
    """The dimensions from the widest stride to the narrowest."""
    return tuple(sorted(range(self.ndim), key=lambda d: -self.stride(d)))


def _apply(self, callable):
    """Replace each element x by callable(x), a Python function: slow."""
    values = [callable(x) for x in self.flatten().tolist()]
    return self.copy_(_like(self, values))


def _map(self, tensor, callable):
    """Replace each element x by callable(x, y), y being the other tensor's: slow."""
    others = tensor.expand(tuple(self.shape)).flatten().tolist()
    values = [callable(x, y) for x, y in zip(self.flatten().tolist(), others)]
    return self.copy_(_like(self, values))


def _like(tensor: Tensor, values: list) -> Tensor:
    array = np.array(values, dtype=tensor.dtype.compute).reshape(tuple(tensor.shape))
    from ..construct import new_array_tensor
    return new_array_tensor(array, tensor.dtype)


def _to_dense(self, dtype=None, *, masked_grad=None):
    """This tensor: all are dense."""
    return self if dtype is None else self.to(dtype)


def _dlpack(self, **options):
    """A capsule for ``from_dlpack`` of other packages, which sees this tensor's memory."""
    if self.requires_grad:
        raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
    return self.numpy().__dlpack__(**{k: v for k, v in options.items() if v is not None})


def _dlpack_device(self) -> tuple[int, int]:
    """(1, 0): the CPU."""
    return (1, 0)


def from_dlpack(ext_tensor) -> Tensor:
    """A tensor that shares memory with another package's, through ``__dlpack__``.

    >>> import flambeau as torch, numpy
    >>> torch.from_dlpack(numpy.ones(2, dtype=numpy.float32))
    tensor([1., 1.])
    """
    array = np.from_dlpack(ext_tensor)
    if array.flags.writeable and array.flags.c_contiguous:
        from ..construct import from_numpy
        return from_numpy(array)
    return from_array(np.array(array), dtypes.dtype_from_numpy(array.dtype))


def _array_wrap(self, array, context=None, return_scalar=False):
    """What NumPy's functions make of their results on a tensor: a tensor."""
    if array.dtype == np.bool_:
        array = array.astype(np.uint8)
    return from_array(np.array(array), dtypes.dtype_from_numpy(array.dtype))


def _layer(name: str):
    def method(self, *given, **options):
        from ..nn import functional
        return getattr(functional, name)(self, *given, **options)
    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"See torch.nn.functional.{name}."
    return method


def _orgqr(self, input2):
    """See torch.linalg.householder_product."""
    from ..ops import linalg  # noqa: F401
    return DECLARED["linalg.householder_product"].function(self, input2)


METHODS = {
    "is_same_size": is_same_size, "is_nonzero": _is_nonzero, "is_set_to": _is_set_to,
    "dim_order": _dim_order, "apply_": _apply, "map_": _map, "to_dense": _to_dense,
    "__array_wrap__": _array_wrap, "__dlpack__": _dlpack, "__dlpack_device__": _dlpack_device,
    "prelu": _layer("prelu"), "hardshrink": _layer("hardshrink"), "orgqr": _orgqr,
}
for _name, _method in METHODS.items():
    setattr(Tensor, _name, _method)
Tensor.is_cpu = True                                                # type: ignore[attr-defined]
for _name in ("is_sparse_csr", "is_xla", "is_vulkan", "is_ipu", "is_maia", "is_mtia"):
    setattr(Tensor, _name, False)
Tensor.is_neg = lambda self: False                                  # type: ignore[attr-defined]
Tensor.is_neg.__doc__ = "False: negatives are computed, not marked."
Tensor.retains_grad = property(                                     # type: ignore[attr-defined]
    lambda self: self._retain and not self._requires_grad,
    doc="Whether `retain_grad` keeps this computed tensor's gradient.")
