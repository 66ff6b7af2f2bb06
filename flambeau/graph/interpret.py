"""Tier 0: evaluates a graph with NumPy, node by node, without compiling anything.

The recorder runs a program this way the first time it is met; the compiled program runs single
nodes without a native lowering through it, and the tests take it as the meaning of a graph.

Arrays come in and go out in their storage type (bfloat16 as uint16); every node is computed in
its dtype's compute type and rounded to its dtype, so that a fused kernel, which rounds in the same
places, agrees to the last bits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .. import dtypes
from .ir import Node, topological_order

__all__ = ["InterpreterPlan", "evaluate_node", "from_storage", "interpret", "round_to_bfloat16",
           "to_storage"]


# ---- between storage and compute types --------------------------------------------------------


def round_to_bfloat16(x: np.ndarray) -> np.ndarray:
    """The bfloat16 bits (uint16) nearest to float32 values, ties to even; NaN stays NaN."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    rounded = (bits + (((bits >> 16) & 1) + np.uint32(0x7FFF))) >> 16
    rounded = np.where(np.isnan(x), np.uint32(0x7FC0), rounded)
    return rounded.astype(np.uint16).reshape(np.shape(x))


def _bfloat16_to_float32(x: np.ndarray) -> np.ndarray:
    return (x.astype(np.uint32) << 16).view(np.float32)


def from_storage(x: np.ndarray, dtype: dtypes.dtype) -> np.ndarray:
    """An array as it lies in memory, in the type that is computed with."""
    if dtype is dtypes.bfloat16:
        return _bfloat16_to_float32(np.ascontiguousarray(x)).reshape(x.shape)
    if dtype is dtypes.float16:
        return x.astype(np.float32)
    return x


def to_storage(x: np.ndarray, dtype: dtypes.dtype) -> np.ndarray:
    """A computed array as it lies in memory."""
    if dtype is dtypes.bfloat16:
        return round_to_bfloat16(x)
    if x.dtype != dtype.storage:
        return x.astype(dtype.storage)
    return x


def _round(x: np.ndarray, dtype: dtypes.dtype) -> np.ndarray:
    """Computed values rounded to what `dtype` can hold."""
    if dtype is dtypes.bfloat16:
        return _bfloat16_to_float32(np.asarray(round_to_bfloat16(x)))
    if dtype is dtypes.float16:
        return x.astype(np.float16).astype(np.float32)
    return x


# ---- nodes ------------------------------------------------------------------------------------


def _leaf_array(node: Node, scalar: Any = None) -> np.ndarray:
    """A leaf's value; half-precision scalars stay exact, as in PyTorch's kernels."""
    if node.op == "iota":
        dim = node.attrs["dim"]
        shape = [1] * len(node.shape)
        shape[dim] = node.shape[dim]
        line = np.arange(node.shape[dim]).astype(node.dtype.compute)
        return np.broadcast_to(line.reshape(shape), node.shape)
    value = node.attrs["value"] if node.op == "constant" else scalar
    return _number(value, node.dtype)


def _number(value, dtype: dtypes.dtype) -> np.ndarray:
    if dtype.category == 1:      # wraps, as a cast in C does
        bits = 8 * dtype.itemsize
        value = int(value) & ((1 << bits) - 1)
        if dtype.is_signed and value >> (bits - 1):
            value -= 1 << bits
    return np.array(value, dtype.compute)


def evaluate_node(node: Node, *arrays: Any) -> Any:
    """The value of one node from the values of its inputs, in compute types."""
    value = node.primitive.evaluate(node, *arrays)
    if type(value) is tuple or type(value) is list:
        return value             # an external call with several results
    if not isinstance(value, np.ndarray) or value.dtype != node.dtype.compute:
        value = np.asarray(value, node.dtype.compute)
    if node.dtype.compute is not node.dtype.storage and node.primitive.kind != "movement":
        value = _round(value, node.dtype)
    return value


# ---- programs ---------------------------------------------------------------------------------


class InterpreterPlan:
    """The order in which a graph's nodes are evaluated, prepared once for many runs."""

    def __init__(self, outputs: Iterable[Node]):
        self.outputs = list(outputs)
        order = topological_order(self.outputs)
        slots = {node: i for i, node in enumerate(order)}
        last_use: dict[int, int] = {}
        for i, node in enumerate(order):
            for operand in node.inputs:
                last_use[slots[operand]] = i
        kept = {slots[node] for node in self.outputs}
        frees: dict[int, list[int]] = {}
        for slot, i in last_use.items():
            if slot not in kept:
                frees.setdefault(i, []).append(slot)

        self._values: list[Any] = [None] * len(order)
        self._inputs: list[tuple[int, int, dtypes.dtype]] = []
        self._scalars: list[tuple[int, int, dtypes.dtype]] = []
        self._steps: list[tuple] = []
        self._borrowed = set()       # slots whose arrays belong to the caller or to the plan
        for i, node in enumerate(order):
            if node.op == "input":
                self._inputs.append((i, node.attrs["index"], node.dtype))
                self._borrowed.add(i)
            elif node.op == "scalar":
                self._scalars.append((i, node.attrs["index"], node.dtype))
            elif node.primitive.kind == "leaf":
                self._values[i] = _leaf_array(node)
                self._borrowed.add(i)
            else:
                freed = tuple(s for s in frees.get(i, ()) if order[s].primitive.kind != "leaf"
                              or order[s].op in ("input", "scalar"))
                self._steps.append((node, i, tuple(slots[o] for o in node.inputs), freed))
        self._output_slots = [(slots[node], node) for node in self.outputs]

    def run(self, inputs: Sequence[np.ndarray], scalars: Sequence[Any] = ()) -> list[np.ndarray]:
        """The outputs for these inputs, fresh and C-contiguous."""
        values = list(self._values)
        for slot, index, dtype in self._inputs:
            values[slot] = from_storage(inputs[index], dtype)
        for slot, index, dtype in self._scalars:
            values[slot] = _number(scalars[index], dtype)
        with np.errstate(all="ignore"):
            for node, slot, operands, freed in self._steps:
                values[slot] = evaluate_node(node, *[values[s] for s in operands])
                for s in freed:
                    values[s] = None
            return self._results(values)

    def _results(self, values: list) -> list[np.ndarray]:
        taken = {id(values[s]) for s in self._borrowed}
        results = []
        for slot, node in self._output_slots:
            found = to_storage(values[slot], node.dtype)
            if found is not values[slot] and found.flags.c_contiguous and found.base is None:
                results.append(found)
                continue
            if id(found) in taken or found.base is not None or not found.flags.c_contiguous:
                found = np.array(found, order="C", copy=True)
            taken.add(id(found))
            results.append(found)
        return results


def interpret(outputs: Iterable[Node], inputs: Sequence[np.ndarray],
              scalars: Sequence[Any] = ()) -> list[np.ndarray]:
    """The values of `outputs`; inputs and scalars are found by the leaves' attrs ``index``."""
    return InterpreterPlan(outputs).run(inputs, scalars)
