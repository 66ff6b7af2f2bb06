"""Buffers, the thread pool, and running compiled programs: the lowest layer but the dtypes."""
