"""``torch.accelerator``: there is none; programs then use the CPU."""

from .compat._device_module import answers, raising

globals().update(answers(__name__, {
    "is_available": False, "current_accelerator": None, "device_count": 0}))
globals().update(raising(__name__, """
    current_device_idx current_device_index current_stream empty_cache max_memory_allocated
    memory_allocated memory_reserved set_device_idx set_device_index set_stream synchronize""",
                         RuntimeError,
                         "Cannot access accelerator device when none is available."))
__all__ = sorted(n for n in globals() if not n.startswith("_") and n not in ("answers", "raising"))
