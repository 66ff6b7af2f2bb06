"""``torch.autograd.profiler``: the profiler under its older name."""

from __future__ import annotations

from .. import profiler
from ..profiler import record_function

__all__ = ["profile", "record_function"]


class profile(profiler.profile):
    """Profiles what runs inside the context, as :class:`flambeau.profiler.profile` does.

    Args:
        enabled: False does nothing.
        use_cuda, use_device: no device but the CPU exists: a warning, or NotImplementedError.
        record_shapes, with_flops, profile_memory, with_stack: as there.
        with_modules, experimental_config, acc_events, custom_trace_id_callback,
            post_processing_timeout_s, activity_filters: not supported.
        use_kineto: without effect, as in PyTorch.
        use_cpu: must be True.

    >>> import flambeau as torch
    >>> with torch.autograd.profiler.profile() as prof:
    ...     _ = torch.ones(3).exp()
    >>> "aten::exp" in prof.table()
    True
    """

    def __init__(self, enabled: bool = True, *, use_cuda: bool = False, use_device=None,
                 record_shapes: bool = False, with_flops: bool = False,
                 profile_memory: bool = False, with_stack: bool = False,
                 with_modules: bool = False, use_kineto: bool = False, use_cpu: bool = True,
                 experimental_config=None, acc_events: bool = False,
                 custom_trace_id_callback=None, post_processing_timeout_s: float | None = None,
                 activity_filters=None):
        if not use_cpu:
            raise NotImplementedError("profile(use_cpu=False) is not supported: there is only the "
                                      "CPU")
        if use_device not in (None, "cuda"):
            raise NotImplementedError(f"profile(use_device={use_device!r}) is not supported: there "
                                      "is only the CPU")
        if activity_filters is not None:
            raise NotImplementedError("profile(activity_filters=...) is not supported: leave it "
                                      "out")
        super().__init__(
            record_shapes=record_shapes, with_flops=with_flops, profile_memory=profile_memory,
            with_stack=with_stack, with_modules=with_modules, acc_events=acc_events,
            experimental_config=experimental_config, use_cuda=use_cuda or use_device == "cuda",
            custom_trace_id_callback=custom_trace_id_callback,
            post_processing_timeout_s=post_processing_timeout_s)
        self.enabled = enabled

    def __enter__(self) -> profile:
        if self.enabled:
            self.start()
        return self

    def table(self, sort_by: str | None = None, row_limit: int = 100, **options) -> str:
        """The averages as text: ``key_averages().table(...)``."""
        return self.key_averages().table(sort_by, row_limit, **options)

    def total_average(self):
        """Everything as one event."""
        return self.key_averages().total_average()

    @property
    def self_cpu_time_total(self) -> float:
        """The time of everything, in microseconds."""
        return self.key_averages().self_cpu_time_total

    def __str__(self) -> str:
        return self.table() if self._recorded is not None else repr(self)
