"""docs/reference: its pages are what make_reference.py writes, and name everything public."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

pytest.importorskip("PIL")
pytest.importorskip("tensorboard")

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def reference():
    spec = importlib.util.spec_from_file_location("make_reference", DOCS / "make_reference.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module          # for the annotations of its classes
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pages(reference):
    return reference.build()


def test_pages_are_up_to_date(pages):
    """Builds every page; so the examples of reference_examples.txt run, too."""
    known = {path.name: path.read_text(encoding="utf-8")
             for path in (DOCS / "reference").glob("*.md")}
    assert sorted(known) == sorted(pages)
    for name, text in pages.items():
        assert known[name] == text, f"{name} is old: run python docs/make_reference.py"


def test_every_public_name_is_on_its_page(reference, pages):
    everything = "\n".join(pages.values())
    documented = {id(e.object) for found in reference.collect().values() for e in found}
    missing = []
    for module in reference.public_modules():
        if module.startswith(("nn.modules.", "vision.models.", "optim.", "autograd.")):
            continue                         # their names are on the page of the package
        for name, value in reference.public_names(module).items():
            full = f"{reference.shown(module)}.{name}"
            forms = (f"## {full}\n", f"`{full}`", f"`Tensor.{name}`")
            if id(value) not in documented and not any(form in everything for form in forms):
                missing.append(full)
    assert not missing


def test_every_entry_says_something(pages):
    silent = []
    for text in pages.values():
        for name, entry in re.findall(r"^## (\S+)\n\n```python\n.*?```\n(.*?)(?=^## |\Z)", text,
                                      re.MULTILINE | re.DOTALL):
            if not re.search(r"\w", re.sub(r"```.*?```", "", entry, flags=re.DOTALL)):
                silent.append(name)
    assert not silent


def test_names_used_most_have_examples(pages):
    for page, names in (("torch.md", "cat stack matmul sum exp arange zeros where topk einsum"),
                        ("torch.nn.md", "Linear Conv2d LSTM BatchNorm2d CrossEntropyLoss"),
                        ("torch.optim.md", "SGD Adam AdamW RMSprop Adagrad")):
        for name in names.split():
            entry = re.search(rf"^## {page[:-3]}\.{name}\n(.*?)(?=^## )", pages[page],
                              re.MULTILINE | re.DOTALL)
            assert entry and ">>> " in entry[1], name
