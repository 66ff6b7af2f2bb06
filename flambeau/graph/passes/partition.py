"""Decides what shares a kernel: which nodes are kept in memory, and which clusters they form.

After the rewriting passes, before `plan_memory`. Nodes fall into three kinds:

* *opaque*: contractions, windows, sorts, calls into NumPy: a step of their own;
* *anchors*: pointwise nodes and reductions whose values other steps read, or which are too dear to
  compute twice; they are gathered into *clusters*, a kernel each;
* all others are inlined where they are used.

A cluster grows along the flow of data: an anchor joins the cluster of one of its operands if both
have one iteration space (see `lower`) and no other step must run between them.
"""

from __future__ import annotations

from ...codegen.extents import usual
from ...codegen.fused_operations import EXPENSIVE, is_native
from ..ir import Node, topological_order
from .attach_epilogues import attach_epilogues
from .lower import MAX_BUFFERS, CannotLower, Lowering, SplitNeeded, reduced_dims, reshaped
from .slopes import find_slopes
from .steps import (
    DENSE,
    Cluster,
    Opaque,
    Partition,
    Piece,
    View,
    has_form,
    is_opaque,
    loaded,
    piece_operands,
    reads_in_place,
    row_major,
    takes_epilogue,
)

__all__ = ["partition"]

MAX_MEMBERS = 24
MAX_DEPTH = 48            # operations in a chain that is inlined
MAX_EPILOGUE = 40         # cells of an epilogue, whose code is repeated in a tile
FEW_ITEMS = 8             # a reduction with fewer rows than this is not worth following
SMALL = 32_768            # elements that one thread may do alone
_MODERATE = frozenset(("div", "sqrt", "rsqrt", "reciprocal", "floor_divide", "trunc_divide"))
_VIEWS = frozenset(("reshape", "permute", "expand", "slice", "flip", "as_strided"))


def partition(outputs: list[Node], layouts=None) -> Partition:
    """The steps that compute `outputs`."""
    forced: set[Node] = set()
    for _ in range(60):
        attempt = _Attempt(outputs, forced, layouts or {})
        try:
            result = attempt.run()
        except _Again as again:
            forced |= again.cuts
            continue
        return result
    raise AssertionError("partition does not come to an end")


class _Again(Exception):
    def __init__(self, cuts):
        self.cuts = cuts


class _Attempt:
    def __init__(self, outputs, forced, layouts):
        self.outputs, self.forced, self.layouts = outputs, forced, layouts
        self.order = topological_order(outputs)
        self.users: dict[Node, list[Node]] = {n: [] for n in self.order}
        for node in self.order:
            for operand in dict.fromkeys(node.inputs):
                self.users[operand].append(node)
        self.opaque = {n for n in self.order if n in forced and n.primitive.kind == "pointwise"
                       and not is_native(n)}
        self.opaque |= {n for n in self.order if is_opaque(n)}
        # values without elements need no step, but are kept as far as others are concerned
        self.empty = {n for n in self.order if n.numel == 0 and n.op != "external"}
        self.opaque -= self.empty
        self.kept: set[Node] = {n for n in self.order if n.op == "input"} | self.opaque | self.empty
        self.anchors: set[Node] = set()
        self.aliases: dict[Node, Node] = {}
        self.views: dict[Node, list[View]] = {}
        self.flags: list[Node] = []

    def run(self) -> Partition:
        self._mark_anchors()
        self.kept |= self.anchors
        self._form_clusters()
        self._find_stores()
        attach_epilogues(self, {self.aliases.get(n, n) for n in self.outputs})
        return Partition(self._ordered(), self.flags, self.aliases)

    # ---- anchors --------------------------------------------------------------------------------

    def _keep(self, node):
        """Makes sure that a node is in memory; a leaf other than an input must be copied."""
        if node not in self.kept:
            self.anchors.add(node)

    def _mark_anchors(self):
        for node in self.order:
            if node.primitive.kind == "reduce":
                self._keep(node)
        for node in self.forced:
            if node not in self.opaque and node in self.users:
                self._keep(node)
        self._keep_outputs()
        for node in self.order:
            if node in self.opaque:
                for operand in node.inputs[len(piece_operands(node)):]:
                    base = operand
                    while base.op in _VIEWS and base not in self.kept and base not in self.anchors:
                        base = base.inputs[0]
                    view = None
                    if base.primitive.kind != "leaf" or base.op == "input":
                        view = self.view_of(operand, base)
                    self._keep(operand if view is None else base)
        self._mark_costly()

    def _keep_outputs(self):
        taken: set[Node] = set()
        for node in self.outputs:
            base = node
            while base.op == "reshape" and base not in self.opaque and base not in self.layouts:
                base = base.inputs[0]
            if (base is not node and base not in taken and base not in self.layouts
                    and base.primitive.kind != "leaf"
                    and base not in self.outputs and base.primitive.kind != "movement"):
                self.aliases[node] = base
                taken.add(base)
                self._keep(base)
            elif node not in self.opaque:
                self._keep(node)

    def _mark_costly(self):
        """Keeps values that several users would otherwise compute again."""
        of_slopes = find_slopes(self.order, self.users)
        self.slopes = set(of_slopes.values())
        for node in dict.fromkeys(of_slopes.values()):
            self._keep(node)
        cost: dict[Node, float] = {}
        depth: dict[Node, int] = {}
        large: dict[Node, frozenset] = {}
        anchors, kept = self.anchors, self.kept
        for node in self.order:
            kind = node.primitive.kind
            depth[node] = 1 + max((depth[i] for i in node.inputs), default=0)
            if node in kept or node in anchors:
                depth[node] = 0
            elif depth[node] > MAX_DEPTH and kind in ("pointwise", "movement", "index"):
                anchors.add(node)
                depth[node] = 0
            if node in kept or (node in anchors and kind == "reduce"):
                cost[node], large[node] = 0.0, frozenset((node,))
                continue
            if kind == "leaf":
                cost[node], large[node] = 0.0, frozenset()
                continue
            if kind == "pointwise":
                op = node.op
                own = 10.0 if op in EXPENSIVE else 4.0 if op in _MODERATE else (
                    0.0 if op in ("detach", "variable", "boundary") else 1.0)
            else:
                own = 3.0 if node.op in ("take", "gather") else 0.0 if node.op != "pad" else 2.0
            total, reads = own, frozenset()
            for operand in dict.fromkeys(node.inputs):
                total += cost[operand]
                reads |= large[operand]
            numel = usual(node.numel)
            reads = frozenset(r for r in reads if 4 * usual(r.numel) >= numel)
            if (node.op == "expand" and node not in self.empty
                    and numel >= 4 * usual(node.inputs[0].numel)):
                source = node.inputs[0]
                while source.op == "reshape":
                    source = source.inputs[0]
                if usual(source.numel) > 1 and cost[source] >= 4 and source not in kept \
                        and source.primitive.kind in ("pointwise", "index"):
                    anchors.add(source)
                    total, reads = 0.0, frozenset()
            if node in anchors:
                cost[node], large[node] = 0.0, frozenset((node,))
                continue
            if kind in ("pointwise", "index") and (len(reads) > MAX_BUFFERS // 2 or (
                    len(self.users[node]) > 1 and numel > 1 and node not in of_slopes
                    and (total > 8 or (len(reads) > 1 and total >= 1)))):
                anchors.add(node)
                total, reads = 0.0, frozenset((node,))
            cost[node], large[node] = total, reads

    def view_of(self, node, base):
        """`node` as strided access to `base`, or None where it is not that."""
        if node is base:
            return View(base, 0, row_major(node.shape) if base not in self.layouts
                        else self.layouts[base])
        lowering = Lowering(node.shape, (), {base}, self.layouts, [])
        try:
            cell = lowering.lower(node, lowering.element_index(node), None)
        except (CannotLower, SplitNeeded):
            return None
        if cell.op != "load" or cell.attrs[2] is not None:
            return None
        offset, terms = cell.attrs[1]
        strides = dict(terms)
        result = []
        for index in lowering.dims:
            result.append(strides.get(index[1][0][0], 0) if index[1] else 0)
        return View(base, offset, tuple(result))

    # ---- clusters -------------------------------------------------------------------------------

    def _form_clusters(self):
        self.steps: list = []
        self.step_of: dict[Node, int] = {}
        self.ancestors: list[int] = []       # per step, the steps it needs as a bit mask
        self.cuts: set[Node] = set()
        self.claimed: dict[Node, int] = {}   # products, and the steps that want to be epilogues
        self.readers: dict[Node, list[int]] = {}     # of kept nodes: clusters that read them
        for node in self.order:
            if node in self.opaque:
                self._place_opaque(node)
            elif node in self.anchors:
                self._place_anchor(node)
        if self.cuts:
            raise _Again(self.cuts)

    def _place_opaque(self, node):
        operands: list = []
        pieces, bases = [], set()
        for operand, (offset, strides) in zip(node.inputs, piece_operands(node)):
            kept = operand in self.kept
            found = self._lower([operand], operand.shape, (), None, read=kept)
            if isinstance(found, CannotLower):
                self.cuts.add(operand if found.cut is None else found.cut)
            else:
                pieces.append(Piece(found, operand, found.element_index(operand), offset,
                                    strides))
                bases |= {operand} if kept else set(self._dependencies_of(operand))
            operands.append(None)
        for operand in node.inputs[len(operands):]:
            base = operand
            while base.op in _VIEWS and base not in self.kept:
                base = base.inputs[0]
            view = self.view_of(operand, base)
            if view is None or node.op in DENSE and (
                    view.offset or view.strides != row_major(operand.shape)):
                self.cuts.add(operand)
                view = View(operand, 0, row_major(operand.shape))
            operands.append(view)
        if node.op == "contract" and not has_form(node, operands):
            # strides that no kernel takes: copy what is not in row-major order
            for i, (operand, view) in enumerate(zip(node.inputs, operands)):
                if view.offset or view.strides != row_major(operand.shape):
                    self.cuts.add(operand)
                    operands[i] = View(operand, 0, row_major(operand.shape))
        bases |= {v.base for v in operands if v is not None}
        self._new_step(node, Opaque(node, operands, pieces), bases)

    def _new_step(self, node, step, bases):
        self.step_of[node] = len(self.steps)
        self.steps.append(step)
        mask = 0
        for base in bases:
            at = self.step_of.get(base)
            if at is not None:
                mask |= self.ancestors[at] | (1 << at)
        self.ancestors.append(mask)

    def _dependencies(self, node):
        """The kept nodes that the expression of an anchor reads."""
        return self._dependencies_of(*node.inputs, anchor=node)

    def _dependencies_of(self, *nodes, anchor=None):
        found, seen, stack = [], {anchor}, list(nodes)
        while stack:
            operand = stack.pop()
            if operand in seen:
                continue
            seen.add(operand)
            if operand in self.kept:
                found.append(operand)
            else:
                stack.extend(operand.inputs)
        return found

    def _place_anchor(self, node):
        needs = self._dependencies(node)
        at = sorted({self.step_of[n] for n in needs if n in self.step_of}, reverse=True)
        product, lowering = self._product(node, needs), None
        if product is not None:
            lowering = self._new_lowering(node)
            if lowering is not None and reads_in_place(lowering, product):
                self.claimed[product] = len(self.steps)
                self._new_step(node, Cluster([node], lowering, product=product), needs)
                return
        for candidate in at + self._siblings(node, needs, at):
            step = self.steps[candidate]
            if isinstance(step, Cluster) and self._can_follow(candidate, at) \
                    and self._join(step, node):
                self.step_of[node] = candidate
                self._inherit(candidate, at)
                self._note_reads(needs, candidate)
                return
        lowering = lowering or self._new_lowering(node)
        if lowering is None:
            self.step_of[node] = len(self.steps)
            self.steps.append(Opaque(node, []))      # never run: the attempt is repeated
            self.ancestors.append(0)
            return
        self._note_reads(needs, len(self.steps))
        self._new_step(node, Cluster([node], lowering), needs)

    def _note_reads(self, needs, at):
        for node in needs:
            self.readers.setdefault(node, []).append(at)

    def _siblings(self, node, needs, at):
        """Clusters that read what a reduction or a slope reads: one pass serves both."""
        claims = [self.claimed[n] for n in needs if n in self.claimed]
        if any(not self.slopes.isdisjoint((node, *self.steps[i].members)) for i in claims):
            return claims            # a product's epilogue computes an activation and its slope
        if node.primitive.kind != "reduce":
            return []
        found = [i for n in needs for i in self.readers.get(n, ())
                 if 4 * usual(n.numel) >= usual(node.inputs[0].numel) and i not in at]
        return [i for i in dict.fromkeys(reversed(found)) if self._same_space(i, node)]

    def _same_space(self, at, node):
        """Whether a cluster reduces the space that a reduction reduces."""
        step = self.steps[at]
        return (isinstance(step, Cluster) and bool(step.lowering.reduced)
                and step.lowering.reduced == frozenset(reduced_dims(node))
                and step.lowering.shape == node.inputs[0].shape)

    def _product(self, node, needs):
        """The contraction whose epilogue an anchor could begin."""
        if node.primitive.kind != "pointwise":
            return None
        for n in reversed(sorted(needs, key=lambda n: self.step_of.get(n, -1))):
            if (n in self.opaque and takes_epilogue(n) and n.numel == node.numel
                    and n not in self.claimed):
                bit = 1 << self.step_of[n]
                if not any(self.ancestors[self.step_of[m]] & bit for m in needs
                           if m in self.step_of):
                    return n
        return None

    def _can_follow(self, candidate, at):
        bit = 1 << candidate
        return not any(self.ancestors[i] & bit for i in at if i != candidate)

    def _inherit(self, candidate, at):
        """Records that a cluster now needs the steps `at`, and so does all that needs it."""
        mask = self.ancestors[candidate]
        for i in at:
            if i != candidate:
                mask |= self.ancestors[i] | (1 << i)
        if mask == self.ancestors[candidate]:
            return
        bit = 1 << candidate
        self.ancestors[candidate] = mask
        for i, other in enumerate(self.ancestors):
            if other & bit:
                self.ancestors[i] = other | mask

    def _join(self, cluster, node):
        """Whether `node` became a member of the cluster."""
        members = len(cluster.members)
        if members >= MAX_MEMBERS:
            return False
        if cluster.product is not None and (
                node.primitive.kind == "reduce" or cluster.lowering.count > MAX_EPILOGUE):
            return False
        old = cluster.lowering
        shape, reduced = old.shape, old.reduced
        if node.primitive.kind == "reduce":
            source, dims = node.inputs[0], reduced_dims(node)
            if not reduced:
                if old.numel not in (source.numel, node.numel):
                    return False
                shape, reduced = source.shape, frozenset(dims)
            elif source.numel != old.numel or node.numel != old.parallel_numel:
                return False
            if usual(node.numel) < FEW_ITEMS and usual(source.numel) > SMALL:
                return False
        elif node.numel != old.numel:
            if not reduced or node.numel != old.parallel_numel:
                return False
        elif (reduced and usual(old.parallel_numel) < FEW_ITEMS
              and usual(old.numel) > SMALL):
            return False
        if (shape, reduced) == (old.shape, old.reduced):
            before = (dict(old.cells), old.count, set(old.loaded), dict(old.atoms),
                      dict(old.extents))
            try:
                old.add(node)
                cluster.members.append(node)
                return True
            except SplitNeeded:
                pass
            except CannotLower:
                old.cells, old.count, old.loaded, old.atoms, old.extents = before
                return False
            old.cells, old.count, old.loaded, old.atoms, old.extents = before
        lowering = self._lower(cluster.members + [node], shape, reduced, old.splits
                               if shape == old.shape else None)
        if isinstance(lowering, CannotLower):
            return False
        cluster.lowering = lowering
        cluster.members.append(node)
        return True

    def _new_lowering(self, node):
        if node.primitive.kind == "reduce":
            found = self._lower([node], node.inputs[0].shape, reduced_dims(node), None)
        else:
            source = reshaped(node, self.kept) if node.op == "reshape" else node
            found = self._lower([node], (source if source in self.layouts else node).shape, (),
                                None)
        if isinstance(found, CannotLower):
            cut = self._part_of(node) if found.cut is None else found.cut
            if cut is None or cut in self.kept:
                raise AssertionError(f"{node!r} cannot be lowered: {found}")
            self.cuts.add(cut)
            return None
        return found

    def _part_of(self, node):
        """The part of an expression with most operands, but not too many for one kernel."""
        best, most, seen, stack = None, 0, {node}, list(node.inputs)
        while stack:
            part = stack.pop()
            if part in seen or part in self.kept:
                continue
            seen.add(part)
            stack.extend(part.inputs)
            if part.op not in _VIEWS and part.primitive.kind == "pointwise":
                count = len(self._dependencies(part))
                if most < count <= MAX_BUFFERS // 2:
                    best, most = part, count
        return best

    def _lower(self, members, shape, reduced, splits, read=False):
        """A lowering with these members, or the CannotLower that forbids it.

        With `read` they are read from memory instead.
        """
        for _ in range(24):
            lowering = Lowering(shape, reduced, self.kept, self.layouts, self.flags, splits)
            try:
                for member in members:
                    if read:
                        lowering.lower(member, lowering.element_index(member), None)
                    else:
                        lowering.add(member)
                return lowering
            except SplitNeeded as needed:
                try:
                    splits = lowering.split(needed)
                except CannotLower as error:
                    return error
            except CannotLower as error:
                return error
        return CannotLower("too many splits")

    # ---- stores and order -----------------------------------------------------------------------

    def _find_stores(self):
        wanted = {self.aliases.get(n, n) for n in self.outputs}
        for step in self.steps:
            if isinstance(step, Opaque):
                step_reads = step.reads
            else:
                roots = [step.lowering.cells[n, step.lowering.anchors[n], None]
                         for n in step.members]
                step.reads = step_reads = loaded(roots)
            wanted |= step_reads
        for step in self.steps:
            if isinstance(step, Cluster):
                step.stored = [n for n in step.members if n in wanted]

    def _ordered(self):
        """Steps so that each comes after those it needs; otherwise in the order of the graph."""
        done, result = 0, []
        waiting = [i for i, s in enumerate(self.steps) if s.results]
        useful = 0
        for i in waiting:
            useful |= 1 << i
        while waiting:
            later = []
            for i in waiting:
                if self.ancestors[i] & useful & ~done & ~(1 << i):
                    later.append(i)
                else:
                    done |= 1 << i
                    result.append(self.steps[i])
            assert len(later) < len(waiting), "steps need each other"
            waiting = later
        return result
