"""The examples in the documentation of nn run as written, and every public class has a text."""
import doctest
import importlib
import pkgutil

import pytest

import flambeau.nn as nn
import flambeau.ops

MODULES = [m.name for m in pkgutil.walk_packages(nn.__path__, "flambeau.nn.")]
MODULES += [
    f"flambeau.ops.{m.name}"
    for m in pkgutil.iter_modules(flambeau.ops.__path__) if m.name.startswith("nn_")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    results = doctest.testmod(importlib.import_module(name))
    assert results.failed == 0


def test_every_public_name_is_documented():
    missing = [name for name in nn.__all__ if not (getattr(nn, name).__doc__ or "").strip()]
    functions = nn.functional.__all__
    missing += [name for name in functions if not (getattr(nn.functional, name).__doc__ or "")]
    assert not missing
