"""Views, writes and NumPy arrays of one memory in random order: PyTorch sees the same values."""
import random
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import flambeau as fb
from flambeau.record.execute import settings
from tests.parity import shared_memory

VIEWS = {
    **shared_memory.VIEWS, "detach": lambda x: x.detach(),
    # PyTorch's results keep the order of their operands' memory
    "clone": lambda x: x.clone().contiguous(), "compute": lambda x: (x * 3 - 1).contiguous(),
}
BEGINNINGS = {
    "arange": lambda lib: lib.arange(12.).reshape(3, 4), "ones": lambda lib: lib.ones(3, 4),
    "pending": lambda lib: lib.ones(3, 4) * 2 + 1,
    "numpy": lambda lib: lib.from_numpy(np.arange(12, dtype=np.float32).reshape(3, 4)),
}
COMPUTED = {                        # of a leaf, exactly
    "product": lambda x: x * 3, "sum": lambda x: x + 1, "square": lambda x: x * x,
    "view": lambda x: (x * 2).view(4, 3), "itself": lambda x: x,
}
WRITES = {
    "add": lambda x: x.add_(1), "mul": lambda x: x.mul_(2), "zero": lambda x: x.zero_(),
    "assign": lambda x: x.__setitem__(0, 5.0) if x.dim() else None,
}


def gradient(leaf, tensors: list):
    """The gradient of the sum of all tensors, or which kind of error hinders it."""
    parts = [(t * t).sum() for t in tensors if t.requires_grad]
    if not parts:
        return None
    try:
        sum(parts).backward()
    except RuntimeError as error:
        return "modified" if "modified by an inplace" in str(error) else str(error)
    return None if leaf.grad is None else leaf.grad.tolist()


def play(library, seed: int, differentiated: bool = False) -> list:
    """What is seen while 14 random steps are taken, and the gradient of what is left."""
    rng = random.Random(seed)
    # a leaf that is a view loses the gradients of its views in PyTorch once it is written
    leaf = (library.arange(12.) / 4 + 1).reshape(3, 4).clone().requires_grad_()
    if differentiated:
        tensors = [COMPUTED[rng.choice(sorted(COMPUTED))](leaf)]
    else:
        tensors = [BEGINNINGS[rng.choice(sorted(BEGINNINGS))](library)]
    arrays, seen = [], []
    for _ in range(14):
        step, place = rng.choice(["view", "view", "view", "numpy", "array", "write", "read",
                                  "drop"]), rng.randrange(len(tensors))
        x = tensors[place]
        if step == "view":
            made = VIEWS[rng.choice(sorted(VIEWS))](x)
            if made is not None:
                tensors.append(made)
        elif step == "numpy":
            arrays.append(x.detach().numpy() if differentiated else x.numpy())
        elif step == "array" and arrays:
            array = rng.choice(arrays)
            array[(0,) * array.ndim] = rng.randrange(100)
        elif step == "write":
            write = WRITES[rng.choice(sorted(WRITES))]
            write(x.detach() if differentiated else x)
        elif step == "read":
            seen.append(x.sum().item())
        elif step == "drop" and arrays:
            arrays.pop(rng.randrange(len(arrays)))
        if rng.random() < 0.3:
            seen.append([t.tolist() for t in tensors])
        if len(tensors) > 6:
            del tensors[rng.randrange(len(tensors))]
    return [*seen, [t.tolist() for t in tensors], [a.tolist() for a in arrays],
            gradient(leaf, tensors)]


@pytest.mark.parametrize("block", range(8))
@pytest.mark.parametrize("copied", [True, False])
def test_the_same_is_seen(block, copied, monkeypatch):
    monkeypatch.setattr(settings, "compile", False)
    if not copied:                   # as large memory: operations on it run at once
        monkeypatch.setattr(sys.modules["flambeau._sharing"], "COMPARED_BYTES", 0)
    for seed in range(40 * block, 40 * block + 40):
        assert play(fb, seed) == play(torch, seed), f"seed {seed}"


@pytest.mark.parametrize("block", range(8))
def test_results_keep_their_gradients(block, monkeypatch):
    monkeypatch.setattr(settings, "compile", False)
    for seed in range(40 * block, 40 * block + 40):
        assert play(fb, seed, True) == play(torch, seed, True), f"seed {seed}"
