"""Events and their averages, and the tables that ``key_averages()`` prints."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["EventList", "FunctionEvent", "FunctionEventAvg", "Interval"]


def _with_unit(microseconds: float, unit: str | None = None) -> str:
    for name, size in (("s", 1e6), ("ms", 1e3)):
        if unit == name or (unit is None and microseconds >= size):
            return f"{microseconds / size:.3f}{name}"
    return f"{microseconds:.3f}us"


def _bytes(count: int) -> str:
    for name, size in (("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)):
        if abs(count) >= size:
            return f"{count / size:.2f} {name}"
    return f"{count} B"


class FunctionEventAvg:
    """All events of one name: times in microseconds, of all of them if not said otherwise.

    self_cpu_time_total is without what they call; device times are zero. cpu_memory_usage: bytes
    given to results, where the profile has profile_memory; flops likewise with_flops.
    """

    def __init__(self, key: str, is_user_annotation: bool = False, shapes=(), stack=()):
        self.key = self.name = key
        self.count = 0
        self.cpu_time_total = self.self_cpu_time_total = 0.0
        self.cpu_memory_usage = self.self_cpu_memory_usage = 0
        self.flops = 0.0
        self.input_shapes = list(shapes)
        self.stack = list(stack)
        self.is_user_annotation = is_user_annotation

    def add(self, count: int, total: float, own: float, flops: float = 0.0,
            memory: int = 0, own_memory: int = 0) -> None:
        """Add events; seconds."""
        self.count += count
        self.cpu_time_total += total * 1e6
        self.self_cpu_time_total += own * 1e6
        self.flops += flops
        self.cpu_memory_usage += memory
        self.self_cpu_memory_usage += own_memory

    @property
    def cpu_time(self) -> float:
        """Per event."""
        return self.cpu_time_total / max(1, self.count)

    @property
    def _zero(self) -> float:
        return 0.0

    device_time = device_time_total = self_device_time_total = _zero
    cuda_time = cuda_time_total = self_cuda_time_total = _zero
    device_memory_usage = self_device_memory_usage = cuda_memory_usage = _zero
    self_cuda_memory_usage = _zero

    @property
    def cpu_time_str(self) -> str:
        return _with_unit(self.cpu_time)

    @property
    def cpu_time_total_str(self) -> str:
        return _with_unit(self.cpu_time_total)

    @property
    def self_cpu_time_total_str(self) -> str:
        return _with_unit(self.self_cpu_time_total)

    def __repr__(self) -> str:
        return (f"<{type(self).__name__} key={self.key} "
                f"self_cpu_time={self.self_cpu_time_total_str} cpu_time={self.cpu_time_str} "
                f"input_shapes={self.input_shapes} cpu_memory_usage={self.cpu_memory_usage}>")


class EventList(list):
    """What ``key_averages()`` returns: a list of :class:`FunctionEventAvg` with a table."""

    def __init__(self, events=(), *, with_shapes=False, with_stack=False, profile_memory=False,
                 with_flops=False):
        super().__init__(events)
        self._shown = with_shapes, with_stack, profile_memory, with_flops

    @property
    def self_cpu_time_total(self) -> float:
        """The time of everything, in microseconds."""
        return sum(event.self_cpu_time_total for event in self)

    def total_average(self) -> FunctionEventAvg:
        """Everything as one event."""
        total = FunctionEventAvg("Total")
        for event in self:
            own = event.self_cpu_time_total * 1e-6
            total.add(event.count, own, own, event.flops, event.self_cpu_memory_usage,
                      event.self_cpu_memory_usage)
        return total

    def table(self, sort_by: str | None = None, row_limit: int = 100,
              max_src_column_width: int = 75, max_name_column_width: int = 55,
              max_shapes_column_width: int = 80, header: str | None = None,
              top_level_events_only: bool = False, time_unit: str | None = None) -> str:
        """The events as text.

        Args:
            sort_by: an attribute such as "cpu_time_total", "self_cpu_time_total", "count",
                "self_cpu_memory_usage" or "flops"; the largest come first.
            row_limit: rows at most, -1 for all.
            max_src_column_width, max_name_column_width, max_shapes_column_width: longer is cut.
            header: a line above.
            top_level_events_only: must be False.
            time_unit: "s", "ms" or "us" for all times.
        """
        if top_level_events_only:
            raise NotImplementedError("table(top_level_events_only=True) is not supported: "
                                      "averages do not know what called them")
        if time_unit not in (None, "s", "ms", "us"):
            raise ValueError(f"invalid time_unit: expected 's', 'ms' or 'us', received "
                             f"{time_unit!r}")
        rows = list(self)
        if sort_by is not None:
            rows.sort(key=lambda event: getattr(event, sort_by), reverse=True)
        if row_limit >= 0:
            rows = rows[:row_limit]
        with_shapes, with_stack, memory, flops = self._shown
        whole = self.self_cpu_time_total or 1.0

        def cut(text: str, width: int) -> str:
            return text if len(text) <= width else text[:max(0, width - 3)] + "..."

        titles = ["Name", "Self CPU %", "Self CPU", "CPU total %", "CPU total", "CPU time avg"]
        titles += ["CPU Mem", "Self CPU Mem"] if memory else []
        titles += ["# of Calls"]
        titles += ["Input Shapes"] if with_shapes else []
        titles += ["Source Location"] if with_stack else []
        titles += ["Total MFLOPs"] if flops else []
        lines = []
        for event in rows:
            line = [cut(event.key, max_name_column_width),
                    f"{event.self_cpu_time_total / whole:.2%}",
                    _with_unit(event.self_cpu_time_total, time_unit),
                    f"{event.cpu_time_total / whole:.2%}",
                    _with_unit(event.cpu_time_total, time_unit),
                    _with_unit(event.cpu_time, time_unit)]
            if memory:
                line += [_bytes(event.cpu_memory_usage), _bytes(event.self_cpu_memory_usage)]
            line.append(str(event.count))
            if with_shapes:
                line.append(cut(str(event.input_shapes), max_shapes_column_width))
            if with_stack:
                line.append(cut(event.stack[0] if event.stack else "", max_src_column_width))
            if flops:
                line.append(f"{event.flops / 1e6:.3f}" if event.flops else "--")
            lines.append(line)
        widths = [max(map(len, column)) for column in zip(titles, *lines)]
        rule = "  ".join("-" * width for width in widths)
        text = [rule, "  ".join(t.rjust(w) for t, w in zip(titles, widths)), rule]
        text += ["  ".join(t.rjust(w) for t, w in zip(line, widths)) for line in lines]
        text += [rule, f"Self CPU time total: {_with_unit(self.self_cpu_time_total, time_unit)}"]
        if header is not None:
            text = ["=" * len(rule), header, *text]
        return "\n".join(text) + "\n"


class FunctionEvent:
    """One range, run or kernel: its name, and when it was, in microseconds."""

    def __init__(self, event: dict):
        self.key = self.name = event["name"]
        self.thread = event["tid"]
        self.category = event["cat"]
        self.is_user_annotation = self.category == "user_annotation"
        self.time_range = Interval(event["ts"], event["ts"] + event["dur"])
        self.cpu_time = self.cpu_time_total = event["dur"]
        self.count = 1

    def __repr__(self) -> str:
        return (f"<{type(self).__name__} name={self.name} thread={self.thread} "
                f"cpu_time={_with_unit(self.cpu_time)}>")


class Interval(NamedTuple):
    """When something began and ended, in microseconds since the recording did."""

    start: float
    end: float

    def elapsed_us(self) -> float:
        """The microseconds in between."""
        return self.end - self.start
