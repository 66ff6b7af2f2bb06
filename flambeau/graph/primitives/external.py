"""Calls out of the graph into NumPy: decompositions, Fourier transforms, and the like.

``external`` names a function in ``CALLS`` that takes the node's static arguments and its input
arrays. With one result the node has its type; with several, ``get`` nodes pick them.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable

from ..ir import p, primitive

__all__ = ["CALLS", "LinAlgError", "VJPS", "call", "external", "results_of"]



class LinAlgError(RuntimeError):
    """A decomposition or solution that does not exist (``torch.linalg.LinAlgError``)."""


CALLS: dict[str, Callable] = {}
VJPS: dict[str, Callable] = {}


def external(name: str, vjp: Callable | None = None):
    """Register `function(static, *arrays)` (one array or a tuple) and its gradient rule.

    The rule of a function with one result is vjp(node, g); with several results it is
    vjp(node, gs), gs being a list that has None for results without a gradient.
    """
    def register(function):
        CALLS[name] = function
        if vjp is not None:
            VJPS[name] = vjp
        return function
    return register


def call(name: str, *inputs, static: tuple = (), result: tuple):
    """One node, or a tuple of nodes, for the results ((shape, dtype), …) of a registered call."""
    node = p.external(*inputs, call=name, static=static, result=result)
    if len(result) == 1:
        return node
    made = tuple(p.get(node, index=i) for i in range(len(result)))
    _results[node] = tuple(weakref.ref(m) for m in made)
    return made


_results: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def results_of(node) -> list:
    """The ``get`` nodes of a call with several results: those that exist, else new ones.

    A gradient rule reads these, so that what was computed forward is saved, not computed again.
    """
    known = [reference() for reference in _results.get(node, ())]
    return [(known[i] if known else None) or p.get(node, index=i)
            for i in range(len(node.attrs["result"]))]


def _infer(inputs, attrs):
    return attrs["result"][0]


def _evaluate(node, *arrays):
    return CALLS[node.attrs["call"]](node.attrs["static"], *arrays)


def _vjp(node, g):
    rule = VJPS.get(node.attrs["call"])
    if rule is None:
        raise NotImplementedError(
            f"derivative for aten::{node.attrs['call']} is not implemented")
    return rule(node, g)


primitive("external", "external", _infer, _evaluate, _vjp)
# Result number `index` of an external node; differentiation hands all gradients to its rule.
primitive("get", "external", lambda inputs, attrs: inputs[0].attrs["result"][attrs["index"]],
          lambda node, results: results[node.attrs["index"]], lambda node, g: (g,))
