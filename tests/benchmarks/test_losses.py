"""The verdict on two curves of losses."""

from suite.losses import apart, difference, sentence


def test_relative_difference():
    assert difference(1.001, 1.0) == abs(1.001 - 1.0)
    assert not apart([9.0, 2.0019], [1.0, 2.0])
    assert apart([2.0, 2.003], [2.0, 2.0])
    assert apart([float("nan")], [1.0])


def test_the_last_common_step_counts():
    assert not apart([1.0, 2.0, 9.0], [5.0, 2.0])
    assert "loss of step 2" in sentence(([1.0, 2.0, 9.0], [5.0, 2.0]))


def test_losses_agree_within_a_thousandth():
    assert sentence(([2.0019], [2.0])).endswith("9.5e-04 apart: agree")
    assert sentence(([2.003], [2.0])).endswith("DIFFER")
