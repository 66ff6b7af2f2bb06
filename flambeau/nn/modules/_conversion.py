"""Moving and converting a module's tensors: ``to`` and its short forms, over ``_apply``."""
import warnings

import flambeau

from ...construct import check_device


class ConversionMethods:
    """The part of ``Module`` that maps a function over parameters, gradients and buffers."""

    def _apply(self, fn, recurse=True):
        if recurse:
            for module in self.children():
                module._apply(fn)
        for parameter in self._parameters.values():
            if parameter is None:
                continue
            gradient = parameter.grad
            with flambeau.no_grad():
                applied = fn(parameter)
                applied_gradient = None if gradient is None else fn(gradient)
            if applied is not parameter:
                if gradient is not None:  # a gradient must match its parameter: set it afterwards
                    parameter.grad = None
                parameter.data = applied
            if gradient is not None:
                parameter.grad = applied_gradient.requires_grad_(gradient.requires_grad)
        for name, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[name] = fn(buffer)
        return self

    def apply(self, fn):
        """Call ``fn`` on every submodule, children first, then on this module; return self.

        >>> import flambeau as torch
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 2))
        >>> _ = net.apply(lambda m: print(type(m).__name__))
        Linear
        Sequential
        """
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def to(self, *args, **kwargs):
        """Move and convert all parameters and buffers, in place; return self.

        Forms: ``to(device=None, dtype=None, non_blocking=False)``, ``to(dtype)``, ``to(tensor)``,
        ``to(memory_format=channels_last)``.  Integer buffers keep their dtype; the memory format
        has no effect on values: layouts are the compiler's choice.

        Raises:
            TypeError: the dtype is neither floating point nor complex.
        """
        device, dtype, non_blocking, memory_format = _parse_to(*args, **kwargs)
        if dtype is not None:
            if not (dtype.is_floating_point or dtype.is_complex):
                raise TypeError(
                    "nn.Module.to only accepts floating point or complex "
                    f"dtypes, but got desired dtype={dtype}"
                )
            if dtype.is_complex:
                warnings.warn(
                    "Complex modules are a new feature under active development whose design may "
                    "change, and some modules might not work as expected when using complex "
                    "tensors as parameters or buffers.",
                    stacklevel=2,
                )

        def convert(tensor):
            target = dtype if tensor.is_floating_point() or tensor.is_complex() else None
            try:
                if memory_format is not None and tensor.dim() in (4, 5):
                    return tensor.to(device, target, non_blocking, memory_format=memory_format)
                return tensor.to(device, target, non_blocking)
            except NotImplementedError as error:
                if str(error).startswith("Cannot copy out of meta tensor; no data!"):
                    raise NotImplementedError(
                        f"{error} Please use torch.nn.Module.to_empty() instead of "
                        "torch.nn.Module.to() when moving module from meta to a different device."
                    ) from None
                raise

        return self._apply(convert)

    def to_empty(self, *, device, recurse=True):
        """Move parameters and buffers to ``device`` without copying their values."""
        return self._apply(lambda t: flambeau.empty_like(t, device=device), recurse=recurse)

    def cuda(self, device=None):
        """Move all parameters and buffers to the GPU; raises without a device backend."""
        return self._apply(lambda t: t.cuda(device))

    def cpu(self):
        """Move all parameters and buffers to the CPU."""
        return self._apply(lambda t: t.cpu())

    def type(self, dst_type):
        """Cast all parameters and buffers to ``dst_type``, integer buffers too."""
        return self._apply(lambda t: t.type(dst_type))

    def float(self):
        """Cast all floating point parameters and buffers to float32."""
        return self._cast_floating(flambeau.float32)

    def double(self):
        """Cast all floating point parameters and buffers to float64."""
        return self._cast_floating(flambeau.float64)

    def half(self):
        """Cast all floating point parameters and buffers to float16."""
        return self._cast_floating(flambeau.float16)

    def bfloat16(self):
        """Cast all floating point parameters and buffers to bfloat16."""
        return self._cast_floating(flambeau.bfloat16)

    def _cast_floating(self, dtype):
        return self._apply(lambda t: t.to(dtype) if t.is_floating_point() else t)

    def share_memory(self):
        """Move the storage of all parameters and buffers to shared memory."""
        return self._apply(lambda t: t.share_memory_())


def _parse_to(*args, **kwargs):
    """Sort the arguments of ``to`` into (device, dtype, non_blocking, memory_format)."""
    kwargs = dict(kwargs)
    memory_format = kwargs.pop("memory_format", None)
    tensor = kwargs.pop("tensor", kwargs.pop("other", None))
    names = ("device", "dtype", "non_blocking", "copy")
    args = list(args)
    if tensor is None and args and isinstance(args[0], flambeau.Tensor):
        tensor = args.pop(0)
    if tensor is not None:
        kwargs.update(device=tensor.device, dtype=tensor.dtype)
        names = ("non_blocking", "copy")
    elif args and isinstance(args[0], flambeau.dtype):
        names = ("dtype", "non_blocking", "copy")
    if len(args) > len(names):
        raise TypeError(f"to() received an invalid combination of arguments - got {args}")
    for name, value in zip(names, args):
        if name in kwargs:
            raise TypeError(f"to() got multiple values for argument '{name}'")
        kwargs[name] = value
    unknown = kwargs.keys() - {"device", "dtype", "non_blocking", "copy"}
    if unknown:
        raise TypeError(f"to() got an unexpected keyword argument '{sorted(unknown)[0]}'")
    kwargs.pop("copy", None)  # a module always keeps its own tensors; PyTorch ignores it as well
    device, dtype = kwargs.get("device"), kwargs.get("dtype")
    if dtype is not None and not isinstance(dtype, flambeau.dtype):
        raise TypeError(f"to(): argument 'dtype' must be torch.dtype, not {type(dtype).__name__}")
    if device is not None:
        check_device(device)
        device = flambeau.device(device)
    if memory_format is not None and not isinstance(memory_format, flambeau.memory_format):
        raise TypeError(
            "to(): argument 'memory_format' must be torch.memory_format, "
            f"not {type(memory_format).__name__}"
        )
    return device, dtype, kwargs.get("non_blocking", False), memory_format
