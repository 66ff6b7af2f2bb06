"""What ``SummaryWriter`` writes, field by field what PyTorch's writer writes for the same calls."""

import os

import numpy as np
import pytest

import flambeau

torch = pytest.importorskip("torch")
pytest.importorskip("tensorboard")

_rng = np.random.RandomState(0)
VALUES = _rng.randn(1000).astype(np.float32)
IMAGE = _rng.rand(3, 8, 10).astype(np.float32)
LABELS = (_rng.rand(100) > 0.5).astype(np.int64)
SCORES = _rng.rand(100).astype(np.float32)
AT = {"walltime": 123.5}

CALLS = {
    "scalar": lambda t, w: [
        w.add_scalar("a", 1.5, 3, **AT), w.add_scalar("b", t.tensor(2.5), None, **AT),
        w.add_scalar("c/x y$", float("nan"), t.tensor(3), **AT), w.add_scalar("d", True, -1, **AT),
        w.add_scalar("e", 0.1, 1, new_style=True, **AT),
        w.add_scalar("f", 0.1, 1, new_style=True, double_precision=True, **AT)],
    "scalars": lambda t, w: w.add_scalars("m/n", {"x": 1, "y": t.tensor(2.0)}, 3, **AT),
    "histogram": lambda t, w: [
        *[w.add_histogram(f"h{bins}", VALUES, 1, bins=bins, **AT)
          for bins in ("tensorflow", "auto", "fd", 10)],
        w.add_histogram("few", t.tensor(VALUES), 1, bins="auto", max_bins=5, **AT),
        w.add_histogram("equal", np.ones(5), 1, **AT),
        w.add_histogram_raw("raw", min=0, max=1, num=3, sum=2.0, sum_squares=1.5,
                            bucket_limits=[0.5, 1.0], bucket_counts=[1, 2], **AT)],
    "image": lambda t, w: [
        w.add_image("floats", IMAGE, 1, **AT), w.add_image("over", t.tensor(IMAGE) * 3, 1, **AT),
        w.add_image("bytes", (IMAGE * 255).astype(np.uint8), 1, **AT),
        w.add_image("hwc", IMAGE.transpose(1, 2, 0), 1, dataformats="HWC", **AT),
        w.add_image("hw", IMAGE[0], 1, dataformats="HW", **AT),
        w.add_images("grid", np.stack([IMAGE] * 10), 1, **AT),
        w.add_images("grey", np.stack([IMAGE[:1]] * 3), 1, **AT),
        w.add_image_with_boxes("box", IMAGE, np.array([[1, 1, 5, 6]]), 1, labels=["cat"], **AT)],
    "audio": lambda t, w: [
        w.add_audio("tone", t.sin(t.arange(800) / 10.0)[None], 1, sample_rate=8000, **AT),
        w.add_audio("loud", VALUES[None], 1, **AT)],
    "text": lambda t, w: w.add_text("t", "hello **x**\n\u00e9", 1, **AT),
    "tensor": lambda t, w: w.add_tensor("t", t.arange(6.0).reshape(2, 3), 1, **AT),
    "curve": lambda t, w: [
        w.add_pr_curve("p", LABELS, SCORES, 1, **AT),
        w.add_pr_curve("q", t.tensor(LABELS), t.tensor(SCORES), 1, num_thresholds=20, **AT),
        w.add_pr_curve("r", LABELS, SCORES, 1, num_thresholds=200, weights=SCORES, **AT),
        w.add_pr_curve_raw("s", [1, 2], [1, 2], [1, 2], [1, 2], [0.5, 1], [0.5, 1],
                           num_thresholds=2, **AT)],
    "layout": lambda t, w: [
        w.add_custom_scalars({"T": {"a": ["Multiline", ["x", "y"]],
                                    "s": ["Margin", ["a", "b", "c"]]}})],
    "mesh": lambda t, w: [
        w.add_mesh("m", t.ones(1, 4, 3), colors=t.ones(1, 4, 3, dtype=t.int64),
                   faces=t.tensor([[[0, 2, 3]]]), config_dict={"a": 1}, global_step=2, **AT),
        w.add_mesh("cloud", t.ones(1, 4, 3), **AT)],
    "parameters": lambda t, w: [
        w.add_hparams({"lr": 0.1, "batch": 3, "name": "sgd", "size": t.tensor([0.5])},
                      {"accuracy": 0.9, "loss": 1}, run_name="r", global_step=3),
        w.add_hparams({"lr": 0.1, "name": "a"}, {"accuracy": 0.9}, run_name="s",
                      hparam_domain_discrete={"lr": [0.1, 0.2], "name": ["a", "b"]})],
    "embedding": lambda t, w: [
        w.add_embedding(t.tensor(VALUES[:12].reshape(4, 3)), metadata=list("abcd"), tag="e",
                        label_img=t.tensor(np.stack([IMAGE[:, :, :8]] * 4)), global_step=2),
        w.add_embedding(np.arange(4.0).reshape(2, 2), metadata=[["a", 1], ["b", 2]],
                        metadata_header=["n", "v"], tag="two")],
}


def written(folder):
    """From names of files, without time, host and process, to events or bytes."""
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
    from tensorboard.compat.proto.event_pb2 import Event
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            key = os.path.relpath(path, folder)
            if "tfevents" not in name:
                with open(path, "rb") as file:
                    found[key] = file.read()
                continue
            key = key.partition("tfevents")[0] + os.path.splitext(name)[1] * name.endswith(".end")
            for raw in RawEventFileLoader(path).Load():
                event = Event.FromString(raw)
                if event.wall_time != AT["walltime"]:
                    event.wall_time = 0
                event.ClearField("source_metadata")  # the name of the program that wrote it
                found.setdefault(key, []).append(event)
    return found


@pytest.mark.parametrize("name", CALLS)
def test_the_same_is_written(tmp_path, name):
    pytest.importorskip("PIL")
    from torch.utils.tensorboard import SummaryWriter as Theirs

    from flambeau.utils.tensorboard import SummaryWriter as Ours
    options = {"purge_step": 2, "filename_suffix": ".end"}
    for library, kind in ((torch, Theirs), (flambeau, Ours)):
        with kind(str(tmp_path / library.__name__), **options) as writer:
            CALLS[name](library, writer)
    theirs, ours = written(tmp_path / "torch"), written(tmp_path / "flambeau")
    assert sorted(ours) == sorted(theirs)
    for key in theirs:
        assert ours[key] == theirs[key], key
