"""Signs of zero, infinities, and the precision of the numbers that tensors are made of."""
import math

import pytest

torch = pytest.importorskip("torch")

import flambeau as fb
from flambeau.record.execute import settings

EDGES = [-2.0, 2.0, -0.0, 0.0, -4.0, 4.0, 5.5, -5.5, math.inf, -math.inf, math.nan, 1.0, -1.0]
DIVISORS = [2.0, -2.0, 3.0, -3.0, math.inf, -math.inf, 0.0, -0.0, 0.75]


def shown(tensor) -> list[str]:
    """The elements, signs of zeros included."""
    return [repr(x) for x in tensor.flatten().tolist()]


@pytest.mark.parametrize("runs", [0, 9], ids=["compiled", "interpreted"])
@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("name", ["remainder", "fmod", "floor_divide"])
def test_remainders(name, kind, runs, monkeypatch):
    monkeypatch.setattr(settings, "interpreted_runs", runs)
    found = []
    for library in (torch, fb):
        dtype = getattr(library, kind)
        x = library.tensor(EDGES * 4, dtype=dtype)
        for divisor in DIVISORS:
            for other in (divisor, library.full_like(x, divisor)):
                found.append(shown(getattr(library, name)(x, other)))
    half = len(found) // 2
    assert found[half:] == found[:half]


@pytest.mark.parametrize("program", [
    "torch.tensor([0.1], dtype=torch.float64)", "torch.tensor(0.1, dtype=torch.float64)",
    "torch.tensor([[0.1, float('inf')], [1e300, 3]], dtype=torch.float64)",
    "torch.tensor([0.1 + 0.2j], dtype=torch.complex128)", "torch.DoubleTensor([0.1])",
    "torch.as_tensor([0.1], dtype=torch.float64)", "torch.ones(1).double().new_tensor([0.1])",
    "torch.tensor([torch.tensor(0.5), 0.1], dtype=torch.float64)",
    "torch.tensor([1, 2.7], dtype=torch.int64)", "torch.tensor([16777217.0], dtype=torch.int64)",
    "torch.tensor([0.1], dtype=torch.float16)", "torch.tensor([0.1], dtype=torch.bfloat16)",
    "torch.tensor([0.1])", "torch.full((2,), -0.0)", "torch.full_like(torch.ones(2), -0.0)",
    "torch.ones(2).new_full((2,), -0.0)", "torch.full((2,), 0.1, dtype=torch.float64)",
])
def test_made_of_numbers(program):
    mine, theirs = eval(program, {"torch": fb}), eval(program, {"torch": torch})
    assert shown(mine) == shown(theirs) and str(mine.dtype) == str(theirs.dtype)
