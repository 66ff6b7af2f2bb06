"""``torch.backends.cudnn``: absent. Its flags are kept; results here are always deterministic."""

from ._flags import flags_of

__all__ = ["allow_tf32", "benchmark", "benchmark_limit", "deterministic", "enabled", "flags",
           "is_acceptable", "is_available", "version"]

enabled = True
benchmark = False
benchmark_limit = 10
deterministic = False
allow_tf32 = True
flags = flags_of(globals(), ("enabled", "benchmark", "benchmark_limit", "deterministic",
                             "allow_tf32"))


def is_available() -> bool:
    """False."""
    return False


def is_acceptable(tensor) -> bool:
    """False."""
    return False


def version():
    """None: not installed."""
    return None
