"""Element types, devices and shapes: the vocabulary under every layer of the pipeline.

Nothing here knows of tensors. ``dtype`` objects are singletons compared by identity; PyTorch's
promotion rules are in :func:`promote_types`.
"""

from __future__ import annotations

import functools
import math

import numpy as np

__all__ = [
    "Size", "as_dtype", "check_fits", "default_dtype", "device", "dtype", "dtype_from_numpy",
    "finfo", "iinfo", "layout", "memory_format", "promote_types", "set_default_dtype",
]


class dtype:
    """The type of a tensor's elements, such as ``torch.float32``.

    >>> import flambeau as torch
    >>> torch.float16.itemsize
    2
    """

    __slots__ = ("name", "storage", "compute", "itemsize", "category", "order", "is_complex",
                 "is_floating_point", "is_signed", "legacy_name", "__weakref__")
    by_name: dict[str, dtype] = {}

    def __init__(self, name: str, storage: str, compute: str, category: int, legacy_name: str):
        self.name = name
        self.storage = np.dtype(storage)   # how elements lie in memory
        self.compute = np.dtype(compute)   # the NumPy type that the interpreter computes with
        self.itemsize = self.storage.itemsize
        self.category = category           # 0 bool, 1 integer, 2 floating point, 3 complex
        self.order = len(dtype.by_name)    # declaration order: the promotion rank in a category
        self.is_floating_point = category == 2
        self.is_complex = category == 3
        self.is_signed = name not in ("uint8", "uint16", "uint32", "uint64", "bool")
        self.legacy_name = legacy_name     # the element type in ``torch.FloatTensor``
        dtype.by_name[name] = self

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    @property
    def cpp_name(self) -> str:
        """What some of PyTorch's errors call the type."""
        return _CPP_NAMES.get(self.name, self.name)

    def __reduce__(self):
        return dtype_by_name, (self.name,)

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def to_real(self) -> dtype:
        """The real type of the same precision."""
        return {"complex32": float16, "complex64": float32, "complex128": float64}.get(
            self.name, self)

    def to_complex(self) -> dtype:
        """The complex type of the same precision."""
        return {"float64": complex128, "complex128": complex128}.get(self.name, complex64)


_CPP_NAMES = {
    "uint8": "unsigned char", "int8": "signed char", "int16": "short int", "int32": "int",
    "int64": "long int", "float16": "c10::Half", "bfloat16": "c10::BFloat16", "float32": "float",
    "float64": "double", "complex64": "c10::complex<float>", "complex128": "c10::complex<double>",
}


def dtype_by_name(name: str) -> dtype:
    return dtype.by_name[name]


bool_ = dtype("bool", "bool", "bool", 0, "Bool")
uint8 = dtype("uint8", "uint8", "uint8", 1, "Byte")
int8 = dtype("int8", "int8", "int8", 1, "Char")
int16 = dtype("int16", "int16", "int16", 1, "Short")
int32 = dtype("int32", "int32", "int32", 1, "Int")
int64 = dtype("int64", "int64", "int64", 1, "Long")
float16 = dtype("float16", "float16", "float32", 2, "Half")
bfloat16 = dtype("bfloat16", "uint16", "float32", 2, "BFloat16")
float32 = dtype("float32", "float32", "float32", 2, "Float")
float64 = dtype("float64", "float64", "float64", 2, "Double")
complex64 = dtype("complex64", "complex64", "complex64", 3, "ComplexFloat")
complex128 = dtype("complex128", "complex128", "complex128", 3, "ComplexDouble")

ALL_DTYPES = tuple(dtype.by_name.values())
DTYPE_ALIASES = {"float": float32, "double": float64, "half": float16, "long": int64, "int": int32,
                 "short": int16, "cfloat": complex64, "cdouble": complex128}

_FROM_NUMPY = {d.storage: d for d in ALL_DTYPES if d is not bfloat16}


_PYTHON = {bool: bool_, int: int64, float: float64, complex: complex128}


def as_dtype(given):
    """The dtype that ``dtype=`` means: Python's own number types are taken as well."""
    return _PYTHON.get(given, given) if given.__class__ is type else given


def dtype_from_numpy(numpy_dtype) -> dtype:
    """The dtype of tensors that share memory with arrays of `numpy_dtype`."""
    found = _FROM_NUMPY.get(np.dtype(numpy_dtype))
    if found is None:
        raise TypeError(
            f"can't convert np.ndarray of type {np.dtype(numpy_dtype).type.__module__}."
            f"{np.dtype(numpy_dtype).type.__name__}. The only supported types are: float64, "
            "float32, float16, complex64, complex128, int64, int32, int16, int8, uint8, and bool.")
    return found


def promote_types(a: dtype, b: dtype) -> dtype:
    """The smallest type that both types promote to, by PyTorch's lattice.

    >>> import flambeau as torch
    >>> torch.promote_types(torch.int32, torch.float16)
    torch.float16
    """
    if a is b:
        return a
    for position, given in enumerate((a, b), 1):
        if not isinstance(given, dtype):
            raise TypeError(f"promote_types(): argument 'type{position}' (position {position}) "
                            f"must be torch.dtype, not {type(given).__name__}")
    low, high = (a, b) if (a.category, a.order) <= (b.category, b.order) else (b, a)
    if high.category == 3 and low is float64:
        return complex128
    if low.category != high.category:
        return high
    if {low, high} == {float16, bfloat16}:
        return float32
    if low is uint8:                      # uint8 with a signed type needs one more bit
        return int16 if high is int8 else high
    return high


_default = [float32]


def default_dtype() -> dtype:
    """The floating-point type of new tensors."""
    return _default[0]


def set_default_dtype(d: dtype) -> None:
    """Make `d` the floating-point type of new tensors."""
    if not isinstance(d, dtype) or d.category != 2:
        raise TypeError(
            f"only floating-point types are supported as the default type, received {d!r}")
    _default[0] = d


class Size(tuple):
    """The shape of a tensor: a tuple that knows its number of elements."""

    __slots__ = ()

    def __new__(cls, extents=()):
        extents = tuple(extents)
        for i, extent in enumerate(extents):
            if extent.__class__ is not int:
                if not hasattr(extent, "__index__"):
                    raise TypeError(f"torch.Size() takes an iterable of 'int' (item {i} is "
                                    f"'{type(extent).__name__}')")
                extents = tuple(e.__index__() for e in extents[:i + 1]) + extents[i + 1:]
        return tuple.__new__(cls, extents)

    def numel(self) -> int:
        """The product of the extents."""
        total = 1
        for extent in self:
            total *= extent
        return total

    def __repr__(self) -> str:
        return f"torch.Size([{', '.join(map(str, self))}])"

    __str__ = __repr__

    def __getitem__(self, index):
        found = tuple.__getitem__(self, index)
        return Size(found) if isinstance(index, slice) else found

    def __add__(self, other):
        return Size(tuple.__add__(self, tuple(other)))

    def __radd__(self, other):
        return Size(tuple(other) + tuple(self))

    def __mul__(self, times):
        return Size(tuple.__mul__(self, times))

    __rmul__ = __mul__

    def __reduce__(self):
        return Size, (tuple(self),)


class device:
    """Where a tensor lives: a type such as ``"cpu"`` and an optional index.

    >>> import flambeau as torch
    >>> torch.device("cuda:1").index
    1
    """

    __slots__ = ("type", "index")
    type: str
    index: int | None
    TYPES = ("cpu", "cuda", "ipu", "xpu", "mkldnn", "opengl", "opencl", "ideep", "hip", "ve",
             "fpga", "maia", "xla", "lazy", "vulkan", "mps", "meta", "hpu", "mtia", "privateuseone")

    def __init__(self, type, index: int | None = None):
        if isinstance(type, device):
            type, index = type.type, type.index
        elif isinstance(type, int) and not isinstance(type, bool):
            type, index = "cuda", type
        elif isinstance(type, str) and ":" in type:
            if index is not None:
                raise RuntimeError("type (string) must not include an index because index was "
                                   f"passed explicitly: {type}")
            type, _, number = type.partition(":")
            if not number.isdigit() or number != str(int(number)):
                raise RuntimeError(f"Invalid device string: '{type}:{number}'")
            index = int(number)
        if isinstance(type, str) and not type:
            raise RuntimeError("Device string must not be empty")
        if isinstance(type, str) and not type.replace("_", "a").isalpha():
            raise RuntimeError(f"Invalid device string: '{type}'")
        if type not in self.TYPES:
            raise RuntimeError(f"Expected one of {', '.join(self.TYPES)} device type at start of "
                               f"device string: {type}")
        object.__setattr__(self, "type", type)
        object.__setattr__(self, "index", index)

    def __setattr__(self, name, value):
        raise AttributeError(f"attribute '{name}' of 'torch.device' objects is not writable")

    def __repr__(self) -> str:
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type='{self.type}'{index})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other) -> bool:
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __reduce__(self):
        return device, (self.type, self.index)


class _Named:
    """A named constant that prints as ``torch.<name>``."""

    __slots__ = ("name",)

    def __init__(self, name: str):
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self):
        return _named_constant, (self.name,)


class layout(_Named):
    """How a tensor's elements are organised: ``torch.strided`` (dense)."""


class memory_format(_Named):
    """The order of a dense tensor's dimensions in memory."""


strided = layout("strided")
sparse_coo = layout("sparse_coo")
sparse_csr = layout("sparse_csr")
contiguous_format = memory_format("contiguous_format")
channels_last = memory_format("channels_last")
channels_last_3d = memory_format("channels_last_3d")
preserve_format = memory_format("preserve_format")


def _named_constant(name: str):
    return globals()[name]


class finfo:
    """Numerical limits of a floating-point type."""

    def __init__(self, type: dtype | None = None):
        type = default_dtype() if type is None else type
        if not isinstance(type, globals()["dtype"]) or type.category < 2:
            raise TypeError(f"torch.finfo() requires a floating point input type. Use torch.iinfo "
                            f"to handle 'torch.finfo': received {type!r}")
        real = type.to_real()
        self.dtype = real.name
        self.bits = real.itemsize * 8
        if real is bfloat16:
            self.eps, self.tiny = 2.0**-7, 2.0**-126
            self.max, self.resolution = (2 - 2.0**-7) * 2.0**127, 0.01
            self.smallest_subnormal = 2.0**-133
        else:
            limits = np.finfo(real.storage)
            self.eps, self.tiny = float(limits.eps), float(limits.tiny)
            self.max, self.resolution = float(limits.max), float(f"1e-{limits.precision}")
            self.smallest_subnormal = float(limits.smallest_subnormal)
        self.min, self.smallest_normal = -self.max, self.tiny

    def __repr__(self) -> str:
        return (f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, "
                f"eps={self.eps:g}, smallest_normal={self.tiny:g}, tiny={self.tiny:g}, "
                f"dtype={self.dtype})")


class iinfo:
    """Numerical limits of an integer type."""

    def __init__(self, type: dtype):
        if not isinstance(type, dtype) or type.category != 1:
            raise TypeError("torch.iinfo() requires an integer input type. Use torch.finfo to "
                            f"handle 'torch.iinfo': received {type!r}")
        limits = np.iinfo(type.storage)
        self.bits, self.min, self.max = type.itemsize * 8, int(limits.min), int(limits.max)
        self.dtype = type.name

    def __repr__(self) -> str:
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"


_C_NAMES = {"int32": "int", "float32": "float", "float16": "c10::Half", "bfloat16": "c10::BFloat16",
            "float64": "double"}


@functools.cache
def _limits(kind: dtype) -> tuple[float, float]:
    if kind.category == 1:
        limits = iinfo(kind)
        return -limits.max if limits.min == 0 else limits.min, limits.max     # -1 may mean 255
    largest = finfo(kind).max
    return -largest, largest


def check_fits(value, kind: dtype) -> None:
    """Raise where a Python number does not fit into a type: infinity fits into floating ones."""
    if kind.category not in (1, 2) or not isinstance(value, (int, float)):
        return
    low, high = _limits(kind)
    if not low <= value <= high and (kind.category == 1 or abs(value) < math.inf):
        name = _C_NAMES.get(kind.name, f"{kind.name}_t")
        raise RuntimeError(f"value cannot be converted to type {name} without overflow: "
                           f"received {value}")
