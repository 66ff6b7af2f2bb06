"""Snippets as study notes of PyTorch have them, run as they stand by ``python -m flambeau``.

Each file in ``snippets/`` ends with a comment that holds what it prints under PyTorch. Where
PyTorch and what the snippet needs are installed, ``python tests/notes/test_notes.py`` writes
these comments anew.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SNIPPETS = sorted((Path(__file__).parent / "snippets").glob("*.py"))
ROOT = Path(__file__).parents[2]
MARK = "\n# Output:\n"
NUMBER = re.compile(r"-?\d+\.\d*(?:e[+-]?\d+)?")


def run(command: list[str], path: Path) -> str:
    """What the snippet prints; fails with its error if there is one."""
    environment = dict(os.environ, PYTHONPATH=str(ROOT), MPLBACKEND="Agg")
    done = subprocess.run([sys.executable, *command, str(path)], capture_output=True, text=True,
                          timeout=300, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def expected(path: Path) -> str:
    """The output kept in the file."""
    comment = path.read_text().partition(MARK)[2]
    return "".join(line[2:] + "\n" for line in comment.splitlines())


def same(printed: str, kept: str) -> bool:
    """Equal but for the last printed digit of floating-point numbers."""
    if NUMBER.sub("#", printed) != NUMBER.sub("#", kept):
        return False
    pairs = zip(NUMBER.findall(printed), NUMBER.findall(kept))
    return all(abs(float(a) - float(b)) <= 1.01 * 10.0 ** -decimals(b) for a, b in pairs)


def decimals(number: str) -> int:
    """How many decimals a printed number shows."""
    digits, _, exponent = number.partition("e")
    return len(digits.partition(".")[2]) - int(exponent or 0)


@pytest.mark.parametrize("path", SNIPPETS, ids=lambda path: path.stem)
def test_snippet(path):
    if "import cv2" in path.read_text():
        pytest.importorskip("cv2")
    if "tensorboard" in path.read_text():
        pytest.importorskip("tensorboard")
    if "import Image" in path.read_text():
        pytest.importorskip("PIL")
    printed = run(["-m", "flambeau"], path)
    kept = expected(path)
    assert kept, "no output is kept: run this file where PyTorch is installed"
    if not same(printed, kept):
        assert printed == kept


def update(paths: list[Path]) -> None:
    """Write the outputs of PyTorch into the snippets."""
    for path in paths:
        output = run([], path)
        comment = "".join(f"# {line}\n" for line in output.splitlines())
        path.write_text(path.read_text().partition(MARK)[0].rstrip("\n") + "\n" + MARK + comment)


if __name__ == "__main__":
    update([path for path in SNIPPETS if not sys.argv[1:] or path.stem in sys.argv[1:]])
