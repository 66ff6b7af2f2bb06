"""What modules say they export exists, and the names that most PyTorch programs use are there."""

import ast
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import flambeau as torch
from flambeau.compat.alias import real_name

# Names used by at least two in five of 45 well-known repositories that import torch.
USED_MOST = {
    "torch": """FloatTensor LongTensor Tensor arange cat clamp device empty exp float32 from_numpy
        load log long manual_seed matmul max mean no_grad ones rand randint randn save sigmoid
        sqrt stack sum tanh tensor zeros zeros_like""",
    "torch.Tensor": """abs argmax backward clamp clone contiguous copy_ cpu cuda data detach device
        dim dtype exp expand expand_as fill_ flatten float grad item long max mean numel numpy
        permute pow repeat requires_grad reshape shape size split squeeze sum t to tolist
        transpose unsqueeze view zero_""",
    "torch.cuda": "is_available",
    "torch.nn": """BatchNorm2d Conv2d ConvTranspose2d CrossEntropyLoss Dropout Embedding LayerNorm
        Linear MaxPool2d Module ModuleList Parameter ReLU Sequential Sigmoid Tanh""",
    "torch.nn.Module": """apply cuda eval forward load_state_dict named_parameters parameters
        register_buffer state_dict to train""",
    "torch.nn.functional": "cross_entropy log_softmax relu softmax",
    "torch.nn.init": "constant_ normal_",
    "torch.nn.utils": "clip_grad_norm_",
    "torch.optim": "Adam AdamW SGD",
    "torch.optim.Optimizer": "step zero_grad",
    "torch.utils.data": "DataLoader Dataset",
    "torchvision.transforms": "Compose Normalize RandomHorizontalFlip Resize ToTensor",
}


def public_modules() -> list[str]:
    names = [m.name for m in pkgutil.walk_packages(torch.__path__, "flambeau.")]
    return ["flambeau"] + [
        n for n in names if not any(part.startswith("_") for part in n.split("."))
    ]


def defined_names(path: Path) -> list[str]:
    """The public functions and classes written in a module."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    kinds = (ast.FunctionDef, ast.ClassDef)
    return [n.name for n in body if isinstance(n, kinds) and not n.name.startswith("_")]


@pytest.mark.parametrize("name", public_modules())
def test_exports(name, load_module):
    module = load_module(name)
    if not hasattr(module, "__all__"):
        assert not defined_names(Path(module.__file__)), "defines public names without __all__"
        return
    exported = list(module.__all__)
    assert exported == sorted(set(exported))
    assert [n for n in exported if not hasattr(module, n)] == []


@pytest.mark.parametrize("name", USED_MOST)
def test_names_used_most(name):
    if name.startswith("torchvision"):
        pytest.importorskip("PIL")
    place = pkgutil.resolve_name(real_name(name))
    assert [n for n in USED_MOST[name].split() if not hasattr(place, n)] == []


def test_parameter_groups_of_an_optimizer():
    optimizer = torch.optim.SGD([torch.zeros(2, requires_grad=True)], 0.1)
    assert optimizer.param_groups[0]["lr"] == 0.1


def test_a_python_without_interpreter_lock_is_refused():
    code = "import sys; sys._is_gil_enabled = lambda: False; import flambeau"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          cwd=Path(torch.__file__).parents[1])
    assert done.returncode == 1
    assert "ImportError: Flambeau needs Python's global interpreter lock" in done.stderr
