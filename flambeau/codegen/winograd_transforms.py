"""The transforms of Winograd's convolution F(4x4, 3x3) and of its weight gradient.

Below `winograd` and `winograd_weight`, beside `tile`. A 4x4 square of outputs of a 3x3 convolution
with stride 1 takes 36 products for each pair of channels instead of 144:

    Y = A' [ sum over channels of (G g G') * (B' d B) ] A

with d the 6x6 square of inputs (https://arxiv.org/abs/1509.09308). The same three matrices, read
the other way, give the gradient with respect to the weights: g = G' [ (A y A') * (B' d B) ] G.

The usual points 0, 1, -1, 2, -2 and infinity give 4 to 7 times the error of the direct sum (largest
error, normal numbers, 64 and 256 channels); 0, 3/4, -3/4, 3/2, -3/2 and infinity, whose matrices
are as exact in float32, give 1.7 to 1.8 times (weight gradient: 1.0), measured against float64.
"""

from __future__ import annotations

__all__ = ["INPUT", "OUTPUT", "POSITIONS", "gather_weight", "spread_gradient", "transform_input",
           "transform_output", "transform_square", "transform_weight"]

OUTPUT = 4                 # outputs of a square in each direction
INPUT = 6                  # inputs of a square in each direction
POSITIONS = INPUT * INPUT  # products for each pair of channels

_A, _B = 0.75, 1.5         # the points besides 0 and infinity are plus and minus these
_A2, _B2 = _A * _A, _B * _B
_NORM_0 = 1 / (_A2 * _B2)
_NORM_A = 1 / (2 * _A2 * (_A2 - _B2))
_NORM_B = 1 / (2 * _B2 * (_B2 - _A2))


def transform_input(f, d):
    """B' d: six inputs to six factors."""
    even_a, odd_a = _sum(f, d[4], d[2], -_B2), _sum(f, d[3], d[1], -_B2)
    even_b, odd_b = _sum(f, d[4], d[2], -_A2), _sum(f, d[3], d[1], -_A2)
    return [_sum(f, _sum(f, d[4], d[2], -_A2 - _B2), d[0], _A2 * _B2),
            _sum(f, even_a, odd_a, _A), _sum(f, even_a, odd_a, -_A),
            _sum(f, even_b, odd_b, _B), _sum(f, even_b, odd_b, -_B),
            _sum(f, _sum(f, d[5], d[3], -_A2 - _B2), d[1], _A2 * _B2)]


def transform_output(f, m):
    """A' m: six products to four outputs."""
    even_a, odd_a, even_b, odd_b = _pairs(m)
    return [m[0] + even_a + even_b,
            _sum(f, odd_a * _A, odd_b, _B),
            _sum(f, even_a * _A2, even_b, _B2),
            _sum(f, _sum(f, m[5], odd_a, _A ** 3), odd_b, _B ** 3)]


def transform_weight(f, g):
    """G g: three weights to six factors."""
    even_a, odd_a = _sum(f, g[0], g[2], _A2) * _NORM_A, g[1] * (_A * _NORM_A)
    even_b, odd_b = _sum(f, g[0], g[2], _B2) * _NORM_B, g[1] * (_B * _NORM_B)
    return [g[0] * _NORM_0, even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, g[2]]


def spread_gradient(f, y):
    """A y: the gradients of four outputs to six factors."""
    even_a, odd_a = _sum(f, y[0], y[2], _A2), _sum(f, y[1] * _A, y[3], _A ** 3)
    even_b, odd_b = _sum(f, y[0], y[2], _B2), _sum(f, y[1] * _B, y[3], _B ** 3)
    return [y[0], even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, y[3]]


def gather_weight(f, m):
    """G' m: six sums of products to the gradients of three weights."""
    even_a, odd_a, even_b, odd_b = _pairs(m)
    return [_sum(f, _sum(f, m[0] * _NORM_0, even_a, _NORM_A), even_b, _NORM_B),
            _sum(f, odd_a * (_A * _NORM_A), odd_b, _B * _NORM_B),
            _sum(f, _sum(f, m[5], even_a, _A2 * _NORM_A), even_b, _B2 * _NORM_B)]


def transform_square(f, transform, size, load, store):
    """Applies a transform to the columns of a square of `size`, then to its rows.

    `load(row, column)` returns an element, a vector of channels; `store(row, column, value)` takes
    one of the result.
    """
    columns = [transform(f, [load(i, j) for i in range(size)]) for j in range(size)]
    for i in range(len(columns[0])):
        for j, value in enumerate(transform(f, [column[i] for column in columns])):
            store(i, j, value)


def _pairs(m):
    return m[1] + m[2], m[1] - m[2], m[3] + m[4], m[3] - m[4]


def _sum(f, a, b, factor):
    return f.fma(b, f.like(b, factor), a)
