"""``flambeau.explain``: where a training step's time and memory go, down to the user's lines.

Loaded when it is first used. `collect` watches programs run, `attribution` shares kernels out over
the calls in them, `peak` measures the machine, `model` makes the data of a report, and `text`,
`page` and `trace` print it.
"""

from __future__ import annotations

from collections.abc import Callable

from .report import Report

__all__ = ["Report", "explain"]


def explain(function: Callable | None = None, /, *args, steps: int = 5, warmup: int = 2,
            **kwargs) -> Report:
    r"""Tells what a function, or a training loop, is compiled to, and what that costs.

    With a function: calls ``function(*args, **kwargs)`` until everything in it is compiled, then
    `steps` times more, timing each kernel of these real runs. Without one: the report is a context
    around a loop of your own, and finished when that ends.

    The report lists the programs, with the reason for each compilation; their kernels, with the
    calls and lines fused into them, FLOPs, bytes, time, rates, and the time as a share of what the
    machine's measured peak (multiply-adds or copying, measured once and remembered) would allow;
    the time of each of your lines; the memory planned, and what fills it when it peaks.

    Args:
        function: what to explain, or None for a context.
        steps: how many calls are measured.
        warmup: how many calls come before, at least.

    Returns a :class:`Report`: ``print`` it, or ``.save("report.html")``.

    Raises ValueError unless steps >= 1 and warmup >= 0, TypeError if the function is not callable.

    >>> import flambeau as torch
    >>> x = torch.ones(64, 64)
    >>> report = torch.explain(lambda: (x @ x).relu().sum())
    >>> "matmul" in str(report) and report.step_seconds > 0
    True
    >>> with torch.explain() as report:
    ...     for _ in range(4):
    ...         total = (x @ x).relu().sum().item()
    >>> len(report.kernels) > 0
    True
    """
    if function is None:
        if args or kwargs:
            raise TypeError("explain() without a function takes no arguments for it")
        return Report()
    if not callable(function):
        raise TypeError(f"explain(): expected a function, received {type(function).__name__}; "
                        "call explain(function, *arguments), not explain(function(*arguments))")
    if steps < 1 or warmup < 0:
        raise ValueError(f"explain(): expected steps >= 1 and warmup >= 0, received steps={steps}, "
                         f"warmup={warmup}")
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    return Report(name).measure(function, args, kwargs, steps, warmup)
