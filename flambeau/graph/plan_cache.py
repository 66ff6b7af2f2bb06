"""Compiled programs on disk: a process that meets a known graph runs no pass and writes no IR.

Beside `compile`. An entry of the cache (`runtime/_cache.py`: atomic, checksummed, bounded) is JSON,
never code: the kernel calls with their arguments, the places in the arena, what `Executable` needs,
and the keys under which the kernels' objects lie in the same cache. Its key describes all that the
passes see:

* the graph, node for node: primitive, operands, attributes, shape, dtype; its leaves, donations;
* which nodes share a line of the user's code. The lines themselves are not part of it: entries hold
  their numbers, so that an edit elsewhere in a script costs nothing;
* the sources of `graph`, `codegen` and `runtime`, the CPU and its caches, the versions of LLVM, and
  the variables `FLAMBEAU_*` that may decide something. A pass or a new family of kernels therefore
  needs nothing here, as long as what it makes depends on these alone.

An entry that is missing, damaged or whose kernels were evicted makes the program compile again. So
does a graph with parts that NumPy evaluates or attributes that are not plain data. `FLAMBEAU_CHECK`
compiles even if there is an entry.
"""

from __future__ import annotations

import functools
import json
import os

from .. import dtypes
from ..codegen.extents import usual
from ..runtime import _cpu
from ..runtime._cache import cache_directory, entry_key, read_entry, write_entry
from ..runtime._jit import kernel_keys, load_kernels, statistics, target_text
from ..runtime._pool import Integer, KernelCall, Pointer
from .executable import Executable, Indexed, KernelInfo, Native, Plan, RangeCheck
from .ir import topological_order

__all__ = ["KnownPlan"]

_PLAIN = frozenset((int, float, bool, str, complex, type(None)))
# variables that say where things are or what is printed; all others are part of the key
_WITHOUT_EFFECT = ("FLAMBEAU_CACHE", "FLAMBEAU_CACHE_LIMIT", "FLAMBEAU_COMPILE", "FLAMBEAU_DEBUG",
                   "FLAMBEAU_EXPLAIN", "FLAMBEAU_STRICT", "FLAMBEAU_VERIFY", "FLAMBEAU_CHECK")


class KnownPlan:
    """The entry of one graph: `load` gives its executable or None, `store` writes it."""

    def __init__(self, outputs, inputs, scalars, donated, paired=None):
        self.sites: list = []
        self._numbers: dict[int, int] = {}
        self.key = None
        text = self._describe(outputs, inputs, scalars, donated) if cache_directory() else None
        if text is not None and (sources := _sources()) is not None:
            if paired is not None:
                text += "\n" + _usual_shapes(paired)
            self.key = entry_key("plan", sources, target_text(), repr(_cpu.cache_sizes()),
                                 _variables(), text)

    def load(self) -> Executable | None:
        """The executable of an earlier process."""
        if self.key is None or os.environ.get("FLAMBEAU_CHECK"):
            return None
        data = read_entry(self.key)
        if data is None:
            return None
        try:
            return self._decoded(json.loads(data))
        except (ValueError, KeyError, TypeError, IndexError):
            return None          # written by something else: it is replaced

    def store(self, executable: Executable) -> None:
        """Keep what was compiled for processes to come."""
        if self.key is None or any(not isinstance(s, Native) for s in executable.segments):
            return
        write_entry(self.key, json.dumps(self._encoded(executable), default=int).encode())

    # ---- the key --------------------------------------------------------------------------------

    def _describe(self, outputs, inputs, scalars, donated):
        """The graph as text, or None where an attribute is not plain data."""
        try:
            return self._text(outputs, inputs, scalars, donated)
        except TypeError:        # a list in a tuple
            return None

    def _text(self, outputs, inputs, scalars, donated):
        order = topological_order(outputs)
        numbers = {node: i for i, node in enumerate(order)}
        known: set[tuple] = set()          # tuples that are plain: the same ones come often
        sites = self._numbers
        lines = []
        for node in order:
            attrs = node.attrs
            for value in attrs.values():
                if value.__class__ is tuple:
                    if value not in known:
                        if not _is_plain(value):
                            return None
                        known.add(value)
                elif not _is_plain(value):
                    return None
            number = sites.get(id(node.site))
            if number is None:
                number = self._number(node.site)
            lines.append(repr((node.op, [numbers[i] for i in node.inputs], attrs, node.shape,
                               node.dtype.name, number)))
        lines.append(repr(([numbers[n] for n in outputs], [(n.shape, n.dtype.name) for n in inputs],
                           [(s.attrs["index"], s.dtype.name) for s in scalars], sorted(donated))))
        return "\n".join(lines)

    def _number(self, site):
        """The number of a line, counted by first use."""
        number = self._numbers.get(id(site))
        if number is None:
            number = self._numbers[id(site)] = len(self.sites)
            self.sites.append(site)
        return number

    # ---- the entry ------------------------------------------------------------------------------

    def _place(self, site):
        """The number of a site that kernels or checks name; the passes may have made it anew."""
        if id(site) in self._numbers:
            return self._numbers[id(site)]
        return next((i for i, s in enumerate(self.sites) if s == site), -1)

    def _site(self, number):
        return self.sites[number] if number >= 0 else None

    def _encoded(self, executable):
        plan = executable.plan
        calls = [[[c.name, [_encoded_slot(s) for s in c.args], c.items, c.grain, c.scratch,
                   c.flops, c.bytes, c.label] for c in s.calls] for s in executable.segments]
        return {
            "segments": [[s.bases_count, s.stoppable, c]
                         for s, c in zip(executable.segments, calls)],
            "kernels": [[k.label, k.ops, [self._place(s) for s in k.sites], k.flops, k.bytes,
                         k.name, k.items] for k in plan.kernels],
            "objects": kernel_keys({c.name for s in executable.segments for c in s.calls}),
            "arena_bytes": plan.arena_bytes, "input_count": plan.input_count,
            "output_bytes": plan.output_bytes, "output_sources": plan.output_sources,
            "flags": [self._indexed(f) for f in plan.flags],
            "checks": [[self._indexed(c.indexed), c.index, c.dtype, c.shape, c.exact]
                       for c in plan.checks],
            "scalars": [plan.scalar_count, plan.integer_scalars, plan.float_scalars]}

    def _indexed(self, indexed):
        return [self._place(indexed.site), indexed.attrs, indexed.extent]

    def _decoded(self, entry):
        hits = statistics()["cache_hits"]
        if not load_kernels(entry["objects"]):
            return None
        hits = statistics()["cache_hits"] - hits
        segments = [Native([KernelCall(name, None, [_decoded_slot(s) for s in args], *rest)
                            for name, args, *rest in calls], bases_count, stoppable)
                    for bases_count, stoppable, calls in entry["segments"]]
        kernels = [KernelInfo(label, tuple(ops), tuple(self._site(s) for s in sites), *rest)
                   for label, ops, sites, *rest in entry["kernels"]]
        checks = [RangeCheck(self._decoded_indexed(indexed), index, dtype, tuple(shape), exact)
                  for indexed, index, dtype, shape, exact in entry["checks"]]
        executable = Executable(segments, Plan(
            kernels, [], entry["arena_bytes"], entry["input_count"], entry["output_bytes"],
            entry["output_sources"], [self._decoded_indexed(f) for f in entry["flags"]], checks,
            *entry["scalars"]))
        executable.cached += hits           # loaded before it was made
        return executable

    def _decoded_indexed(self, values):
        number, attrs, extent = values
        return Indexed(self._site(number), attrs, extent)


def _usual_shapes(outputs):
    """The extents of the known program that lends its forms."""
    return repr([[usual(n) for n in node.shape] for node in topological_order(outputs)])


def _encoded_slot(slot):
    return slot.value if isinstance(slot, Integer) else [slot.buffer, slot.offset]


def _decoded_slot(slot):
    return Integer(slot) if isinstance(slot, int) else Pointer(*slot)


def _is_plain(value):
    if type(value) is tuple:
        return all(_is_plain(v) for v in value)
    return type(value) in _PLAIN or type(value) is dtypes.dtype


def _variables():
    return repr(sorted((k, v) for k, v in os.environ.items()
                       if k.startswith("FLAMBEAU_") and k not in _WITHOUT_EFFECT))


@functools.cache
def _sources() -> str | None:
    """A digest of the code that makes plans and kernels; None where it cannot be read."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    found = []
    try:
        for part in ("graph", "codegen", "runtime"):
            for folder, folders, names in os.walk(os.path.join(package, part)):
                folders.sort()
                for name in sorted(names):
                    if name.endswith(".py"):
                        with open(os.path.join(folder, name), encoding="utf-8") as file:
                            found += [os.path.relpath(os.path.join(folder, name), package),
                                      file.read()]
        with open(dtypes.__file__, encoding="utf-8") as file:
            found.append(file.read())
    except OSError:
        return None
    return entry_key(*found) if len(found) > 10 else None
