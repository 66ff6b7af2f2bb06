"""The recorder: what is matched, what makes a new program, when programs run."""

import gc
import threading
import weakref

import numpy as np
import pytest

import flambeau as torch
from flambeau.record import execute, trace
from flambeau.record.report import compilations, program_count
from flambeau.record.trace import BYTE_LIMIT, current_trace, flush, reset_programs


@pytest.fixture(autouse=True)
def forget():
    reset_programs()
    yield
    flush()


def steps(number, learning_rates=None):
    """A training loop; the losses."""
    torch.manual_seed(0)
    w = torch.ones(4, 3, requires_grad=True)
    x, losses = torch.arange(8.0).reshape(2, 4) / 8, []
    for i in range(number):
        loss = ((x @ w) ** 2).mean()
        loss.backward()
        rate = 0.1 if learning_rates is None else learning_rates[i]
        with torch.no_grad():
            w -= rate * w.grad
        w.grad = None
        losses.append(loss.item())
    return losses


def test_a_repeated_step_is_one_program():
    steps(2)
    before = program_count()
    steps(20)
    assert program_count() == before


def test_a_loop_without_an_optimizer_is_not_unrolled():
    def train(number):
        w = torch.ones(4, 3, requires_grad=True)
        for _ in range(number):
            loss = ((torch.ones(2, 4) @ w) ** 2).mean()
            loss.backward()
            w.data.add_(w.grad, alpha=-0.1)
            w.grad.zero_()
        return loss
    train(3)
    before = program_count()
    train(40)
    assert program_count() == before
    assert current_trace().cursor.depth < 60


def test_changed_numbers_compile_nothing():
    for _ in range(3):
        steps(4)
    programs, made = program_count(), len(compilations())
    rates = [0.1 / (i + 1) for i in range(10)]
    losses = steps(10, rates)
    assert program_count() == programs and len(compilations()) == made
    assert losses == sorted(losses, reverse=True) and len(set(losses)) == 10


def test_a_changed_shape_is_a_new_program_and_the_reason_names_the_line():
    def step(n):
        return (torch.ones(n, 3) * 2).sum().item()
    for _ in range(3):
        step(4)
    for _ in range(3):
        step(5)
    reason = compilations()[-1]
    assert reason.new == "an input float32[5, 3]" and "float32[4, 3]" in reason.old
    assert reason.site[0].endswith("test_trace.py")
    assert "float32[5, 3] where a known program has an input float32[4, 3]" in str(reason)


def test_branches_and_prints_run_every_time():
    seen = []
    for i in range(6):
        y = torch.ones(3) * i
        if i % 2:
            y = y + 1
        seen.append(y.sum().item())
    assert seen == [0, 6, 6, 12, 12, 18]


def test_numbers_keep_their_types():
    x = torch.ones(2, dtype=torch.int64)
    for _ in range(3):
        assert (x * 1).dtype is torch.int64
        assert (x * 1.0).dtype is torch.float32
        assert (x * True).dtype is torch.int64
        assert (x * 1j).dtype is torch.complex64


def test_reading_a_value_runs_only_what_is_pending():
    x = torch.ones(3)
    y = x + 1
    assert current_trace().values
    assert y.tolist() == [2, 2, 2]
    assert not current_trace().values
    z = y * 2
    assert z.tolist() == [4, 4, 4]


def test_values_nobody_holds_are_not_computed():
    calls = []
    x = torch.ones(3)
    y = x * 2
    del y
    z = x + 1
    assert z.tolist() == [2, 2, 2]
    program = execute.programs[-1]
    assert len(program.outputs) == 1 and not calls


def test_a_tensor_is_freed_with_its_last_handle():
    x = torch.ones(1000)
    y = x * 2
    assert y.sum().item() == 2000
    value = weakref.ref(y._value)
    del y
    gc.collect()
    assert value() is None


def test_long_programs_run_by_themselves():
    total = torch.zeros(1)
    for _ in range(6000):
        total = total + 1
    assert len(current_trace().values) < 6000
    assert total.item() == 6000


def test_programs_that_hold_much_memory_run_by_themselves():
    x = torch.zeros(1 << 20)
    y = x
    for _ in range(2 * BYTE_LIMIT // (4 << 20) // 100 * 101):
        y = y + 1
    assert current_trace().cursor.bytes <= BYTE_LIMIT + (8 << 20)


def test_a_failed_program_leaves_the_recorder_usable():
    table = torch.ones(3, 2)
    bad = table[torch.tensor([2]) + 3]        # computed: known to be out of range only when run
    with pytest.raises(IndexError, match="index 5 is out of bounds.*test_trace.py"):
        bad.tolist()
    with pytest.raises(RuntimeError, match="program that failed"):
        bad.tolist()
    assert (table + 1).tolist() == [[2, 2]] * 3


def test_an_operation_that_raises_records_nothing():
    x = torch.ones(2, 3)
    y = x + 1
    slots = len(current_trace().values)
    with pytest.raises(RuntimeError, match="must match the size"):
        y + torch.ones(4)
    z = y * 2
    assert z.tolist() == [[4, 4, 4]] * 2
    assert slots >= 2


def test_item_before_backward_computes_nothing_twice(monkeypatch):
    w = torch.ones(3, requires_grad=True)
    counted = []
    from flambeau.graph.ir import PRIMITIVES
    exp = PRIMITIVES["exp"]
    original = exp.evaluate
    monkeypatch.setattr(exp, "evaluate", lambda node, x: counted.append(1) or original(node, x))
    monkeypatch.setattr(execute.settings, "compile", False)
    loss = torch.exp(w).sum()
    assert abs(loss.item() - 3 * np.e) < 1e-5
    loss.backward()
    assert np.allclose(w.grad.numpy(), np.e)
    assert len(counted) == 1


def test_the_interpreter_and_compiled_code_agree(monkeypatch):
    compiled = steps(6)
    reset_programs()
    monkeypatch.setattr(execute.settings, "compile", False)
    np.testing.assert_allclose(steps(6), compiled, rtol=1e-6)


def test_parameters_are_updated_in_place_when_nobody_else_sees_them():
    w = torch.ones(64, 64)
    for _ in range(3):
        w = w * 0.5
        flush()
    donated = [p for p in execute.programs if p.donated]
    assert donated


def test_an_old_value_survives_updates():
    w = torch.ones(3)
    old = w.clone()
    held = [old]
    for _ in range(4):
        w.mul_(2)
        held.append(w.clone())
        flush()
    assert [h[0].item() for h in held] == [1, 2, 4, 8, 16]


def test_threads_record_separately():
    results, errors = {}, []

    def work(n):
        try:
            for _ in range(20):
                x = torch.full((n,), float(n))
                results[n] = (x * 2 + 1).sum().item()
        except Exception as error:          # reported by the assertion below
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(1, 9)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors
    assert results == {n: n * (2 * n + 1) for n in range(1, 9)}


def test_a_value_pending_in_another_thread_can_be_read():
    made = []
    done, go = threading.Event(), threading.Event()

    def work():
        made.append(torch.ones(3) * 2)
        done.set()
        go.wait(10)

    thread = threading.Thread(target=work)
    thread.start()
    done.wait(10)
    assert (made[0] + 1).tolist() == [3, 3, 3]
    go.set()
    thread.join()


def test_environment_variable_prints_reasons(tmp_path):
    import os
    import subprocess
    import sys
    script = ("import flambeau as torch\nx = torch.ones(3)\n"
              "for _ in range(4): (x * 2).sum().item()\n")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True,
                          env={**os.environ, "FLAMBEAU_EXPLAIN": "1"}, timeout=60)
    assert done.returncode == 0
    assert "flambeau: compiled program 0" in done.stderr and "first program" in done.stderr


def test_references_are_counted_alike_everywhere():
    from flambeau.record.values import references
    thing = object()
    assert references(thing) == 1
    held = [thing]
    assert references(thing) == 2 and held


def test_writes_spare_values_that_others_read():
    x = torch.zeros(4)
    pending = x + 1
    held = x._value
    x[0] = 5
    assert held.array.tolist() == [0, 0, 0, 0] and x.tolist() == [5, 0, 0, 0]
    assert pending.tolist() == [1, 1, 1, 1]
    del held
    x[1] = 7
    memory = x._value.array
    x[2] = 8
    assert x._value.array is memory and x.tolist() == [5, 7, 8, 0]


def test_a_pin_ends_with_the_last_array():
    a = np.zeros(3, np.float32)
    x = torch.from_numpy(a)
    x.add_(1)
    assert a.tolist() == [1, 1, 1]
    a[0] = 5
    assert x.tolist() == [5, 1, 1]
    del a
    x.add_(1)
    assert x._storage.pinned is None and x.tolist() == [6, 2, 2]


def test_numpy_and_a_tensor_that_is_written_share_one_memory():
    for count in (300_000, 4):           # small memory has a copy, which is compared with it
        x = torch.zeros(count)
        a = x.numpy()
        for step in range(1, 4):
            x.add_(1)                   # a program's result, copied to the memory NumPy sees
            assert a[:4].tolist() == [step] * 4
            assert (x._storage.value.array is x._storage.pinned) == (count > 4)
    a[1] = 9
    assert (x * 2).tolist() == [6, 18, 6, 6]
    for _ in range(3):                  # of a compiled program's memory as well
        y = torch.ones(70_000) * 3 + 1
        b = y.numpy()
        y.add_(0)
        b[2] = 5
        assert y[2].item() == 5 and y._storage.pinned is not None
    part = x[1:]
    x.mul_(2)
    assert part.tolist() == [18, 6, 6] and a.tolist() == [6, 18, 6, 6]


def test_programs_of_ever_new_shapes_are_forgotten(monkeypatch):
    """Their kernels are counted; what was compiled is reported all the same."""
    monkeypatch.setattr(trace, "KERNEL_LIMIT", 40)
    monkeypatch.setattr(execute.settings, "interpreted_runs", 0)
    made, known = len(compilations()), []
    for size in range(100, 200):
        x = torch.ones(size)
        assert (x * 2 + 1).sum().item() == 3 * size
        known.append(len(execute.programs))
    assert max(known[50:]) <= 42 and len(compilations()) >= made + 100
    numbers = [c.number for c in compilations()]
    assert numbers == sorted(set(numbers)) and numbers[-1] < program_count()
