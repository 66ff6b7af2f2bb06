import gc
import threading

import numpy as np
import pytest

import flambeau as torch
from flambeau.runtime import buffer as module
from flambeau.runtime.buffer import (
    Buffer,
    memory_statistics,
    release_pool,
    reset_peak,
    set_pool_limit,
)

SIZES = [0, 1, 63, 64, 65, 511, 513, 4097, 100_000, 1 << 20, (1 << 20) + 1, 5_000_001]


@pytest.mark.parametrize("nbytes", SIZES)
def test_memory_is_aligned_writable_and_its_own(nbytes):
    buffers = [Buffer(nbytes) for _ in range(5)]
    views = [b.array("uint8", (nbytes,)) for b in buffers]
    for i, view in enumerate(views):
        view[:] = i
    assert all(b.pointer % 64 == 0 and b.nbytes == nbytes for b in buffers)
    assert all((view == i).all() for i, view in enumerate(views))


def test_size_classes_waste_at_most_a_quarter():
    sizes = np.unique(np.geomspace(64, 1e10, 3000).astype(int)).tolist()
    classes = [module.size_class(n) for n in sizes]
    assert all(n <= c and c % 64 == 0 for n, c in zip(sizes, classes))
    assert all(c <= max(n + 63, 1.25 * n) for n, c in zip(sizes, classes))
    assert len(set(classes)) < 8 * 30
    assert all(module.size_class(c) == c for c in classes)


def test_freed_memory_is_given_out_again():
    first = Buffer(100_000)
    pointer = first.pointer
    del first
    assert Buffer(100_000).pointer == pointer


def test_views_keep_the_memory():
    view = Buffer(4000).array("float32", (10, 100))
    view[:] = 7
    others = [Buffer(4000).array("float32", (1000,)) for _ in range(10)]
    for other in others:
        other[:] = 0
    assert (view == 7).all()


def test_strides_and_offset():
    base = Buffer(48).array("int32", (3, 4))
    base[:] = np.arange(12).reshape(3, 4)
    whole = base.base.buffer if hasattr(base.base, "buffer") else None
    assert whole is not None
    np.testing.assert_array_equal(whole.array("int32", (4, 3), (4, 16)), base.T)
    np.testing.assert_array_equal(whole.array("int32", (2, 2), (16, 4), offset=20),
                                  base[1:, 1:3])
    np.testing.assert_array_equal(whole.array("int32", (5, 2), (0, 4)), [[0, 1]] * 5)
    assert whole.array("int32", ()).shape == () and whole.array("int32", (0, 9)).size == 0
    for shape, strides, offset in (((13,), None, 0), ((3, 4), (16, 8), 0), ((1,), None, 48),
                                   ((1,), None, -4)):
        with pytest.raises(ValueError, match="reaches beyond the 48 bytes"):
            whole.array("int32", shape, strides, offset)
    with pytest.raises(ValueError, match="negative strides"):
        whole.array("int32", (2,), (-4,))


def test_from_array_shares_memory_and_keeps_it():
    array = np.arange(6, dtype=np.float64).reshape(2, 3)
    buffer = Buffer.from_array(array)
    view = buffer.array("float64", (2, 3))
    array[0, 0] = 9
    assert view[0, 0] == 9 and buffer.nbytes == 48 and buffer.pointer == array.ctypes.data
    del array, buffer
    gc.collect()
    assert view[1, 2] == 5
    with pytest.raises(ValueError, match="C-contiguous array; received strides"):
        Buffer.from_array(np.zeros((3, 4)).T)


def test_statistics_follow_what_lives():
    release_pool()
    reset_peak()
    start = memory_statistics()
    buffers = [Buffer(1 << 20) for _ in range(3)]
    during = memory_statistics()
    assert during["current"] - start["current"] == 3 << 20 == during["peak"] - start["peak"]
    del buffers
    after = memory_statistics()
    assert after["current"] == start["current"] and after["peak"] == during["peak"]
    assert after["held"] == 3 << 20
    reset_peak()
    assert memory_statistics()["peak"] == start["current"]
    release_pool()
    assert memory_statistics()["held"] == 0


def test_the_pool_is_bounded():
    limit = module._pool.limit
    try:
        release_pool()
        set_pool_limit(10 << 20)
        buffers = [Buffer(1 << 20) for _ in range(40)]
        del buffers
        assert memory_statistics()["held"] <= 10 << 20
    finally:
        set_pool_limit(limit)


def test_too_much_memory_is_told():
    before = memory_statistics()["current"]
    with pytest.raises(MemoryError, match="DefaultCPUAllocator: can't allocate memory: you tried"):
        Buffer(1 << 60)
    assert memory_statistics()["current"] == before


def test_threads_share_the_pool():
    wrong = []

    def work(seed):
        rng = np.random.default_rng(seed)
        live = []
        for _ in range(300):
            n = int(rng.integers(1, 5000))
            view = Buffer(n).array("uint8", (n,))
            view[:] = seed
            live.append(view)
            if len(live) > 20:
                old = live.pop(int(rng.integers(len(live))))
                if not (old == seed).all():
                    wrong.append(seed)

    start = memory_statistics()["current"]
    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong and memory_statistics()["current"] == start


@pytest.mark.parametrize("nbytes", [0, 5, 4096, 3 << 20, 9 << 20])
def test_zeros_are_zeros_in_memory_that_was_used(nbytes):
    for _ in range(3):
        buffer = Buffer.zeros(nbytes)
        array = buffer.array("uint8", (nbytes,))
        assert not array.any() and buffer.pointer % 64 == 0
        array[...] = 7
        del array, buffer


def test_a_copy_has_memory_of_its_own():
    source = np.arange(10, dtype=np.float32)
    copy = Buffer.from_array(source).copy()
    source[:] = 0
    assert copy.array("float32", (10,)).tolist() == list(range(10))


def test_several_buffers_are_those_made_one_by_one():
    sizes = [100, 5000, 3 << 20, 100]
    before = module.memory_statistics()["current"]
    made = module.Buffer.several([(n, module.size_class(n)) for n in sizes])
    assert [b.nbytes for b in made] == sizes
    assert all(b.pointer % 64 == 0 for b in made)
    assert len({b.pointer for b in made}) == 4
    assert module.memory_statistics()["current"] - before == sum(map(module.size_class, sizes))
    places = {b.pointer for b in made}
    del made
    again = module.Buffer.several([(n, module.size_class(n)) for n in sizes])
    assert {b.pointer for b in again} == places          # taken from the pool


def test_several_buffers_give_back_what_they_took_when_memory_runs_out(monkeypatch):
    def refuse(size):
        raise MemoryError
    first = module.Buffer(64)
    before = module.memory_statistics()["current"]
    monkeypatch.setattr(module, "_fresh", refuse)
    with pytest.raises(MemoryError, match="can't allocate memory"):
        module.Buffer.several([(64, 64), (1 << 40, module.size_class(1 << 40)), (64, 64)])
    assert module.memory_statistics()["current"] == before
    assert first.nbytes == 64


def test_a_scalar_of_numpy_is_no_memory():
    """Its interface shows the memory of a copy that is gone when the pointer is used."""
    with pytest.raises(TypeError, match="expects an array; received float32"):
        Buffer.from_array(np.float32(1))


def test_drawn_numbers_without_dimensions_are_arrays():
    x = torch.full((), 2.0)
    for _ in range(8):
        mask = torch.nn.functional.dropout(x, 0.5)
        kept = torch.stack([mask, x])
        assert kept[0].item() in (0.0, 4.0) and kept[1].item() == 2.0
    for name in ("rand", "randn"):
        assert getattr(torch, name)(())._array().__class__ is np.ndarray
