"""A model's graph for TensorBoard, read off the recorder while the model runs once.

Pipeline: ``add_graph`` -> hooks mark where modules begin and end -> the recorder's steps between
marks become nodes of that module's scope -> GraphDef. Nothing is traced a second time and no
restriction on the model's code or containers applies.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tensorboard.compat.proto.attr_value_pb2 import AttrValue
from tensorboard.compat.proto.config_pb2 import RunMetadata
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.compat.proto.node_def_pb2 import NodeDef
from tensorboard.compat.proto.step_stats_pb2 import DeviceStepStats, StepStats
from tensorboard.compat.proto.versions_pb2 import VersionDef

import flambeau

from ...record.trace import Operation, Step, Trace, current_trace, flush
from ._messages import shape_message

#: Longest text of an operation's arguments that is shown.
_TEXT_LIMIT = 200


def tensors_in(value: Any) -> Iterator[Any]:
    """Yield the tensors within nested containers."""
    if isinstance(value, flambeau.Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from tensors_in(item)
    elif isinstance(value, (list, tuple, set)):
        for item in value:
            yield from tensors_in(item)


class _Mark:
    """From this depth of this program on, steps belong to a scope."""

    def __init__(self, scope: str) -> None:
        trace = current_trace()
        self.trace = trace
        self.depth = trace.cursor.depth
        self.values = trace.values  # the list outlives the program's run
        self.scope = scope


class _Scopes:
    """Follows which module the model is in, by hooks."""

    def __init__(self, model: Any) -> None:
        self.root = type(model).__name__
        self.names = {"": self.root}  # path of a module -> scope
        self.active = [self.root]
        self.marks: list[_Mark] = []
        self.handles: list[Any] = []
        for path, module in getattr(model, "named_modules", lambda: [])():
            if path:
                parent, _, attribute = path.rpartition(".")
                own = f"{type(module).__name__}[{attribute}]"
                self.names[path] = f"{self.names[parent]}/{own}"
            self._watch(module, self.names[path])

    def _watch(self, module: Any, scope: str) -> None:
        def enter(module: Any, inputs: Any) -> None:
            self.active.append(scope)
            self.mark()

        def leave(module: Any, inputs: Any, output: Any) -> None:
            self.active.pop()
            self.mark()

        self.handles.append(module.register_forward_pre_hook(enter))
        self.handles.append(module.register_forward_hook(leave))

    def mark(self) -> None:
        """Note that the current scope begins here."""
        self.marks.append(_Mark(self.active[-1]))

    def remove(self) -> None:
        """Take the hooks off."""
        for handle in self.handles:
            handle.remove()


class _GraphBuilder:
    """Collects nodes, and remembers which node made which value."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.makers: dict[int, str] = {}  # id of a value -> name of a node
        self.alive: list[Any] = []  # ids are keys: their values must live on
        self.taken: Counter = Counter()

    def add(
        self, name: str, operation: str, inputs: Iterable[str], shapes: Iterable, text: str = ""
    ) -> str:
        """Add a node; return its name, made unique."""
        self.taken[name] += 1
        if self.taken[name] > 1:
            name = f"{name}_{self.taken[name] - 1}"
        attributes = {"attr": AttrValue(s=text[:_TEXT_LIMIT].replace("'", " ").encode("utf-8"))}
        messages = [shape_message(tuple(shape)) for shape in shapes]
        attributes["_output_shapes"] = AttrValue(list=AttrValue.ListValue(shape=messages))
        self.nodes.append(NodeDef(name=name, op=operation, input=list(inputs), attr=attributes))
        return name

    def name_tensor(self, tensor: Any, name: str, operation: str) -> None:
        """Add a node for a tensor that exists before the model runs."""
        value = tensor._fetch()
        if id(value) not in self.makers:
            text = f"{{ name : {name.rpartition('/')[2]}}}" if operation == "prim::GetAttr" else ""
            self.makers[id(value)] = self.add(name, operation, (), [tensor.shape], text)
            self.alive.append(value)

    def maker_of(self, tensor: Any) -> str | None:
        """Return the node that made a tensor."""
        return self.makers.get(id(tensor._fetch()))

    def add_program(self, trace: Trace, values: list, marks: list[_Mark]) -> None:
        """Add the steps of one recorded program."""
        slot = 0
        remaining = list(reversed(marks))
        scope = marks[0].scope
        for step in trace.cursor.path():
            while remaining and remaining[-1].depth < step.depth:
                scope = remaining.pop().scope
            made = values[slot : slot + len(step.nodes)]
            slot += len(step.nodes)
            if not step.nodes or len(made) < len(step.nodes):
                continue
            self.alive.extend(made)
            if isinstance(step.key, tuple) and isinstance(step.key[0], Operation):
                self._add_step(step, made, values, scope)
            else:
                self._add_leaf(step, made, scope)

    def _add_step(self, step: Step, made: list, values: list, scope: str) -> None:
        operation, static, _, *operands = step.key
        inputs = [
            self.makers[id(values[operand])]
            for operand in operands
            if type(operand) is int and id(values[operand]) in self.makers
        ]
        text = "" if not static else f"{{ {', '.join(map(str, static))} }}"
        shapes = [aval.shape for aval in step.avals]
        name = self.add(
            f"{scope}/{operation.name}", f"aten::{operation.name}", inputs, shapes, text
        )
        for value in made:
            self.makers[id(value)] = name

    def _add_leaf(self, step: Step, made: list, scope: str) -> None:
        """Add a tensor that came in from outside: no input, parameter or buffer."""
        for value, aval in zip(made, step.avals):
            if id(value) not in self.makers:
                name = self.add(f"{scope}/Constant", "prim::Constant", (), [aval.shape])
                self.makers[id(value)] = name


def _argument_names(model: Any, count: int) -> list[str]:
    """Return the names of forward's first parameters."""
    try:
        names = list(inspect.signature(getattr(model, "forward", model)).parameters)
    except (TypeError, ValueError):
        names = []
    return [names[index] if index < len(names) else f"input.{index}" for index in range(count)]


def _run(model: Any, inputs: tuple) -> tuple[Any, _Scopes]:
    """Run a model once in evaluation mode, leaving its modes as they were."""
    modes = {module: module.training for module in getattr(model, "modules", lambda: [])()}
    scopes = _Scopes(model)
    scopes.mark()
    try:
        for module in modes:
            module.training = False
        with flambeau.no_grad():
            output = model(*inputs)
    finally:
        scopes.remove()
        for module, mode in modes.items():
            module.training = mode
    scopes.mark()
    return output, scopes


def graph_of(model: Any, input_to_model: Any) -> tuple[Any, Any]:
    """Return (GraphDef, RunMetadata) of a model, run once on its input.

    Args:
        model: a module.
        input_to_model: one input, or a tuple or list of them.

    Raises:
        ValueError: without an input.
    """
    if input_to_model is None:
        raise ValueError("add_graph needs input_to_model: the model runs once on it")
    several = isinstance(input_to_model, (tuple, list))
    inputs = tuple(input_to_model) if several else (input_to_model,)
    flush()
    builder = _GraphBuilder()
    for argument, name in zip(inputs, _argument_names(model, len(inputs))):
        for tensor in tensors_in(argument):
            builder.name_tensor(tensor, f"input/{name}", "IO Node")
    output, scopes = _run(model, inputs)
    for listed in ("named_parameters", "named_buffers"):
        for path, tensor in getattr(model, listed, lambda: [])():
            parent, _, name = path.rpartition(".")
            builder.name_tensor(tensor, f"{scopes.names[parent]}/{name}/{name}", "prim::GetAttr")
    programs: dict[int, list[_Mark]] = {}
    for mark in scopes.marks:
        programs.setdefault(id(mark.trace), []).append(mark)
    for marks in programs.values():
        builder.add_program(marks[0].trace, marks[0].values, marks)
    for index, tensor in enumerate(tensors_in(output), 1):
        maker = builder.maker_of(tensor)
        builder.add(f"output/output.{index}", "IO Node", [maker] if maker else [], [tensor.shape])
    graph = GraphDef(node=builder.nodes, versions=VersionDef(producer=22))
    device = DeviceStepStats(device="/device:CPU:0")
    return graph, RunMetadata(step_stats=StepStats(dev_stats=[device]))
