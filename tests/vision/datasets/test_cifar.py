"""CIFAR, read from small batches written here."""

import hashlib
import pickle
import tarfile

import numpy as np
import pytest

from flambeau.vision import datasets


@pytest.fixture
def small_cifar(tmp_path, monkeypatch):
    """A folder with the archive of a CIFAR of 2 images a batch, and its class."""

    class SmallCIFAR(datasets.CIFAR10):
        pass

    folder = tmp_path / "made" / datasets.CIFAR10.base_folder
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)

    def written(name, content):
        (folder / name).write_bytes(pickle.dumps(content, protocol=2))
        return [name, hashlib.md5((folder / name).read_bytes()).hexdigest()]

    def batch(i):
        pixels = rng.integers(0, 256, (2, 3072), np.uint8)
        return {"data": pixels, "labels": [i % 10, (i + 1) % 10]}

    SmallCIFAR.train_list = [written(f"data_batch_{i}", batch(i)) for i in range(1, 6)]
    SmallCIFAR.test_list = [written("test_batch", batch(0))]
    name, digest = written("batches.meta", {"label_names": [f"class {i}" for i in range(10)]})
    SmallCIFAR.meta = {"filename": name, "key": "label_names", "md5": digest}
    archive = tmp_path / SmallCIFAR.filename
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, arcname=SmallCIFAR.base_folder)
    SmallCIFAR.tgz_md5 = hashlib.md5(archive.read_bytes()).hexdigest()
    return tmp_path, SmallCIFAR


def test_reads_the_archive(small_cifar):
    root, cifar = small_cifar
    data = cifar(root, download=True)  # the archive is there already
    assert data.data.shape == (10, 32, 32, 3) and data.data.dtype == np.uint8
    assert data.targets[:4] == [1, 2, 2, 3] and data.classes[1] == "class 1"
    image, label = data[0]
    assert image.mode == "RGB" and image.size == (32, 32) and label == 1
    with open(root / cifar.base_folder / "data_batch_1", "rb") as file:
        pixels = pickle.load(file)["data"][0].reshape(3, 32, 32)
    np.testing.assert_array_equal(np.asarray(image).transpose(2, 0, 1), pixels)
    assert len(cifar(root, train=False)) == 2
    assert repr(data).splitlines()[-1] == "    Split: Train"


def test_a_changed_batch_is_refused(small_cifar):
    root, cifar = small_cifar
    cifar(root, download=True)
    with open(root / cifar.base_folder / "data_batch_3", "ab") as file:
        file.write(b"!")
    with pytest.raises(RuntimeError, match="^Dataset not found or corrupted. You can use download"):
        cifar(root)


def test_files_run_nothing(tmp_path):
    from flambeau.vision.datasets.cifar import _unpickled

    class Hostile:
        def __reduce__(self):
            return print, ("hostile",)

    path = tmp_path / "batch"
    path.write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(pickle.UnpicklingError, match="must not hold"):
        _unpickled(path)
