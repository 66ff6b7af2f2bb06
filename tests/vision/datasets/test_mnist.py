"""MNIST and its relatives, read from small files written here."""

import gzip
import hashlib
import os
import pathlib
import pickle

import numpy as np
import pytest

import flambeau as torch
from flambeau.vision import datasets, transforms
from flambeau.vision.datasets import mnist

IMAGES = np.random.default_rng(0).integers(0, 256, (7, 28, 28), np.uint8)
LABELS = np.array([3, 1, 4, 1, 5, 9, 2], np.uint8)


def idx(array):
    code = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}[array.dtype.str[1:]]
    header = bytes([0, 0, code, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def write_raw(root, name, images=IMAGES, labels=LABELS):
    folder = pathlib.Path(root) / name / "raw"
    folder.mkdir(parents=True)
    for split in ("train", "t10k"):
        (folder / f"{split}-images-idx3-ubyte").write_bytes(idx(images))
        (folder / f"{split}-labels-idx1-ubyte").write_bytes(idx(labels))
    return folder


@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST", "KMNIST"])
def test_reads_files_on_the_disk(tmp_path, name):
    write_raw(tmp_path, name)
    data = getattr(datasets, name)(tmp_path, train=False)
    assert data.data.dtype == torch.uint8 and data.data.shape == (7, 28, 28)
    assert data.targets.dtype == torch.int64 and data.targets.tolist() == LABELS.tolist()
    assert len(data) == 7 and len(data.classes) == 10
    assert data.class_to_idx[data.classes[4]] == 4
    image, label = data[2]
    assert image.mode == "L" and image.size == (28, 28)
    assert label == 4 and type(label) is int
    np.testing.assert_array_equal(np.asarray(image), IMAGES[2])
    assert data[-1][1] == 2
    with pytest.raises(IndexError):
        data[7]


def test_transforms_and_repr(tmp_path):
    write_raw(tmp_path, "MNIST")
    data = datasets.MNIST(
        str(tmp_path), transform=transforms.ToTensor(), target_transform=lambda label: -label
    )
    image, label = data[0]
    assert image.shape == (1, 28, 28) and label == -3
    lines = repr(data).splitlines()
    assert lines[:5] == [
        "Dataset MNIST",
        "    Number of datapoints: 7",
        f"    Root location: {tmp_path}",
        "    Split: Train",
        "    StandardTransform",
    ]
    assert lines[5] == "Transform: ToTensor()"
    assert lines[6].startswith("Target transform: <function")


def test_changed_data_and_targets_are_seen(tmp_path):
    write_raw(tmp_path, "MNIST")
    data = datasets.MNIST(tmp_path)
    assert data[0][1] == 3
    data.targets[0] = 8
    assert data[0][1] == 8
    data.data, data.targets = data.data[1:3], data.targets[1:3]
    assert len(data) == 2 and data[1][1] == 4
    data.targets = [7, 6]
    assert data[1][1] == 6


def test_pickles_without_its_caches(tmp_path):
    write_raw(tmp_path, "MNIST")
    data = datasets.MNIST(tmp_path)
    data[0]
    copy = pickle.loads(pickle.dumps(data))
    assert copy[2][1] == 4


def test_not_found_tells_where_it_looked(tmp_path):
    with pytest.raises(RuntimeError, match="^Dataset not found. You can use download=True") as info:
        datasets.MNIST(tmp_path)
    assert str(tmp_path) in str(info.value)


def test_old_names_warn(tmp_path):
    write_raw(tmp_path, "MNIST")
    with pytest.warns(UserWarning, match="train_labels has been renamed targets"):
        assert datasets.MNIST(tmp_path).train_labels.tolist() == LABELS.tolist()


def installed_copy(folder):
    """Compressed files as a package of the distribution holds them, and their digests."""
    folder.mkdir()
    digests = {}
    for split in ("train", "t10k"):
        for content, array in (("images-idx3", IMAGES), ("labels-idx1", LABELS)):
            name = f"{split}-{content}-ubyte"
            (folder / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
            digests[name] = hashlib.md5(idx(array)).hexdigest()
    return digests


def test_download_takes_an_installed_package_first(tmp_path, monkeypatch):
    digests = installed_copy(tmp_path / "share")
    monkeypatch.setattr(datasets.FashionMNIST, "installed_folders", (str(tmp_path / "share"),))
    monkeypatch.setattr(datasets.FashionMNIST, "raw_md5s", digests)
    monkeypatch.setattr(datasets.FashionMNIST, "mirrors", [])
    data = datasets.FashionMNIST(tmp_path, download=True)
    assert len(data) == 7
    assert sorted(os.listdir(data.raw_folder)) == sorted(digests)


def test_download_refuses_a_damaged_installed_package(tmp_path, monkeypatch):
    installed_copy(tmp_path / "share")
    monkeypatch.setattr(datasets.FashionMNIST, "installed_folders", (str(tmp_path / "share"),))
    closed = "http://127.0.0.1:9/"  # the discard port: nothing listens
    monkeypatch.setattr(datasets.FashionMNIST, "mirrors", [closed])
    with pytest.raises(RuntimeError, match="^Error downloading train-images-idx3-ubyte.gz:\nTried"):
        datasets.FashionMNIST(tmp_path, download=True)
    assert os.listdir(tmp_path / "FashionMNIST" / "raw") == []


@pytest.mark.skipif(
    not os.path.isdir("/usr/share/datasets/fashion-mnist"), reason="dataset-fashion-mnist"
)
def test_debian_package(tmp_path):
    data = datasets.FashionMNIST(tmp_path, train=False, download=True)
    assert len(data) == 10000 and data.classes[data[0][1]] == "Ankle boot"
    assert np.bincount(data.targets.numpy()).tolist() == [1000] * 10


def test_emnist(tmp_path):
    folder = tmp_path / "EMNIST" / "raw"
    folder.mkdir(parents=True)
    for part in ("train", "test"):
        (folder / f"emnist-letters-{part}-images-idx3-ubyte").write_bytes(idx(IMAGES))
        (folder / f"emnist-letters-{part}-labels-idx1-ubyte").write_bytes(idx(LABELS))
    data = datasets.EMNIST(tmp_path, split="letters", train=False)
    assert len(data) == 7 and data.classes[3] == "c"
    with pytest.raises(ValueError, match="Unknown value 'x' for argument split. Valid values are"):
        datasets.EMNIST(tmp_path, split="x")


def test_qmnist(tmp_path):
    folder = tmp_path / "QMNIST" / "raw"
    folder.mkdir(parents=True)
    full = np.arange(56, dtype=np.int32).reshape(7, 8)
    (folder / "qmnist-train-images-idx3-ubyte").write_bytes(idx(IMAGES))
    (folder / "qmnist-train-labels-idx2-int").write_bytes(idx(full))
    assert datasets.QMNIST(tmp_path, "train")[2][1] == 16
    detailed = datasets.QMNIST(tmp_path, "train", compat=False)[2][1]
    assert detailed.tolist() == full[2].tolist() and detailed.dtype == torch.int64


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "i4", "f4", "f8"])
def test_idx_types(tmp_path, dtype):
    array = np.arange(6).reshape(2, 3).astype(dtype)
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(idx(array)))
    np.testing.assert_array_equal(mnist.read_idx(path), array)


def test_damaged_idx(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(idx(IMAGES)[:-5])
    with pytest.raises(ValueError, match="is cut short"):
        mnist.read_image_file(path)
    path.write_bytes(b"\x89PNG....")
    with pytest.raises(ValueError, match="is not an IDX file"):
        mnist.read_image_file(path)
    path.write_bytes(idx(LABELS))
    with pytest.raises(ValueError, match="x should have 3 dimension instead of 1"):
        mnist.read_image_file(path)
    path.write_bytes(idx(IMAGES.astype(np.int16)))
    with pytest.raises(TypeError, match="x should be of dtype torch.uint8 instead of torch.int16"):
        mnist.read_image_file(path)


def test_batches_follow_what_the_user_changes(tmp_path):
    write_raw(tmp_path, "MNIST")
    data = datasets.MNIST(tmp_path, transform=transforms.ToTensor())
    data.targets = torch.arange(7) + 10
    data.data = data.data * 0
    images, labels = next(iter(torch.utils.data.DataLoader(data, 7)))
    assert images.sum().item() == 0 and labels.tolist() == list(range(10, 17))
    data.target_transform = lambda label: -label
    _, labels = next(iter(torch.utils.data.DataLoader(data, 2)))
    assert labels.tolist() == [-10, -11]

    class Own(datasets.MNIST):
        def __getitem__(self, index):
            return index

    os.rename(tmp_path / "MNIST", tmp_path / "Own")
    batches = torch.utils.data.DataLoader(Own(tmp_path, transform=transforms.ToTensor()), 3)
    assert next(iter(batches)).tolist() == [0, 1, 2]
