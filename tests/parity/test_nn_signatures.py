"""Names, parameters and defaults of nn, nn.functional and Module against PyTorch's."""
import inspect

import pytest

torch = pytest.importorskip("torch")

import flambeau as fb

# What does not exist here: quantisation, and a class that only steers chunking.
ABSENT = {"LinearCrossEntropyOptions", "intrinsic", "qat", "quantizable", "quantized"}
SUBMODULES = {"common_types", "grad"}      # importable, but not loaded with nn


def parameters(function):
    """(name, default) of each parameter; functions as defaults by name."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    return [
        (p.name, None if p.default is p.empty else getattr(p.default, "__name__", p.default))
        for p in found if p.name not in ("axis", "keepdims")      # NumPy's names, added everywhere
    ]


def is_dispatcher(found):
    return found is None or [name for name, _ in found] == ["args", "kwargs"]


@pytest.mark.parametrize("name", fb.nn.functional.__all__)
def test_function(name):
    theirs = parameters(getattr(torch.nn.functional, name))
    if not is_dispatcher(theirs):
        assert parameters(getattr(fb.nn.functional, name)) == theirs


@pytest.mark.parametrize("name", fb.nn.__all__)
def test_class(name):
    mine, theirs = getattr(fb.nn, name), getattr(torch.nn, name)
    if not inspect.isclass(theirs) or "Uninitialized" in name:
        return
    expected = parameters(theirs)
    if not is_dispatcher(expected):
        assert parameters(mine) == expected
    if hasattr(theirs, "forward") and theirs.forward is not torch.nn.Module.forward:
        assert parameters(mine.forward) == parameters(theirs.forward)


def test_every_name_exists():
    theirs = {name for name in dir(torch.nn) if not name.startswith("_")}
    assert not theirs - set(dir(fb.nn)) - ABSENT - SUBMODULES
    functions = {
        name for name, value in vars(torch.nn.functional).items()
        if inspect.isfunction(value) and not name.startswith("_")
        and value.__module__ == "torch.nn.functional"
    }
    missing = functions - set(fb.nn.functional.__all__)
    assert missing <= {"assert_int_or_pair", "grouped_mm", "scaled_grouped_mm", "scaled_mm"}


@pytest.mark.parametrize("name", [n for n in vars(torch.nn.Module) if not n.startswith("_")])
def test_method_of_module(name):
    if name in ("ipu", "xpu", "mtia", "T_destination"):
        return
    theirs, mine = getattr(torch.nn.Module, name), getattr(fb.nn.Module, name)
    if callable(theirs):
        assert parameters(mine) == parameters(theirs)
