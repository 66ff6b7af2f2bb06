"""The table's numbers, units and verdicts."""

import pytest
from suite.measures import Measurement, against
from suite.rows import Row
from suite.table import heading, line, loss_lines, reached, record, text_of


@pytest.mark.parametrize("value, text", [
    (1.3456e-6, "1.35 us"), (1.57e-3, "1.57 ms"), (0.0355, "35.5 ms"), (0.1295, "130 ms"),
    (0.99999, "1.00 s"), (12.34, "12.3 s"), (None, "-")])
def test_times(value, text):
    assert text_of(value) == text


def test_memory():
    assert text_of(117e6, "B") == "117 MB"
    assert text_of(1.5e9, "B") == "1.50 GB"


def test_a_line_has_the_columns_of_the_heading():
    row = Row("x", "g", "some work", "training", 0.6, 0.45)
    text = line(row, against(1e-3, 2e-3, label="channels_last"))
    assert [cell.strip() for cell in text.split("|")[1:-1]] == [
        "some work", "1.00 ms", "2.00 ms (channels_last)", "0.50", "0.60", "0.45", "yes"]
    assert {len(part) for part in heading().split("\n")} == {len(text)}


def test_reached_at_most_the_ratio():
    row = Row("x", "g", "t", "training", 0.5)
    assert reached(row, against(1.0, 2.0)) is True
    assert reached(row, against(1.01, 2.0)) is False
    assert reached(row, against(1.0, None)) is None
    assert line(row, against(None, None)).split("|")[-2].strip() == "-"


def test_reached_in_seconds_is_about_our_own_time():
    row = Row("x", "g", "t", "first_step", 1, 0.5, unit="s")
    assert reached(row, against(0.9, 0.01)) is True
    assert reached(row, against(1.1, 2.0)) is False
    assert reached(row, against(1.0, 2.0, losses=([2.0], [2.001]))) is True
    assert reached(row, against(1.0, 2.0, losses=([2.0], [2.1]))) is False
    row = Row("x", "g", "t", "recording", 1.5, 1, unit="us")
    assert reached(row, Measurement(1.4e-6)) is True
    assert reached(row, Measurement(1.6e-6)) is False


def test_losses_have_a_line_each():
    row = Row("x", "g", "net", "training", 1.0)
    inference = Row("y", "g", "net: inference", "inference", 1.0)
    first, second = loss_lines([(row, against(1.0, 1.0, losses=([2.0] * 20, [2.0] * 20))),
                                (row, against(1.0, 1.0)),
                                (inference, against(1.0, 1.0, losses=([0.5], [0.6])))])
    assert first == "net: loss of step 20 2 and 2, 0.0e+00 apart: agree"
    assert second.startswith("net: inference: mean score 0.5 and 0.6") and "DIFFER" in second


def test_the_record_holds_both_sides():
    found = record(Row("x", "g", "t", "training", 0.5, 0.4, "net"), against(1.0, 4.0))
    assert (found["flambeau"], found["torch"], found["ratio"]) == (1.0, 4.0, 0.25)
    assert found["reached"] is True and found["reach"] == 0.5
