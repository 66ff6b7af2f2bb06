"""The examples in docstrings of the small namespaces run and show what they say."""

import doctest
import importlib

import pytest

MODULES = ["flambeau.amp.autocast_mode", "flambeau.amp.grad_scaler", "flambeau.compat.alias",
           "flambeau.autograd.profiler", "flambeau.profiler", "flambeau.testing",
           "flambeau.utils._pytree", "flambeau.utils.benchmark"]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    results = doctest.testmod(importlib.import_module(name))
    assert results.attempted > 0 and results.failed == 0
