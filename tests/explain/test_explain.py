"""flambeau.explain: what its reports say, as data, text, page and trace, and from the command."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import flambeau as torch
import flambeau.nn.functional as F
from flambeau._explain import peak
from flambeau.record import execute


@pytest.fixture(autouse=True)
def remembered_peaks(monkeypatch):
    """Peaks that are not measured: this machine may be busy."""
    known = peak.Peaks(1e15, 1e15, 2)
    monkeypatch.setitem(peak._known, peak._key(), known)


def training_step():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(32, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    inputs, labels = torch.randn(16, 32), torch.randint(0, 10, (16,))

    def step():
        optimizer.zero_grad()
        loss = F.cross_entropy(model(inputs), labels)
        loss.backward()
        optimizer.step()
        return loss.item()
    return step


def test_a_step_is_explained():
    report = torch.explain(training_step(), steps=4)
    calls = {name for k in report.kernels for name, _ in k.calls}
    assert {"linear", "grad(linear)", "relu", "cross_entropy", "SGD.step"} <= calls
    assert report.step_seconds > 0 and 0 < sum(k.step_seconds for k in report.kernels)
    for kernel in report.kernels:
        assert sum(f for _, f in kernel.calls) == pytest.approx(1)
    assert any(line.file == __file__ and "cross_entropy" in line.text for line in report.lines)
    total = sum(k.step_seconds for k in report.kernels)
    assert sum(line.seconds for line in report.lines) == pytest.approx(total)
    program = report.programs[0]
    assert program.runs == 4 and program.memory.peak <= program.memory.arena
    assert program.compiled.reason and not execute.watchers
    text = str(report)
    assert "grad(linear)" in text and "test_explain.py" in text and "why:" in text


def test_explaining_changes_no_result():
    expected = [one() for one in [training_step()] for _ in range(9)]
    step = training_step()
    with torch.explain() as report:
        found = [step() for _ in range(9)]
    assert found == expected and report.summary.steps >= 1


def test_marked_steps():
    step = training_step()
    with torch.explain() as report:
        for _ in range(6):
            report.step()
            step()
    assert report.summary.steps == 5


def test_files(tmp_path):
    report = torch.explain(training_step())
    report.save(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert not re.search(r'(src|href)\s*=|https?://|@import|url\(', page)
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.S).group(1))
    assert len(data["kernels"]) == len(report.kernels) and data["timeline"]["runs"]
    assert page.count("</script>") == 2 and "%DATA%" not in page
    report.save(tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert any(e["cat"] == "kernel" and "linear" in e["name"] and e["dur"] >= 0 for e in events)
    report.save(tmp_path / "report.txt")
    assert (tmp_path / "report.txt").read_text() == str(report) + "\n"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["report.html", "report.txt",
                                                          "trace.json"]
    with pytest.raises(ValueError, match="expected a name that ends in"):
        report.save(tmp_path / "report.pdf")


def test_wrong_uses_are_told():
    with pytest.raises(TypeError, match="expected a function, received float"):
        torch.explain(1.5)
    with pytest.raises(ValueError, match="expected steps >= 1"):
        torch.explain(print, steps=0)
    report = torch.explain()
    with pytest.raises(RuntimeError, match="not finished"):
        str(report)


def test_peaks_are_measured_and_remembered(monkeypatch, tmp_path):
    monkeypatch.setenv("FLAMBEAU_CACHE", str(tmp_path))
    monkeypatch.setattr(peak, "_known", {})
    monkeypatch.setattr(peak, "_PATIENCE", 0.1)
    found = peak.peaks()
    assert 1e8 < found.flops < 1e14 and 1e8 < found.bytes < 1e13
    monkeypatch.setattr(peak, "_known", {})
    monkeypatch.setattr(peak, "_measure", lambda: pytest.fail("measured again"))
    assert peak.peaks() == found


def test_command(tmp_path):
    (tmp_path / "script.py").write_text(
        "import torch\nx = torch.ones(64, 64)\n"
        "for _ in range(5):\n    y = (x @ x).relu().sum().item()\nprint(y)\n")
    root = str(Path(torch.__file__).parents[1])
    done = subprocess.run([sys.executable, "-m", "flambeau", "--explain=page.html", "script.py"],
                          cwd=tmp_path, capture_output=True, text=True, timeout=120,
                          env={**os.environ, "PYTHONPATH": root})
    assert done.returncode == 0 and done.stdout == "262144.0\n"
    assert "matmul" in done.stderr and (tmp_path / "page.html").exists()
