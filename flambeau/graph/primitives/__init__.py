"""The primitives of the graph, one family a file; importing this package declares them all."""

from . import contract, external, index, movement, pointwise, reduce, window  # noqa: F401
