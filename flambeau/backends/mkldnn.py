"""``torch.backends.mkldnn``: not used; its flags are kept."""

from ._flags import flags_of

__all__ = ["allow_tf32", "deterministic", "enabled", "flags", "is_available"]

enabled = True
deterministic = False
allow_tf32 = True
flags = flags_of(globals(), ("enabled", "deterministic", "allow_tf32"))


def is_available() -> bool:
    """False."""
    return False
