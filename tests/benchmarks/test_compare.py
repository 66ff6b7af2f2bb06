"""The benchmark driver runs a workload and prints its table."""

import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def test_a_comparison_is_printed_and_written(tmp_path):
    results = tmp_path / "results.json"
    done = subprocess.run(
        [sys.executable, os.path.join(ROOT, "benchmarks", "compare.py"), "--only", "mlp",
         "--rounds", "1", "--quick", "--json", str(results)],
        capture_output=True, text=True, timeout=300, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "| MLP 784-512-512-10, batch 64" in done.stdout
    (record,) = json.loads(results.read_text())
    assert 0 < record["flambeau"] < 60


def test_something_must_be_chosen():
    done = subprocess.run([sys.executable, os.path.join(ROOT, "benchmarks", "compare.py")],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "give --all or --only NAME" in done.stderr
