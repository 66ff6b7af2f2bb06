"""Views, detached tensors, NumPy arrays and parameters on one memory: as PyTorch has them."""

import os
import sys

import pytest

torch = pytest.importorskip("torch")
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(__file__))))

import flambeau as fb
from flambeau.record.execute import settings
from flambeau.record.trace import reset_programs
from tests.parity.shared_memory import play, program

LOOKS = "view view compute clone detach leaf_again read look numpy drop"
STEPS = {
    "numpy": f"{LOOKS} view array write_detached requires make given backward gradient",
    "in place": f"{LOOKS} write write write_by_leaf array data",
    "data": f"{LOOKS} write_detached write_data data requires write_unrecorded array "
            "parameter",
    "optimizer": f"{LOOKS} backward backward step step zero state deepcopy save array "
                 "gradient set_data",
    "all": f"{LOOKS} array write write_detached write_data write_unrecorded write_by_leaf data "
           "requires make backward step zero state deepcopy save forget given gradient "
           "set_data",
}


def agree(a, b) -> bool:
    """Whether two nested lists are equal but for rounding."""
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(agree, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return a == pytest.approx(b, rel=1e-5, abs=1e-5, nan_ok=True)
    return a == b


@pytest.mark.parametrize("kinds", sorted(STEPS))
@pytest.mark.parametrize("compared", [True, False])
def test_the_same_is_seen(kinds, compared, monkeypatch):
    monkeypatch.setattr(settings, "compile", False)
    if not compared:                 # as large memory: what reads it runs at once
        monkeypatch.setattr("flambeau._sharing.COMPARED_BYTES", 0)
    for seed in range(60):
        steps = program(seed, STEPS[kinds], 16)
        assert agree(play(fb, steps), play(torch, steps)), f"seed {seed}"


@pytest.mark.parametrize("kinds", sorted(STEPS))
def test_compiled_programs_see_the_same(kinds, monkeypatch):
    monkeypatch.setattr(settings, "interpreted_runs", 1)
    reset_programs()
    for seed in range(6):
        steps = program(1000 + seed, STEPS[kinds], 16)
        expected = play(torch, steps)
        for _ in range(3):           # they are compiled in the second round
            assert agree(play(fb, steps), expected), f"seed {seed}"
