"""Tensor's methods: derived from the declared operations, or with bodies in _methods/.

Importing this module completes the Tensor class.
"""

from __future__ import annotations

import numpy as np

from . import dtypes
from ._data import shape_of
from ._methods.conversion import (
    _bool,
    _caster,
    _contains,
    _cuda,
    _format,
    _integer,
    _item,
    _iterate,
    _repr,
    _to,
    _to_dtype,
    _tolist,
    _type,
)
from ._methods.gradients import (
    _backward,
    _detach_in_place,
    _register_hook,
    _retain_grad,
)
from ._methods.memory import (
    _array_protocol,
    _contiguous,
    _is_contiguous,
    _numpy,
    _storage_offset,
    _stride,
    _view,
)
from ._methods.sharing import _is_shared, _share_memory
from ._methods.writing import (
    _as_strided_in_place,
    _copy,
    _data_ptr,
    _fill,
    _fill_diagonal,
    _new_empty_strided,
    _resize,
    _resize_as,
    _set,
    _typed_storage,
    _untyped_storage,
    _zero,
)
from .construct import check_device, full_tensor, new_array_tensor, tensor
from .graph.ir import building
from .ops import bitwise as _bitwise  # noqa: F401
from .ops import contract as _contract  # noqa: F401  (each declares its operations)
from .ops import index as _index  # noqa: F401
from .ops import pointwise as _pointwise  # noqa: F401
from .ops import reduce as _reduce  # noqa: F401
from .ops import shape as _shape  # noqa: F401
from .ops import sort as _sort  # noqa: F401
from .ops import views as _views  # noqa: F401
from .ops._arguments import type_name
from .ops.declare import DECLARED, Declaration
from .record.trace import flush
from .tensor import Tensor, detached, from_value

__all__: list[str] = []


# ---- from declarations ------------------------------------------------------------------------


def _with_separate_ints(declaration: Declaration):
    """A method whose Ints parameter may come as separate arguments."""
    function = declaration.function
    name = next(p.name for p in declaration.parameters if p.annotation == "Ints")

    def method(self, *given, **options):
        if name in options:
            return function(self, options.pop(name), **options)
        if len(given) == 1 and not isinstance(given[0], int):
            given = tuple(given[0]) if isinstance(given[0], (tuple, list)) else given
            if len(given) == 1 and not isinstance(given[0], int):
                if not hasattr(given[0], "__index__"):
                    raise TypeError(f"{declaration.name}(): argument '{name}' (position 1) must be "
                                    f"tuple of ints, not {type_name(given[0])}")
                given = (given[0].__index__(),)
        return function(self, tuple(given), **options)
    method.__doc__ = function.__doc__
    method.__name__ = method.__qualname__ = declaration.name
    return method


def _in_place(declaration: Declaration, function):
    """``name_``: compute, check the type, and write into self."""
    name = declaration.name

    def method(self, *given, **options):
        self._check_writable()
        result = function(self, *given, **options)
        return store(self, result, name)
    method.__doc__ = f"In-place form of :meth:`{name}`."
    method.__name__ = method.__qualname__ = name + "_"
    return method


def store(self: Tensor, result: Tensor, name: str) -> Tensor:
    """Write `result` of the operation `name` into `self`."""
    result = self._in_own_type(result)
    if result.shape != self.shape:
        raise RuntimeError(f"output with shape {list(self.shape)} doesn't match the broadcast "
                           f"shape {list(result.shape)}")
    return self._assign(result)


def _view_in_place(declaration: Declaration, function):
    def method(self, *given, **options):
        result = function(self, *given, **options)
        self._value, self._storage = result._value, result._storage
        self._chain, self._seen = result._chain, result._seen
        return self
    method.__doc__ = f"In-place form of :meth:`{declaration.name}`."
    method.__name__ = method.__qualname__ = declaration.name + "_"
    return method


def attach(declaration: Declaration) -> None:
    """Give Tensor the methods of one declaration."""
    if not declaration.method or declaration.namespace:
        return
    ints = any(p.annotation == "Ints" for p in declaration.parameters)
    function = _with_separate_ints(declaration) if ints else declaration.function
    names = (declaration.name, *(a for a in declaration.aliases if not a.startswith("special_")))
    make = _view_in_place if declaration.view else _in_place
    for name in names:
        if name not in Tensor.__dict__:
            setattr(Tensor, name, function)
        if declaration.inplace and name + "_" not in Tensor.__dict__:
            setattr(Tensor, name + "_", make(declaration, function))


# ---- new tensors like this one ----------------------------------------------------------------


def _new_filled(value):
    def method(self, *size, dtype=None, device=None, requires_grad=False, layout=None,
               pin_memory=False):
        check_device(device)
        made = full_tensor(shape_of(size), value, dtype=dtype or self.dtype)
        return made.requires_grad_() if requires_grad else made
    return method


def _new_full(self, size, fill_value, *, dtype=None, device=None, requires_grad=False,
              layout=None, pin_memory=False):
    """A tensor of `size` filled with a number, in this tensor's dtype."""
    return full_tensor(tuple(size), fill_value, dtype=dtype or self.dtype, device=device,
                       requires_grad=requires_grad)


def _new_tensor(self, data, *, dtype=None, device=None, requires_grad=False, layout=None,
                pin_memory=False):
    """A tensor of `data` in this tensor's dtype."""
    if isinstance(data, Tensor):
        data = data.detach()._array()
    return tensor(data, dtype=dtype or self.dtype, device=device, requires_grad=requires_grad)


def _new(self, *args, **options):
    if not args:
        return full_tensor((0,), 0, dtype=self.dtype)
    if isinstance(args[0], (list, tuple, Tensor)) and not isinstance(args[0], dtypes.Size):
        return _new_tensor(self, args[0])
    return full_tensor(shape_of(args), 0, dtype=self.dtype)


# ---- operators --------------------------------------------------------------------------------


def _is_operand(x) -> bool:
    return isinstance(x, (Tensor, int, float, bool, complex, np.generic)) or (
        isinstance(x, np.ndarray))


def _operator(name: str, reverse: bool = False):
    function = DECLARED[name].function

    def method(self, other):
        if other.__class__ is not Tensor and not _is_operand(other):
            return NotImplemented
        if isinstance(other, np.ndarray):
            other = tensor(other)
        return function(other, self) if reverse else function(self, other)
    return method


def _power(self, exponent):
    if exponent.__class__ is int and 1 <= exponent <= 3:
        return DECLARED["_private._pow_static"].function(self, exponent)
    if not _is_operand(exponent):
        return NotImplemented
    return DECLARED["pow"].function(self, exponent)


def _pow_method(self, exponent):
    """This tensor to the power of exponent."""
    return _power(self, exponent)


def _only(self):
    """The one element, for Python's ``float()`` and the like."""
    if self.numel() != 1:
        raise ValueError("only one element tensors can be converted to Python scalars: received "
                         f"shape {list(self.shape)}")
    return _item(self)


def _invert(self):
    """All bits inverted, or the opposite of each truth value."""
    if self.dtype.category > 1:
        raise TypeError("~ (operator.invert) is only implemented on integer and Boolean-type "
                        f"tensors: received {self.dtype}")
    return DECLARED["bitwise_not"].function(self)


def _in_place_operator(name: str):
    def method(self, other):
        return getattr(self, name)(other)
    return method


_SPECIAL = {
    "item": _item, "tolist": _tolist, "numpy": _numpy, "__array__": _array_protocol,
    "stride": _stride, "storage_offset": _storage_offset, "is_contiguous": _is_contiguous,
    "contiguous": _contiguous, "view": _view, "to": _to, "type": _type, "cuda": _cuda,
    "__bool__": _bool, "__index__": _integer, "__iter__": _iterate, "__repr__": _repr,
    "__format__": _format, "__contains__": _contains, "copy_": _copy, "fill_": _fill,
    "fill_diagonal_": _fill_diagonal,
    "zero_": _zero, "resize_": _resize, "resize_as_": _resize_as,
    "as_strided_": _as_strided_in_place, "new_empty_strided": _new_empty_strided,
    "set_": _set, "backward": _backward,
    "register_hook": _register_hook, "retain_grad": _retain_grad, "detach_": _detach_in_place,
    "detach": detached,
    "share_memory_": _share_memory, "new_zeros": _new_filled(0), "new_ones": _new_filled(1),
    "new_empty": _new_filled(0), "new_full": _new_full, "new_tensor": _new_tensor, "new": _new,
    "pow": _pow_method, "__pow__": _power, "data_ptr": _data_ptr,
    "untyped_storage": _untyped_storage, "storage": _typed_storage,
    "_typed_storage": _typed_storage,
}
for _name, _method in _SPECIAL.items():
    setattr(Tensor, _name, _method)
Tensor.__hash__ = object.__hash__                # type: ignore[method-assign]
Tensor.__float__ = lambda self: float(_only(self))        # type: ignore[attr-defined]
Tensor.__int__ = lambda self: int(_only(self))            # type: ignore[attr-defined]
Tensor.__complex__ = lambda self: complex(_only(self))    # type: ignore[attr-defined]
Tensor.cpu = lambda self, memory_format=None: self        # type: ignore[attr-defined]
Tensor.pin_memory = lambda self, device=None: self        # type: ignore[attr-defined]
Tensor.is_pinned = lambda self, device=None: False        # type: ignore[attr-defined]
Tensor.resolve_conj = lambda self: self                   # type: ignore[attr-defined]
Tensor.resolve_neg = lambda self: self                    # type: ignore[attr-defined]
Tensor.is_conj = lambda self: False                       # type: ignore[attr-defined]
Tensor.is_shared = _is_shared                              # type: ignore[attr-defined]
Tensor.get_device = lambda self: -1                       # type: ignore[attr-defined]
Tensor.view_as = lambda self, other: _view(self, tuple(other.shape))      # type: ignore
Tensor.reshape_as = lambda self, other: self.reshape(tuple(other.shape))  # type: ignore
Tensor.expand_as = lambda self, other: self.expand(tuple(other.shape))    # type: ignore
Tensor.type_as = lambda self, other: _to_dtype(self, other.dtype)         # type: ignore
Tensor.is_floating_point = lambda self: self.dtype.category == 2          # type: ignore
Tensor.is_complex = lambda self: self.dtype.category == 3                 # type: ignore
Tensor.is_signed = lambda self: self.dtype.is_signed                      # type: ignore
Tensor.__array_priority__ = 1000                                           # type: ignore
Tensor.ravel = lambda self: self.reshape(-1)                               # type: ignore
for _name, _value in (("is_cuda", False), ("is_sparse", False), ("is_mps", False),
                      ("is_quantized", False), ("is_meta", False), ("is_xpu", False),
                      ("is_nested", False), ("is_mkldnn", False), ("names", None)):
    setattr(Tensor, _name, _value)
for _kind, _name in ((dtypes.float32, "float"), (dtypes.float64, "double"),
                     (dtypes.float16, "half"), (dtypes.bfloat16, "bfloat16"),
                     (dtypes.int64, "long"), (dtypes.int32, "int"), (dtypes.int16, "short"),
                     (dtypes.int8, "char"), (dtypes.uint8, "byte"), (dtypes.bool_, "bool"),
                     (dtypes.complex64, "cfloat"), (dtypes.complex128, "cdouble")):
    setattr(Tensor, _name, _caster(_kind))
for _symbol, _name in (("add", "add"), ("sub", "sub"), ("mul", "mul"), ("truediv", "div"),
                       ("floordiv", "floor_divide"), ("mod", "remainder"), ("matmul", "matmul"),
                       ("and", "bitwise_and"), ("or", "bitwise_or"), ("xor", "bitwise_xor"),
                       ("lshift", "bitwise_left_shift"), ("rshift", "bitwise_right_shift"),
                       ("eq", "eq"), ("ne", "ne"), ("lt", "lt"), ("le", "le"), ("gt", "gt"),
                       ("ge", "ge")):
    setattr(Tensor, f"__{_symbol}__", _operator(_name))
    if _symbol in ("add", "sub", "mul", "truediv", "floordiv", "mod", "and", "or", "xor", "matmul",
                   "lshift", "rshift"):
        setattr(Tensor, f"__r{_symbol}__", _operator(_name, reverse=True))
        if _symbol != "matmul":
            setattr(Tensor, f"__i{_symbol}__", _in_place_operator(_name + "_"))
Tensor.__rdiv__ = _operator("div", reverse=True)              # type: ignore[attr-defined]
Tensor.__rpow__ = _operator("pow", reverse=True)              # type: ignore[attr-defined]
Tensor.__ipow__ = _in_place_operator("pow_")                  # type: ignore[attr-defined]
Tensor.__neg__ = lambda self: DECLARED["neg"].function(self)  # type: ignore[attr-defined]
Tensor.__pos__ = lambda self: DECLARED["positive"].function(self)         # type: ignore
Tensor.__abs__ = lambda self: DECLARED["abs"].function(self)              # type: ignore
Tensor.__invert__ = _invert                                    # type: ignore[method-assign]
Tensor.T = property(lambda self: DECLARED["permute"].function(            # type: ignore
    self, tuple(reversed(range(self.ndim)))))
Tensor.mT = property(lambda self: DECLARED["_private.mT"].function(self))  # type: ignore
Tensor.H = property(lambda self: DECLARED["adjoint"].function(self))       # type: ignore
Tensor.mH = property(lambda self: DECLARED["adjoint"].function(self))      # type: ignore
Tensor.real = property(lambda self: DECLARED["real"].function(self),       # type: ignore
                       lambda self, parts: self.real.copy_(parts))
Tensor.imag = property(lambda self: DECLARED["imag"].function(self),       # type: ignore
                       lambda self, parts: self.imag.copy_(parts))
Tensor._base = property(lambda self: _base(self))                          # type: ignore
Tensor.grad_fn = property(lambda self: _grad_fn(self))                     # type: ignore


def _base(self):
    """The tensor that this one is a view of (a new handle on its memory), or None."""
    if not self._chain:
        return None
    made = from_value(self._storage.value)
    made._storage, made._seen = self._storage, self._storage.version
    return made


def _grad_fn(self):
    """The operation that computed this tensor, when it requires gradients."""
    if self._requires_grad or not self.requires_grad:
        return None
    from .autograd.nodes import grad_node
    return grad_node(self)


for _name, _sentence in {
    "H": "The matrix transposed and conjugated.", "T": "All dimensions in reverse order.",
    "mH": "The last two dimensions exchanged, conjugated.",
    "mT": "The last two dimensions exchanged.", "real": "The real parts: a view.",
    "imag": "The imaginary parts: a view.", "cpu": "This tensor: all are on the CPU.",
    "grad_fn": "The operation that computed this tensor, when it requires gradients.",
    "expand_as": "Expanded to another tensor's shape.", "get_device": "-1: on the CPU.",
    "is_complex": "Whether the elements are complex numbers.",
    "is_conj": "False: conjugates are computed, not marked.",
    "is_floating_point": "Whether the elements are floating-point numbers.",
    "is_pinned": "False: there is no memory to pin without a device.",
    "is_signed": "Whether the dtype has negative numbers.",
    "itemsize": "The bytes of one element.", "layout": "torch.strided: elements at strides.",
    "new": "A tensor of this dtype: of a shape, or with the data given.",
    "new_empty": "A tensor of `size` in this dtype; its elements are 0.",
    "new_ones": "A tensor of ones in this tensor's dtype.",
    "new_zeros": "A tensor of zeros in this tensor's dtype.",
    "pin_memory": "This tensor: there is no memory to pin without a device.",
    "ravel": "One dimension with all elements.", "reshape_as": "In another tensor's shape.",
    "resolve_conj": "This tensor: conjugates are computed, not marked.",
    "resolve_neg": "This tensor: negatives are computed, not marked.",
    "type_as": "In another tensor's dtype.", "view_as": "The same memory in another's shape.",
}.items():
    Tensor.__dict__[_name].__doc__ = _sentence


for _declaration in list(DECLARED.values()):
    attach(_declaration)

__all__ += ["attach", "building", "flush", "new_array_tensor", "store"]


# ---- overloaded functions as methods ----------------------------------------------------------

from .ops import overloads as _overloads  # noqa: E402

for _name in ("masked_fill", "max", "min", "median", "scatter", "repeat_interleave", "swapaxes",
              "tensor_split"):
    setattr(Tensor, _name, getattr(_overloads, _name))


def _norm(self, p="fro", dim=None, keepdim=False, dtype=None):
    """The p-norm of the elements over dim."""
    return _overloads.norm(self, p, dim, keepdim, dtype=dtype)


def _split(self, split_size, dim=0, *, axis=None):
    """Pieces of a given size (the last may be smaller), or of given sizes."""
    return DECLARED["split"].function(self, split_size, dim if axis is None else axis)


def _scatter_in_place(self, dim, index, src=None, *, value=None, reduce=None):
    """In-place form of :meth:`scatter`."""
    self._check_writable()
    return store(self, _overloads.scatter(self, dim, index, src, value=value, reduce=reduce),
                 "scatter")


Tensor.norm, Tensor.split = _norm, _split     # type: ignore[attr-defined]
Tensor.scatter_ = _scatter_in_place          # type: ignore[attr-defined]


# ---- functions of data-dependent shape as methods ---------------------------------------------

from .ops import dynamic as _dynamic  # noqa: E402

for _name in _dynamic.__all__:
    if _name not in ("bucketize", "searchsorted"):
        setattr(Tensor, _name, getattr(_dynamic, _name))


def in_place_form(function, name: str):
    def method(self, *given, **options):
        self._check_writable()
        return store(self, function(self, *given, **options), name)
    method.__doc__ = f"In-place form of :meth:`{name}`."
    method.__name__ = method.__qualname__ = name + "_"
    return method


for _function in (_dynamic.index_put, _dynamic.masked_scatter, _overloads.masked_fill):
    setattr(Tensor, _function.__name__ + "_", in_place_form(_function, _function.__name__))


def _where_method(self, condition, other):
    """self where condition holds, other elsewhere."""
    return DECLARED["where"].function(condition, self, other)


def _sum_to_size(self, *size):
    """Summed to a shape that broadcasts to this one."""
    size = shape_of(size)
    lead = self.ndim - len(size)
    dims = tuple(range(lead)) + tuple(
        lead + d for d, e in enumerate(size) if e == 1 and self.shape[lead + d] != 1)
    out = self.sum(dims) if dims else self
    return out.reshape(size)


from ._deferred import defer_methods as _defer_methods  # noqa: E402

_defer_methods(Tensor)
Tensor.where = _where_method                                   # type: ignore[attr-defined]
Tensor.sum_to_size = _sum_to_size                              # type: ignore[attr-defined]
Tensor.unfold = DECLARED["_private.unfold"].function           # type: ignore[attr-defined]
Tensor.split_with_sizes = lambda self, split_sizes, dim=0: self.split(   # type: ignore
    tuple(split_sizes), dim)


# ---- copying and pickling ---------------------------------------------------------------------


def _deepcopy(self, memo):
    from ._serialization.tensors import deepcopy_tensor
    return deepcopy_tensor(self, memo)


def _reduce_ex(self, protocol):
    from ._serialization.tensors import reduce_tensor
    return reduce_tensor(self)


Tensor.__deepcopy__ = _deepcopy              # type: ignore[attr-defined]
Tensor.__reduce_ex__ = _reduce_ex            # type: ignore[method-assign,assignment]

from . import _at_once as _at_once_  # noqa: E402, F401
from ._methods import queries as _queries  # noqa: E402, F401
