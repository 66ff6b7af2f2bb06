"""The line search of L-BFGS: cubic interpolation until the strong Wolfe conditions hold.

Reference: Nocedal and Wright, Numerical Optimization, 2nd edition, algorithms 3.5 and 3.6.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

__all__ = ["Point", "cubic_minimum", "strong_wolfe"]


@dataclass
class Point:
    """A place on the line: its distance, the loss, the gradient and its slope along the line."""

    t: float
    loss: float
    gradient: np.ndarray
    slope: float


def cubic_minimum(a: Point, b: Point, bounds: tuple[float, float] | None = None) -> float:
    """Where the cubic through both points and slopes is lowest, within bounds."""
    low, high = bounds or (min(a.t, b.t), max(a.t, b.t))
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = d1 ** 2 - a.slope * b.slope
    if not square >= 0:
        return (low + high) / 2.0
    d2 = math.sqrt(square)
    if a.t <= b.t:
        lowest = b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2))
    else:
        lowest = a.t - (a.t - b.t) * ((a.slope + d2 - d1) / (a.slope - b.slope + 2 * d2))
    return min(max(lowest, low), high)


def strong_wolfe(evaluate: Callable[[float], Point], start: Point, t: float, reach: float,
                 tolerance_change: float, limit: int, c1: float = 1e-4,
                 c2: float = 0.9) -> tuple[Point, int]:
    """A point that satisfies the conditions, or the best found; and how often was evaluated.

    reach: the largest element of the direction. limit: the number of iterations allowed.
    """
    new, evaluations, iterations = evaluate(t), 1, 0
    before, bracket, done = start, [], False
    while iterations < limit:
        too_high = new.loss > start.loss + c1 * new.t * start.slope
        if too_high or (iterations > 1 and new.loss >= before.loss):
            bracket = [before, new]
            break
        if abs(new.slope) <= -c2 * start.slope:
            bracket, done = [new], True
            break
        if new.slope >= 0:
            bracket = [before, new]
            break
        bounds = new.t + 0.01 * (new.t - before.t), new.t * 10
        t = cubic_minimum(before, new, bounds)
        before, new = new, evaluate(t)
        evaluations += 1
        iterations += 1
    if not bracket:
        bracket = [start, new]
    return _zoom(evaluate, start, bracket, done, reach, tolerance_change, limit, evaluations,
                 iterations, c1, c2)


def _zoom(evaluate, start, bracket, done, reach, tolerance_change, limit, evaluations, iterations,
          c1, c2):
    """Shrink the bracket around a minimum."""
    stalled = False
    low, high = (0, 1) if bracket[0].loss <= bracket[-1].loss else (1, 0)
    while not done and iterations < limit:
        left, right = sorted((bracket[0].t, bracket[1].t))
        if (right - left) * reach < tolerance_change:
            break
        t = cubic_minimum(bracket[0], bracket[1])
        margin = 0.1 * (right - left)
        if min(right - t, t - left) < margin:        # too near to an end of the bracket
            if stalled or t >= right or t <= left:
                t = right - margin if abs(t - right) < abs(t - left) else left + margin
                stalled = False
            else:
                stalled = True
        else:
            stalled = False
        new = evaluate(t)
        evaluations += 1
        iterations += 1
        if new.loss > start.loss + c1 * t * start.slope or new.loss >= bracket[low].loss:
            bracket[high] = new
            low, high = (0, 1) if bracket[0].loss <= bracket[1].loss else (1, 0)
            continue
        if abs(new.slope) <= -c2 * start.slope:
            done = True
        elif new.slope * (bracket[high].t - bracket[low].t) >= 0:
            bracket[high] = replace(bracket[low])
        bracket[low] = new
    return bracket[low], evaluations
