"""The verdict on two curves of losses."""

from suite.losses import agreeing_steps, apart, difference, sentence


def test_relative_difference():
    assert difference(1.001, 1.0) == abs(1.001 - 1.0)
    assert not apart([9.0, 2.0019], [1.0, 2.0])
    assert apart([2.0, 2.003], [2.0, 2.0])
    assert apart([float("nan")], [1.0])


def test_the_last_common_step_counts():
    assert not apart([1.0, 2.0, 9.0], [5.0, 2.0])
    assert "loss of step 2" in sentence(([1.0, 2.0, 9.0], [5.0, 2.0], None))


def test_steps_until_curves_part():
    assert agreeing_steps([1.0, 2.0, 3.0], [1.0, 2.0, 4.0]) == 2
    assert agreeing_steps([1.0, 2.0], [1.0, 2.0, 4.0]) == 2


def test_losses_agree_within_a_thousandth():
    assert sentence(([2.0019], [2.0], None)).endswith("9.5e-04 apart: agree")
    assert sentence(([2.003], [2.0], None)).endswith("DIFFER")


def test_losses_that_rounding_moves_are_judged_by_pytorchs_own_layouts():
    pytorch, other_layout = [3.0, 2.0, 1.0], [3.0, 2.1, 0.5]
    assert sentence(([3.0, 2.05, 1.2], pytorch, other_layout)).endswith(
        "the same for 1 steps; PyTorch's two layouts are the same for 1: agree as well")
    assert sentence(([3.1, 2.05, 1.2], pytorch, other_layout)).endswith(": DIFFER")
    assert sentence(([3.0, 2.05, 1.2], pytorch, pytorch)).endswith(": DIFFER")
