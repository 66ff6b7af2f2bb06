"""Convolution layers of one, two and three dimensions, plain, transposed and lazy."""
import inspect
import math

import flambeau

from .. import functional as F
from .. import init
from ..parameter import Parameter, UninitializedParameter
from .lazy import LazyModuleMixin
from .module import Module
from .utils import _ntuple, _reverse_repeat_tuple

__all__ = [
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "LazyConv1d",
    "LazyConv2d",
    "LazyConv3d",
    "LazyConvTranspose1d",
    "LazyConvTranspose2d",
    "LazyConvTranspose3d",
]

_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _ConvNd(Module):
    """What all convolutions share: checked options, parameters, initial values, printing."""

    __constants__ = [
        "stride",
        "padding",
        "dilation",
        "groups",
        "padding_mode",
        "output_padding",
        "in_channels",
        "out_channels",
        "kernel_size",
    ]

    def __init__(
        self, in_channels, out_channels, kernel_size, stride, padding, dilation, transposed,
        output_padding, groups, bias, padding_mode, device=None, dtype=None,
    ):
        super().__init__()
        if groups <= 0:
            raise ValueError("groups must be a positive integer")
        if in_channels % groups != 0:
            raise ValueError("in_channels must be divisible by groups")
        if out_channels % groups != 0:
            raise ValueError("out_channels must be divisible by groups")
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise ValueError(
                    f"Invalid padding string {padding!r}, should be one of {{'same', 'valid'}}"
                )
            if padding == "same" and any(s != 1 for s in stride):
                raise ValueError("padding='same' is not supported for strided convolutions")
        if padding_mode not in _PADDING_MODES:
            raise ValueError(
                f"padding_mode must be one of {set(_PADDING_MODES)}, "
                f"but got padding_mode='{padding_mode}'"
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        self.transposed = transposed
        self.output_padding = output_padding
        self.groups = groups
        self.padding_mode = padding_mode
        self._reversed_padding_repeated_twice = self._pad_argument()
        factory = {"device": device, "dtype": dtype}
        self.weight = Parameter(flambeau.empty(self._weight_shape(), **factory))
        if bias:
            self.bias = Parameter(flambeau.empty(out_channels, **factory))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def _weight_shape(self):
        first, second = self.out_channels, self.in_channels
        if self.transposed:
            first, second = second, first
        return (first, second // self.groups, *self.kernel_size)

    def _pad_argument(self):
        """The padding as ``F.pad`` wants it: (low, high) a dimension, the last one first."""
        if not isinstance(self.padding, str):
            return _reverse_repeat_tuple(self.padding, 2)
        pads = []
        for dilation, size in zip(reversed(self.dilation), reversed(self.kernel_size)):
            total = dilation * (size - 1) if self.padding == "same" else 0
            pads += [total // 2, total - total // 2]
        return pads

    def reset_parameters(self):
        """Draw the weight, then the bias, uniform in ``±1/sqrt(fan_in)``, as PyTorch does."""
        with flambeau.no_grad():
            init.kaiming_uniform_(self.weight, a=math.sqrt(5))
            if self.bias is not None:
                fan_in, _ = init._calculate_fan_in_and_fan_out(self.weight)
                bound = 1 / math.sqrt(fan_in) if fan_in > 0 else 0
                init.uniform_(self.bias, -bound, bound)

    def extra_repr(self):
        dims = len(self.kernel_size)
        parts = [
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}"
        ]
        for name, default in (
            ("padding", (0,) * dims),
            ("dilation", (1,) * dims),
            ("output_padding", (0,) * dims),
            ("groups", 1),
        ):
            if getattr(self, name) != default:
                parts.append(f"{name}={getattr(self, name)}")
        if self.bias is None:
            parts.append("bias=False")
        if self.padding_mode != "zeros":
            parts.append(f"padding_mode={self.padding_mode}")
        return ", ".join(parts)

    def __setstate__(self, state):
        super().__setstate__(state)
        self.__dict__.setdefault("padding_mode", "zeros")

    def _shape_hint(self, input, *_):
        dims = len(self.kernel_size)
        shape = tuple(input.shape)
        if len(shape) not in (dims + 1, dims + 2):
            return (
                f"expects ({self.in_channels}, …) or (N, {self.in_channels}, …) with {dims} "
                "spatial dimensions"
            )
        channels = shape[-dims - 1]
        if channels != self.in_channels:
            if shape[-1] == self.in_channels:
                return "the channels seem to come last; permute the input to (N, C, …)"
            return f"in_channels is {self.in_channels}, the input has {channels} channels"
        return None


# ---- plain convolutions ----


class _PlainConv(_ConvNd):
    _dims = None

    def __init__(
        self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1,
        bias=True, padding_mode="zeros", device=None, dtype=None,
    ):
        spread = _ntuple(self._dims)
        super().__init__(
            in_channels, out_channels, spread(kernel_size), spread(stride),
            padding if isinstance(padding, str) else spread(padding), spread(dilation), False,
            spread(0), groups, bias, padding_mode, device=device, dtype=dtype,
        )

    def _conv_forward(self, input, weight, bias):
        padding = self.padding
        if self.padding_mode != "zeros":
            pads = self._reversed_padding_repeated_twice
            input = F.pad(input, pads, mode=self.padding_mode)
            padding = (0,) * self._dims
        return self._convolve(input, weight, bias, self.stride, padding, self.dilation, self.groups)

    def forward(self, input):
        return self._conv_forward(input, self.weight, self.bias)


class Conv1d(_PlainConv):
    """Convolve over one dimension: ``(N, C_in, L)`` to ``(N, C_out, L_out)``.

    The arguments are those of :class:`Conv2d`.
    """

    _dims = 1
    _convolve = staticmethod(F.conv1d)


class Conv2d(_PlainConv):
    """Convolve over two dimensions: ``(N, C_in, H, W)`` to ``(N, C_out, H_out, W_out)``.

    ``out[n, o] = bias[o] + sum_i weight[o, i] * input[n, i]`` (cross-correlation), with
    ``H_out = floor((H + 2 padding - dilation (kernel_size - 1) - 1) / stride + 1)``.

    Args:
        in_channels, out_channels: both divisible by ``groups``.
        kernel_size, stride, padding, dilation: a number or one per dimension; ``padding`` also
            ``"valid"`` or ``"same"``.
        groups: number of independent blocks of channels.
        bias: whether to add a learned value per output channel.
        padding_mode: ``"zeros"``, ``"reflect"``, ``"replicate"`` or ``"circular"``.

    >>> import flambeau as torch
    >>> torch.nn.Conv2d(16, 33, 3, stride=2)(torch.zeros(20, 16, 50, 100)).shape
    torch.Size([20, 33, 24, 49])
    """

    _dims = 2
    _convolve = staticmethod(F.conv2d)


class Conv3d(_PlainConv):
    """Convolve over three dimensions: ``(N, C_in, D, H, W)`` to ``(N, C_out, …)``.

    The arguments are those of :class:`Conv2d`.
    """

    _dims = 3
    _convolve = staticmethod(F.conv3d)


# ---- transposed convolutions ----


class _ConvTransposeNd(_ConvNd):
    _dims = None

    def __init__(
        self, in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0,
        groups=1, bias=True, dilation=1, padding_mode="zeros", device=None, dtype=None,
    ):
        if padding_mode != "zeros":
            raise ValueError(
                f'Only "zeros" padding mode is supported for {type(self).__name__}'
            )
        spread = _ntuple(self._dims)
        super().__init__(
            in_channels, out_channels, spread(kernel_size), spread(stride), spread(padding),
            spread(dilation), True, spread(output_padding), groups, bias, padding_mode,
            device=device, dtype=dtype,
        )

    def _output_padding(self, input, output_size):
        """The output padding that makes the result ``output_size`` large."""
        if output_size is None:
            return self.output_padding
        dims = self._dims
        others = 2 if input.dim() == dims + 2 else 1
        if len(output_size) == others + dims:
            output_size = output_size[others:]
        if len(output_size) != dims:
            raise ValueError(
                f"ConvTranspose{dims}D: for {input.dim()}D input, output_size must have {dims} or "
                f"{others + dims} elements (got {len(output_size)})"
            )
        smallest = [
            (input.size(d + others) - 1) * self.stride[d] - 2 * self.padding[d]
            + self.dilation[d] * (self.kernel_size[d] - 1) + 1
            for d in range(dims)
        ]
        largest = [size + stride - 1 for size, stride in zip(smallest, self.stride)]
        if any(not a <= size <= b for size, a, b in zip(output_size, smallest, largest)):
            raise ValueError(
                f"requested an output size of {output_size}, but valid sizes range from "
                f"{smallest} to {largest} (for an input of {input.size()[2:]})"
            )
        return tuple(size - a for size, a in zip(output_size, smallest))

    def forward(self, input, output_size=None):
        if self.padding_mode != "zeros":
            raise ValueError(
                f"Only `zeros` padding mode is supported for ConvTranspose{self._dims}d"
            )
        output_padding = self._output_padding(input, output_size)
        return self._convolve(
            input, self.weight, self.bias, self.stride, self.padding, output_padding,
            self.groups, self.dilation,
        )


class ConvTranspose1d(_ConvTransposeNd):
    """The transpose of :class:`Conv1d`; the arguments are those of :class:`ConvTranspose2d`."""

    _dims = 1
    _convolve = staticmethod(F.conv_transpose1d)


class ConvTranspose2d(_ConvTransposeNd):
    """The transpose of :class:`Conv2d`: ``(N, C_in, H, W)`` to ``(N, C_out, H_out, W_out)``.

    ``H_out = (H - 1) stride - 2 padding + dilation (kernel_size - 1) + output_padding + 1``.

    Args:
        output_padding: extra size on one side of the output.
        others: as in :class:`Conv2d`; only zero padding exists.

    ``forward`` takes ``output_size`` to choose among the sizes that a strided convolution maps
    to the same input.

    >>> import flambeau as torch
    >>> torch.nn.ConvTranspose2d(16, 33, 3, stride=2)(torch.zeros(20, 16, 12, 12)).shape
    torch.Size([20, 33, 25, 25])
    """

    _dims = 2
    _convolve = staticmethod(F.conv_transpose2d)


class ConvTranspose3d(_ConvTransposeNd):
    """The transpose of :class:`Conv3d`; the arguments are those of :class:`ConvTranspose2d`."""

    _dims = 3
    _convolve = staticmethod(F.conv_transpose3d)


# ---- lazy forms ----


class _LazyConvXdMixin(LazyModuleMixin):
    """Turns a convolution into one that takes ``in_channels`` from its first input."""

    def __init__(self, out_channels, kernel_size, *args, **kwargs):
        # The signature of the plain class without its first argument.
        names = self._option_names
        if len(args) > len(names):
            raise TypeError(f"{type(self).__name__}() takes at most {len(names) + 2} arguments")
        options = {**dict(zip(names, args)), **kwargs}
        bias = options.pop("bias", True)
        super().__init__(0, 0, kernel_size, bias=False, **options)
        factory = {"device": options.get("device"), "dtype": options.get("dtype")}
        self.weight = UninitializedParameter(**factory)
        self.out_channels = out_channels
        if bias:
            self.bias = UninitializedParameter(**factory)

    def reset_parameters(self):
        if not self.has_uninitialized_params() and self.in_channels != 0:
            super().reset_parameters()

    def initialize_parameters(self, input, *args, **kwargs):
        if not self.has_uninitialized_params():
            return
        dims = self._dims
        if input.dim() not in (dims + 1, dims + 2):
            raise RuntimeError(
                f"Expected {dims + 1}D (unbatched) or {dims + 2}D (batched) input to "
                f"{type(self).__name__}, but got input of size: {input.shape}"
            )
        self.in_channels = input.shape[-dims - 1]
        if self.in_channels % self.groups != 0:
            raise ValueError("in_channels must be divisible by groups")
        self.weight.materialize(self._weight_shape())
        if self.bias is not None:
            self.bias.materialize((self.out_channels,))
        self.reset_parameters()


_PLAIN_OPTIONS = (
    "stride", "padding", "dilation", "groups", "bias", "padding_mode", "device", "dtype",
)
_TRANSPOSED_OPTIONS = (
    "stride", "padding", "output_padding", "groups", "bias", "dilation", "padding_mode", "device",
    "dtype",
)


def _lazy_class(plain, option_names):
    parameters = list(inspect.signature(plain).parameters.values())
    return type(
        f"Lazy{plain.__name__}",
        (_LazyConvXdMixin, plain),
        {
            "__module__": __name__,
            "__doc__": f"A :class:`{plain.__name__}` that takes ``in_channels`` from its first "
            "input.",
            "cls_to_become": plain,
            "_option_names": option_names,
            "__signature__": inspect.Signature(
                [parameter for parameter in parameters if parameter.name != "in_channels"]
            ),
        },
    )


LazyConv1d = _lazy_class(Conv1d, _PLAIN_OPTIONS)
LazyConv2d = _lazy_class(Conv2d, _PLAIN_OPTIONS)
LazyConv3d = _lazy_class(Conv3d, _PLAIN_OPTIONS)
LazyConvTranspose1d = _lazy_class(ConvTranspose1d, _TRANSPOSED_OPTIONS)
LazyConvTranspose2d = _lazy_class(ConvTranspose2d, _TRANSPOSED_OPTIONS)
LazyConvTranspose3d = _lazy_class(ConvTranspose3d, _TRANSPOSED_OPTIONS)
