"""Connectionist temporal classification: the forward recursion over time, unrolled."""

from __future__ import annotations

from .. import dtypes
from ..graph.primitives.movement import slice_dim
from .build import cast, constant, expand_to, full, full_like, iota, p
from .declare import operation

__all__ = ["ctc_loss"]

_IMPOSSIBLE = -1e30       # stands for log(0): finite, so that no gradient becomes NaN


def _log_sum(*terms):
    """``log(sum(exp(term)))``; all impossible stays impossible."""
    top = terms[0]
    for term in terms[1:]:
        top = p.maximum(top, term)
    top = p.detach(top)
    total = None
    for term in terms:
        power = p.exp(p.sub(term, top))
        total = power if total is None else p.add(total, power)
    return p.add(top, p.log(total))


def _normaliser(log_probs, ends):
    """Zero, with the gradient exp(log_probs) in every frame that counts.

    PyTorch's gradient takes the log-probabilities to be the results of a log-softmax, and so
    adds the softmax's share to the exact derivative.
    """
    fixed = p.detach(log_probs)
    term = p.mul(p.exp(fixed), p.sub(log_probs, fixed))
    batch = log_probs.shape[1]
    counted = p.lt(iota(term.shape, 0),
                   expand_to(p.reshape(ends, shape=(1, batch, 1)), term.shape))
    return p.reduce_sum(p.where(counted, term, full_like(term, 0)), dims=(0, 2))


def _static_row(values, dtype=dtypes.int64):
    """The numbers `values` as a node of one dimension."""
    parts = [p.reshape(constant(v, dtype), shape=(1,)) for v in values]
    return parts[0] if len(parts) == 1 else p.concatenate(*parts, dim=0)


@operation("ctc_loss", method=False, namespace="_nn")
def ctc_loss(log_probs: Tensor, targets: Tensor, input_lengths: tuple, target_lengths: tuple,
             blank: int, zero_infinity: bool):
    """One loss per sample; ``log_probs`` is (T, N, C), ``targets`` (N, S) or joined (sum S,)."""
    steps, batch, classes = log_probs.shape
    longest = max(target_lengths, default=0)
    targets = cast(targets, dtypes.int64)
    if targets.ndim == 1 and batch != 1:
        rows, start = [], 0
        for length in target_lengths:
            row = slice_dim(targets, 0, start, start + length)
            row = p.pad(row, low=(0,), high=(longest - length,), interior=(0,), value=blank)
            rows.append(p.reshape(row, shape=(1, longest)))
            start += length
        targets = p.concatenate(*rows, dim=0)
    else:
        targets = p.reshape(targets, shape=(batch, targets.numel // batch))
        targets = slice_dim(targets, 1, 0, longest)
    states = 2 * longest + 1                       # blank, label, blank, …, blank
    labels = p.pad(targets, low=(0, 1), high=(0, 1), interior=(0, 1), value=blank)
    if longest == 0:
        labels = full((batch, 1), blank, dtypes.int64)
    position = iota((batch, states), 1)
    lengths = p.reshape(_static_row(target_lengths), shape=(batch, 1))
    last = expand_to(p.mul(lengths, full_like(lengths, 2)), (batch, states))
    labels = p.where(p.gt(position, last), full_like(labels, blank), labels)
    before = p.pad(labels, low=(0, 2), high=(0, -2), interior=(0, 0), value=blank) \
        if states > 2 else full_like(labels, blank)
    may_skip = p.bitwise_and(p.ne(labels, full_like(labels, blank)), p.ne(labels, before))

    def emitted(t):
        frame = p.reshape(slice_dim(log_probs, 0, t, t + 1), shape=(batch, classes))
        value = p.gather(frame, labels, dim=1, message="")
        low = full_like(value, _IMPOSSIBLE)
        return p.where(p.lt(value, low), low, value)

    def shifted(alpha, by):
        if by >= states:
            return full_like(alpha, _IMPOSSIBLE)
        return p.pad(alpha, low=(0, by), high=(0, -by), interior=(0, 0), value=_IMPOSSIBLE)

    first = p.le(position, full_like(position, 1))
    alpha = emitted(0)
    impossible = full_like(alpha, _IMPOSSIBLE)
    alpha = p.where(first, alpha, impossible)
    ends = p.reshape(_static_row(input_lengths), shape=(batch, 1))
    for t in range(1, steps):
        skip = p.where(may_skip, shifted(alpha, 2), impossible)
        new = p.add(_log_sum(alpha, shifted(alpha, 1), skip), emitted(t))
        new = p.maximum(new, impossible)
        running = p.gt(ends, full_like(ends, t))
        alpha = p.where(expand_to(running, alpha.shape), new, alpha)
    final = p.eq(position, last)
    second = p.eq(position, p.sub(last, full_like(last, 1)))
    ending = p.where(p.bitwise_or(final, second), alpha, impossible)
    top = p.detach(p.reduce_max(ending, dims=(1,)))
    spread_top = expand_to(p.reshape(top, shape=(batch, 1)), ending.shape)
    total = p.reduce_sum(p.exp(p.sub(ending, spread_top)), dims=(1,))
    loss = p.neg(p.add(top, p.log(total)))
    loss = p.add(loss, _normaliser(log_probs, ends))
    unlikely = p.gt(p.detach(loss), full_like(loss, -_IMPOSSIBLE / 2))
    return p.where(unlikely, full_like(loss, 0 if zero_infinity else float("inf")), loss)
