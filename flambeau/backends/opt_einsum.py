"""``torch.backends.opt_einsum``: not used."""

__all__ = ["enabled", "is_available", "strategy"]

enabled = False
strategy = None


def is_available() -> bool:
    """False."""
    return False
