"""Ctrl-C waits for the end of Flambeau's own calls; functions stand for its code by their file."""

import functools
import signal
import sys
import threading

import pytest

import flambeau as torch
from flambeau.runtime import _interrupts

OURS = _interrupts._PACKAGE + "record/imagined.py"
OPEN = _interrupts._PACKAGE + "utils/imagined.py"
LIBRARY = _interrupts._STANDARD + "imagined.py"
INTERRUPT = functools.partial(signal.raise_signal, signal.SIGINT)     # has no frame of its own


@pytest.fixture(autouse=True)
def usual_handler():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    _interrupts.arrive_between_calls()
    yield
    signal.signal(signal.SIGINT, before)
    assert sys.gettrace() is None and not _interrupts._waiting


def defined(text, path, **names):
    """What `text` defines, as if it stood in the file `path`."""
    scope = {"interrupt": INTERRUPT, "done": [], **names}
    exec(compile(text, path, "exec"), scope)
    return scope


CALL = """
def call():
    interrupt()
    done.append("ended")
    return 1
"""


def test_a_call_comes_to_its_end():
    ours = defined(CALL, OURS)
    with pytest.raises(KeyboardInterrupt):
        ours["call"]()
    assert ours["done"] == ["ended"]


def test_calls_within_calls_and_libraries_come_to_their_end():
    inner = defined(CALL, OURS)
    library = defined("def call():\n    f()\n    done.append(1)\n", LIBRARY, f=inner["call"])
    outer = defined("def call():\n    f()\n    done.append(2)\n", OURS, f=library["call"])
    with pytest.raises(KeyboardInterrupt):
        outer["call"]()
    assert inner["done"] and library["done"] and outer["done"]


def test_a_call_that_fails_is_interrupted_all_the_same():
    ours = defined("def call():\n    interrupt()\n    raise ValueError\n", OURS)
    with pytest.raises(KeyboardInterrupt):
        ours["call"]()


@pytest.mark.parametrize("path", [OPEN, "user.py", LIBRARY])
def test_elsewhere_it_is_raised_at_once(path):
    elsewhere = defined(CALL, path)
    with pytest.raises(KeyboardInterrupt):
        elsewhere["call"]()
    assert not elsewhere["done"]


def test_user_code_that_is_called_back_is_left_at_once():
    ours = defined("def call(f):\n    f()\n    done.append(1)\n", OURS)
    with pytest.raises(KeyboardInterrupt):
        ours["call"](defined(CALL, "user.py")["call"])
    assert not ours["done"]


def test_what_can_run_again_is_left_at_once():
    ours = defined(CALL, OURS)
    _interrupts.ends_at_once(ours["call"])
    with pytest.raises(KeyboardInterrupt):
        ours["call"]()
    assert not ours["done"]


BLOCK = """
class Block:
    def __enter__(self):
        done.append("in")
        ENTER
    def __exit__(self, *error):
        EXIT
        done.append("out")
"""


@pytest.mark.parametrize("where", ["ENTER", "EXIT"])
def test_blocks_are_left(where):
    ours = defined(BLOCK.replace(where, "interrupt()").replace("ENTER", "pass")
                   .replace("EXIT", "pass"), OURS)
    with pytest.raises(KeyboardInterrupt), ours["Block"]():
        ours["done"].append("inside")
    assert ours["done"][0] == "in" and ours["done"][-1] == "out"
    assert ("inside" in ours["done"]) == (where == "EXIT")


def test_it_is_not_lost_where_python_ignores_errors():
    """Errors of __del__ are printed and forgotten."""
    ours = defined("class Thing:\n    def __del__(self):\n        interrupt()\n", OURS)

    def forget():
        thing = ours["Thing"]()
        del thing
        return 1

    with pytest.raises(KeyboardInterrupt):
        forget()


def test_pressing_again_raises_at_once_after_a_second(monkeypatch):
    twice = "def call():\n    interrupt()\n    interrupt()\n    done.append(1)\n"
    ours = defined(twice, OURS)
    with pytest.raises(KeyboardInterrupt):
        ours["call"]()
    assert ours["done"] == [1]                     # at once it only waits
    monkeypatch.setattr(_interrupts, "_IMPATIENCE", 0.0)
    ours = defined(twice, OURS)
    with pytest.raises(KeyboardInterrupt):
        ours["call"]()
    assert not ours["done"]


def test_a_debugger_keeps_its_place():
    def watch(frame, event, argument):
        return None

    ours = defined(CALL, OURS)
    sys.settrace(watch)
    try:
        with pytest.raises(KeyboardInterrupt):
            ours["call"]()
        assert sys.gettrace() is watch
    finally:
        sys.settrace(None)
    assert not ours["done"]


def test_the_users_own_handler_stays():
    def handler(number, frame):
        pass

    signal.signal(signal.SIGINT, handler)
    (torch.ones(2) + 1).tolist()
    assert signal.getsignal(signal.SIGINT) is handler
    signal.signal(signal.SIGINT, signal.default_int_handler)
    (torch.ones(2) + 1).tolist()
    assert signal.getsignal(signal.SIGINT) is _interrupts._on_interrupt


def test_other_threads_run_programs_without_touching_handlers():
    signal.signal(signal.SIGINT, signal.default_int_handler)
    found = []
    thread = threading.Thread(target=lambda: found.append((torch.ones(2) + 1).tolist()))
    thread.start()
    thread.join()
    assert found == [[2.0, 2.0]]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
