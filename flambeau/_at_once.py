"""Cutting and joining small integer tensors at the beginning of a program, done at once.

A loop that generates text appends to its tokens and cuts their end off: ``idx[:, -n:]``. Were that
recorded, every length of ``idx`` would begin another program, and the network behind it would be
recorded and compiled for each. Tokens have no gradient and little memory, so NumPy cuts them here
and the program begins with the piece. Anything unusual is left to the recorder.
"""

from __future__ import annotations

import numpy as np

from .ops.declare import DECLARED
from .record.trace import current_trace
from .tensor import Tensor, _link_view, from_array

__all__: list[str] = []

LIMIT = 65_536          # elements: beyond, copying costs more than recording


def _index(arrays, static):
    parts = []
    for part in static[0]:
        if isinstance(part, tuple):
            part = slice(*part[1:])
            if part.step is not None and part.step <= 0:
                return None
        parts.append(part)
    return arrays[0][tuple(parts)]


def _join(arrays, static):
    if len({a.dtype for a in arrays}) > 1 or len(arrays) != static[0]:
        return None
    return np.concatenate(arrays, axis=static[1])


def _evaluator(function):
    def run(declaration, operands, static):
        trace = current_trace()
        if trace.cursor is not trace.root:
            return None
        arrays = []
        for tensor in operands:
            if not isinstance(tensor, Tensor):
                return None
            value = tensor._fetch()
            if value.aval.dtype.category >= 2 or not value.is_concrete \
                    or value.aval.numel > LIMIT:
                return None
            arrays.append(value.array)
        try:
            found = function(arrays, static)
        except Exception:               # the recorder raises with PyTorch's words
            return None
        if found is None:
            return None
        made = from_array(np.array(found, order="C"), operands[0].dtype)
        if declaration.view:
            _link_view(made, operands[0], declaration, static)
        return made
    return run


DECLARED["_private.basic_index"].at_once = _evaluator(_index)
DECLARED["cat"].at_once = _evaluator(_join)
