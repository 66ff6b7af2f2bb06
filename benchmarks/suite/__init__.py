"""What `compare.py` and `scaling.py` are made of: rows, processes, modes, measures, tables."""
