"""Tensor: the handle that user code holds on a value.

A tensor refers to a Value, pending or concrete. Tensors that share memory (views, ``detach``,
``.data``) refer to a Storage: see _sharing.py. Methods come from the declarations in ops/.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from . import dtypes
from ._sharing import (
    VARIABLE,
    Bare,
    Storage,
    cut_off,
    read_view,
    replay,
    with_gradient_of,
)
from .dtypes import Size, device
from .graph.ir import building
from .ops import declare
from .ops.declare import DECLARED, Declaration
from .record.rollback import note_write
from .record.saved import mark_written
from .record.trace import current_trace, flush, record
from .record.values import Value, aval_of, concrete

__all__ = ["DECLARED", "Tensor", "aval_of", "flush", "from_array", "from_value"]

_CPU = device("cpu")


class _TensorType(type):
    """Prints the class under the name that programs use."""

    def __repr__(cls) -> str:
        return "<class 'torch.Tensor'>" if cls is Tensor else super().__repr__()


class Tensor(metaclass=_TensorType):
    """A multi-dimensional array of elements of one dtype.

    >>> import flambeau as torch
    >>> torch.tensor([[1., 2.], [3., 4.]]).sum(dim=0)
    tensor([4., 6.])
    """

    __slots__ = ("_value", "_storage", "_chain", "_seen", "_version_count", "_requires_grad",
                 "_grad", "_hooks", "_retain", "__dict__", "__weakref__")
    _value: Value
    _storage: Storage | None
    _chain: tuple
    _seen: int
    _version_count: int
    _requires_grad: bool
    _grad: Tensor | None
    _hooks: dict | None
    _retain: bool

    if TYPE_CHECKING:      # methods that methods.py adds
        def __getattr__(self, name: str) -> Any: ...
        def __add__(self, other: Any) -> Tensor: ...
        def __sub__(self, other: Any) -> Tensor: ...
        def __mul__(self, other: Any) -> Tensor: ...
        def __truediv__(self, other: Any) -> Tensor: ...
        def __pow__(self, other: Any) -> Tensor: ...
        def __matmul__(self, other: Any) -> Tensor: ...
        def __radd__(self, other: Any) -> Tensor: ...
        def __rsub__(self, other: Any) -> Tensor: ...
        def __rmul__(self, other: Any) -> Tensor: ...
        def __rtruediv__(self, other: Any) -> Tensor: ...
        def __neg__(self) -> Tensor: ...
        def __invert__(self) -> Tensor: ...
        def __and__(self, other: Any) -> Tensor: ...
        def __or__(self, other: Any) -> Tensor: ...
        def __lt__(self, other: Any) -> Tensor: ...
        def __le__(self, other: Any) -> Tensor: ...
        def __gt__(self, other: Any) -> Tensor: ...
        def __ge__(self, other: Any) -> Tensor: ...
        def __getitem__(self, index: Any) -> Tensor: ...
        def __setitem__(self, index: Any, value: Any) -> None: ...
        def __bool__(self) -> bool: ...
        def __float__(self) -> float: ...
        def __int__(self) -> int: ...
        def __index__(self) -> int: ...
        def __iter__(self) -> Any: ...

    def __new__(cls, *args, **kwargs):
        from .construct import legacy_tensor
        return legacy_tensor(cls, *args, **kwargs)

    # ---- the value behind the handle ---------------------------------------------------------

    def _fetch(self) -> Value:
        """The present value; derives it again if shared memory was written since."""
        storage = self._storage
        if storage is None:
            return self._value
        if storage.whole is not None or storage.pinned is not None:
            storage.refresh()
            if self._chain and storage.value.volatile and not self._value.volatile:
                return read_view(self, storage)
        if self._seen != storage.version:
            self._value = replay(storage.value, self._chain)
            self._seen = storage.version
        return self._value

    def _array(self) -> np.ndarray:
        """The elements as a C-contiguous array in the storage type (runs what is pending)."""
        value = self._fetch()
        if not value.is_concrete and value.trace is not None:
            value.trace.flush_here()
        if not value.is_concrete:
            raise RuntimeError(value.failure())
        return value.array

    def _share(self) -> Storage:
        """The storage, made when first shared."""
        if self._storage is None:
            self._storage = Storage(self._value, [self._version_count])
            self._seen = 0
            self._chain = ()
        return self._storage

    def _path(self) -> tuple:
        """The view operations that lead from the whole memory to this tensor."""
        storage = self._storage
        return self._chain if storage is None else storage.chain + self._chain

    # ---- types and shapes ---------------------------------------------------------------------

    @property
    def shape(self) -> Size:
        """The extents of the dimensions."""
        return self._value.aval.shape

    @property
    def dtype(self) -> dtypes.dtype:
        """The type of the elements."""
        return self._value.aval.dtype

    @property
    def device(self) -> device:
        """Where the tensor lives."""
        return _CPU

    @property
    def layout(self):
        return dtypes.strided

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self._value.aval.shape)

    def dim(self) -> int:
        """The number of dimensions."""
        return len(self._value.aval.shape)

    ndimension = dim

    def size(self, dim: int | None = None):
        """The shape, or the extent of one dimension."""
        shape = self._value.aval.shape
        if dim is None:
            return shape
        if not -len(shape) <= dim < len(shape):
            raise IndexError(f"Dimension out of range (expected to be in range of "
                             f"[{-max(1, len(shape))}, {max(1, len(shape)) - 1}], but got {dim})")
        return shape[dim]

    def numel(self) -> int:
        """The number of elements."""
        return self._value.aval.numel

    nelement = numel

    def element_size(self) -> int:
        """Bytes per element."""
        return self._value.aval.dtype.itemsize

    @property
    def itemsize(self) -> int:
        return self._value.aval.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self._value.aval.nbytes

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a 0-d tensor")
        return self.shape[0]

    # ---- gradients ----------------------------------------------------------------------------

    @property
    def requires_grad(self) -> bool:
        """Whether operations on this tensor are recorded for differentiation."""
        return self._requires_grad or self._fetch().requires_grad

    @requires_grad.setter
    def requires_grad(self, mode: bool) -> None:
        self.requires_grad_(mode)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Make this leaf accumulate gradients (or stop doing so)."""
        if not isinstance(requires_grad, bool):
            raise TypeError("requires_grad_(): argument 'requires_grad' (position 1) must be bool, "
                            f"not {type(requires_grad).__name__}")
        if requires_grad == self._requires_grad:
            if requires_grad or not self._fetch().requires_grad:
                return self
        if not requires_grad:
            if not self.is_leaf:
                raise RuntimeError("you can only change requires_grad flags of leaf variables. If "
                                   "you want to use a computed variable in a subgraph that doesn't "
                                   "require differentiation use var_no_grad = var.detach().")
            self._requires_grad = False
            value = self._fetch()
            self._adopt(cut_off(value, "detach") if value.trace is not None else value.sibling())
            return self
        if self.dtype.category < 2:
            raise RuntimeError("only Tensors of floating point dtype can require gradients: "
                               f"received {self.dtype}")
        if self._fetch().requires_grad:
            return self                              # computed with gradients already
        self._requires_grad = True
        value = self._fetch()
        if self._chain:                              # a view with a history of its own from now on
            assert self._storage is not None
            self._storage = self._storage.part(value, self._chain)
            self._chain, self._seen = (), 0
        self._own(value)
        return self

    def _own(self, value: Value) -> None:
        """Make `value` this leaf's: gradients that reach it are accumulated here."""
        if value.trace is not None and value.trace is current_trace() and not value.is_concrete:
            value.trace.updated = value.trace.differentiated
            before, building.grad_enabled = building.grad_enabled, True
            try:
                value = record(VARIABLE, (Bare(value),), ())[1][0]
            finally:
                building.grad_enabled = before
        else:
            if value.trace is not None:
                value.trace.flush_here()
            value.shared = value.shared or self._storage is not None
            value = value.sibling()
        value.owner = weakref.ref(self)
        value.requires_grad = True
        self._adopt(value)

    def _adopt(self, value: Value) -> None:
        """Refer to another value of the same elements (no write)."""
        self._value = value
        if self._storage is not None and self._chain == ():
            self._storage.value = value

    @property
    def is_leaf(self) -> bool:
        """Whether the user made this tensor (or it needs no gradient)."""
        return self._requires_grad or not self._fetch().requires_grad

    @property
    def grad(self) -> Tensor | None:
        """The accumulated gradient, of the tensor's own shape."""
        if self._grad is None and not self._requires_grad and not self._retain \
                and self._value.requires_grad:
            import warnings
            warnings.warn("The .grad attribute of a Tensor that is not a leaf Tensor is being "
                          "accessed. Its .grad attribute won't be populated during "
                          "autograd.backward(). If you indeed want the .grad field to be populated "
                          "for a non-leaf Tensor, use .retain_grad() on the non-leaf Tensor.",
                          UserWarning, stacklevel=2)
        return self._grad

    @grad.setter
    def grad(self, gradient: Tensor | None) -> None:
        if gradient is not None:
            if not isinstance(gradient, Tensor):
                raise TypeError("assigned grad expected to be a Tensor or None but got grad of "
                                f"type {type(gradient).__name__}")
            if gradient.shape != self.shape:
                raise RuntimeError(f"attempting to assign a gradient of size "
                                   f"'{list(gradient.shape)}' to a tensor of size "
                                   f"'{list(self.shape)}'. Please ensure that the gradient and the "
                                   "tensor are the same size")
            if gradient.dtype is not self.dtype:
                raise RuntimeError("attempting to assign a gradient with dtype "
                                   f"'{gradient.dtype.cpp_name}' to a tensor with grad_dtype "
                                   f"'{self.dtype.legacy_name}'. The gradient must match the "
                                   "tensor's dtype.")
        self._grad = gradient

    @grad.deleter
    def grad(self) -> None:
        self._grad = None

    @property
    def data(self) -> Tensor:
        """The same memory without gradient history."""
        before, building.grad_enabled = building.grad_enabled, False
        try:
            return _aliased(self, "_private.data")
        finally:
            building.grad_enabled = before

    @data.setter
    def data(self, new: Tensor) -> None:
        if not isinstance(new, Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(new).__name__}")
        source = new.detach()
        self._storage, self._chain, self._seen = source._storage, source._chain, source._seen
        self._value = source._value
        if self._requires_grad:
            own = self._fetch()
            if own.trace is not None:
                own.trace.flush_here()
            self._own(own)

    @property
    def _version(self) -> int:
        return self._version_count if self._storage is None else self._storage.writes[0]

    # ---- writing ------------------------------------------------------------------------------

    def _assign(self, new: Tensor, mark: bool = True) -> Tensor:
        """Replace all elements by those of `new` (same shape and dtype); the in-place primitive."""
        self._check_writable()
        value = new._fetch()
        trace = current_trace()
        old = self._fetch()
        storage = self._storage
        if storage is not None:
            storage.write(self._chain, old, value, mark)
            if not self._chain:
                self._value, self._seen = storage.value, storage.version
            return self
        if old.requires_grad and not building.grad_enabled and not self._requires_grad:
            value = with_gradient_of(old, value)
        if mark:
            mark_written(trace, old, value)
        old.replace()
        note_write(trace, self, old)
        self._value = value
        self._version_count += 1
        if self._requires_grad:
            self._own(value)
        return self

    def _restore(self, value: Value) -> None:
        """Hold again what was here before a write of a program that failed."""
        if self._storage is None:
            self._value = value.restored()
        elif not self._chain:                  # shared since then: what others see, too
            self._storage._restore(value)
            self._value, self._seen = self._storage.value, self._storage.version

    def _check_writable(self) -> None:
        if not building.grad_enabled:
            return
        if self._storage is not None:
            self._storage.prepare_write()
        if self._requires_grad:
            raise RuntimeError("a leaf Variable that requires grad is being used in an in-place "
                               "operation. Write under torch.no_grad(), or to a clone.")
        storage = self._storage
        if storage is not None and self._chain and storage.value.owner is not None:
            raise RuntimeError("a view of a leaf Variable that requires grad is being used in an "
                               "in-place operation. Write under torch.no_grad(), or to a clone.")

    def _in_own_type(self, result: Tensor) -> Tensor:
        """`result` in this tensor's dtype; raises where that is of a lower kind."""
        if result.dtype is self.dtype:
            return result
        if result.dtype.category > self.dtype.category:
            raise RuntimeError(f"result type {result.dtype.legacy_name} can't be cast to the "
                               f"desired output type {self.dtype.legacy_name}")
        return result.to(self.dtype)

    def _write_out(self, result: Tensor, name: str = "") -> None:
        """Store `result` here as ``out=`` of `name` does: cast, and resize if shapes differ."""
        if building.grad_enabled and (self._requires_grad or result.requires_grad):
            raise RuntimeError(f"{name}(): functions with out=... arguments don't support "
                               "automatic differentiation, but one of the arguments requires "
                               "grad.")
        result = self._in_own_type(result)
        if result.shape != self.shape:
            self._storage, self._chain = None, ()
            self._value = result._fetch()
            self._version_count += 1
            return
        self._assign(result)


# ---- making tensors ---------------------------------------------------------------------------


def from_value(value: Value, cls: type = Tensor) -> Any:
    """A new tensor on `value`."""
    tensor = object.__new__(cls)
    tensor._value = value
    tensor._storage = None
    tensor._chain = ()
    tensor._seen = 0
    tensor._version_count = 0
    tensor._requires_grad = False
    tensor._grad = None
    tensor._hooks = None
    tensor._retain = False
    return tensor


def from_array(array: np.ndarray, dtype: dtypes.dtype | None = None) -> Tensor:
    """A new tensor that owns `array`."""
    array = np.asarray(array)           # a ufunc of an array without dimensions gives a scalar
    if dtype is None:
        dtype = dtypes.dtype_from_numpy(array.dtype)
    if not array.flags.c_contiguous:
        array = np.ascontiguousarray(array).reshape(array.shape)
    return from_value(concrete(array, dtype))


def _wrap_result(declaration: Declaration, step, values, operands, static):
    if step.structure is None:
        tensor = from_value(values[0])
        if declaration.view and not (declaration.view is not True and operands[0]._path()
                                     and _must_copy(operands[0], tensor)):
            _link_view(tensor, operands[0], declaration, static)
        return tensor
    tensors = tuple(from_value(v) for v in values)
    if declaration.view:
        for index, tensor in enumerate(tensors):
            _link_view(tensor, operands[0], declaration, static, index)
    return tensors if step.structure is tuple else step.structure(*tensors)


declare.wrap_one, declare.wrap_result = from_value, _wrap_result


# ---- views ------------------------------------------------------------------------------------


def _link_view(tensor: Tensor, source: Tensor, declaration: Declaration, static,
               index: int = 0) -> None:
    storage = source._share()
    if declaration.name in ("detach", "data"):
        tensor._storage = storage.part(tensor._value, source._chain, declaration.name == "detach")
        return
    tensor._storage = storage
    tensor._chain = source._chain + ((declaration, static, index),)
    tensor._seen = storage.version


def detached(tensor: Tensor) -> Tensor:
    """The same memory without gradient history."""
    return _aliased(tensor, "detach")


def _aliased(tensor: Tensor, kind: str) -> Tensor:
    """The same memory without gradient history; kind: see `DECLARED`.

    Memory that exists is shared without an event: saving a model's state between two steps must
    not make the next step a program of its own. What a step that has ended is yet to compute is
    looked up when used: ``losses.append(loss.detach())`` runs nothing.
    """
    value = tensor._fetch()
    if value.trace is not None and value.trace.ended:
        alias = from_value(Value(value.aval))
        _link_view(alias, tensor, DECLARED[kind], ())
        assert alias._storage is not None
        alias._storage.seen = -1
        return alias
    if value.trace is not None or not value.is_concrete:
        return DECLARED[kind].function(tensor)
    alias = from_value(value.sibling())
    _link_view(alias, tensor, DECLARED[kind], ())
    return alias


_copied: dict[tuple, bool] = {}


def _must_copy(source: Tensor, reshaped: Tensor) -> bool:
    """Whether the elements of the view `source` cannot be seen in the new shape without copying."""
    assert source._storage is not None             # a view has one
    storage = source._storage
    key = (source._path(), (storage.whole or storage).value.aval, reshaped._value.aval)
    found = _copied.get(key)
    if found is None:
        from ._methods.memory import can_be_viewed
        if len(_copied) > 10_000:
            _copied.clear()
        found = _copied[key] = not can_be_viewed(source, tuple(reshaped.shape))
    return found
