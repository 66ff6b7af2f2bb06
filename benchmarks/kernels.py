"""Where the time of the compared networks goes, by kind of kernel.

    python benchmarks/kernels.py                    # training step and inference of every network
    python benchmarks/kernels.py --only gpt lstm    # some

The numbers of docs/performance.md. Each network runs in a process of its own under
`flambeau.explain`, with two threads. `GFLOP/s` counts Winograd's convolutions with the direct
form's operations; `of limit` is the share of the time that the machine would need at its measured
peak, of multiply-adds or of memory.
"""

import argparse
import json
import os
import runpy
import subprocess
import sys

from suite.processes import limit_processors
from suite.rows import NETWORKS

WORKLOADS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "workloads")
HEADING = ("| work | part | kernels | time | share | GFLOP/s | GB/s | of limit |\n"
           "|---|---|---:|---:|---:|---:|---:|---:|")


def kind_of(kernel):
    """The first word of a kernel's label, and whether a product is part of the gradient."""
    word = kernel.label.split()[0] if kernel.label else "other"
    word = {"contract": "products", "convolve": "convolutions",
            "convolve_weight": "weight gradients"}.get(word, "fused loops")
    calls = [call for call, _ in kernel.calls]
    if word == "products" and calls and calls[0].startswith("grad("):
        return "products of gradients"
    if word == "fused loops" and any(call.endswith(".step") for call in calls[:1]):
        return "update"
    return word


def parts_of(report):
    """The report's numbers by kind, the longest first, and the whole."""
    found = {}
    for kernel in report.kernels:
        runs = kernel.step_seconds / kernel.seconds if kernel.seconds else 0
        if runs < 0.5:                       # of the first, different step
            continue
        for kind in (kind_of(kernel), "all kernels"):
            part = found.setdefault(kind, [0, 0.0, 0.0, 0.0, 0.0])
            for i, number in enumerate((1, kernel.step_seconds, kernel.flops * runs,
                                        kernel.bytes * runs, kernel.limit * runs)):
                part[i] += number
    return dict(sorted(found.items(), key=lambda item: -item[1][1]))


def explained(script, arguments):
    """Runs a workload in this process and prints its parts as JSON."""
    from flambeau import explain
    from flambeau.compat import install
    install()
    sys.path.insert(0, WORKLOADS)
    sys.argv = [script, *arguments]
    with explain() as report:
        runpy.run_path(os.path.join(WORKLOADS, f"{script}.py"), run_name="__main__")
    print(json.dumps({"parts": parts_of(report), "step": report.step_seconds,
                      "flops": report.summary.peaks.flops, "bytes": report.summary.peaks.bytes}))


def lines(title, result):
    """The rows of a table for one network."""
    whole = result["parts"]["all kernels"][1]
    for kind, (count, seconds, flops, nbytes, limit) in result["parts"].items():
        share = "" if kind == "all kernels" else f"{seconds / whole:.0%}"
        yield (f"| {title} | {kind} | {count:.0f} | {seconds * 1e3:.3g} ms | {share} | "
               f"{flops / seconds / 1e9:.0f} | {nbytes / seconds / 1e9:.0f} | "
               f"{limit / seconds:.0%} |")
        title = ""


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=sorted(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--run", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    found = parser.parse_args()
    limit_processors(2)
    if found.run:
        return explained(found.run[0], found.run[1:])
    print(HEADING)
    for name in found.only:
        network = NETWORKS[name]
        for kind in ((), ("--inference",)):
            command = [sys.executable, __file__, "--run", network.script, "--threads", "2",
                       "--steps", str(max(10, network.steps)), *network.sizes, *kind]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            result = json.loads(done.stdout.strip().splitlines()[-1])
            print("\n".join(lines(network.title + (": inference" if kind else ": step"), result)),
                  flush=True)
    print(f"\nmeasured limits: {result['flops'] / 1e9:.0f} GFLOP/s, "
          f"{result['bytes'] / 1e9:.0f} GB/s")


if __name__ == "__main__":
    main()
