"""Anomaly detection: stop at the backward pass that produces NaN, naming the user's line."""

from __future__ import annotations

import numpy as np

from ..graph.ir import Node, topological_order
from ..record.values import Value

__all__ = ["check_inspected", "detect_anomaly", "is_anomaly_enabled", "set_detect_anomaly"]

_state = {"enabled": False, "check_nan": True}


def is_anomaly_enabled() -> bool:
    """Whether backward passes are checked for NaN."""
    return _state["enabled"]


class set_detect_anomaly:
    """Turn the checks on or off; also a context manager."""

    def __init__(self, mode: bool, check_nan: bool = True):
        self._before = dict(_state)
        _state.update(enabled=bool(mode), check_nan=check_nan)

    def __enter__(self):
        return self

    def __exit__(self, *error) -> None:
        _state.update(self._before)


class detect_anomaly(set_detect_anomaly):
    """Inside, backward raises where a gradient becomes NaN and names the line of the operation."""

    def __init__(self, check_nan: bool = True):
        super().__init__(True, check_nan)


def check_inspected(inspected: list[tuple[Node, Value]]) -> None:
    """Raise if a gradient is NaN: name the operation that made the first one.

    `inspected` holds forward nodes and the gradients of their values.
    """
    if not _state["check_nan"]:
        return
    bad, good = {}, set()
    for node, value in inspected:
        if value.trace is not None:
            value.trace.flush_here()
        if value.aval.dtype.category >= 2 and np.isnan(_as_float(value)).any():
            bad[node] = True
        else:
            good.add(node)
    if not bad:
        return
    order = topological_order(list(bad) + list(good))
    for consumer in reversed(order):
        for number, source in enumerate(consumer.inputs):
            if source in bad and consumer in good:
                site = consumer.site
                where = f" The operation is at {site[0]}:{site[1]}." if site else ""
                name = "".join(w.capitalize() for w in consumer.op.split("_"))
                raise RuntimeError(f"Function '{name}Backward0' returned nan values in its "
                                   f"{number}th output.{where}")
    first = max(bad, key=order.index)
    where = f" at {first.site[0]}:{first.site[1]}" if first.site else ""
    raise RuntimeError(f"Function '{first.op.capitalize()}Backward0' returned nan values in its "
                       f"0th output.{where}")


def _as_float(value: Value) -> np.ndarray:
    from ..graph.interpret import from_storage
    return from_storage(value.array, value.aval.dtype)
