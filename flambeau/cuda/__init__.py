"""``torch.cuda`` without CUDA: ``is_available()`` is False, what needs a GPU raises."""

from __future__ import annotations

from .. import dtypes as _dtypes
from ..compat._device_module import answers, raising, stream_context, unavailable_class
from ..runtime._out_of_memory import OutOfMemoryError as OutOfMemoryError

_MISSING = "Torch not compiled with CUDA enabled (Flambeau runs on the CPU; use device='cpu')"

is_available = answers(__name__, {"is_available": False})["is_available"]
globals().update(answers(__name__, {
    "device_count": 0, "is_initialized": False, "is_bf16_supported": False, "manual_seed": None,
    "manual_seed_all": None, "seed": None, "seed_all": None, "empty_cache": None,
    "memory_allocated": 0, "max_memory_allocated": 0, "memory_reserved": 0,
    "max_memory_reserved": 0, "memory_cached": 0, "max_memory_cached": 0, "memory_stats": {},
    "reset_peak_memory_stats": None, "reset_max_memory_allocated": None,
    "reset_accumulated_memory_stats": None, "get_rng_state_all": [], "set_rng_state_all": None,
    "get_arch_list": [], "memory_summary": "no CUDA device", "is_current_stream_capturing": False,
}))
globals().update(raising(__name__, """
    can_device_access_peer current_blas_handle current_device current_stream default_stream
    get_device_capability get_device_name get_device_properties get_rng_state init initial_seed
    ipc_collect mem_get_info memory_usage power_draw set_device set_per_process_memory_fraction
    set_rng_state set_stream synchronize temperature utilization""", AssertionError, _MISSING))

default_generators = ()
stream = StreamContext = stream_context
Stream = unavailable_class(__name__, "Stream", RuntimeError,
                           "torch.cuda.Stream requires CUDA support")
Event = unavailable_class(__name__, "Event", RuntimeError,
                          "torch.cuda.Event requires CUDA support; for the CPU use "
                          "time.perf_counter()")
CUDAGraph = unavailable_class(__name__, "CUDAGraph", RuntimeError, _MISSING)


class device:
    """Accepted as PyTorch accepts it without CUDA: entering it changes nothing."""

    def __init__(self, device):
        self.idx = device

    def __enter__(self):
        return None

    def __exit__(self, *error):
        return False


device_of = device

for _kind in _dtypes.ALL_DTYPES:
    _name = f"{_kind.legacy_name}Tensor"
    globals()[_name] = unavailable_class(
        __name__, _name, TypeError, f"type torch.cuda.{_name} not available. " + _MISSING)
del _kind, _name

__all__ = sorted(n for n in globals() if not n.startswith("_") and n not in (
    "annotations", "answers", "raising", "stream_context", "unavailable_class"))


def __getattr__(name: str):
    if name == "amp":
        import importlib
        return importlib.import_module(".amp", __name__)
    raise AttributeError(f"module 'torch.cuda' has no attribute '{name}': there is no CUDA here")
