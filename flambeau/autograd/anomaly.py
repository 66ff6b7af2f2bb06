"""Anomaly detection: stop at the backward pass that produces NaN, naming the user's line."""

from __future__ import annotations

__all__ = ["detect_anomaly", "is_anomaly_enabled", "set_detect_anomaly"]

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
