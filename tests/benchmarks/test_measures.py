"""Medians, ratios and rounds, with processes that are made up."""

from types import SimpleNamespace

import pytest
from suite import measures, modes
from suite.measures import MEASURES, against, median_of
from suite.processes import FASHION, Session
from suite.rows import chosen_rows


class Processes:
    """Stands for a session: `times` by library or mode are what its processes report."""

    def __init__(self, times, **options):
        self.options = SimpleNamespace(rounds=3, quick=False, threads=2, compile_all=False,
                                       no_compile=True, **options)
        self.torch, self.results, self.times, self.ran = "2.13.0", {}, times, []
        self.libraries = ("flambeau", "torch")

    def run(self, library, script, *arguments, **environment):
        mode = arguments[arguments.index("--mode") + 1] if "--mode" in arguments else "eager"
        name = library if library == "flambeau" else mode
        self.ran.append(name)
        seconds = self.times[name]
        steps = int(arguments[arguments.index("--steps") + 1])
        losses = [1.0] * min(20, steps + 3)
        return seconds and {"step_s": seconds, "slowest_s": 9 * seconds, "busy_s": 2 * seconds,
                            "losses": losses, "peak_bytes": 1e9 * seconds}


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def measured(session, name):
    (row,) = chosen_rows([name])
    return MEASURES[row.measure](session, row)


def test_ratio_and_median():
    assert against(1.0, 2.0).ratio == 0.5
    assert against(None, 2.0).ratio is None
    assert median_of([{"a": 1}, None, {"a": 3}, {"a": 2}], "a") == 2
    assert median_of([None], "a") is None


def test_rounds_alternate_after_the_modes_were_tried():
    session = Processes({"flambeau": 1.0, "eager": 2.0, "channels_last": 1.5})
    found = measured(session, "cnn")
    assert session.ran[:2] == ["eager", "channels_last"]
    assert session.ran[2:] == ["flambeau", "channels_last"] * 3
    assert found.label == "channels_last" and found.ratio == pytest.approx(1 / 1.5)
    assert found.losses == ([1.0] * 20, [1.0] * 20)
    again = Processes(session.times)
    measured(again, "cnn")
    assert again.ran == session.ran[2:]


def test_memory_is_that_of_the_training_processes():
    session = Processes({"flambeau": 1.0, "eager": 2.0, "channels_last": 3.0})
    measured(session, "resnet18")
    ran = len(session.ran)
    found = measured(session, "resnet18-memory")
    assert len(session.ran) == ran
    assert found.ratio == 0.5 and found.amount == "B"


@pytest.mark.parametrize("name", ["resnet50", "resnet50-100", "mlp"])
def test_the_first_round_runs_twenty_steps(name):
    session = Processes({"flambeau": 1.0, "eager": 2.0, "channels_last": 3.0})
    assert len(measured(session, name).losses[0]) == 20


def test_quick_runs_fewer_steps_of_a_large_network():
    session = Processes({"flambeau": 1.0, "eager": 2.0, "channels_last": 3.0})
    session.options.quick = True
    assert len(measured(session, "resnet50").losses[0]) == 6


def test_quick_takes_the_modes_of_the_network_that_is_varied():
    modes.remember("cnn", "2.13.0", 2, {"eager": 1.0, "channels_last": 9.0})
    session = Processes({"flambeau": 1.0, "eager": 2.0, "channels_last": 1.0})
    session.options.quick, session.options.rounds, session.options.no_compile = True, 1, False
    assert measured(session, "cnn-24").label == "eager"
    assert session.ran == ["flambeau", "eager"]


def test_large_networks_run_two_rounds_at_most():
    modes.remember("resnet18", "2.13.0", 2, {"eager": 1.0, "channels_last": 9.0})
    session = Processes({"flambeau": 1.0, "eager": 2.0})
    measured(session, "resnet18")
    assert session.ran == ["flambeau", "eager"] * 2


def test_a_process_that_fails_leaves_a_gap():
    session = Processes({"flambeau": None, "eager": 2.0})
    found = measured(session, "gpt")
    assert found.own is None and found.other == 2.0 and found.ratio is None


def test_without_pytorch_only_our_own_time_is_shown():
    session = Processes({"flambeau": 1.0})
    session.torch, session.libraries = None, ("flambeau",)
    found = measured(session, "gpt")
    assert found.own == 1.0 and found.other is None


def test_first_steps_are_the_slowest_of_three():
    found = measured(Processes({"flambeau": 0.1, "eager": 0.01}), "gpt-first")
    assert found.own == pytest.approx(0.9)


def test_a_busy_core_is_compared_with_the_same_library_alone():
    found = measured(Processes({"flambeau": 0.1, "eager": 0.01}), "mlp-busy")
    assert found.ratio == pytest.approx(2.0) and "PyTorch 2.0 times" in found.label


def test_made_up_images_have_the_format_of_the_data_set(monkeypatch, tmp_path):
    monkeypatch.setattr("suite.processes.PACKAGED", str(tmp_path / "nowhere"))
    options = SimpleNamespace(torch_python="no-python-here", data=str(tmp_path), threads=2)
    monkeypatch.setattr("suite.processes.version", lambda python, name: None)
    session = Session(options)
    folder = session.fashion_data()
    vision = pytest.importorskip("flambeau.vision.datasets")
    data = vision.FashionMNIST(folder, train=False)
    assert data.data.shape == (10_000, 28, 28) and len(FASHION) == 4
    assert "random images" in session.notes[0]
    session.close()
    assert not measures.os.path.exists(folder)


def test_nothing_is_remembered_of_other_sizes():
    modes.remember("cnn", "2.13.0", 2, {"eager": 1.0, "channels_last": 9.0})
    session = Processes({"flambeau": 1.0, "eager": 2.0, "channels_last": 1.0})
    assert measured(session, "cnn-24").label == "channels_last"
