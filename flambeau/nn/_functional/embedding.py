"""Tables: embedding, embedding_bag and one_hot."""
import flambeau
from flambeau.graph.ir import building
from flambeau.ops import nn_embedding as ops


def _no_sparse(name, sparse):
    if sparse:
        raise NotImplementedError(
            f"{name}(sparse=True): sparse gradients do not exist here; leave out sparse=True, the "
            "gradient is then dense and equal"
        )


def _positive(padding_idx, rows, name):
    """The padding row counted from the front, -1 for none."""
    if padding_idx is None:
        return -1
    if not -rows <= padding_idx < rows:
        raise AssertionError(f"{name} must be within num_embeddings")
    return padding_idx % rows


def _renormalise(weight, input, max_norm, norm_type):
    before, building.grad_enabled = building.grad_enabled, False
    try:
        rows = ops.renormalised_rows(weight, input, float(max_norm), float(norm_type))
        weight._assign(rows)
    finally:
        building.grad_enabled = before


def embedding(
    input, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False,
    sparse=False,
):
    """The rows of ``weight`` (rows, columns) at the integers ``input``.

    See :class:`flambeau.nn.Embedding`.

    >>> import flambeau as torch
    >>> table = torch.tensor([[0., 1.], [2., 3.]])
    >>> torch.nn.functional.embedding(torch.tensor([1, 0]), table)
    tensor([[2., 3.],
            [0., 1.]])
    """
    if sparse:
        _no_sparse("embedding", sparse)
    if padding_idx is not None:
        padding_idx = _positive(padding_idx, weight.size(0), "Padding_idx")
    else:
        padding_idx = -1
    if max_norm is not None:
        _renormalise(weight, input, max_norm, norm_type)
    return ops.embedding(weight, input, padding_idx, bool(scale_grad_by_freq))


def embedding_bag(
    input, weight, offsets=None, max_norm=None, norm_type=2, scale_grad_by_freq=False,
    mode="mean", sparse=False, per_sample_weights=None, include_last_offset=False,
    padding_idx=None,
):
    """Sums, means or maxima of bags of rows; see :class:`flambeau.nn.EmbeddingBag`."""
    _no_sparse("embedding_bag", sparse)
    if weight.dtype == flambeau.int64 and input.is_floating_point():
        raise RuntimeError("Argument order of nn.functional.embedding_bag was changed.")
    if per_sample_weights is not None and input.size() != per_sample_weights.size():
        raise ValueError(
            f"embedding_bag: If per_sample_weights ({tuple(per_sample_weights.shape)}) is not "
            f"None, then it must have the same shape as the input ({tuple(input.shape)})"
        )
    if input.dim() == 2:
        if offsets is not None:
            raise ValueError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch "
                f"of fixed length sequences. However, found offsets of type {type(offsets)}"
            )
        bags = input.shape[0]
    elif input.dim() == 1:
        if not isinstance(offsets, flambeau.Tensor):
            raise ValueError(f"offsets has to be a 1D Tensor but got {offsets}")
        if offsets.dim() != 1:
            raise ValueError("offsets has to be a 1D Tensor")
        first = int(offsets[0]) if offsets.numel() else 0
        if first != 0:
            raise RuntimeError(
                "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start "
                f"from position 0. However, got {first}"
            )
        last = int(offsets[-1]) if offsets.numel() else 0
        if last > input.shape[0]:
            raise RuntimeError(
                f"offsets[-1] can not be greater than input's length {input.shape[0]} but got "
                f"offsets[-1] of {last}"
            )
        bags = offsets.shape[0] - (1 if include_last_offset else 0)
    else:
        raise ValueError(
            f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.dim()}"
        )
    if mode not in ("sum", "mean", "max"):
        raise ValueError("mode has to be one of sum, mean or max")
    if mode == "max" and scale_grad_by_freq:
        raise ValueError("max mode does not support scaling the gradient by the frequency")
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported "
            f"for mode='sum' (got mode='{mode}'). Please open a feature request on GitHub."
        )
    padding_idx = _positive(padding_idx, weight.size(0), "padding_idx")
    if max_norm is not None:
        _renormalise(weight, input, max_norm, norm_type)
    return ops.embedding_bag(
        weight, input, offsets, bags, mode, per_sample_weights, padding_idx,
        bool(scale_grad_by_freq),
    )


def one_hot(tensor, num_classes=-1):
    """Integers ``(*)`` as rows ``(*, num_classes)`` with a single 1; -1 takes the largest plus 1.

    >>> import flambeau as torch
    >>> torch.nn.functional.one_hot(torch.tensor([0, 2]), 3)
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    if not isinstance(tensor, flambeau.Tensor):
        raise TypeError("one_hot(): argument 'input' (position 1) must be Tensor, not "
                        f"{type(tensor).__name__}")
    if tensor.dtype != flambeau.int64:
        raise RuntimeError(
            "one_hot is only applicable to index tensor of type LongTensor: received "
            f"{tensor.dtype}; use .long()"
        )
    if tensor.numel() == 0:
        if num_classes <= 0:
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
        return flambeau.empty(*tensor.shape, num_classes, dtype=flambeau.int64)
    if num_classes == -1 or tensor._fetch().is_concrete:
        values = tensor._array()
        if values.min() < 0:
            raise RuntimeError("Class values must be non-negative.")
        if num_classes == -1:
            num_classes = int(values.max()) + 1
        elif num_classes < 1:
            raise RuntimeError("num_classes should be positive")
        elif values.max() >= num_classes:
            raise RuntimeError(
                "Class values must be smaller than num_classes.: received "
                f"{int(values.max())} with num_classes={num_classes}"
            )
    return ops.one_hot(tensor, num_classes)
