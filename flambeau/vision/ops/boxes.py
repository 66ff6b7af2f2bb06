"""Boxes in images: areas, overlaps, formats and non-maximum suppression.

A box is (x1, y1, x2, y2) unless a format says otherwise: "xywh" has the corner and the size,
"cxcywh" the middle and the size.
"""

from __future__ import annotations

import math

import numpy as np

import flambeau
from flambeau import Tensor

__all__ = [
    "batched_nms",
    "box_area",
    "box_convert",
    "box_iou",
    "clip_boxes_to_image",
    "complete_box_iou",
    "distance_box_iou",
    "generalized_box_iou",
    "masks_to_boxes",
    "nms",
    "remove_small_boxes",
]

_FORMATS = ("xyxy", "xywh", "cxcywh")


def _upcast(t: Tensor) -> Tensor:
    """Wide enough for products: at least float32, int32."""
    if t.is_floating_point():
        return t if t.dtype in (flambeau.float32, flambeau.float64) else t.float()
    return t if t.dtype in (flambeau.int32, flambeau.int64) else t.int()


def box_convert(boxes: Tensor, in_fmt: str, out_fmt: str) -> Tensor:
    """Boxes (..., 4) in another format.

    >>> import flambeau as torch
    >>> box_convert(torch.tensor([[1.0, 2.0, 4.0, 8.0]]), "xyxy", "xywh").tolist()
    [[1.0, 2.0, 3.0, 6.0]]
    """
    if in_fmt not in _FORMATS or out_fmt not in _FORMATS:
        raise ValueError(
            f"Unsupported Bounding Box Conversions for given in_fmt {in_fmt} and out_fmt {out_fmt}"
        )
    if in_fmt == out_fmt:
        return boxes.clone()
    a, b, c, d = boxes.unbind(-1)
    if in_fmt == "xywh":
        a, b, c, d = a, b, a + c, b + d
    elif in_fmt == "cxcywh":
        a, b, c, d = a - 0.5 * c, b - 0.5 * d, a + 0.5 * c, b + 0.5 * d
    if out_fmt == "xywh":
        a, b, c, d = a, b, c - a, d - b
    elif out_fmt == "cxcywh":
        a, b, c, d = (a + c) / 2, (b + d) / 2, c - a, d - b
    return flambeau.stack((a, b, c, d), dim=-1)


def box_area(boxes: Tensor, fmt: str = "xyxy") -> Tensor:
    """The areas of boxes (..., 4)."""
    if fmt not in _FORMATS:
        raise ValueError(f"Unsupported Bounding Box area for given format {fmt}")
    boxes = _upcast(boxes)
    if fmt == "xyxy":
        return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])
    return boxes[..., 2] * boxes[..., 3]


def _enclosed(boxes1: Tensor, boxes2: Tensor) -> tuple[Tensor, Tensor]:
    """The sizes, of every pair, of the intersection and of the smallest box around both."""
    first, second = boxes1[..., None, :], boxes2[..., None, :, :]
    highest, lowest = flambeau.maximum(first, second), flambeau.minimum(first, second)
    inner = _upcast(lowest[..., 2:] - highest[..., :2]).clamp(min=0)
    outer = _upcast(highest[..., 2:] - lowest[..., :2]).clamp(min=0)
    return inner, outer


def _overlap(boxes1: Tensor, boxes2: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of every pair: intersection over union, the union, and the size of the box around both."""
    inner, outer = _enclosed(boxes1, boxes2)
    intersection = inner[..., 0] * inner[..., 1]
    union = box_area(boxes1)[..., None] + box_area(boxes2)[..., None, :] - intersection
    return intersection / union, union, outer


def box_iou(boxes1: Tensor, boxes2: Tensor, fmt: str = "xyxy") -> Tensor:
    """Intersection over union (..., N, M) of every pair of boxes (..., N, 4), (..., M, 4)."""
    if fmt not in _FORMATS:
        raise ValueError(
            f"Unsupported format '{fmt}'. Supported axis-aligned formats: {_FORMATS}."
        )
    if fmt != "xyxy":
        boxes1, boxes2 = (box_convert(b, fmt, "xyxy") for b in (boxes1, boxes2))
    return _overlap(boxes1, boxes2)[0]


def generalized_box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """IoU minus the empty part of the smallest box around both (Rezatofighi et al., 2019)."""
    iou, union, outer = _overlap(boxes1, boxes2)
    area = outer[..., 0] * outer[..., 1]
    return iou - (area - union) / area


def _distance_iou(boxes1: Tensor, boxes2: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    iou, _, outer = _overlap(boxes1, boxes2)
    diagonal = outer[..., 0] ** 2 + outer[..., 1] ** 2 + eps
    middle1, middle2 = ((b[..., :2] + b[..., 2:]) / 2 for b in (boxes1, boxes2))
    between = middle1[..., None, :] - middle2[..., None, :, :]
    return iou - (between**2).sum(-1) / diagonal, iou


def distance_box_iou(boxes1: Tensor, boxes2: Tensor, eps: float = 1e-7) -> Tensor:
    """IoU minus the squared distance of the middles over the squared diagonal (Zheng, 2020)."""
    return _distance_iou(_upcast(boxes1), _upcast(boxes2), eps)[0]


def complete_box_iou(boxes1: Tensor, boxes2: Tensor, eps: float = 1e-7) -> Tensor:
    """`distance_box_iou` minus a term for the aspect ratios (Zheng et al., 2020)."""
    boxes1, boxes2 = _upcast(boxes1), _upcast(boxes2)
    distance, iou = _distance_iou(boxes1, boxes2, eps)
    slope1, slope2 = (
        flambeau.atan((b[..., 2] - b[..., 0]) / (b[..., 3] - b[..., 1])) for b in (boxes1, boxes2)
    )
    v = (4 / math.pi**2) * (slope1[..., None] - slope2[..., None, :]) ** 2
    with flambeau.no_grad():
        alpha = v / (1 - iou + v + eps)
    return distance - alpha * v


def clip_boxes_to_image(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Boxes (..., 4) cut off at the edges of an image of (height, width)."""
    height, width = size
    x = boxes[..., 0::2].clamp(min=0, max=width)
    y = boxes[..., 1::2].clamp(min=0, max=height)
    return flambeau.stack((x, y), dim=boxes.dim()).reshape(boxes.shape)


def remove_small_boxes(boxes: Tensor, min_size: float) -> Tensor:
    """The indices of the boxes (N, 4) whose sides are both at least `min_size`."""
    array = boxes.detach().numpy()
    keep = ((array[..., 2:] - array[..., :2]) >= min_size).all(axis=-1)
    return flambeau.from_numpy(np.flatnonzero(keep).astype(np.int64))


def masks_to_boxes(masks: Tensor) -> Tensor:
    """The boxes (N, 4) around masks (N, H, W); zeros for an empty mask."""
    array = masks.numpy() != 0
    boxes = np.zeros((len(array), 4), np.float32)
    for box, mask in zip(boxes, array):
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if len(rows):
            box[:] = columns[0], rows[0], columns[-1], rows[-1]
    return flambeau.from_numpy(boxes)


def _check_scored_boxes(boxes: Tensor, scores: Tensor) -> None:
    if boxes.dim() != 2:
        raise RuntimeError(f"boxes should be a 2d tensor, got {boxes.dim()}D")
    if boxes.size(1) != 4:
        raise RuntimeError(
            f"boxes should have 4 elements in dimension 1, got {boxes.size(1)}"
        )
    if scores.dim() != 1:
        raise RuntimeError(f"scores should be a 1d tensor, got {scores.dim()}D")
    if boxes.size(0) != scores.size(0):
        raise RuntimeError(
            "boxes and scores should have same number of elements in dimension 0, got "
            f"{boxes.size(0)} and {scores.size(0)}"
        )


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """The indices of the boxes that remain when each removes worse ones that overlap it.

    Args:
        boxes: (N, 4).
        scores: (N).
        iou_threshold: boxes with a larger intersection over union overlap.

    Returns int64 indices, from the highest score down.
    """
    _check_scored_boxes(boxes, scores)
    kept = _nms(boxes.detach().numpy(), scores.detach().numpy(), iou_threshold)
    return flambeau.from_numpy(kept)


def _nms(boxes: np.ndarray, scores: np.ndarray, iou_threshold: float) -> np.ndarray:
    order = np.argsort(-scores, kind="stable")
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    kept = []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(best)
        corner = np.maximum(boxes[best, :2], boxes[rest, :2])
        size = (np.minimum(boxes[best, 2:], boxes[rest, 2:]) - corner).clip(0)
        intersection = size[:, 0] * size[:, 1]
        union = areas[best] + areas[rest] - intersection
        with np.errstate(invalid="ignore", divide="ignore"):
            order = rest[~(intersection / union > iou_threshold)]
    return np.array(kept, np.int64)


def batched_nms(boxes: Tensor, scores: Tensor, idxs: Tensor, iou_threshold: float) -> Tensor:
    """`nms` among the boxes of each class `idxs` (N) by itself."""
    _check_scored_boxes(boxes, scores)
    array, values = boxes.detach().numpy(), scores.detach().numpy()
    classes = idxs.numpy()
    kept = [
        members[_nms(array[members], values[members], iou_threshold)]
        for members in (np.flatnonzero(classes == c) for c in np.unique(classes))
    ]
    indices = np.concatenate([*kept, np.empty(0, np.int64)])
    return flambeau.from_numpy(indices[np.argsort(-values[indices], kind="stable")])
