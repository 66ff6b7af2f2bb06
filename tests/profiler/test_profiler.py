"""torch.profiler: calls by PyTorch's names, ranges that run nothing, schedules, traces."""

import gzip
import json

import pytest

import flambeau as torch
import flambeau.nn.functional as F
from flambeau.profiler import ProfilerActivity, profile, record_function, schedule
from flambeau.record import execute


def network():
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
        torch.nn.Flatten(), torch.nn.Linear(36, 10))
    return model, torch.randn(2, 3, 8, 8), torch.tensor([1, 2])


def training_step():
    model, inputs, labels = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step():
        with record_function("forward"):
            loss = F.cross_entropy(model(inputs), labels)
        with record_function("backward"):
            loss.backward()
        with record_function("update"):
            optimizer.step()
            optimizer.zero_grad()
    return step


def by_key(averages):
    return {event.key: event for event in averages}


def test_the_recipe_for_inference():
    model, inputs, _ = network()
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as prof:
        with record_function("model_inference"):
            model(inputs)
    events = by_key(prof.key_averages())
    assert {"model_inference", "aten::conv2d", "aten::convolution", "aten::batch_norm",
            "aten::relu", "aten::max_pool2d", "aten::linear", "aten::addmm"} <= set(events)
    assert events["aten::addmm"].count == 1 and not events["aten::addmm"].is_user_annotation
    outer, inner = events["aten::linear"], events["aten::addmm"]
    assert outer.self_cpu_time_total == 0 < outer.cpu_time_total == inner.self_cpu_time_total
    table = prof.key_averages().table(sort_by="cpu_time_total", row_limit=3)
    assert "Self CPU %" in table and "# of Calls" in table and "Self CPU time total" in table
    assert len(table.splitlines()) == 3 + 3 + 2 and "model_inference" in table
    shaped = prof.key_averages(group_by_input_shape=True)
    assert [[2, 3, 8, 8], [4, 3, 3, 3], [4]] in [e.input_shapes for e in shaped]
    assert "[[2, 36], [10, 36], [10]]" in shaped.table(row_limit=-1)
    assert not execute.watchers


def test_ranges_run_nothing_and_hold_the_calls_recorded_in_them():
    step = training_step()
    for _ in range(4):
        step()
    torch.zeros(1).item()
    known = len(execute.programs)
    with profile() as prof:
        for _ in range(3):
            step()
    assert len(execute.programs) == known              # the same programs as without
    events = by_key(prof.key_averages())
    assert events["flambeau::run"].count == 3
    assert {events[name].count for name in ("forward", "backward", "update")} == {3}
    assert events["aten::convolution"].count == events["ConvolutionBackward0"].count == 3
    assert events["Optimizer.step#SGD.step"].count == 3

    def in_kernels(name):
        return events[name].cpu_time_total - events[name].self_cpu_time_total
    forward = ["aten::convolution", "aten::native_batch_norm", "aten::relu",
               "aten::max_pool2d_with_indices", "aten::addmm", "aten::cross_entropy_loss"]
    gradients = [e for key, e in events.items() if "Backward0" in key]
    assert in_kernels("backward") == pytest.approx(sum(e.cpu_time_total for e in gradients))
    assert in_kernels("forward") >= 0.99 * sum(events[f].cpu_time_total for f in forward)
    assert in_kernels("update") > 0
    own = sum(e.self_cpu_time_total for e in events.values())
    assert prof.key_averages().self_cpu_time_total == pytest.approx(own)


def test_the_time_of_programs_is_shared_out_whole():
    step = training_step()
    for _ in range(4):
        step()
    with profile() as prof:
        step()
    runs = list(prof._recorded.recent)
    spent = sum(e.self_cpu_time_total for e in prof.key_averages() if not e.is_user_annotation)
    assert spent == pytest.approx(sum(run.end - run.begin for run in runs) / 1e3)


def test_nested_ranges_and_values_read_inside():
    a = torch.ones(4, 4)
    with profile() as prof:
        with record_function("outer"):
            b = a.exp()
            with record_function("inner"):
                c = (b @ a).sum().item()
    assert c == pytest.approx(4 * 4 * 4 * 2.7182818)
    events = by_key(prof.key_averages())
    kernels = {key: e.cpu_time_total - e.self_cpu_time_total for key, e in events.items()}
    products = sum(events[key].cpu_time_total for key in ("aten::mm", "aten::sum"))
    assert kernels["inner"] == pytest.approx(products)
    assert events["outer"].cpu_time_total >= events["inner"].cpu_time_total
    assert events["outer"].cpu_time_total >= events["aten::exp"].cpu_time_total + products


def test_a_range_as_a_decorator():
    @record_function("doubled")
    def double(x):
        return 2 * x
    with profile() as prof:
        assert double(torch.ones(1)).item() == 2 and double(torch.ones(1)).item() == 2
    assert by_key(prof.key_averages())["doubled"].count == 2
    assert double(torch.ones(1)).item() == 2                        # and without a profile


def test_the_recipe_with_a_schedule():
    step, seen = training_step(), []
    with profile(schedule=schedule(wait=1, warmup=1, active=2, repeat=1),
                 on_trace_ready=lambda p: seen.append((p.step_num, p.key_averages()))) as prof:
        for _ in range(6):
            step()
            prof.step()
    assert [number for number, _ in seen] == [4]
    events = by_key(seen[0][1])
    assert events["ProfilerStep*"].count == events["forward"].count == 2
    assert events["aten::convolution"].count == 2


def test_every_cycle_is_a_recording_of_its_own():
    step, seen = training_step(), []
    with profile(schedule=schedule(wait=0, warmup=1, active=2, skip_first=1),
                 on_trace_ready=lambda p: seen.append(by_key(p.key_averages()))) as prof:
        for _ in range(7):
            step()
            prof.step()
    assert [events["forward"].count for events in seen] == [2, 2]


def test_schedules():
    plan = schedule(wait=2, warmup=1, active=1, repeat=2, skip_first=1, skip_first_wait=1)
    assert [plan(i).value for i in range(8)] == [0, 1, 3, 0, 0, 1, 3, 0]
    with pytest.raises(AssertionError, match="Invalid profiler schedule arguments"):
        schedule(wait=1, warmup=1, active=0)


def test_chrome_traces(tmp_path):
    step = training_step()
    for _ in range(3):
        step()
    with profile() as prof:
        step()
    prof.add_metadata("host", "this one")
    prof.add_metadata_json("sizes", "[1, 2]")
    for path in (tmp_path / "trace.json", tmp_path / "trace.json.gz"):
        prof.export_chrome_trace(str(path))
        data = path.read_bytes()
        trace = json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)
        assert trace["host"] == "this one" and trace["sizes"] == [1, 2]
        events = trace["traceEvents"]
        threads = {e["tid"] for e in events if e["ph"] == "M"}
        complete = [e for e in events if e["ph"] == "X"]
        assert {e["cat"] for e in complete} == {"kernel", "program", "user_annotation"}
        assert all(e["tid"] in threads and isinstance(e["tid"], int) and e["dur"] >= 0
                   for e in complete)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["trace.json", "trace.json.gz"]
    ranges = [e.name for e in prof.events() if e.is_user_annotation]
    assert ranges == ["forward", "backward", "update"]


@pytest.mark.parametrize("compressed", [False, True])
def test_the_handler_for_tensorboard(tmp_path, compressed):
    folder = tmp_path / "log"
    with profile(on_trace_ready=torch.profiler.tensorboard_trace_handler(
            str(folder), "worker", use_gzip=compressed)):
        torch.ones(2).exp().sum().item()
    name, = [p.name for p in folder.iterdir()]
    assert name.startswith("worker.")
    assert name.endswith(".pt.trace.json.gz" if compressed else ".pt.trace.json")


def test_columns_for_memory_flops_and_lines(tmp_path):
    a, b = torch.ones(64, 32), torch.ones(32, 16)
    with profile(profile_memory=True, with_flops=True, with_stack=True) as prof:
        c = a @ b
    event = by_key(prof.key_averages())["aten::mm"]
    assert event.flops == 2 * 64 * 32 * 16
    assert event.self_cpu_memory_usage == c.nbytes == 64 * 16 * 4
    table = prof.key_averages(group_by_stack_n=1).table(sort_by="self_cpu_memory_usage")
    assert "Self CPU Mem" in table and "4.00 KB" in table and "Total MFLOPs" in table
    assert "test_profiler.py" in table
    prof.export_stacks(tmp_path / "stacks.txt")
    for line in (tmp_path / "stacks.txt").read_text().splitlines():
        assert line.rpartition(" ")[2].isdigit() and "test_profiler.py" in line


def test_what_is_not_supported_raises():
    for name in ("with_modules", "acc_events", "experimental_config"):
        with pytest.raises(NotImplementedError, match=name):
            profile(**{name: True})
    with pytest.raises(NotImplementedError, match="XPU"):
        profile(activities=[ProfilerActivity.XPU])
    with pytest.raises(AssertionError, match="No valid profiler activities found"):
        profile(activities=[])
    with pytest.warns(UserWarning, match="CUDA is not available"):
        profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA])
    prof = profile()
    with pytest.raises(AssertionError, match="Profiler must be initialized"):
        prof.key_averages()
    with prof:
        torch.ones(1).exp().item()
    with pytest.raises(AttributeError, match="has no attribute 'speed'"):
        prof.key_averages().table(sort_by="speed")


def test_errors_inside_end_the_profile():
    with pytest.raises(KeyError), profile(), record_function("fails"):
        raise KeyError
    assert not execute.watchers and not torch.profiler._active


def test_the_older_name():
    with torch.autograd.profiler.profile() as prof:
        with torch.autograd.profiler.record_function("range"):
            torch.ones(1).exp().item()
    assert "aten::exp" in str(prof) and "range" in prof.table(sort_by="cpu_time_total")
    assert prof.self_cpu_time_total > 0 and prof.total_average().count > 0
    with torch.autograd.profiler.profile(enabled=False) as off:
        torch.ones(1).exp().item()
    with pytest.raises(AssertionError):
        off.key_averages()
