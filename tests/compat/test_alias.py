"""The import alias and the runner, in fresh processes as users run them."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def run(tmp_path, text, *args, name="script.py", environment=None, how=None):
    script = tmp_path / name
    script.write_text(textwrap.dedent(text))
    command = [sys.executable, "-m", "flambeau", *(how or [str(script)]), *args]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120,
                          env={**os.environ, "PYTHONPATH": ROOT, **(environment or {})})


def test_names_are_the_same_objects(tmp_path):
    result = run(tmp_path, """
        import torch, torch.nn as nn, torch.nn.functional as F
        import flambeau, flambeau.vision, flambeau.nn.functional
        from torch.nn.modules.conv import Conv2d
        from torch.utils.data import DataLoader, Dataset
        from torch.optim.lr_scheduler import StepLR
        import torch.backends.cudnn as cudnn
        import torchvision.transforms as transforms
        from torchvision import datasets, models
        assert torch is flambeau and F is flambeau.nn.functional and torch.nn.functional is F
        assert Conv2d is nn.Conv2d and transforms is flambeau.vision.transforms
        assert torch.backends.cudnn is cudnn and torch.optim.lr_scheduler.StepLR is StepLR
        import importlib, importlib.metadata, importlib.util
        assert importlib.import_module("torch.nn.init") is nn.init
        assert importlib.util.find_spec("torchvision") is not None
        assert importlib.metadata.version("torch") == "2.13.0"
        assert torch.__spec__.name == "flambeau" and nn.__package__ == "flambeau.nn"
        print("same")
        """)
    assert result.stdout == "same\n", result.stderr


def test_a_script_sees_what_python_would_show_it(tmp_path):
    (tmp_path / "neighbour.py").write_text("import torch\nvalue = torch.ones(2).sum().item()\n")
    result = run(tmp_path, """
        import sys
        from neighbour import value
        print(__name__, __file__, sys.argv[1:], sys.argv[0] == __file__, sys.path[0], value)
        if __name__ == "__main__":
            sys.exit(3)
        """, "--epochs", "3")
    assert result.returncode == 3, result.stderr
    script = str(tmp_path / "script.py")
    assert result.stdout == f"__main__ {script} ['--epochs', '3'] True {tmp_path} 2.0\n"


def test_modules_and_code(tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "train.py").write_text("import torch, sys\nfrom . import helper\n"
                                      "print(torch.ones(1).item(), sys.argv[1:])\n")
    (package / "helper.py").write_text("")
    result = run(tmp_path, "", "-x", how=["-m", "package.train"])
    assert result.stdout == "1.0 ['-x']\n", result.stderr
    result = run(tmp_path, "", "a", how=["-c", "import torch, sys; print(sys.argv, torch.e)"])
    assert result.stdout.startswith("['-c', 'a'] 2.718"), result.stderr


def test_missing_names_say_what_is_near(tmp_path):
    result = run(tmp_path, """
        def attempt(f):
            try:
                f()
            except (ImportError, AttributeError) as error:
                print(type(error).__name__, error)
        def a(): from torch.nn import Conv22d
        def b(): import torch.nn.functonal
        def c():
            import torch
            torch.soft_max
        def d(): import torchaudio
        def e():
            import torchvision.models
            torchvision.models.resnet81
        def f(): from torchvision.transforms import Resise
        for f in (a, b, c, d, e, f):
            attempt(f)
        """)
    lines = result.stdout.splitlines()
    assert "from 'torch.nn' (Flambeau does not have it)" in lines[0], result.stderr
    assert lines[0].endswith("torch.nn.Conv2d.")
    assert lines[1].startswith("ModuleNotFoundError No module named 'torch.nn.functonal'")
    assert lines[1].endswith("torch.nn.functional.")
    assert lines[2].endswith("torch.softmax.")
    assert "Flambeau does not have torchaudio yet" in lines[3]
    assert lines[4].startswith("AttributeError module 'torchvision.models' has no attribute")
    assert lines[4].endswith("torchvision.models.resnet18.")
    assert lines[5].endswith("torchvision.transforms.Resize.")


def test_tracebacks_end_at_the_users_line(tmp_path):
    text = """
        import torch
        def step():
            return torch.nn.Linear(3, 4)(torch.ones(2, 5))
        step()
        """
    result = run(tmp_path, text)
    assert result.returncode == 1
    assert "in step" in result.stderr and "cannot be multiplied (2x5 and 3x4)" in result.stderr
    assert "flambeau" + os.sep not in result.stderr and "<frozen" not in result.stderr
    full = run(tmp_path, text, environment={"FLAMBEAU_TRACEBACK": "full"})
    assert "flambeau" + os.sep in full.stderr


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_processes_of_the_script_get_the_alias(tmp_path, method):
    result = run(tmp_path, f"""
        import multiprocessing
        import torch

        def work(x):
            import torch.nn.functional as F
            return F.relu(torch.tensor([x])).item(), torch.__name__, __name__

        if __name__ == "__main__":
            with multiprocessing.get_context("{method}").Pool(1) as pool:
                print(pool.map(work, [-1.0, 2.0]))
        """)
    name = "__mp_main__" if method == "spawn" else "__main__"
    assert result.stdout == f"[(0.0, 'flambeau', '{name}'), (2.0, 'flambeau', '{name}')]\n", (
        result.stderr)


def test_loader_workers_and_spawned_functions(tmp_path):
    result = run(tmp_path, """
        import torch
        import torch.multiprocessing as mp
        from torch.utils.data import DataLoader, Dataset

        class Squares(Dataset):
            def __len__(self):
                return 6
            def __getitem__(self, i):
                return torch.tensor(i * i)

        def fail(rank, message):
            raise ValueError(f"{message} {rank}")

        if __name__ == "__main__":
            for method in ("fork", "spawn"):
                loader = DataLoader(Squares(), batch_size=3, num_workers=1,
                                    multiprocessing_context=method)
                print([b.tolist() for b in loader])
            try:
                mp.spawn(fail, ("broken",), nprocs=1)
            except mp.ProcessRaisedException as error:
                print("broken 0" in str(error), error.error_index)
        """)
    assert result.stdout == "[[0, 1, 4], [9, 16, 25]]\n" * 2 + "True 0\n", result.stderr


def test_the_command_line_explains_itself(tmp_path):
    for arguments, code, text in ((["--help"], 0, "flambeau demo"), ([], 2, "usage"),
                                  (["--wrong"], 2, "unknown option"), (["none.py"], 2, "no such"),
                                  (["--version"], 0, "flambeau 2.13"),
                                  (["cache"], 2, "usage: flambeau cache clear"),
                                  (["demo", "--epochs", "0"], 2, "must be above 0")):
        result = subprocess.run([sys.executable, "-m", "flambeau", *arguments], cwd=tmp_path,
                                capture_output=True, text=True, timeout=60,
                                env={**os.environ, "PYTHONPATH": ROOT})
        assert result.returncode == code and text in result.stdout + result.stderr


def test_info_and_cache_clear(tmp_path):
    environment = {**os.environ, "PYTHONPATH": ROOT, "FLAMBEAU_CACHE": str(tmp_path / "cache")}

    def command(*arguments):
        return subprocess.run([sys.executable, "-m", "flambeau", *arguments], capture_output=True,
                              text=True, timeout=60, env=environment)
    found = command("info").stdout
    for name in ("flambeau", "processor", "vector width", "threads", "cache", "devices"):
        assert f"\n{name}" in "\n" + found
    assert str(tmp_path / "cache") in found
    command("-c", "import torch\nfor i in range(3): (torch.ones(9) * 2 + i).sum().item()")
    cleared = command("cache", "clear")
    assert cleared.stdout.startswith("removed ") and cleared.returncode == 0
    assert "0 kernels" in command("info").stdout


def test_install_refuses_when_the_real_one_is_loaded(tmp_path):
    (tmp_path / "torch.py").write_text("")
    result = subprocess.run(
        [sys.executable, "-c", "import torch, flambeau.compat as c; c.install()"], cwd=tmp_path,
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": ROOT}, timeout=60)
    assert "torch is imported already" in result.stderr


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_an_interrupted_script_shows_where_it_was(tmp_path):
    result = run(tmp_path, """
        import os, signal, torch
        signal.signal(signal.SIGINT, signal.default_int_handler)  # it may be inherited as ignored
        def train():
            os.kill(os.getpid(), signal.SIGINT)
            for _ in range(1000):
                torch.ones(3).sum().item()
        train()
        """)
    assert result.returncode == -signal.SIGINT
    assert "in train" in result.stderr and result.stderr.rstrip().endswith("KeyboardInterrupt")
    assert "runner.py" not in result.stderr
