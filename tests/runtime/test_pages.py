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


@pytest.mark.skipif(not hasattr(mmap, "MADV_HUGEPAGE"), reason="huge pages are asked for on Linux")
def test_huge_pages_are_asked_for_when_a_block_is_hot(monkeypatch):
    asked = []
    monkeypatch.setattr(Block, "_advise", lambda self, advice: asked.append(advice))
    block = Block(32 << 20)
    for _ in range(_pages.HOT_USES - 1):
        block.use()
    assert asked == []
    for _ in range(3):
        block.use()
    assert asked == [mmap.MADV_HUGEPAGE, _pages._COLLAPSE]


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
