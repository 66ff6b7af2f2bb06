"""Batches read at once are, to the bit and to the last random number, what samples give."""

import numpy as np
import pytest

import flambeau as torch
from flambeau import nn
from flambeau.utils.data import DataLoader, Subset, default_collate
from flambeau.vision import transforms as T
from flambeau.vision.datasets._array_images import ArrayImages
from flambeau.vision.datasets.vision import VisionDataset

COUNT = 23


class Pictures(ArrayImages, VisionDataset):
    """Grey or coloured pictures, as MNIST and CIFAR keep them."""

    def __init__(self, channels, transform, target_transform=None):
        super().__init__(None, transform=transform, target_transform=target_transform)
        shape = (COUNT, 12, 10) + ((3,) if channels == 3 else ())
        self.data = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        self.targets = list(range(COUNT))

    def __getitem__(self, index):
        from PIL import Image
        return self._transformed(Image.fromarray(self.data[index]), self.targets[index])

    def _pictures_and_labels(self, indices):
        if type(self).__getitem__ is not Pictures.__getitem__:
            return None
        rows = np.asarray(indices)
        return self.data[rows], np.array(self.targets)[rows]

    def __len__(self):
        return COUNT


class OneByOne(Pictures):
    """The same without the way around."""

    _collated_batch = None
    __getitems__ = None


class Brighter(T.ToTensor):
    def __call__(self, image):
        return super().__call__(image) * 2


def hooked(transform):
    transform.register_forward_hook(lambda module, args, result: result + 1)
    return transform


def with_own_forward(transform):
    transform.forward = lambda image: image.transpose(0)
    return transform


KNOWN = {
    "tensor": lambda c: [T.ToTensor()],
    "pil": lambda c: [T.PILToTensor()],
    "normalize": lambda c: [T.ToTensor(), T.Normalize([0.1] * c, [0.3] * c)],
    "nested": lambda c: [T.Compose([T.ToTensor()]), T.Normalize((0.1,), (0.3,))],
    "convert": lambda c: [T.PILToTensor(), T.ConvertImageDtype(torch.float32)],
    "double": lambda c: [T.PILToTensor(), T.ConvertImageDtype(torch.float64),
                         T.Normalize([0.2] * c, [0.5] * c)],
    "cifar": lambda c: [T.RandomCrop((12, 10), padding=4), T.RandomHorizontalFlip(),
                        T.ToTensor(), T.Normalize([0.1] * c, [0.3] * c)],
    "tensor first": lambda c: [T.ToTensor(), T.RandomCrop(8, padding=(1, 2), fill=0.5),
                               T.RandomVerticalFlip(0.3), T.RandomHorizontalFlip(0.9)],
    "no room": lambda c: [T.RandomCrop((12, 10)), T.RandomVerticalFlip(), T.ToTensor()],
    "filled": lambda c: [T.Pad((1, 0, 2, 3), fill=7), T.RandomCrop(9), T.ToTensor()],
    "middle": lambda c: [T.CenterCrop((7, 8)), T.RandomHorizontalFlip(), T.ToTensor()],
    "middle of tensor": lambda c: [T.ToTensor(), T.CenterCrop(5), T.Pad(2, fill=1)],
}
OTHERS = {
    "lambda": lambda c: [T.ToTensor(), T.Lambda(lambda x: x * 2)],
    "resize": lambda c: [T.Resize(14), T.ToTensor()],
    "subclass": lambda c: [Brighter()],
    "hook": lambda c: [T.ToTensor(), hooked(T.Normalize((0.1,), (0.3,)))],
    "own forward": lambda c: [with_own_forward(T.RandomVerticalFlip()), T.ToTensor()],
    "reflected": lambda c: [T.RandomCrop(8, padding=2, padding_mode="reflect"), T.ToTensor()],
    "if needed": lambda c: [T.RandomCrop(14, pad_if_needed=True), T.ToTensor()],
    "in place": lambda c: [T.ToTensor(), T.Normalize((0.1,), (0.3,), inplace=True)],
}


def batches(data, **options):
    torch.manual_seed(5)
    found = list(DataLoader(data, 5, shuffle=True, **options))
    return found, torch.rand(3)


def assert_same(found, expected):
    assert (found[1] == expected[1]).all()        # the generator ends in the same state
    assert len(found[0]) == len(expected[0])
    for (images, labels), (images2, labels2) in zip(found[0], expected[0]):
        assert images.dtype is images2.dtype and images.shape == images2.shape
        np.testing.assert_array_equal(images.numpy(), images2.numpy())
        assert labels.dtype is labels2.dtype and labels.tolist() == labels2.tolist()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", [*KNOWN, *OTHERS])
def test_batches_are_what_samples_give(name, channels):
    steps = {**KNOWN, **OTHERS}[name](channels)
    transform = T.Compose(steps) if len(steps) > 1 else steps[0]
    data = Pictures(channels, transform)
    torch.manual_seed(0)
    assert (data._collated_batch([0, 1]) is not None) is (name in KNOWN)
    expected = batches(OneByOne(channels, transform))
    assert_same(batches(data), expected)
    assert_same(batches(data, collate_fn=lambda samples: default_collate(samples)), expected)


def test_parts_of_a_data_set():
    transform = T.Compose([T.RandomCrop(8), T.RandomHorizontalFlip(), T.ToTensor()])
    chosen = [4, 0, 16, 2, 1, 22, 7]
    assert_same(batches(Subset(Pictures(3, transform), chosen)),
                batches(Subset(OneByOne(3, transform), chosen)))


def test_workers_draw_what_samples_draw():
    transform = T.Compose([T.RandomCrop(8), T.ToTensor()])
    assert_same(batches(Pictures(3, transform), num_workers=1),
                batches(OneByOne(3, transform), num_workers=1))


def test_doubles_are_drawn_one_by_one():
    transform = T.Compose([T.RandomHorizontalFlip(), T.ToTensor()])
    torch.set_default_dtype(torch.float64)
    try:
        assert_same(batches(Pictures(1, transform)), batches(OneByOne(1, transform)))
    finally:
        torch.set_default_dtype(torch.float32)


def test_hooks_of_all_modules_see_the_images():
    data = Pictures(1, T.Compose([T.ToTensor(), T.Normalize((0.1,), (0.3,))]))
    seen = []
    handle = nn.modules.module.register_module_forward_hook(
        lambda module, args, result: seen.append(result.shape))
    try:
        next(iter(DataLoader(data, 4)))
    finally:
        handle.remove()
    assert seen == [(1, 12, 10)] * 4


def test_overrides_are_respected():
    class Own(Pictures):
        def __getitem__(self, index):
            image, label = super().__getitem__(index)
            return image, label, index
    images, labels, places = next(iter(DataLoader(Own(1, T.ToTensor()), 3)))
    assert places.tolist() == [0, 1, 2] and images.shape == (3, 1, 12, 10)
    negative = Pictures(1, T.ToTensor(), lambda label: -label)
    assert next(iter(DataLoader(negative, 3)))[1].tolist() == [0, -1, -2]


def test_samples_for_a_collate_function_of_ones_own():
    data = Pictures(3, T.ToTensor())
    samples = next(iter(DataLoader(data, 4, collate_fn=lambda samples: samples)))
    assert type(samples) is list and len(samples) == 4
    for i, (image, label) in enumerate(samples):
        assert type(label) is int and label == i
        assert (image == data[i][0]).all()

    def changed(samples):
        samples[0][0].mul_(0)
        samples[1][0].numpy()[...] = 2
        return default_collate(samples)
    images, _ = next(iter(DataLoader(data, 4, collate_fn=changed)))
    assert images[0].abs().sum() == 0 and (images[1] == 2).all()
    assert (images[2] == data[2][0]).all()

    def shortened(samples):
        del samples[1:]
        return default_collate(samples)
    assert next(iter(DataLoader(data, 4, collate_fn=shortened)))[0].shape[0] == 1

    def twice(samples):
        first, second = default_collate(samples), default_collate(samples)
        first[0].zero_()
        return second
    assert (next(iter(DataLoader(data, 4, collate_fn=twice)))[0][3] == data[3][0]).all()


def test_an_index_out_of_range_names_the_sample():
    for options in ({}, {"collate_fn": lambda samples: default_collate(samples)}):
        loader = DataLoader(Pictures(1, T.ToTensor()), batch_sampler=[[0, 99]], **options)
        with pytest.raises(IndexError) as caught:
            next(iter(loader))
        notes = getattr(caught.value, "__notes__", None)
        assert notes is None or any("sample 99" in note for note in notes)
