"""Functions whose result's shape or size depends on data give what PyTorch gives."""

import numpy as np
import pytest

import flambeau

torch = pytest.importorskip("torch")

_random = np.random.default_rng(5)
FLOATS = _random.standard_normal((3, 4)).astype(np.float32)
WHOLE = _random.integers(0, 4, (5, 6))
FLAGS = _random.integers(0, 2, (3, 4)).astype(bool)
ROWS = np.array([[1, 2], [1, 2], [0, 5], [1, 2]])
EDGES = np.array([0.0, 1.0, 1.0, 3.0], np.float32)
MANY_EDGES = np.sort(_random.standard_normal((2, 3, 4)).astype(np.float32), -1)

CALLS = {
    "nonzero": [(WHOLE,), (np.array(3),), (np.zeros(3),), (WHOLE, {"as_tuple": True})],
    "argwhere": [(WHOLE,), (FLAGS,)],
    "masked_select": [(FLOATS, FLAGS), (FLOATS, FLAGS[:1]), (FLOATS[:, :1], FLAGS)],
    "unique": [
        (WHOLE,), (FLOATS,), (WHOLE, {"return_inverse": True, "return_counts": True}),
        (ROWS, {"dim": 0, "return_counts": True}), (ROWS, {"dim": 1, "return_inverse": True}),
    ],
    "unique_consecutive": [
        (np.array([1, 1, 2, 2, 1]), {"return_inverse": True, "return_counts": True}), (WHOLE,),
        (ROWS, {"dim": 0, "return_inverse": True, "return_counts": True}), (np.array([1])[:0],),
    ],
    "bincount": [(WHOLE[0],), (WHOLE[0], FLOATS.reshape(-1)[:6]), (WHOLE[0], {"minlength": 9})],
    "histc": [(FLOATS,), (FLOATS, {"bins": 4}), (FLOATS, {"bins": 5, "min": -1, "max": 1})],
    "isin": [(WHOLE, np.array([1, 3])), (WHOLE, np.array([1]), {"invert": True})],
    "searchsorted": [
        (EDGES, FLOATS), (EDGES, FLOATS, {"right": True}), (EDGES, FLOATS, {"side": "right"}),
        (EDGES, FLOATS, {"out_int32": True}), (EDGES, np.array(1.0, np.float32)),
        (MANY_EDGES, MANY_EDGES[..., :2] + 1), (EDGES[::-1].copy(), FLOATS,
                                                {"sorter": np.array([3, 2, 1, 0])}),
    ],
    "bucketize": [(FLOATS, EDGES), (FLOATS, EDGES, {"right": True, "out_int32": True})],
}
CASES = [(name, call) for name, calls in CALLS.items() for call in calls]
ERRORS = [
    ("searchsorted", (EDGES, FLOATS), {"side": "middle"}),
    ("searchsorted", (EDGES, FLOATS), {"side": "left", "right": True}),
    ("searchsorted", (MANY_EDGES, FLOATS), {}),
    ("searchsorted", (MANY_EDGES, np.array(1.0)), {}),
    ("searchsorted", (EDGES, FLOATS), {"sorter": np.array([0, 1])}),
    ("searchsorted", (np.array(1.0), FLOATS), {}),
    ("bucketize", (FLOATS, MANY_EDGES), {}),
    ("bincount", (np.array([-1]),), {}),
    ("masked_select", (FLOATS, WHOLE), {}),
]


def converted(library, call):
    *arguments, options = call if isinstance(call[-1], dict) else (*call, {})

    def convert(value):
        return library.from_numpy(value.copy()) if isinstance(value, np.ndarray) else value

    return [convert(a) for a in arguments], {k: convert(v) for k, v in options.items()}


def run(library, name, call):
    arguments, options = converted(library, call)
    found = getattr(library, name)(*arguments, **options)
    return found if isinstance(found, tuple) else (found,)


@pytest.mark.parametrize("name, call", CASES, ids=[f"{n}{i}" for i, (n, _) in enumerate(CASES)])
def test_results(name, call):
    found, expected = run(flambeau, name, call), run(torch, name, call)
    assert len(found) == len(expected)
    for f, e in zip(found, expected):
        assert str(f.dtype) == str(e.dtype) and f.shape == e.shape
        np.testing.assert_allclose(f.numpy(), e.numpy(), rtol=1e-6)


@pytest.mark.parametrize("name, arguments, options", ERRORS)
def test_errors(name, arguments, options):
    with pytest.raises(RuntimeError) as expected:
        run(torch, name, (*arguments, options))
    with pytest.raises(RuntimeError) as found:
        run(flambeau, name, (*arguments, options))
    assert str(found.value).startswith(str(expected.value).split("\n")[0].rstrip("."))


@pytest.mark.parametrize("name, arguments, options", [
    ("nonzero", (WHOLE,), {}), ("masked_select", (FLOATS, FLAGS), {}), ("histc", (FLOATS,), {}),
    ("searchsorted", (EDGES, FLOATS), {"out_int32": True}), ("bucketize", (FLOATS, EDGES), {}),
])
def test_out(name, arguments, options):
    expected, = run(flambeau, name, (*arguments, options))
    out = flambeau.zeros_like(expected)
    arguments, options = converted(flambeau, (*arguments, options))
    assert getattr(flambeau, name)(*arguments, out=out, **options) is out
    assert flambeau.equal(out, expected)
