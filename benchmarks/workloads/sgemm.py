"""Products of square float32 matrices, by torch's `@` or with --numpy by NumPy's OpenBLAS."""

import argparse
import json
import statistics
import time

import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("--numpy", action="store_true")
parser.add_argument("--threads", type=int, default=0)
parser.add_argument("--steps", type=int, default=15)
parser.add_argument("--sizes", type=int, nargs="+", default=[512, 1024, 2048])
found = parser.parse_args()
if not found.numpy:
    import torch
    if found.threads:
        torch.set_num_threads(found.threads)

result = {}
for size in found.sizes:
    generator = np.random.default_rng(0)
    a, b = (generator.standard_normal((size, size), np.float32) for _ in range(2))
    if found.numpy:
        out = np.empty_like(a)

        def product(a=a, b=b, out=out):
            return np.matmul(a, b, out=out)
    else:
        def product(a=torch.from_numpy(a), b=torch.from_numpy(b)):
            return (a @ b).numpy()

    # what is interpreted before it is compiled uses OpenBLAS, whose threads then spin for 70 ms
    warm = time.perf_counter() + 0.2
    while time.perf_counter() < warm:
        product()
    times = []
    for _ in range(found.steps * max(1, 1024 // size)):
        begin = time.perf_counter()
        product()
        times.append(time.perf_counter() - begin)
    result[str(size)] = statistics.median(times)
    result[f"check-{size}"] = float(np.abs(product()).mean())
print(json.dumps(result))
