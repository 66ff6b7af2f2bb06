"""``torch.xpu`` without an Intel GPU: not available; what needs it raises."""

from .compat._device_module import answers, raising

globals().update(answers(__name__, {
    "is_available": False, "device_count": 0, "is_initialized": False, "manual_seed": None,
    "manual_seed_all": None, "seed": None, "empty_cache": None, "memory_allocated": 0,
    "max_memory_allocated": 0, "memory_reserved": 0, "is_bf16_supported": False}))
globals().update(raising(__name__, """
    current_device current_stream get_device_capability get_device_name get_device_properties
    init set_device synchronize""", AssertionError, "Torch not compiled with XPU enabled"))
__all__ = sorted(n for n in globals() if not n.startswith("_") and n not in ("answers", "raising"))
