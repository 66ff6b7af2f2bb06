"""The primitives of the graph, one family a file; importing this package declares them.

Those of linear algebra, Fourier transforms and scans are imported by the operations that use them.
"""

from . import (
    contract,
    external,
    index,
    movement,
    pointwise,
    reduce,
    special,
    window,
)
