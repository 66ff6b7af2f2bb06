"""``torch.backends.cpu``."""

__all__ = ["get_cpu_capability"]


def get_cpu_capability() -> str:
    """"AVX512", "AVX2" or "DEFAULT": the widest vectors that kernels use."""
    from ..runtime import _cpu
    return {16: "AVX512", 8: "AVX2"}.get(_cpu.vector_width(), "DEFAULT")
