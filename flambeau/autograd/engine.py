"""The backward pass over recorded programs: contexts, hooks, user-defined functions.

Most backward passes are one recorded event. More are needed when the graph reaches into earlier
executions, or when Python code (a hook, ``Function.backward``) must see a gradient on its way.
Values are processed latest first, so that a gradient is complete when Python code sees it.
"""

from __future__ import annotations

from typing import Any

from ..record.backward import FREED_MESSAGE, vjp_event
from ..record.execute import FREED, Execution
from ..record.trace import Trace, current_trace
from ..record.values import Value
from .anomaly import check_inspected, is_anomaly_enabled

__all__ = ["run_backward"]


class _Pass:
    """One backward pass: gradients waiting at places (a context and a slot or node in it)."""

    def __init__(self, add, wrap, captures, retain: bool, create_graph: bool,
                 inspect: bool = False):
        self.add = add                    # records the sum of two values
        self.wrap = wrap                  # makes a Tensor of a value, for Python code
        self.retain = retain
        self.create_graph = create_graph
        self.pending: dict[Any, dict[Any, Value]] = {}
        self.leaves: dict[int, tuple[Any, Value]] = {}       # id of owner: (owner, gradient)
        self.captured: dict[int, Value] = {}
        self.inspected: list[tuple[Any, Value]] | None = [] if inspect else None
        self.wanted: dict[Any, dict[Any, list[int]]] = {}    # context: place: capture numbers
        for number, value in captures:
            place = self.place(value)
            if place is not None:
                self.wanted.setdefault(place[0], {}).setdefault(place[1], []).append(number)

    def place(self, value: Value):
        """Where gradients of `value` go: (context, place), (None, owner), or None."""
        if value.owner is not None:
            owner = value.owner()
            return None if owner is None else (None, owner)
        if value.history is not None:
            return value.history
        if value.trace is not None:
            return value.trace, value.slot
        return None

    def give(self, value: Value, gradient: Value) -> None:
        place = self.place(value)
        if place is None:
            return
        context, where = place
        if context is None:
            known = self.leaves.get(id(where))
            gradient = gradient if known is None else self.add(known[1], gradient)
            self.leaves[id(where)] = (where, gradient)
            return
        self.give_at(context, where, gradient)

    def give_at(self, context, where, gradient: Value) -> None:
        waiting = self.pending.setdefault(context, {})
        known = waiting.get(where)
        waiting[where] = gradient if known is None else self.add(known, gradient)
        if isinstance(context, Trace):
            context.roots.add(where)

    # ---- one step -----------------------------------------------------------------------------

    def settle(self) -> None:
        """Move what waits at a program that has run meanwhile to its execution."""
        for context in [c for c in self.pending if isinstance(c, Trace)]:
            if context is current_trace():
                continue
            waiting = self.pending.pop(context)
            wanted = self.wanted.pop(context, None)
            execution = context.execution
            if execution is None:
                continue
            nodes = execution.program.nodes
            for slot, gradient in waiting.items():
                self.give_at(execution, nodes[slot], gradient)
            if wanted:
                self.wanted[execution] = {nodes[s]: n for s, n in wanted.items()}

    def step(self) -> None:
        self.settle()
        if not self.pending:
            return
        context = max(self.pending, key=_age)
        waiting = self.pending[context]
        execution = context if isinstance(context, Execution) else None
        hooked, functions = context.hooked, context.functions
        if execution is FREED:
            raise RuntimeError(FREED_MESSAGE)
        if execution is None:
            def position(place):
                return place
        else:
            assert execution.program is not None         # only FREED has none
            position = execution.program.positions().__getitem__
        if hooked or functions:
            where = max(waiting, key=position)
            roots = [where]
        else:
            roots = sorted(waiting, key=position)
        gradients = [waiting.pop(r) for r in roots]
        if not waiting:
            del self.pending[context]
        if hooked or functions:
            from .hooks import replaced_by
            gradient = gradients[0]
            for hook in hooked.get(where, {}).values() if where in hooked else ():
                gradient = replaced_by(hook, self.wrap(gradient))._fetch()
            if execution is None and context is not current_trace():
                # a hook ran the program: go on in what it left
                execution = context.execution
                where = execution.program.nodes[where]
                context, roots = execution, [where]
                functions = context.functions
                self.settle()
            gradients = [gradient]
            for number in self.wanted.get(context, {}).get(where, ()):
                self.captured[number] = gradient
            if where in functions:
                self.run_function(context, where, gradient)
                return
        self.differentiate(context, execution, roots, gradients)

    def differentiate(self, context, execution, roots, gradients) -> None:
        trace = current_trace()
        wanted = self.wanted.get(context, {})
        cuts = tuple(context.hooked) + tuple(context.functions)
        captures = tuple(wanted)
        if self.inspected is not None:
            nodes = trace.nodes() if execution is None else execution.program.nodes
            captures = tuple(i if execution is None else n for i, n in enumerate(nodes)
                             if n.requires_grad)
        found = vjp_event(trace, execution, roots, gradients, cuts, captures, self.retain,
                          self.create_graph)
        if self.inspected is not None:
            nodes = trace.nodes() if execution is None else nodes
            self.inspected += [(nodes[t] if execution is None else t, g) for t, g, _ in found]
        cut_set = set(cuts)
        root_set = set(roots)
        for target, gradient, ends in found:
            if target in cut_set:
                if target not in root_set:
                    self.give_at(context, target, gradient)
                continue
            for number in wanted.get(target, ()):
                self.captured[number] = gradient
            if not ends:                     # it is only captured
                continue
            value = (trace.values[target] if execution is None else execution.known.get(target)
                     or execution.replaced.get(target))
            if value is not None and (value.owner is not None or value.history is not None):
                self.give(value, gradient)

    def run_function(self, context, where, gradient: Value) -> None:
        """Hand complete gradients to a user-defined function once its last output is reached."""
        function, index = context.functions[where]
        function.pending_gradients[index] = gradient
        others = [w for w, (f, _) in context.functions.items() if f is function]
        if any(w in self.pending.get(context, {}) for w in others):
            return
        gradients = function.pending_gradients
        function.pending_gradients = {}
        for value, given in function.run(gradients, self.wrap, self.retain):
            self.give(value, given)


def _age(context) -> float:
    return context.number if isinstance(context, Execution) else float("inf")


def run_backward(roots: list[tuple[Value, Value]], add, wrap, captures=(), retain: bool = False,
                 create_graph: bool = False):
    """Propagate the gradients of `roots` [(value, gradient)].

    Returns ({id: (leaf tensor, gradient value)}, {number: gradient of captures [(number, value)]}).
    """
    if len(roots) == 1 and not captures and not is_anomaly_enabled():
        leaves = _in_one_event(*roots[0], add, retain, create_graph)
        if leaves is not None:
            return leaves, {}
    state = _Pass(add, wrap, captures, retain, create_graph, is_anomaly_enabled())
    for value, gradient in roots:
        state.give(value, gradient)
    try:
        while state.pending:
            state.step()
    finally:
        current_trace().roots.clear()
    if state.inspected is not None:
        check_inspected(state.inspected)
    return state.leaves, state.captured


def _in_one_event(value: Value, gradient: Value, add, retain: bool, create_graph: bool
                  ) -> dict[int, tuple[Any, Value]] | None:
    """The gradients of leaves where nothing else is reached, as in most steps.

    None where the way leads through hooks, user-defined functions or earlier executions.
    """
    trace = current_trace()
    if (value.trace is not trace or value.owner is not None or value.history is not None
            or trace.hooked or trace.functions or trace.executions):
        return None
    leaves: dict[int, tuple[Any, Value]] = {}
    values = trace.values
    for target, made, ends in vjp_event(trace, None, [value.slot], [gradient], (), (), retain,
                                        create_graph):
        owner = values[target].owner
        leaf = None if owner is None else owner()
        if leaf is not None and ends:
            known = leaves.get(id(leaf))         # a leaf that was written has two values
            leaves[id(leaf)] = leaf, made if known is None else add(known[1], made)
    return leaves
