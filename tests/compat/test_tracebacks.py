"""Tracebacks of programs show the user's lines."""

import os
import subprocess
import sys
import textwrap

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def printed(tmp_path, text):
    script = tmp_path / "script.py"
    script.write_text("import torch\n" + textwrap.dedent(text))
    result = subprocess.run([sys.executable, "-m", "flambeau", str(script)], cwd=tmp_path,
                            capture_output=True, text=True, timeout=120,
                            env={**os.environ, "PYTHONPATH": ROOT})
    return result.stderr


def lines_shown(text):
    """The files and functions of a traceback's frames."""
    frames = [line.strip(" |+-") for line in text.splitlines() if 'File "' in line]
    return [(os.path.basename(frame.split('"')[1]), frame.rpartition(" in ")[2])
            for frame in frames]


@pytest.mark.parametrize("text, end", [
    ("def f():\n    torch.ones(2).view(3)\nf()", "invalid for input of size 2"),
    ("def f():\n    torch.nn.Linear(1, 1).foo\nf()", "no attribute 'foo'"),
    ("def f():\n    torch.load('none.pth')\nf()", "'none.pth'"),
])
def test_errors_end_at_the_users_line(tmp_path, text, end):
    shown = printed(tmp_path, text)
    assert lines_shown(shown) == [("script.py", "<module>"), ("script.py", "f")], shown
    assert shown.rstrip().endswith(end)


def test_the_users_functions_below_flambeau_are_shown(tmp_path):
    shown = printed(tmp_path, """
        from torch.utils.data import DataLoader, Dataset
        class Broken(Dataset):
            def __len__(self):
                return 4
            def __getitem__(self, index):
                return {}[index]
        list(DataLoader(Broken()))
        """)
    assert lines_shown(shown) == [("script.py", "<module>"), ("script.py", "__getitem__")], shown


@pytest.mark.skipif(sys.version_info < (3, 11), reason="groups of exceptions")
def test_groups(tmp_path):
    shown = printed(tmp_path, """
        errors = [ValueError(3)]
        try:
            torch.ones(2).view(3)
        except RuntimeError as error:
            errors.append(error)
        raise ExceptionGroup("many", errors)
        """)
    assert lines_shown(shown) == [("script.py", "<module>")] * 2, shown


def test_threads(tmp_path):
    shown = printed(tmp_path, """
        import threading
        def f():
            torch.ones(2).view(3)
        thread = threading.Thread(target=f)
        thread.start()
        thread.join()
        """)
    assert lines_shown(shown)[-1] == ("script.py", "f"), shown


def test_what_may_be_a_fault_of_flambeau_keeps_its_frames(tmp_path):
    shown = printed(tmp_path, """
        import flambeau.nn.functional as F
        class Odd:
            pass
        F.linear.__globals__["_planted"] = Odd()
        exec(compile("def broken(): return _planted.missing", F.__file__, "exec"),
             F.linear.__globals__)
        F.linear.__globals__["broken"]()
        """)
    assert lines_shown(shown)[-1] == ("functional.py", "broken"), shown
