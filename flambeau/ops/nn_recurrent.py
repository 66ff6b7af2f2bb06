"""Recurrent layers over whole sequences: one operation unrolls all steps, layers and directions."""

from __future__ import annotations

from ..graph.primitives.movement import slice_dim
from ._nn_common import shifted
from .build import full, p
from .declare import operation

__all__ = ["recurrent_cell", "recurrent_layer"]


def _product(x, weight):
    """``x @ weight.T`` over the last dimension."""
    return p.contract(x, weight, batch_a=(), batch_b=(), contract_a=(x.ndim - 1,), contract_b=(1,))


def _affine(x, weight, bias):
    out = _product(x, weight)
    return shifted(out, bias, out.ndim - 1)


def _parts(x, count):
    size = x.shape[-1] // count
    last = x.ndim - 1
    return [slice_dim(x, last, i * size, (i + 1) * size) for i in range(count)]


def _tanh_step(gates, hidden_gates, states):
    return [p.tanh(p.add(gates, hidden_gates))]


def _relu_step(gates, hidden_gates, states):
    return [p.relu(p.add(gates, hidden_gates))]


def _lstm_step(gates, hidden_gates, states):
    i, f, g, o = _parts(p.add(gates, hidden_gates), 4)
    cell = p.add(p.mul(p.sigmoid(f), states[1]), p.mul(p.sigmoid(i), p.tanh(g)))
    return [p.mul(p.sigmoid(o), p.tanh(cell)), cell]


def _gru_step(gates, hidden_gates, states):
    reset, update, new = _parts(gates, 3)
    hidden_reset, hidden_update, hidden_new = _parts(hidden_gates, 3)
    reset = p.sigmoid(p.add(reset, hidden_reset))
    update = p.sigmoid(p.add(update, hidden_update))
    new = p.tanh(p.add(new, p.mul(reset, hidden_new)))
    # h' = (1 - z) n + z h, written as PyTorch computes it
    return [p.add(p.mul(p.sub(states[0], new), update), new)]


_STEPS = {"RNN_TANH": _tanh_step, "RNN_RELU": _relu_step, "LSTM": _lstm_step, "GRU": _gru_step}


def _check_cell(input, hidden, w_ih, w_hh):
    if input.shape[-1] != w_ih.shape[1]:
        raise RuntimeError(f"input has inconsistent input_size: got {input.shape[-1]} expected "
                           f"{w_ih.shape[1]}")
    if hidden.shape[-1] != w_hh.shape[1]:
        raise RuntimeError("hidden0 has inconsistent hidden_size: got "
                           f"{hidden.shape[-1]}, expected {w_hh.shape[1]}")
    if input.shape[0] != hidden.shape[0]:
        raise RuntimeError(f"Input batch size {input.shape[0]} doesn't match hidden0 batch size "
                           f"{hidden.shape[0]}")


@operation(method=False, namespace="_nn")
def recurrent_cell(mode: str, input: Tensor, states: Tensors, w_ih: Tensor, w_hh: Tensor,
                   b_ih: Tensor | None, b_hh: Tensor | None):
    """The next states of one cell from a batch of inputs and the present states."""
    _check_cell(input, states[0], w_ih, w_hh)
    return tuple(_STEPS[mode](_affine(input, w_ih, b_ih), _affine(states[0], w_hh, b_hh), states))


@operation(method=False, namespace="_nn")
def recurrent_layer(mode: str, input: Tensor, states: Tensors, weights: Tensors, bias: bool,
                    projected: bool, reverse: bool, batch_sizes: Any = None):
    """One layer in one direction: the outputs of all steps, then the last states.

    ``input`` is (length, batch, size), or packed (total, size) with the ``batch_sizes`` of the
    steps; states are (batch, size).
    """
    weights = list(weights)
    w_ih, w_hh = weights[:2]
    b_ih, b_hh = weights[2:4] if bias else (None, None)
    w_hr = weights[-1] if projected else None
    gates = _affine(input, w_ih, b_ih)              # all steps in one product
    run = _run_steps if batch_sizes is None else _run_packed
    return tuple(run(mode, gates, list(states), w_hh, b_hh, w_hr, reverse, batch_sizes))


def _step(mode, gates, states, w_hh, b_hh, w_hr):
    new = _STEPS[mode](gates, _affine(states[0], w_hh, b_hh), states)
    if w_hr is not None:
        new[0] = _product(new[0], w_hr)
    return new


def _run_steps(mode, gates, states, w_hh, b_hh, w_hr, reverse, _):
    length = gates.shape[0]
    outputs = [None] * length
    for t in reversed(range(length)) if reverse else range(length):
        at = p.reshape(slice_dim(gates, 0, t, t + 1), shape=gates.shape[1:])
        states = _step(mode, at, states, w_hh, b_hh, w_hr)
        outputs[t] = p.reshape(states[0], shape=(1,) + states[0].shape)
    if not outputs:
        return [full((0,) + states[0].shape, 0, gates.dtype), *states]
    joined = outputs[0] if length == 1 else p.concatenate(*outputs, dim=0)
    return [joined, *states]


def _run_packed(mode, gates, states, w_hh, b_hh, w_hr, reverse, batch_sizes):
    """Steps whose batches shrink (forwards) or grow (backwards); sequences end one by one."""
    starts = [0]
    for size in batch_sizes:
        starts.append(starts[-1] + size)
    outputs = [None] * len(batch_sizes)
    initial = states
    if reverse:
        states = [slice_dim(s, 0, 0, batch_sizes[-1]) for s in initial]
    ended = []                 # states of sequences that ended, the shortest first
    for t in reversed(range(len(batch_sizes))) if reverse else range(len(batch_sizes)):
        size, before = batch_sizes[t], states[0].shape[0]
        if size < before:
            ended.append([slice_dim(s, 0, size, before) for s in states])
            states = [slice_dim(s, 0, 0, size) for s in states]
        elif size > before:
            states = [p.concatenate(s, slice_dim(first, 0, before, size), dim=0)
                      for s, first in zip(states, initial)]
        at = slice_dim(gates, 0, starts[t], starts[t + 1])
        states = outputs[t] = _step(mode, at, states, w_hh, b_hh, w_hr)
    hidden = [out[0] for out in outputs]
    joined = hidden[0] if len(hidden) == 1 else p.concatenate(*hidden, dim=0)
    final = []
    for i in range(len(initial)):
        parts = [states[i]] + [part[i] for part in reversed(ended)]
        final.append(parts[0] if len(parts) == 1 else p.concatenate(*parts, dim=0))
    return [joined, *final]


