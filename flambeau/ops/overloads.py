"""Functions whose meaning depends on how they are called: max(x), max(x, dim), max(x, y)."""

from __future__ import annotations

import string

from ..dtypes import check_fits
from .declare import DECLARED, write_out

__all__ = ["broadcast_tensors", "einsum", "masked_fill", "max", "median", "meshgrid", "min",
           "norm", "permute", "repeat_interleave", "scatter", "swapaxes", "tensor_split",
           "tensordot", "where"]


def _is_tensor(x) -> bool:
    return hasattr(x, "_fetch")


def _extreme(name: str):
    along, whole = f"_private._{name}_dim", f"a{name}"
    pairwise = f"{name}imum"

    def function(input, dim=None, keepdim=False, *, other=None, out=None, axis=None):
        dim = axis if axis is not None else dim
        if _is_tensor(dim) and (dim.ndim or not isinstance(keepdim, bool) or other is None):
            other, dim = dim, None
        if other is not None:
            return DECLARED[pairwise].function(input, other, out=out)
        if dim is None:
            if input.numel() == 0:
                raise RuntimeError(f"{name}(): Expected reduction dim to be specified for "
                                   "input.numel() == 0. Specify the reduction dim with the 'dim' "
                                   "argument.")
            found = DECLARED[whole].function(input)
        else:
            found = DECLARED[along].function(input, int(dim), bool(keepdim))
        return found if out is None else write_out(out, found, name)
    function.__name__ = function.__qualname__ = name
    function.__doc__ = (f"The {name}imum of all elements, along a dimension (with indices), or of "
                        "two tensors element by element.")
    return function


max, min = _extreme("max"), _extreme("min")


def median(input, dim=None, keepdim=False, *, out=None, axis=None):
    """The lower median of all elements, or along a dimension with its index."""
    dim = axis if axis is not None else dim
    if dim is None:
        found = DECLARED["_private._median_all"].function(input)
    else:
        found = DECLARED["_private._median_dim"].function(input, dim, keepdim)
    return found if out is None else write_out(out, found, "median")


def norm(input, p="fro", dim=None, keepdim=False, out=None, dtype=None):
    """The p-norm of the elements over dim."""
    if p == "nuc":
        from . import linalg_norms  # noqa: F401
        return DECLARED["linalg.matrix_norm"].function(
            input, "nuc", (-2, -1) if dim is None else tuple(dim), keepdim, dtype=dtype, out=out)
    order = 2.0 if p in ("fro", None) else float(p)
    if isinstance(dim, list):
        dim = tuple(dim)
    found = DECLARED["_private._norm"].function(input, order, dim, keepdim, dtype)
    return found if out is None else write_out(out, found, "linalg_vector_norm")


def _equation_of(arguments) -> tuple[str, tuple]:
    """The equation and operands of ``einsum(a, [0, 1], b, [1, 2], [0, 2])``."""
    def term(indices):
        for i in indices:
            if i is not Ellipsis and not 0 <= i < 52:
                raise ValueError("einsum(): subscripts in sublist must be within range [0, 52): "
                                 f"received {i}")
        return "".join("..." if i is Ellipsis else string.ascii_letters[i] for i in indices)

    if len(arguments) < 2:
        raise ValueError("einsum(): must specify the equation string and at least one operand, "
                         "or at least one operand and its subscripts list")
    pairs = len(arguments) // 2
    terms = [term(arguments[2 * i + 1]) for i in range(pairs)]
    output = f"->{term(arguments[-1])}" if len(arguments) % 2 else ""
    return ",".join(terms) + output, arguments[0:2 * pairs:2]


def einsum(equation, *operands):
    """Sums of products of elements named by index letters.

    Instead of an equation, each operand may be followed by a list of numbers that stand for
    letters: ``einsum(a, [0, 1], b, [1, 2], [0, 2])``.

    >>> import flambeau as torch
    >>> torch.einsum("ij,jk->ik", torch.ones(2, 3), torch.ones(3, 2))
    tensor([[3., 3.],
            [3., 3.]])
    """
    if not isinstance(equation, str):
        equation, operands = _equation_of((equation, *operands))
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    return DECLARED["_private._einsum"].function(equation, list(operands))


def where(condition, input=None, other=None, *, out=None):
    """input where condition holds, other elsewhere; of condition alone, where it is not zero.

    The second form gives the coordinates, one tensor a dimension, as ``nonzero(as_tuple=True)``.

    >>> import flambeau as torch
    >>> x = torch.tensor([3., -1., 2.])
    >>> torch.where(x > 0, x, 0.)
    tensor([3., 0., 2.])
    >>> torch.where(x > 0)
    (tensor([0, 2]),)
    """
    if input is None and other is None:
        return condition.nonzero(as_tuple=True)
    return DECLARED["where"].function(condition, input, other, out=out)


def tensordot(a, b, dims=2, out=None):
    """The contraction over the last dims of a and the first of b, or over named dims."""
    if _is_tensor(dims):
        dims = dims.tolist()
    if isinstance(dims, int):
        dims_a = tuple(range(a.ndim - dims, a.ndim))
        dims_b = tuple(range(dims))
        for place, (da, db) in enumerate(zip(dims_a, dims_b)):
            if a.shape[da] != b.shape[db] and 1 not in (a.shape[da], b.shape[db]):
                raise RuntimeError("contracted dimensions need to match, but first has size "
                                   f"{a.shape[da]} in dim {place - dims} and second has size "
                                   f"{b.shape[db]} in dim {db}")
    else:
        dims_a, dims_b = (tuple(d) if isinstance(d, (list, tuple)) else (d,) for d in dims)
    found = DECLARED["_private._tensordot"].function(a, b, dims_a, dims_b)
    return found if out is None else write_out(out, found, "tensordot")


def meshgrid(*tensors, indexing=None):
    """Coordinate grids of 1-d tensors; indexing "ij" or "xy"."""
    if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)):
        tensors = tuple(tensors[0])
    for t in tensors:
        if t.ndim > 1:
            raise RuntimeError("torch.meshgrid: Expected 0D or 1D tensor in the tensor list but "
                               f"got: one of shape {list(t.shape)}")
    if indexing not in (None, "ij", "xy"):
        raise RuntimeError('torch.meshgrid: indexing must be one of "xy" or "ij", but received: '
                           + str(indexing))
    return DECLARED["_private._meshgrid"].function(list(tensors), indexing or "ij")


def broadcast_tensors(*tensors):
    """All tensors expanded to their common shape."""
    from .build import broadcast_shapes
    shape = broadcast_shapes(*(tuple(t.shape) for t in tensors))
    return tuple(DECLARED["expand"].function(t, shape) for t in tensors)


def scatter(input, dim, index, src=None, *, value=None, reduce=None, out=None):
    """input with src written (or combined) at index along dim."""
    found = DECLARED["_private._scatter"].function(input, dim, index,
                                                   value if src is None else src, reduce)
    return found if out is None else write_out(out, found, "scatter")


def repeat_interleave(input, repeats=None, dim=None, *, output_size=None):
    """Each element repeated, by one number or by a number per element."""
    if not _is_tensor(repeats) or repeats.numel() == 1:
        return DECLARED["_private._repeat_interleave"].function(input, int(repeats), dim)
    import numpy as np

    from ..record.values import concrete
    from ..tensor import from_value
    index = np.repeat(np.arange(repeats.numel()), repeats._array())
    if dim is None:
        input, dim = input.reshape(-1), 0
    if input.shape[dim] != repeats.numel():
        raise RuntimeError("repeats must have the same size as input along dim, but got "
                           f"repeats.size(0) = {repeats.numel()} and input.size({dim}) = "
                           f"{input.shape[dim]}")
    from ..dtypes import int64
    return DECLARED["index_select"].function(input, dim, from_value(concrete(index, int64)))


def masked_fill(input, mask, value):
    """input with the elements where mask holds set to value."""
    check_fits(value, input.dtype)
    return DECLARED["masked_fill"].function(input, mask, value)


def swapaxes(input, axis0, axis1):
    """Two dimensions exchanged."""
    return DECLARED["transpose"].function(input, axis0, axis1)


def tensor_split(input, indices_or_sections=None, dim=0, *, indices=None, sections=None,
                 axis=None):
    """Pieces at given places (indices), or a number of pieces (sections) as equal as can be."""
    given = [x for x in (indices_or_sections, indices, sections) if x is not None]
    if len(given) != 1:
        raise TypeError("tensor_split() received an invalid combination of arguments: expected one "
                        f"of indices_or_sections, indices and sections, received {len(given)}")
    return DECLARED["tensor_split"].function(
        input, given[0], dim if axis is None else axis)


def permute(input, dims):
    """The dimensions in another order."""
    return DECLARED["permute"].function(input, tuple(dims))


