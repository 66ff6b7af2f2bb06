"""Linear maps and convolutions: matrix products and windows over one to three dimensions."""


from __future__ import annotations

from ..graph.primitives.contract import swap_groups
from ._nn_common import check_same_dtype, per_dim, shifted
from .build import expand_to, p
from .declare import operation

__all__ = ["bilinear", "conv1d", "conv2d", "conv3d", "conv_tbc", "conv_transpose1d",
           "conv_transpose2d", "conv_transpose3d", "linear"]


@operation(method=False, namespace="nn.functional")
def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None):
    """Return ``input @ weight.T + bias`` for ``input`` (*, in) and ``weight`` (out, in).

    >>> import flambeau as torch
    >>> torch.nn.functional.linear(torch.ones(2, 3), torch.ones(4, 3)).shape
    torch.Size([2, 4])
    """
    if input.ndim == 0 or weight.ndim == 0:
        raise RuntimeError("both arguments to linear need to be at least 1D, but they are "
                           f"{input.ndim}D and {weight.ndim}D")
    if weight.ndim > 2:
        raise RuntimeError(f"mat2 must be a matrix, got {weight.ndim}-D tensor")
    width = weight.shape[-1]
    if input.shape[-1] != width:
        rows = input.numel // max(1, input.shape[-1])
        outputs = weight.shape[0] if weight.ndim == 2 else 1
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied "
                           f"({rows}x{input.shape[-1]} and {width}x{outputs})")
    check_same_dtype(input, weight, message="mat1 and mat2 must have the same dtype, "
                                            "but got {} and {}")
    out = p.contract(input, weight, batch_a=(), batch_b=(), contract_a=(input.ndim - 1,),
                     contract_b=(weight.ndim - 1,))
    if bias is None:
        return out
    check_same_dtype(input, bias, message="mat1 and bias must have the same dtype, "
                                          "but got {} and {}")
    if bias.ndim > out.ndim or any(
            b not in (1, o) for b, o in zip(bias.shape[::-1], out.shape[::-1])):
        rows = out.numel // max(1, out.shape[-1]) if out.ndim else 1
        raise RuntimeError(
            f"The expanded size of the tensor ({out.shape[-1]}) must match the existing size "
            f"({bias.shape[-1]}) at non-singleton dimension 1.  "
            f"Target sizes: [{rows}, {out.shape[-1]}].  Tensor sizes: {list(bias.shape)}")
    return p.add(out, expand_to(bias, out.shape))


@operation(method=False, namespace="nn.functional")
def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None):
    """Return ``y_o = x1^T weight_o x2 + bias_o`` for ``weight`` (out, in1, in2)."""
    if input1.shape[:-1] != input2.shape[:-1]:
        raise RuntimeError("bilinear(): input batch dimensions do not match: got "
                           f"{list(input1.shape[:-1])} and {list(input2.shape[:-1])}")
    for number, node in ((1, input1), (2, input2)):
        if node.shape[-1] != weight.shape[number]:
            raise RuntimeError(f"bilinear(): input{number} size does not match weight size: got "
                               f"{node.shape[-1]} but expected {weight.shape[number]}")
    check_same_dtype(input1, input2, weight, bias)
    last = input1.ndim - 1
    batch = tuple(range(last))
    half = p.contract(input1, weight, batch_a=(), batch_b=(), contract_a=(last,), contract_b=(1,))
    out = p.contract(half, input2, batch_a=batch, batch_b=batch, contract_a=(last + 1,),
                     contract_b=(last,))
    return shifted(out, bias, out.ndim - 1)


# ---- convolutions ----


def _batched(input, dims: int, name: str):
    """The input with a batch dimension, and whether one had to be added."""
    if input.ndim == dims + 1:
        return p.reshape(input, shape=(1,) + input.shape), True
    if input.ndim != dims + 2:
        raise RuntimeError(f"Expected {dims + 1}D (unbatched) or {dims + 2}D (batched) input to "
                           f"{name}, but got input of size: {list(input.shape)}")
    return input, False


def _finish(out, bias, unbatched: bool):
    out = shifted(out, bias)
    return p.reshape(out, shape=out.shape[1:]) if unbatched else out


def _check_bias(weight, bias, channels: int) -> None:
    if bias is not None and bias.shape != (channels,):
        raise RuntimeError(f"Given weight of size {list(weight.shape)}, expected bias to be "
                           f"1-dimensional with {channels} elements, but got bias of size "
                           f"{list(bias.shape)} instead")


def _options(dims: int, **options) -> list[tuple[int, ...]]:
    found = []
    for name, value in options.items():
        value = per_dim(value, dims, name)
        if name in ("stride", "dilation") and min(value) <= 0:
            kind = "stride" if name == "stride" else "dilation"
            raise RuntimeError(f"non-positive {kind} is not supported")
        if name in ("padding", "output_padding") and min(value) < 0:
            raise RuntimeError(f"negative {name} is not supported")
        found.append(value)
    return found


def _padding_pairs(padding, size, stride, dilation):
    """(low, high) per dimension, also for "same" and "valid"."""
    if not isinstance(padding, str):
        return tuple((a, a) for a in _options(len(size), padding=padding)[0])
    if padding == "valid":
        return ((0, 0),) * len(size)
    if padding != "same":
        raise RuntimeError(f"Invalid padding string: '{padding}'")
    if any(s != 1 for s in stride):
        raise RuntimeError("padding='same' is not supported for strided convolutions")
    totals = [d * (k - 1) for d, k in zip(dilation, size)]
    return tuple((t // 2, t - t // 2) for t in totals)


def _convolution(input, weight, bias, stride, padding, dilation, groups, dims, name):
    if weight.ndim != dims + 2:
        if weight.ndim > 2:      # PyTorch takes the number of dimensions from the weight
            per_dim((1,) * dims, weight.ndim - 2, "stride")
        raise RuntimeError(f"expected weight of {name} to have {dims + 2} dimensions, but got "
                           f"weight of size {list(weight.shape)}")
    input, unbatched = _batched(input, dims, name)
    if groups <= 0:
        raise RuntimeError("non-positive groups is not supported")
    if input.shape[1] != weight.shape[1] * groups:
        raise RuntimeError(
            f"Given groups={groups}, weight of size {list(weight.shape)}, expected "
            f"input{list(input.shape)} to have {weight.shape[1] * groups} channels, but got "
            f"{input.shape[1]} channels instead")
    if weight.shape[0] % groups:
        raise RuntimeError(f"Given groups={groups}, expected weight to be divisible by {groups} at "
                           f"dimension 0, but got weight of size [{list(weight.shape)}] instead")
    _check_bias(weight, bias, weight.shape[0])
    if bias is not None and bias.dtype is not input.dtype:
        raise RuntimeError(f"Input type ({input.dtype.cpp_name}) and bias type "
                           f"({bias.dtype.cpp_name}) should be the same: convert one of them with "
                           ".to(dtype)")
    check_same_dtype(input, weight, bias)
    stride, dilation = _options(dims, stride=stride, dilation=dilation)
    size = weight.shape[2:]
    pairs = _padding_pairs(padding, size, stride, dilation)
    padded = [e + a + b for e, (a, b) in zip(input.shape[2:], pairs)]
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, size)]
    if any(e < r for e, r in zip(padded, reach)):
        raise RuntimeError(
            f"Calculated padded input size per channel: ({' x '.join(map(str, padded))}). "
            f"Kernel size: ({' x '.join(map(str, reach))}). Kernel size can't be greater than "
            "actual input size")
    out = p.convolve(input, weight, stride=stride, padding=pairs, dilation=dilation,
                     base_dilation=(1,) * dims, groups=groups)
    return _finish(out, bias, unbatched)


def _transposed(input, weight, bias, stride, padding, output_padding, groups, dilation, dims,
                name):
    input, unbatched = _batched(input, dims, name)
    if weight.ndim != dims + 2:
        raise RuntimeError(f"expected weight of {name} to have {dims + 2} dimensions, but got "
                           f"weight of size {list(weight.shape)}")
    if input.shape[1] != weight.shape[0]:
        raise RuntimeError(
            f"Given transposed=1, weight of size {list(weight.shape)}, expected "
            f"input{list(input.shape)} to have {weight.shape[0]} channels, but got "
            f"{input.shape[1]} channels instead")
    if groups <= 0 or weight.shape[0] % groups:
        raise RuntimeError(f"Given groups={groups}, expected weight to be divisible by {groups} at "
                           f"dimension 0, but got weight of size [{list(weight.shape)}] instead")
    _check_bias(weight, bias, weight.shape[1] * groups)
    check_same_dtype(input, weight, bias)
    stride, padding, output_padding, dilation = _options(
        dims, stride=stride, padding=padding, output_padding=output_padding, dilation=dilation)
    if any(o >= max(s, d) for o, s, d in zip(output_padding, stride, dilation)):
        raise RuntimeError("output padding must be smaller than either stride or dilation, but got "
                           f"output_padding={output_padding}, stride={stride}, "
                           f"dilation={dilation}")
    size = weight.shape[2:]
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, size)]
    pairs = tuple((r - 1 - a, r - 1 - a + o) for r, a, o in zip(reach, padding, output_padding))
    extents = [(e - 1) * s + 1 + low + high - r + 1
               for e, s, r, (low, high) in zip(input.shape[2:], stride, reach, pairs)]
    if 0 in input.shape[2:]:
        raise RuntimeError("Only zero batch or zero channel inputs are supported, but got input "
                           f"shape: {list(input.shape)}")
    if min(extents) < 1:
        raise RuntimeError(f"Given input size per channel: ({_by(input.shape[2:])}). Calculated "
                           f"output size per channel: ({_by(extents)}). Output size is too small")
    flipped = p.flip(swap_groups(weight, groups), dims=tuple(range(2, dims + 2)))
    out = p.convolve(input, flipped, stride=(1,) * dims, padding=pairs, dilation=dilation,
                     base_dilation=stride, groups=groups)
    return _finish(out, bias, unbatched)


def _by(extents) -> str:
    """Extents in PyTorch's errors, which sees one dimension as two."""
    return " x ".join(map(str, [1] * (len(extents) == 1) + list(extents)))


def _declare(dims: int):
    """conv1d, conv2d or conv3d, and its transpose."""
    spatial = ("L", "H, W", "D, H, W")[dims - 1]
    name, transposed_name = f"conv{dims}d", f"conv_transpose{dims}d"

    def plain(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1,
              padding: Any = 0, dilation: Any = 1, groups: int = 1):
        return _convolution(input, weight, bias, stride, padding, dilation, groups, dims, name)

    def transposed(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1,
                   padding: Any = 0, output_padding: Any = 0, groups: int = 1, dilation: Any = 1):
        return _transposed(input, weight, bias, stride, padding, output_padding, groups, dilation,
                           dims, transposed_name)

    ones = ", ".join(["5"] * dims)
    plain.__doc__ = f"""Convolve ``input`` (N, C, {spatial}) with ``weight`` (O, C / groups, …).

    ``padding`` is a number, one per dimension, ``"same"`` or ``"valid"``; the other options are
    numbers or one per dimension.

    >>> import flambeau as torch
    >>> x, w = torch.ones(2, 3, {ones}), torch.ones(4, 3, *[3] * {dims})
    >>> torch.nn.functional.{name}(x, w).shape == (2, 4, *[3] * {dims})
    True
    """
    transposed.__doc__ = f"""The gradient of ``{name}`` with respect to its input, as an operation.

    ``input`` is (N, C, {spatial}), ``weight`` (C, O / groups, …); ``output_padding`` makes one
    side of the output larger.
    """
    return (operation(name, method=False, namespace="nn.functional")(plain),
            operation(transposed_name, method=False, namespace="nn.functional")(transposed))


conv1d, conv_transpose1d = _declare(1)
conv2d, conv_transpose2d = _declare(2)
conv3d, conv_transpose3d = _declare(3)


@operation(method=False, namespace="nn.functional")
def conv_tbc(input: Tensor, weight: Tensor, bias: Tensor, pad: int = 0):
    """Convolve ``input`` (time, batch, C) with ``weight`` (width, C, O)."""
    if input.ndim != 3:
        raise RuntimeError("Input must have 3 dims: time, batch, in_channel")
    if weight.ndim != 3:
        raise RuntimeError("Weight tensor must have 3 dims: kernel_width, in_channels, "
                           "out_channels.")
    x, w = p.permute(input, dims=(1, 2, 0)), p.permute(weight, dims=(2, 1, 0))
    out = _convolution(x, w, bias, 1, pad, 1, 1, 1, "conv_tbc")
    return p.permute(out, dims=(2, 0, 1))
