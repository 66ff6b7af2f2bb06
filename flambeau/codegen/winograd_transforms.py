"""The transforms of Winograd's convolutions F(4x4, 3x3) and F(2x2, 5x5), and of their gradients.

Below `winograd` and `winograd_weight`, beside `tile`. A square of 4x4 outputs of a 3x3 convolution
with stride 1 takes 36 products for each pair of channels instead of 144, one of 2x2 outputs of a
5x5 convolution 36 instead of 100:

    Y = A' [ sum over channels of (G g G') * (B' d B) ] A

with d the 6x6 square of inputs (https://arxiv.org/abs/1509.09308). The same three matrices, read
the other way, give the gradient with respect to the weights: g = G' [ (A y A') * (B' d B) ] G.
The two sizes share their points and so B.

The usual points 0, 1, -1, 2, -2 and infinity give 4 to 7 times the error of the direct sum (largest
error, normal numbers, 64 and 256 channels); 0, 3/4, -3/4, 3/2, -3/2 and infinity, whose matrices
are as exact in float32, give 1.7 to 1.8 times (weight gradient: 1.0), measured against float64.
"""

from __future__ import annotations

__all__ = ["INPUT", "POSITIONS", "gather_weight", "spread_gradient", "transform_input",
           "transform_output", "transform_square", "transform_weight"]

INPUT = 6                  # inputs of a square in each direction
POSITIONS = INPUT * INPUT  # products for each pair of channels

_A, _B = 0.75, 1.5         # the points besides 0 and infinity are plus and minus these
_A2, _B2 = _A * _A, _B * _B
_ONES = (1.0, 1.0, 1.0)
_NORMS = (1 / (_A2 * _B2), 1 / (2 * _A2 * (_A2 - _B2)), 1 / (2 * _B2 * (_B2 - _A2)))


def transform_input(f, d):
    """B' d: six inputs to six factors."""
    even_a, odd_a = _sum(f, d[4], d[2], -_B2), _sum(f, d[3], d[1], -_B2)
    even_b, odd_b = _sum(f, d[4], d[2], -_A2), _sum(f, d[3], d[1], -_A2)
    return [_sum(f, _sum(f, d[4], d[2], -_A2 - _B2), d[0], _A2 * _B2),
            _sum(f, even_a, odd_a, _A), _sum(f, even_a, odd_a, -_A),
            _sum(f, even_b, odd_b, _B), _sum(f, even_b, odd_b, -_B),
            _sum(f, _sum(f, d[5], d[3], -_A2 - _B2), d[1], _A2 * _B2)]


def transform_output(f, m, count):
    """A' m: six products to `count` outputs."""
    return _collect(f, m, count, _ONES)


def transform_weight(f, g):
    """G g: weights to six factors."""
    return _evaluate(f, g, _NORMS)


def spread_gradient(f, y):
    """A y: the gradients of outputs to six factors."""
    return _evaluate(f, y, _ONES)


def gather_weight(f, m, count):
    """G' m: six sums of products to the gradients of `count` weights."""
    return _collect(f, m, count, _NORMS)


def _evaluate(f, values, norms):
    """The polynomial with these coefficients at the six points, the last at infinity."""
    result = [_scaled(values[0], norms[0])]
    for point, norm in ((_A, norms[1]), (_B, norms[2])):
        even, odd = (_terms(f, [(v, norm * point ** i) for i, v in enumerate(values)
                                if i % 2 == parity]) for parity in (0, 1))
        result += [even + odd, even - odd]
    return [*result, values[-1]]


def _collect(f, m, count, norms):
    """The transpose of `_evaluate`: six values to `count` coefficients."""
    sums = [(m[1] + m[2], m[3] + m[4]), (m[1] - m[2], m[3] - m[4])]
    result = []
    for i in range(count):
        a, b = sums[i % 2]
        terms = [(a, norms[1] * _A ** i), (b, norms[2] * _B ** i)]
        if i == 0:
            terms.insert(0, (m[0], norms[0]))
        if i == count - 1:
            terms.insert(0, (m[5], 1.0))
        result.append(_terms(f, terms))
    return result


def _terms(f, terms):
    """The sum of value * factor."""
    (value, factor), *rest = terms
    total = _scaled(value, factor)
    for value, factor in rest:
        total = total + value if factor == 1 else _sum(f, total, value, factor)
    return total


def _scaled(value, factor):
    return value if factor == 1 else value * factor


def transform_square(f, transform, size, load, store):
    """Applies a transform to the columns of a square of `size`, then to its rows.

    `load(row, column)` returns an element, a vector of channels; `store(row, column, value)` takes
    one of the result.
    """
    columns = [transform(f, [load(i, j) for i in range(size)]) for j in range(size)]
    for i in range(len(columns[0])):
        for j, value in enumerate(transform(f, [column[i] for column in columns])):
            store(i, j, value)


def _sum(f, a, b, factor):
    return f.fma(b, f.like(b, factor), a)
