"""The demo on a small made-up data set: its files, its lines, and how it ends when disturbed."""

import errno
import glob
import gzip
import os
import subprocess
import sys

import numpy as np
import pytest

import flambeau as torch
from flambeau import demo
from flambeau.demo import data as demo_data
from flambeau.demo import train as demo_train
from flambeau.vision.datasets import FashionMNIST

pytest.importorskip("PIL")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def write_idx(path, array):
    with open(path, "wb") as file:
        file.write(bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes())
        file.write(array.tobytes())


@pytest.fixture
def folder(tmp_path):
    """Images whose class is where their bright stripe lies."""
    raw = tmp_path / "data" / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name, count in (("train", 300), ("t10k", 60)):
        labels = rng.integers(0, 10, count).astype(np.uint8)
        images = rng.integers(0, 60, (count, 28, 28)).astype(np.uint8)
        for image, label in zip(images, labels):
            image[:, 2 * label + 3:2 * label + 5] = 250
        write_idx(raw / f"{name}-images-idx3-ubyte", images)
        write_idx(raw / f"{name}-labels-idx1-ubyte", labels)
    return tmp_path


def run(folder, *more):
    return demo.main(["--data", str(folder / "data"), "--out", str(folder / "out"), "--epochs",
                      "2", "--batch-size", "20", *more])


@pytest.mark.parametrize("model", ["cnn", "mlp"])
def test_it_trains_and_writes_what_it_says(folder, capsys, model):
    assert run(folder, "--model", model) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Data: 360 images of Fashion-MNIST, already in")
    assert sum(line.startswith("epoch ") and "accuracy" in line for line in lines) == 2
    assert lines[-2].startswith("compiled: ") and "kernels" in lines[-2]
    assert lines[-1].startswith("a training step: ") and " ms" in lines[-1]
    tested = next(line for line in lines if line.startswith("test accuracy"))
    assert float(tested.split()[2]) > 0.5
    network = demo_train.CNN() if model == "cnn" else demo_train.MLP()
    network.load_state_dict(torch.load(folder / "out" / f"{model}_best.pth", weights_only=True))
    from PIL import Image
    sheet = np.asarray(Image.open(folder / "out" / "predictions.png"))
    assert sheet.shape == (588, 928, 3) and sheet.std() > 10
    assert not glob.glob(str(folder / "out" / "*.tmp"))
    pytest.importorskip("tensorboard")
    assert os.listdir(folder / "out" / "logs")


def test_the_same_seed_gives_the_same_lines(folder, capsys):
    texts = []
    for seed in ("1", "1", "2"):
        assert run(folder, "--seed", seed) == 0
        out = capsys.readouterr().out.splitlines()
        texts.append([line for line in out if line.startswith("epoch ")])
    assert texts[0] == texts[1] != texts[2]


def test_an_interrupted_run_ends_with_a_sentence(folder, capsys, monkeypatch):
    calls = []

    def interrupt(*args):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return 0.9, 0.1

    monkeypatch.setattr(demo_train, "evaluate", interrupt)
    assert run(folder) == 130
    text = capsys.readouterr().err
    assert "Interrupted in epoch 2, step 14 of 14. The best weights so far are in" in text
    assert os.path.exists(folder / "out" / "cnn_best.pth")


def test_a_full_disk_ends_with_a_sentence(folder, capsys, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device", "cnn_best.pth")

    monkeypatch.setattr(torch, "save", full)
    assert run(folder) == 1
    text = capsys.readouterr().err
    assert "Cannot write cnn_best.pth: no space left on the device." in text and "--out" in text


def test_out_that_is_a_file(folder, capsys):
    (folder / "out").write_text("")
    assert run(folder) == 1
    assert "a file of that name is in the way" in capsys.readouterr().err


def test_without_the_data_set_and_the_network_the_embedded_subset_is_used(tmp_path, monkeypatch):
    monkeypatch.setattr(FashionMNIST, "installed_folders", ())
    monkeypatch.setattr(FashionMNIST, "mirrors", ["http://127.0.0.1:9/"])
    training, validation, test, source = demo_data.load_data(str(tmp_path / "none"), seed=0)
    assert (len(training), len(validation), len(test)) == (9000, 1000, 2000)
    assert source.startswith("the embedded subset of 12,000 images")
    assert not (tmp_path / "none").exists()
    assert np.bincount(test.tensors[1].numpy()).tolist() == [200] * 10


def packed(folder, target):
    """The data set's files, packed as a package has them, in a folder of their own."""
    target.mkdir()
    for path in (folder / "data" / "FashionMNIST" / "raw").iterdir():
        (target / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    return target


def test_packed_files_are_read_where_they_are(folder, monkeypatch):
    monkeypatch.setattr(FashionMNIST, "installed_folders", ())
    place = packed(folder, folder / "packed")
    before = sorted(os.listdir(place))
    training, _, test, source = demo_data.load_data(str(place), seed=0)
    assert (len(training), len(test)) == (270, 60)
    assert source == f"360 images of Fashion-MNIST, already in {place}"
    assert sorted(os.listdir(place)) == before

    monkeypatch.setattr(FashionMNIST, "installed_folders", (str(place),))
    *_, source = demo_data.load_data(str(folder / "none"), seed=0)
    assert source == f"360 images of Fashion-MNIST, installed in {place}"
    assert not (folder / "none").exists()


def test_a_broken_package_does_not_stand_in_the_way(folder, monkeypatch):
    place = packed(folder, folder / "packed")
    broken = place / "train-images-idx3-ubyte.gz"
    broken.write_bytes(broken.read_bytes()[:2000])
    monkeypatch.setattr(FashionMNIST, "installed_folders", (str(place),))
    monkeypatch.setattr(FashionMNIST, "mirrors", ["http://127.0.0.1:9/"])
    *_, source = demo_data.load_data(str(folder / "none"), seed=0)
    assert source.startswith("the embedded subset") and f"broken in {place}" in source


def cut(raw):
    path = raw / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:1000])


def replace_the_head(raw):
    path = raw / "t10k-labels-idx1-ubyte"
    path.write_bytes(b"page" + path.read_bytes()[4:])


def add_a_class(raw):
    path = raw / "train-labels-idx1-ubyte"
    path.write_bytes(path.read_bytes()[:-1] + b"\xc8")


def lose_labels(raw):
    write_idx(raw / "train-labels-idx1-ubyte", np.zeros(299, np.uint8))


def shrink(raw):
    write_idx(raw / "t10k-images-idx3-ubyte", np.zeros((60, 20, 28), np.uint8))


@pytest.mark.parametrize("harm, text", [
    (cut, "is cut short"), (replace_the_head, "is not an IDX file"),
    (add_a_class, "a label is 200: there are 10 classes"),
    (lose_labels, "300 images have 299 labels"),
    (shrink, "images are of (20, 28) pixels, not of (28, 28)")], ids=lambda x: getattr(
        x, "__name__", ""))
def test_broken_files_end_with_a_sentence(folder, capsys, harm, text):
    harm(folder / "data" / "FashionMNIST" / "raw")
    assert run(folder) == 1
    told = capsys.readouterr().err
    assert "Cannot use the data set: " in told and text in told


@pytest.mark.parametrize("name", ["cnn_best.pth", "predictions.png"])
def test_a_folder_in_a_files_place(folder, capsys, name):
    (folder / "out" / name).mkdir(parents=True)
    assert run(folder) == 1
    told = capsys.readouterr().err
    assert f"{name}: a folder of that name is in the way" in told


def test_the_last_line_is_about_training_even_where_it_takes_few_steps(folder, capsys):
    assert run(folder, "--batch-size", "270", "--epochs", "4") == 0
    words = capsys.readouterr().out.splitlines()[-1].split()
    whole, inside = float(words[3]), float(words[-2])
    assert 0 < inside <= whole


def test_output_that_nobody_reads_any_more_ends_quietly(folder):
    command = f"{sys.executable} -m flambeau demo --data data --out out --epochs 1 | head -n 0"
    done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": ROOT})
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr


@pytest.mark.parametrize("option, value", [
    ("--epochs", "0"), ("--epochs", "1.5"), ("--epochs", str(10 ** 20)), ("--batch-size", "-1"),
    ("--batch-size", str(10 ** 20)), ("--seed", str(2 ** 64)), ("--seed", "x"), ("--out", ""),
    ("--data", ""), ("--model", "rnn")])
def test_values_that_no_option_takes(option, value, capsys):
    with pytest.raises(SystemExit) as end:
        demo.main([option, value])
    assert end.value.code == 2 and f"argument {option}: " in capsys.readouterr().err


@pytest.mark.parametrize("rate", ["0", "-1", "inf", "nan", "fast"])
def test_a_learning_rate_that_is_none(rate, capsys):
    with pytest.raises(SystemExit) as end:
        demo.main(["--lr", rate])
    assert end.value.code == 2 and "argument --lr: " in capsys.readouterr().err


def test_help_names_every_option(capsys):
    with pytest.raises(SystemExit) as end:
        demo.main(["--help"])
    text = capsys.readouterr().out
    assert end.value.code == 0
    for option in ("--data", "--epochs", "--batch-size", "--lr", "--seed", "--model", "--out"):
        assert option in text
    text = " ".join(text.split())
    assert text.count("(default: ") == 7 and "None" not in text
    assert "momentum 0.9 (default: 0.05)" in text
