"""Image files as tensors."""

import numpy as np
import pytest
from PIL import Image

import flambeau as torch
from flambeau.vision import io

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 5, 7), np.uint8)


@pytest.fixture
def png(tmp_path):
    path = tmp_path / "a.png"
    io.write_png(torch.from_numpy(PIXELS), path)
    return path


def test_png_round_trip(png):
    image = io.read_image(png)
    assert image.dtype == torch.uint8
    np.testing.assert_array_equal(image.numpy(), PIXELS)
    np.testing.assert_array_equal(io.decode_png(io.read_file(png)).numpy(), PIXELS)
    assert io.decode_image(str(png), "gray").shape == (1, 5, 7)
    assert io.read_image(png, io.ImageReadMode.RGB_ALPHA).shape == (4, 5, 7)
    assert io.ImageReadMode.RGBA is io.ImageReadMode.RGB_ALPHA


def test_jpeg(tmp_path):
    smooth = torch.from_numpy(np.full((3, 16, 16), 120, np.uint8))
    io.write_jpeg(smooth, tmp_path / "a.jpg", quality=95)
    read = io.read_image(tmp_path / "a.jpg")
    assert np.abs(read.numpy().astype(int) - 120).max() <= 2
    assert len(io.encode_jpeg([smooth, smooth])) == 2
    with pytest.raises(ValueError, match="Image quality should be a positive number between 1 and"):
        io.encode_jpeg(smooth, quality=0)


def test_palettes_and_orientation(tmp_path):
    Image.fromarray(PIXELS.transpose(1, 2, 0)).quantize(8).save(tmp_path / "p.png")
    assert io.read_image(tmp_path / "p.png").shape == (3, 5, 7)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned by 90 degrees
    Image.fromarray(PIXELS.transpose(1, 2, 0)).save(tmp_path / "t.png", exif=exif)
    assert io.read_image(tmp_path / "t.png").shape == (3, 5, 7)
    assert io.read_image(tmp_path / "t.png", apply_exif_orientation=True).shape == (3, 7, 5)


def test_errors(tmp_path):
    with pytest.raises(RuntimeError, match="Input tensor dtype should be uint8"):
        io.encode_png(torch.zeros(3, 2, 2))
    with pytest.raises(RuntimeError, match="The number of channels should be 1 or 3"):
        io.encode_png(torch.zeros(2, 2, 2, dtype=torch.uint8))
    with pytest.raises(RuntimeError, match="Compression level should be between 0 and 9"):
        io.encode_png(torch.zeros(3, 2, 2, dtype=torch.uint8), 10)
    with pytest.raises(FileNotFoundError):
        io.read_image(tmp_path / "none.png")
    with pytest.raises(RuntimeError, match="should be uint8 and it should be 1-dimensional"):
        io.write_file(tmp_path / "x", torch.zeros(2))
