"""Tensor's methods: those derived from the declared operations, and those with a shape of their own.

Importing this module completes the Tensor class.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _printing, dtypes
from .construct import check_device, full_tensor, new_array_tensor, shape_of, tensor
from .dtypes import dtype as DType
from .graph.ir import building
from .ops import contract, index, pointwise, reduce, shape, views  # noqa: F401
from .ops.declare import DECLARED, Declaration
from .record.trace import flush
from .record.values import concrete
from .tensor import Tensor, from_value, pin

__all__: list[str] = []


# ---- from declarations ------------------------------------------------------------------------------


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
    if result.dtype is not self.dtype:
        if result.dtype.category > self.dtype.category:
            raise RuntimeError(f"result type {result.dtype.legacy_name} can't be cast to the "
                               f"desired output type {self.dtype.legacy_name}")
        result = result.to(self.dtype)
    if result.shape != self.shape:
        raise RuntimeError(f"output with shape {list(self.shape)} doesn't match the broadcast shape "
                           f"{list(result.shape)}")
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


# ---- conversions ----------------------------------------------------------------------------------------


def _item(self) -> Any:
    """The element of a one-element tensor as a Python number."""
    if self.numel() != 1:
        raise RuntimeError(f"a Tensor with {self.numel()} elements cannot be converted to Scalar")
    from .graph.interpret import from_storage
    return from_storage(self._array(), self.dtype).item()


def _tolist(self):
    """The elements as nested lists of Python numbers."""
    from .graph.interpret import from_storage
    return from_storage(self._array(), self.dtype).tolist()


def _numpy(self, *, force: bool = False) -> np.ndarray:
    """The elements as an array that shares memory with this tensor."""
    if force:
        return _numpy(self.detach().resolve_conj())
    if self.requires_grad:
        raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use "
                           "tensor.detach().numpy() instead.")
    if self.dtype is dtypes.bfloat16:
        raise TypeError("Got unsupported ScalarType BFloat16")
    storage = self._share()
    if storage.pinned is None:
        base = storage.value
        if base.trace is not None:
            base.trace.flush_here()
        array = base.array
        if not array.flags.writeable or base.history is not None:
            array = array.copy()
            base = storage.value = concrete(array, base.aval.dtype)
            if not self._chain:
                self._value = base
        base.shared = True
        storage.pinned = array
    array = _strided_array(storage.pinned, self._chain)
    if array is None:
        return self._array().copy()
    return array.view()


def _strided_array(base: np.ndarray, chain) -> np.ndarray | None:
    """The NumPy view that corresponds to a chain of view operations; None if there is none."""
    from .graph.ir import p, topological_order
    array = base
    for declaration, static, number in chain:
        start = p.input(index=0, shape=array.shape, dtype=dtypes.dtype_from_numpy(array.dtype))
        built = declaration.build([start], static)
        node = built[number] if isinstance(built, tuple) else built
        known = {start: array}
        for step in topological_order([node]):
            if step is start:
                continue
            source = known[step.inputs[0]]
            made = _view_of(step, source)
            if made is None:
                return None
            known[step] = made
        array = known[node]
    return array


def _view_of(node, source: np.ndarray) -> np.ndarray | None:
    """One movement as a NumPy view of `source`, or None."""
    if node.op in ("detach", "variable", "boundary"):
        return source
    if node.op == "as_strided":
        if not source.flags.c_contiguous:
            return None
        size = source.itemsize
        return np.lib.stride_tricks.as_strided(
            source.reshape(-1)[node.attrs["offset"]:], node.attrs["shape"],
            tuple(s * size for s in node.attrs["strides"]))
    if node.op == "reshape":
        made = source.view()
        try:
            made.shape = node.shape
        except AttributeError:
            return None
        return made
    if node.op in ("permute", "slice", "flip", "real", "imag"):
        return node.primitive.evaluate(node, source)
    if node.op == "expand":
        made = np.lib.stride_tricks.as_strided(
            source, node.shape, tuple(0 if o != n else s for o, n, s in zip(
                source.shape, node.shape, source.strides)))
        return made
    return None


def _array_protocol(self, dtype=None, copy=None):
    array = _numpy(self)
    return array if dtype is None else array.astype(dtype, copy=False)


def _strides(self) -> tuple[int, ...]:
    if not self._chain:
        found, step = [], 1
        for extent in reversed(self.shape):
            found.append(step)
            step *= max(1, extent)
        return tuple(reversed(found))
    base = self._storage.value.aval
    ghost = np.lib.stride_tricks.as_strided(
        np.empty(1, np.int8), tuple(base.shape), _row_major(base.shape), writeable=False)
    array = _strided_array(ghost, self._chain)
    return _row_major(self.shape) if array is None else array.strides


def _row_major(shape) -> tuple[int, ...]:
    found, step = [], 1
    for extent in reversed(tuple(shape)):
        found.append(step)
        step *= max(1, extent)
    return tuple(reversed(found))


def _stride(self, dim: int | None = None):
    """How many elements apart neighbours along each dimension lie."""
    found = _strides(self)
    return found if dim is None else found[dim]


def _storage_offset(self) -> int:
    """The place of the first element in the storage."""
    if not self._chain:
        return 0
    base = self._storage.value.aval
    ghost = np.lib.stride_tricks.as_strided(
        np.empty(1, np.int8), tuple(base.shape), _row_major(base.shape), writeable=False)
    array = _strided_array(ghost, self._chain)
    if array is None or 0 in array.shape:
        return 0
    return array.__array_interface__["data"][0] - ghost.__array_interface__["data"][0]


def _is_contiguous(self, memory_format=dtypes.contiguous_format) -> bool:
    """Whether elements lie in row-major order without gaps."""
    if memory_format is not dtypes.contiguous_format:
        return getattr(self, "_memory_format", None) is memory_format
    if not self._chain:
        return True
    expected = 1
    for extent, step in zip(reversed(self.shape), reversed(_strides(self))):
        if extent != 1 and step != expected and self.numel() != 0:
            return False
        expected *= extent
    return True


def _contiguous(self, memory_format=dtypes.contiguous_format):
    """This tensor, or a copy in row-major order."""
    if _is_contiguous(self):
        return self
    return DECLARED["clone"].function(self)


def _view(self, *size, dtype: DType | None = None):
    """The same memory in another shape (or, given a dtype, as another type of elements)."""
    if len(size) == 1 and isinstance(size[0], DType):
        dtype, size = size[0], ()
    if dtype is not None:
        return _view_as_dtype(self, dtype)
    shape = _given_shape(size)
    if self._chain and not _is_contiguous(self):
        from .ops.views import infer_shape
        target = infer_shape(shape, self.numel())
        base = self._storage.value.aval
        ghost = np.lib.stride_tricks.as_strided(
            np.empty(1, np.int8), tuple(base.shape), _row_major(base.shape), writeable=False)
        array = _strided_array(ghost, self._chain)
        if array is not None:
            try:
                array.view().shape = target
            except AttributeError:
                raise RuntimeError("view size is not compatible with input tensor's size and "
                                   "stride (at least one dimension spans across two contiguous "
                                   "subspaces). Use .reshape(...) instead.") from None
    return DECLARED["_private.view"].function(self, shape)


def _given_shape(size) -> tuple[int, ...]:
    if len(size) == 1 and not isinstance(size[0], int):
        first = size[0]
        size = tuple(first) if isinstance(first, (tuple, list)) else size
    return tuple(s if isinstance(s, int) else s.__index__() for s in size)


def _view_as_dtype(self, dtype: DType):
    if dtype is self.dtype:
        return DECLARED["_private.alias"].function(self)
    array = self._array()
    if dtype.itemsize == self.dtype.itemsize:
        return from_value(concrete(array.view(dtype.storage), dtype))
    if array.ndim == 0:
        raise RuntimeError("self.dim() cannot be 0 to view a tensor as a different element size")
    if (array.shape[-1] * self.dtype.itemsize) % dtype.itemsize:
        raise RuntimeError(f"self.size(-1) must be divisible by {dtype.itemsize} to view "
                           f"{self.dtype} as {dtype}")
    return from_value(concrete(array.view(dtype.storage), dtype))


# ---- to -----------------------------------------------------------------------------------------------------


def _to_dtype(self, dtype: DType, copy: bool = False):
    if dtype is self.dtype:
        return DECLARED["clone"].function(self) if copy else self
    if not isinstance(dtype, DType):
        raise TypeError(f"to() received an invalid dtype: {dtype!r}")
    return DECLARED["_private.to_dtype"].function(self, dtype)


def _to(self, *given, device=None, dtype=None, non_blocking=False, copy=False,
        memory_format=None):
    """This tensor with another dtype or on another device."""
    for x in given:
        if isinstance(x, DType):
            dtype = x
        elif isinstance(x, Tensor):
            dtype, device = x.dtype, x.device
        elif isinstance(x, bool):
            non_blocking = x
        elif x is not None:
            device = x
    if device is not None:
        if dtypes.device(device).type == "meta":
            raise NotImplementedError("meta tensors are not supported")
        check_device(device)
    out = _to_dtype(self, dtype if dtype is not None else self.dtype, copy)
    if memory_format in (dtypes.channels_last, dtypes.channels_last_3d):
        # the compiler chooses layouts itself; the wish is remembered for is_contiguous()
        out = out if out is not self else DECLARED["_private.alias"].function(self)
        out._memory_format = memory_format
    return out


def _caster(kind: DType):
    def method(self, memory_format=None):
        return _to_dtype(self, kind)
    method.__doc__ = f"The elements as {kind!r}."
    return method


def _type(self, dtype=None, non_blocking=False):
    """The name of the tensor's type, or the tensor as another type."""
    if dtype is None:
        return f"torch.{self.dtype.legacy_name}Tensor"
    if isinstance(dtype, str):
        found = [d for d in dtypes.ALL_DTYPES if dtype == f"torch.{d.legacy_name}Tensor"]
        if not found:
            raise ValueError(f"invalid type: '{dtype}'")
        return _to_dtype(self, found[0])
    kind = getattr(dtype, "dtype", dtype) if not isinstance(dtype, DType) else dtype
    return _to_dtype(self, kind)


def _cuda(self, device=None, non_blocking=False, memory_format=None):
    """This tensor on a CUDA device; raises without one."""
    check_device("cuda" if device is None else device)
    return self


# ---- python protocol ----------------------------------------------------------------------------------------


def _bool(self) -> bool:
    if self.numel() != 1:
        if self.numel() == 0:
            raise RuntimeError("Boolean value of Tensor with no values is ambiguous")
        raise RuntimeError("Boolean value of Tensor with more than one value is ambiguous")
    return bool(_item(self))


def _integer(self) -> int:
    if self.dtype.category > 1 or self.numel() != 1:
        raise TypeError("only integer tensors of a single element can be converted to an index")
    return int(_item(self))


def _iterate(self):
    if self.ndim == 0:
        raise TypeError("iteration over a 0-d tensor")
    return iter(DECLARED["unbind"].function(self, 0))


def _repr(self, *, tensor_contents=None) -> str:
    from .graph.interpret import from_storage
    remarks = []
    array = from_storage(self._array(), self.dtype)
    kind = self.dtype
    plain = (kind is dtypes.default_dtype() or kind is dtypes.bool_
             or kind is dtypes.int64 or kind is dtypes.default_dtype().to_complex())
    if not plain or (self.numel() == 0 and kind is not dtypes.default_dtype()):
        remarks.append(f"dtype={kind!r}")
    if self._requires_grad:
        remarks.append("requires_grad=True")
    elif self.requires_grad:
        remarks.append(f"grad_fn=<{_grad_fn_name(self)}>")
    prefix = getattr(type(self), "_print_prefix", "tensor(")
    return _printing.tensor_text(array, kind, remarks, prefix)


_BACKWARD_NAMES = {"contract": "Mm", "reduce_sum": "Sum", "reshape": "View", "slice": "Slice",
                   "permute": "Permute", "concatenate": "Cat", "cast": "ToCopy",
                   "convolve": "Convolution", "take": "Index", "reduce_max": "Amax"}


def _grad_fn_name(self) -> str:
    from .autograd.nodes import node_name
    return node_name(self)


def _format(self, spec: str) -> str:
    if self.ndim == 0 and type(self) is not None:
        return format(_item(self), spec) if spec else (
            str(self) if self.requires_grad else format(_item(self), spec))
    return object.__format__(self, spec)


def _contains(self, element) -> bool:
    return bool(_item(DECLARED["any"].function(DECLARED["eq"].function(self, element))))


# ---- writing --------------------------------------------------------------------------------------------------


def _copy(self, src, non_blocking: bool = False):
    """Write the elements of src (broadcast and cast) into this tensor."""
    if not isinstance(src, Tensor):
        src = tensor(src)
    self._check_writable()
    given = src if src.dtype is self.dtype else _to_dtype(src, self.dtype)
    if given.shape != self.shape:
        try:
            given = DECLARED["expand"].function(given, tuple(self.shape))
        except RuntimeError as error:
            raise RuntimeError(str(error)) from None
    if given is src or given._storage is not None:
        given = DECLARED["clone"].function(given)
    return self._assign(given)


def _fill(self, value):
    """Set all elements to a number."""
    self._check_writable()
    return self._assign(DECLARED["_private._fill"].function(self, value))


def _zero(self):
    """Set all elements to 0."""
    self._check_writable()
    if self._fetch().requires_grad:
        return self._assign(DECLARED["_private._fill"].function(self, 0))
    return self._assign(full_tensor(tuple(self.shape), 0, dtype=self.dtype))


def _resize(self, *size, memory_format=None):
    """Change the shape in place; elements beyond the old ones are 0."""
    size = shape_of(size)
    count = int(np.prod(size, dtype=np.int64))
    array = np.zeros(count, self.dtype.storage)
    old = self._array().reshape(-1)
    array[:min(count, old.size)] = old[:count]
    self._storage, self._chain = None, ()
    self._value = concrete(array.reshape(size), self.dtype)
    self._version_count += 1
    return self


def _resize_as(self, the_template, *, memory_format=None):
    """Change the shape in place to that of another tensor."""
    return _resize(self, *the_template.shape)


def _as_strided_in_place(self, size, stride, storage_offset=0):
    """In-place form of :meth:`as_strided`."""
    made = DECLARED["as_strided"].function(self, tuple(size), tuple(stride), storage_offset)
    self._value, self._storage = made._value, made._storage
    self._chain, self._seen = made._chain, made._seen
    return self


def _new_empty_strided(self, size, stride, dtype=None, **options):
    """A tensor with the given strides whose elements may be anything."""
    from .ops.composed import empty_strided
    return empty_strided(size, stride, dtype=dtype or self.dtype, **options)


def _set(self, source=None, storage_offset=0, size=None, stride=None):
    """Refer to the memory of another tensor."""
    if source is None:
        source = full_tensor((0,), 0, dtype=self.dtype)
    if not isinstance(source, Tensor):
        raise NotImplementedError("set_() with an untyped storage is not supported")
    if size is not None:
        source = DECLARED["as_strided"].function(
            source, tuple(size), tuple(stride or _row_major(size)), storage_offset)
    other = DECLARED["_private.alias"].function(source)
    self._value, self._storage = other._value, other._storage
    self._chain, self._seen = other._chain, other._seen
    return self


def _data_ptr(self) -> int:
    """The address of the first element; it changes when the tensor is written."""
    from ._storage import data_ptr
    return data_ptr(self)


def _untyped_storage(self):
    """The bytes that this tensor and its views share."""
    from ._storage import UntypedStorage
    return UntypedStorage(self)


def _typed_storage(self):
    """The elements that this tensor and its views share."""
    from ._storage import TypedStorage
    return TypedStorage(self)


# ---- gradients -----------------------------------------------------------------------------------------------------


def _backward(self, gradient=None, retain_graph=None, create_graph=False, inputs=None):
    """Accumulate the gradients of this tensor's sum-product with `gradient` in the leaves."""
    from .autograd import backward
    backward(self, gradient, retain_graph, create_graph, inputs=inputs)


def _register_hook(self, hook):
    """Call hook(grad) when this tensor's gradient is computed; a result replaces it."""
    from .autograd.hooks import register_tensor_hook
    return register_tensor_hook(self, hook)


def _retain_grad(self) -> None:
    """Keep this computed tensor's gradient in ``.grad``."""
    if not self.requires_grad:
        raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
    if self._requires_grad or self._retain:
        return
    from .autograd.hooks import retain_gradient
    retain_gradient(self)


def _detach_in_place(self):
    """Cut this tensor off from the gradient graph."""
    if self._chain:
        raise RuntimeError("Can't detach views in-place. Use detach() instead.")
    made = DECLARED["detach"].function(self)
    self._requires_grad = False
    self._value = made._value
    if self._storage is not None:
        self._storage.value = made._value
    return self


def _share_memory(self):
    """Nothing to do: workers receive tensors through shared memory anyway."""
    return self


# ---- new tensors like this one ------------------------------------------------------------------------------------------


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


# ---- operators -------------------------------------------------------------------------------------------------------------


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
    "zero_": _zero, "resize_": _resize, "resize_as_": _resize_as,
    "as_strided_": _as_strided_in_place, "new_empty_strided": _new_empty_strided, "set_": _set, "backward": _backward,
    "register_hook": _register_hook, "retain_grad": _retain_grad, "detach_": _detach_in_place,
    "share_memory_": _share_memory, "new_zeros": _new_filled(0), "new_ones": _new_filled(1),
    "new_empty": _new_filled(0), "new_full": _new_full, "new_tensor": _new_tensor, "new": _new,
    "pow": _pow_method, "__pow__": _power, "data_ptr": _data_ptr,
    "untyped_storage": _untyped_storage, "storage": _typed_storage,
    "_typed_storage": _typed_storage,
}
for _name, _method in _SPECIAL.items():
    setattr(Tensor, _name, _method)
Tensor.__hash__ = lambda self: id(self)          # type: ignore[method-assign,assignment]
Tensor.__float__ = lambda self: float(_item(self))        # type: ignore[attr-defined]
Tensor.__int__ = lambda self: int(_item(self))            # type: ignore[attr-defined]
Tensor.__complex__ = lambda self: complex(_item(self))    # type: ignore[attr-defined]
Tensor.cpu = lambda self, memory_format=None: self        # type: ignore[attr-defined]
Tensor.pin_memory = lambda self, device=None: self        # type: ignore[attr-defined]
Tensor.is_pinned = lambda self, device=None: False        # type: ignore[attr-defined]
Tensor.resolve_conj = lambda self: self                   # type: ignore[attr-defined]
Tensor.resolve_neg = lambda self: self                    # type: ignore[attr-defined]
Tensor.is_conj = lambda self: False                       # type: ignore[attr-defined]
Tensor.is_shared = lambda self: False                     # type: ignore[attr-defined]
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
Tensor.__invert__ = lambda self: DECLARED["bitwise_not"].function(self)   # type: ignore
Tensor.T = property(lambda self: DECLARED["permute"].function(            # type: ignore
    self, tuple(reversed(range(self.ndim)))))
Tensor.mT = property(lambda self: DECLARED["_private.mT"].function(self))  # type: ignore
Tensor.H = property(lambda self: DECLARED["adjoint"].function(self))       # type: ignore
Tensor.mH = property(lambda self: DECLARED["adjoint"].function(self))      # type: ignore
Tensor.real = property(lambda self: DECLARED["real"].function(self))       # type: ignore
Tensor.imag = property(lambda self: DECLARED["imag"].function(self))       # type: ignore
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


for _declaration in list(DECLARED.values()):
    attach(_declaration)

__all__ += ["attach", "building", "flush", "new_array_tensor", "pin", "store"]


# ---- overloaded functions as methods -----------------------------------------------------------------

from .ops import overloads as _overloads  # noqa: E402

for _name in ("max", "min", "median", "norm", "scatter", "repeat_interleave"):
    setattr(Tensor, _name, getattr(_overloads, _name))


def _scatter_in_place(self, dim, index, src=None, *, value=None, reduce=None):
    """In-place form of :meth:`scatter`."""
    self._check_writable()
    return store(self, _overloads.scatter(self, dim, index, src, value=value, reduce=reduce),
                 "scatter")


Tensor.scatter_ = _scatter_in_place          # type: ignore[attr-defined]


# ---- functions of data-dependent shape as methods -----------------------------------------------------

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


for _name in ("index_put", "masked_scatter"):
    setattr(Tensor, _name + "_", in_place_form(getattr(_dynamic, _name), _name))


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


# ---- copying and pickling ------------------------------------------------------------------------


def _deepcopy(self, memo):
    from ._serialization.tensors import deepcopy_tensor
    return deepcopy_tensor(self, memo)


def _reduce_ex(self, protocol):
    from ._serialization.tensors import reduce_tensor
    return reduce_tensor(self)


Tensor.__deepcopy__ = _deepcopy              # type: ignore[attr-defined]
Tensor.__reduce_ex__ = _reduce_ex            # type: ignore[method-assign,assignment]
