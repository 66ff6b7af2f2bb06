"""The command line of the comparison. Nothing is measured in the tests."""

import json
import os
import subprocess
import sys

import compare
import pytest
from suite.measures import MEASURES, Measurement
from suite.rows import ROWS

SCRIPT = os.path.abspath(compare.__file__)


def test_something_must_be_chosen():
    done = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "give --all, --unseen or --only ROW" in done.stderr


def test_rows_by_name_group_and_kind():
    assert compare.arguments(["--all"]).rows == ROWS
    assert [row.name for row in compare.arguments(["--only", "record", "sgemm"]).rows] == [
        "sgemm-512", "sgemm-1024", "sgemm-2048", "record"]
    assert {row.group for row in compare.arguments(["--unseen"]).rows} == {"unseen"}


def test_an_unknown_row_is_an_error_that_names_the_known_ones(capsys):
    with pytest.raises(SystemExit):
        compare.arguments(["--only", "resnet81"])
    assert "no row is called resnet81; there are mlp, cnn" in capsys.readouterr().err


def test_rounds():
    assert compare.arguments(["--all"]).rounds == 3
    assert compare.arguments(["--all", "--quick"]).rounds == 1
    assert compare.arguments(["--all", "--quick", "--rounds", "4"]).rounds == 4


def test_the_whole_run_with_made_up_measurements(monkeypatch, capsys, tmp_path):
    """Every row is printed, with its verdict, its losses and the JSON file."""
    def made_up(session, row):
        return Measurement(2e-3, 4e-3, 0.5, "eager", losses=([1.0], [1.0001]))

    for name in MEASURES:
        monkeypatch.setitem(MEASURES, name, made_up)
    written = tmp_path / "results.json"
    monkeypatch.setattr(sys, "argv", ["compare.py", "--all", "--json", str(written)])
    monkeypatch.setattr(compare, "limit_processors", lambda count: None)
    assert compare.main() == 0
    printed = capsys.readouterr().out
    assert all(f"| {row.title} " in printed for row in ROWS)
    records = json.loads(written.read_text())
    missed = [record["name"] for record in records if not record["reached"]]
    assert missed == [row.name for row in ROWS if row.unit == "ratio" and row.reach < 0.5
                      or row.unit == "us"]
    assert f"{len(ROWS) - len(missed)} of {len(ROWS)} reached" in printed
    assert "1.0e-04 apart: agree" in printed
