"""The primitives of the graph, one family a file; importing this package declares them all."""

from . import (
    contract,
    decompose,
    external,
    fourier,
    index,
    movement,
    pointwise,
    reduce,
    scan,
    special,
    window,
)
