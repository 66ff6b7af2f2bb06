"""``flambeau info`` and ``flambeau cache``: what this installation has to work with."""

from __future__ import annotations

import platform
import sys

__all__ = ["cache_command", "information", "print_info"]


def information() -> dict[str, str]:
    """Names and values, in the order of printing."""
    import llvmlite
    import numpy

    from . import __version__
    from .runtime import _cache, _cpu, _pool
    place = _cache.cache_directory()
    entries, nbytes = _cache.cache_size()
    sizes = _cpu.cache_sizes()
    sizes = sizes if isinstance(sizes, dict) else dict(enumerate(sizes, 1))
    caches = ", ".join(f"L{level} {size // 1024} KiB" for level, size in sizes.items())
    return {
        "flambeau": __version__,
        "python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "numpy, llvmlite": f"{numpy.__version__}, {llvmlite.__version__}",
        "processor": f"{_cpu.name()}, {_cpu.usable_cores()} usable cores",
        "caches": caches,
        "vector width": f"{_cpu.vector_width()} float32 ({32 * _cpu.vector_width()} bits)",
        "features": _features(_cpu.features()),
        "memory": f"{_cpu.memory_bytes() / 2 ** 30:.1f} GiB",
        "threads": str(_pool.get_num_threads()),
        "cache": "switched off (FLAMBEAU_CACHE)" if place is None else
                 f"{place}, {entries} kernels, {nbytes / 1e6:.1f} MB",
        "devices": "cpu",
    }


_TELLING = ("sse4.2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512dq", "avx512vl",
            "avx512vnni", "avx512bf16", "avx512fp16", "amx-bf16", "neon", "sve", "fullfp16")


def _features(text: str) -> str:
    found = {f[1:] for f in text.split(",") if f.startswith("+")}
    return " ".join(f for f in _TELLING if f in found) or "none beyond the baseline"


def print_info(arguments: list[str]) -> int:
    """The command ``flambeau info``."""
    if arguments:
        print("usage: flambeau info", file=sys.stderr)
        return 2
    found = information()
    width = max(map(len, found))
    for name, value in found.items():
        print(f"{name:<{width}}  {value}")
    return 0


def cache_command(arguments: list[str]) -> int:
    """The command ``flambeau cache clear``."""
    if arguments != ["clear"]:
        print("usage: flambeau cache clear", file=sys.stderr)
        return 2
    from .runtime import _cache
    place = _cache.cache_directory()
    if place is None:
        print("the cache is switched off (FLAMBEAU_CACHE)")
        return 0
    entries, nbytes = _cache.cache_size()
    _cache.clear_cache()
    print(f"removed {entries} kernels, {nbytes / 1e6:.1f} MB, from {place}")
    return 0
