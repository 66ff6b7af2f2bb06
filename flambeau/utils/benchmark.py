"""``torch.utils.benchmark``: timing of statements, with warm-up and the pending program run."""

from __future__ import annotations

import statistics
import time
import timeit
from collections.abc import Callable
from typing import Any

__all__ = ["Measurement", "Timer"]


class Measurement:
    """Times of a statement, in seconds a run."""

    def __init__(self, number_per_run: int, raw_times: list[float], label: str):
        self.number_per_run, self.raw_times, self.label = number_per_run, raw_times, label

    @property
    def times(self) -> list[float]:
        """Seconds a run, of each block."""
        return [t / self.number_per_run for t in self.raw_times]

    @property
    def median(self) -> float:
        """The median, in seconds a run."""
        return statistics.median(self.times)

    @property
    def mean(self) -> float:
        """The mean, in seconds a run."""
        return statistics.fmean(self.times)

    @property
    def iqr(self) -> float:
        """The distance between the quartiles."""
        if len(self.times) < 2:
            return 0.0
        quartiles = statistics.quantiles(self.times, n=4)
        return quartiles[2] - quartiles[0]

    def __repr__(self) -> str:
        value, unit = next((self.median * f, u) for f, u in ((1, "s"), (1e3, "ms"), (1e6, "us"))
                           if self.median * f >= 1 or u == "us")
        return (f"<flambeau.utils.benchmark.Measurement>\n{self.label}\n  Median: {value:.2f} "
                f"{unit}\n  {len(self.times)} measurements, {self.number_per_run} runs per "
                "measurement")


class Timer:
    """Times a statement.

    Args:
        stmt, setup: code; global_setup: must be empty.
        timer: the clock; globals: names that the code sees.
        label, sub_label, description, env: shown with the result.
        num_threads: threads that kernels use meanwhile.

    >>> import flambeau as torch
    >>> from flambeau.utils.benchmark import Timer
    >>> Timer("x + 1", globals={"x": torch.ones(3)}).timeit(10).number_per_run
    10
    """

    def __init__(self, stmt: str = "pass", setup: str = "pass", global_setup: str = "",
                 timer: Callable[[], float] = time.perf_counter,
                 globals: dict[str, Any] | None = None, label: str | None = None,
                 sub_label: str | None = None, description: str | None = None,
                 env: str | None = None, num_threads: int = 1, language: Any = "python"):
        if global_setup or str(language).lower().rpartition(".")[2] not in ("python", "py"):
            raise NotImplementedError("Timer: global_setup and C++ are not supported")
        self._names = {**(globals or {}), "_flush": _flush}
        self._timer = timeit.Timer(f"{stmt}\n_flush()", setup, timer, self._names)
        self._threads = num_threads
        self._label = " ".join(filter(None, (label or stmt, sub_label, description, env)))

    def _time(self, number: int) -> float:
        from .. import get_num_threads, set_num_threads
        before = get_num_threads()
        set_num_threads(self._threads)
        try:
            return self._timer.timeit(number)
        finally:
            set_num_threads(before)

    def timeit(self, number: int = 1_000_000) -> Measurement:
        """One block of `number` runs, after a warm-up."""
        self._time(max(2, number // 100))
        return Measurement(number, [self._time(number)], self._label)

    def blocked_autorange(self, callback=None, min_run_time: float = 0.2) -> Measurement:
        """Blocks of equal size until they took `min_run_time` seconds."""
        number = 1
        while (taken := self._time(number)) < min_run_time / 1000 or number < 2:
            number *= 10 if taken < min_run_time / 10_000 else 2
        times: list[float] = []
        while sum(times) < min_run_time or len(times) < 2:
            times.append(self._time(number))
            if callback is not None:
                callback(number, times[-1])
        return Measurement(number, times, self._label)

    adaptive_autorange = blocked_autorange


def _flush() -> None:
    from ..record.trace import flush
    flush()
