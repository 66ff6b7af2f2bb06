"""``torch.version``: the version of PyTorch that the API follows, and what it is built for."""

from . import __version__

__all__ = ["__version__", "cuda", "debug", "git_version", "hip", "xpu"]

debug = False
cuda = hip = xpu = None
git_version = "unknown"
