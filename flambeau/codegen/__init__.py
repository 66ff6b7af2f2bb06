"""Machine code: the IR builder, vector mathematics, and the generators of every kernel."""
