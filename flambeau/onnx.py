"""``torch.onnx``: not supported; programs may ask whether an export is running."""

__all__ = ["export", "is_in_onnx_export"]


def is_in_onnx_export() -> bool:
    """False."""
    return False


def export(*args, **kwargs):
    """Raises: models cannot be exported to ONNX."""
    raise NotImplementedError("torch.onnx.export is not supported by Flambeau: load the "
                              "state_dict into PyTorch and export there")
