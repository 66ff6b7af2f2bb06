import ctypes
import mmap
import os

import pytest

from flambeau.runtime import _pages
from flambeau.runtime._pages import HUGE_PAGE, Block
from flambeau.runtime.buffer import Buffer


def _bytes(block, size):
    return (ctypes.c_uint8 * size).from_address(block.address)


@pytest.mark.parametrize("size", [1 << 20, 2 * HUGE_PAGE, 5 * HUGE_PAGE + 4096])
def test_a_block_keeps_its_contents_when_it_gets_huge_pages(size):
    block = Block(size)
    memory = _bytes(block, size)
    assert size < 2 * HUGE_PAGE or block.address % HUGE_PAGE == 0
    memory[0], memory[size // 2], memory[size - 1] = 1, 2, 3
    for _ in range(2 * _pages.HOT_USES):
        block.use()
    assert (memory[0], memory[size // 2], memory[size - 1], memory[1]) == (1, 2, 3, 0)


class Pages:
    """Memory of which only the first `cheap` huge pages are found at once."""

    def __init__(self, cheap):
        self.cheap, self.moved, self.now = cheap, 0, 0.0

    def madvise(self, advice, start, size):
        if advice == _pages._COLLAPSE:
            assert size == HUGE_PAGE
            self.moved += 1
            self.now += 1e-4 if self.moved <= self.cheap else 1e-2

    def perf_counter(self):
        return self.now


@pytest.mark.skipif(not hasattr(mmap, "MADV_HUGEPAGE"), reason="huge pages are asked for on Linux")
@pytest.mark.parametrize("cheap, warm, later", [(99, 16, 16), (5, 6, 7), (0, 1, 2)])
def test_huge_pages_come_while_they_are_cheap_and_all_when_hot(monkeypatch, cheap, warm, later):
    block, pages = Block(32 << 20), Pages(cheap)
    monkeypatch.setattr(block, "_pages", pages)
    monkeypatch.setattr(_pages, "time", pages)

    def moved(uses):
        for _ in range(uses):
            block.use()
        return pages.moved

    assert moved(_pages.WARM_USES - 1) == 0
    assert moved(1) == warm
    assert moved(_pages.WARM_USES) == later
    assert moved(_pages.HOT_USES) == 16
    assert moved(2 * _pages.HOT_USES) == 16


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_writes_into_memory_of_its_own():
    buffer = Buffer(3 << 20)
    view = buffer.array("int32", (8,))
    view[:] = 5
    child = os.fork()
    if child == 0:
        view[:] = 6
        os._exit(0)
    os.waitpid(child, 0)
    assert view.tolist() == [5] * 8
