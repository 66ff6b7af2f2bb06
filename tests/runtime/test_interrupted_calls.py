"""Signals wait for the end of Flambeau's own calls; functions stand for its code by their file."""

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
    assert sys.gettrace() is None and not _interrupts._watched and not _interrupts._pending


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
    text, theirs = "def call(f):\n    f()\n    done.append(1)\n", defined(CALL, "user.py")["call"]
    hooks = defined(text, _interrupts._PACKAGE + "autograd/imagined.py")
    with pytest.raises(KeyboardInterrupt):
        hooks["call"](theirs)
    assert not hooks["done"]
    recorder = defined(text, OURS)       # calls nothing of the user's: Python did, for an object
    with pytest.raises(KeyboardInterrupt):
        recorder["call"](theirs)
    assert recorder["done"] == [1]


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


@pytest.fixture
def alarms():
    """Sets a handler of SIGALRM, and ends what it began."""
    before = signal.getsignal(signal.SIGALRM)

    def handle(handler):
        signal.signal(signal.SIGALRM, handler)
        _interrupts.arrive_between_calls()

    yield handle
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_the_users_handlers_wait_too(alarms):
    seen = []
    ours = defined(CALL, OURS, interrupt=functools.partial(signal.raise_signal, signal.SIGALRM))
    _interrupts.ends_at_once(ours["call"])        # a handler may use tensors: it cannot be left
    alarms(lambda number, frame: seen.append((number, list(ours["done"]))))
    assert ours["call"]() == 1
    assert seen == [(signal.SIGALRM, ["ended"])]
    alarms(signal.SIG_IGN)
    assert ours["call"]() == 1 and len(seen) == 1


def test_what_a_handler_raises_comes_from_the_call(alarms):
    def leave(number, frame):
        raise SystemExit(7)

    ours = defined(CALL, OURS, interrupt=functools.partial(signal.raise_signal, signal.SIGALRM))
    alarms(leave)
    with pytest.raises(SystemExit):
        ours["call"]()
    assert ours["done"] == ["ended"]


def test_signals_during_a_handler_are_handled_after_it(alarms):
    order = []
    alarm = functools.partial(signal.raise_signal, signal.SIGALRM)
    inner = defined(CALL, OURS, interrupt=alarm)

    def handler(number, frame):
        order.append("begins")
        if len(order) == 1:
            inner["call"]()                        # raises the signal again, in a call of ours
        order.append("ends")

    alarms(handler)
    assert defined(CALL, OURS, interrupt=alarm)["call"]() == 1
    assert order == ["begins", "ends", "begins", "ends"]


def test_two_signals_in_one_call(alarms):
    seen = []
    text = "def call():\n    alarm()\n    interrupt()\n    done.append(1)\n"
    ours = defined(text, OURS, alarm=functools.partial(signal.raise_signal, signal.SIGALRM))
    alarms(lambda number, frame: seen.append(number))
    with pytest.raises(KeyboardInterrupt):
        ours["call"]()
    assert seen == [signal.SIGALRM] and ours["done"] == [1]


def test_checkpoints_in_a_handler_while_training(alarms, tmp_path):
    """As schedulers of clusters have it, which send a signal before they end a job."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.BatchNorm1d(128),
                                torch.nn.ReLU(), torch.nn.Linear(128, 9))
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    x, y = torch.randn(16, 64), torch.randint(0, 9, (16,))
    saved, losses = [], []
    torch.save({}, tmp_path / "weights.pth")       # imports; pytest has a hook of its own there

    def save(number, frame):
        torch.save(model.state_dict(), tmp_path / "weights.pth")
        saved.append(float(model[0].weight.detach().abs().sum()))

    for step in range(400):
        loss = torch.nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if step == 5:
            alarms(save)
            signal.setitimer(signal.ITIMER_REAL, 0.003, 0.0037)
    signal.setitimer(signal.ITIMER_REAL, 0)
    assert len(saved) > 5 and all(b <= a for a, b in zip(losses[5:], losses[6:]))
    assert torch.load(tmp_path / "weights.pth")["0.weight"].shape == (128, 64)


def test_handlers_are_found_behind_ours():
    signal.signal(signal.SIGINT, signal.default_int_handler)
    (torch.ones(2) + 1).tolist()
    assert signal.getsignal(signal.SIGINT).__wrapped__ is signal.default_int_handler


def test_other_threads_run_programs_without_touching_handlers():
    signal.signal(signal.SIGINT, signal.default_int_handler)
    found = []
    thread = threading.Thread(target=lambda: found.append((torch.ones(2) + 1).tolist()))
    thread.start()
    thread.join()
    assert found == [[2.0, 2.0]]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
