"""What the workloads share: options, the timing of steps, one line of JSON as the result."""

import argparse
import json
import statistics
import subprocess
import sys
import time

import torch

BUSY = "while True: pass"


def options(steps, **sizes):
    """Options of a workload: how it is run, and its sizes with their usual values."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--seconds", type=float, help="stop after at least 3 steps and this time")
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--mode", choices=("eager", "channels_last", "compile"), default="eager")
    parser.add_argument("--inference", action="store_true", help="forward only, without gradients")
    parser.add_argument("--busy", action="store_true",
                        help="time the steps again while another process keeps a core busy")
    parser.add_argument("--data", default="data")
    for name, value in sizes.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    found = parser.parse_args()
    if found.threads:
        torch.set_num_threads(found.threads)
    torch.manual_seed(0)
    return found


def prepared(model, images, mode):
    """The model and its input in the layout that `mode` asks for."""
    if mode == "channels_last":
        model = model.to(memory_format=torch.channels_last)
        images = images.to(memory_format=torch.channels_last)
    return model, images


def training_step(forward, optimizer, before_update=None):
    """The function that runs one step: loss, gradients, update."""
    def step():
        loss = forward()
        optimizer.zero_grad()
        loss.backward()
        if before_update is not None:
            before_update()
        optimizer.step()
        return loss.item()

    return step


def inference_step(scores):
    """The function that runs the model alone, and reads all its scores."""
    def step():
        with torch.no_grad():
            return scores().numpy()

    return step


def peak_bytes():
    """The most memory that this process ever held.

    Linux's ru_maxrss counts what the parent held before exec too; VmHWM does not.
    """
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status
                        if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        import resource
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def timed(step, count, seconds=None):
    """Seconds of each of `count` steps (fewer, if `seconds` are over), and what they returned.

    Of arrays only the last is kept, as a program that uses them one by one would: otherwise every
    step writes to fresh memory, whose page faults are most of what is measured.
    """
    times, results = [], []
    while len(times) < count and (seconds is None or len(times) < 3 or sum(times) < seconds):
        begin = time.perf_counter()
        result = step()
        times.append(time.perf_counter() - begin)
        results = [*results, result] if isinstance(result, float) else [result]
    return times, results


def report(**result):
    """Print the result, with this process's peak memory, as the last line."""
    print(json.dumps({"peak_bytes": peak_bytes(), **result}))


def measure(found, model, optimizer, scores, loss_of, before_update=None):
    """Time training steps or inference, as the options say, and report.

    Args:
        scores: function of nothing that applies the model to its input.
        loss_of: function of the scores.
        before_update: what happens between the backward pass and the update.

    Reported: seconds of the first step, of the slowest of the first three (what is interpreted at
    first is compiled a step later), and the median of the steps after the warm-up; the losses of
    the first 20 steps (in inference the mean size of the scores).
    """
    if found.inference:
        model.eval()
        step = inference_step(torch.compile(scores) if found.mode == "compile" else scores)
    else:
        def forward():
            return loss_of(scores())

        step = training_step(torch.compile(forward) if found.mode == "compile" else forward,
                             optimizer, before_update)
    early, losses = timed(step, 1 + found.warmup)
    times, more = timed(step, found.steps, found.seconds)
    slowest = max((early + times)[:3])
    if found.inference:
        losses, more = [float(abs(more[-1]).mean())], []
    result = {"first_s": early[0], "slowest_s": slowest, "step_s": statistics.median(times),
              "best_s": min(times), "losses": (losses + more)[:20]}
    if found.busy:
        with subprocess.Popen([sys.executable, "-c", BUSY]) as other:
            try:
                time.sleep(0.2)
                timed(step, 2)
                result["busy_s"] = statistics.median(timed(step, found.steps)[0])
            finally:
                other.kill()
    report(**result)
