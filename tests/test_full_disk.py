"""A file that cannot be written: the old one stays, the error says so, and training goes on.

A limit on the size of files stands for the full disk; it holds for the child process only.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import flambeau as torch

pytest.importorskip("resource", reason="limits of POSIX")
ROOT = str(Path(torch.__file__).parents[1])
LIMIT = """if True:
    import os, resource, sys
    import flambeau as torch
    def limit(size):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    """


def run(folder: Path, code: str) -> str:
    """What a child process prints that runs `code` in `folder`."""
    cache = folder / "cache"
    result = subprocess.run(
        [sys.executable, "-c", LIMIT + code], cwd=folder, capture_output=True, text=True,
        timeout=60, env={**os.environ, "PYTHONPATH": ROOT, "FLAMBEAU_CACHE": str(cache)})
    assert result.returncode == 0, result.stderr
    assert not result.stderr, result.stderr
    return result.stdout


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_save_leaves_the_old_file(tmp_path, legacy):
    out = run(tmp_path, f"""
    torch.save(torch.ones(3), "w.pth")
    limit(100_000)
    try:
        torch.save(torch.zeros(100_000), "w.pth", _use_new_zipfile_serialization={not legacy})
    except OSError as error:
        print(error)
    print(torch.load("w.pth").tolist())
    torch.save(torch.zeros(2), "w.pth")
    print(torch.load("w.pth").tolist())
    """)
    error, old, new = out.splitlines()
    assert "File too large" in error
    assert (old, new) == ("[1.0, 1.0, 1.0]", "[0.0, 0.0]")
    assert os.listdir(tmp_path) == ["w.pth"]


def test_training_goes_on_without_its_cache(tmp_path):
    losses = """
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(32, 64), torch.nn.ReLU(), torch.nn.Linear(64, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x = torch.randn(8, 32)
    for _ in range(5):
        loss = model(x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(loss.item())
    """
    def files():
        return [p for p in (tmp_path / "cache").rglob("*") if p.is_file()]

    limited = run(tmp_path, "limit(500)" + losses)
    assert all(p.stat().st_size <= 500 and not p.name.startswith(".new-") for p in files())
    assert run(tmp_path, losses) == limited and files()      # what was left misleads nobody
    assert run(tmp_path, losses) == limited


@pytest.mark.parametrize("seconds", [0.01, 120])
def test_event_file_says_that_it_cannot_be_written(tmp_path, seconds):
    pytest.importorskip("tensorboard")
    out = run(tmp_path, f"""
    import time
    from flambeau.utils.tensorboard import SummaryWriter
    writer = SummaryWriter("runs", flush_secs={seconds})
    limit(20_000)
    def attempt(call):
        begin = time.monotonic()
        try:
            call()
            said = "ok"
        except OSError as error:
            said = f"{{error.strerror.split(':')[0]}} {{'events.out.tfevents' in str(error)}}"
        print(said, time.monotonic() - begin < 2)
    def add():
        for step in range(60):
            writer.add_histogram("values", torch.randn(3000), step)
    for call in (add, writer.flush, lambda: writer.add_scalar("loss", 1, 1), writer.close,
                 writer.close, lambda: writer.add_scalar("loss", 1, 2), writer.close):
        attempt(call)
    """)
    assert out.splitlines() == ["File too large True True"] * 4 + ["ok True"] * 3
