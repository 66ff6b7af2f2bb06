import os
import subprocess
import sys

import numpy as np
import pytest

from flambeau import dtypes
from flambeau.graph import compile as compiler
from flambeau.graph import plan_cache
from flambeau.graph.ir import building, p
from flambeau.graph.plan_cache import KnownPlan
from flambeau.runtime import _cache, _jit
from flambeau.runtime.buffer import Buffer


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FLAMBEAU_CACHE", str(tmp_path))
    monkeypatch.delenv("FLAMBEAU_CHECK", raising=False)
    monkeypatch.setitem(_cache._state, "writable", True)
    _forget_kernels(monkeypatch)


def _forget_kernels(monkeypatch):
    """As in a new process."""
    monkeypatch.setattr(_jit, "_addresses", {})
    monkeypatch.setattr(_jit, "_keys", {})


def _graph(rows=6, factor_index=0):
    x = p.input(index=0, shape=(rows, 5), dtype=dtypes.float32)
    w = p.input(index=1, shape=(4, 5), dtype=dtypes.float32)
    product = p.contract(x, w, batch_a=(), batch_b=(), contract_a=(1,), contract_b=(1,))
    factor = p.scalar(index=factor_index, shape=(), dtype=dtypes.float64)
    scaled = p.mul(p.exp(product), p.expand(p.reshape(
        p.cast(factor, dtype=dtypes.float32), shape=(1, 1)), shape=(rows, 4)))
    return [scaled, p.reduce_sum(scaled, dims=(0,))], [x, w], [factor]


def _run(executable, rows=6):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, 5)).astype(np.float32)
    w = rng.standard_normal((4, 5)).astype(np.float32)
    found = executable.run([Buffer.from_array(x), Buffer.from_array(w)], [2.0])
    result = 2 * np.exp(x @ w.T)
    np.testing.assert_allclose(found[0].array("float32", (rows, 4)), result, 1e-5)
    np.testing.assert_allclose(found[1].array("float32", (4,)), result.sum(0), 1e-5)


def _refuse(*_, **__):
    raise AssertionError("a pass ran")


def test_a_known_graph_runs_no_pass(monkeypatch):
    first = compiler.compile_program(*_graph())
    _run(first)
    _forget_kernels(monkeypatch)
    monkeypatch.setattr(compiler, "rewrite", _refuse)
    second = compiler.compile_program(*_graph())
    _run(second)
    assert second.compiled == 0 and second.cached == first.compiled + first.cached > 0
    assert second.arena_bytes == first.arena_bytes
    assert [vars(k) for k in second.kernels] == [vars(k) for k in first.kernels]


def test_another_graph_is_compiled(monkeypatch):
    compiler.compile_program(*_graph())
    _run(compiler.compile_program(*_graph(rows=7)), 7)
    monkeypatch.setattr(compiler, "rewrite", _refuse)
    for other in (_graph(rows=8), (*_graph(), {0})):
        with pytest.raises(AssertionError, match="a pass ran"):
            compiler.compile_program(*other)


def test_the_key_tells_types_attributes_and_leaves():
    def key(shape=(3,), dtype=dtypes.float32, value=1.0, inputs=1, donated=()):
        x = p.input(index=0, shape=shape, dtype=dtype)
        number = p.expand(p.reshape(p.constant(value=value, shape=(), dtype=dtype),
                                    shape=(1,) * len(shape)), shape=shape)
        return KnownPlan([p.add(x, number)], [x] * inputs, [], donated).key
    keys = [key(), key((4,)), key(dtype=dtypes.float64), key(value=2.0), key(value=-0.0),
            key(value=0.0), key(value=1), key(inputs=2), key(donated={0})]
    assert None not in keys and len(set(keys)) == len(keys)
    assert key() == key()


def test_the_key_tells_the_code_and_the_switches(monkeypatch):
    def key():
        return KnownPlan(*_graph(), ()).key
    first = key()
    monkeypatch.setenv("FLAMBEAU_EXPLAIN", "1")
    assert key() == first
    monkeypatch.setenv("FLAMBEAU_WINOGRAD", "0")
    second = key()
    monkeypatch.setattr(plan_cache, "_sources", lambda: "other sources")
    assert len({first, second, key()}) == 3
    monkeypatch.setattr(plan_cache, "_sources", lambda: None)
    assert key() is None


def test_attributes_that_are_not_plain_data_are_not_kept():
    x = p.input(index=0, shape=(3,), dtype=dtypes.float32)
    y = p.reshape(x, shape=(3, 1))
    y.attrs = {"shape": (3, 1), "made_by": len}
    assert KnownPlan([y], [x], [], ()).key is None


def test_lines_come_from_the_present_graph(monkeypatch):
    monkeypatch.setattr(building, "site", ("old.py", 1))
    compiler.compile_program(*_graph())
    _forget_kernels(monkeypatch)
    monkeypatch.setattr(building, "site", ("new.py", 77))
    monkeypatch.setattr(compiler, "rewrite", _refuse)
    executable = compiler.compile_program(*_graph())
    assert {s for k in executable.kernels for s in k.sites} == {("new.py", 77)}


def _entries(tmp_path):
    return [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("damage", ["cut", "changed", "removed"])
def test_damaged_entries_make_it_compile_again(monkeypatch, tmp_path, damage):
    compiler.compile_program(*_graph())
    for path in _entries(tmp_path):
        data = path.read_bytes()
        if damage == "removed":
            path.unlink()
        else:
            path.write_bytes(data[:-9] if damage == "cut" else data[:-9] + b"012345678")
    _forget_kernels(monkeypatch)
    executable = compiler.compile_program(*_graph())
    assert executable.compiled > 0
    _run(executable)


@pytest.mark.parametrize("text", [b"[]", b"{}", b"not json", b'{"objects": {}, "segments": 3}'])
def test_an_entry_of_another_form_is_replaced(monkeypatch, text):
    key = KnownPlan(*_graph(), frozenset()).key
    _cache.write_entry(key, text)
    _run(compiler.compile_program(*_graph()))
    assert _cache.read_entry(key) != text


def test_evicted_kernels_are_compiled_again(monkeypatch):
    first = compiler.compile_program(*_graph())
    keys = _jit.kernel_keys([k.name for k in first.kernels])
    os.unlink(_cache._path(next(iter(keys.values()))))
    _forget_kernels(monkeypatch)
    second = compiler.compile_program(*_graph())
    assert second.compiled == 1
    _run(second)


def test_a_full_disk_only_costs_the_entries(monkeypatch, tmp_path):
    def full(*_):
        raise OSError(28, "No space left on device")
    monkeypatch.setattr(os, "replace", full)
    _run(compiler.compile_program(*_graph()))
    _forget_kernels(monkeypatch)
    _run(compiler.compile_program(*_graph()))
    assert _entries(tmp_path) == []


def test_no_cache_no_key(monkeypatch):
    monkeypatch.setenv("FLAMBEAU_CACHE", "off")
    assert KnownPlan(*_graph(), ()).key is None
    _run(compiler.compile_program(*_graph()))


def test_with_checks_everything_is_compiled(monkeypatch):
    compiler.compile_program(*_graph())
    monkeypatch.setenv("FLAMBEAU_CHECK", "1")
    monkeypatch.setattr(compiler, "partition", _refuse)
    with pytest.raises(AssertionError, match="a pass ran"):
        compiler.compile_program(*_graph())


def test_a_name_with_other_code_is_refused(monkeypatch):
    executable = compiler.compile_program(*_graph())
    name = executable.kernels[0].name
    keys = _jit.kernel_keys([name])
    _forget_kernels(monkeypatch)
    assert _jit.load_kernels(keys) and _jit.load_kernels(keys)
    assert not _jit.load_kernels({name: "0" * 32})
    with pytest.raises(ValueError, match="two kernels with different code"):
        _jit.compile_kernels([(name, "define void @other() { ret void }")])


_SCRIPT = """
import flambeau as torch
from flambeau.record.execute import settings
settings.interpreted_runs = 0
torch.manual_seed(0)
table = torch.randn(10, 3, requires_grad=True)
optimizer = torch.optim.SGD([table], lr=0.1, momentum=0.9)
for _ in range(3):
    loss = torch.nn.functional.embedding(torch.tensor([1, 2, 9]), table).exp().sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(loss.item())
try:
    print(torch.nn.functional.embedding(torch.tensor([1, 10]), table).exp().sum().item())
except IndexError as error:
    print("IndexError", str(error).split(" (line")[0])
print(sum(c.compiled for c in torch.compilations()))
"""


def test_processes_share_what_they_compile():
    def start():
        return subprocess.Popen([sys.executable, "-c", _SCRIPT], stdout=subprocess.PIPE, text=True)
    together = [start(), start()]
    first, second = (process.communicate()[0].splitlines() for process in together)
    third = start().communicate()[0].splitlines()
    assert first[:-1] == second[:-1] == third[:-1] and "IndexError" in first[-2]
    assert int(first[-1]) + int(second[-1]) > 0 and third[-1] == "0"


@pytest.mark.parametrize("attrs, is_kept", [
    ({"size": (1, (2.5, "a"))}, True), ({"size": (1, [2])}, False), ({"size": ({}, 1)}, False),
    ({"size": (object(),)}, False)])
def test_graphs_with_attributes_that_are_not_plain_are_not_kept(attrs, is_kept):
    x = p.input(index=0, shape=(2,), dtype=dtypes.float32)
    y = p.neg(x)
    y.attrs = attrs
    assert (KnownPlan([y], [x], [], ()).key is not None) == is_kept
