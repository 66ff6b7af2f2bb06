"""Folders of images, and data sets of random images."""

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

import flambeau as torch
from flambeau.vision import datasets, transforms


@pytest.fixture
def tree(tmp_path):
    """cat/1.png, cat/deep/0.PNG, dog/2.jpg and files that are no images."""
    for i, name in enumerate(("cat/1.png", "cat/deep/0.PNG", "dog/2.jpg")):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 6), 40 * i, np.uint8)).save(path)
    (tmp_path / "cat" / "notes.txt").write_text("no image")
    (tmp_path / "list.txt").write_text("no class")
    return tmp_path


def test_image_folder(tree):
    data = datasets.ImageFolder(tree)
    assert data.classes == ["cat", "dog"] and data.class_to_idx == {"cat": 0, "dog": 1}
    names = [(str(tree / "cat" / "1.png"), 0), (str(tree / "cat" / "deep" / "0.PNG"), 0)]
    assert data.samples == [*names, (str(tree / "dog" / "2.jpg"), 1)]
    assert data.imgs is data.samples and data.targets == [0, 0, 1] and len(data) == 3
    image, label = data[1]
    assert image.mode == "RGB" and image.getpixel((0, 0)) == (40, 40, 40) and label == 0
    assert repr(data) == (
        f"Dataset ImageFolder\n    Number of datapoints: 3\n    Root location: {tree}"
    )
    assert datasets.ImageFolder(tree, transform=transforms.ToTensor())[0][0].shape == (3, 4, 6)


def test_validity_by_function(tree):
    data = datasets.ImageFolder(tree, is_valid_file=lambda path: "1" in path.split("/")[-1],
                                allow_empty=True)
    assert len(data) == 1 and data.extensions is None and data.classes == ["cat", "dog"]
    with pytest.raises(FileNotFoundError, match="Found no valid file for the classes dog. $"):
        datasets.ImageFolder(tree, is_valid_file=lambda path: "1" in path.split("/")[-1])


def test_dataset_folder_with_another_loader(tree):
    data = datasets.DatasetFolder(tree, loader=len, extensions=(".txt",), allow_empty=True)
    assert data[0] == (len(str(tree / "cat" / "notes.txt")), 0)
    with pytest.raises(ValueError, match="Both extensions and is_valid_file cannot be None or not"):
        datasets.DatasetFolder(tree, loader=len)


def test_empty_folders(tmp_path):
    with pytest.raises(FileNotFoundError, match="Couldn't find any class folder in"):
        datasets.ImageFolder(tmp_path)
    (tmp_path / "a").mkdir()
    with pytest.raises(
        FileNotFoundError,
        match="Found no valid file for the classes a. Supported extensions are: .jpg, .jpeg, .png",
    ):
        datasets.ImageFolder(tmp_path)
    assert len(datasets.ImageFolder(tmp_path, allow_empty=True)) == 0


def test_a_broken_image_is_named(tree):
    (tree / "cat" / "1.png").write_bytes(b"nothing of the kind")
    with pytest.raises(UnidentifiedImageError, match="1.png"):
        datasets.ImageFolder(tree)[0]
    good = (tree / "dog" / "2.jpg").read_bytes()
    (tree / "dog" / "2.jpg").write_bytes(good[: len(good) // 2])
    with pytest.raises(OSError, match="2.jpg"):
        datasets.ImageFolder(tree)[2]


def test_find_classes_can_be_overridden(tree):
    class Dogs(datasets.ImageFolder):
        def find_classes(self, directory):
            return ["dog"], {"dog": 0}

    assert Dogs(tree).targets == [0]


def test_transforms_exclude_each_other():
    with pytest.raises(ValueError, match="Only transforms or transform/target_transform can be"):
        datasets.VisionDataset("x", transforms=len, transform=len)


def test_fake_data():
    data = datasets.FakeData(size=4, image_size=(3, 5, 6), num_classes=3)
    torch.manual_seed(7)
    before = torch.get_rng_state().tolist()
    image, label = data[2]
    assert torch.get_rng_state().tolist() == before
    assert image.size == (6, 5) and label in (0, 1, 2) and type(label) is int
    np.testing.assert_array_equal(np.asarray(image), np.asarray(data[2][0]))
    assert len({data[i][0].tobytes() for i in range(4)}) == 4
    # torchvision 0.28: the first pixel of sample 0
    assert np.asarray(data[0][0])[0, 0].tolist() == FIRST_PIXEL
    with pytest.raises(IndexError, match="FakeData index out of range"):
        data[4]


FIRST_PIXEL = [225, 241, 122]
