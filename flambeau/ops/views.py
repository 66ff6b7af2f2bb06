"""Views: operations whose result shares memory with their input."""

from __future__ import annotations

from ..graph.ir import Node, p
from ..graph.primitives.movement import slice_dim
from .build import expanded, normalise_dim, normalise_dims
from .declare import operation

__all__ = ["infer_shape"]


# ---- reshaping -----------------------------------------------------------------------------------


def infer_shape(shape, numel: int) -> tuple[int, ...]:
    """`shape` with a -1 filled in, or PyTorch's error."""
    shape = tuple(int(e) for e in shape)
    known, unknown = 1, [d for d, e in enumerate(shape) if e == -1]
    if len(unknown) > 1:
        raise RuntimeError("only one dimension can be inferred")
    for d, extent in enumerate(shape):
        if extent < -1:
            raise RuntimeError(f"invalid shape dimension {extent} at index {d} of shape "
                               f"{list(shape)}")
        if extent != -1:
            known *= extent
    if unknown:
        if known == 0:
            raise RuntimeError(f"cannot reshape tensor of {numel} elements into shape "
                               f"{list(shape)} because the unspecified dimension size -1 can be "
                               "any value and is ambiguous")
        if numel % known:
            raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {numel}")
        return tuple(numel // known if e == -1 else e for e in shape)
    if known != numel:
        raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {numel}")
    return shape


def _reshape(input: Node, shape) -> Node:
    shape = infer_shape(shape, input.numel)
    return p.reshape(input, shape=shape)


@operation(view="if possible")
def reshape(input: Tensor, shape: Ints):
    """The same elements in another shape; one extent may be -1."""
    return _reshape(input, shape)


@operation("view", view=True, namespace="_private")
def view(input: Tensor, size: Ints):
    """The same elements in another shape without copying."""
    return _reshape(input, size)


@operation(view="if possible")
def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1):
    """Dimensions start_dim to end_dim merged into one."""
    if input.ndim == 0:
        return p.reshape(input, shape=(1,))
    start, end = normalise_dim(start_dim, input.ndim), normalise_dim(end_dim, input.ndim)
    if start > end:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    merged = 1
    for extent in input.shape[start:end + 1]:
        merged *= extent
    return p.reshape(input, shape=input.shape[:start] + (merged,) + input.shape[end + 1:])


@operation(view=True)
def unflatten(input: Tensor, dim: int, sizes: tuple):
    """One dimension split into several; one of `sizes` may be -1."""
    dim = normalise_dim(dim, input.ndim)
    try:
        sizes = infer_shape(sizes, input.shape[dim])
    except RuntimeError:
        raise RuntimeError(f"unflatten: Provided sizes {list(sizes)} don't multiply up to the size "
                           f"of dim {dim} ({input.shape[dim]}) in the input tensor") from None
    return p.reshape(input, shape=input.shape[:dim] + sizes + input.shape[dim + 1:])


@operation(view=True, inplace=True)
def squeeze(input: Tensor, dim: tuple = None):
    """Dimensions of extent 1 removed: all, or those named."""
    if dim is None:
        shape = tuple(e for e in input.shape if e != 1)
    else:
        dims = normalise_dims(dim, input.ndim) if dim != () else ()
        shape = tuple(e for d, e in enumerate(input.shape) if d not in dims or e != 1)
    return p.reshape(input, shape=shape)


@operation(view=True, inplace=True)
def unsqueeze(input: Tensor, dim: int):
    """A dimension of extent 1 inserted before position `dim`."""
    dim = normalise_dim(dim, input.ndim + 1)
    return p.reshape(input, shape=input.shape[:dim] + (1,) + input.shape[dim:])


# ---- permuting -----------------------------------------------------------------------------------


@operation(view=True)
def permute(input: Tensor, dims: Ints):
    """The dimensions in another order."""
    if len(dims) != input.ndim:
        raise RuntimeError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the "
            f"length of the desired ordering of dimensions i.e. input.dim() = {input.ndim} is not "
            f"equal to len(dims) = {len(dims)}")
    dims = tuple(normalise_dim(d, input.ndim) for d in dims)
    if len(set(dims)) != len(dims):
        raise RuntimeError("permute(): duplicate dims are not allowed.")
    return p.permute(input, dims=dims)


def _swap(input: Node, dim0: int, dim1: int) -> Node:
    if input.ndim == 0:
        normalise_dim(dim0, 0), normalise_dim(dim1, 0)
        return p.permute(input, dims=())
    a, b = normalise_dim(dim0, input.ndim), normalise_dim(dim1, input.ndim)
    dims = list(range(input.ndim))
    dims[a], dims[b] = b, a
    return p.permute(input, dims=tuple(dims))


@operation(view=True, inplace=True, aliases=("swapaxes", "swapdims"))
def transpose(input: Tensor, dim0: int, dim1: int):
    """Two dimensions exchanged."""
    return _swap(input, dim0, dim1)


@operation(view=True, inplace=True)
def t(input: Tensor):
    """The transpose of a matrix; vectors and scalars as they are."""
    if input.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {input.ndim}D")
    return p.permute(input, dims=tuple(reversed(range(input.ndim))))


@operation(view=True, aliases=("moveaxis",))
def movedim(input: Tensor, source: tuple, destination: tuple):
    """The dimensions `source` moved to the positions `destination`."""
    source = (source,) if isinstance(source, int) else source
    destination = (destination,) if isinstance(destination, int) else destination
    if len(source) != len(destination):
        raise RuntimeError("movedim: Invalid source or destination dims: source "
                           f"({list(source)} dims) should contain the same number of dims as "
                           f"destination ({list(destination)} dims)")
    given = {"source": source, "destination": destination}
    source = [normalise_dim(d, input.ndim) for d in source]
    destination = [normalise_dim(d, input.ndim) for d in destination]
    for name, dims in (("source", source), ("destination", destination)):
        if len(set(dims)) != len(dims):
            raise RuntimeError(f"movedim: repeated dim in `{name}` ({list(given[name])})")
    rest = iter(d for d in range(input.ndim) if d not in source)
    order = [source[destination.index(d)] if d in destination else next(rest)
             for d in range(input.ndim)]
    return p.permute(input, dims=tuple(order))


@operation("mT", view=True, namespace="_private")
def mT(input: Tensor):
    """The last two dimensions exchanged."""
    if input.ndim < 2:
        raise RuntimeError("tensor.mT is only supported on matrices or batches of matrices. Got "
                           f"{input.ndim}-D tensor.")
    return _swap(input, -2, -1)


@operation(view=True)
def adjoint(input: Tensor):
    """The conjugate transpose of the last two dimensions."""
    out = _swap(input, -2, -1)
    return p.conj(out) if out.dtype.is_complex else out


# ---- expanding ----------------------------------------------------------------------------------


@operation(view=True)
def expand(input: Tensor, size: Ints):
    """Extents of 1 repeated without copying; -1 keeps an extent."""
    return expanded(input, size)


@operation(view=True)
def broadcast_to(input: Tensor, size: tuple):
    """`input` repeated to `size` by broadcasting."""
    return expanded(input, size)


# ---- selecting ----------------------------------------------------------------------------------


@operation(view=True)
def select(input: Tensor, dim: int, index: int):
    """One position of a dimension, which disappears."""
    if input.ndim == 0:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    dim = normalise_dim(dim, input.ndim)
    extent = input.shape[dim]
    if not -extent <= index < extent:
        raise IndexError(f"select(): index {index} out of range for tensor of size "
                         f"{list(input.shape)} at dimension {dim}")
    cut = slice_dim(input, dim, index % extent, index % extent + 1)
    return p.reshape(cut, shape=input.shape[:dim] + input.shape[dim + 1:])


@operation(view=True)
def narrow(input: Tensor, dim: int, start: int, length: int):
    """`length` positions of a dimension from `start` on."""
    if input.ndim == 0:
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor.")
    if length < 0:
        raise RuntimeError("narrow(): length must be non-negative.")
    dim = normalise_dim(dim, input.ndim)
    extent = input.shape[dim]
    if not -extent <= start <= extent:
        raise IndexError(f"start out of range (expected to be in range of [{-extent}, {extent}], "
                         f"but got {start})")
    start = start + extent if start < 0 else start
    if start + length > extent:
        raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size "
                           f"({extent}).")
    return slice_dim(input, dim, start, start + length)


def slices(input: Node, spec) -> Node:
    """Basic indexing by a tuple of ints, slices as (start, stop, step), None and Ellipsis."""
    used = sum(1 for s in spec if s is not None and s is not Ellipsis)
    if used and not input.ndim:
        raise IndexError("invalid index of a 0-dim tensor. Use `tensor.item()` in Python or "
                         "`tensor.item<T>()` in C++ to convert a 0-dim tensor to a number")
    if used > input.ndim:
        raise IndexError(f"too many indices for tensor of dimension {input.ndim}")
    starts, stops, steps, shape = [], [], [], []
    items = []
    for s in spec:
        if s is Ellipsis:
            items.extend([("slice", None, None, None)] * (input.ndim - used))
        else:
            items.append(s)
    if Ellipsis not in spec:
        items.extend([("slice", None, None, None)] * (input.ndim - used))
    dim = 0
    for s in items:
        if s is None:
            shape.append(1)
            continue
        extent = input.shape[dim]
        if isinstance(s, tuple):
            start, stop, step = slice(*s[1:]).indices(extent)
            if step <= 0:
                raise ValueError("step must be greater than zero")
            stop = max(start, stop)
            shape.append((stop - start + step - 1) // step)
        else:
            if not -extent <= s < extent:
                raise IndexError(f"index {s} is out of bounds for dimension {dim} with size "
                                 f"{extent}")
            start, step = s % extent, 1
            stop = start + 1
        starts.append(start)
        stops.append(stop)
        steps.append(step)
        dim += 1
    if tuple(starts) != (0,) * input.ndim or tuple(stops) != input.shape or any(
            s != 1 for s in steps):
        input = p.slice(input, starts=tuple(starts), stops=tuple(stops), steps=tuple(steps))
    shape = tuple(shape)
    return input if shape == input.shape else p.reshape(input, shape=shape)


@operation("basic_index", view=True, namespace="_private")
def basic_index(input: Tensor, spec: tuple):
    """Indexing by numbers, slices, None and Ellipsis."""
    out = slices(input, spec)
    return p.reshape(out, shape=out.shape) if out is input else out


@operation(view=True)
def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1):
    """A diagonal of two dimensions as a new last dimension."""
    a, b = normalise_dim(dim1, input.ndim), normalise_dim(dim2, input.ndim)
    if a == b:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    rest = tuple(d for d in range(input.ndim) if d not in (a, b))
    x = p.permute(input, dims=rest + (a, b))
    rows, columns = input.shape[a], input.shape[b]
    count = max(0, min(rows + min(offset, 0), columns - max(offset, 0)))
    start = -offset * columns if offset < 0 else offset
    lead = x.shape[:-2]
    if count == 0:
        return p.reshape(slice_dim(slice_dim(x, x.ndim - 1, 0, 0), x.ndim - 2, 0, 0),
                         shape=lead + (0,))
    flat = p.reshape(x, shape=lead + (rows * columns,))
    return slice_dim(flat, flat.ndim - 1, start, start + (count - 1) * (columns + 1) + 1,
                     columns + 1)


@operation("unfold", view=True, namespace="_private")
def unfold_dimension(input: Tensor, dimension: int, size: int, step: int):
    """Windows of `size` along a dimension, every `step`, as a new last dimension."""
    dim = normalise_dim(dimension, input.ndim)
    extent = input.shape[dim] if input.ndim else 1
    if size > extent:
        raise RuntimeError(f"maximum size for tensor at dimension {dim} is {extent} but size is "
                           f"{size}")
    if step <= 0:
        raise RuntimeError(f"step is {step} but must be > 0")
    count = (extent - size) // step + 1
    strides = [1] * input.ndim
    for d in range(input.ndim - 2, -1, -1):
        strides[d] = strides[d + 1] * input.shape[d + 1]
    if input.ndim == 0:
        return p.reshape(input, shape=(size,))
    shape = input.shape[:dim] + (count,) + input.shape[dim + 1:] + (size,)
    steps = list(strides)
    steps[dim] *= step
    return p.as_strided(input, shape=shape, strides=tuple(steps) + (strides[dim],), offset=0)


@operation(view=True)
def as_strided(input: Tensor, size: tuple, stride: tuple,
               storage_offset: int = 0):
    """The elements of a contiguous tensor seen through any shape and strides."""
    size, stride, offset = tuple(size), tuple(stride), storage_offset or 0
    reach = offset + sum((e - 1) * s for e, s in zip(size, stride)) + 1
    if 0 not in size and reach > input.numel:
        raise RuntimeError(f"setStorage: sizes {list(size)}, strides {list(stride)}, storage "
                           f"offset {offset}, and itemsize {input.dtype.itemsize} requiring a "
                           f"storage size of {reach * input.dtype.itemsize} are out of bounds for "
                           f"storage of size {input.nbytes}")
    return p.as_strided(input, shape=size, strides=stride, offset=offset)


# ---- several views ------------------------------------------------------------------------------


class _Views(tuple):
    """Results of one operation; `structure` makes a tuple of the tensors."""

    structure = tuple


def sections(input: Node, sizes, dim: int):
    dim, begin, parts = normalise_dim(dim, input.ndim), 0, []
    for size in sizes:
        part = slice_dim(input, dim, begin, begin + size)
        parts.append(p.reshape(part, shape=part.shape) if part is input else part)
        begin += size
    return _Views(parts)


@operation(view=True)
def split(tensor: Tensor, split_size_or_sections: tuple, dim: int = 0):
    """Pieces of a given size (the last may be smaller), or of given sizes."""
    if tensor.ndim == 0:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    extent = tensor.shape[normalise_dim(dim, tensor.ndim)]
    sizes = split_size_or_sections
    if isinstance(sizes, int):
        if sizes < 0:
            raise RuntimeError(f"split expects split_size be non-negative, but got split_size="
                               f"{sizes}")
        if sizes == 0 and extent:
            raise RuntimeError("split_size can only be 0 if dimension size is 0, but got dimension "
                               f"size of {extent}")
        if extent == 0:
            return sections(tensor, (0,), dim)
        sizes = [min(sizes, extent - begin) for begin in range(0, extent, sizes)]
    elif any(size < 0 for size in sizes):
        raise RuntimeError("split_with_sizes expects split_sizes have only non-negative entries, "
                           f"but got split_sizes={list(sizes)}")
    elif sum(sizes) != extent:
        raise RuntimeError(f"split_with_sizes expects split_sizes to sum exactly to {extent} "
                           f"(input tensor's size at dimension {dim}), but got split_sizes="
                           f"{list(sizes)}")
    return sections(tensor, sizes, dim)


@operation(view=True)
def chunk(input: Tensor, chunks: int, dim: int = 0):
    """At most `chunks` pieces of equal size (the last may be smaller)."""
    if chunks <= 0:
        raise RuntimeError("chunk expects `chunks` to be greater than 0, got: " + str(chunks))
    if input.ndim == 0:
        raise RuntimeError("chunk expects at least a 1-dimensional tensor")
    extent = input.shape[normalise_dim(dim, input.ndim)]
    size = -(-extent // chunks)
    if size == 0:
        return sections(input, (0,) * chunks, dim)
    return sections(input, [min(size, extent - b) for b in range(0, extent, size)], dim)


@operation(view=True)
def tensor_split(input: Tensor, indices_or_sections: tuple, dim: int = 0):
    """Pieces at given places, or a given number of pieces as equal as can be."""
    extent = input.shape[normalise_dim(dim, input.ndim)]
    if isinstance(indices_or_sections, int):
        n = indices_or_sections
        if n <= 0:
            raise RuntimeError(f"number of sections must be larger than 0, got {n}")
        sizes = [extent // n + (i < extent % n) for i in range(n)]
    else:
        places = [min(max(i + extent if i < 0 else i, 0), extent) for i in indices_or_sections]
        edges = [0] + places + [extent]
        sizes = [max(0, b - a) for a, b in zip(edges, edges[1:])]
    return sections(input, sizes, dim)


@operation(view=True)
def unbind(input: Tensor, dim: int = 0):
    """The positions of a dimension, each without that dimension."""
    if input.ndim == 0:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    dim = normalise_dim(dim, input.ndim)
    shape = input.shape[:dim] + input.shape[dim + 1:]
    return _Views(p.reshape(slice_dim(input, dim, i, i + 1), shape=shape)
                  for i in range(input.shape[dim]))


# ---- same elements, no gradient -----------------------------------------------------------------


@operation(view=True)
def detach(input: Tensor):
    """The same memory, cut off from the gradient graph."""
    return _cut_off(input)


@operation("data", view=True, namespace="_private")
def data(input: Tensor):
    """The same memory with a count of writes of its own: what ``tensor.data`` is."""
    return _cut_off(input)


def _cut_off(input: Node) -> Node:
    node = p.detach(input)
    node.requires_grad = False
    return node


@operation("alias", view=True, namespace="_private")
def alias(input: Tensor):
    """The same memory as another tensor."""
    return p.reshape(input, shape=input.shape)


@operation(view=True)
def real(input: Tensor):
    """The real part."""
    return p.real(input) if input.dtype.is_complex else p.reshape(input, shape=input.shape)


@operation(view=True)
def imag(input: Tensor):
    """The imaginary part."""
    if not input.dtype.is_complex:
        raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")
    return p.imag(input)
