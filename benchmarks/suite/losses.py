"""Whether both libraries compute the same: the losses of their first steps side by side."""

import math

__all__ = ["SPREAD", "TOLERANCE", "apart", "difference", "sentence", "typical_difference"]

TOLERANCE = 1e-3
# What another algorithm's rounding may be, as a multiple of that between PyTorch's two layouts:
# Winograd's convolutions are allowed four times the direct form's error.
SPREAD = 4.0


def difference(own, other):
    """How far apart two losses are, relative to the second."""
    return abs(own - other) / max(abs(other), 1e-12)


def last_pair(own, other):
    """The losses of the last step that both report, and its number."""
    step = min(len(own), len(other))
    return own[step - 1], other[step - 1], step


def apart(own, other):
    """Whether the last losses differ by more than the tolerance (or are not numbers)."""
    return not difference(*last_pair(own, other)[:2]) <= TOLERANCE


def typical_difference(own, other, steps):
    """The geometric mean of the differences of the first steps, each at least 1e-7."""
    found = [math.log(max(difference(a, b), 1e-7)) for a, b in zip(own[:steps], other)]
    return math.exp(sum(found) / len(found))


def sentence(losses, what="loss of step"):
    """How the losses compare, in words, with a verdict.

    A network can be so sensitive that adding in another order changes its losses by more than the
    tolerance (a deep residual network on a batch of 8). PyTorch's own two memory layouts are apart
    as well then; the verdict is "agree as well" if Flambeau's losses are as close to PyTorch's as
    those are to each other, within the factor `SPREAD`.
    """
    own, other, second = losses
    a, b, step = last_pair(own, other)
    text = f"{what} {step}" if what.endswith("step") else what
    text += f" {a:.6g} and {b:.6g}, {difference(a, b):.1e} apart"
    if not apart(own, other):
        return f"{text}: agree"
    if second is None:
        return f"{text}: DIFFER"
    steps = min(len(own), len(other), len(second))
    ours, theirs = (typical_difference(found, other, steps) for found in (own, second))
    sensitive = any(difference(x, y) > TOLERANCE for x, y in zip(second, other))
    verdict = "agree as well" if sensitive and ours <= SPREAD * theirs else "DIFFER"
    return (f"{text}; in steps 1 to {steps} typically {ours:.1e}, PyTorch's two layouts"
            f" {theirs:.1e}: {verdict}")
