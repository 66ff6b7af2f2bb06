"""Recurrent networks over whole sequences and their single cells."""
import math
import numbers
import warnings

import flambeau

from .. import functional as F
from .. import init
from ..parameter import Parameter
from ..utils.rnn import PackedSequence
from .module import Module

__all__ = ["GRU", "GRUCell", "LSTM", "LSTMCell", "RNN", "RNNBase", "RNNCell", "RNNCellBase"]

_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}


class RNNBase(Module):
    """Weights, checks and printing of :class:`RNN`, :class:`LSTM` and :class:`GRU`."""

    __constants__ = [
        "mode", "input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout",
        "bidirectional", "proj_size",
    ]

    def __init__(
        self, mode, input_size, hidden_size, num_layers=1, bias=True, batch_first=False,
        dropout=0.0, bidirectional=False, proj_size=0, device=None, dtype=None,
    ):
        super().__init__()
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self._check_options(dropout)

        gates = _GATES[mode] * hidden_size
        state = proj_size or hidden_size
        directions = 2 if bidirectional else 1
        factory = {"device": device, "dtype": dtype}
        self._flat_weights_names = []
        self._all_weights = []
        for layer in range(num_layers):
            width = input_size if layer == 0 else state * directions
            for suffix in ("", "_reverse")[:directions]:
                shapes = {"weight_ih": (gates, width), "weight_hh": (gates, state)}
                if bias:
                    shapes.update(bias_ih=(gates,), bias_hh=(gates,))
                if proj_size > 0:
                    shapes["weight_hr"] = (proj_size, hidden_size)
                names = []
                for name, shape in shapes.items():
                    names.append(f"{name}_l{layer}{suffix}")
                    setattr(self, names[-1], Parameter(flambeau.empty(shape, **factory)))
                self._flat_weights_names.extend(names)
                self._all_weights.append(names)
        self.reset_parameters()

    def _check_options(self, dropout):
        if isinstance(dropout, bool) or not isinstance(dropout, numbers.Number) or not (
            0 <= dropout <= 1
        ):
            raise ValueError(
                "dropout should be a number in range [0, 1] representing the probability of an "
                "element being zeroed"
            )
        if dropout > 0 and self.num_layers == 1:
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero "
                "dropout expects num_layers greater than 1, but got "
                f"dropout={dropout} and num_layers={self.num_layers}",
                stacklevel=4,
            )
        for name, kind in (
            ("bias", bool), ("batch_first", bool), ("input_size", int), ("hidden_size", int),
        ):
            value = getattr(self, name)
            if not isinstance(value, kind):
                raise TypeError(
                    f"{name} should be of type {kind.__name__}, got: {type(value).__name__}"
                )
        for name in ("input_size", "hidden_size", "num_layers"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be greater than zero")
        if self.proj_size < 0:
            raise ValueError(
                "proj_size should be a positive integer or zero to disable projections"
            )
        if self.proj_size >= self.hidden_size:
            raise ValueError("proj_size has to be smaller than hidden_size")
        if self.mode not in _GATES:
            raise ValueError(f"Unrecognized RNN mode: {self.mode}")

    @property
    def _flat_weights(self):
        return [getattr(self, name) for name in self._flat_weights_names]

    @property
    def all_weights(self):
        """The parameters, one list a layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    def flatten_parameters(self):
        """Do nothing: weights need no special memory on this device."""

    def reset_parameters(self):
        """Draw every parameter uniformly from ``±1/sqrt(hidden_size)``."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    # ---- checks ----

    def check_input(self, input, batch_sizes):
        """Raise where ``input`` has another dtype, dimension or size than expected."""
        dtype = self._flat_weights[0].dtype
        if input.dtype != dtype:
            raise ValueError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({dtype}). "
                f"Convert input: input.to({dtype}), or convert model: model.to({input.dtype})"
            )
        dims = 2 if batch_sizes is not None else 3
        if input.dim() != dims:
            raise RuntimeError(f"input must have {dims} dimensions, got {input.dim()}")
        if self.input_size != input.size(-1):
            raise RuntimeError(
                "input.size(-1) must be equal to input_size. "
                f"Expected {self.input_size}, got {input.size(-1)}"
            )

    def get_expected_hidden_size(self, input, batch_sizes):
        """Return the shape (layers * directions, batch, size) of the hidden state."""
        if batch_sizes is not None:
            batch = int(batch_sizes[0])
        else:
            batch = input.size(0 if self.batch_first else 1)
        directions = 2 if self.bidirectional else 1
        return (self.num_layers * directions, batch, self.proj_size or self.hidden_size)

    def check_hidden_size(self, hx, expected_hidden_size, msg="Expected hidden size {}, got {}"):
        """Raise where the hidden state has another shape than expected."""
        if tuple(hx.size()) != tuple(expected_hidden_size):
            raise RuntimeError(msg.format(expected_hidden_size, list(hx.size())))

    def check_forward_args(self, input, hidden, batch_sizes):
        """Check input and hidden state."""
        self.check_input(input, batch_sizes)
        self.check_hidden_size(hidden, self.get_expected_hidden_size(input, batch_sizes))

    def permute_hidden(self, hx, permutation):
        """Return the hidden state with its batch reordered."""
        return hx if permutation is None else hx.index_select(1, permutation)

    # ---- forward ----

    def forward(self, input, hx=None):
        packed = input if isinstance(input, PackedSequence) else None
        name = type(self).__name__ if type(self) in (RNN, LSTM, GRU) else "RNN"
        unbatched = False
        batch_sizes = sorted_indices = unsorted_indices = None
        if packed is not None:
            input, batch_sizes, sorted_indices, unsorted_indices = packed
        else:
            if input.dim() not in (2, 3):
                raise ValueError(
                    f"{name}: Expected input to be 2D or 3D, got {input.dim()}D instead"
                )
            unbatched = input.dim() == 2
            if unbatched:
                input = input.unsqueeze(0 if self.batch_first else 1)
        if hx is None:
            hx = self._zero_state(input, batch_sizes)
        else:
            hx = self._given_state(hx, unbatched, packed is not None, sorted_indices)
        self.check_forward_args(input, hx, batch_sizes)
        lengths = None if batch_sizes is None else tuple(batch_sizes.tolist())
        output, state = F._recurrent(
            self.mode, input, hx, self._flat_weights, bias=self.bias,
            num_layers=self.num_layers, bidirectional=self.bidirectional,
            dropout=self.dropout if self.training else 0.0, batch_sizes=lengths,
            batch_first=self.batch_first and packed is None, projected=self.proj_size > 0,
        )
        if packed is not None:
            output = PackedSequence(output, batch_sizes, sorted_indices, unsorted_indices)
        elif unbatched:
            output = output.squeeze(0 if self.batch_first else 1)
            state = self._map_state(state, lambda h: h.squeeze(1))
        return output, self._permute_state(state, unsorted_indices)

    @staticmethod
    def _map_state(state, fn):
        return tuple(fn(h) for h in state) if isinstance(state, tuple) else fn(state)

    def _permute_state(self, state, permutation):
        return self._map_state(state, lambda h: RNNBase.permute_hidden(self, h, permutation))

    def _zero_state(self, input, batch_sizes):
        shape = self.get_expected_hidden_size(input, batch_sizes)
        return flambeau.zeros(shape, dtype=input.dtype, device=input.device)

    def _given_state(self, hx, unbatched, is_packed, sorted_indices):
        if is_packed:
            return self.permute_hidden(hx, sorted_indices)
        wanted = 2 if unbatched else 3
        if hx.dim() != wanted:
            raise RuntimeError(
                f"For {'unbatched 2' if unbatched else 'batched 3'}-D input, hx should also be "
                f"{wanted}-D but got {hx.dim()}-D tensor"
            )
        return hx.unsqueeze(1) if unbatched else hx

    def extra_repr(self):
        parts = [f"{self.input_size}, {self.hidden_size}"]
        for name, default in (
            ("proj_size", 0), ("num_layers", 1), ("bias", True), ("batch_first", False),
            ("dropout", 0), ("bidirectional", False),
        ):
            if getattr(self, name) != default:
                parts.append(f"{name}={getattr(self, name)}")
        return ", ".join(parts)

    def __getstate__(self):
        return {**self.__dict__, "_flat_weights": self._flat_weights}  # PyTorch expects the list

    def __setstate__(self, state):
        state = dict(state)
        state.pop("_flat_weights", None)  # PyTorch stores the list as well
        super().__setstate__(state)
        self.__dict__.setdefault("proj_size", 0)


class RNN(RNNBase):
    """``h_t = tanh(x_t W_ih^T + b_ih + h_{t-1} W_hh^T + b_hh)`` over a sequence (Elman, 1990).

    Args: as in :class:`LSTM`; ``nonlinearity`` (fourth) is ``"tanh"`` or ``"relu"``.

    >>> import flambeau as torch
    >>> output, h = torch.nn.RNN(10, 20, 2)(torch.zeros(5, 3, 10))
    >>> output.shape, h.shape
    (torch.Size([5, 3, 20]), torch.Size([2, 3, 20]))
    """

    def __init__(self, *args, **kwargs):
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        if len(args) > 3:
            nonlinearity = args[3]
            args = args[:3] + args[4:]
        else:
            nonlinearity = kwargs.pop("nonlinearity", "tanh")
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(
                f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'."
            )
        super().__init__(f"RNN_{nonlinearity.upper()}", *args, **kwargs)
        self.nonlinearity = nonlinearity


class GRU(RNNBase):
    """Gated recurrent units over a sequence.

    ``r, z = sigmoid(…)``, ``n = tanh(x W_in^T + b_in + r * (h W_hn^T + b_hn))``,
    ``h' = (1 - z) * n + z * h``.

    Args: as in :class:`LSTM`, without ``proj_size``.

    >>> import flambeau as torch
    >>> output, h = torch.nn.GRU(10, 20, 2)(torch.zeros(5, 3, 10))
    >>> output.shape, h.shape
    (torch.Size([5, 3, 20]), torch.Size([2, 3, 20]))

    Reference: Cho et al., 2014, https://arxiv.org/abs/1406.1078.
    """

    def __init__(self, *args, **kwargs):
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        super().__init__("GRU", *args, **kwargs)


class LSTM(RNNBase):
    """Long short-term memory over a sequence.

    ``i, f, o = sigmoid(…)``, ``g = tanh(…)``, ``c' = f * c + i * g``, ``h' = o * tanh(c')``.

    Args:
        input_size, hidden_size, num_layers: sizes and number of stacked layers.
        bias: whether ``b_ih`` and ``b_hh`` exist.
        batch_first: inputs are (batch, length, size) instead of (length, batch, size).
        dropout: probability of dropping outputs of every layer but the last, in training.
        bidirectional: add layers that run backwards.
        proj_size: project the hidden state to this size.

    ``forward`` takes a tensor or a ``PackedSequence`` and optionally ``(h_0, c_0)``; it returns
    ``output, (h_n, c_n)``.

    >>> import flambeau as torch
    >>> output, (h, c) = torch.nn.LSTM(10, 20, 2)(torch.zeros(5, 3, 10))
    >>> output.shape, c.shape
    (torch.Size([5, 3, 20]), torch.Size([2, 3, 20]))

    Reference: Hochreiter and Schmidhuber, 1997.
    """

    def __init__(self, *args, **kwargs):
        super().__init__("LSTM", *args, **kwargs)

    def get_expected_cell_size(self, input, batch_sizes):
        """Return the shape of the cell state."""
        layers, batch, _ = self.get_expected_hidden_size(input, batch_sizes)
        return (layers, batch, self.hidden_size)

    def check_forward_args(self, input, hidden, batch_sizes):
        self.check_input(input, batch_sizes)
        self.check_hidden_size(
            hidden[0], self.get_expected_hidden_size(input, batch_sizes),
            "Expected hidden[0] size {}, got {}",
        )
        self.check_hidden_size(
            hidden[1], self.get_expected_cell_size(input, batch_sizes),
            "Expected hidden[1] size {}, got {}",
        )

    def permute_hidden(self, hx, permutation):
        return self._permute_state(tuple(hx), permutation)

    def _zero_state(self, input, batch_sizes):
        cells = self.get_expected_cell_size(input, batch_sizes)
        options = {"dtype": input.dtype, "device": input.device}
        return super()._zero_state(input, batch_sizes), flambeau.zeros(cells, **options)

    def _given_state(self, hx, unbatched, is_packed, sorted_indices):
        if is_packed:
            return self.permute_hidden(hx, sorted_indices)
        wanted = 2 if unbatched else 3
        if hx[0].dim() != wanted or hx[1].dim() != wanted:
            kind = "unbatched 2" if unbatched else "batched 3"
            raise RuntimeError(
                f"For {kind}-D input, hx and cx should also be {wanted}-D but got "
                f"({hx[0].dim()}-D, {hx[1].dim()}-D) tensors"
            )
        return tuple(h.unsqueeze(1) for h in hx) if unbatched else tuple(hx)


# ---- single cells ----


class RNNCellBase(Module):
    """Weights, checks and printing of the cells."""

    __constants__ = ["input_size", "hidden_size", "bias"]
    _mode = None

    def __init__(self, input_size, hidden_size, bias, num_chunks, device=None, dtype=None):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        rows = num_chunks * hidden_size
        shapes = {"weight_ih": (rows, input_size), "weight_hh": (rows, hidden_size)}
        for name, shape in {**shapes, "bias_ih": (rows,), "bias_hh": (rows,)}.items():
            parameter = None
            if bias or name in shapes:
                parameter = Parameter(flambeau.empty(shape, device=device, dtype=dtype))
            self.register_parameter(name, parameter)
        self.reset_parameters()

    def reset_parameters(self):
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def _check_dims(self, tensor, what):
        if tensor.dim() not in (1, 2):
            raise ValueError(
                f"{type(self).__name__}: Expected {what} to be 1D or 2D, got {tensor.dim()}D "
                "instead"
            )

    def _step(self, input, states):
        """One step of the cell on a batch; adds and removes the batch dimension if needed."""
        unbatched = input.dim() == 1
        if unbatched:
            input = input.unsqueeze(0)
            states = None if states is None else [state.unsqueeze(0) for state in states]
        if states is None:
            zeros = flambeau.zeros(
                input.size(0), self.hidden_size, dtype=input.dtype, device=input.device
            )
            states = [zeros, zeros][: 2 if self._mode == "LSTM" else 1]
        mode = self._mode or f"RNN_{self.nonlinearity.upper()}"
        results = F._recurrent_cell(
            mode, input, states, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh
        )
        return [result.squeeze(0) for result in results] if unbatched else results

    def extra_repr(self):
        text = f"{self.input_size}, {self.hidden_size}"
        if self.__dict__.get("bias", True) is not True:
            text += f", bias={self.bias}"
        if self.__dict__.get("nonlinearity", "tanh") != "tanh":
            text += f", nonlinearity={self.nonlinearity}"
        return text


class _SingleStateCell(RNNCellBase):
    def forward(self, input, hx=None):
        self._check_dims(input, "input")
        if hx is not None:
            self._check_dims(hx, "hidden")
        return self._step(input, None if hx is None else [hx])[0]


class RNNCell(_SingleStateCell):
    """One step of :class:`RNN`: ``(N, input_size), (N, hidden_size)`` to ``(N, hidden_size)``."""

    __constants__ = ["input_size", "hidden_size", "bias", "nonlinearity"]

    def __init__(
        self, input_size, hidden_size, bias=True, nonlinearity="tanh", device=None, dtype=None
    ):
        super().__init__(input_size, hidden_size, bias, 1, device=device, dtype=dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input, hx=None):
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        return super().forward(input, hx)


class GRUCell(_SingleStateCell):
    """One step of :class:`GRU`: ``(N, input_size), (N, hidden_size)`` to ``(N, hidden_size)``."""

    _mode = "GRU"

    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None):
        super().__init__(input_size, hidden_size, bias, 3, device=device, dtype=dtype)


class LSTMCell(RNNCellBase):
    """One step of :class:`LSTM`: an input and ``(h, c)`` to ``(h', c')``."""

    _mode = "LSTM"

    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None):
        super().__init__(input_size, hidden_size, bias, 4, device=device, dtype=dtype)

    def forward(self, input, hx=None):
        self._check_dims(input, "input")
        if hx is not None:
            for i, state in enumerate(hx):
                self._check_dims(state, f"hx[{i}]")
        return tuple(self._step(input, hx))
