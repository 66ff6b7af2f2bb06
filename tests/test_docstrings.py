"""The examples in all docstrings run as written and give what they show."""

import doctest
import re
import sys
from pathlib import Path

import pytest

import flambeau as torch
from flambeau import nn

EXAMPLE = re.compile(r"^\s*>>> ", re.MULTILINE)


def modules_with_examples() -> list[str]:
    """Found in the sources, so that collecting imports nothing."""
    root = Path(torch.__file__).parent
    found = []
    for module in sorted(root.rglob("*.py")):
        if module.name != "__main__.py" and EXAMPLE.search(module.read_text(encoding="utf-8")):
            parts = module.relative_to(root.parent).with_suffix("").parts
            found.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return found


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples(name, load_module, tmp_path, monkeypatch):
    module = load_module(name)
    if name == "flambeau.compat.alias":      # its examples import torch: not one that is there
        for known in [n for n in sys.modules if n.partition(".")[0] in module.ALIASES]:
            monkeypatch.delitem(sys.modules, known)
    monkeypatch.chdir(tmp_path)
    before = torch.get_rng_state()
    try:
        results = doctest.testmod(module)
    finally:
        torch.set_rng_state(before)
    assert results.failed == 0
    # doctest passes over what it takes for another module's
    assert results.attempted >= len(EXAMPLE.findall(Path(module.__file__).read_text("utf-8")))


@pytest.mark.parametrize("namespace", (nn, nn.functional), ids=("nn", "nn.functional"))
def test_every_public_name_of_nn_is_documented(namespace):
    missing = [n for n in namespace.__all__ if not (getattr(namespace, n).__doc__ or "").strip()]
    assert not missing
