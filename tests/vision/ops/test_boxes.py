"""Boxes: areas, overlaps, formats and suppression."""

import numpy as np
import pytest

import flambeau as torch
from flambeau.vision import ops

BOXES = [[0.0, 0.0, 2.0, 2.0], [1.0, 1.0, 3.0, 3.0], [5.0, 5.0, 6.0, 7.0]]


def test_areas_and_overlaps():
    boxes = torch.tensor(BOXES)
    assert ops.box_area(boxes).tolist() == [4.0, 4.0, 2.0]
    overlaps = ops.box_iou(boxes, boxes[:2]).numpy()
    np.testing.assert_allclose(overlaps, [[1, 1 / 7], [1 / 7, 1], [0, 0]], rtol=1e-6)
    np.testing.assert_allclose(
        ops.generalized_box_iou(boxes[:1], boxes[2:]).numpy(), [[-(42 - 6) / 42]], rtol=1e-6
    )
    np.testing.assert_allclose(
        ops.distance_box_iou(boxes[:1], boxes[1:2]).numpy(), [[1 / 7 - 2 / 18]], rtol=1e-5
    )
    np.testing.assert_allclose(  # of one shape: no term for the aspect
        ops.complete_box_iou(boxes[:1], boxes[1:2]).numpy(), [[1 / 7 - 2 / 18]], rtol=1e-5
    )
    whole = torch.tensor([[0, 0, 100, 200]], dtype=torch.uint8)
    assert ops.box_area(whole).tolist() == [20000]


def test_overlaps_have_gradients():
    boxes = torch.tensor(BOXES[:1], requires_grad=True)
    ops.box_iou(boxes, torch.tensor(BOXES[1:2])).sum().backward()
    assert (boxes.grad[0, 2:] > 0).all().item()


@pytest.mark.parametrize("source", ["xyxy", "xywh", "cxcywh"])
@pytest.mark.parametrize("target", ["xyxy", "xywh", "cxcywh"])
def test_formats(source, target):
    forms = {"xyxy": [1.0, 2.0, 4.0, 8.0], "xywh": [1.0, 2.0, 3.0, 6.0]}
    forms["cxcywh"] = [2.5, 5.0, 3.0, 6.0]
    boxes = torch.tensor([forms[source]])
    assert ops.box_convert(boxes, source, target).tolist() == [forms[target]]
    assert ops.box_area(boxes, source).tolist() == [18.0]
    assert ops.box_iou(boxes, boxes, source).tolist() == [[1.0]]
    with pytest.raises(ValueError, match="Unsupported Bounding Box Conversions for given in_fmt"):
        ops.box_convert(boxes, source, "abc")


def test_suppression():
    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10], [0, 0, 9, 10]])
    scores = torch.tensor([0.6, 0.9, 0.1, 0.8])
    assert ops.nms(boxes, scores, 0.5).tolist() == [1, 2]
    assert ops.batched_nms(boxes, scores, torch.tensor([0, 1, 0, 0]), 0.5).tolist() == [1, 3, 2]
    assert ops.nms(torch.zeros(0, 4), torch.zeros(0), 0.5).tolist() == []
    assert ops.batched_nms(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0), 0.5).tolist() == []
    with pytest.raises(RuntimeError, match="boxes and scores should have same number of elements"):
        ops.nms(boxes, scores[:2], 0.5)
    with pytest.raises(RuntimeError, match="boxes should have 4 elements in dimension 1, got 3"):
        ops.nms(boxes[:, :3], scores, 0.5)


def test_clipping_and_small_boxes():
    boxes = torch.tensor([[-1.0, 2.0, 20.0, 30.0], [1.0, 1.0, 1.5, 9.0]])
    clipped = ops.clip_boxes_to_image(boxes, (10, 15))
    assert clipped.tolist() == [[0.0, 2.0, 15.0, 10.0], [1.0, 1.0, 1.5, 9.0]]
    assert ops.remove_small_boxes(boxes, 1.0).tolist() == [0]


def test_masks_to_boxes():
    masks = torch.zeros(2, 5, 6, dtype=torch.bool)
    masks[0, 1:3, 2:5] = True
    assert ops.masks_to_boxes(masks).tolist() == [[2.0, 1.0, 4.0, 2.0], [0.0, 0.0, 0.0, 0.0]]


def test_stochastic_depth():
    torch.manual_seed(0)
    x = torch.ones(400, 3)
    rows = ops.stochastic_depth(x, 0.25, "row").numpy()
    assert set(np.unique(rows.round(4))) == {0.0, np.float32(1.3333)}
    assert (rows == rows[:, :1]).all() and 0.15 < (rows[:, 0] == 0).mean() < 0.35
    assert ops.StochasticDepth(0.5, "row").eval()(x) is x
    with pytest.raises(ValueError, match="mode has to be either 'batch' or 'row', but got x"):
        ops.stochastic_depth(x, 0.5, "x")


def test_frozen_batch_norm_ignores_the_counter():
    frozen = ops.FrozenBatchNorm2d(2)
    frozen.load_state_dict(torch.nn.BatchNorm2d(2).state_dict())
    x = torch.rand(1, 2, 3, 3)
    np.testing.assert_allclose(frozen(x).numpy(), x.numpy() / np.sqrt(1 + 1e-5), rtol=1e-6)
    assert repr(frozen) == "FrozenBatchNorm2d(2, eps=1e-05)" and not list(frozen.parameters())
