"""``torch.backends.xnnpack``: not used."""

__all__ = ["enabled", "is_available"]

enabled = False


def is_available() -> bool:
    """False."""
    return False
