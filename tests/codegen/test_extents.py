"""Arithmetic on extents that know what they usually are."""

import json
import math

from flambeau.codegen.extents import Extent, may_reach, paired, usual


def both(number):
    return int(number), usual(number)


def test_arithmetic_is_done_on_both_parts():
    n = paired(3, 64)
    assert both(2 * n) == both(n * 2) == (6, 128)
    assert both(n + 1) == both(1 + n) == (4, 65)
    assert both(n - 1) == (2, 63) and both(65 - n) == (62, 1)
    assert both(-(-n // 16)) == (1, 4) and both(n % 16) == (3, 0)
    assert both(192 // n) == (64, 3) and type(n * 0) is int
    assert both(math.prod((n, 10, n))) == (90, 40960) and both(sum((n, n))) == (6, 128)
    assert (0,) * n == (0, 0, 0)


def test_equal_means_equal_in_both():
    one = paired(1, 64)
    assert one != 1 and not one == 1 and 1 != one and one == paired(1, 64)
    assert (one, 5) == (paired(1, 64), 5) and (one, 5) != (1, 5)
    assert len({one, paired(1, 64), 1}) == 2
    assert type(paired(5, 5)) is int


def test_order_and_text_are_the_actual_number():
    n = paired(3, 64)
    assert n < 4 and min(n, 10) is n and max(n, 10) == 10 and list(range(n)) == [0, 1, 2]
    assert f"{n}" == str(n) == "3" and repr(n) == "3~64" and isinstance(n, Extent)
    assert f"{paired(0.5, 0.25)}" == "0.5" and json.dumps([n]) == "[3]"
    assert may_reach(n, 10) and not may_reach(n, 65)


def test_numbers_with_fractions():
    half = paired(0.5, 0.25)
    assert paired(2.0, 64.0) == paired(2, 64) == paired(2.0, 64.0)
    assert half != 0.5 and half not in (0, 1, 0.5) and float(half) == 0.5
