"""Elements picked by an index inside padding: where the padding is, the index is no index."""

import numpy as np
import pytest

import flambeau as torch
from flambeau.nn import functional as F
from flambeau.record import execute
from flambeau.record.trace import reset_programs


@pytest.fixture(autouse=True)
def verify(monkeypatch):
    monkeypatch.setattr(execute.settings, "verify", 1e-4)
    monkeypatch.setattr(execute.settings, "interpreted_runs", 0)
    reset_programs()


@pytest.mark.parametrize("width", [3, 6, 8, 15, 16, 30])
@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_padding_around_what_was_enlarged(width, mode):
    torch.manual_seed(0)
    x = torch.randn(3, 2, 5, width, requires_grad=True)
    grown = F.interpolate(x, scale_factor=2, mode=mode)
    padded = F.pad(grown, (1, 2, 2, 1))
    F.conv2d(padded, torch.randn(2, 2, 3, 3), stride=3).sum().backward()
    assert np.isfinite(x.grad.numpy()).all()


@pytest.mark.parametrize("rows", [True, False])
def test_padding_around_chosen_rows_and_columns(rows):
    x = torch.arange(12.0).reshape(3, 4)
    index = torch.tensor([2, 0, 1, 2, 1])
    picked = x[index - 0] if rows else x[:, index + 1]
    padded = F.pad(picked, (3, 2, 4, 1), value=-1.0) * 2
    expected = np.pad(picked.numpy(), ((4, 1), (3, 2)), constant_values=-1.0) * 2
    np.testing.assert_array_equal(padded.numpy(), expected)


def test_an_index_out_of_range_is_still_told():
    x = torch.arange(12.0).reshape(3, 4)
    with pytest.raises(IndexError, match="out of"):
        F.pad(x[:, torch.tensor([0, 3]) + 1], (1, 1)).numpy()


def test_padding_in_the_epilogue_of_a_product():
    """A number that only the padding's guard varies, in a kernel that is a function of its own."""
    torch.manual_seed(0)
    a, b, few, scale = (torch.randn(*s) for s in ((12, 20), (20, 48), (12, 16), (1, 1)))
    found = a @ b + F.pad(few * scale, (0, 32))
    expected = a.numpy() @ b.numpy() + np.pad(few.numpy() * scale.numpy(), ((0, 0), (0, 32)))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-4)
