"""Convolutions in Winograd's form and in the direct form: kernels' time, and error.

    python benchmarks/winograd.py             # times of both forms, errors against float64
    python benchmarks/winograd.py --points    # errors of F(4x4, 3x3) by its points, in NumPy

Times are those of the kernels of `conv2d` and its two gradients with all threads, the fastest of
several runs; errors are root mean squares, Winograd's over the direct form's.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from fractions import Fraction

import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# batch, channels, extent, window
SHAPES = [(64, 64, 32, 3), (64, 256, 8, 3), (64, 512, 4, 3), (8, 64, 56, 3), (64, 16, 32, 3),
          (64, 100, 24, 5)]
KINDS = ("forward", "forward and gradient of the input", "gradient of the weights")
POINTS = ("1 2", "1/2 1", "5/8 5/4", "3/4 3/2", "7/8 7/4")


def arrays(batch, channels, extent, window):
    generator = np.random.default_rng(0)
    weight = generator.standard_normal((channels, channels, window, window))
    return (generator.standard_normal((batch, channels, extent, extent)),
            weight / window / channels ** 0.5,
            generator.standard_normal((batch, channels, extent, extent)))


def results(shape, dtype):
    """(a function that runs one kind, for each kind) of a convolution."""
    import flambeau as torch

    x, w, dy = (torch.tensor(a, dtype=dtype) for a in arrays(*shape))
    # between 1x1 convolutions that change nothing, as inside a network: channels-last
    one = torch.eye(shape[1], dtype=dtype).reshape(shape[1], shape[1], 1, 1)
    conv2d, half = torch.nn.functional.conv2d, shape[3] // 2

    def forward(x, w):
        return conv2d(conv2d(conv2d(x, one), w, padding=half), one)

    def gradient(place):
        operands = [x, w]
        operands[place] = operands[place].detach().requires_grad_()
        total = (forward(*operands) * dy).sum()
        return torch.autograd.grad(total, operands[place])[0].numpy()

    return lambda: forward(x, w).numpy(), lambda: gradient(0), lambda: gradient(1)


def measure():
    """One process: for each shape and kind, milliseconds of its kernels and the error."""
    import flambeau as torch

    found = []
    for shape in SHAPES:
        right = results(shape, torch.float64)
        window = f"x{shape[3]}x{shape[3]}(:|$)"
        for i, (run, exact) in enumerate(zip(results(shape, torch.float32), right)):
            error = np.sqrt(np.mean((run() - exact()) ** 2))
            report = torch.explain(run, steps=4)
            kernels = [k for k in report.kernels if k.label.startswith("transform weights")
                       or k.label.startswith("convolve") and re.search(window, k.label)]
            if i == 2:           # its forward pass is computed for nobody, but may be
                kernels = [k for k in kernels if k.label.startswith("convolve_weight")]
            seconds = sum(k.fastest for k in kernels)
            found.append((1e3 * seconds, float(error)))
    print(json.dumps(found))


def compare():
    tables = []
    for switch in ("0", "1"):
        environment = {**os.environ, "FLAMBEAU_WINOGRAD": switch, "PYTHONPATH": ROOT}
        done = subprocess.run([sys.executable, __file__, "--measure"], capture_output=True,
                              text=True, env=environment)
        if done.returncode:
            sys.exit(done.stderr)
        tables.append(json.loads(done.stdout.splitlines()[-1]))
    print("| convolution, batch | kind | direct | Winograd | error |\n|---|---|---:|---:|---:|")
    names = [(f"{k}x{k}, {c} channels, {e}x{e}, {n}", kind) for n, c, e, k in SHAPES
             for kind in KINDS]
    for (name, kind), direct, winograd in zip(names, *tables):
        print(f"| {name} | {kind} | {direct[0]:.1f} ms | {winograd[0]:.1f} ms | "
              f"{winograd[1] / direct[1]:.2f} |")


def matrices(a, b):
    """A', G and B' of F(4x4, 3x3) for the points 0, a, -a, b, -b and infinity."""
    points = [Fraction(0), a, -a, b, -b]

    def powers(count):
        return [[p ** i for i in range(count)] for p in points] + [
            [Fraction(0)] * (count - 1) + [Fraction(1)]]

    outputs, weights = powers(4), powers(3)
    inputs = []
    for i, point in enumerate([*points, None]):
        others = [p for j, p in enumerate(points) if j != i]
        polynomial = [Fraction(1)]
        for p in others:
            polynomial = [low - p * high for low, high in zip([Fraction(0), *polynomial],
                                                              [*polynomial, Fraction(0)])]
        inputs.append(polynomial + [Fraction(0)] * (6 - len(polynomial)))
        if point is not None:
            scale = np.prod([point - p for p in others])
            weights[i] = [w / scale for w in weights[i]]
    return [np.array([[float(v) for v in row] for row in m], np.float32)
            for m in ([list(column) for column in zip(*outputs)], weights, inputs)]


def points(channels=64, outputs=16, squares=32):
    """Largest and mean errors against the direct sum's, in float32."""
    generator = np.random.default_rng(0)
    d = generator.standard_normal((squares, channels, 6, 6)).astype(np.float32)
    w = (generator.standard_normal((outputs, channels, 3, 3)) / 24).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(d, (3, 3), (2, 3))
    exact = np.einsum("tcxyij,kcij->tkxy", windows.astype(np.float64), w.astype(np.float64))
    direct = np.zeros((squares, outputs, 4, 4), np.float32)
    for i in range(9):
        for c in range(channels):
            direct += (windows[:, c:c + 1, ..., i // 3, i % 3]
                       * w[:, c, i // 3, i % 3][None, :, None, None])
    for text in POINTS:
        at, g, bt = matrices(*map(Fraction, text.split()))
        v, u = bt @ d @ bt.T, g @ w @ g.T
        m = np.zeros((squares, outputs, 6, 6), np.float32)
        for c in range(channels):
            m += v[:, c:c + 1] * u[None, :, c]
        errors = [np.abs(y - exact) for y in (at @ m @ at.T, direct)]
        print(f"0, +-{text.replace(' ', ', +-')}, infinity: largest "
              f"{errors[0].max() / errors[1].max():.2f}, root mean square "
              f"{np.sqrt((errors[0] ** 2).mean() / (errors[1] ** 2).mean()):.2f} times the direct "
              "form's")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", action="store_true", help="errors by points, in NumPy")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    (points if options.points else measure if options.measure else compare)()
