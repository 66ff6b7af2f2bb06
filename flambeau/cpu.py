"""``torch.cpu``: the one device there is."""

import contextlib

__all__ = ["current_device", "current_stream", "device_count", "is_available", "set_device",
           "stream", "synchronize"]


def is_available() -> bool:
    """Always."""
    return True


def device_count() -> int:
    """One, however many cores it has."""
    return 1


def current_device() -> str:
    """"cpu"."""
    return "cpu"


def set_device(device) -> None:
    """Nothing to choose."""


def synchronize(device=None) -> None:
    """Run what is pending."""
    from .record.trace import flush
    flush()


def current_stream(device=None):
    """There are no streams: None."""
    return None


def stream(stream=None):
    """A context that changes nothing."""
    return contextlib.nullcontext()
