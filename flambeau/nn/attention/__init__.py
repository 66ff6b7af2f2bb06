"""Choosing among attention kernels: accepted and without effect, for there is one kernel."""
import contextlib
import enum

__all__ = ["SDPBackend", "sdpa_kernel"]


class SDPBackend(enum.IntEnum):
    """PyTorch's attention kernels."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4


@contextlib.contextmanager
def sdpa_kernel(backends, set_priority=False):
    """Let PyTorch's choice of kernels stand in scripts; the results do not depend on it here.

    Args:
        backends: one :class:`SDPBackend` or a list of them.
    """
    chosen = backends if isinstance(backends, (list, tuple)) else [backends]
    for backend in chosen:
        if not isinstance(backend, SDPBackend):
            raise AssertionError(
                "Backend must be an instance of SDPBackend or a list of SDPBackend instances"
            )
    yield
