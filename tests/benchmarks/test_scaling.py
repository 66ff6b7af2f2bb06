"""The sweeps of the scaling benchmark: options, table and picture. Nothing is measured."""

import json
import sys

import pytest
import scaling
from suite.sweeps import SWEEPS, growth, plot, point_line, table

POINTS = {16: {"flambeau": 1e-3, "torch": 2e-3}, 32: {"flambeau": 1.5e-3, "torch": 5e-3}}


def test_sweeps_by_name_and_by_what_varies():
    assert scaling.arguments([]).sweeps == SWEEPS
    assert list(scaling.arguments(["--only", "gpt-depth"]).sweeps) == ["gpt-depth"]
    assert all(name.endswith("-threads")
               for name in scaling.arguments(["--only", "threads"]).sweeps)
    with pytest.raises(SystemExit):
        scaling.arguments(["--only", "nothing"])


def test_sweeps_span_what_was_promised():
    spans = {(sweep.varies, sweep.values[0], sweep.values[-1]) for sweep in SWEEPS.values()}
    assert spans == {("batch", 16, 1024), ("depth", 2, 64), ("threads", 1, 2)}


def test_growth_and_ratio_of_a_point():
    assert growth(POINTS, "torch") == pytest.approx(2.5)
    assert growth({16: POINTS[16]}, "torch") is None
    cells = [cell.strip() for cell in point_line(32, POINTS).split("|")[1:-1]]
    assert cells == ["32", "1.50 ms", "5.00 ms", "0.30", "1.50 times", "2.50 times"]
    assert {len(text) for text in table(SWEEPS["mlp-batch"])[1:]} == {len(point_line(32, POINTS))}


def test_a_point_without_pytorch():
    cells = [cell.strip() for cell in point_line(8, {8: {"flambeau": 1e-3}}).split("|")[1:-1]]
    assert cells == ["8", "1.00 ms", "-", "-", "-", "-"]


def test_the_curves_are_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "curves.svg"
    assert plot({"mlp-batch": POINTS, "gpt-depth": POINTS}, str(path))
    assert "MLP 784-512-512-10 by batch size" in path.read_text() or path.stat().st_size > 5000


def test_threads_are_given_to_the_processes(monkeypatch, tmp_path, capsys):
    """The sweep over threads changes the session's threads, and puts them back."""
    seen = []

    class Made:
        libraries, notes = ("flambeau", "torch"), []

        def __init__(self, options):
            self.options = options

        def run(self, library, script, *arguments):
            seen.append((library, self.options.threads, arguments[:2]))
            return {"step_s": 1e-3}

    monkeypatch.setattr(scaling, "Session", Made)
    monkeypatch.setattr(scaling, "limit_processors", lambda count: None)
    written = tmp_path / "points.json"
    monkeypatch.setattr(sys, "argv", ["scaling.py", "--only", "mlp-threads", "mlp-batch",
                                      "--largest", "16", "--json", str(written)])
    assert scaling.main() == 0
    assert [found[1:] for found in seen if found[0] == "flambeau"] == [
        (2, ("--batch", 16)), (1, ("--steps", 200)), (2, ("--steps", 200))]
    assert json.loads(written.read_text())["mlp-threads"]["1"]["torch"] == 1e-3
    assert "MLP 784-512-512-10 by threads" in capsys.readouterr().out
