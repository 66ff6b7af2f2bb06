"""What people get wrong: the same exception as PyTorch, its text at the beginning."""
import copy
import io
import textwrap
import warnings

import numpy
import pytest

torch = pytest.importorskip("torch")

from user_mistakes import MISTAKES

import flambeau as fb

# what PyTorch adds to the words that count
NOISE = (" (Could this error message be improved?", " Hint: enable anomaly detection",
         " (defaults to the tensor's dtype)", "\033[1m", "\033[0m")


class Plain:
    """An object that a safe `torch.load` refuses."""


def programs():
    """(program, whether only the type of the exception is compared) of every line.

    A line that begins with ``~`` differs in words only; one with ``!`` is a known difference.
    """
    for subject, text in MISTAKES.items():
        for line in textwrap.dedent(text).strip().split("\n"):
            mark, line = (line[0], line[2:]) if line[0] in "~!" and line[1] == " " else ("", line)
            known = [pytest.mark.xfail(strict=True)] if mark == "!" else []
            yield pytest.param(line.replace("\\n", "\n"), mark == "~", marks=known,
                               id=f"{subject}: {line}")


def raised(library, program):
    """The exception that a program ends with."""
    names = {"torch": library, "nn": library.nn, "F": library.nn.functional, "numpy": numpy,
             "copy": copy, "io": io, "Plain": Plain, "__name__": __name__}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        library.manual_seed(0)
        try:
            try:
                code = compile(program, "program", "eval")
            except SyntaxError:
                exec(compile(program, "program", "exec"), names)
                return None
            result = eval(code, names)
            if isinstance(result, library.Tensor):
                result.sum().item()     # what depends on values is found when a value is read
        except Exception as error:
            return error
    return None


def first_line(error) -> str:
    """The words that count, up to the first thing that PyTorch adds for itself."""
    text = str(error).split("\n")[0]
    for noise in NOISE:
        text = text.split(noise)[0]
    return text.strip().rstrip(".,")


def kinds(error) -> set[str]:
    """The names of an exception's classes."""
    return {kind.__name__.lstrip("_") for kind in type(error).__mro__}


@pytest.mark.parametrize("program, loose", list(programs()))
def test_mistake_raises_as_in_pytorch(program, loose):
    theirs, mine = raised(torch, program), raised(fb, program)
    assert theirs is not None, "PyTorch does not mind"
    assert mine is not None, f"expected {theirs!r}"
    assert type(theirs).__name__.lstrip("_") in kinds(mine), (mine, theirs)
    if not loose:
        assert str(mine).startswith(first_line(theirs)), (str(mine), first_line(theirs))
