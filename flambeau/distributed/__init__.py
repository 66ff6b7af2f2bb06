"""``torch.distributed``: not available; programs that ask run as one process."""

from __future__ import annotations

from ..compat._device_module import raising

__all__ = ["get_rank", "get_world_size", "init_process_group", "is_available",
           "is_gloo_available", "is_initialized", "is_mpi_available", "is_nccl_available",
           "is_torchelastic_launched"]


def is_available() -> bool:
    """False."""
    return False


is_initialized = is_nccl_available = is_gloo_available = is_mpi_available = is_available
is_torchelastic_launched = is_available

_ABSENT = ("torch.distributed.{name} is not available in Flambeau: it runs in one process. Ask "
           "torch.distributed.is_available() before.")
_uninitialised = raising(__name__, "get_rank get_world_size get_backend", ValueError,
                         "Default process group has not been initialized, please make sure to call "
                         "init_process_group. (torch.distributed is not available in Flambeau.)")
get_rank, get_world_size, get_backend = _uninitialised.values()
globals().update(raising(__name__, """
    all_gather all_gather_object all_reduce all_to_all barrier broadcast broadcast_object_list
    destroy_process_group gather init_process_group irecv isend monitored_barrier new_group recv
    reduce reduce_scatter scatter send""", RuntimeError, _ABSENT))


def __getattr__(name: str):
    if name.startswith("__"):
        raise AttributeError(name)
    raise AttributeError(_ABSENT.format(name=name))
