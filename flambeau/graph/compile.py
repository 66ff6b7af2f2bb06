"""Compiles a graph: rewriting passes, partition into kernels, memory plan, native program.

The driver of the passes, below the recorder and above `codegen` and `runtime`:

    executable = compile_program(outputs, inputs, scalars, donated)
    results = executable.run(input_buffers, scalar_values)

`FLAMBEAU_CHECK=1` checks the graph between the passes; `FLAMBEAU_DEBUG=2` prints the kernels of
each program, 3 the graph as well.
"""

from __future__ import annotations

import os
import sys
import time

from ..codegen import kernel_call
from ..codegen.cells import Body, Store, affine_sum, number, scaled
from ..codegen.extents import usual
from ..codegen.fused import EpiloguePlan, plan_fused
from ..runtime import _cpu
from ..runtime._jit import compile_ahead
from ..runtime._pool import Integer, KernelCall, Pointer, prepare
from .executable import (
    Executable,
    Indexed,
    KernelInfo,
    Native,
    NumpyCall,
    Plan,
    PlannedBlock,
    early_checks,
)
from .ir import Node, check, format_graph, p, topological_order
from .passes.assign_layouts import assign_layouts
from .passes.lower_opaque import plan_opaque
from .passes.order_steps import first_leaf, order_steps, update_order
from .passes.partition import partition
from .passes.plan_memory import Arena, last_readers
from .passes.rewrite import rewrite
from .passes.split_reductions import split_reductions
from .passes.steps import Cluster, columns_of
from .plan_cache import KnownPlan
from .resemblance import forms_of_known, remember

__all__ = ["compile_program"]

_SCALARS, _FLAGS = "scalars", "flags"


def compile_program(outputs: list[Node], inputs: list[Node], scalars: list[Node] = (),
                    donated=frozenset(), *, reuse: bool = True, passes=None,
                    details: bool = False, resemble: bool = True) -> Executable:
    """The native program that computes `outputs`.

    `inputs` and `scalars` are the leaves by index. The buffers of the inputs numbered in `donated`
    are not needed after a run: outputs may be written into them. `reuse=False` gives each
    intermediate value memory of its own; `passes` replaces the rewriting passes, for tests.
    `details` makes the kernels tell what they compute, and the executable how its memory is used.
    With `resemble`, a program that is known but for a larger batch lends its forms, so that no
    machine code is new; the executable is then `lent`.
    """
    begin = time.perf_counter()
    outputs = list(outputs)
    leaves = list(inputs), list(scalars), donated
    plain = reuse and passes is None
    keeper = KnownPlan(outputs, *leaves) if plain and not details else None
    executable = keeper.load() if keeper is not None else None
    if executable is None and plain and resemble:
        executable = _in_known_forms(outputs, leaves, details)
    if executable is None:
        executable = _compiled(outputs, leaves, reuse, passes, details)
        if keeper is not None:
            keeper.store(executable)
    if keeper is not None and not executable.lent:
        remember(outputs)
    executable.compile_seconds = time.perf_counter() - begin
    return executable


def _in_known_forms(outputs, leaves, details):
    """The executable with the forms of a known program with a larger batch; None if there is none.

    Its entry on disk has a key of its own.
    """
    paired = forms_of_known(outputs)
    if paired is None:
        return None
    keeper = KnownPlan(outputs, *leaves, paired) if not details else None
    executable = keeper.load() if keeper is not None else None
    if executable is None:
        try:
            executable = _compiled(paired, leaves, details=details)
        except (AssertionError, ArithmeticError, LookupError, ValueError):
            if os.environ.get("FLAMBEAU_STRICT", "0") != "0":
                raise
            return None              # a pass that does not understand such extents
        if keeper is not None:
            keeper.store(executable)
    executable.lent = True
    return executable


def _compiled(outputs, leaves, reuse=True, passes=None, details=False):
    """The executable, by the passes."""
    begin = time.perf_counter()
    inputs, scalars, donated = leaves
    prepare()
    rewritten = rewrite(outputs, passes, _checked if os.environ.get("FLAMBEAU_CHECK") else None)
    placed, layouts = assign_layouts(rewritten)
    placed = _own_outputs(split_reductions(placed, layouts))
    if os.environ.get("FLAMBEAU_CHECK"):
        _checked("assign_layouts and split_reductions", placed)
    executable = _Compiler(placed, layouts, inputs, scalars, set(donated), reuse,
                           details).compile()
    executable.compile_seconds = time.perf_counter() - begin
    _report(executable, outputs, rewritten)
    return executable


def _checked(name, outputs):
    try:
        check(outputs)
    except AssertionError as error:
        raise AssertionError(f"after {name}: {error}") from error


def _report(executable, outputs, rewritten):
    level = os.environ.get("FLAMBEAU_DEBUG", "0")
    level = int(level) if level.isdigit() else 0
    if level >= 3:
        print(format_graph(outputs, show_sites=True), file=sys.stderr)
        print("rewritten:\n" + format_graph(rewritten, show_sites=True), file=sys.stderr)
    if level >= 2:
        print(executable.describe(), file=sys.stderr)


def _own_outputs(outputs):
    """Outputs that are leaves, or given twice, become copies: each has a buffer of its own."""
    seen, result = set(), []
    for node in outputs:
        if node in seen or node.primitive.kind == "leaf":
            node = p.detach(node)
        seen.add(node)
        result.append(node)
    return result


class _Compiler:
    """One compilation: from steps to calls with addresses."""

    def __init__(self, outputs, layouts, inputs, scalars, donated, reuse,
                 details):
        self.layouts, self.details = layouts, details
        self.outputs, self.inputs, self.scalars = outputs, inputs, scalars
        self.donated = donated
        self.arena = Arena(reuse)
        self.places: dict = {}           # node or symbol -> Pointer with base index
        self.input_base = 1
        self.output_base = 1 + len(inputs)
        self.places[_SCALARS] = Pointer(self.output_base + len(outputs))
        self.places[_FLAGS] = Pointer(self.output_base + len(outputs) + 1)
        self.bases_count = self.output_base + len(outputs) + 2
        self.announced: set[str] = set()
        self.infos: list[KernelInfo] = []
        self.blocks: list[PlannedBlock] = []

    def compile(self) -> Executable:
        self.partition = partition(self.outputs, self.layouts)
        steps = self.partition.steps = self._ordered(self.partition)
        self._place_ends(steps)
        reads = [s.reads for s in steps]
        last = last_readers(reads)
        blocks: dict[int, list] = {}
        planned: list = []               # (block, node, first step, last step)
        firsts: list[int] = []           # of each step: the number of its first kernel
        segments: list = []
        calls: list[KernelCall] = []
        stoppable = None             # calls before the first that writes over an input
        for i, step in enumerate(steps):
            firsts.append(len(self.infos))
            for node in step.results:
                if node not in self.places and not _is_tuple(node):
                    block = self.arena.allocate(node.nbytes)
                    self.places[node] = Pointer(0, block[0])
                    blocks.setdefault(last.get(node, i), []).append(block)
                    planned.append((block, node, i, last.get(node, i)))
            temporaries: list = []
            native = self._lower(step, temporaries)
            if native is None:
                if calls:
                    segments.append(Native(calls, self.bases_count))
                    calls = []
                segments.append(NumpyCall(step.node, [
                    (v.base, self.places.get(v.base), v.offset, v.strides, o.shape)
                    for v, o in zip(step.operands, step.node.inputs)],
                    self.places.get(step.node)))
                self.infos.append(KernelInfo(f"numpy {step.node.op}", (step.node.op,), (
                    step.node.site,), 0, 0, "", None, 0.0, self._parts(step)))
            else:
                if stoppable is None and any(map(self._is_donated, step.results)):
                    stoppable = len(calls)
                calls.extend(native)
            planned += [(block, None, i, i) for block in temporaries]
            for block in temporaries + blocks.get(i, []):
                self.arena.release(block)
        if calls:
            if segments:
                stoppable = 0        # what ran before it is not done twice
            segments.append(Native(calls, self.bases_count,
                                   len(calls) if stoppable is None else stoppable))
        firsts.append(len(self.infos))
        if self.details:
            self.blocks = [_planned_block(block, node, firsts[first], firsts[last + 1] - 1)
                           for block, node, first, last in planned]
        return Executable(segments, self._plan())

    def _plan(self):
        scalars = [(s.attrs["index"], s.dtype.category >= 2) for s in self.scalars]
        return Plan(self.infos, self.blocks, max(64, self.arena.size), len(self.inputs),
                    [n.nbytes for n in self.outputs], self.output_sources,
                    [Indexed.of(n) for n in self.partition.flags], early_checks(self.outputs),
                    len(scalars), [i for i, is_float in scalars if not is_float],
                    [i for i, is_float in scalars if is_float])

    def _ordered(self, partition):
        """The steps, ordered so that values die early."""
        ends = [partition.aliases.get(n, n) for n in self.outputs]
        donated = {n for n in _nodes(self.outputs)
                   if n.op == "input" and n.attrs["index"] in self.donated}
        sizes = {n: n.nbytes for s in partition.steps for n in s.results if not _is_tuple(n)}
        for node in ends:
            sizes.pop(node, None)
        return order_steps(partition.steps, sizes, update_order(partition.steps, ends, donated))

    # ---- places ---------------------------------------------------------------------------------

    def _place_ends(self, steps):
        """Inputs and outputs: outputs go to buffers of their own or to donated inputs."""
        for node in _nodes(self.outputs):
            if node.op == "input":
                self.places[node] = Pointer(self.input_base + node.attrs["index"])
        for node in _nodes(self.outputs):
            if node.numel == 0 and not _is_tuple(node):
                self.places.setdefault(node, Pointer(0))
        self.output_sources: list = [None] * len(self.outputs)
        last = last_readers([s.reads for s in steps])
        free: dict = {}
        for node in list(self.places):
            if (isinstance(node, Node) and node.op == "input"
                    and node.attrs["index"] in self.donated):
                free.setdefault(node.attrs["index"], []).append(node)
        self._take_donors(steps, last, free)
        for at, output in enumerate(self.outputs):
            base = self.partition.aliases.get(output, output)
            self.places.setdefault(base, Pointer(self.output_base + at))

    def _take_donors(self, steps, last, free):
        """Updates first: x - step goes to the memory of x. What is left serves other outputs."""
        writer = {n: i for i, s in enumerate(steps) for n in s.results}
        for natural in (True, False):
            for at, output in enumerate(self.outputs):
                base = self.partition.aliases.get(output, output)
                if base in self.places or not free:
                    continue
                donor = self._donor(base, steps, writer, last, free, natural)
                if donor is not None:
                    self.places[base] = self.places[free.pop(donor)[0]]
                    self.output_sources[at] = donor

    def _donor(self, node, steps, writer, last, free, natural):
        """The donated input whose memory `node` can take: read by no later step."""
        at = writer.get(node)
        if at is None or not free:
            return None
        step = steps[at]
        first = first_leaf(node) if natural else None
        for index, leaves in free.items():
            if natural and leaves[0] is not first:
                continue
            if len(leaves) != 1 or leaves[0].nbytes != node.nbytes:
                continue
            leaf = leaves[0]
            cluster = step if isinstance(step, Cluster) else step.epilogue
            if last.get(leaf, -1) > at or last.get(leaf, -1) == at and not (
                    cluster is not None and _same_element(cluster, leaf, node)
                    and not (cluster is not step
                             and any(v is not None and v.base is leaf for v in step.operands))):
                continue
            return index
        return None

    def _pointer_of(self, node):
        place = self.places[node]
        return kernel_call.Pointer(place.buffer, place.offset)

    def _is_donated(self, node):
        """Whether a value is written over an input."""
        return not _is_tuple(node) and 0 < self.places[node].buffer < self.output_base

    def _is_stream(self, node):
        """Whether a value is too large for the caches, in memory that is aligned and not read.

        An input's memory may lie anywhere, and an update reads what it overwrites.
        """
        return usual(node.nbytes) > _cpu.cache_sizes()[2] and not self._is_donated(node)

    # ---- steps ----------------------------------------------------------------------------------

    def _lower(self, step, temporaries):
        """The native calls of a step; None where there are none."""
        if isinstance(step, Cluster):
            return [self._finish(self._fused(step), step)]

        def allocate(nbytes):
            block = self.arena.allocate(nbytes)
            temporaries.append(block)
            self.places[block] = Pointer(0, block[0])
            return block

        epilogue = self._epilogue(step) if step.epilogue is not None else None
        pieces = [self._piece(step.node, piece) for piece in step.pieces]
        calls = plan_opaque(step, self._pointer_of, allocate, epilogue, self._flag)
        if calls is None:
            return None
        return [self._finish(c, step) for c in pieces + calls]

    def _flag(self, node):
        """(where the flags are, the flag's number) of an index that a kernel checks."""
        flags = self.partition.flags
        if node not in flags:
            flags.append(node)
        return kernel_call.Pointer(_FLAGS), flags.index(node)

    def _piece(self, node, piece):
        """The kernel that writes one operand into its part of a node's memory."""
        lowering = piece.lowering
        place = number(piece.offset)
        for part, stride in zip(piece.index, piece.strides):
            place = affine_sum(place, scaled(part, stride))
        cell = lowering.cells[piece.source, piece.index, None]
        body = Body(lowering.atoms, [Store(node, place, cell)],
                    f"{node.op} {piece.source.op} [{'x'.join(map(str, piece.source.shape))}]", 1)
        return plan_fused(body, self._pointer_of, kernel_call.Pointer(_SCALARS),
                          kernel_call.Pointer(_FLAGS))

    def _fused(self, cluster):
        stored = {n: n for n in cluster.stored}
        ops = [n.op for n in cluster.members]
        body = cluster.lowering.body(
            stored, label=_label(cluster), sites=[n.site for n in cluster.members if n.site],
            operations=len(ops))
        for store in body.stores:
            store.is_stream = self._is_stream(store.buffer)
        return plan_fused(body, self._pointer_of, kernel_call.Pointer(_SCALARS),
                          kernel_call.Pointer(_FLAGS))

    def _epilogue(self, step):
        """The epilogue of a product: its cluster, with the product's element given."""
        cluster, node = step.epilogue, step.node
        lowering = cluster.lowering
        place = lowering.buffer_index(node, lowering.element_index(node))
        cell = lowering.cells["load", node, place, None]
        cell.op, cell.operands, cell.attrs = "given", (), None
        body = lowering.body({n: n for n in cluster.stored})
        if step.main is node:
            body.stores.append(Store(node, place, cell))
        plan = EpiloguePlan(body, self._pointer_of, kernel_call.Pointer(_SCALARS),
                            kernel_call.Pointer(_FLAGS), place, columns_of(node), step.main)
        return plan.epilogue()

    def _finish(self, call, step):
        """A planner's call as the executor's: symbols become base indices."""
        args = []
        for slot in call.args:
            if isinstance(slot, kernel_call.Pointer):
                place = slot if isinstance(slot.buffer, int) else None
                if place is None:
                    at = self.places[slot.buffer]
                    place = Pointer(at.buffer, at.offset + slot.offset)
                else:
                    place = Pointer(slot.buffer, slot.offset)
                args.append(place)
            else:
                args.append(Integer(slot.value))
        nodes = step.members if isinstance(step, Cluster) else [step.node]
        if not isinstance(step, Cluster) and step.epilogue is not None:
            nodes = nodes + step.epilogue.members
        sites = tuple(dict.fromkeys(n.site for n in nodes if n.site))
        self.infos.append(KernelInfo(call.label, tuple(n.op for n in nodes), sites, call.flops,
                                     call.bytes, call.name, call.items, 0.0, self._parts(step)))
        text = str(call.ir_text)
        if call.name not in self.announced:
            self.announced.add(call.name)
            compile_ahead(call.name, text)
        return KernelCall(call.name, text, args, call.items, call.grain, call.scratch,
                          call.flops, call.bytes, call.label)

    def _parts(self, step):
        """(site, primitive, shape) of what a step computes, where that was asked for."""
        if not self.details:
            return ()
        if isinstance(step, Cluster):
            lowerings, nodes = [step.lowering], {}
        else:
            lowerings, nodes = [piece.lowering for piece in step.pieces], {step.node: None}
            if step.epilogue is not None:
                lowerings.append(step.epilogue.lowering)
        for lowering in lowerings:
            read = {node for node, _ in lowering.loaded}.difference(lowering.anchors)
            nodes.update([(key[0], None) for key in lowering.cells if key[0] not in read])
        return tuple([(n.site, n.op, n.shape) for n in nodes if n.__class__ is Node])


def _planned_block(block, node, first, last):
    if node is None:
        return PlannedBlock(*block, first, last, "", (), None, None)
    return PlannedBlock(*block, first, last, node.op, node.shape, node.dtype, node.site)


def _nodes(outputs):
    return topological_order(outputs)


def _is_tuple(node):
    return node.op == "external" and len(node.attrs["result"]) > 1


def _label(cluster):
    """The members' operations, shortened."""
    names = [n.op.replace("reduce_", "") for n in cluster.members]
    text = " ".join(dict.fromkeys(names))
    shape = "x".join(map(str, cluster.lowering.shape)) or "scalar"
    return f"{text[:48]} [{shape}]"


def _same_element(cluster, leaf, node):
    """Whether a kernel reads of `leaf` only the element of `node` that it then writes."""
    lowering = cluster.lowering
    if node not in lowering.anchors:
        return False
    # what a reduction walks over is read again and again: only its results may be in place
    if lowering.reduced and (node.numel == lowering.numel):
        return False
    place = lowering.buffer_index(node, lowering.anchors[node])
    stack = [lowering.cells[n, lowering.anchors[n], None] for n in cluster.members]
    seen = set()
    while stack:
        cell = stack.pop()
        if cell in seen:
            continue
        seen.add(cell)
        if cell.op == "load" and cell.attrs[0] is leaf and (
                cell.attrs[1] != place or cell.attrs[2] is not None
                or cell.depends & lowering.reduced_loops
                or leaf.dtype.itemsize != node.dtype.itemsize):
            return False
        stack.extend(cell.operands)
    return True

