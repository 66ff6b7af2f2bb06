"""What ``torch.profiler`` is made of; loaded when a profile is first made.

`watch` collects runs of programs and the user's ranges, `calls` shares their time out over the
recorded calls, `names` calls those as PyTorch does, and `averages` prints tables.
"""
