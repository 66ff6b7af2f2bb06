"""Programs as people write them, mistakes included, print the same under both packages.

A file of programs/ runs statement by statement, so that the program goes on after an error. Of
errors the type and the beginning of the text are compared: ours say more.
"""
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

FOLDER = Path(__file__).with_name("programs")
ROOT = Path(__file__).parents[2]
# run under both packages: file names -> what each prints, as JSON
RUNNER = """if True:
    import ast, contextlib, io, json, os, sys, tempfile, warnings
    import torch
    warnings.simplefilter("ignore")
    printed = {}
    for path in sys.argv[1:]:
        torch.manual_seed(0)
        os.chdir(tempfile.mkdtemp(dir="."))
        names = {"__name__": "__main__"}
        with contextlib.redirect_stdout(io.StringIO()) as out:
            for statement in ast.parse(open(path, encoding="utf-8").read()).body:
                code = compile(ast.Module([statement], []), "<program>", "exec")
                try:
                    exec(code, names)
                except Exception as error:
                    print("!", type(error).__name__, str(error).partition("\\n")[0])
        printed[os.path.basename(path)] = out.getvalue().split("\\n")
    print(json.dumps(printed))
    """
PROGRAMS = sorted(FOLDER.glob("*.py"))


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    found = []
    for module in ([], ["-m", "flambeau"]):
        run = subprocess.run(
            [sys.executable, *module, "-c", RUNNER, *map(str, PROGRAMS)], capture_output=True,
            text=True, timeout=300, cwd=tmp_path_factory.mktemp("programs"),
            env={**os.environ, "PYTHONPATH": str(ROOT)})
        assert run.returncode == 0, run.stderr
        found.append(json.loads(run.stdout.strip().split("\n")[-1]))
    return found


@pytest.mark.parametrize("program", [path.name for path in PROGRAMS])
def test_program(program, printed):
    theirs, mine = (found[program] for found in printed)
    for number, (expected, line) in enumerate(zip(theirs, mine)):
        if expected.startswith("! "):
            words = expected.split(" (Could this error message")[0].split(" Hint: ")[0].rstrip(". ")
            assert line.startswith(words), (number, line, expected)
        else:
            assert line == expected, number
    assert len(mine) == len(theirs)
