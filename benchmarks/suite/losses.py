"""Whether both libraries compute the same: the losses of their first steps side by side."""

__all__ = ["TOLERANCE", "agreeing_steps", "apart", "difference", "sentence"]

TOLERANCE = 1e-3


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


def agreeing_steps(own, other):
    """After how many steps the losses first differ by more than the tolerance."""
    for step, (a, b) in enumerate(zip(own, other)):
        if not difference(a, b) <= TOLERANCE:
            return step
    return min(len(own), len(other))


def sentence(losses, what="loss of step"):
    """How the losses compare, in words, with a verdict.

    A network can be so sensitive that the rounding of another order of additions changes its losses
    (a deep residual network on a batch of 8). PyTorch's own two memory layouts then part as early;
    the verdict is "agree" if Flambeau's losses follow PyTorch's for as many steps as those do.
    """
    own, other, second = losses
    a, b, step = last_pair(own, other)
    text = f"{what} {step}" if what.endswith("step") else what
    text += f" {a:.6g} and {b:.6g}, {difference(a, b):.1e} apart"
    if not apart(own, other):
        return f"{text}: agree"
    if second is None:
        return f"{text}: DIFFER"
    ours, theirs = agreeing_steps(own, other), agreeing_steps(second, other)
    verdict = "agree as well" if ours >= theirs and theirs < len(second) else "DIFFER"
    return (f"{text}, the same for {ours} steps; PyTorch's two layouts are the same for {theirs}:"
            f" {verdict}")
