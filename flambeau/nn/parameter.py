"""Tensors that a module owns: parameters, buffers and their not yet initialised forms."""
from collections import OrderedDict

import flambeau
from flambeau.graph.ir import building
from flambeau.tensor import Tensor, _TensorType, from_value

__all__ = ["Buffer", "Parameter", "UninitializedBuffer", "UninitializedParameter", "is_lazy"]


def _new_leaf(cls, data, requires_grad):
    """A leaf of class ``cls`` with the elements of ``data`` and no gradient history."""
    before, building.grad_enabled = building.grad_enabled, False
    try:
        source = data.detach()
        leaf = from_value(source._fetch(), cls)
        leaf._storage, leaf._seen = source._storage, source._seen
    finally:
        building.grad_enabled = before
    return leaf.requires_grad_(requires_grad)


class _MarkedType(_TensorType):
    """Tensors that carry the mark of a class (not of its base) count as its instances."""

    def __instancecheck__(cls, instance):
        if type.__instancecheck__(cls, instance):
            return True
        mark = cls.__dict__.get("_mark")
        return mark is not None and isinstance(instance, Tensor) and getattr(instance, mark, False)


class Parameter(Tensor, metaclass=_MarkedType):
    """A tensor that a module lists among its parameters when it is assigned as an attribute.

    Args:
        data: the initial values, whose memory the parameter shares.
        requires_grad: whether gradients are recorded.

    >>> import flambeau as torch
    >>> torch.nn.Parameter(torch.ones(2))
    Parameter containing:
    tensor([1., 1.], requires_grad=True)
    """

    _mark = "_is_param"          # of parameters whose class is that of their data

    def __new__(cls, data=None, requires_grad=True):
        if data is None:
            data = flambeau.empty(0)
        if type(data) is Tensor or type(data) is Parameter:
            return _new_leaf(cls, data, requires_grad)
        tensor = data.detach().requires_grad_(requires_grad)  # a subclass keeps its type
        tensor._is_param = True
        return tensor

    def __init__(self, data=None, requires_grad=True):
        pass  # everything is done in __new__

    def __deepcopy__(self, memo):
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.data.clone(), self.requires_grad)
        return memo[id(self)]

    def __repr__(self, *args, **kwargs):
        return "Parameter containing:\n" + super().__repr__(*args, **kwargs)

    def __reduce_ex__(self, protocol):
        return _rebuild_parameter, (self.data, self.requires_grad, OrderedDict())


def _rebuild_parameter(data, requires_grad, backward_hooks):
    parameter = Parameter(data, requires_grad)
    parameter._backward_hooks = backward_hooks or None
    return parameter


class Buffer(Tensor, metaclass=_MarkedType):
    """A tensor that becomes a buffer when it is assigned as an attribute of a module.

    >>> import flambeau as torch
    >>> module = torch.nn.Module()
    >>> module.scale = torch.nn.Buffer(torch.ones(1), persistent=False)
    >>> [name for name, _ in module.named_buffers()]
    ['scale']
    """

    _mark = "_is_buffer"

    def __new__(cls, data=None, *, persistent=True):
        if data is None:
            data = flambeau.empty(0)
        tensor = data.detach().requires_grad_(data.requires_grad)
        tensor.persistent = persistent
        tensor._is_buffer = True
        return tensor


class UninitializedTensorMixin:
    """A parameter or buffer whose shape is not known before the first forward."""

    cls_to_become = Tensor

    def materialize(self, shape, device=None, dtype=None):
        """Give the tensor its shape (its values are not initialised) and its final class."""
        device = self.data.device if device is None else device
        dtype = self.data.dtype if dtype is None else dtype
        self.data = flambeau.empty(shape, device=device, dtype=dtype)
        self.__class__ = self.cls_to_become

    @property
    def shape(self):
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. This error usually "
            "happens in `load_state_dict` when trying to load an uninitialized parameter into an "
            "initialized one. Call `forward` to initialize the parameters before accessing their "
            "attributes."
        )

    def share_memory_(self):
        raise RuntimeError(
            "Can't share memory on an uninitialized parameter or buffer. Call `forward` to "
            "initialize the parameters before calling `module.share_memory()`."
        )

    def __repr__(self, *args, **kwargs):
        return f"<{type(self).__name__}>"

    def __reduce_ex__(self, protocol):
        return type(self), (self.requires_grad,)

    def __deepcopy__(self, memo):
        if id(self) not in memo:
            data = self.data
            memo[id(self)] = type(self)(self.requires_grad, data.device, data.dtype)
        return memo[id(self)]


def is_lazy(param):
    """Return whether ``param`` still waits for its shape."""
    return isinstance(param, UninitializedTensorMixin)


class UninitializedParameter(UninitializedTensorMixin, Parameter):
    """A parameter whose shape is set by :meth:`materialize`; used by the lazy modules."""

    cls_to_become = Parameter

    def __new__(cls, requires_grad=True, device=None, dtype=None):
        data = flambeau.empty(0, device=device, dtype=dtype)
        return _new_leaf(cls, data, requires_grad)

    def __init__(self, requires_grad=True, device=None, dtype=None):
        pass


class UninitializedBuffer(UninitializedTensorMixin, Tensor):
    """A buffer whose shape is set by :meth:`materialize`; used by the lazy modules."""

    cls_to_become = Tensor

    def __new__(cls, requires_grad=False, device=None, dtype=None, persistent=True):
        data = flambeau.empty(0, device=device, dtype=dtype)
        buffer = _new_leaf(cls, data, requires_grad)
        buffer.persistent = persistent
        buffer._is_buffer = True
        return buffer

    def __init__(self, requires_grad=False, device=None, dtype=None, persistent=True):
        pass
