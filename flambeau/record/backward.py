"""The vector-Jacobian product as one recorded event.

Differentiation is expanded only when the event is new; a known one costs a few look-ups. The
event works on one context: the pending program, or an earlier execution whose results live on.
"""

from __future__ import annotations

from typing import Any

from ..graph.differentiate import gradients, substitute
from ..graph.ir import Node, building, p, topological_order
from .execute import Execution, is_terminal
from .saved import refuse_overwritten
from .sites import user_site
from .trace import Trace, new_values
from .values import Value

__all__ = ["FREED_MESSAGE", "vjp_event"]


class _Expanded:
    """What a vjp event keeps in the trie."""

    __slots__ = ("accessors", "targets", "ends", "visited")

    def __init__(self):
        self.accessors: list[Node] = []         # nodes of the execution that the result reads
        self.targets: list[Any] = []            # per output: the slot or node it belongs to
        self.ends: list[bool] = []              # per output: whether gradients leave the graph here
        self.visited: frozenset[Node] = frozenset()


def vjp_event(trace: Trace, execution: Execution | None, roots: list, cotangents: list[Value],
              cuts: tuple, captures: tuple, retain: bool, create_graph: bool):
    """Record the gradients of sum(root * cotangent); a list of (target, Value, whether it ends).

    Roots, cuts and captures are slots of the pending program, or nodes of `execution`. Targets
    are the leaves, cuts and captures that the roots depend on.
    """
    number = None
    trace.differentiated = True
    if execution is not None:
        number = trace.executions.setdefault(execution, len(trace.executions))
    slots = tuple(v.slot if v.trace is trace else trace.enter(v) for v in cotangents)
    key = ("backward", number, tuple(roots), slots, cuts, captures, retain, create_graph,
           building.grad_enabled)
    step = trace.cursor.children.get(key)
    if step is None:
        return _expand(trace, execution, roots, slots, cuts, captures, retain, create_graph, key)
    expanded = step.extra
    trace._nodes = None
    trace.cursor = step
    read = _enter_all(trace, execution, expanded.accessors, create_graph)
    final = trace.cursor.children.get(("gradients", read))
    if final is None:      # the same event over values that alias differently: expand anew
        return _expand(trace, execution, roots, slots, cuts, captures, retain, create_graph,
                       key + (read,))
    trace._nodes = None
    trace.cursor = final
    _mark_freed(execution, expanded, retain)
    return list(zip(expanded.targets, new_values(trace, final), expanded.ends))


def _enter_all(trace: Trace, execution: Execution | None, accessors: list[Node],
               create_graph: bool) -> tuple:
    if execution is None:
        return ()
    slots = []
    for node in accessors:
        value = execution.known.get(node)
        if value is None:
            raise RuntimeError(FREED_MESSAGE)
        if create_graph and node.requires_grad and node.op != "input":
            # gradients of this gradient go on into the execution
            key = (execution, node)
            if key not in trace.entered:
                again = trace.entered[key] = value.sibling()
                again.history, again.requires_grad, again.shared = (execution, node), True, True
            value = trace.entered[key]
        slots.append(value.slot if value.trace is trace else trace.enter(value))
    return tuple(slots)


def _mark_freed(execution: Execution | None, expanded: _Expanded, retain: bool) -> None:
    if execution is not None and not retain:
        execution.freed |= expanded.visited
        program = execution.program
        assert program is not None         # only FREED has none, and it cannot be expanded
        if (program.saved or program.kept_leaves) and all(
                r in execution.freed for r in program.history_roots):
            execution.give_up()


FREED_MESSAGE = (
    "Trying to backward through the graph a second time (or directly access saved tensors after "
    "they have already been freed). Saved intermediate values of the graph are freed when you call "
    ".backward() or autograd.grad(). Specify retain_graph=True if you need to backward through the "
    "graph a second time or if you need to access saved tensors after calling backward.")


def _expand(trace: Trace, execution, roots, slots, cuts, captures, retain, create_graph, key):
    before, building.site = building.site, user_site("backward")
    try:
        nodes = trace.nodes()
        given = [nodes[s] for s in slots]
        if execution is None:
            return _expand_here(trace, roots, given, cuts, captures, retain, create_graph, key)
        return _expand_there(trace, execution, roots, given, cuts, captures, retain,
                             create_graph, key)
    finally:
        building.site = before


def _targets(nodes, roots, cuts, captures):
    reachable = topological_order(roots)
    found = [n for n in reachable if n.requires_grad and is_terminal(n)]
    chosen = set(found)
    for node in tuple(cuts) + tuple(captures):
        if node not in chosen:
            chosen.add(node)
            found.append(node)
    return found


def _expand_here(trace, roots, given, cuts, captures, retain, create_graph, key):
    nodes = list(trace.nodes())
    slot_of = {}
    for slot, node in enumerate(nodes):
        slot_of.setdefault(node, slot)
    root_nodes = [nodes[s] for s in roots]
    cut_nodes = frozenset(nodes[s] for s in cuts)
    wanted = _targets(nodes, root_nodes, cut_nodes, [nodes[s] for s in captures])
    freed = trace.cursor.freed
    visited: list[Node] = []
    found = gradients(root_nodes, given, wanted, create_graph, cut_nodes,
                      lambda node, contributions: visited.append(node))
    _refuse_freed(visited, freed)
    refuse_overwritten(trace.cursor, visited)
    pairs = [(slot_of[n], g) for n, g in zip(wanted, found) if g is not None]
    expanded = _Expanded()
    expanded.targets = [slot for slot, _ in pairs]
    expanded.ends = [is_terminal(nodes[slot]) for slot, _ in pairs]
    trace.cursor = trace.add_step(key, (), 0, extra=expanded)
    final = trace.add_step(("gradients", ()), tuple(g for _, g in pairs), 0,
                           freed=freed if retain else freed | frozenset(visited))
    trace.cursor = final
    return list(zip(expanded.targets, new_values(trace, final), expanded.ends))


def _expand_there(trace, execution, roots, given, cuts, captures, retain, create_graph, key):
    """Differentiate an earlier program's graph, then read its values as leaves of this one."""
    if any(r in execution.freed for r in roots):
        raise RuntimeError(FREED_MESSAGE)
    cut_nodes = frozenset(cuts)
    wanted = _targets(None, list(roots), cut_nodes, captures)
    visited: list[Node] = []
    placeholders = [p.input(index=-1, shape=g.shape, dtype=g.dtype) for g in given]
    for placeholder, g in zip(placeholders, given):
        placeholder.requires_grad = g.requires_grad
    found = gradients(list(roots), placeholders, wanted, create_graph, cut_nodes,
                      lambda node, contributions: visited.append(node))
    _refuse_freed(visited, execution.freed)
    refuse_overwritten(execution.program.step, visited, execution)
    pairs = [(n, g) for n, g in zip(wanted, found) if g is not None]
    # every target that is a leaf enters, so that aliasing with this program's leaves is known
    reads = [n for n in topological_order([g for _, g in pairs], stop=execution.known)
             if n in execution.known]
    accessors = list(dict.fromkeys(
        [n for n, _ in pairs if n in execution.known and n.op == "input"] + reads))
    expanded = _Expanded()
    expanded.accessors = accessors
    expanded.targets = [n for n, _ in pairs]
    expanded.ends = [is_terminal(n) for n, _ in pairs]
    expanded.visited = frozenset(visited)
    trace.cursor = trace.add_step(key, (), 0, extra=expanded)
    slots = _enter_all(trace, execution, accessors, create_graph)
    nodes = trace.nodes()
    mapping = {n: nodes[s] for n, s in zip(accessors, slots)}
    mapping.update(zip(placeholders, given))
    results = substitute([g for _, g in pairs], mapping)
    final = trace.add_step(("gradients", slots), tuple(results), 0)
    trace.cursor = final
    _mark_freed(execution, expanded, retain)
    return list(zip(expanded.targets, new_values(trace, final), expanded.ends))


def _refuse_freed(visited: list[Node], freed) -> None:
    # linear operations save nothing: going through them twice is allowed, as in PyTorch
    if any(n in freed and n.op not in _SAVES_NOTHING for n in visited):
        raise RuntimeError(FREED_MESSAGE)


_SAVES_NOTHING = {"add", "sub", "neg", "cast", "reshape", "permute", "expand", "slice", "pad",
                  "reduce_sum", "concatenate", "flip", "get", "variable", "boundary", "instead",
                  "overwrite"}
