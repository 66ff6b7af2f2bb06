"""What the workloads share: options, timing of steps, one line of JSON as the result."""

import argparse
import json
import statistics
import time

import torch


def options(steps):
    """Options of a workload: --steps, --warmup, --threads, --mode, --data."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--mode", choices=("eager", "channels_last", "compile"), default="eager")
    parser.add_argument("--data", default="data")
    found = parser.parse_args()
    if found.threads:
        torch.set_num_threads(found.threads)
    torch.manual_seed(0)
    return found


def prepared(model, images, mode):
    """The model and its input in the layout or form that `mode` asks for."""
    if mode == "channels_last":
        model = model.to(memory_format=torch.channels_last)
        images = images.to(memory_format=torch.channels_last)
    return model, images


def compiled(function, mode):
    """`function`, through torch.compile where `mode` asks for it."""
    return torch.compile(function) if mode == "compile" else function


def training_step(forward, optimizer):
    """The function that runs one step: loss, gradients, update."""
    def step():
        loss = forward()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def measure(step, found):
    """Time the first step and the median of the others; print the result as JSON."""
    begin = time.perf_counter()
    loss = float(step())
    first = time.perf_counter() - begin
    for _ in range(found.warmup):
        step()
    times = []
    for _ in range(found.steps):
        begin = time.perf_counter()
        loss = float(step())
        times.append(time.perf_counter() - begin)
    print(json.dumps({"first_s": first, "step_s": statistics.median(times), "best_s": min(times),
                      "loss": loss}))
