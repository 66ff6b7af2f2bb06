"""Ctrl-C in training: Python's KeyboardInterrupt and exit status, no hang, no half-written file."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import flambeau as torch

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
ROOT = str(Path(torch.__file__).parents[1])

LOOP = """if True:
    import signal
    signal.signal(signal.SIGINT, signal.default_int_handler)  # it may be inherited as ignored
    import torch
    import torch.nn.functional as F
    model = torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Linear(128, 9))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    x, y = torch.randn(16, 64), torch.randint(0, 9, (16,))
    step = 0
    while True:
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()
        step += 1
        torch.save(model.state_dict(), "weights.pth")
        if step == 1:
            print("ready", flush=True)
    """


def interrupted(folder: Path, aliased: bool, delay: float) -> tuple[int, str]:
    """The exit status and stderr of a training that gets SIGINT `delay` after its first step."""
    text = LOOP
    if not aliased:
        text = text.replace("import torch.nn", "import flambeau.nn").replace(
            "import torch\n", "import flambeau as torch\n")
    (folder / "train.py").write_text(text)
    command = [sys.executable, *(["-m", "flambeau"] if aliased else []), "train.py"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True,
                               stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": ROOT})
    try:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    return process.returncode, errors


@pytest.mark.parametrize("aliased", [False, True], ids=["python", "flambeau"])
@pytest.mark.parametrize("delay", [0.0, 0.013, 0.2])
def test_a_training_loop_ends_as_under_python(tmp_path, aliased, delay):
    status, errors = interrupted(tmp_path, aliased, delay)
    # Python ends by the signal itself, which a shell shows as 130
    assert status == -signal.SIGINT, errors
    # Python 3.14's pickle adds notes, in which of a dict's items it was interrupted
    words = [line for line in errors.split("\n") if line and not line.startswith("when ")]
    assert "Traceback" in errors and words[-1] == "KeyboardInterrupt", errors
    assert ", line " in errors and 'train.py"' in errors
    weights = torch.load(tmp_path / "weights.pth")
    assert weights["2.weight"].shape == (9, 128)
    assert sorted(os.listdir(tmp_path)) == ["train.py", "weights.pth"]


LONG = """if True:
    import os, signal, sys, threading, time
    signal.signal(signal.SIGINT, signal.default_int_handler)
    import flambeau as torch
    from flambeau.record.execute import settings
    settings.interpreted_runs = 0
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(1200, 1200) / 40)
    optimizer = torch.optim.SGD([weight], lr=1e-3)
    x = torch.randn(1200, 1200)

    def step():
        y = x
        for _ in range(repeats):
            y = torch.tanh(y @ weight)
        optimizer.zero_grad()
        y.square().mean().backward()
        optimizer.step()

    repeats = 2
    step()
    torch.zeros(1).item()
    repeats = 20
    state = torch.empty(0)
    delays = []
    step()                               # compiles
    print(float(weight.sum()), flush=True)
    before = weight.detach().clone()
    float(before.sum())
    def interrupt():
        time.sleep(0.1)
        delays.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)
    threading.Thread(target=interrupt).start()
    begin = time.perf_counter()
    try:
        step()
        float(weight.sum())
        print("not interrupted")
    except KeyboardInterrupt as error:
        now = time.perf_counter()
        print("interrupted", now - delays[0], "stopped" in str(error), flush=True)
    whole = time.perf_counter()
    print(float(weight.sum()), time.perf_counter() - whole)
    # the same step from the same weights, undisturbed
    with torch.no_grad():
        weight.copy_(before)
    step()
    print(float(weight.sum()), flush=True)
    """


def test_a_long_program_stops_and_its_results_are_there_all_the_same(tmp_path):
    (tmp_path / "long.py").write_text(LONG)
    run = subprocess.run([sys.executable, "long.py"], cwd=tmp_path, capture_output=True, text=True,
                         timeout=200, env={**os.environ, "PYTHONPATH": ROOT})
    assert run.returncode == 0, run.stderr
    _, interrupted_line, after, undisturbed = run.stdout.strip().split("\n")
    word, answer, stopped = interrupted_line.split()
    assert word == "interrupted"
    assert stopped == "True" and float(answer) < 0.5, interrupted_line
    assert float(after.split()[0]) == float(undisturbed)


SHORT = """if True:
    import os, signal, threading, time
    signal.signal(signal.SIGINT, signal.default_int_handler)
    import flambeau as torch
    torch.manual_seed(0)
    model = torch.nn.Linear(600, 600)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    x = torch.randn(600, 600)

    def step():
        optimizer.zero_grad()
        model(x).tanh().square().mean().backward()
        optimizer.step()

    for _ in range(4):
        step()
    interrupts = 0
    for delay in (0.02, 0.033, 0.041, 0.05, 0.057):
        threading.Timer(delay, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            while True:
                step()
        except KeyboardInterrupt:
            interrupts += 1
        saved = {k: v.tolist() for k, v in model.state_dict().items()}
    print(interrupts, len(saved), all(v == v for v in saved["bias"]))
    """


def test_an_interrupted_loop_leaves_a_model_that_can_be_saved(tmp_path):
    (tmp_path / "short.py").write_text(SHORT)
    run = subprocess.run([sys.executable, "short.py"], cwd=tmp_path, capture_output=True,
                         text=True, timeout=100, env={**os.environ, "PYTHONPATH": ROOT})
    assert run.stdout.split() == ["5", "2", "True"], run.stderr


OFTEN = """if True:
    import gc, os, random, signal, sys, time
    signal.signal(signal.SIGINT, signal.default_int_handler)
    import flambeau as torch
    import flambeau.nn.functional as F
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.BatchNorm1d(128),
                                torch.nn.Dropout(0.1), torch.nn.ReLU(), torch.nn.Linear(128, 9))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    x, y = torch.randn(16, 64), torch.randint(0, 9, (16,))

    def step():
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            right = (model(x).argmax(1) == y).float().mean().item()
        return loss.item(), right

    def until_interrupted():
        end = time.monotonic() + 20
        while time.monotonic() < end:
            step()
        sys.exit("an interrupt was lost")

    def some_steps():
        for _ in range(4):
            step()

    some_steps()
    ready, go = os.pipe()
    trainer = os.getpid()
    other = os.fork()
    if not other:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.close(go)
        while os.read(ready, 1):
            time.sleep(random.random() * 0.006)
            os.kill(trainer, signal.SIGINT)
        os._exit(0)
    for _ in range(120):
        some_steps()
        try:
            os.write(go, b"x")
            until_interrupted()
        except KeyboardInterrupt:
            pass
        assert torch.is_grad_enabled() and gc.isenabled()
    os.close(go)
    os.waitpid(other, 0)
    assert all(bool(torch.isfinite(p).all()) for p in model.parameters())
    print(step())
    """


def test_training_goes_on_after_any_interrupt(tmp_path):
    """As in a notebook, whose user stops a cell and runs the next."""
    (tmp_path / "often.py").write_text(OFTEN)
    run = subprocess.run([sys.executable, "-W", "ignore", "often.py"], cwd=tmp_path, text=True,
                         capture_output=True, timeout=200, env={**os.environ, "PYTHONPATH": ROOT})
    assert run.returncode == 0, run.stderr
    loss, right = eval(run.stdout)
    assert loss < 0.1 and right == 1.0
