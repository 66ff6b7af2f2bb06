"""The transforms whose results are compared with torchvision's (tests/golden/README.md).

Each case is a function of the transforms module, so that the same table serves both sides.
"""

CASES = {
    "resize_short": lambda T: T.Resize(20),
    "resize_pair": lambda T: T.Resize((20, 70)),
    "resize_max_size": lambda T: T.Resize(20, max_size=25),
    "resize_bicubic": lambda T: T.Resize((50, 20), T.InterpolationMode.BICUBIC),
    "resize_nearest": lambda T: T.Resize((20, 50), T.InterpolationMode.NEAREST),
    "resize_nearest_exact": lambda T: T.Resize((21, 33), T.InterpolationMode.NEAREST_EXACT),
    "center_crop": lambda T: T.CenterCrop(20),
    "center_crop_larger": lambda T: T.CenterCrop((50, 20)),
    "pad": lambda T: T.Pad((1, 2), 7),
    "pad_edge": lambda T: T.Pad((1, 2, 3, 4), padding_mode="edge"),
    "pad_reflect": lambda T: T.Pad(5, padding_mode="reflect"),
    "pad_symmetric": lambda T: T.Pad(5, padding_mode="symmetric"),
    "grayscale": lambda T: T.Grayscale(),
    "grayscale_three": lambda T: T.Grayscale(3),
    "random_crop": lambda T: T.RandomCrop(20),
    "random_crop_padded": lambda T: T.RandomCrop(32, 4, padding_mode="reflect"),
    "random_crop_needed": lambda T: T.RandomCrop(50, pad_if_needed=True),
    "horizontal_flip": lambda T: T.RandomHorizontalFlip(),
    "vertical_flip": lambda T: T.RandomVerticalFlip(0.9),
    "resized_crop": lambda T: T.RandomResizedCrop(24),
    "resized_crop_fallback": lambda T: T.RandomResizedCrop(16, (0.5, 1.0), (3, 4)),
    "rotation": lambda T: T.RandomRotation(30),
    "rotation_expand": lambda T: T.RandomRotation(
        (20, 40), T.InterpolationMode.BILINEAR, expand=True, fill=5
    ),
    "affine": lambda T: T.RandomAffine(10, (0.1, 0.2), (0.8, 1.2), (5, 10, -5, 8)),
    "perspective": lambda T: T.RandomPerspective(0.5, 1.0),
    "jitter": lambda T: T.ColorJitter(0.4, 0.4, 0.4, 0.1),
    "random_grayscale": lambda T: T.RandomGrayscale(0.9),
    "invert": lambda T: T.RandomInvert(1.0),
    "posterize": lambda T: T.RandomPosterize(3, 1.0),
    "solarize": lambda T: T.RandomSolarize(100, 1.0),
    "equalize": lambda T: T.RandomEqualize(1.0),
    "autocontrast": lambda T: T.RandomAutocontrast(1.0),
    "sharpness": lambda T: T.RandomAdjustSharpness(2.0, 1.0),
    "blur": lambda T: T.GaussianBlur((3, 5)),
    "erasing": lambda T: T.RandomErasing(1.0),
    "erasing_noise": lambda T: T.RandomErasing(1.0, value="random"),
    "elastic": lambda T: T.ElasticTransform(30.0, 3.0),
    "randaugment": lambda T: T.RandAugment(),
    "trivialaugment": lambda T: T.TrivialAugmentWide(),
    "autoaugment": lambda T: T.AutoAugment(),
    "to_tensor": lambda T: T.ToTensor(),
    "pil_to_tensor": lambda T: T.PILToTensor(),
    "normalize": lambda T: T.Normalize((0.5, 0.4, 0.3), (0.1, 0.2, 0.3)),
    "random_apply": lambda T: T.RandomApply([T.CenterCrop(9)], 0.5),
    "random_choice": lambda T: T.RandomChoice([T.CenterCrop(9), T.CenterCrop(8)]),
    "random_order": lambda T: T.RandomOrder([T.CenterCrop(9), T.RandomCrop(8)]),
}
INPUTS = ("pil", "byte", "float")
SEED = 3


def inputs(image, T):
    """The same picture (an array of height x width x 3 bytes) as each kind of input."""
    from PIL import Image

    pil = Image.fromarray(image)
    return {"pil": pil, "byte": T.PILToTensor()(pil), "float": T.ToTensor()(pil)}
