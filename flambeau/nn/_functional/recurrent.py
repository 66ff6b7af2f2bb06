"""Recurrent layers stacked from one recorded operation per layer and direction."""
import flambeau
from flambeau.ops import nn_recurrent as ops

from .dropout import dropout as drop


def recurrent(
    mode, input, hx, weights, *, bias, num_layers, bidirectional, dropout, batch_sizes,
    batch_first, projected,
):
    """All layers over a sequence: the outputs of the last layer and the final states."""
    directions = 2 if bidirectional else 1
    is_lstm = mode == "LSTM"
    states = tuple(hx) if is_lstm else (hx,)
    per_layer = len(weights) // (num_layers * directions)
    x = input.transpose(0, 1) if batch_first else input
    finals = []
    for layer in range(num_layers):
        outputs = []
        for direction in range(directions):
            index = layer * directions + direction
            result = ops.recurrent_layer(
                mode, x, [state[index] for state in states],
                weights[index * per_layer : (index + 1) * per_layer], bias, projected,
                direction == 1, batch_sizes,
            )
            outputs.append(result[0])
            finals.append(result[1:])
        x = outputs[0] if directions == 1 else flambeau.cat(outputs, dim=-1)
        if dropout > 0 and layer < num_layers - 1:
            x = drop(x, dropout)
    stacked = tuple(flambeau.stack(each) for each in zip(*finals))
    output = x.transpose(0, 1) if batch_first else x
    return output, stacked if is_lstm else stacked[0]


def recurrent_cell(mode, input, states, w_ih, w_hh, b_ih, b_hh):
    """One step of a cell: the list of new states."""
    return list(ops.recurrent_cell(mode, input, list(states), w_ih, w_hh, b_ih, b_hh))
