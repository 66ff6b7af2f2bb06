"""A compiled program: native segments and NumPy calls between them, run on buffers."""

from __future__ import annotations

import dataclasses
import math
import os
import threading
import weakref
from typing import Any, NamedTuple

import numpy as np

from .. import dtypes
from ..runtime._jit import statistics
from ..runtime._pool import Limit, Program, clock_ns
from ..runtime.buffer import Buffer, size_class
from .interpret import evaluate_node, from_storage, to_storage
from .ir import topological_order
from .primitives.index import _check_range

__all__ = ["Executable", "Indexed", "KernelInfo", "Native", "NumpyCall", "Plan", "PlannedBlock",
           "RangeCheck", "SegmentTimes", "early_checks"]


@dataclasses.dataclass
class KernelInfo:
    """What one kernel of a program is for: its operations, the user's lines, and its work.

    parts: (site, primitive, shape) of every node that it computes, inlined ones too; empty
    unless it was compiled with `details`.
    """

    label: str
    ops: tuple[str, ...]
    sites: tuple
    flops: int
    bytes: int
    name: str
    items: int | None
    seconds: float = 0.0
    parts: tuple = ()


class PlannedBlock(NamedTuple):
    """Memory of the arena that a value, or a planner, has from one kernel to another."""

    offset: int
    nbytes: int
    first: int                # the kernel that writes it
    last: int                 # the last one that reads it
    op: str                   # "" for what a planner needs between its kernels
    shape: tuple
    dtype: Any
    site: Any


class SegmentTimes(NamedTuple):
    """When kernels ran, in nanoseconds of `runtime._pool.clock_ns`.

    moments: the beginning of the first kernel, and the end of each; shares[kernel, thread]: when
    the thread began and ended its part, and how many chunks it took (0: the kernel ran on the
    calling thread alone).
    """

    moments: np.ndarray
    shares: np.ndarray


class _Thread(threading.local):
    """A lock to release when the thread is about to leave the interpreter for a run."""

    begun: threading.Lock | None = None


thread = _Thread()


class Native:
    """A run of kernel calls that is one native call."""

    def __init__(self, calls, bases_count, stoppable=0):
        self.calls, self.bases_count, self.stoppable = calls, bases_count, stoppable
        self.program = None


class NumpyCall:
    """A node that NumPy evaluates: where its operands are, and where its value goes."""

    def __init__(self, node, operands, place):
        self.node, self.operands, self.place = node, operands, place


_known: weakref.WeakSet[Executable] = weakref.WeakSet()


class Executable:
    """A compiled program; `run` may be called any number of times.

    kernels: a :class:`KernelInfo` for each kernel, in order; compile_seconds; compiled and cached:
    kernels that were compiled and that were found in the cache on disk; arena_bytes; blocks: who
    has what part of the arena, and when (compiled with `details`).
    """

    def __init__(self, segments, plan):
        before = statistics()
        self._lock = threading.Lock()
        _known.add(self)
        self.plan = plan
        self.kernels = plan.kernels
        self.blocks: list[PlannedBlock] = plan.blocks
        self.arena_bytes = plan.arena_bytes
        self.compile_seconds = 0.0
        self.lent = False            # its forms are those of a program with a larger batch
        self._input_count = plan.input_count
        self._sources = plan.output_sources
        fresh = [(i, n) for i, (n, s) in enumerate(zip(plan.output_bytes, self._sources))
                 if s is None]
        self._fresh = [i for i, _ in fresh]
        # of the arena and of outputs that do not take a donated input's memory
        self._sizes = [(n, size_class(n)) for n in (plan.arena_bytes, *(n for _, n in fresh))]
        self._flags = plan.flags
        self._flag_values = np.zeros(2 * max(1, len(self._flags)), np.int64)
        self._flag_memory = memoryview(self._flag_values).cast("B")
        self._no_flags = bytes(self._flag_values.nbytes)
        self._flags_pointer = self._flag_values.ctypes.data
        count = plan.scalar_count
        self._scalar_floats = np.zeros(2 * max(1, count), np.float64)
        self._scalar_integers = self._scalar_floats.view(np.int64)
        self._scalars_pointer = self._scalar_floats.ctypes.data
        self._scalar_count = count
        self._integer_scalars, self._float_scalars = plan.integer_scalars, plan.float_scalars
        self._checks = [check for check in plan.checks if check.exact]
        self._segments = self.segments = segments
        is_single = len(segments) == 1 and isinstance(segments[0], Native)
        limits = [check.native() for check in self._checks] if is_single else []
        for segment in segments:
            if isinstance(segment, Native):
                segment.program = Program(segment.calls, segment.bases_count, limits,
                                          segment.stoppable if is_single else 0,
                                          (self._flags_pointer, len(self._flags)))
        self._single = segments[0].program if is_single else None
        self.is_single = is_single          # one native call computes everything
        after = statistics()
        self.compiled = after["compiled"] - before["compiled"]
        self.cached = after["cache_hits"] - before["cache_hits"]

    def run(self, inputs: list[Buffer], scalars=(), times: list[SegmentTimes] | None = None
            ) -> list[Buffer]:
        """The outputs' buffers; a donated input's own buffer where its memory was taken.

        `times` receives when the kernels ran, a :class:`SegmentTimes` for each segment.
        """
        with self._lock:                 # the tables of scalars and flags are the program's
            return self._run(inputs, scalars, times)

    def run_timed(self, inputs: list[Buffer], scalars=()) -> list[Buffer]:
        """As `run`, writing the seconds of each kernel to `kernels`."""
        times: list[SegmentTimes] = []
        outputs = self.run(inputs, scalars, times)
        seconds = np.concatenate([np.diff(t.moments) for t in times]) * 1e-9 if times else ()
        for info, one in zip(self.kernels, seconds):
            info.seconds = float(one)
        return outputs

    def fresh_bytes(self) -> int:
        """The memory of outputs that do not take a donated input's."""
        return sum(nbytes for nbytes, _ in self._sizes[1:])

    def _run(self, inputs, scalars, times):
        if len(inputs) != self._input_count or len(scalars) != self._scalar_count:
            raise ValueError(f"the program takes {self._input_count} inputs and "
                             f"{self._scalar_count} scalars; received {len(inputs)} and "
                             f"{len(scalars)}")
        if self._single is None:
            self._check(inputs)
        floats, integers = self._scalar_floats, self._scalar_integers
        for i in self._float_scalars:
            floats[2 * i] = scalars[i]
        for i in self._integer_scalars:
            integers[2 * i + 1] = scalars[i]
        arena, *fresh = Buffer.several(self._sizes)
        outputs = [None if s is None else inputs[s] for s in self._sources]
        for i, buffer in zip(self._fresh, fresh):
            outputs[i] = buffer
        bases = [arena.pointer]
        bases += [b.pointer for b in inputs]
        bases += [b.pointer for b in outputs]
        bases += (self._scalars_pointer, self._flags_pointer)
        if self._single is not None and times is None:
            if thread.begun is not None:
                thread.begun.release()
                thread.begun = None
            if self._single.run(bases) > 0:
                self._refuse(inputs)
        else:
            self._run_segments([arena, *inputs, *outputs], bases, times)
        if self._flags and self._flag_memory != self._no_flags:
            self._raise_range_error()
        return outputs

    def _check(self, inputs):
        """Raises for an input that holds an index out of range."""
        for check in self._checks:
            check(inputs)

    def _refuse(self, inputs):
        """Raises the error of a check that failed in the native call, before anything ran."""
        self._check(inputs)
        raise RuntimeError("an index was out of range when the program began, but is not any more: "
                           "another thread writes to it")

    def _run_segments(self, buffers, bases, times):
        values: dict = {}
        for segment in self._segments:
            if isinstance(segment, Native):
                if times is None:
                    segment.program.run(bases)
                elif (timed := segment.program.run_timed(bases)) is not None:
                    times.append(SegmentTimes(*timed))
                elif self._flag_memory == self._no_flags:
                    self._refuse(buffers[1:])
                if self._flag_memory != self._no_flags:
                    return
                continue
            begin = clock_ns()
            _run_numpy(segment, buffers, values)
            if times is not None:
                times.append(SegmentTimes(np.array([begin, clock_ns()]),
                                          np.zeros((1, 1, 3), np.int64)))

    def _raise_range_error(self):
        values = self._flag_values.copy()
        self._flag_values[:] = 0
        for i, indexed in enumerate(self._flags):
            if values[2 * i]:
                _check_range(indexed, values[2 * i + 1:2 * i + 2], indexed.extent)

    def describe(self) -> str:
        """The kernels as text: a line each, with work and, after `run_timed`, times."""
        lines = [f"program of {len(self.kernels)} kernels, {self.compiled} compiled, "
                 f"{self.cached} from the cache, {1e3 * self.compile_seconds:.1f} ms, arena "
                 f"{self.arena_bytes / 1e6:.2f} MB"]
        for info in self.kernels:
            time = ""
            if info.seconds:
                time = (f"{1e6 * info.seconds:9.1f} us {1e-9 * info.flops / info.seconds:6.1f} "
                        f"GFLOP/s {1e-9 * info.bytes / info.seconds:6.1f} GB/s ")
            site = f"  # {info.sites[0][0]}:{info.sites[0][1]}" if info.sites else ""
            lines.append(f"  {time}{info.label} items={info.items}{site}")
        return "\n".join(lines)


def _forget_after_fork():
    """No other thread of the parent goes on here: what it was running is free."""
    for executable in list(_known):
        executable._lock = threading.Lock()
        executable._flag_values[:] = 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)


def _run_numpy(call, buffers, values):
    """Evaluates one node: a tuple of results stays a Python value."""
    arrays = []
    for (base, place, offset, strides, shape), node in zip(call.operands, call.node.inputs):
        if place is None:
            arrays.append(values[base])
            continue
        arrays.append(from_storage(_view(buffers, place, base, offset, strides, shape),
                                   node.dtype))
    with np.errstate(all="ignore"):
        result = evaluate_node(call.node, *arrays)
    if call.place is None:
        values[call.node] = result
        return
    node = call.node
    target = buffers[call.place.buffer].array(node.dtype.storage, node.shape,
                                              offset=call.place.offset)
    target[...] = to_storage(np.asarray(result), node.dtype)


def _view(buffers, place, base, offset, strides, shape):
    flat = buffers[place.buffer].array(base.dtype.storage, (base.numel,), offset=place.offset)
    if 0 in shape:
        return np.empty(shape, base.dtype.storage)
    size = base.dtype.itemsize
    return np.lib.stride_tricks.as_strided(flat[offset:], shape, [s * size for s in strides])


def early_checks(outputs) -> list[RangeCheck]:
    """Range checks of indices that are inputs, made before anything is written."""
    checks = []
    for node in topological_order(outputs):
        if node.op not in ("take", "gather", "put", "scatter"):
            continue
        source = node.inputs[1]
        while source.primitive.kind == "movement" and source.op in (
                "reshape", "permute", "expand", "slice", "flip") or source.op == "cast" and (
                source.inputs[0].dtype.category == 1):
            source = source.inputs[0]
        if source.op == "input" and source.numel:
            checks.append(RangeCheck(Indexed.of(node), source.attrs["index"], source.dtype.name,
                                     source.shape, math.prod(node.inputs[1].shape) == source.numel))
    return checks


class Indexed(NamedTuple):
    """What is said of an index out of range: where it is used, for what, and the extent."""

    site: Any
    attrs: dict               # of the node: dim, message
    extent: int

    @classmethod
    def of(cls, node):
        """Of a node that takes, gathers, puts or scatters, or is a condition."""
        attrs = {"dim": node.attrs["dim"], "message": node.attrs.get("message", "")}
        extent = 1 if node.op == "within" else node.inputs[0].shape[attrs["dim"]]
        return cls(node.site, attrs, extent)


class RangeCheck(NamedTuple):
    """The check of one index input; the exact node decides where only a slice of it is used."""

    indexed: Indexed
    index: int                # of the input
    dtype: str
    shape: tuple
    exact: bool

    def native(self) -> Limit:
        """The check that a program of one native call makes before it runs."""
        size = dtypes.dtype.by_name[self.dtype].itemsize
        return Limit(1 + self.index, size, math.prod(self.shape), self.indexed.extent)

    def __call__(self, inputs):
        dtype = dtypes.dtype.by_name[self.dtype]
        buffer, extent = inputs[self.index], self.indexed.extent
        # seen as unsigned, a negative index is a large one: one pass instead of two
        seen = buffer.array(f"uint{8 * dtype.itemsize}", (math.prod(self.shape),))
        if seen.max() >= extent:
            _check_range(self.indexed, buffer.array(dtype.storage, self.shape), extent)


@dataclasses.dataclass
class Plan:
    """What an executable needs besides its segments, in plain data: see `plan_cache`."""

    kernels: list[KernelInfo]
    blocks: list[PlannedBlock]
    arena_bytes: int
    input_count: int
    output_bytes: list[int]
    output_sources: list[int | None]      # the donated input whose memory an output takes
    flags: list[Indexed]
    checks: list[RangeCheck]
    scalar_count: int
    integer_scalars: list[int]
    float_scalars: list[int]
