"""The verdict on two curves of losses."""

import pytest
from suite.losses import apart, difference, sentence, typical_difference


def test_relative_difference():
    assert difference(1.001, 1.0) == abs(1.001 - 1.0)
    assert not apart([9.0, 2.0019], [1.0, 2.0])
    assert apart([2.0, 2.003], [2.0, 2.0])
    assert apart([float("nan")], [1.0])


def test_the_last_common_step_counts():
    assert not apart([1.0, 2.0, 9.0], [5.0, 2.0])
    assert "loss of step 2" in sentence(([1.0, 2.0, 9.0], [5.0, 2.0], None))


def test_typical_difference_is_a_geometric_mean():
    assert typical_difference([1.0 + 1e-2, 1.0 + 1e-4, 9.0], [1.0, 1.0, 1.0], 2) == pytest.approx(
        1e-3)
    assert typical_difference([1.0], [1.0], 1) == pytest.approx(1e-7)


def test_losses_agree_within_a_thousandth():
    assert sentence(([2.0019], [2.0], None)).endswith("9.5e-04 apart: agree")
    assert sentence(([2.003], [2.0], None)).endswith("DIFFER")


def test_losses_that_rounding_moves_are_judged_by_pytorchs_own_layouts():
    pytorch, other_layout = [3.0, 2.0, 1.0], [3.0, 2.1, 0.5]
    assert sentence(([3.0, 2.05, 1.2], pytorch, other_layout)).endswith(": agree as well")
    assert sentence(([3.3, 2.9, 2.2], pytorch, other_layout)).endswith(": DIFFER")
    assert sentence(([3.0, 2.05, 1.2], pytorch, pytorch)).endswith(": DIFFER")


def test_a_network_that_is_not_sensitive_has_no_excuse():
    pytorch, other_layout = [3.0, 2.0, 1.0], [3.0, 2.0, 1.0009]
    assert sentence(([3.0, 2.0, 1.0011], pytorch, other_layout)).endswith(": DIFFER")
