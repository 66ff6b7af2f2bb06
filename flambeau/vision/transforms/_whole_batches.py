"""Known transforms on all images of a batch at once, equal to the bit to one image at a time.

Pipeline: a data set's array of bytes -> **the transforms, as NumPy on the whole batch** -> a
DataLoader's batch. A sample of Fashion-MNIST through Pillow and ToTensor costs 25 us, here 0.3.

Random transforms draw per sample, in the order of the transforms, a word of the generator each:
`apply_transform` takes the words of the whole batch in one draw and hands each transform its
column, so that the generator ends where a loop over the samples would leave it.

A transform is known by its exact type: subclasses, hooks and options that are not listed here
mean None, and the caller goes on image by image.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import flambeau
from flambeau.nn.modules import _hooks
from flambeau.random import default_generator
from flambeau.vision.transforms import _deterministic as fixed
from flambeau.vision.transforms import _random_geometry as geometry
from flambeau.vision.transforms._arrays import numpy_dtype
from flambeau.vision.transforms._containers import Compose
from flambeau.vision.transforms._functional_tensor import convert_array_dtype, normalize_array

__all__ = ["apply_transform"]

_FLOAT = 0                     # a draw of `_draw.rand`; other draws are the span of a `randint`


class _Images(NamedTuple):
    """What is known of the images between two steps, before any pixel is touched."""

    height: int
    width: int
    is_tensor: bool            # (B, C, H, W), else pictures as (B, H, W, C) bytes
    dtype: np.dtype

    @property
    def axes(self) -> tuple[int, int]:
        """Of the height and of the width."""
        return (2, 3) if self.is_tensor else (1, 2)


class _Step(NamedTuple):
    draws: tuple[int, ...]     # _FLOAT, or the span of an integer
    run: Callable              # (batch, one array per draw) -> batch
    after: _Images


def apply_transform(transform: Any, pictures: np.ndarray) -> np.ndarray | None:
    """What `transform` makes of Pillow's images of these bytes, stacked to (B, C, H, W).

    `pictures` is a fresh (B, H, W) or (B, H, W, C) array, which may be overwritten. None where
    the transform is not known, or does not end in tensors; nothing was drawn then.
    """
    steps = _flattened(transform)
    if steps is None or pictures.dtype != np.uint8:
        return None
    if pictures.ndim == 3:
        pictures = pictures[..., None]
    _, height, width, _ = pictures.shape
    images = _Images(height, width, False, pictures.dtype)
    plan: list[_Step] = []
    for step in steps:
        rule = _RULES.get(type(step))
        found = rule(step, images) if rule is not None and _is_untouched(step) else None
        if found is None:
            return None
        plan.append(found)
        images = found.after
    spans = [span for step in plan for span in step.draws]
    if not images.is_tensor or (
        _FLOAT in spans and flambeau.get_default_dtype() is not flambeau.float32
    ):
        return None                                # doubles are drawn from two words
    batch = pictures
    if not spans:
        for step in plan:
            batch = step.run(batch)
        return batch
    words = default_generator.stream.words(len(pictures) * len(spans))
    columns = iter([_drawn(c, span) for c, span in
                    zip(words.reshape(len(pictures), -1).T, spans)])
    for step in plan:
        batch = step.run(batch, *[next(columns) for _ in step.draws])
    return batch


def _flattened(transform: Any) -> list | None:
    """The transforms in order, those within a `Compose` too; None if there is none."""
    if type(transform) is not Compose:
        return None if transform is None else [transform]
    found: list = []
    for step in transform.transforms:
        inner = _flattened(step)
        if inner is None:
            return None
        found += inner
    return found


def _is_untouched(step: Any) -> bool:
    """Whether nothing but the class decides what the transform does: no hooks, no own forward."""
    state = step.__dict__
    return "forward" not in state and not (
        state.get("_forward_hooks") or state.get("_forward_pre_hooks")
        or _hooks.GLOBAL_FORWARD or _hooks.GLOBAL_FORWARD_PRE)


def _drawn(words: np.ndarray, span: int) -> np.ndarray:
    if span == _FLOAT:
        return (words & np.uint32(0xFFFFFF)) * 2.0**-24
    return words % np.uint32(span)


# ---- one rule a transform: (transform, what the images are) -> step, or None if not known ----


def _to_tensor(step: Any, images: _Images) -> _Step | None:
    if images.is_tensor:
        return None
    kind = numpy_dtype(flambeau.get_default_dtype())

    def run(batch):
        planes = batch.transpose(0, 3, 1, 2)
        return np.divide(planes, kind.type(255), dtype=kind, order="C")
    return _Step((), run, images._replace(is_tensor=True, dtype=kind))


def _pil_to_tensor(step: Any, images: _Images) -> _Step | None:
    if images.is_tensor:
        return None
    return _Step((), lambda batch: np.ascontiguousarray(batch.transpose(0, 3, 1, 2)),
                 images._replace(is_tensor=True))


def _convert_dtype(step: Any, images: _Images) -> _Step | None:
    dtype = step.dtype
    if not images.is_tensor or dtype not in (flambeau.float32, flambeau.float64, flambeau.uint8):
        return None
    kind = numpy_dtype(dtype)
    return _Step((), lambda batch: convert_array_dtype(batch, kind), images._replace(dtype=kind))


def _normalize(step: Any, images: _Images) -> _Step | None:
    if not images.is_tensor or images.dtype.kind != "f" or step.inplace:
        return None
    return _Step((), lambda batch: normalize_array(batch, step.mean, step.std), images)


def _flip(axis: int) -> Callable:
    def rule(step: Any, images: _Images) -> _Step:
        where = images.axes[axis]

        def run(batch, draws):
            chosen = draws < step.p
            batch[chosen] = np.flip(batch[chosen], where)
            return batch
        return _Step((_FLOAT,), run, images)
    return rule


def _pad(step: Any, images: _Images) -> _Step | None:
    return _padded(step.padding, step.fill, step.padding_mode, images)


def _padded(padding: Any, fill: Any, mode: str, images: _Images) -> _Step | None:
    sides = padding if isinstance(padding, (tuple, list)) else (padding,)
    if mode != "constant" or len(sides) not in (1, 2, 4) or any(
            type(n) is not int or n < 0 for n in sides):
        return None
    if type(fill) not in (int, float) or not 0 <= fill <= 255:
        return None
    left, top, right, bottom = (sides * 4)[:4] if len(sides) < 4 else sides
    height, width = images.height + top + bottom, images.width + left + right
    value = fill if images.is_tensor else int(fill)
    rows, columns = slice(top, top + images.height), slice(left, left + images.width)

    def run(batch):
        shape = list(batch.shape)
        for axis, size in zip(images.axes, (height, width)):
            shape[axis] = size
        wider = np.full(shape, value, batch.dtype)
        (wider[:, :, rows, columns] if images.is_tensor else wider[:, rows, columns])[...] = batch
        return wider
    return _Step((), run, images._replace(height=height, width=width))


def _center_crop(step: Any, images: _Images) -> _Step | None:
    height, width = step.size
    if height > images.height or width > images.width:
        return None
    top = round((images.height - height) / 2.0)
    left = round((images.width - width) / 2.0)
    rows, columns = slice(top, top + height), slice(left, left + width)

    def run(batch):
        cut = batch[:, :, rows, columns] if images.is_tensor else batch[:, rows, columns]
        return np.ascontiguousarray(cut)
    return _Step((), run, images._replace(height=height, width=width))


def _random_crop(step: Any, images: _Images) -> _Step | None:
    widen = None
    if step.pad_if_needed or type(step).get_params is not geometry.RandomCrop.get_params:
        return None
    if step.padding is not None:
        found = _padded(step.padding, step.fill, step.padding_mode, images)
        if found is None:
            return None
        _, widen, images = found
    height, width = step.size
    if height > images.height or width > images.width:
        return None                                # the error comes from the image itself
    if (height, width) == (images.height, images.width):
        return _Step((), widen or (lambda batch: batch), images)
    in_planes = images.is_tensor

    def run(batch, tops, lefts):
        if widen is not None:
            batch = widen(batch)
        shape = list(batch.shape)
        shape[images.axes[0]], shape[images.axes[1]] = height, width
        cut = np.empty(shape, batch.dtype)
        for target, source, top, left in zip(cut, batch, tops.tolist(), lefts.tolist()):
            if in_planes:
                target[...] = source[:, top : top + height, left : left + width]
            else:
                target[...] = source[top : top + height, left : left + width]
        return cut
    spans = (images.height - height + 1, images.width - width + 1)
    return _Step(spans, run, images._replace(height=height, width=width))


_RULES: dict[type, Callable[[Any, _Images], _Step | None]] = {
    fixed.CenterCrop: _center_crop,
    fixed.ConvertImageDtype: _convert_dtype,
    fixed.Normalize: _normalize,
    fixed.PILToTensor: _pil_to_tensor,
    fixed.Pad: _pad,
    fixed.ToTensor: _to_tensor,
    geometry.RandomCrop: _random_crop,
    geometry.RandomHorizontalFlip: _flip(1),
    geometry.RandomVerticalFlip: _flip(0),
}
