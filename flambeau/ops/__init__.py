"""Declarations of the operations, one family a file; see declare.py for how they are exposed."""
