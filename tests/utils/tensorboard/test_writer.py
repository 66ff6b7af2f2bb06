"""Logs, read back by TensorBoard itself."""

import io
import os

import numpy as np
import pytest

pytest.importorskip("tensorboard")

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.util.tensor_util import make_ndarray

import flambeau as torch
from flambeau.utils.tensorboard import SummaryWriter

EVERYTHING = {kind: 0 for kind in ("scalars", "images", "histograms", "audio", "tensors")}


@pytest.fixture
def writer(tmp_path):
    with SummaryWriter(tmp_path) as writer:
        yield writer


def read(writer, folder=""):
    """What TensorBoard finds in a run, after its migrations of old formats are undone."""
    writer.close()
    run = EventAccumulator(os.path.join(str(writer.log_dir), folder), EVERYTHING)
    run.Reload()
    return run


def raw(writer, folder=""):
    """The summary values of a run as they are in the file, by tag."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary.writer.record_writer import RecordWriter  # noqa: F401

    writer.close()
    values = {}
    path = os.path.join(str(writer.log_dir), folder)
    for name in sorted(os.listdir(path)):
        if "tfevents" not in name:
            continue
        with open(os.path.join(path, name), "rb") as file:
            data = file.read()
        while data:
            size = int.from_bytes(data[:8], "little")
            event = Event.FromString(data[12 : 12 + size])
            data = data[16 + size :]
            for value in event.summary.value:
                values[value.tag] = value, event
    return values


def test_scalar(writer):
    writer.add_scalar("loss", 0.5, 1)
    writer.add_scalar("loss", torch.tensor([0.25]), torch.tensor(2), walltime=7.0)
    writer.add_scalar("loss", np.float32(0.125), np.int64(3))
    found = read(writer).Scalars("loss")
    assert [(event.step, event.value) for event in found] == [(1, 0.5), (2, 0.25), (3, 0.125)]
    assert found[1].wall_time == 7.0
    with pytest.raises(AssertionError, match="should contain one element"):
        writer.add_scalar("loss", torch.ones(2))
    with pytest.raises(NotImplementedError, match="numpy array or torch tensor are expected"):
        writer.add_scalar("loss", [1])


def test_scalar_new_style(writer):
    writer.add_scalar("double", 0.1, 1, new_style=True, double_precision=True)
    writer.add_scalar("single", 0.1, 1, new_style=True)
    values = raw(writer)
    assert values["double"][0].tensor.double_val[0] == 0.1
    assert values["single"][0].tensor.float_val[0] == np.float32(0.1)
    assert values["single"][0].metadata.plugin_data.plugin_name == "scalars"


def test_scalars(writer):
    writer.add_scalars("a/b", {"train": 1.0, "val": 2.0}, 5)
    assert read(writer, "a_b_train").Scalars("a/b")[0].value == 1.0
    assert read(writer, "a_b_val").Scalars("a/b")[0].step == 5


def test_histogram(writer):
    values = torch.tensor([-2.0, 0.0, 0.5, 0.5, 3.0])
    writer.add_histogram("h", values, 1)
    found = read(writer).Histograms("h")[0].histogram_value
    assert (found.min, found.max, found.num, found.sum) == (-2, 3, 5, 2)
    assert found.sum_squares == 13.5 and sum(found.bucket) == 5
    assert len(found.bucket) == len(found.bucket_limit) and found.bucket[0] == 0
    with pytest.raises(ValueError, match="no element"):
        writer.add_histogram("h", torch.zeros(0))


def test_histogram_bins(writer):
    values = np.arange(100)
    writer.add_histogram("ten", values, bins=10)
    writer.add_histogram("few", values, max_bins=20)
    writer.add_histogram_raw("raw", 0, 3, 2, 3, 9, [1, 2, 4], [1, 0, 1])
    run = read(writer)
    ten = run.Histograms("ten")[0].histogram_value
    assert list(ten.bucket) == [0] + [10] * 10 and len(ten.bucket_limit) == 11
    assert len(run.Histograms("few")[0].histogram_value.bucket) <= 21
    assert list(run.Histograms("raw")[0].histogram_value.bucket_limit) == [1, 2, 4]
    with pytest.raises(ValueError, match="len\\(bucket_limits\\)"):
        writer.add_histogram_raw("raw", 0, 3, 2, 3, 9, [1], [1, 0])


def picture(writer, tag):
    from PIL import Image

    value = raw(writer)[tag][0].image
    image = Image.open(io.BytesIO(value.encoded_image_string))
    assert (value.height, value.width) == (image.height, image.width)
    return np.asarray(image)


@pytest.mark.parametrize(
    "shape, layout", [((3, 4, 5), "CHW"), ((4, 5, 3), "HWC"), ((4, 5), "HW"), ((1, 4, 5), "CHW"),
                      ((5, 4), "WH")],
)  # fmt: skip
def test_image_layouts(writer, shape, layout):
    values = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    writer.add_image("i", values, 1, dataformats=layout)
    pixels = picture(writer, "i")
    assert pixels.shape == (4, 5, 3)
    order = [layout.find(letter) for letter in "HWC" if letter in layout]
    expected = values.transpose(order)
    expected = expected if expected.ndim == 3 else expected[:, :, None]
    assert (pixels == expected).all()


def test_image_of_floats(writer):
    writer.add_image("i", torch.tensor([[[0.0, 0.5, 2.0, -1.0]]]))
    assert picture(writer, "i")[0, :, 0].tolist() == [0, 127, 255, 0]
    with pytest.raises(AssertionError, match="input format are different"):
        writer.add_image("i", torch.zeros(4, 5))
    with pytest.raises(AssertionError, match="shorthand twice"):
        writer.add_image("i", torch.zeros(4, 5), dataformats="HH")
    with pytest.raises(AssertionError, match="letters NCHW"):
        writer.add_image("i", torch.zeros(4, 5), dataformats="HX")


def test_images_are_tiled(writer):
    batch = np.zeros((10, 1, 2, 3), np.uint8)
    batch[9] = 200
    writer.add_images("grid", batch, 1)
    pixels = picture(writer, "grid")
    assert pixels.shape == (4, 24, 3)
    assert (pixels[2:, 3:6] == 200).all() and pixels.sum() == 200 * 18


def test_image_with_boxes(writer):
    boxes = np.array([[5, 5, 30, 25]])
    writer.add_image_with_boxes("b", np.zeros((3, 40, 40), np.uint8), boxes, 1, labels=["cat"])
    pixels = picture(writer, "b")
    assert pixels[5, 15].tolist() == [255, 0, 0] and pixels[35, 35].sum() == 0
    with pytest.raises(ValueError, match="2 labels were given for 1 boxes"):
        writer.add_image_with_boxes("b", np.zeros((3, 4, 4), np.uint8), boxes, labels=["a", "b"])


def test_figure(writer):
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("agg")
    figure = plt.figure(figsize=(2, 1), dpi=50)
    figure.patch.set_facecolor((1, 0, 0))
    writer.add_figure("f", figure, 1)
    assert not plt.fignum_exists(figure.number)
    pixels = picture(writer, "f")
    assert pixels.shape == (50, 100, 3) and pixels[0, 0].tolist() == [255, 0, 0]
    writer.add_figure("g", [plt.figure(figsize=(1, 1), dpi=20) for _ in range(2)])
    assert picture(writer, "g").shape == (20, 40, 3)


def test_video(writer):
    from PIL import Image

    video = np.zeros((2, 3, 3, 4, 4), np.uint8)
    video[:, 1] = 255
    writer.add_video("v", video, 1, fps=5)
    value = raw(writer)["v"][0].image
    film = Image.open(io.BytesIO(value.encoded_image_string))
    assert film.n_frames == 3 and film.size == (8, 4) == (value.width, value.height)
    film.seek(1)
    assert film.info["duration"] == 200 and np.asarray(film.convert("L")).min() == 255


def test_audio(writer):
    import wave

    samples = torch.tensor([[0.0, 0.5, -1.0, 1.0]])
    writer.add_audio("a", samples, 1, sample_rate=8000)
    value = raw(writer)["a"][0].audio
    assert (value.sample_rate, value.num_channels, value.length_frames) == (8000, 1, 4)
    with wave.open(io.BytesIO(value.encoded_audio_string)) as sound:
        data = np.frombuffer(sound.readframes(4), "<i2")
        assert sound.getframerate() == 8000 and data.tolist() == [0, 16383, -32767, 32767]
    with pytest.raises(AssertionError, match="1 dimensional"):
        writer.add_audio("a", torch.zeros(2, 3))


def test_text(writer):
    writer.add_text("t", "héllo *world*", 1)
    found = read(writer).Tensors("t/text_summary")[0]
    assert make_ndarray(found.tensor_proto).tolist() == ["héllo *world*".encode()]


@pytest.mark.parametrize(
    "dtype", ["float32", "float64", "float16", "int8", "uint8", "int32", "int64", "bool",
              "complex64"],
)  # fmt: skip
def test_tensor(writer, dtype):
    tensor = torch.tensor([[0, 1, 2], [3, 0, 5]]).to(getattr(torch, dtype))
    writer.add_tensor("x", tensor, 1)
    found = make_ndarray(read(writer).Tensors("x")[0].tensor_proto)
    assert found.shape == (2, 3) and found.tolist() == tensor.tolist()


def test_pr_curve(writer):
    labels = torch.tensor([1, 0, 1, 1])
    writer.add_pr_curve("p", labels, torch.tensor([0.9, 0.6, 0.4, 0.8]), 1, num_thresholds=11)
    value = raw(writer)["p"][0]
    data = make_ndarray(value.tensor)
    assert data.shape == (6, 11) and value.metadata.plugin_data.plugin_name == "pr_curves"
    tp, fp, tn, fn, precision, recall = data
    assert (tp[0], fp[0], tn[0], fn[0]) == (3, 1, 0, 0)
    assert (tp[7], fp[7]) == (2, 0) and precision[7] == 1
    writer.add_pr_curve_raw("q", *data, 1, num_thresholds=11)
    assert (make_ndarray(raw(writer)["q"][0].tensor) == data).all()
    with pytest.raises(ValueError, match="weight the counts"):
        writer.add_pr_curve_raw("q", *data, weights=1.0)


def test_custom_scalars(writer):
    from tensorboard.plugins.custom_scalar.layout_pb2 import Layout

    writer.add_custom_scalars({"c": {"m": ["Multiline", ["a", "b"]], "g": ["Margin", list("abc")]}})
    layout = Layout.FromString(raw(writer)["custom_scalars__config__"][0].tensor.string_val[0])
    chart, margin = layout.category[0].chart
    assert list(chart.multiline.tag) == ["a", "b"] and margin.margin.series[0].upper == "c"
    writer.add_custom_scalars_multilinechart(["a"], "x", "y")
    writer.add_custom_scalars_marginchart(["a", "b", "c"])
    with pytest.raises(AssertionError, match="Expected 3 tags, got 1"):
        writer.add_custom_scalars_marginchart(["a"])


def test_mesh(writer):
    from tensorboard.plugins.mesh.plugin_data_pb2 import MeshPluginData

    vertices = torch.tensor([[[1.0, 1, 1], [-1, -1, 1], [1, -1, -1]]])
    writer.add_mesh("m", vertices, colors=vertices, faces=torch.tensor([[[0, 1, 2]]]),
                    config_dict={"b": 1, "a": 2})  # fmt: skip
    values = raw(writer)
    assert set(values) == {"m_VERTEX", "m_COLOR", "m_FACE"}
    value = values["m_VERTEX"][0]
    assert make_ndarray(value.tensor).tolist() == vertices.tolist()
    data = MeshPluginData.FromString(value.metadata.plugin_data.content)
    assert data.components == 14 and data.json_config == '{"a": 2, "b": 1}'


def test_hparams(writer):
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    parameters = {"lr": 0.1, "n": 3, "adam": True, "name": "x", "t": torch.tensor(2.0), "no": None}
    writer.add_hparams(parameters, {"accuracy": 0.9}, {"n": [1, 3]}, run_name="run", global_step=2)
    values = raw(writer, "run")
    content = values["_hparams_/session_start_info"][0].metadata.plugin_data.content
    found = HParamsPluginData.FromString(content).session_start_info.hparams
    assert found["lr"].number_value == 0.1 and found["adam"].bool_value is True
    assert found["name"].string_value == "x" and found["t"].number_value == 2
    assert set(found) == {"lr", "n", "adam", "name", "t"}
    content = values["_hparams_/experiment"][0].metadata.plugin_data.content
    infos = {i.name: i for i in HParamsPluginData.FromString(content).experiment.hparam_infos}
    assert [v.number_value for v in infos["n"].domain_discrete.values] == [1, 3]
    assert values["accuracy"][0].simple_value == np.float32(0.9)
    with pytest.raises(TypeError, match="should be dictionary"):
        writer.add_hparams([], {})
    with pytest.raises(TypeError, match="same type as"):
        writer.add_hparams({"a": 1}, {}, {"a": ["x"]})
    with pytest.raises(ValueError, match="should be one of int"):
        writer.add_hparams({"a": [1]}, {})


def test_embedding(writer, tmp_path):
    points = torch.arange(8.0).view(4, 2)
    writer.add_embedding(points, list("abcd"), torch.ones(4, 3, 5, 6), 2, "tag/x")
    writer.add_embedding(points, [("a", 1)] * 4, tag="two", metadata_header=["l", "n"])
    folder = tmp_path / "00002" / "tag%2fx"
    assert (folder / "tensors.tsv").read_text().splitlines()[1] == "2.0\t3.0"
    assert (folder / "metadata.tsv").read_text() == "a\nb\nc\nd\n"
    assert (folder / "sprite.png").exists()
    assert (tmp_path / "00000" / "two" / "metadata.tsv").read_text().startswith("l\tn\na\t1\n")
    config = (tmp_path / "projector_config.pbtxt").read_text()
    assert config.count("embeddings {") == 2 and "single_image_dim: 6" in config
    with pytest.raises(AssertionError, match="mat should be 2D"):
        writer.add_embedding(torch.ones(3))
    with pytest.raises(AssertionError, match="#labels"):
        writer.add_embedding(points, ["a"])


# ---- files ---------------------------------------------------------------------------------------


def test_file_name_and_first_event(tmp_path):
    writer = SummaryWriter(tmp_path, filename_suffix=".x", purge_step=4)
    writer.add_scalar("a", 1, 5)
    writer.close()
    (name,) = os.listdir(tmp_path)
    assert name.startswith("events.out.tfevents.") and name.endswith(".x")
    events = list(EventFileLoader(str(tmp_path / name)).Load())
    assert events[0].file_version == "brain.Event:2"
    assert events[1].step == 4 and events[2].session_log.status == 1
    writer.add_scalar("a", 2, 6)  # opens a new file
    writer.flush()
    writer.close()
    writer.close()
    assert len(os.listdir(tmp_path)) == 2
    assert writer.get_logdir() == tmp_path


def test_default_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with SummaryWriter(comment="-note") as writer:
        assert writer.log_dir.startswith("runs" + os.sep) and writer.log_dir.endswith("-note")
    assert os.listdir(tmp_path) == ["runs"]


def test_without_the_package(monkeypatch):
    import importlib.util
    import sys

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for name in [n for n in sys.modules if n.startswith("flambeau.utils.tensorboard")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ImportError, match="pip install"):
        importlib.import_module("flambeau.utils.tensorboard")
