"""Running a recorded program: which values live, what backward will need, which tier runs it.

A :class:`Program` is a place in the trie together with the slots that must get memory. It is
interpreted while it is small and new and compiled once it proves hot. An :class:`Execution` is
one run of it, kept by the values that may still be differentiated.
"""

from __future__ import annotations

import gc
import itertools
import os
import sys
import time
import warnings
import weakref
from collections import Counter
from typing import Any

import numpy as np

from ..graph.differentiate import gradients
from ..graph.ir import Node, p, topological_order
from ..runtime._blas import OneThread
from ..runtime._interrupts import ends_at_once
from ..runtime._interrupts import held as interrupts
from ..runtime._out_of_memory import told
from ..runtime._pool import clock_ns, last_run_was_complete
from ..runtime.buffer import Buffer
from .reasons import first_difference, in_words
from .same_memory import places_of_memory
from .trace import NUMBER_TYPES, Step, Trace, trie
from .values import Value, aval_of

__all__ = ["Execution", "Program", "Watcher", "execute", "node_work", "programs", "settings",
           "watchers"]


class _Settings:
    """When programs are compiled; changed by tests and by environment variables."""

    # A program is compiled when its second run begins, or at once when one run of the
    # interpreter is estimated to cost more than compiling (bytes moved plus work of products).
    interpreted_runs = 1
    # A program in the forms of one with a larger batch is compiled for itself when it has run so
    # often: it is not the last batch of an epoch then, but, say, a model that serves requests.
    lent_runs = 100
    heavy_work = 3e8
    compile = os.environ.get("FLAMBEAU_COMPILE", "1") != "0"
    # Raise where a program cannot be compiled, rather than warn and interpret it.
    strict = os.environ.get("FLAMBEAU_STRICT", "0") != "0"
    # Run every compiled program by the interpreter too, and raise where results differ by more
    # than this relative tolerance (0: do not).
    verify = float(os.environ.get("FLAMBEAU_VERIFY", "0"))


class _WithoutCollection:
    """A context in which Python does not look for cycles of garbage.

    A program's nodes all live on: looking among them takes a tenth of the time of making it.
    """

    def __enter__(self) -> None:
        self.was_on = gc.isenabled()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        if self.was_on:
            gc.enable()


class Watcher:
    """What `watchers` hold: told of every run of a program, by the thread that ran it."""

    def before(self, program: Program, trace: Trace) -> None:
        """A program is about to run."""

    def after(self, program: Program, trace: Trace, begin: int, end: int,
              times: list | None) -> None:
        """It ran from `begin` to `end` (`runtime._pool.clock_ns`); times: see Executable.run."""


settings = _Settings()
watchers: list[Watcher] = []          # while there are any, kernels are timed
programs: list[Program] = []          # in order of first run, for reports
_numbers = itertools.count()


class Execution:
    """One run of a program whose results may still be differentiated."""

    __slots__ = ("program", "number", "known", "replaced", "freed", "hooked", "functions",
                 "written_before", "__weakref__")
    count = 0

    def __init__(self, program: Program | None, known: dict[Node, Value]):
        Execution.count += 1
        self.program = program
        self.number = Execution.count
        self.known = known                 # leaves and saved results that backward may read
        self.replaced: dict[Node, Value] = {}      # what leaves were meanwhile, without memory
        self.freed: set[Node] = set()
        self.hooked: dict[Node, Any] = {}
        self.functions: dict[Node, Any] = {}
        self.written_before: set[Node] = set()     # leaves that were replaced before it ran

    def give_up(self) -> None:
        """Let the memory go: a loss that somebody keeps must not keep its step's parameters."""
        for node, value in self.known.items():
            if value.owner is not None or value.history is not None:
                place = self.replaced[node] = Value(value.aval)
                place.owner, place.history = value.owner, value.history
        self.known = {}


def _history_nodes(step: Step, nodes: list[Node], roots: list[Node]) -> tuple[list, list]:
    """What backward from `roots` reads: (results to save, leaves)."""
    terminals = [n for n in nodes if n.requires_grad and is_terminal(n)]
    if not roots:
        return [], []
    cotangents = [p.input(index=-1, shape=r.shape, dtype=r.dtype) for r in roots]
    found = [g for g in gradients(roots, cotangents, terminals) if g is not None]
    forward = set(topological_order(roots))
    for node in nodes:
        forward.add(node)
    for node in topological_order(list(forward)):
        forward.add(node)
    read = [n for n in topological_order(found, stop=forward) if n in forward]
    return choose_saved(read, set(cotangents))


def is_terminal(node: Node) -> bool:
    """Gradients stop here: a leaf, a value made a leaf, or a user-defined function's result."""
    return node.op in ("input", "variable", "boundary")


def choose_saved(read: list[Node], exclude: set[Node]) -> tuple[list[Node], list[Node]]:
    """Split what backward reads into results to save and leaves to keep.

    Movement, casts from memory and comparisons are recomputed from what they read: they cost
    less than the memory that saving them takes.
    """
    saved: dict[Node, None] = {}
    leaves: dict[Node, None] = {}
    stack = [n for n in read if n not in exclude]
    seen = set()
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if node.op == "input":
            leaves[node] = None
        elif node.op in ("constant", "iota"):
            continue
        elif _is_cheap(node):
            stack.extend(node.inputs)
        elif node.op == "external" and len(node.attrs["result"]) > 1:
            stack.extend(node.inputs)        # its results are what can be saved
        else:
            saved[node] = None
    return list(saved), list(leaves)


def _is_cheap(node: Node) -> bool:
    if node.primitive.kind == "movement":
        return True
    return node.op in ("detach", "boundary", "variable", "eq", "ne", "lt", "le", "gt", "ge")


FREED = Execution(None, {})        # where values belong whose graph was consumed already


class Program:
    """A step of the trie and the slots that must get memory when it is reached.

    alive: those slots; places: for each, its memory's place in `outputs`; donated: the numbers of
    the inputs whose memory outputs may take (`copied` in a run: those of them that may have to keep
    their numbers this time); roots: slots that a running backward pass still needs.
    """

    def __init__(self, step: Step, trace: Trace, alive: list[int], donated: frozenset[int],
                 roots: frozenset[int]):
        self.number = next(_numbers)         # in order of first run
        self.step = step
        self.nodes = list(trace.nodes())
        self.alive = alive
        self.donated = donated
        self.runs = 0
        self.seconds = 0.0
        self.compile_seconds = 0.0
        self.difference = first_difference(step)
        self.reason = in_words(*self.difference)
        self.inputs = [self.nodes[s] for s in trace.leaves]
        wanted = [self.nodes[s] for s in alive]
        places = places_of_memory(step, self.nodes, alive)
        history_roots = [self.nodes[s] for s in sorted(set(alive) | roots)
                         if self.nodes[s].requires_grad and self.nodes[s] not in step.freed
                         and not is_terminal(self.nodes[s])]
        self.history_roots = history_roots
        saved, leaves = _history_nodes(step, self.nodes, history_roots)
        self.has_history = bool(history_roots) or any(
            self.nodes[s].op == "boundary" for s in alive)
        self.has_freed = any(n.requires_grad and n in step.freed for n in wanted)
        known = set(wanted)
        self.saved = [n for n in saved if n not in known]
        self.kept_leaves = leaves
        # what backward will read must not be overwritten, though nobody else holds it
        self.donated = frozenset(i for i in donated if self.inputs[i] not in set(leaves))
        self.replaced = [s for s, n in enumerate(self.nodes)
                         if n.op == "variable" and s not in set(alive)]
        self.gradient_leaves = [n for n in self.inputs if n.requires_grad]
        uses = Counter(places)                        # the others of `alive` lie there as well
        computed = {place: number for number, place in enumerate(sorted(uses))}
        self.outputs = [wanted[place] for place in computed] + self.saved
        self.places = [computed[place] for place in places]
        self.sharing = [s for s, place in zip(alive, places) if uses[place] > 1]
        self.plan: Any = None
        self.executable: Any = None
        self.scalars: list[Node] = []
        self.failure: Exception | None = None        # why there is no native code
        self._positions: dict[Node, int] | None = None
        order = topological_order(self.outputs)
        self.work = sum(node_work(n) for n in order)
        # movement of complex numbers has no lowering: such programs stay interpreted
        self.is_complex = any(n.dtype.is_complex for n in order)

    def run(self, trace: Trace, leaves: list[Value], times: list | None = None,
            copied: tuple[int, ...] = ()) -> list[Any]:
        """The memory of the outputs: buffers if compiled, else arrays.

        `times` receives when native kernels ran.
        """
        self.runs += 1
        if self.executable is None and settings.compile and self.failure is None and (
                not self.is_complex) and (
                self.runs > settings.interpreted_runs or self.work > settings.heavy_work):
            self.try_to_compile(trace.scalars)
        elif self.runs == settings.lent_runs and self.executable is not None \
                and self.executable.lent:
            self.compile(trace.scalars, resemble=False)
        if self.executable is None:
            return self.interpreted(leaves, trace.scalars)
        expected = self.interpreted(leaves, trace.scalars) if settings.verify else None
        seen = [i for i in copied if i in self.executable.plan.output_sources
                and not leaves[i].is_private()] if copied else ()
        given = [v._buffer or v.buffer for v in leaves]
        for i in seen:
            given[i] = given[i].copy()
        buffers = self.executable.run(given, trace.scalars, times)
        if expected is not None:
            self.verify(expected, [b.array(n.dtype.storage, n.shape)
                                   for b, n in zip(buffers, self.outputs)])
        return buffers

    @told
    @ends_at_once
    def interpreted(self, leaves: list[Value], numbers: list[Any]) -> list[np.ndarray]:
        """The arrays of the outputs by the interpreter."""
        if self.plan is None:
            from ..graph.interpret import InterpreterPlan
            self.plan = InterpreterPlan(self.outputs)
        arrays = [v.array for v in leaves]
        if self.work > settings.heavy_work:
            return self.plan.run(arrays, numbers)
        with OneThread():
            return self.plan.run(arrays, numbers)

    def verify(self, expected: list[np.ndarray], found: list[np.ndarray]) -> None:
        """Raise AssertionError if compiled results differ from the interpreter's."""
        for number, (node, a, b) in enumerate(zip(self.outputs, expected, found)):
            size = np.abs(a[np.isfinite(a)]).max(initial=0.0) if a.dtype.kind == "f" else 0
            if not np.allclose(b, a, settings.verify, settings.verify * max(float(size), 1e-2),
                               equal_nan=True):
                gap = np.abs(np.subtract(a, b, dtype=np.float64)).max()
                raise AssertionError(
                    f"output {number} of program {self.number}, {node!r} of "
                    f"{node.site}: compiled and interpreted differ by {gap:g} at size {size:g}")

    def can_run_again(self) -> bool:
        """Whether an interrupted run has changed nothing: its inputs are as they were."""
        return self.executable is None or (
            self.executable.is_single and not last_run_was_complete())

    def positions(self) -> dict[Node, int]:
        """The place of every node in a topological order."""
        if self._positions is None:
            order = topological_order(self.nodes + self.outputs)
            self._positions = {node: i for i, node in enumerate(order)}
        return self._positions

    @ends_at_once
    def try_to_compile(self, numbers: list[Any]) -> None:
        """Make native code, or say once that this program stays interpreted."""
        try:
            with _WithoutCollection():
                self.compile(numbers)
        except (MemoryError, KeyboardInterrupt):
            raise
        except Exception as error:
            if settings.strict:
                raise
            self.failure = error
            warnings.warn(f"a program could not be compiled and runs interpreted, slowly: "
                          f"{type(error).__name__}: {error}. The results are right; please report "
                          "it with the lines that make it.", RuntimeWarning, stacklevel=2)

    @ends_at_once
    def compile(self, numbers: list[Any], resemble: bool = True) -> None:
        """Make native code of this program; `resemble`: see `compile_program`."""
        from ..graph.compile import compile_program
        begin = time.perf_counter()
        used = {n.attrs["index"]: n for n in topological_order(self.outputs)
                if n.op == "scalar"}
        scalars = [used.get(i) or p.scalar(index=i, shape=(), dtype=NUMBER_TYPES[type(x)])
                   for i, x in enumerate(numbers)]
        self.executable = compile_program(self.outputs, self.inputs, scalars, self.donated,
                                          resemble=resemble)
        self.scalars = scalars
        trie.kernels += len(self.executable.kernels)
        self.compile_seconds = time.perf_counter() - begin
        self.plan = None
        if os.environ.get("FLAMBEAU_EXPLAIN"):
            print(f"flambeau: compiled program {self.number} in "
                  f"{self.compile_seconds * 1e3:.0f} ms: {self.reason}", file=sys.stderr)

    def detailed(self) -> Any:
        """The executable with `details`, to be looked at: compiled once more, the same way."""
        from ..graph.compile import compile_program
        return compile_program(self.outputs, self.inputs, self.scalars, self.donated,
                               details=True, resemble=self.executable.lent)


def node_work(node: Node) -> float:
    """The floating-point operations of a product, the elements of everything else."""
    if node.op == "contract":
        a = node.inputs[0]
        k = 1
        for d in node.attrs["contract_a"]:
            k *= a.shape[d]
        return 2.0 * node.numel * k
    if node.op == "convolve":
        return 2.0 * node.numel * node.inputs[1].numel / max(1, node.shape[1])
    if node.op == "convolve_weight":
        return 2.0 * node.inputs[1].numel * node.numel / max(1, node.shape[0])
    return float(node.numel)


# A value that only its trace knows has this many references when counted as below.
_BASE = next(map(sys.getrefcount, [object()]))


def execute(trace: Trace) -> None:
    """Run `trace` and give its living values memory."""
    step, values = trace.cursor, trace.values
    held = tuple([n > _BASE for n in map(sys.getrefcount, values)])
    inputs = [values[s] for s in trace.leaves]
    key = (held, tuple([v.shared for v in inputs]), frozenset(trace.roots))
    # what was interrupted runs again as it was: a traceback may hold values now
    found = step.variants.get(key) if trace.interrupted is None else trace.interrupted
    if found is None:        # not in `except KeyError`: an interrupt's traceback would show it
        with _WithoutCollection():
            found = step.variants[key] = _program(trace, held, key[2])
    program, copied = found
    if program is None or not program.outputs:
        return
    observers = tuple(watchers)
    begin = time.perf_counter()
    interrupts.active = True
    try:
        results = (program.run(trace, inputs, None, copied) if not observers
                   else _watched(observers, program, trace, inputs, copied))
    except KeyboardInterrupt:
        trace.interrupted = found if program.can_run_again() else None
        raise
    except BaseException:
        trace.interrupted = None
        raise
    finally:
        interrupts.active = False
        program.seconds += time.perf_counter() - begin
    for slot, place in zip(program.alive, program.places):
        memory = results[place]
        if memory.__class__ is Buffer:                # mostly: without a call
            values[slot]._buffer = memory
        else:
            values[slot].set_memory(memory)
    for slot in program.sharing:
        values[slot].shared = True
    if program.has_history or trace.roots:
        _keep_history(trace, program, results)
    elif program.has_freed:
        _mark_freed(program, values)
    trace.interrupted = None
    if interrupts.pending:
        interrupts.pending = False
        raise KeyboardInterrupt


def _program(trace: Trace, held: tuple[bool, ...], roots: frozenset[int]
             ) -> tuple[Program | None, tuple[int, ...]]:
    """The program of `trace` whose values `held` are wanted; None if nobody wants any.

    And the donated inputs to copy before it runs. A parameter's memory is seen elsewhere when it
    is new, or after state_dict(), but not after its next update: copying it once is cheaper than
    compiling a program for that step.
    """
    step, values = trace.cursor, trace.values
    leaves = set(trace.leaves)
    alive = [s for s, wanted in enumerate(held) if wanted and s not in leaves]
    if not alive and not roots:
        return None, ()
    donated = frozenset(i for i, s in enumerate(trace.leaves) if not held[s] and (
        not values[s].shared or values[s].owner is not None))
    if step.programs is None:
        step.programs = {}
    key = (tuple(alive), donated, roots)
    program = step.programs.get(key)
    if program is None:
        program = step.programs[key] = Program(step, trace, alive, donated, roots)
        programs.append(program)
    return program, tuple(i for i in sorted(program.donated) if values[trace.leaves[i]].shared)


def _watched(observers: tuple, program: Program, trace: Trace, inputs: list[Value],
             copied: tuple[int, ...]):
    """Runs a program, timed, and tells who watches."""
    for watcher in observers:
        watcher.before(program, trace)
    begin, times = clock_ns(), []
    results = program.run(trace, inputs, times, copied)
    end = clock_ns()
    for watcher in observers:
        watcher.after(program, trace, begin, end, times or None)
    return results


def _keep_history(trace: Trace, program: Program, results: list[Any]) -> None:
    values, nodes = trace.values, program.nodes
    known = {nodes[s]: values[s] for s in trace.leaves
             if nodes[s] in program.kept_leaves or nodes[s].requires_grad}
    for node, memory in zip(program.outputs, results):
        known[node] = value = Value(aval_of(node.shape, node.dtype))
        value.set_memory(memory)
    for slot, place in zip(program.alive, program.places):     # two values on one memory: no cycle
        kept = known.get(nodes[slot])
        if kept is None:                              # a view of another result
            kept = known[nodes[slot]] = Value(values[slot].aval)
            kept.set_memory(results[place])
        kept.shared = values[slot].shared = True
        values[slot].twin = weakref.ref(kept)
    execution = Execution(program, known)
    execution.replaced = {nodes[s]: values[s] for s in program.replaced}
    execution.freed = set(program.step.freed)
    execution.hooked = {nodes[s]: h for s, h in trace.hooked.items()}
    execution.functions = {nodes[s]: f for s, f in trace.functions.items()}
    trace.execution = execution
    for slot in program.alive:
        value = values[slot]
        if value.owner is not None:
            known[nodes[slot]] = value       # gradients find the leaf that was written in place
        elif value.requires_grad:
            is_freed = nodes[slot] in program.step.freed
            value.history = (FREED if is_freed else execution, nodes[slot])
    # a step ends its program: what it replaced was written after all that the program computes
    execution.written_before = {node for node, value in known.items() if value.written == 1}


def _mark_freed(program: Program, values: list[Value]) -> None:
    """Values whose graph was consumed in the same program: differentiating them raises."""
    for slot in program.alive:
        value = values[slot]
        if value.requires_grad and value.owner is None:
            value.history = (FREED, program.nodes[slot])
