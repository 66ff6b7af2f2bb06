"""Runs the passes that rewrite a graph into an equivalent, cheaper one, in their order."""

from __future__ import annotations

from ..ir import Node
from .eliminate_common import eliminate_common
from .factor_sums import factor_sums
from .pool_gradients import narrow_pool_gradients
from .simplify import simplify
from .slopes import factor_slopes

__all__ = ["PASSES", "rewrite"]

PASSES = (simplify, narrow_pool_gradients, eliminate_common, factor_sums, eliminate_common,
          simplify, factor_slopes)


def rewrite(outputs: list[Node], passes=None, check=None) -> list[Node]:
    """`outputs` after every pass; `check(name, outputs)` is called after each."""
    for one in PASSES if passes is None else passes:
        outputs = one(outputs)
        if check is not None:
            check(one.__name__, outputs)
    return outputs
