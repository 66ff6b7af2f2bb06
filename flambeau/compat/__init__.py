"""Running unmodified PyTorch programs: the import alias, and the program runner."""

from .alias import install, uninstall

__all__ = ["install", "uninstall"]
