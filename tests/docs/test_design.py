"""docs/design.md shows what docs/walk_one_step.py prints."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_step_is_the_one_that_is_walked():
    run = subprocess.run([sys.executable, str(ROOT / "docs" / "walk_one_step.py")], text=True,
                         capture_output=True, timeout=120,
                         env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert run.returncode == 0, run.stderr
    page = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    shown = [text for language, text in blocks if not language]
    printed = [part.strip() for part in re.split(r"^# .*\n", run.stdout, flags=re.MULTILINE)]
    assert [part.strip() for part in shown] == [part for part in printed if part], \
        "copy what python docs/walk_one_step.py prints into docs/design.md"
    nodes = re.search(r"has (\d+) nodes", run.stdout)
    kernels = len(printed[-1].splitlines())
    assert nodes and f"the program has {nodes[1]} nodes" in page
    assert f"`partition` makes {kernels} kernels" in page
