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
    # Python ends by the signal itself, which a shell shows as 130; under the command, too, if the
    # interrupt came while an import ran the text of a dataclass
    assert status == -signal.SIGINT or aliased and status == 130, errors
    # Python 3.14's pickle adds notes, in which of a dict's items it was interrupted
    words = [line for line in errors.split("\n") if line and not line.startswith("when ")]
    assert "Traceback" in errors and words[-1] == "KeyboardInterrupt", errors
    assert ", line " in errors and 'train.py"' in errors
    weights = torch.load(tmp_path / "weights.pth")
    assert weights["2.weight"].shape == (9, 128)
    assert sorted(os.listdir(tmp_path)) == ["train.py", "weights.pth"]
