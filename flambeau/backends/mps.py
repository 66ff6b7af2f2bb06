"""``torch.backends.mps``: not used."""

__all__ = ["is_available"]


def is_available() -> bool:
    """False."""
    return False


def is_built() -> bool:
    """False."""
    return False


def is_macos13_or_newer(minor=0) -> bool:
    """False."""
    return False


__all__ += ["is_built", "is_macos13_or_newer"]
