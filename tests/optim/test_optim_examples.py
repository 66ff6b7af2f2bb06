"""The examples in docstrings of optimizers and schedulers run and show what they say."""

import doctest
import importlib
import pkgutil

import pytest

import flambeau.optim

MODULES = sorted(m.name for m in pkgutil.walk_packages(flambeau.optim.__path__, "flambeau.optim."))


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    results = doctest.testmod(importlib.import_module(name))
    assert results.failed == 0
