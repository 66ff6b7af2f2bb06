"""The host processor: its LLVM name and features, vector width, usable cores and memory.

`FLAMBEAU_VECTOR_WIDTH` = 4, 8 or 16 (float32 lanes) narrows generated code: the features of wider
vectors are masked, so that LLVM cannot use them either. It is read once per process.
"""

import functools
import os
import platform

__all__ = ["cache_sizes", "features", "has_fma", "has_half_conversion", "is_arm64", "is_x86",
           "memory_bytes", "name", "usable_cores", "vector_width"]

# what must go when vectors are narrowed to 8 (AVX2) or 4 (SSE4, which has no fused multiply-add)
_WIDER_THAN_8 = ("avx512", "avx10", "evex512", "amx")
_WIDER_THAN_4 = _WIDER_THAN_8 + ("avx", "fma", "f16c", "vaes", "vpclmulqdq", "xop")


@functools.cache
def _host():
    import llvmlite.binding as llvm

    try:
        found = dict(llvm.get_host_cpu_features())
    except RuntimeError:  # LLVM cannot tell on some ARM systems: then the name decides
        found = {}
    return llvm.get_host_cpu_name(), found


@functools.cache
def is_x86():
    """Whether the machine is x86."""
    return platform.machine().lower() in ("x86_64", "amd64", "i386", "i686")


@functools.cache
def is_arm64():
    """Whether the machine is a 64-bit ARM."""
    return platform.machine().lower() in ("arm64", "aarch64")


def _natural_width():
    _, found = _host()
    if not is_x86():
        return 4
    if found.get("avx512f") and found.get("avx512bw") and found.get("avx512vl"):
        return 16
    return 8 if found.get("avx") else 4


@functools.cache
def vector_width():
    """float32 lanes of one vector register: 16 (AVX-512), 8 (AVX), 4 (SSE, NEON)."""
    natural = _natural_width()
    wanted = os.environ.get("FLAMBEAU_VECTOR_WIDTH")
    if not wanted:
        return natural
    if wanted not in ("4", "8", "16"):
        raise ValueError(f"FLAMBEAU_VECTOR_WIDTH must be 4, 8 or 16; received {wanted!r}")
    if int(wanted) > natural:
        raise ValueError(f"FLAMBEAU_VECTOR_WIDTH={wanted}: this CPU ({_host()[0]}) has vectors of "
                         f"at most {natural} float32 lanes; unset it or set a smaller width")
    return int(wanted)


@functools.cache
def _enabled():
    _, found = _host()
    width = vector_width()
    masked = _WIDER_THAN_8 if width == 8 else _WIDER_THAN_4 if width == 4 and is_x86() else ()
    return {key: on and not key.startswith(masked) for key, on in found.items()} if masked \
        else found


def name():
    """LLVM's name of the host CPU, such as "znver4"; "x86-64" when vectors are narrowed.

    A CPU's name implies its features, those that were masked included.
    """
    if is_x86() and vector_width() < _natural_width():
        return "x86-64"
    return _host()[0]


@functools.cache
def features():
    """The feature string for LLVM's target machine, such as "+avx2,-avx512f"."""
    return ",".join(("+" if on else "-") + key for key, on in sorted(_enabled().items()))


@functools.cache
def has_fma():
    """Whether a fused multiply-add is an instruction (always on ARM64)."""
    return bool(_enabled().get("fma")) if is_x86() else True


def has_scaling():
    """Whether one instruction multiplies 512 bits of floats by powers of two (AVX-512)."""
    return is_x86() and vector_width() == 16


@functools.cache
def has_half_conversion():
    """Whether converting float16 is an instruction (F16C; always on ARM64)."""
    return bool(_enabled().get("f16c")) if is_x86() else True


def usable_cores():
    """Cores this process may run on: its affinity mask, bounded by a container's CPU quota."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        cores = os.cpu_count() or 1
    quota = _cgroup_quota()
    return max(1, min(cores, quota)) if quota else max(1, cores)


def _cgroup_quota():
    try:
        with open("/sys/fs/cgroup/cpu.max") as file:
            limit, period = file.read().split()
        return None if limit == "max" else max(1, round(int(limit) / int(period)))
    except (OSError, ValueError):
        return None


@functools.cache
def cache_sizes():
    """Bytes of the (L1 data, L2, L3) caches as one core sees them, with common defaults."""
    sizes = {1: 32 << 10, 2: 512 << 10, 3: 8 << 20}
    base = "/sys/devices/system/cpu/cpu0/cache"
    try:
        for index in sorted(os.listdir(base)):
            if not index.startswith("index"):
                continue
            level, kind, size = (_read(f"{base}/{index}/{leaf}")
                                 for leaf in ("level", "type", "size"))
            if kind != "Instruction" and size.endswith("K"):
                sizes[int(level)] = int(size[:-1]) << 10
    except (OSError, ValueError):
        pass
    return sizes[1], sizes[2], sizes[3]


def _read(path):
    with open(path) as file:
        return file.read().strip()


def memory_bytes():
    """Bytes of physical memory, bounded by a container's limit; None where it cannot be known."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
    try:
        limit = _read("/sys/fs/cgroup/memory.max")
        return total if limit == "max" else min(total, int(limit))
    except (OSError, ValueError):
        return total
