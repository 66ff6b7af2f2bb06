"""Grids, files and drawings of images."""

import io

import numpy as np
import pytest
from PIL import Image

import flambeau as torch
from flambeau.vision import utils


def test_grid_places_images_in_rows():
    images = torch.arange(5.0).reshape(5, 1, 1, 1).expand(5, 1, 2, 3)
    grid = utils.make_grid(images, nrow=3, padding=1, pad_value=9.0)
    assert grid.shape == (3, 7, 13)
    expected = np.full((7, 13), 9.0)
    for i in range(5):
        top, left = i // 3 * 3 + 1, i % 3 * 4 + 1
        expected[top : top + 2, left : left + 3] = i
    expected[4:6, 9:12] = 9.0
    np.testing.assert_array_equal(grid.numpy(), np.stack([expected] * 3))


@pytest.mark.parametrize("shape", [(4, 5), (1, 4, 5), (3, 4, 5), (1, 1, 4, 5)])
def test_a_single_image_has_no_border(shape):
    assert utils.make_grid(torch.zeros(shape)).shape == (3, 4, 5)


def test_normalised_grids():
    images = torch.tensor([[0.0, 10.0], [20.0, 40.0]]).reshape(2, 1, 1, 2)
    together = utils.make_grid(images, normalize=True, padding=0)
    assert together[0].tolist() == [[0.0, 0.25, 0.5, 1.0]]
    each = utils.make_grid(images, normalize=True, scale_each=True, padding=0)
    assert each[0].tolist() == [[0.0, 1.0, 0.0, 1.0]]
    fixed = utils.make_grid(images, normalize=True, value_range=(0, 20), padding=0)
    assert fixed[0].tolist() == [[0.0, 0.5, 1.0, 1.0]]
    assert images.flatten().tolist() == [0.0, 10.0, 20.0, 40.0]
    with pytest.raises(TypeError, match=r"value_range has to be a tuple \(min, max\) if specified"):
        utils.make_grid(images, normalize=True, value_range=[0, 1])


def test_grid_of_a_list_and_errors():
    assert utils.make_grid([torch.zeros(3, 2, 2)] * 3).shape == (3, 6, 14)
    with pytest.raises(TypeError, match="tensor or list of tensors expected, got <class 'int'>"):
        utils.make_grid(3)
    with pytest.raises(TypeError, match="got a list containing <class 'int'>"):
        utils.make_grid([3])


def test_save_image(tmp_path):
    image = torch.tensor([0.0, 0.5, 1.0, 2.0]).reshape(1, 2, 2)
    utils.save_image(image, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as saved:
        assert np.asarray(saved)[:, :, 1].tolist() == [[0, 128], [255, 255]]
    stream = io.BytesIO()
    utils.save_image(image, stream, format="png")
    assert stream.getvalue() == (tmp_path / "a.png").read_bytes()
    with pytest.raises(ValueError, match="unknown file extension: .nothing"):
        utils.save_image(image, tmp_path / "a.nothing")
    with pytest.raises(RuntimeError, match="result type Float can't be cast"):
        utils.save_image(torch.zeros(3, 2, 2, dtype=torch.uint8), tmp_path / "b.png")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_boxes_are_drawn():
    image = torch.zeros(3, 12, 12, dtype=torch.uint8)
    boxes = torch.tensor([[1, 2, 8, 9]])
    drawn = utils.draw_bounding_boxes(image, boxes, colors="red")
    assert drawn[:, 2, 4].tolist() == [255, 0, 0] and drawn[:, 5, 5].tolist() == [0, 0, 0]
    assert image.max().item() == 0
    filled = utils.draw_bounding_boxes(image, boxes, colors=[(0, 0, 255)], fill=True)
    assert filled[2, 8, 7].item() == 100
    labelled = utils.draw_bounding_boxes(image, boxes, labels=["x"], colors="white")
    assert labelled[:, 3:9, 2:8].max().item() > 0
    assert utils.draw_bounding_boxes(image.float(), boxes).dtype == torch.float32
    with pytest.warns(UserWarning, match="boxes doesn't contain any box. No box was drawn"):
        assert utils.draw_bounding_boxes(image, torch.zeros(0, 4)) is image
    with pytest.raises(ValueError, match=r"Boxes need to be in \(xmin, ymin, xmax, ymax\) format"):
        utils.draw_bounding_boxes(image, torch.tensor([[5, 2, 3, 9]]))
    with pytest.raises(ValueError, match=r"Number of boxes \(1\) and labels \(2\) mismatch"):
        utils.draw_bounding_boxes(image, boxes, labels=["a", "b"])


def test_masks_are_painted():
    image = torch.full((3, 2, 3), 100, dtype=torch.uint8)
    masks = torch.tensor([[[True, True, False]] * 2, [[False, True, False]] * 2])
    painted = utils.draw_segmentation_masks(image, masks, alpha=0.5, colors=["white", "blue"])
    assert painted[:, 0].tolist() == [[177, 50, 100]] * 3
    with pytest.raises(ValueError, match="The masks must be of dtype bool. Got torch.uint8"):
        utils.draw_segmentation_masks(image, torch.zeros(2, 3, dtype=torch.uint8))
