"""Finds the known program that a new one equals but for a shorter batch.

Used by `compile`, which then compiles the new program with the known one's forms (see
`codegen.extents`): the last batch of an epoch needs passes and a plan, but no machine code. A
program that turns out to run often is compiled again for itself: see `record.execute`.

Two programs resemble each other if every operation of the known one has its counterpart in the new
one, where extents may differ in the ratio of the batches, and if leaves differ by one dimension.
With a batch of one, the new graph lacks operations that do nothing there, such as broadcasting
along the batch; they are put back.
"""

from __future__ import annotations

from ..codegen.extents import paired, usual
from .ir import Node, topological_order

__all__ = ["forget", "forms_of_known", "remember"]

_LIMIT = 512                   # known programs, the oldest of which are forgotten first
_known: dict[tuple, list[tuple[list[Node], dict[int, Node]]]] = {}
_count = 0
# what a batch of one lets the recorder leave out
_IDLE = frozenset(("expand", "reshape", "reduce_sum"))
# attributes that hold extents, or numbers that follow from them
_SIZES = frozenset(("shape", "starts", "stops", "low", "high", "value", "strides"))


def _looked_over(outputs: list[Node]) -> tuple[tuple, dict[int, Node]]:
    """A signature that programs share which may resemble each other, and the leaves by index."""
    order = topological_order(outputs)
    signature = (tuple((n.dtype.name, n.ndim) for n in outputs),
                 hash(tuple(n.op for n in order if n.op not in _IDLE)))
    return signature, {n.attrs["index"]: n for n in order if n.op == "input"}


def remember(outputs: list[Node]) -> None:
    """Let shorter batches take the forms of this program."""
    global _count
    if _count >= _LIMIT:
        first = next(iter(_known))
        _count -= len(_known.pop(first))
    signature, leaves = _looked_over(outputs)
    _known.setdefault(signature, []).append((outputs, leaves))
    _count += 1


def forget() -> None:
    """Programs compiled from now on are compiled for themselves."""
    global _count
    _known.clear()
    _count = 0


def forms_of_known(outputs: list[Node]) -> list[Node] | None:
    """`outputs` again with shapes that know the larger extents of a known program; or None."""
    signature, leaves = _looked_over(outputs)
    for known, others in _known.get(signature, ()):
        found = _Pairing(outputs, known).run(leaves, others)
        if found is not None:
            return found
    return None


class _Differ(Exception):
    """The programs do not resemble each other."""


class _Pairing:
    """One attempt to pair two graphs."""

    def __init__(self, outputs, known):
        self.outputs, self.known = outputs, known
        self.ratio: tuple[int, int] | None = None        # batch here, batch there
        self.only_parameters = True                      # differ

    def run(self, leaves: dict[int, Node], others: dict[int, Node]) -> list[Node] | None:
        """The paired outputs, if leaf by leaf and node by node one is the other's shorter batch."""
        try:
            for index, node in leaves.items():
                self._compare_leaves(node, others.get(index))
            return None if self.ratio is None or self.only_parameters else self._paired()
        except (_Differ, AssertionError, ZeroDivisionError):
            return None

    def _compare_leaves(self, node, other):
        if other is None or node.ndim != other.ndim or node.dtype is not other.dtype:
            raise _Differ
        differing = [d for d, (a, b) in enumerate(zip(node.shape, other.shape)) if a != b]
        if not differing:
            return
        dim = differing[0]
        here, there = node.shape[dim], other.shape[dim]
        # batches are the first dimension, or the second behind time; another length or width is
        # another program, and a parameter of another width no other batch
        if len(differing) > 1 or not 0 < here < there or dim and (
                dim > 1 or node.ndim < 3 or node.requires_grad):
            raise _Differ
        self.only_parameters &= node.requires_grad
        if self.ratio is None:
            self.ratio = here, there
        if self.ratio != (here, there):
            raise _Differ

    def _extent(self, here, there):
        """A size of both programs as one number."""
        if here == there:
            return here
        if here * self.ratio[1] != there * self.ratio[0]:
            raise _Differ
        return paired(here, there)

    def _paired(self):
        made: dict[tuple[Node, Node], Node] = {}
        stack = [(pair, False) for pair in zip(self.outputs, self.known)]
        while stack:
            pair, entered = stack.pop()
            if pair in made:
                continue
            operands = self._operands(*pair)
            if not entered:
                stack.append((pair, True))
                stack.extend((o, False) for o in operands if o not in made)
            else:
                made[pair] = self._node(*pair, tuple([made[o] for o in operands]))
        return [made[pair] for pair in zip(self.outputs, self.known)]

    def _operands(self, node, other):
        if self._same_operation(node, other):
            return list(zip(node.inputs, other.inputs))
        if other.op not in _IDLE or node.dtype is not other.dtype:
            raise _Differ
        if node.op == other.op == "reduce_sum" and self._sums_more(node, other):
            return [(node.inputs[0], other.inputs[0])]
        return [(node, other.inputs[0])]

    @staticmethod
    def _sums_more(node, other):
        """Whether the known program's sum runs over the batch as well."""
        more = set(other.attrs["dims"]) - set(node.attrs["dims"])
        return (set(node.attrs["dims"]) < set(other.attrs["dims"])
                and node.inputs[0].ndim == other.inputs[0].ndim
                and all(node.inputs[0].shape[d] == 1 for d in more))

    def _same_operation(self, node, other):
        if (node.op != other.op or node.ndim != other.ndim or node.dtype is not other.dtype
                or len(node.inputs) != len(other.inputs)):
            return False
        return all(name in _SIZES or node.attrs[name] == value
                   for name, value in other.attrs.items())

    def _node(self, node, other, inputs):
        idle = not self._same_operation(node, other)
        attrs = {}
        for name, value in other.attrs.items():
            if idle and name == "shape":
                if node.ndim != other.ndim:
                    raise _Differ
                attrs[name] = self._merged(node.shape, value)
            else:
                attrs[name] = value if idle else self._merged(node.attrs[name], value, name)
        shape, dtype = other.primitive.infer(inputs, attrs)
        shape = tuple(shape)
        if dtype is not node.dtype or len(shape) != other.ndim or any(
                usual(a) != b for a, b in zip(shape, other.shape)):
            raise _Differ
        if not idle:
            if any(int(a) != b for a, b in zip(shape, node.shape)):
                raise _Differ
            # shapes that a rule takes from elsewhere keep what both programs say
            shape = tuple([self._extent(a, b) for a, b in zip(node.shape, other.shape)])
        result = Node(other.primitive, inputs, attrs, shape, dtype, node.requires_grad)
        result.site, result.scope = node.site, node.scope
        return result

    def _merged(self, here, there, name="shape"):
        """An attribute of both programs as one."""
        if type(here) is tuple and type(there) is tuple and len(here) == len(there):
            return tuple([self._merged(a, b, name) for a, b in zip(here, there)])
        if type(here) is not type(there):
            raise _Differ
        if here == there or here != here and there != there:
            return here
        if type(here) is float and name == "value":
            return paired(here, there)
        if type(here) is not int:
            raise _Differ
        return paired(here, there) if name == "value" else self._extent(here, there)
