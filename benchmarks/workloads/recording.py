"""Microseconds to record an op that was recorded before, beyond calling a Python function."""

import statistics
import time

import torch
from _timing import options, report

OPS = 100
found = options(200)
x, y = torch.ones(8), torch.ones(8)


def nothing(a, b):
    return a


def per_call(function):
    """Seconds of each of `OPS` calls, the call of a function taken off by the caller."""
    result = x
    begin = time.perf_counter()
    for _ in range(OPS):
        result = function(result, y)
    seconds = (time.perf_counter() - begin) / OPS
    if function is not nothing:
        result.sum().item()     # runs what was recorded
    return seconds


times = {nothing: [], torch.add: []}
for _ in range(found.steps + found.warmup):
    for function, seconds in times.items():
        seconds.append(per_call(function))
call, recorded = (statistics.median(seconds[found.warmup:]) for seconds in times.values())
report(record_s=recorded - call, call_s=call)
