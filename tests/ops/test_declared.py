"""Every declared operation, through one function; an operation without samples fails."""

import warnings

import pytest

import flambeau as torch
from flambeau._deferred import DEFERRED, METHODS
from flambeau.ops.declare import DECLARED

from .harness import Run, assert_close, check_operation, tier
from .samples import SAMPLES


@pytest.mark.parametrize("key", sorted(DECLARED))
def test_operation(key):
    assert key in SAMPLES, f"{key} has no samples: add some to tests/ops/samples.py"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number, call in enumerate(SAMPLES[key]):
            try:
                check_operation(key, call, number == 0)
            except Exception as error:
                raise AssertionError(f"{key}({call}): {error}") from error


def test_samples_belong_to_operations():
    assert not set(SAMPLES) - set(DECLARED)


@pytest.mark.parametrize("key", ["add", "exp", "sum", "softmax", "matmul", "cumsum", "sort",
                                 "nn.functional.conv2d", "nn.functional.max_pool",
                                 "nn.functional.layer_norm", "_private._index_put"])
def test_threads_do_not_change_results(key):
    before = torch.get_num_threads()
    try:
        found = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            with tier(True):
                found.append([Run(key, call) for call in SAMPLES[key]])
        for one, two in zip(*found):
            assert_close(two.arrays(), one.arrays(), [r.dtype for r in one.results], key, 1e-3)
    finally:
        torch.set_num_threads(before)


def test_deferred_names_exist():
    for names in DEFERRED.values():
        for name in names.split():
            assert callable(getattr(torch, name))
    for names in METHODS.values():
        for name in names.split():
            assert callable(getattr(torch.Tensor, name))
