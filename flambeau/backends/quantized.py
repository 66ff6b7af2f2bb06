"""``torch.backends.quantized``: no engine."""

__all__ = ["engine", "supported_engines"]

engine = "none"
supported_engines = ["none"]
