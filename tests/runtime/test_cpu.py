from flambeau.runtime import _cpu


def test_the_host_is_described():
    assert _cpu.name() and _cpu.usable_cores() >= 1
    l1, l2, l3 = _cpu.cache_sizes()
    assert 8 << 10 <= l1 <= l2 <= l3
    assert _cpu.memory_bytes() is None or _cpu.memory_bytes() > 1 << 28
    assert _cpu.is_x86() != _cpu.is_arm64() or not _cpu.is_x86()


def test_usable_cores_respect_a_quota(monkeypatch):
    monkeypatch.setattr(_cpu, "_cgroup_quota", lambda: 1)
    assert _cpu.usable_cores() == 1
