"""The names that PyTorch's profiler has for a recorded call, and for its gradient.

A call has several where PyTorch nests them: ``aten::linear`` calls ``aten::addmm``, which has the
time of its own. Operations that PyTorch computes by more than one kernel, such as the two parts of
``cross_entropy``, are one here, under the outer name.
"""

from __future__ import annotations

__all__ = ["names_of_call", "names_of_gradient"]

# operation: PyTorch's names, the outermost first; {n} is the number of spatial dimensions
_NAMES: dict[str, tuple[str, ...]] = {
    "linear": ("linear", "addmm"),
    "batch_norm": ("batch_norm", "native_batch_norm"),
    "layer_norm": ("layer_norm", "native_layer_norm"),
    "group_norm": ("group_norm", "native_group_norm"),
    "instance_norm": ("instance_norm", "native_batch_norm"),
    "max_pool": ("max_pool{n}d", "max_pool{n}d_with_indices"),
    "max_pool_with_indices": ("max_pool{n}d_with_indices",),
    "avg_pool": ("avg_pool{n}d",),
    "adaptive_avg_pool": ("adaptive_avg_pool{n}d",),
    "adaptive_max_pool": ("adaptive_max_pool{n}d",),
    "softmax": ("softmax", "_softmax"),
    "log_softmax": ("log_softmax", "_log_softmax"),
    "cross_entropy": ("cross_entropy_loss",),
    "to_dtype": ("to", "_to_copy"),
    "basic_index": ("slice",),
    "scale_by_mask": ("dropout",),
    "scale_by_mask_alpha": ("alpha_dropout",),
    "norm": ("linalg_vector_norm",),
    "max_dim": ("max",), "min_dim": ("min",), "pow_static": ("pow",),
    "median_all": ("median",), "median_dim": ("median",),
    "clamp_all": ("clamp",), "nll_loss": ("nll_loss_nd", "nll_loss_forward"),
    "std": ("std",), "mT": ("transpose",), "broadcast_to": ("expand",),
    "fill": ("fill_",), "index_put": ("index_put_",), "masked_scatter": ("masked_scatter_",),
    "scatter": ("scatter",), "constant_pad": ("constant_pad_nd",), "pad_number": ("pad",),
    "pad_edges": ("pad",), "data": ("detach",), "variable": ("detach",), "boundary": ("alias",),
}
for _kind in ("conv", "conv_transpose"):
    for _n in (1, 2, 3):
        _NAMES[f"{_kind}{_n}d"] = (f"{_kind}{_n}d", "convolution")

# the innermost name of a call: the node of its gradient, and what that calls
_GRADIENTS: dict[str, tuple[str, ...]] = {
    "addmm": ("AddmmBackward0", "aten::mm"),
    "mm": ("MmBackward0", "aten::mm"),
    "bmm": ("BmmBackward0", "aten::bmm"),
    "convolution": ("ConvolutionBackward0", "aten::convolution_backward"),
    "native_batch_norm": ("NativeBatchNormBackward0", "aten::native_batch_norm_backward"),
    "native_layer_norm": ("NativeLayerNormBackward0", "aten::native_layer_norm_backward"),
    "native_group_norm": ("NativeGroupNormBackward0", "aten::native_group_norm_backward"),
    "max_pool2d_with_indices": ("MaxPool2DWithIndicesBackward0",
                                "aten::max_pool2d_with_indices_backward"),
    "relu": ("ReluBackward0", "aten::threshold_backward"),
    "gelu": ("GeluBackward0", "aten::gelu_backward"),
    "silu": ("SiluBackward0", "aten::silu_backward"),
    "tanh": ("TanhBackward0", "aten::tanh_backward"),
    "sigmoid": ("SigmoidBackward0", "aten::sigmoid_backward"),
    "_softmax": ("SoftmaxBackward0", "aten::_softmax_backward_data"),
    "_log_softmax": ("LogSoftmaxBackward0", "aten::_log_softmax_backward_data"),
    "embedding": ("EmbeddingBackward0", "aten::embedding_dense_backward"),
}
_SUFFIXES = ("_train", "_eval")


def names_of_call(operation: str, dimensions: int = 4, with_bias: bool = True
                  ) -> tuple[str, ...]:
    """PyTorch's names of a call, the outermost first.

    dimensions: of its result; with_bias: whether ``linear`` has one.

    >>> names_of_call("conv2d")
    ('aten::conv2d', 'aten::convolution')
    """
    if operation.endswith(".step"):
        return (f"Optimizer.step#{operation}",)
    return tuple(f"aten::{name}" for name in _plain(operation, dimensions, with_bias))


def names_of_gradient(operation: str, dimensions: int = 4, with_bias: bool = True
                      ) -> tuple[str, ...]:
    """PyTorch's names for the gradient of a call.

    >>> names_of_gradient("linear")
    ('AddmmBackward0', 'aten::mm')
    """
    inner = _plain(operation, dimensions, with_bias)[-1]
    known = _GRADIENTS.get(inner)
    if known is not None:
        return known
    return ("".join(part.capitalize() for part in inner.split("_")) + "Backward0",)


def _plain(operation: str, dimensions: int, with_bias: bool) -> tuple[str, ...]:
    name = operation.strip("_")
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    if name == "linear" and not with_bias:
        return "linear", "mm" if dimensions == 2 else "matmul"
    if name == "matmul":
        return "matmul", ("dot", "mv", "mm")[dimensions] if dimensions < 3 else "bmm"
    found = _NAMES.get(name, (name or "copy_",))
    return tuple(part.format(n=max(1, dimensions - 2)) for part in found)
