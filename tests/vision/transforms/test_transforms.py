"""What the golden files do not say of transforms: errors, types, memory, gradients."""

import re

import numpy as np
import pytest
from PIL import Image

import flambeau as torch
from flambeau.vision import transforms as T
from flambeau.vision.transforms import functional as F


@pytest.fixture
def photo():
    return np.random.default_rng(0).integers(0, 256, (12, 10, 3), np.uint8)


@pytest.mark.parametrize(
    ("mode", "dtype", "scale"),
    [("L", "float32", 255), ("I", "int32", 1), ("F", "float32", 1), ("1", "float32", 255)],
)
def test_to_tensor_modes(mode, dtype, scale):
    values = np.array([[0, 255], [255, 0]], np.uint8)
    image = Image.fromarray(values).convert(mode)
    tensor = F.to_tensor(image)
    assert str(tensor.dtype) == f"torch.{dtype}" and tensor.shape == (1, 2, 2)
    np.testing.assert_array_equal(tensor.numpy()[0], values / scale)


def test_to_tensor_of_arrays(photo):
    assert F.to_tensor(photo).shape == (3, 12, 10)
    assert F.to_tensor(photo[:, :, 0]).shape == (1, 12, 10)
    assert F.to_tensor(photo[:, ::-1]).dtype == torch.float32  # negative strides
    floats = photo.astype(np.float64)
    assert F.to_tensor(floats).dtype == torch.float64  # neither scaled nor converted
    assert F.to_tensor(floats).max().item() == floats.max()
    assert F.to_tensor(photo.astype(np.int32)).dtype == torch.int32
    with pytest.raises(ValueError, match="pic should be 2/3 dimensional. Got 4 dimensions."):
        F.to_tensor(photo[None])
    with pytest.raises(TypeError, match="pic should be PIL Image or ndarray. Got"):
        F.to_tensor([1, 2])


def test_opencv_images_are_arrays(photo):
    cv2 = pytest.importorskip("cv2")
    rgb = cv2.cvtColor(photo, cv2.COLOR_BGR2RGB)
    np.testing.assert_array_equal(
        (F.to_tensor(rgb) * 255).round().numpy(), photo[:, :, ::-1].transpose(2, 0, 1)
    )


def test_to_tensor_does_not_share_memory_with_the_image(photo):
    image = Image.fromarray(photo)
    tensor = F.to_tensor(image)
    tensor[:] = 0
    np.testing.assert_array_equal(np.asarray(image), photo)


@pytest.mark.parametrize("channels, mode", [(1, "L"), (2, "LA"), (3, "RGB"), (4, "RGBA")])
def test_pil_round_trip(channels, mode):
    tensor = torch.from_numpy(
        np.random.default_rng(1).integers(0, 256, (channels, 5, 4), np.uint8)
    )
    image = F.to_pil_image(tensor)
    assert image.mode == mode and image.size == (4, 5)
    np.testing.assert_array_equal(F.pil_to_tensor(image).numpy(), tensor.numpy())


def test_to_pil_image_of_other_modes_and_errors():
    plane = np.arange(6, dtype=np.int16).reshape(2, 3)
    assert F.to_pil_image(plane).mode == "I;16"
    np.testing.assert_array_equal(np.asarray(F.to_pil_image(plane)), plane)
    assert F.to_pil_image(plane.astype(np.float32), mode="F").mode == "F"
    assert F.to_pil_image(np.zeros((2, 3, 3), np.uint8), mode="HSV").mode == "HSV"
    with pytest.raises(TypeError, match="pic should be Tensor or ndarray. Got"):
        F.to_pil_image("x")
    with pytest.raises(ValueError, match="pic should not have > 4 channels. Got 5 channels."):
        F.to_pil_image(np.zeros((2, 2, 5), np.uint8))
    with pytest.raises(ValueError, match=re.escape("Only modes ['LA'] are supported for 2D")):
        F.to_pil_image(np.zeros((2, 2, 2), np.uint8), mode="RGB")


@pytest.mark.parametrize(
    ("source", "target", "values", "expected"),
    [
        ("uint8", "float32", [0, 51, 255], [0.0, 0.2, 1.0]),
        ("float32", "uint8", [0.0, 0.5, 1.0], [0, 127, 255]),
        ("uint8", "int16", [0, 1, 255], [0, 128, 32640]),
        ("int16", "uint8", [0, 128, 32767], [0, 1, 255]),
    ],
)
def test_convert_image_dtype(source, target, values, expected):
    image = torch.from_numpy(np.array(values, source).reshape(1, 1, 3))
    converted = F.convert_image_dtype(image, getattr(torch, target))
    assert converted.dtype == getattr(torch, target)
    np.testing.assert_allclose(converted.numpy().ravel(), expected, rtol=1e-6)


def test_convert_image_dtype_refuses_unsafe_casts():
    with pytest.raises(RuntimeError, match="torch.float32 to torch.int32 cannot be performed"):
        F.convert_image_dtype(torch.zeros(1, 2, 2), torch.int32)


def test_normalize():
    image = torch.full((3, 2, 2), 5.0)
    result = T.Normalize([1.0, 2.0, 3.0], [2.0])(image)
    assert result[:, 0, 0].tolist() == [2.0, 1.5, 1.0] and image[0, 0, 0].item() == 5.0
    assert T.Normalize([1.0], [2.0], inplace=True)(image) is image
    assert image[0, 0, 0].item() == 2.0
    with pytest.raises(TypeError, match="Input tensor should be a float tensor. Got torch.uint8."):
        F.normalize(torch.zeros(3, 2, 2, dtype=torch.uint8), [0.0], [1.0])
    with pytest.raises(ValueError, match="std evaluated to zero after conversion to torch.float32"):
        F.normalize(torch.zeros(3, 2, 2), [0.0], [0.0])
    with pytest.raises(ValueError, match="Expected tensor to be a tensor image of size"):
        F.normalize(torch.zeros(2, 2), [0.0], [1.0])
    with pytest.raises(TypeError, match="img should be Tensor Image. Got"):
        F.normalize(np.zeros((3, 2, 2)), [0.0], [1.0])


@pytest.mark.parametrize("shape, count, words", [
    ((1, 4, 5), 3, "output with shape [1, 4, 5] doesn't match the broadcast shape [3, 4, 5]"),
    ((3, 4, 5), 2, "The size of tensor a (3) must match the size of tensor b (2) at "
                   "non-singleton dimension 0"),
    ((2, 3, 4, 5), 2, "The size of tensor a (3) must match the size of tensor b (2) at "
                      "non-singleton dimension 1"),
])
@pytest.mark.parametrize("gradient", [False, True])
def test_normalize_of_another_number_of_channels(shape, count, words, gradient):
    image = torch.ones(shape, requires_grad=gradient)
    step = T.Normalize((0.5,) * count, (0.5,) * count)
    with pytest.raises(RuntimeError) as caught:
        step(image)
    assert str(caught.value).startswith(words)
    assert f"in Normalize ({step})" in str(caught.value)


def test_geometry_of_images_that_require_gradients():
    image = torch.rand(3, 8, 8, requires_grad=True)
    result = F.normalize(F.hflip(F.crop(F.pad(image, 1), 0, 0, 6, 6)), [0.5], [0.5])
    result.sum().backward()
    assert image.grad.sum().item() == pytest.approx(3 * 25 / 0.5)
    with pytest.raises(NotImplementedError, match="image.detach()"):
        F.equalize(image)
    with pytest.raises(NotImplementedError, match="image.detach()"):
        F.rotate(image, 30)


def test_results_own_their_memory():
    image = torch.arange(16.0).reshape(1, 4, 4)
    cut = F.crop(image, 0, 0, 2, 2)
    cut += 100
    assert image[0, 0, 0].item() == 0.0


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: T.Resize("x" * 3), ValueError, "If size is a sequence, it should have 1 or 2"),
        (lambda: T.Resize(2.5), TypeError, "Size should be int or sequence. Got <class 'float'>"),
        (lambda: T.CenterCrop((1, 2, 3)), ValueError, "Please provide only two dimensions (h, w)"),
        (lambda: T.Pad(1, padding_mode="wrap"), ValueError, "Padding mode should be either"),
        (lambda: T.Pad((1, 2, 3)), ValueError, "Padding must be an int or a 1, 2, or 4 element"),
        (lambda: T.Lambda(3), TypeError, "Argument lambd should be callable, got 'int'"),
        (lambda: T.RandomOrder(3), TypeError, "Argument transforms should be a sequence"),
        (lambda: T.ColorJitter(brightness=-1), ValueError, "If brightness is a single number"),
        (lambda: T.ColorJitter(hue=0.6), ValueError, "hue values should be between (-0.5, 0.5)"),
        (lambda: T.RandomRotation(-1), ValueError, "If degrees is a single number, it must be"),
        (lambda: T.RandomAffine(1, translate=(2, 0)), ValueError, "translation values should be"),
        (lambda: T.RandomErasing(2), ValueError, "Random erasing probability should be between"),
        (lambda: T.GaussianBlur(2), ValueError, "Kernel size value should be an odd and positive"),
    ],
)
def test_constructor_errors(make, error, message):
    with pytest.raises(error, match=re.escape(message)):
        make()


def test_call_errors():
    image = torch.zeros(3, 8, 8)
    with pytest.raises(ValueError, match="Required crop size .* is larger than input image size"):
        T.RandomCrop(9)(image)
    with pytest.raises(ValueError, match="Requested crop size .* is bigger than input size"):
        T.FiveCrop(9)(image)
    with pytest.raises(TypeError, match="permitted channel values are"):
        F.adjust_brightness(torch.zeros(2, 8, 8), 1.0)
    with pytest.raises(TypeError, match="Unexpected type <class 'numpy.ndarray'>"):
        T.RandomCrop(3)(np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(ValueError, match="max_size = 4 must be strictly greater than"):
        F.resize(image, 4, max_size=4)
    with pytest.raises(TypeError, match="Only torch.uint8 image tensors are supported"):
        F.posterize(image, 3)


def test_batches_are_treated_alike():
    batch = torch.rand(2, 3, 9, 7)
    for transform in (T.Resize(5), T.CenterCrop(4), T.GaussianBlur(3, 1.0), T.Pad(2)):
        together = transform(batch).numpy()
        for i in range(2):
            np.testing.assert_allclose(transform(batch[i]).numpy(), together[i], atol=1e-6)


def test_resize_of_the_same_size_is_the_image():
    image = torch.rand(3, 6, 6)
    assert F.resize(image, [6, 6]) is image


def test_crops_beyond_the_image_are_black():
    image = torch.ones(1, 2, 2)
    assert F.crop(image, -1, 1, 3, 3).tolist() == [[[0, 0, 0], [1, 0, 0], [1, 0, 0]]]


def test_linear_transformation():
    image = torch.arange(4.0).reshape(1, 2, 2)
    whitened = T.LinearTransformation(2 * torch.eye(4), torch.ones(4))(image)
    assert whitened.flatten().tolist() == [-2.0, 0.0, 2.0, 4.0]
    with pytest.raises(ValueError, match="transformation_matrix should be square"):
        T.LinearTransformation(torch.zeros(2, 3), torch.zeros(2))


def test_interpolation_modes():
    assert T.InterpolationMode.BILINEAR.value == "bilinear"
    assert T.Resize(3, 3).interpolation is T.InterpolationMode.BICUBIC  # Pillow's number
    with pytest.raises(TypeError, match="Argument interpolation should be a InterpolationMode"):
        F.resize(torch.zeros(1, 4, 4), [2, 2], "bilinear")


def test_presets_describe_themselves():
    from flambeau.vision.models import ResNet50_Weights

    preset = ResNet50_Weights.IMAGENET1K_V2.transforms()
    assert "resize_size=[232]" in preset.describe()
    assert repr(preset) == (
        "ImageClassification(\n    crop_size=[224]\n    resize_size=[232]\n"
        "    mean=[0.485, 0.456, 0.406]\n    std=[0.229, 0.224, 0.225]\n"
        "    interpolation=InterpolationMode.BILINEAR\n)"
    )
    image = Image.fromarray(np.full((300, 250, 3), 255, np.uint8))
    assert preset(image).shape == (3, 224, 224)
    batch = torch.full((2, 3, 240, 260), 255, dtype=torch.uint8)
    np.testing.assert_allclose(
        preset(batch)[:, :, 0, 0].numpy()[0], (1 - np.array([0.485, 0.456, 0.406]))
        / np.array([0.229, 0.224, 0.225]), rtol=1e-5,
    )
