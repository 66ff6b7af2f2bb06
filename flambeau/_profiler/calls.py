"""Shares the time of programs out over the recorded calls in them.

Where a program was compiled, kernels were timed, and each is shared out over its calls as in
``flambeau.explain``. Where it was interpreted, the whole run is shared out by the work of nodes.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from .._explain.attribution import shares_of
from ..codegen.fused_operations import EXPENSIVE
from ..graph.ir import PRIMITIVES, topological_order
from ..record.execute import Program, node_work
from ..record.trace import Operation, Step
from .names import names_of_call, names_of_gradient
from .watch import Totals

__all__ = ["Call", "ProgramCalls", "calls_of"]

@dataclasses.dataclass
class Call:
    """One call of a program, or the gradient of one.

    depth: of its event in the program, by which ranges hold it; own: whether it is an event of
    this program at all, and not something computed for one of another.
    """

    names: tuple[str, ...]
    depth: int
    shapes: list
    stack: list[str]
    own: bool
    memory: int = 0                   # bytes of a compiled run: in the arena and new outputs
    interpreted_memory: int = 0
    kernels: dict[int, tuple[float, float]] = dataclasses.field(default_factory=dict)
    interpreted: float = 0.0
    interpreted_flops: float = 0.0


class ProgramCalls:
    """The calls of one program, with each one's part in every kernel."""

    def __init__(self, program: Program, known: dict[int, tuple[Step, list]]):
        self.calls: dict[tuple[int, bool], Call] = {}
        self._known = known                     # by id of the site: the step, its inputs' shapes
        self._sites: list[Any] = []             # alive as long as their ids are used
        path = program.step.path()
        self._last = path[-1].depth
        self._gradients = next((s.depth for s in path if s.key and s.key[0] == "gradients"),
                               self._last)
        for step in path:
            if step.site is None or not step.key or not isinstance(step.key[0], Operation):
                continue
            shapes = [[] if type(part) is not int else list(program.nodes[part].shape)
                      for part in step.key[3:] if part is None or not isinstance(part, tuple)]
            known[id(step.site)] = step, shapes
            self._call(step.site, step.depth)
        self._share_kernels(program)
        self._share_nodes(program)

    def seconds(self, totals: Totals, call: Call) -> float:
        """The time of one call in these runs."""
        kernels = sum(totals.kernels[k] * part for k, (part, _) in call.kernels.items()) \
            if totals.compiled else 0.0
        return (kernels + totals.interpreted_ns * call.interpreted) * 1e-9

    def flops(self, totals: Totals, call: Call) -> float:
        """Likewise the floating-point operations."""
        return (totals.compiled * sum(flops for _, flops in call.kernels.values())
                + totals.interpreted * call.interpreted_flops)

    def memory(self, totals: Totals, call: Call) -> int:
        """Likewise the bytes that its results were given."""
        return totals.compiled * call.memory + totals.interpreted * call.interpreted_memory

    def _call(self, site, depth: int | None = None) -> Call:
        forward = site.forward if site is not None and site.forward is not None else None
        base = forward or site
        key = id(base), forward is not None
        found = self.calls.get(key)
        if found is not None:
            return found
        self._sites.append(site)
        step, shapes = self._known.get(id(base), (None, []))
        dimensions = len(step.nodes[0].shape) if step is not None and step.nodes else 4
        with_bias = step is None or len(step.key) < 6 or step.key[5] is not None
        own = depth is not None or forward is not None or site is None
        if site is None or not base.operation:
            names: tuple[str, ...] = ("aten::copy_",)
        else:
            make = names_of_gradient if forward is not None else names_of_call
            names = make(base.operation, dimensions, with_bias)
        if depth is None:
            depth = self._gradients if forward is not None else (
                step.depth if step is not None else self._last)
        stack = [f"{base[0]}({base[1]})"] if base else []
        found = self.calls[key] = Call(names, depth, shapes if forward is None else [], stack, own)
        return found

    def _share_kernels(self, program: Program) -> None:
        executable = program.executable
        if executable is None:
            return
        details = program.detailed()
        if [k.name for k in details.kernels] != [k.name for k in executable.kernels]:
            details = executable                       # compiled otherwise now: no details
        for block in details.blocks if details is not executable else ():
            if block.op:
                self._call(block.site).memory += block.nbytes
        for number, kernel in enumerate(details.kernels):
            for share in shares_of(kernel) if kernel.parts else ():
                part, flops = self._call(share.site).kernels.get(number, (0.0, 0.0))
                self._call(share.site).kernels[number] = (part + share.fraction,
                                                          flops + share.flops)

    def _share_nodes(self, program: Program) -> None:
        nodes = [n for n in topological_order(program.outputs) if PRIMITIVES[n.op].kind != "leaf"]
        weights = [node_work(n) * (10.0 if n.op in EXPENSIVE else 1.0) for n in nodes]
        total = sum(weights) or 1.0
        outputs = set(program.outputs)
        for node, weight in zip(nodes, weights):
            call = self._call(node.site)
            call.interpreted += weight / total
            if node.primitive.kind != "movement":
                call.interpreted_flops += node_work(node)
                call.interpreted_memory += node.nbytes
                call.memory += node.nbytes if node in outputs else 0


def calls_of(totals: dict[Program, Totals]) -> dict[Program, ProgramCalls]:
    """The calls of programs; those of earlier ones are known to the gradients in later ones."""
    known: dict[int, tuple[Step, list]] = {}
    return {program: ProgramCalls(program, known) for program in totals}
