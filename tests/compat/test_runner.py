"""The program runner: what a program sees of itself, and how it ends, as under ``python``."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def command(folder, *arguments, text=None, **options):
    return subprocess.run([sys.executable, "-m", "flambeau", *arguments], cwd=folder, text=True,
                          capture_output=True, timeout=120, input=text,
                          env={**os.environ, "PYTHONPATH": ROOT}, **options)


def python(folder, *arguments, text=None):
    return subprocess.run([sys.executable, *arguments], cwd=folder, text=True, timeout=120,
                          capture_output=True, input=text)


def assert_like_python(folder, *arguments, text=None):
    ours, theirs = command(folder, *arguments, text=text), python(folder, *arguments, text=text)
    assert (ours.returncode, ours.stdout, ours.stderr) == (
        theirs.returncode, theirs.stdout, theirs.stderr)
    return ours


#: Programs that do not import torch, so that Python itself says what they should print.
PROGRAMS = {
    "its own place": """
        import os, sys, __main__
        print(__file__, sys.argv, __name__, __package__, __cached__, sys.path[0], __doc__)
        os.chdir(os.sep)
        print(os.path.exists(__file__), __main__.__file__ == __file__)
        """,
    "annotations": """
        import dataclasses, inspect, typing
        @dataclasses.dataclass
        class Options:
            rate: float = 0.1
        def f(a: int) -> "str": pass
        print(dataclasses.fields(Options)[0].type, f.__annotations__, inspect.signature(f))
        print(inspect.getsource(Options))
        """,
    "a syntax error": "x = (1,\ny = 3 +\n",
    "an indentation error": "def f():\npass\n",
    "a text as exit status": "import sys\nsys.exit('bye')\n",
    "a large exit status": "import sys\nsys.exit(300)\n",
    "an error at exit": "import atexit\natexit.register(print, 'end')\nraise ValueError('x')\n",
    "a chain of errors": """
        try:
            try:
                {}[1]
            except KeyError as error:
                raise ValueError("bad") from error
        except ValueError:
            raise RuntimeError("meanwhile")
        """,
    "a hook of its own": """
        import sys
        sys.excepthook = lambda kind, value, trace: print(kind.__name__, value, trace.tb_lineno)
        raise KeyError("z")
        """,
    "warnings": """
        import warnings
        warnings.warn("one")
        warnings.warn("two", DeprecationWarning)
        warnings.warn("three", PendingDeprecationWarning)
        warnings.filterwarnings("ignore", category=UserWarning, module="__main__")
        warnings.warn("four")
        """,
    "standard input": "import sys\nprint(input(), sys.stdin.read())\n",
    "the end of the input": "while True: input()\n",
    "a thread that fails": """
        import threading
        def fail():
            raise ValueError(3)
        thread = threading.Thread(target=fail, name="T")
        thread.start()
        thread.join()
        """,
    "a relative import": "from . import neighbour\n",
    "an interrupt": "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n",
    "a failed assertion": "assert 1 == 2, 'message'\n",
}


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("name", PROGRAMS)
def test_as_under_python(tmp_path, name):
    (tmp_path / "script.py").write_text(textwrap.dedent(PROGRAMS[name]))
    assert_like_python(tmp_path, "script.py", "--epochs", "3", text="first\nrest\n")


def test_folders_and_packages(tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "helper.py").write_text("value = 3\n")
    (package / "__main__.py").write_text("import sys\nprint(__package__, __file__, sys.argv)\n")
    (package / "part.py").write_text(
        "import sys\nfrom .helper import value\n"
        "print(__name__, __package__, __file__, sys.argv, sys.path[0], value)\n")
    for arguments in (["package"], ["-m", "package", "a"], ["-m", "package.part", "a"]):
        assert not assert_like_python(tmp_path, *arguments).returncode
    (tmp_path / "empty").mkdir()
    for arguments, words in ((["-m", "package.none"], "No module named package.none"),
                             (["-m", "nothing"], "No module named nothing"),
                             (["empty"], "can't find '__main__' module in 'empty'")):
        result = command(tmp_path, *arguments)
        assert result.returncode == 1 and result.stderr == f"flambeau: {words}\n"


def test_program_text_from_the_standard_input(tmp_path):
    result = command(tmp_path, "-", "a", text="import torch, sys\nprint(sys.argv, torch.e)\n")
    assert result.stdout.startswith("['-', 'a'] 2.718"), result.stderr


def test_files_named_like_standard_modules(tmp_path):
    for name in ("random", "queue", "json", "numpy"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong file')\n")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "script.py").write_text(
        "import torch, random\nprint(torch.rand(2).shape, random.Random(0) is not None)\n")
    result = command(tmp_path, os.path.join("inner", "script.py"))
    assert result.stdout == "torch.Size([2]) True\n", result.stderr


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_an_interrupt_ends_the_process_by_the_signal(tmp_path):
    result = command(tmp_path, "-c", "import torch, atexit\natexit.register(print, 'end')\n"
                                     "raise KeyboardInterrupt")
    assert result.returncode == -signal.SIGINT and result.stdout == "end\n"
    assert result.stderr.count("KeyboardInterrupt") == 1


def test_spawned_processes_of_a_module(tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "helper.py").write_text("value = 3\n")
    (package / "run.py").write_text(textwrap.dedent("""
        import multiprocessing, torch, warnings
        warnings.simplefilter("error")
        from .helper import value
        def work(x):
            return torch.tensor(x).item() + value, __package__
        if __name__ == "__main__":
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print(pool.map(work, [1]))
        """))
    result = command(tmp_path, "-m", "package.run")
    assert result.stdout == "[(4, 'package')]\n", result.stderr


def test_spawned_processes_find_a_checkout(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent("""
        import multiprocessing, torch
        def work(x):
            return torch.__file__
        if __name__ == "__main__":
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print(pool.map(work, [1]) == [torch.__file__])
        """))
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    result = subprocess.run([sys.executable, "-m", "flambeau", str(script)], cwd=ROOT, timeout=120,
                            capture_output=True, text=True, env=environment)
    assert result.stdout == "True\n", result.stderr
