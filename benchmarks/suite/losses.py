"""Whether both libraries compute the same: the losses of their first steps side by side."""

__all__ = ["TOLERANCE", "apart", "difference", "sentence"]

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


def sentence(losses, what="loss of step"):
    """How the losses of Flambeau and PyTorch compare, in words, with a verdict."""
    own, other = losses
    a, b, step = last_pair(own, other)
    text = f"{what} {step}" if what.endswith("step") else what
    verdict = "DIFFER" if apart(own, other) else "agree"
    return f"{text} {a:.6g} and {b:.6g}, {difference(a, b):.1e} apart: {verdict}"
