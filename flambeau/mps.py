"""``torch.mps`` without Metal: not available; what needs it raises."""

from .compat._device_module import answers, raising

globals().update(answers(__name__, {
    "is_available": False, "device_count": 0, "manual_seed": None, "seed": None}))
globals().update(raising(__name__, """
    current_allocated_memory driver_allocated_memory empty_cache get_rng_state
    recommended_max_memory set_per_process_memory_fraction set_rng_state synchronize""",
                         RuntimeError, "Cannot execute {name}() without MPS backend."))
__all__ = sorted(n for n in globals() if not n.startswith("_") and n not in ("answers", "raising"))
