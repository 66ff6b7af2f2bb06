"""Sequences of different lengths: packing, padding and back."""
from collections import namedtuple
from collections.abc import Iterable

import flambeau

__all__ = [
    "PackedSequence", "invert_permutation", "pack_padded_sequence", "pack_sequence",
    "pad_packed_sequence", "pad_sequence", "unpack_sequence", "unpad_sequence",
]

PackedSequence_ = namedtuple(
    "PackedSequence_", ["data", "batch_sizes", "sorted_indices", "unsorted_indices"]
)


class PackedSequence(PackedSequence_):
    """The steps of several sequences one after the other, without padding.

    ``data`` (total steps, …) holds step 0 of all sequences, then step 1 of those that have one …;
    ``batch_sizes`` says how many each step has.  Made by :func:`pack_padded_sequence`.
    """

    def __new__(cls, data, batch_sizes=None, sorted_indices=None, unsorted_indices=None):
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        if batch_sizes is None:
            if not (isinstance(data, (list, tuple)) and len(data) == 2):
                raise AssertionError("Expected data to be a list or tuple of length 2")
            data, batch_sizes = data
        elif batch_sizes.device.type != "cpu":
            raise ValueError(
                "batch_sizes should always be on CPU. Instances of PackedSequence should never be "
                "created manually. They should be instantiated by functions like pack_sequence "
                "and pack_padded_sequences in nn.utils.rnn."
            )
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def _with_data(self, data, move=None):
        if data is self.data:
            return self
        indices = [
            index if index is None or move is None else move(index)
            for index in (self.sorted_indices, self.unsorted_indices)
        ]
        return type(self)(data, self.batch_sizes, *indices)

    def pin_memory(self):
        """Return the sequence in pinned memory."""
        return self._with_data(self.data.pin_memory(), lambda index: index.pin_memory())

    def to(self, *args, **kwargs):
        """Move or convert the data, as ``Tensor.to`` does."""
        data = self.data.to(*args, **kwargs)
        return self._with_data(data, lambda index: index.to(data.device))

    def cuda(self, *args, **kwargs):
        """Move the data to the GPU; raises without a device backend."""
        return self._with_data(self.data.cuda(*args, **kwargs), lambda index: index.cuda())

    def cpu(self, *args, **kwargs):
        """Move the data to the CPU."""
        return self._with_data(self.data.cpu(), lambda index: index.cpu())

    def double(self):
        """Cast the data to float64."""
        return self.to(dtype=flambeau.float64)

    def float(self):
        """Cast the data to float32."""
        return self.to(dtype=flambeau.float32)

    def half(self):
        """Cast the data to float16."""
        return self.to(dtype=flambeau.float16)

    def long(self):
        """Cast the data to int64."""
        return self.to(dtype=flambeau.int64)

    def int(self):
        """Cast the data to int32."""
        return self.to(dtype=flambeau.int32)

    @property
    def is_cuda(self):
        """Whether the data is on the GPU."""
        return self.data.is_cuda

    def is_pinned(self):
        """Whether the data is in pinned memory."""
        return self.data.is_pinned()


def invert_permutation(permutation):
    """Return the inverse of a permutation (None stays None)."""
    if permutation is None:
        return None
    places = flambeau.arange(0, permutation.numel(), device=permutation.device)
    return flambeau.empty_like(permutation).scatter_(0, permutation, places)


def pack_padded_sequence(input, lengths, batch_first=False, enforce_sorted=True):
    """Pack padded sequences ``(T, B, *)`` with their ``lengths``.

    Args:
        batch_first: the input is ``(B, T, *)``.
        enforce_sorted: the lengths must decrease; otherwise they are sorted here.

    >>> import flambeau as torch
    >>> padded = torch.tensor([[1, 2, 0], [3, 0, 0]])
    >>> packed = torch.nn.utils.rnn.pack_padded_sequence(padded, [2, 1], batch_first=True)
    >>> packed.data, packed.batch_sizes
    (tensor([1, 3, 2]), tensor([2, 1]))
    """
    if isinstance(lengths, flambeau.Tensor):
        lengths = lengths.to(dtype=flambeau.int64)
    else:
        lengths = flambeau.as_tensor(lengths, dtype=flambeau.int64)
    if lengths.dim() != 1:
        raise RuntimeError(
            f"'lengths' argument should be a 1D CPU int64 tensor, but got {lengths.dim()}D "
            f"{lengths.device.type} {lengths.dtype} tensor"
        )
    sorted_indices = None
    if not enforce_sorted:
        lengths, sorted_indices = flambeau.sort(lengths, descending=True)
        input = input.index_select(0 if batch_first else 1, sorted_indices)
    if batch_first:
        input = input.transpose(0, 1)
    sizes = lengths.tolist()
    _check_lengths(sizes, input.size(1))
    steps, batch = sizes[0], len(sizes)
    if steps > input.size(0):
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size and lengths at most "
            f"{input.size(0)}, but got a length of {steps}"
        )
    batch_sizes = [sum(size > t for size in sizes) for t in range(steps)]
    rows = [t * batch + b for t, count in enumerate(batch_sizes) for b in range(count)]
    flat = input[:steps].reshape(steps * batch, *input.shape[2:])
    data = flat.index_select(0, flambeau.tensor(rows, dtype=flambeau.int64))
    return PackedSequence(data, flambeau.tensor(batch_sizes), sorted_indices, None)


def _check_lengths(sizes, batch):
    if len(sizes) != batch:
        raise RuntimeError(
            "Expected `len(lengths)` to be equal to batch_size, but got "
            f"{len(sizes)} (batch_size={batch})"
        )
    if not sizes:
        raise RuntimeError("Cannot pack empty tensors.")
    if min(sizes) <= 0:
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' "
            "that is <= 0"
        )
    if any(a < b for a, b in zip(sizes, sizes[1:])):
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. "
            "You can pass `enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to "
            "sidestep this requirement if you do not need ONNX exportability."
        )


def pad_packed_sequence(sequence, batch_first=False, padding_value=0.0, total_length=None):
    """Return the padded sequences and their lengths; the inverse of packing.

    Args:
        total_length: pad to this length instead of the longest one.
    """
    batch_sizes = sequence.batch_sizes.tolist()
    steps = len(batch_sizes)
    if total_length is not None:
        if total_length < steps:
            raise ValueError(
                "Expected total_length to be at least the length of the longest sequence in "
                f"input, but got total_length={total_length} and max sequence length being {steps}"
            )
        steps = total_length
    batch = batch_sizes[0]
    data = sequence.data
    rows = [t * batch + b for t, count in enumerate(batch_sizes) for b in range(count)]
    flat = flambeau.full((steps * batch, *data.shape[1:]), padding_value, dtype=data.dtype)
    padded = flat.index_copy(0, flambeau.tensor(rows, dtype=flambeau.int64), data)
    padded = padded.reshape(steps, batch, *data.shape[1:])
    lengths = flambeau.tensor([sum(count > b for count in batch_sizes) for b in range(batch)])
    if batch_first:
        padded = padded.transpose(0, 1)
    order = sequence.unsorted_indices
    if order is not None:
        return padded.index_select(0 if batch_first else 1, order), lengths[order]
    return padded, lengths


def pad_sequence(sequences, batch_first=False, padding_value=0.0, padding_side="right"):
    """Stack sequences ``(L_i, *)`` into ``(T, B, *)``, padded with ``padding_value``.

    >>> import flambeau as torch
    >>> torch.nn.utils.rnn.pad_sequence([torch.ones(2), torch.ones(1)], batch_first=True)
    tensor([[1., 1.],
            [1., 0.]])
    """
    if not isinstance(sequences, Iterable):
        raise RuntimeError(
            "pad_sequence: Expected iterable for input sequences, but got arg of type: "
            f"{type(sequences)}"
        )
    sequences = tuple(sequences)
    if not sequences:
        raise RuntimeError("received an empty list of sequences")
    if padding_side not in ("left", "right"):
        raise RuntimeError("Expected padding_side to be one of left or right, but got "
                           f"{padding_side}.")
    longest = max(sequence.size(0) for sequence in sequences)
    padded = []
    for sequence in sequences:
        missing = longest - sequence.size(0)
        pads = [0, 0] * (sequence.dim() - 1)
        pads += [missing, 0] if padding_side == "left" else [0, missing]
        if missing:
            sequence = flambeau.nn.functional.pad(sequence, pads, value=float(padding_value))
        padded.append(sequence)
    return flambeau.stack(padded, 0 if batch_first else 1)


def unpad_sequence(padded_sequences, lengths, batch_first=False):
    """Return the list of sequences without their padding."""
    if not batch_first:
        padded_sequences = padded_sequences.transpose(0, 1)
    return [row[: int(n)] for row, n in zip(padded_sequences.unbind(0), lengths.tolist())]


def pack_sequence(sequences, enforce_sorted=True):
    """Pack a list of sequences ``(L_i, *)``."""
    lengths = flambeau.as_tensor([sequence.size(0) for sequence in sequences])
    return pack_padded_sequence(
        pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted
    )


def unpack_sequence(packed_sequences):
    """Return the list of sequences of a packed sequence."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
