"""An element-wise chain and a softmax over 64 MB, and a copy of as much memory."""

import statistics
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from _timing import options, report, timed

found = options(10)
x = torch.randn(4096, 4096)
source, target = np.ones((4096, 4096), np.float32), np.ones((4096, 4096), np.float32)
workers = found.threads or torch.get_num_threads()
pool = ThreadPoolExecutor(workers)
parts = [(target[i * 4096 // workers:(i + 1) * 4096 // workers],
          source[i * 4096 // workers:(i + 1) * 4096 // workers]) for i in range(workers)]


def chain():
    """Seven operations, one of them a tanh; reads and writes 64 MB each if fused."""
    return (torch.relu(x * 0.5 + 0.25) * torch.tanh(x) - x).clamp(-1.0, 1.0).numpy()


def softmax():
    return torch.softmax(x, dim=1).numpy()


def copy():
    """NumPy's copy, which is the C library's, by as many threads."""
    list(pool.map(lambda part: np.copyto(*part), parts))


result = {"chain": [], "softmax": [], "copy": []}
for step in (chain, softmax, copy):
    timed(step, 1 + found.warmup)
for _ in range(found.steps):
    for step in (chain, softmax, copy):
        result[step.__name__] += timed(step, 1)[0]
report(checks=[float(chain().mean()), float(softmax().max())],
       **{f"{name}_s": statistics.median(times) for name, times in result.items()})
