"""Products of matrices and tensors."""

from __future__ import annotations

import string

from ..graph.ir import Node, full, p
from .build import broadcast_shapes, cast, expand_to, expanded, node_of, operands
from .declare import operation

__all__: list[str] = []


def product(a: Node, b: Node, contract_a, contract_b, batch_a=(), batch_b=()) -> Node:
    """contract; whole numbers and booleans included."""
    return p.contract(a, b, batch_a=tuple(batch_a), batch_b=tuple(batch_b),
                      contract_a=tuple(contract_a), contract_b=tuple(contract_b))


def _check_types(a: Node, b: Node, names=("mat1", "mat2")) -> None:
    if a.dtype is not b.dtype:
        raise RuntimeError(f"{names[0]} and {names[1]} must have the same dtype, but got "
                           f"{a.dtype.legacy_name} and {b.dtype.legacy_name}")


def _mismatch(m1: int, k1: int, k2: int, n: int) -> RuntimeError:
    return RuntimeError(f"mat1 and mat2 shapes cannot be multiplied ({m1}x{k1} and {k2}x{n}): the "
                        f"first has {k1} columns, the second {k2} rows")


def _check_products(a: Node, b: Node) -> None:
    if a.dtype is not b.dtype:
        raise RuntimeError(f"expected m1 and m2 to have the same dtype, but got: "
                           f"{a.dtype.cpp_name} != {b.dtype.cpp_name}")


def matmul_node(a: Node, b: Node) -> Node:
    """matmul by PyTorch's rules for every rank."""
    _check_products(a, b)
    if a.ndim == 0 or b.ndim == 0:
        raise RuntimeError("both arguments to matmul need to be at least 1D, but they are "
                           f"{a.ndim}D and {b.ndim}D")
    if b.ndim == 1:
        if a.shape[-1] != b.shape[0]:
            if a.ndim == 1:
                raise RuntimeError("inconsistent tensor size, expected tensor "
                                   f"[{a.shape[0]}] and src [{b.shape[0]}] to have the same number "
                                   f"of elements, but got {a.shape[0]} and {b.shape[0]} elements "
                                   "respectively")
            raise RuntimeError(f"size mismatch, got input ({a.shape[-2]}), mat "
                               f"({a.shape[-2]}x{a.shape[-1]}), vec ({b.shape[0]})")
        return product(a, b, (a.ndim - 1,), (0,))
    if b.ndim == 2:
        if a.shape[-1] != b.shape[0]:
            rows = 1 if a.ndim == 1 else a.numel // max(1, a.shape[-1])
            raise _mismatch(rows, a.shape[-1], *b.shape)
        return product(a, b, (a.ndim - 1,), (0,))
    if a.ndim == 1:
        if a.shape[0] != b.shape[-2]:
            raise _mismatch(1, a.shape[0], *b.shape[-2:])
        return product(b, a, (b.ndim - 2,), (0,))
    if a.shape[-1] != b.shape[-2]:
        if a.ndim == b.ndim == 3:
            raise RuntimeError(f"Expected size for first two dimensions of batch2 tensor to be: "
                               f"[{a.shape[0]}, {a.shape[2]}] but got: [{b.shape[0]}, "
                               f"{b.shape[1]}].")
        raise RuntimeError(f"mat1 and mat2 shapes cannot be multiplied ({a.shape[-2]}x"
                           f"{a.shape[-1]} and {b.shape[-2]}x{b.shape[-1]})")
    batch = broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a = expand_to(a, batch + a.shape[-2:])
    b = expand_to(b, batch + b.shape[-2:])
    lead = tuple(range(len(batch)))
    return product(a, b, (a.ndim - 1,), (b.ndim - 2,), lead, lead)


@operation(out=True)
def matmul(input: Tensor, other: Tensor):
    """The matrix product; batched over leading dimensions."""
    return matmul_node(input, other)


@operation(out=True)
def mm(input: Tensor, mat2: Tensor):
    """The product of two matrices."""
    if input.ndim != 2 or mat2.ndim != 2:
        raise RuntimeError("self must be a matrix" if input.ndim != 2 else "mat2 must be a matrix")
    _check_products(input, mat2)
    if input.shape[1] != mat2.shape[0]:
        raise _mismatch(*input.shape, *mat2.shape)
    return product(input, mat2, (1,), (0,))


@operation(out=True)
def bmm(input: Tensor, mat2: Tensor):
    """The products of matrices, batch by batch."""
    if input.ndim != 3 or mat2.ndim != 3:
        raise RuntimeError("batch1 must be a 3D tensor" if input.ndim != 3
                           else "batch2 must be a 3D tensor")
    if input.shape[0] != mat2.shape[0] or input.shape[2] != mat2.shape[1]:
        raise RuntimeError("Expected size for first two dimensions of batch2 tensor to be: "
                           f"[{input.shape[0]}, {input.shape[2]}] but got: "
                           f"[{mat2.shape[0]}, {mat2.shape[1]}].")
    return matmul_node(input, mat2)


@operation(out=True)
def mv(input: Tensor, vec: Tensor):
    """A matrix times a vector."""
    if input.ndim != 2 or vec.ndim != 1:
        raise RuntimeError("vector + matrix @ vector expected, got "
                           f"1, {input.ndim}, {vec.ndim}")
    return matmul_node(input, vec)


@operation(out=True)
def dot(input: Tensor, tensor: Tensor):
    """The sum of the products of two vectors."""
    if input.ndim != 1 or tensor.ndim != 1:
        raise RuntimeError(f"1D tensors expected, but got {input.ndim}D and {tensor.ndim}D tensors")
    return matmul_node(input, tensor)


@operation(out=True, aliases=("ger",))
def outer(input: Tensor, vec2: Tensor):
    """All products of an element of one vector with an element of the other."""
    if input.ndim != 1 or vec2.ndim != 1:
        raise RuntimeError(f"outer: Expected 1-D argument {'self' if input.ndim != 1 else 'vec2'}"
                           f", but got {input.ndim if input.ndim != 1 else vec2.ndim}-D")
    a = p.reshape(input, shape=(input.shape[0], 1))
    a, b = operands(a, p.reshape(vec2, shape=(1, vec2.shape[0])))
    return p.mul(a, b)


def _scaled_sum(input, found, beta, alpha):
    """beta * input + alpha * found; input is not read when beta is 0."""
    if alpha is not None and alpha != 1:
        found = p.mul(found, expand_to(node_of(alpha, found.dtype), found.shape))
    if not isinstance(beta, Node) and beta == 0:
        return found
    base = expanded(cast(input, found.dtype), found.shape)
    if beta is not None and beta != 1:
        base = p.mul(base, expand_to(node_of(beta, found.dtype), found.shape))
    return p.add(base, found)


@operation(inplace=True, out=True)
def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Number = 1,
          alpha: Number = 1):
    """beta * input + alpha * mat1 @ mat2."""
    _check_types(mat1, mat2)
    if mat1.shape[1] != mat2.shape[0]:
        raise _mismatch(*mat1.shape, *mat2.shape)
    return _scaled_sum(input, product(mat1, mat2, (1,), (0,)), beta, alpha)


@operation(inplace=True, out=True)
def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: Number = 1,
          alpha: Number = 1):
    """beta * input + alpha * mat @ vec."""
    return _scaled_sum(input, matmul_node(mat, vec), beta, alpha)


@operation(inplace=True, out=True)
def addbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Number = 1,
           alpha: Number = 1):
    """beta * input + alpha * the sum of batch1 @ batch2 over the batch."""
    found = product(batch1, batch2, (0, 2), (0, 1))
    return _scaled_sum(input, found, beta, alpha)


@operation(inplace=True, out=True)
def baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Number = 1,
            alpha: Number = 1):
    """beta * input + alpha * batch1 @ batch2."""
    for name, batch in (("batch1", batch1), ("batch2", batch2)):
        if batch.ndim in (1, 2):
            raise IndexError(f"Dimension out of range (expected to be in range of [{-batch.ndim}, "
                             f"{batch.ndim - 1}], but got {batch.ndim}): {name} must be a 3D "
                             "tensor")
    if batch1.ndim != 3 or batch2.ndim != 3:
        raise RuntimeError(f"{'batch1' if batch1.ndim != 3 else 'batch2'} must be a 3D tensor")
    return _scaled_sum(input, matmul_node(batch1, batch2), beta, alpha)


@operation(inplace=True, out=True)
def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: Number = 1,
         alpha: Number = 1):
    """beta * input + alpha * outer(vec1, vec2)."""
    a = p.reshape(vec1, shape=(vec1.shape[0], 1))
    a, b = operands(a, p.reshape(vec2, shape=(1, vec2.shape[0])))
    return _scaled_sum(input, p.mul(a, b), beta, alpha)


@operation("_tensordot", namespace="_private")
def tensordot(a: Tensor, b: Tensor, dims_a: tuple, dims_b: tuple):
    """The contraction over dims_a of a and dims_b of b."""
    dims_a = tuple(d % a.ndim for d in dims_a)
    dims_b = tuple(d % b.ndim for d in dims_b)
    for da, db in zip(dims_a, dims_b):
        if a.shape[da] == 1 and b.shape[db] != 1:       # extents of 1 broadcast
            b = p.reshape(p.reduce_sum(b, dims=(db,)),
                          shape=b.shape[:db] + (1,) + b.shape[db + 1:])
        elif b.shape[db] == 1 and a.shape[da] != 1:
            a = p.reshape(p.reduce_sum(a, dims=(da,)),
                          shape=a.shape[:da] + (1,) + a.shape[da + 1:])
        if a.shape[da] != b.shape[db]:
            raise RuntimeError("contracted dimensions need to match, but first has size "
                               f"{a.shape[da]} in dim {da} and second has size {b.shape[db]} in "
                               f"dim {db}")
    return product(a, b, dims_a, dims_b)


# ---- einsum -------------------------------------------------------------------------------------


@operation("_einsum", namespace="_private")
def einsum(equation: str, tensors: Tensors):
    """Sums of products of elements named by index letters."""
    return einsum_node(equation, tensors)


def einsum_node(equation: str, nodes: list[Node]) -> Node:
    text = equation.replace(" ", "")
    left, arrow, right = text.partition("->")
    terms = left.split(",")
    if len(terms) != len(nodes):
        raise RuntimeError("einsum(): " + (
            "more operands were provided than specified in the equation" if len(terms) < len(nodes)
            else "fewer operands were provided than specified in the equation"))
    spare = [c for c in string.ascii_letters if c not in text]
    width = 0
    for term, node in zip(terms, nodes):
        if "..." in term:
            width = max(width, node.ndim - len(term.replace("...", "")))
    dots = "".join(spare[:width])
    terms = [t.replace("...", dots[width - (n.ndim - len(t.replace("...", ""))):])
             if "..." in t else t for t, n in zip(terms, nodes)]
    for i, (term, node) in enumerate(zip(terms, nodes)):
        if len(term) != node.ndim:
            raise RuntimeError(f"einsum(): the number of subscripts in the equation ({len(term)}) "
                               f"does not match the number of dimensions ({node.ndim}) for operand "
                               f"{i} and no ellipsis was given")
    if arrow:
        output = right.replace("...", dots)
    else:
        letters = "".join(terms)
        single = sorted(c for c in set(letters) if letters.count(c) == 1 and c not in dots)
        output = dots + "".join(single)
    extents: dict[str, int] = {}
    for i, (term, node) in enumerate(zip(terms, nodes)):
        for letter, extent in zip(term, node.shape):
            if extents.get(letter, 1) == 1:
                extents[letter] = extent
            elif extent not in (1, extents[letter]):
                raise RuntimeError(f"einsum(): subscript {letter} has size {extent} for operand "
                                   f"{i} which does not broadcast with previously "
                                   f"seen size {extents[letter]}")
    for letter in output:
        if output.count(letter) > 1:
            raise RuntimeError(f"einsum(): output subscript {letter} appears more than once in the "
                               "output")
        if letter not in extents:
            raise RuntimeError(f"einsum(): output subscript {letter} does not appear in the "
                               "equation for any input operand")
    for node in nodes[1:]:
        if node.dtype is not nodes[0].dtype:
            names = [n.dtype.cpp_name.capitalize() for n in (nodes[0], node)]
            raise RuntimeError(f"expected scalar type {names[0]} but found {names[1]}")
    parts = [_unique(term, node, extents) for term, node in zip(terms, nodes)]
    term, node = parts[0]
    for i, (next_term, next_node) in enumerate(parts[1:], 1):
        later = output + "".join(t for t, _ in parts[i + 1:])
        term, node = _pair(term, node, next_term, next_node, later)
    gone = tuple(i for i, c in enumerate(term) if c not in output)
    if gone:
        node = p.reduce_sum(node, dims=gone)
        term = "".join(c for c in term if c in output)
    order = tuple(term.index(c) for c in output)
    return node if order == tuple(range(len(order))) else p.permute(node, dims=order)


def _unique(term: str, node: Node, extents):
    """Repeated letters taken as diagonals; extents of 1 expanded."""
    while len(set(term)) != len(term):
        letter = next(c for c in term if term.count(c) > 1)
        i = term.index(letter)
        j = term.index(letter, i + 1)
        node = _diagonal(node, i, j)
        term = "".join(c for d, c in enumerate(term) if d not in (i, j)) + letter
    return term, expand_to(node, tuple(extents[c] for c in term))


def _diagonal(node: Node, i: int, j: int) -> Node:
    rest = tuple(d for d in range(node.ndim) if d not in (i, j))
    x = p.permute(node, dims=rest + (i, j))
    n = x.shape[-1]
    flat = p.reshape(x, shape=x.shape[:-2] + (n * n,))
    padded = p.pad(flat, low=(0,) * flat.ndim, high=(0,) * (flat.ndim - 1) + (n,),
                   interior=(0,) * flat.ndim, value=0)
    square = p.reshape(padded, shape=x.shape[:-2] + (n, n + 1))
    cut = p.slice(square, starts=(0,) * square.ndim, stops=square.shape[:-1] + (1,),
                  steps=(1,) * square.ndim)
    return p.reshape(cut, shape=x.shape[:-2] + (n,))


def _pair(ta: str, a: Node, tb: str, b: Node, later: str):
    """The product of two terms, letters that appear nowhere else summed away."""
    for_a = tuple(i for i, c in enumerate(ta) if c not in tb and c not in later)
    if for_a:
        a, ta = p.reduce_sum(a, dims=for_a), "".join(c for c in ta if c in tb or c in later)
    for_b = tuple(i for i, c in enumerate(tb) if c not in ta and c not in later)
    if for_b:
        b, tb = p.reduce_sum(b, dims=for_b), "".join(c for c in tb if c in ta or c in later)
    batch = [c for c in ta if c in tb and c in later]
    summed = [c for c in ta if c in tb and c not in later]
    out = p.contract(a, b, batch_a=tuple(ta.index(c) for c in batch),
                     batch_b=tuple(tb.index(c) for c in batch),
                     contract_a=tuple(ta.index(c) for c in summed),
                     contract_b=tuple(tb.index(c) for c in summed))
    term = ("".join(batch) + "".join(c for c in ta if c not in batch and c not in summed)
            + "".join(c for c in tb if c not in batch and c not in summed))
    return term, out


__all__ += ["einsum_node", "full", "matmul_node", "product"]
