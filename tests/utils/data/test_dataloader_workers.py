"""The DataLoader with worker processes: values, failures, shutdown."""

import gc
import multiprocessing
import os
import pickle
import random
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

import flambeau as torch
from flambeau.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info
from flambeau.utils.data._multiprocessing import default_context
from flambeau.utils.data._utils import transport

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="tests fork workers")


def test_programs_fork_unless_they_choose(monkeypatch):
    """Python 3.14's default could not send local classes, or run scripts without a main guard."""
    chosen = []
    monkeypatch.setattr(multiprocessing, "get_start_method",
                        lambda allow_none=False: chosen[0] if chosen else None)
    assert default_context().get_start_method() == "fork"
    chosen.append("spawn")
    assert default_context().get_start_method() == "spawn"
    chosen[:] = multiprocessing.get_all_start_methods()[:1]    # Python's, once anything asked
    assert default_context().get_start_method() == "fork"


class Images(Dataset):
    """Samples above the limit below which batches go through the pipe."""

    def __init__(self, size=16, pixels=8192):
        self.size, self.pixels = size, pixels

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        return torch.full((self.pixels,), float(index)), index, {"name": f"image {index}"}


class Shards(IterableDataset):
    def __iter__(self):
        info = get_worker_info()
        return iter(range(info.id, 10, info.num_workers))


class Failing(Images):
    def __init__(self, action, at=5):
        super().__init__()
        self.action, self.at = action, at

    def __getitem__(self, index):
        if index == self.at:
            self.action()
        return index


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@pytest.mark.parametrize("workers, prefetch", [(1, 1), (2, 2), (3, 2)])
def test_same_batches_in_order(workers, prefetch):
    loader = DataLoader(Images(13), 4, num_workers=workers, prefetch_factor=prefetch)
    for _ in range(2):
        seen = []
        for images, numbers, names in loader:
            assert (images == numbers.float()[:, None]).all()
            assert names["name"] == [f"image {n}" for n in numbers.tolist()]
            seen += numbers.tolist()
        assert seen == list(range(13))


def test_batches_are_private():
    batches = list(DataLoader(Images(12), 2, num_workers=1))
    batches[0][0].zero_()
    assert [b[0][0, 0].item() for b in batches] == [0, 2, 4, 6, 8, 10]


def test_out_of_order_brings_everything():
    loader = DataLoader(Images(11), 2, num_workers=2, in_order=False)
    assert sorted(n for _, numbers, _ in loader for n in numbers.tolist()) == list(range(11))


def test_streams():
    loader = DataLoader(Shards(), 2, num_workers=3)
    for _ in range(2):
        assert sorted(n for batch in loader for n in batch.tolist()) == list(range(10))
    loader = DataLoader(Shards(), 2, num_workers=2, persistent_workers=True, in_order=False)
    for _ in range(3):
        assert sorted(n for batch in loader for n in batch.tolist()) == list(range(10))


class Kinds(Dataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        big = np.full((3, 4096), index, dtype=np.int16)
        return {
            "bf16": torch.full((8192,), 1.5, dtype=torch.bfloat16),
            "numpy": big,
            "strided": big[:, ::2],
            "empty": np.zeros((0, 3), np.float32),
            "scalar": np.float64(index),
            "flag": torch.tensor(True),
        }


@pytest.mark.parametrize("shared", [True, False])
def test_kinds_of_values(shared, monkeypatch):
    if not shared:
        monkeypatch.setattr(transport, "open_segment", lambda: None)
        monkeypatch.setattr("flambeau.utils.data._multiprocessing.open_segment", lambda: None)
    (raw,) = DataLoader(Kinds(), 2, num_workers=1, collate_fn=list)
    assert raw[1]["numpy"].dtype == np.int16 and (raw[1]["numpy"] == 1).all()
    raw[1]["numpy"][:] = 3
    assert (raw[1]["strided"] == 1).all() and raw[1]["empty"].shape == (0, 3)
    (batch,) = DataLoader(Kinds(), 2, num_workers=1)
    assert batch["bf16"].dtype is torch.bfloat16 and (batch["bf16"] == 1.5).all()
    assert batch["strided"].shape == (2, 3, 2048)
    assert batch["scalar"].tolist() == [0, 1] and batch["flag"].dtype is torch.bool


def test_lack_of_shared_memory_is_told(monkeypatch):
    def refuse(descriptor, offset, size):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(transport, "_reserve", refuse)
    with pytest.warns(UserWarning, match="no shared memory for a batch of .* MB"):
        seen = [numbers.tolist() for _, numbers, _ in DataLoader(Images(4), 2, num_workers=1)]
    assert seen == [[0, 1], [2, 3]]


def test_growing_batches():
    class Growing(Images):
        def __getitem__(self, index):
            return torch.full((4096 << index,), index)

    loader = DataLoader(Growing(6), None, num_workers=1)
    for index, sample in enumerate(loader):
        assert sample.shape == (4096 << index,) and (sample == index).all()


def seeds(index):
    return random.random(), np.random.rand(), torch.rand(()).item(), get_worker_info().seed


class Seeds(Images):
    def __getitem__(self, index):
        return seeds(index)


def test_workers_are_seeded():
    def draw():
        torch.manual_seed(5)
        return list(DataLoader(Seeds(4), None, num_workers=2))

    first = draw()
    assert first == draw()
    assert first[0][3] + 1 == first[1][3]
    for kind in range(3):
        assert len({sample[kind] for sample in first}) == 4


def test_worker_init_fn_and_info():
    def prepare(worker_id):
        get_worker_info().dataset.size = worker_id + 100

    class Sizes(Images):
        def __getitem__(self, index):
            info = get_worker_info()
            return info.id, info.num_workers, self.size, torch.get_num_threads()

    loader = DataLoader(Sizes(2), None, num_workers=2, worker_init_fn=prepare)
    assert [list(sample) for sample in loader] == [[0, 2, 100, 1], [1, 2, 101, 1]]


def test_failing_init_is_raised():
    def fail(worker_id):
        raise ValueError("no such server")

    with pytest.raises(ValueError, match="Caught ValueError in DataLoader worker process 0"):
        list(DataLoader(Images(4), num_workers=1, worker_init_fn=fail))


def test_failing_sample():
    def fail():
        raise KeyError("label")

    loader = DataLoader(Failing(fail), 4, num_workers=2)
    batches = iter(loader)
    assert next(batches).tolist() == [0, 1, 2, 3]
    with pytest.raises(KeyError) as caught:
        next(batches)
    text = str(caught.value)
    assert text.startswith("Caught KeyError in DataLoader worker process 1.\nOriginal Traceback")
    assert "in fail" in text and "sample 5" in text
    assert next(batches).tolist() == [8, 9, 10, 11]  # the workers go on


def test_exception_types_that_do_not_travel():
    class Local(Exception):
        pass

    def fail():
        raise Local("why")

    with pytest.raises(RuntimeError, match="Caught Local in DataLoader worker process 0"):
        list(DataLoader(Failing(fail, 0), num_workers=1))


def test_batch_that_cannot_be_pickled():
    kinds = (AttributeError, TypeError, RuntimeError, pickle.PicklingError)
    with pytest.raises(kinds, match="DataLoader worker"):
        list(DataLoader(Images(2), 2, num_workers=1, collate_fn=lambda samples: lambda: 0))


@pytest.mark.parametrize(
    "death, words", [(lambda: os._exit(3), "exit code 3"),
                     (lambda: os.kill(os.getpid(), signal.SIGKILL), "SIGKILL")],
)  # fmt: skip
def test_worker_that_dies(death, words):
    batches = iter(DataLoader(Failing(death), 4, num_workers=2))
    next(batches)
    started = time.monotonic()
    with pytest.raises(RuntimeError, match=r"DataLoader worker \(pid\(s\) \d+\) exited") as caught:
        next(batches)
    assert time.monotonic() - started < 5
    assert words in str(caught.value) and "[4, 5, 6, 7]" in str(caught.value)
    with pytest.raises(RuntimeError, match="exited unexpectedly"):
        next(batches)


def test_timeout():
    loader = DataLoader(Failing(lambda: time.sleep(60), 0), 4, num_workers=1, timeout=0.3)
    with pytest.raises(RuntimeError, match=r"DataLoader timed out after 0.3 seconds.*\[0, 1, 2"):
        next(iter(loader))


def test_abandoned_iterator_stops_its_workers():
    batches = iter(DataLoader(Images(64), 1, num_workers=2))
    next(batches)
    pids = [worker.process.pid for worker in batches._workers]
    assert all(map(alive, pids))
    del batches
    gc.collect()
    wait_until(lambda: not any(map(alive, pids)))


def test_busy_workers_are_stopped_quickly():
    batches = iter(DataLoader(Failing(lambda: time.sleep(60), 1), 1, num_workers=2))
    next(batches)
    pids = [worker.process.pid for worker in batches._workers]
    started = time.monotonic()
    del batches
    gc.collect()
    assert time.monotonic() - started < 30      # the workers would sleep for 60 s
    assert not any(map(alive, pids))


def test_persistent_workers():
    loader = DataLoader(Images(8), 2, num_workers=2, persistent_workers=True)
    first = iter(loader)
    pids = [worker.process.pid for worker in first._workers]
    assert len(list(first)) == 4
    second = iter(loader)
    next(second)  # abandoned in the middle
    third = iter(loader)
    assert [numbers.tolist() for _, numbers, _ in third] == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert [worker.process.pid for worker in third._workers] == pids
    del loader, first, second, third
    gc.collect()
    wait_until(lambda: not any(map(alive, pids)))


def test_no_descriptors_are_left():
    def count():
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    list(DataLoader(Images(4), 2, num_workers=2))
    before = count()
    for _ in range(3):
        list(DataLoader(Images(4), 2, num_workers=2))
    assert count() <= before


def run_script(text, **options):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(text)], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, **options,
    )  # fmt: skip


SLOW = """
    import signal, time, sys
    signal.signal(signal.SIGINT, signal.default_int_handler)  # it may be inherited as ignored
    import flambeau as torch
    from flambeau.utils.data import DataLoader
    class Slow:
        def __len__(self): return 1000
        def __getitem__(self, index): time.sleep(0.2); return index
    batches = iter(DataLoader(Slow(), 2, num_workers=2, multiprocessing_context="fork"))
    next(batches)
    print(*[worker.process.pid for worker in batches._workers], flush=True)
"""


def test_interrupt():
    process = run_script(SLOW + "    list(batches)\n", start_new_session=True)
    pids = [int(pid) for pid in process.stdout.readline().split()]
    time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C: to all processes of the group
    output, errors = process.communicate(timeout=15)
    assert "KeyboardInterrupt" in errors and errors.count("Traceback") == 1
    wait_until(lambda: not any(map(alive, pids)))


def test_killed_parent_leaves_no_orphans():
    process = run_script(SLOW + "    list(batches)\n")
    pids = [int(pid) for pid in process.stdout.readline().split()]
    process.kill()
    process.communicate(timeout=15)
    wait_until(lambda: not any(map(alive, pids)))


def test_exit_with_open_iterator():
    process = run_script(SLOW)
    output, errors = process.communicate(timeout=20)
    assert process.returncode == 0 and errors == ""
    wait_until(lambda: not any(map(alive, map(int, output.split()))))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_other_start_methods(method):
    loader = DataLoader(Images(6), 2, num_workers=2, multiprocessing_context=method)
    assert [numbers.tolist() for _, numbers, _ in loader] == [[0, 1], [2, 3], [4, 5]]
    with (pytest.warns(UserWarning, match="must be picklable"),
          pytest.raises(Exception, match="pickle|local object")):
        list(DataLoader(Images(2), num_workers=1, multiprocessing_context=method,
                        collate_fn=lambda samples: samples))  # fmt: skip
