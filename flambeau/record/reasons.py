"""Why a program is new: the first event in which it differs from those known before."""

from __future__ import annotations

from .trace import Step

__all__ = ["describe_event", "first_difference", "in_words"]


def first_difference(step: Step) -> tuple[str, str, tuple[str, int] | None]:
    """Why a program is new: its first event off the known path, the known one, and the line."""
    branch = step
    while branch.parent is not None:
        siblings = list(branch.parent.children.values())
        if len(siblings) > 1 and siblings[0] is not branch:
            known = siblings[siblings.index(branch) - 1]
            return describe_event(branch.key), describe_event(known.key), branch.site
        if branch.parent.programs and branch is not step:
            return describe_event(branch.key), "the end of the program", branch.site
        branch = branch.parent
    if step.programs:
        return "other values in use at its end", "the same operations", step.site
    return "", "", step.site


def in_words(new: str, old: str, site: tuple[str, int] | None) -> str:
    """The difference of a program from the known ones as a sentence."""
    if not new:
        return "first program"
    where = f" at {site[0]}:{site[1]}" if site else ""
    return f"{new} where a known program has {old}{where}"


def describe_event(key) -> str:
    """An event in words."""
    if key is None:
        return "the beginning"
    head = key[0]
    if hasattr(head, "shape"):
        return f"an input {head!r}"
    if isinstance(head, str):
        return {"backward": "backward()", "gradients": "the end of backward()",
                "written": "an in-place write", "rewritten": "an in-place write"}.get(head, head)
    name = getattr(head, "name", str(head))
    return f"{name}{key[1]!r}" if len(key) > 1 and key[1] else name
