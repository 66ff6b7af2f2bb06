"""Lowers a cluster of nodes to the body of one fused kernel: movement becomes index maps.

Used by `partition`, which asks whether a node can join a cluster, and afterwards for the body that
`codegen.fused` turns into loops. A cluster has one iteration space: the elements of `shape`, of
which the dimensions `reduced` are reduced. Its members (*anchors*) are pointwise nodes whose
elements are those of the space (or of its parallel part), in the same row-major order, and
reductions over exactly the reduced dimensions. All other nodes on the way to buffers are inlined.

A reshape that cuts a dimension where no loop ends splits the loop: :class:`SplitNeeded` is caught
by the caller, who starts again. What has no affine index map raises :class:`CannotLower`; `cut`
names the node that would have to be materialised first.
"""

from __future__ import annotations

from ... import dtypes
from ...codegen.cells import (
    ZERO,
    Atom,
    Body,
    Cell,
    Store,
    affine_range,
    affine_sum,
    atom,
    scaled,
    shifted,
)
from ...codegen.extents import may_reach, usual
from ...codegen.fused_operations import is_native, unsupported_dtype
from ..ir import Node

__all__ = ["CannotLower", "Lowering", "SplitNeeded"]

_INVISIBLE = frozenset(("detach", "variable", "boundary", "instead", "overwrite"))
_REDUCTIONS = frozenset(("reduce_sum", "reduce_prod", "reduce_max", "reduce_min", "reduce_any",
                         "reduce_all", "argmax", "argmin"))
MAX_CELLS = 160
MAX_BUFFERS = 28


class CannotLower(Exception):
    """The cluster cannot be one kernel; `cut` must be materialised first, if it is not None."""

    def __init__(self, reason, cut=None):
        super().__init__(reason)
        self.cut = cut


class SplitNeeded(Exception):
    """Loop `atom` must become two loops, the inner one of extent `inner`."""

    def __init__(self, atom, inner):
        super().__init__(f"loop {atom} splits at {inner}")
        self.atom, self.inner = atom, inner


class Lowering:
    """The cells of one cluster under construction."""

    def __init__(self, shape, reduced, buffers, layouts, flags, splits=None):
        """`buffers`: the nodes that can be read from memory; `layouts`: their strides where they
        are not row-major; `flags`: the list of index nodes, whose place is the flag's number."""
        self.shape, self.reduced = tuple(shape), frozenset(reduced)
        self.buffers, self.layouts, self.flags = buffers, layouts, flags
        self.splits = dict(splits or {})       # dim -> extents of its loops, outer first
        self.atoms: dict[int, Atom] = {}
        self.extents: dict[int, int] = {}
        self.origin: dict[int, tuple[int, int]] = {}    # atom -> (dim, position in its split)
        self.dims = []
        for dim, extent in enumerate(self.shape):
            index = ZERO
            for position, part in enumerate(self.splits.get(dim, (extent,))):
                if part != 1:
                    k = self._new_atom(Atom(part, dim in self.reduced))
                    self.origin[k] = (dim, position)
                    index = affine_sum(scaled(index, part), atom(k))
                else:
                    index = scaled(index, part)
            self.dims.append(index)
        self.loops = frozenset(self.atoms)
        self.parallel_loops = frozenset(k for k, a in self.atoms.items() if not a.reduced)
        self.reduced_loops = self.loops - self.parallel_loops
        self.numel = self.parallel_numel = 1
        self.flat = self.parallel_flat = ZERO
        for dim, extent in enumerate(self.shape):
            self.numel *= extent
            self.flat = affine_sum(scaled(self.flat, extent), self.dims[dim])
            if dim not in self.reduced:
                self.parallel_numel *= extent
                self.parallel_flat = affine_sum(scaled(self.parallel_flat, extent),
                                                self.dims[dim])
        self.anchors: dict[Node, tuple] = {}       # member -> its canonical index
        self.cells: dict[tuple, Cell] = {}
        self.count = 0
        self.loaded: set = set()
        self._active: set[Node] = set()

    def _new_atom(self, new: Atom) -> int:
        k = len(self.atoms)
        self.atoms[k] = new
        self.extents[k] = new.extent
        return k

    # ---- members --------------------------------------------------------------------------------

    def add(self, node: Node) -> Cell:
        """Makes `node` a member; its cell."""
        if node.op == "reshape":
            source = reshaped(node, self.buffers)
            if source in self.layouts and source in self.buffers and source.shape == self.shape:
                # over the extents of what it reads: those of its own may cut a dimension in two
                index = self.anchors[node] = (self.flat,)
                cell = self.cells[node, index, None] = self.lower(source, tuple(self.dims), None)
                return cell
        if node.primitive.kind == "reduce":
            index = self._reduction_index(node)
        else:
            index = self.element_index(node)
        self.anchors[node] = index
        try:
            return self.lower(node, index, None)
        except (CannotLower, SplitNeeded):
            del self.anchors[node]
            raise

    def element_index(self, node: Node):
        """The index of the node's element at a point of the space."""
        if node.numel == self.numel:
            return self.unflatten(self.flat, node.shape)
        if self.reduced and node.numel == self.parallel_numel:
            return self.unflatten(self.parallel_flat, node.shape)
        raise CannotLower("another number of elements")

    def _reduction_index(self, node: Node):
        source = node.inputs[0]
        dims = reduced_dims(node)
        if source.numel != self.numel or node.numel != self.parallel_numel or not self.reduced:
            raise CannotLower("another space of reduction")
        index = self.unflatten(self.flat, source.shape)
        for dim, part in enumerate(index):
            loops = self.reduced_loops if dim in dims else self.parallel_loops
            if any(k not in loops for k, _ in part[1]):
                raise CannotLower("another order of reduction")
        return tuple(part for dim, part in enumerate(index) if dim not in dims)

    def body(self, stored, label="", sites=(), operations=0) -> Body:
        """The kernel that writes the members in `stored`, a dict of node to buffer."""
        stores = []
        for node, buffer in stored.items():
            index = self.anchors[node]
            stores.append(Store(buffer, self.buffer_index(node, index),
                                self.cells[node, index, None]))
        return Body(self.atoms, stores, label, operations, tuple(sites))

    # ---- index arithmetic -----------------------------------------------------------------------

    def flatten(self, index, shape):
        """The number of an element; an index of a single part is that number already."""
        if len(index) == 1:
            return index[0]
        flat = ZERO
        for part, extent in zip(index, shape):
            flat = affine_sum(scaled(flat, extent), part)
        return flat

    def unflatten(self, flat, shape, cut=None):
        """The index into `shape` of element number `flat` in row-major order."""
        stride = 1
        for extent in shape:
            stride *= extent
        index, rest = [], flat
        for extent in shape:
            if extent == 1:
                index.append(ZERO)
                continue
            stride //= extent
            if stride == 1:
                index.append(rest)
                rest = ZERO
                continue
            high, rest = self._divide(rest, stride, cut)
            index.append(high)
        return tuple(index)

    def _divide(self, flat, stride, cut):
        """flat = high * stride + low with 0 <= low < stride."""
        constant, terms = flat
        high, low, span = [], [], constant % stride
        for k, c in terms:
            if c % stride == 0:
                high.append((k, c // stride))
                continue
            extent = self.extents[k]
            if c < 0:
                raise CannotLower("a mirrored dimension is cut", cut)
            if may_reach(c * (extent - 1), stride):
                inner = stride // c
                if stride % c == 0 and extent % inner == 0 and self.atoms[k].cell is None:
                    raise SplitNeeded(k, inner)
                raise CannotLower("a dimension is cut between elements", cut)
            low.append((k, c))
            span += c * (extent - 1)
        if may_reach(span, stride):
            raise CannotLower("an index runs over a cut", cut)
        return (constant // stride, tuple(high)), (constant % stride, tuple(low))

    def split(self, needed: SplitNeeded) -> dict:
        """The splits with which to start again."""
        if needed.atom not in self.origin:
            raise CannotLower("a computed index is cut")
        dim, position = self.origin[needed.atom]
        parts = list(self.splits.get(dim, (self.shape[dim],)))
        extent = parts[position]
        parts[position:position + 1] = [extent // needed.inner, needed.inner]
        return dict(self.splits, **{}) | {dim: tuple(parts)}

    def buffer_index(self, node, index):
        """The element number in memory."""
        strides = self.layouts.get(node)
        if strides is None:
            return self.flatten(index, node.shape)
        flat = ZERO
        for part, stride in zip(index, strides):
            flat = affine_sum(flat, scaled(part, stride))
        return flat

    # ---- cells ----------------------------------------------------------------------------------

    def new_cell(self, op, operands, dtype, attrs=None, depends=None):
        if depends is None:
            depends = frozenset().union(*(o.depends for o in operands)) if operands \
                else frozenset()
        self.count += 1
        if self.count > MAX_CELLS:
            raise CannotLower("too many operations for one kernel")
        return Cell(op, operands, dtype, attrs, depends)

    def _index_depends(self, index):
        """(loops, cells) that an affine index follows."""
        loops, cells = set(), []
        for k, _ in index[1]:
            cell = self.atoms[k].cell
            if cell is None:
                loops.add(k)
            else:
                cells.append(cell)
                loops |= cell.depends
        return frozenset(loops), tuple(cells)

    def affine_cell(self, index, dtype):
        """The value of an index."""
        key = ("affine", index, dtype)
        cell = self.cells.get(key)
        if cell is None:
            loops, cells = self._index_depends(index)
            cell = self.cells[key] = self.new_cell("affine", cells, dtype, index, loops)
        return cell

    def constant(self, value, dtype):
        key = ("constant", repr(value), dtype)
        cell = self.cells.get(key)
        if cell is None:
            cell = self.cells[key] = self.new_cell("constant", (), dtype, value)
        return cell

    def guard_cell(self, guard):
        """Whether all of the conditions (index, extent) of a guard hold; None for no guard."""
        if guard is None:
            return None
        key = ("guard", guard)
        cell = self.cells.get(key)
        if cell is None:
            loops, cells = frozenset(), ()
            for index, _ in guard:
                more, found = self._index_depends(index)
                loops |= more
                cells += found
            cell = self.cells[key] = self.new_cell("guard", cells, dtypes.bool_, guard, loops)
        return cell

    def load(self, node, flat, guard):
        condition = self.guard_cell(guard)
        key = ("load", node, flat, condition)
        cell = self.cells.get(key)
        if cell is None:
            if unsupported_dtype(node.dtype):
                raise CannotLower("complex numbers")
            loops, cells = self._index_depends(flat)
            if condition is not None:
                loops |= condition.depends
                cells += (condition,)
            self.loaded.add((node, flat[0]))
            if len(self.loaded) > MAX_BUFFERS:
                raise CannotLower("too many buffers for one kernel")
            cell = self.new_cell("load", cells, node.dtype, (node, flat, condition), loops)
            self.cells[key] = cell
        return cell

    # ---- nodes ----------------------------------------------------------------------------------

    def lower(self, node: Node, index: tuple, guard) -> Cell:
        """The cell of the node's element at `index`; under `guard` only where that holds."""
        key = (node, index, guard)
        cell = self.cells.get(key)
        if cell is None:
            cell = self.cells[key] = self._lower(node, index, guard)
        return cell

    def _lower(self, node, index, guard):
        if node in self.anchors:
            if index != self.anchors[node] or guard is not None:
                if node.primitive.kind == "reduce" or not self._is_pick(index):
                    raise CannotLower("a member is read elsewhere than where it is made")
        elif node in self.buffers:
            return self.load(node, self.buffer_index(node, index), guard)
        kind = node.primitive.kind
        if kind == "movement":
            return self._movement(node, index, guard)
        if kind == "pointwise":
            if node.op in _INVISIBLE:
                return self.lower(node.inputs[0], index, guard)
            if not is_native(node):
                raise CannotLower(f"{node.op} has no native code", node)
            operands = tuple([self.lower(i, index, guard) for i in node.inputs])
            if node.op == "within":
                return self._checked(node, operands[0], self.guard_cell(guard), 1)
            return self.new_cell(node.op, operands, node.dtype)
        if kind == "leaf":
            return self._leaf(node, index)
        if kind == "reduce":
            return self._reduction(node)
        if node.op in ("take", "gather"):
            return self._pick(node, index, guard)
        raise CannotLower(f"{node.op} is not fused", node)

    def _is_pick(self, index):
        return any(self.atoms[k].cell is not None for part in index for k, _ in part[1])

    def _leaf(self, node, index):
        if unsupported_dtype(node.dtype):
            raise CannotLower("complex numbers", node)
        if node.op == "constant":
            return self.constant(node.attrs["value"], node.dtype)
        if node.op == "scalar":
            key = ("scalar", node.attrs["index"], node.dtype)
            cell = self.cells.get(key)
            if cell is None:
                # two words each, a float and an integer: see `Executable`
                place = 2 * node.attrs["index"] + (node.dtype.category < 2)
                cell = self.cells[key] = self.new_cell("scalar", (), node.dtype, place)
            return cell
        if node.op == "iota":
            return self.affine_cell(index[node.attrs["dim"]], node.dtype)
        raise CannotLower(f"{node.op} is in no buffer", node)

    def _reduction(self, node):
        if node not in self.anchors:
            raise CannotLower("a reduction of another kernel", node)
        source = node.inputs[0]
        if node.op not in _REDUCTIONS or unsupported_dtype(source.dtype):
            raise CannotLower(f"{node.op} has no native code", node)
        index = self.unflatten(self.flat, source.shape)
        operand = self.lower(source, index, None)
        arg = node.op in ("argmax", "argmin")
        if not self.reduced_loops:          # over one element: nothing to walk over
            return self.constant(0, node.dtype) if arg else operand
        along = index[node.attrs["dim"]] if arg else None
        depends = self.parallel_loops | (operand.depends - self.reduced_loops)
        cell = self.new_cell("reduce", (operand,), node.dtype, (node.op, along), depends)
        cell.phase = operand.phase + 1
        return cell

    def _movement(self, node, index, guard):
        op, source = node.op, node.inputs[0]
        attrs = node.attrs
        if op == "reshape":
            source = reshaped(node, self.buffers)
            flat = self.flatten(index, node.shape)
            if source in self.buffers and source not in self.layouts \
                    and source not in self.anchors:
                return self.load(source, flat, guard)
            cut = node if source in self.buffers else source
            return self.lower(source, self.unflatten(flat, source.shape, cut), guard)
        if op == "permute":
            inner = [None] * len(index)
            for position, dim in enumerate(attrs["dims"]):
                inner[dim] = index[position]
            return self.lower(source, tuple(inner), guard)
        if op == "expand":
            return self.lower(source, tuple(
                ZERO if extent == 1 else part for part, extent in zip(index, source.shape)), guard)
        if op == "slice":
            return self.lower(source, tuple(
                shifted(scaled(part, step), start) for part, start, step in zip(
                    index, attrs["starts"], attrs["steps"])), guard)
        if op == "flip":
            return self.lower(source, tuple(
                shifted(scaled(part, -1), extent - 1) if dim in attrs["dims"] and extent != 1
                else part for dim, (part, extent) in enumerate(zip(index, source.shape))), guard)
        if op == "pad":
            return self._pad(node, index, guard)
        if op == "as_strided":
            if source in self.buffers and source not in self.layouts \
                    and source not in self.anchors:
                flat = (attrs["offset"], ())
                for part, stride in zip(index, attrs["strides"]):
                    flat = affine_sum(flat, scaled(part, stride))
                return self.load(source, flat, guard)
            raise CannotLower("as_strided reads a buffer", source)
        raise CannotLower(f"{op} is not fused", node)

    def _pad(self, node, index, guard):
        if any(node.attrs["interior"]):
            raise CannotLower("padding between elements", node)
        source = node.inputs[0]
        if source.numel == 0:
            return self.constant(node.attrs["value"], node.dtype)
        inner, conditions = [], list(guard or ())
        for part, low, extent in zip(index, node.attrs["low"], source.shape):
            part = shifted(part, -low)
            smallest, largest = affine_range(part, self.extents)
            if min(smallest, usual(smallest)) < 0 or may_reach(largest, extent):
                if max(largest, usual(largest)) < 0 or (
                        smallest >= extent and usual(smallest) >= usual(extent)):
                    return self.constant(node.attrs["value"], node.dtype)
                conditions.append((part, extent))
            inner.append(part)
        added = len(conditions) > len(guard or ())
        inside = tuple(dict.fromkeys(conditions)) or None
        value = self.lower(source, tuple(inner), inside)
        if not added:
            return value
        outside = self.constant(node.attrs["value"], node.dtype)
        return self.new_cell("where", (self.guard_cell(inside), value, outside), node.dtype)

    def _pick(self, node, index, guard):
        """take and gather: an index that is itself read or computed."""
        source, places = node.inputs
        dim = node.attrs["dim"]
        if node.op == "take":
            count = len(places.shape)
            at = index[dim:dim + count]
            before, after = index[:dim], index[dim + count:]
        else:
            at, before, after = index, index[:dim], index[dim + 1:]
        place = self.lower(places, at, guard)
        condition = self.guard_cell(guard)      # where it does not hold, the index is any number
        key = ("place", place, condition, node)
        k = self.cells.get(key)
        if k is None:
            checked = self._checked(node, place, condition, source.shape[dim])
            k = self.cells[key] = self._new_atom(Atom(max(1, source.shape[dim]), False, checked))
        return self.lower(source, tuple(before) + (atom(k),) + tuple(after), guard)

    def _checked(self, node, place, condition, extent):
        """An index that sets the node's flag where it is not below `extent`."""
        if node not in self.flags:
            self.flags.append(node)
        operands = (place,) if condition is None else (place, condition)
        return self.new_cell("checked", operands, dtypes.int64, (extent, self.flags.index(node)))


def reshaped(node, buffers) -> Node:
    """What a reshape reads: the value behind a chain of them, if none of them is in memory."""
    source = node.inputs[0]
    while source.op == "reshape" and source not in buffers:
        source = source.inputs[0]
    return source


def reduced_dims(node) -> tuple[int, ...]:
    """The dimensions that a reduction removes."""
    return node.attrs["dims"] if "dims" in node.attrs else (node.attrs["dim"],)
