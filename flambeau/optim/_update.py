"""The update of all parameters of a group as one recorded event.

An :class:`Update` is an operation whose operands are columns of tensors (parameters, gradients, and
each kind of state) and Python numbers (learning rate, betas, factors that depend on the step).
The numbers are inputs of the program, so a schedule or a step count compiles nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from sys import getrefcount
from typing import Any

from ..graph.ir import Node, building, expand_to, p
from ..graph.primitives.pointwise import cast
from ..record.rollback import hand_over, note_write
from ..record.trace import Operation, Trace, current_trace, flush, new_values, state
from ..record.values import Value
from ..tensor import Tensor, from_value

__all__ = ["Update", "divide", "lerp", "plus", "root", "times", "write"]


# ---- what rules are written with ------------------------------------------------------------


def _like(number: Node | float, node: Node) -> Node:
    """A number in the dtype and shape of `node`."""
    found = number if isinstance(number, Node) else p.constant(value=number, shape=(),
                                                               dtype=node.dtype)
    return expand_to(cast(found, node.dtype), node.shape)


def times(node: Node, number: Node | float) -> Node:
    """node * number."""
    return p.mul(node, _like(number, node))


def plus(node: Node, number: Node | float) -> Node:
    """node + number."""
    return p.add(node, _like(number, node))


def divide(node: Node, number: Node | float) -> Node:
    """node / number."""
    return p.div(node, _like(number, node))


def lerp(start: Node, end: Node, weight: Node) -> Node:
    """start + weight * (end - start)."""
    return p.add(start, times(p.sub(end, start), weight))


def root(node: Node) -> Node:
    """The square root."""
    return p.sqrt(node)


class _Holder:
    """Something with a storage that nothing else refers to."""

    def __init__(self):
        self._storage = object()


def _references(tensor: Any) -> int:
    """How many references there are to a tensor's storage, the interpreter's own included."""
    storage = tensor._storage
    return getrefcount(storage)


_ALONE = _references(_Holder())        # differs between versions of Python


# ---- the event ------------------------------------------------------------


class Update:
    """One optimizer's arithmetic on one parameter, applied to many in one event.

    rule(options, numbers, parameter, gradient, *states) returns the new parameter and the new
    states as nodes. It sees real nodes only: complex parameters are updated as pairs of reals.
    """

    def __init__(self, name: str, rule: Callable[..., tuple[Node, ...]]):
        self.rule = rule
        self.operation = Operation(name, self._build)

    def _build(self, arguments: list[Any], static: tuple) -> tuple[Node, ...]:
        count, columns, options = static
        numbers = arguments[count * columns:]
        rows = []
        for i in range(count):
            nodes = [arguments[i + count * c] for c in range(columns)]
            rows.append(self._row(options, numbers, nodes))
        return tuple(row[c] for c in range(columns - 1) for row in rows)

    def _row(self, options, numbers, nodes):
        if not nodes[0].dtype.is_complex:
            return self.rule(options, numbers, *nodes)
        halves = [self.rule(options, numbers, *[part(n) for n in nodes])
                  for part in (p.real, p.imag)]
        return tuple(p.complex(re, im) for re, im in zip(*halves))

    def record(self, options: Any, columns: Sequence[Sequence[Tensor]],
               numbers: Sequence[float]) -> list[list[Value]]:
        """New values for the columns of parameters and states (columns[1] holds gradients)."""
        count = len(columns[0])
        static = (count, len(columns), options)
        if current_trace().cursor.full:
            flush()
        while True:
            trace = state.trace
            values = [t._value if t._storage is None else t._fetch()
                      for column in columns for t in column]
            if state.trace is trace:         # else fetching ran what was pending
                break
        _enter(trace, values)
        key = (self.operation, static, building.grad_enabled, *[v.slot for v in values],
               *[type(n) for n in numbers])
        before = len(trace.scalars)
        trace.scalars.extend(numbers)
        step = trace.cursor.children.get(key)
        if step is None:
            try:
                step = trace.extend(key, self.operation, (*values, *numbers), static)
            except BaseException:
                del trace.scalars[before:]
                raise
        else:
            trace._nodes = None
        trace.cursor = step
        made = new_values(trace, step)
        return [made[i:i + count] for i in range(0, len(made), count)]


def _enter(trace: Trace, values: list[Value]) -> None:
    """Make all values that are not yet of `trace` its leaves, in one event where possible."""
    fresh: list[Value] = []
    for value in values:
        if value.trace is trace:
            continue
        if (value.trace is not None or value.history is not None or value.owner is not None
                or value.volatile):
            trace.enter(value)
        else:
            value.trace = trace
            fresh.append(value)
    if not fresh:
        return
    for value in fresh:
        if value._array is None and value._buffer is None:
            for other in fresh:
                other.trace = None
            trace.enter(value)               # raises: its program failed
    key = ("leaves", tuple([v.aval for v in fresh]))
    step = trace.cursor.children.get(key)
    if step is None:
        first = len(trace.leaves)
        nodes = tuple(p.input(index=first + i, shape=tuple(v.aval.shape), dtype=v.aval.dtype)
                      for i, v in enumerate(fresh))
        step = trace.add_step(key, nodes, 0)
    else:
        trace._nodes = None
    trace.cursor = step
    slot = len(trace.values)
    for value in fresh:
        value.slot = slot
        trace.leaves.append(slot)
        slot += 1
    trace.values.extend(fresh)


def write(tensors: Sequence[Tensor], values: Sequence[Value]) -> None:
    """Give each tensor, in place, its new value; leaves stay leaves."""
    trace = state.trace
    for tensor, value in zip(tensors, values):
        storage = tensor._storage
        if storage is not None:
            shared = _references(tensor) > _ALONE + 1          # one for the name `storage`
            if storage.whole is not None or tensor._chain or storage.pinned is not None or shared:
                tensor._assign(from_value(value), mark=False)
                continue
            # the views that made the storage are gone (``p.data.normal_()``): a plain tensor again
            hand_over(trace, storage, tensor)
            tensor._version_count, tensor._storage = storage.writes[0], None
        old = tensor._value
        if old.owner is not None:
            old.replace(2)
            value.owner = old.owner
            value.requires_grad = True
        note_write(trace, tensor, old)
        tensor._value = value
        tensor._version_count += 1
