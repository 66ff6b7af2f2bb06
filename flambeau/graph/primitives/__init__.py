"""The primitives of the graph, one family a file; importing this package declares them all."""

from . import (contract, decompose, external, fourier, index, movement, pointwise,  # noqa: F401
               reduce, scan, special, window)
