"""The machine code of the random streams gives the bits of NumPy, whatever the vector width."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from flambeau.runtime.random_streams import GeneratorState, MersenneTwister

ROOT = Path(__file__).parents[2]
SIZES = (1, 15, 16, 17, 255, 256, 257, 623, 624, 625, 5000, 100003)
DRAWS = {
    "words": lambda state, size: state.words(size),
    "words64": lambda state, size: state.words64(size),
    "uniform": lambda state, size: state.uniform(size, -0.37, 1.3),
    "uniform01": lambda state, size: state.uniform(size),
    "uniform_half": lambda state, size: state.uniform(size, 0, 1, "float16"),
    "uniform_bfloat16": lambda state, size: state.uniform(size, -2, 1, "bfloat16"),
    "normal": lambda state, size: state.normal(size, 0.3, 0.02),
    "normal_bfloat16": lambda state, size: state.normal(size, 0, 1, "bfloat16"),
    "normal64": lambda state, size: state.normal(size, 0, 1, "float64"),
    "bernoulli": lambda state, size: state.bernoulli(size, 0.3),
    "bernoulli_sure": lambda state, size: state.bernoulli(size, 1.0),
    "bernoulli_int": lambda state, size: state.bernoulli(size, 0.3, "int64"),
    "dropout": lambda state, size: state.dropout_mask(size, 0.1),
    "dropout_half": lambda state, size: state.dropout_mask(size, 0.1, "float16"),
    "permutation": lambda state, size: state.permutation(size),
    "integers": lambda state, size: state.random_range(size, -5, 1000),
}


@pytest.fixture
def hot(monkeypatch):
    def choose(work):
        monkeypatch.setattr(MersenneTwister, "work", work)

    return choose


@pytest.mark.parametrize("name", DRAWS)
def test_same_bits_as_numpy(name, hot):
    drawn = []
    for work in (-(1 << 63), 1 << 63):
        hot(work)
        state = GeneratorState(5)
        drawn.append([DRAWS[name](state, size) for size in SIZES] + [state.get_state()])
    for ours, theirs in zip(*drawn):
        assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
        assert ours.tobytes() == theirs.tobytes()


def test_it_is_used_only_after_much_work(hot):
    hot(0)
    state = GeneratorState(5)
    assert not state._is_hot(1000)
    assert not state._is_hot(1 << 21)
    assert state._is_hot(1000)
    assert not state._is_hot(10)


@pytest.mark.parametrize("width", ["4", "8"])
def test_narrow_vectors_give_the_same_bits(width, tmp_path):
    program = (
        "import zlib\n"
        "from flambeau.runtime.random_streams import GeneratorState, MersenneTwister\n"
        "MersenneTwister.work = 1 << 63\n"
        "state = GeneratorState(5)\n"
        "parts = [state.uniform(5000), state.normal(5000), state.dropout_mask(5000, 0.3)]\n"
        "print(zlib.crc32(b''.join(part.tobytes() for part in parts)))\n"
    )
    natural = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    narrow = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "FLAMBEAU_VECTOR_WIDTH": width, "FLAMBEAU_CACHE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    if "this CPU" in narrow.stderr:
        pytest.skip("the processor has no vectors of this width")
    assert narrow.returncode == 0, narrow.stderr
    assert narrow.stdout == natural.stdout


def test_threads_share_a_generator_without_losing_words(hot):
    from concurrent.futures import ThreadPoolExecutor

    hot(1 << 63)
    state = GeneratorState(5)
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda _: state.words(1000), range(64)))
    expected = GeneratorState(5).words(64000).reshape(64, 1000)
    drawn = {part.tobytes() for part in parts}
    assert drawn == {np.ascontiguousarray(row).tobytes() for row in expected}
