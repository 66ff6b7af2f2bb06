"""PyTorch's names of gradient functions, such as ``MulBackward0``, for recorded operations.

An operation here is one event of the recorder; PyTorch makes several of some, and its name is that
of the last. Read by nodes.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

__all__ = ["Event", "backward_name"]


class Event(NamedTuple):
    """A recorded operation: static arguments, and the shapes of operands (None: a number)."""

    static: tuple
    shapes: tuple
    shape: tuple

    def rank(self, operand: int) -> int:
        """The number of dimensions of an operand; 0 for a number."""
        found = self.shapes[operand] if operand < len(self.shapes) else None
        return len(found or ())


def _linear(event: Event) -> str:
    bias = len(event.shapes) > 2 and event.shapes[2] is not None
    if event.rank(0) == 2:
        return "addmm" if bias else "mm"
    if event.rank(0) == 1:
        return "view" if bias else "squeeze4"
    return "view" if bias else "unsafe_view"


def _matmul(event: Event) -> str:
    return {(1, 1): "dot", (2, 1): "mv", (1, 2): "squeeze4", (2, 2): "mm"}.get(
        (event.rank(0), event.rank(1)), "unsafe_view")


def _cross_entropy(event: Event) -> str:
    probabilities = event.shapes[1] == event.shapes[0]
    if len(event.shapes) > 3 and event.shapes[3] == ():      # label smoothing
        return "div1" if probabilities else "add"
    return "div1" if probabilities else "nll_loss"


def _basic_index(event: Event) -> str:
    for part in reversed(event.static[0]):
        if part is None:
            return "unsqueeze"
        if isinstance(part, int):
            return "select"
        if part is not Ellipsis and part != slice(None):
            return "slice"
    return "alias"


def _pooled(one: str, several: str) -> Callable[[Event], str]:
    """1-dimensional pooling adds a dimension and takes it away again."""
    def name(event: Event) -> str:
        dims = event.static[0]
        dims = dims if isinstance(dims, int) else len(dims)
        return one if dims == 1 else several.format(dims)
    return name


def _adaptive_average(event: Event) -> str:
    if event.static[0] == (1, 1):
        return "mean1"
    return _pooled("squeeze1", "adaptive_avg_pool{}D")(event)


def _padded(event: Event) -> str:
    kind = {"reflect": "reflection", "replicate": "replication"}.get(event.static[1])
    return f"{kind}_pad{len(event.static[0]) // 2}D" if kind else "copy_slices"


def _resampled(event: Event) -> str:
    dims, weighted = event.static[:2]
    if not weighted:
        return f"upsample_nearest{dims}D"
    return {1: "upsample_linear1D", 2: "upsample_bilinear2D", 3: "upsample_trilinear3D"}[dims]


def _first_number(number: str, otherwise: str) -> Callable[[Event], str]:
    return lambda event: number if event.shapes[0] == () else otherwise


# name -> PyTorch's, its overload's number at the end where that is not 0; or what chooses it
_NAMES: dict[str, str | Callable[[Event], str]] = {
    "_fill": "fill", "_index": "index", "_max_dim": "max", "_min_dim": "min",
    "_norm": "linalg_vector_norm", "_pow_static": "pow",
    "adaptive_avg_pool": _adaptive_average,
    "adaptive_max_pool": _pooled("squeeze1", "adaptive_max_pool{}D"),
    "amax": lambda event: "max1" if event.static[0] is None else "amax",
    "amin": lambda event: "min1" if event.static[0] is None else "amin",
    "avg_pool": _pooled("squeeze1", "avg_pool{}D"), "basic_index": _basic_index,
    "batch_norm_eval": "native_batch_norm", "batch_norm_train": "native_batch_norm",
    "bilinear": "add", "chunk": "split",
    "clamp": lambda event: "clamp" if any(event.shapes[1:]) else "clamp1",
    "column_stack": "cat", "conv1d": "convolution", "conv2d": "convolution",
    "conv3d": "convolution", "conv_transpose1d": "convolution",
    "conv_transpose2d": "convolution", "conv_transpose3d": "convolution",
    "cosine_similarity": "sum1", "cross_entropy": _cross_entropy, "det": "linalg_det",
    "div": _first_number("mul", "div"), "dstack": "cat",
    "_einsum": lambda event: "view" if len(event.shapes) > 1 else (
        "sum1" if len(event.shape) < event.rank(0) else "permute"),
    "flatten": "view", "group_norm": "native_group_norm", "hstack": "cat",
    "instance_norm_train": "view", "inv": "linalg_inv_ex",
    "kl_div": lambda event: {"mean": "mean", "batchmean": "div", "sum": "sum"}.get(
        event.static[0], "sub"),
    "l1_loss": "mean", "layer_norm": "native_layer_norm", "linear": _linear, "log1p": "log1P",
    "logsigmoid": "log_sigmoid", "lp_pool": "pow", "mT": "transpose", "matmul": _matmul,
    "max_pool": _pooled("squeeze1", "max_pool{}D_with_indices"),
    "mean": lambda event: "mean" if event.static[0] is None else "mean1",
    "_median_all": "median", "moveaxis": "permute", "movedim": "permute", "narrow": "slice",
    "norm": "linalg_vector_norm", "normalize": "div", "outer": "mul", "pad_edges": _padded,
    "pad_number": "constant_pad_nd",
    "pow": lambda event: "pow2" if event.shapes[0] == () else (
        "pow1" if event.shapes[1] not in (None, ()) else "pow"),
    "prelu": "prelu_kernel",
    "prod": lambda event: "prod" if event.static[0] is None else "prod1",
    "ravel": "view",
    "recurrent_cell": lambda event: {"LSTM": "mul", "GRU": "add", "RNN_TANH": "tanh"}.get(
        event.static[0], "relu"), "resample_by_taps": _resampled, "reshape": "view",
    "scale_by_mask": "mul",
    "selu": "elu", "softsign": "div", "solve": "linalg_solve_ex", "square": "pow",
    "squeeze": lambda event: "squeeze" if event.static[0] is None else "squeeze1",
    "sub": _first_number("rsub1", "sub"),
    "sum": lambda event: "sum" if event.static[0] is None else "sum1",
    "tanhshrink": "sub", "to_dtype": "to_copy", "unflatten": "view",
    "unfold": lambda event: "unfold" if len(event.static) == 3 else "im2Col", "vstack": "cat",
}


def backward_name(name: str, event: Event) -> str:
    """PyTorch's name of the gradient function of the operation `name`."""
    found = _NAMES.get(name, name)
    if not isinstance(found, str):
        found = found(event)
    number = "0"
    if found[-1].isdigit() and name in _NAMES:
        found, number = found[:-1], found[-1]
    words = found.strip("_").split("_")
    return "".join(w[:1].upper() + w[1:] for w in words) + f"Backward{number}"
