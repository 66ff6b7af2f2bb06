"""Indexing and assignment against PyTorch, with generated indices."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

import flambeau

QUIET = settings(max_examples=250, deadline=None, derandomize=True,
                 suppress_health_check=list(HealthCheck))
shapes = st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple)


class Index:
    """An index of either library: arrays become its tensors."""

    def __init__(self, items):
        self.items = items

    def of(self, module):
        made = tuple(module.from_numpy(i.copy()) if isinstance(i, np.ndarray) else i
                     for i in self.items)
        return made if len(made) != 1 else made[0]

    def __repr__(self):
        return repr(self.items)


@st.composite
def indexed(draw):
    shape = draw(shapes)
    items, left, ellipsis = [], list(shape), False
    length = draw(st.integers(1, 3))             # of the index arrays, so that they broadcast
    while left:
        kind = draw(st.sampled_from(["number", "slice", "none", "array", "mask", "list", "stop",
                                     "ellipsis", "matrix"]))
        extent = left[0]
        if kind == "stop":
            break
        if kind == "none":
            if len(items) > 5:
                break
            items.append(None)
            continue
        if kind == "ellipsis":
            if ellipsis:
                continue
            ellipsis = True
            items.append(Ellipsis)
            left = left[draw(st.integers(0, len(left))):]
            continue
        left.pop(0)
        if kind == "number":
            items.append(draw(st.integers(-extent, extent - 1)))
        elif kind == "slice":
            bound = st.one_of(st.none(), st.integers(-extent - 1, extent + 1))
            items.append(slice(draw(bound), draw(bound), draw(st.sampled_from([None, 1, 2, 3]))))
        elif kind in ("array", "list", "matrix"):
            size = (length,) if kind != "matrix" else (2, length)
            count = int(np.prod(size))
            numbers = draw(st.lists(st.integers(-extent, extent - 1), min_size=count,
                                    max_size=count))
            items.append(numbers if kind == "list" else np.array(numbers).reshape(size))
        else:
            items.append(np.array(draw(st.lists(st.booleans(), min_size=extent,
                                                max_size=extent))))
    return shape, Index(items or [Ellipsis])


def attempt(function):
    try:
        return function(), None
    except (IndexError, RuntimeError, ValueError, TypeError) as error:
        return None, error


def both(shape):
    array = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    return flambeau.from_numpy(array.copy()).clone(), torch.from_numpy(array.copy())


def agree(ours, theirs):
    (found, error), (expected, wanted) = ours, theirs
    assert (error is None) == (wanted is None), (error, wanted)
    if wanted is None:
        assert tuple(found.shape) == tuple(expected.shape)
        np.testing.assert_array_equal(found.detach().numpy(), expected.detach().numpy())
    else:
        assert type(error) is type(wanted), (error, wanted)


@QUIET
@given(indexed())
def test_reading(case):
    shape, index = case
    a, b = both(shape)
    agree(attempt(lambda: a[index.of(flambeau)]), attempt(lambda: b[index.of(torch)]))


@QUIET
@given(indexed())
def test_gradients_of_reading(case):
    shape, index = case
    a, b = (x.requires_grad_() for x in both(shape))
    found = attempt(lambda: a[index.of(flambeau)])
    wanted = attempt(lambda: b[index.of(torch)])
    if wanted[1] is not None:
        return
    (found[0] * found[0]).sum().backward()
    (wanted[0] * wanted[0]).sum().backward()
    np.testing.assert_array_equal(a.grad.numpy(), b.grad.numpy())


def _repeats(index, shape):
    """Whether an element may be written twice: then the result is not defined."""
    places = np.arange(np.prod(shape)).reshape(shape)
    try:
        taken = torch.from_numpy(places)[index.of(torch)].numpy()
    except (IndexError, RuntimeError, TypeError):
        return False
    return taken.size != np.unique(taken).size


@QUIET
@given(indexed(), st.sampled_from(["number", "scalar", "full", "row"]), st.booleans())
def test_writing(case, kind, computed):
    shape, index = case
    a, b = both(shape)
    if _repeats(index, shape):
        return
    if computed:                                  # a pending value rather than memory
        a, b = a * 1, b * 1
    target = attempt(lambda: b[index.of(torch)])[0]
    if target is None:
        return
    if kind == "number":
        value = (7.5, 7.5)
    else:
        size = () if kind == "scalar" else tuple(target.shape)
        if kind == "row":
            size = size[-1:]
        array = -np.arange(1, np.prod(size, dtype=int) + 1, dtype=np.float32).reshape(size)
        array = np.asarray(array)
        value = flambeau.from_numpy(array), torch.from_numpy(array.copy())
    ours = attempt(lambda: a.__setitem__(index.of(flambeau), value[0]))
    theirs = attempt(lambda: b.__setitem__(index.of(torch), value[1]))
    assert (ours[1] is None) == (theirs[1] is None), (ours[1], theirs[1])
    np.testing.assert_array_equal(a.numpy(), b.numpy())


@QUIET
@given(indexed())
def test_gradients_of_writing(case):
    shape, index = case
    if _repeats(index, shape):
        return
    grads = []
    for module, x in zip((flambeau, torch), both(shape)):
        x.requires_grad_()
        value = module.tensor(2.0, requires_grad=True)
        y = x * 2
        try:
            y[index.of(module)] = value
        except (IndexError, RuntimeError, TypeError):
            return
        (y * y).sum().backward()
        # a base that was overwritten as a whole may have no gradient rather than zeros
        grads.append((np.zeros(shape, np.float32) if x.grad is None else x.grad.numpy(),
                      None if value.grad is None else float(value.grad)))
    np.testing.assert_array_equal(grads[0][0], grads[1][0])
    assert (grads[0][1] or 0.0) == (grads[1][1] or 0.0)


@pytest.mark.parametrize("index", [
    5, -4, (0, 9), (0, 0, 0), "a", 1.5, (slice(None), 7), [5], [[0, 1], [2, 3]],
    (Ellipsis, Ellipsis), slice(None, None, -1)], ids=str)
def test_errors(index):
    a, b = both((3, 4))
    ours, theirs = attempt(lambda: a[index]), attempt(lambda: b[index])
    assert type(ours[1]) is type(theirs[1]), (ours[1], theirs[1])
    if theirs[1] is None:
        agree(ours, theirs)
    elif len(str(theirs[1])) < 80:
        first = str(theirs[1]).split("(")[0].split(";")[0][:40]
        assert str(ours[1]).startswith(first), (ours[1], theirs[1])


def test_lists_masks_and_numpy_scalars():
    a, b = both((3, 4))
    for index in ([True, False, True], [0, 2], np.int64(1), (np.array([0, 1]), np.array([1, 2])),
                  np.array([True, False, True]), True, False, (None, True), ([0, 1], slice(1, 3))):
        agree(attempt(lambda i=index: a[i]), attempt(lambda i=index: b[i]))
