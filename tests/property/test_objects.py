"""What a detector's network says is read back to the boxes that were put in, whatever the picture's size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.architectures.centernet import CenterNet
from sightline.architectures.hog import Hog
from sightline.architectures.yolo import Yolo
from sightline.architectures.yolox import YoloX
from sightline.engines.base import Tensor
from sightline.errors import InvalidCard
from sightline.images.geometry import iou, nms_by_class
from tests.fakes.cards import card
from tests.fakes.engines import FakeEngine

SIDE, STRIDES = 64, (8, 16, 32)
LABELS = ["cat", "dog", "hen"]
sizes = st.tuples(st.integers(20, 400), st.integers(20, 400))
# A box as shares of the picture, wide enough to be one.
shares = st.tuples(*[st.floats(0, 0.7), st.floats(0, 0.7), st.floats(0.1, 0.3), st.floats(0.1, 0.3)])
classes = st.integers(0, len(LABELS) - 1)


def network(kind: type, output: np.ndarray, **members: Any) -> Any:
    spec = {"width": SIDE, "height": SIDE, "layout": "NCHW"}
    made = card(labels=LABELS, input=spec, thresholds={"score": 0.3, "iou": 0.5}, **{"options": {}, **members})
    return kind(made, FakeEngine(lambda _: output, outputs=(Tensor("out", output.shape, output.dtype),)))


def in_picture(share: tuple[float, ...], width: int, height: int) -> np.ndarray:
    x, y, w, h = share
    return np.array([x * width, y * height, (x + w) * width, (y + h) * height])


def check(detector: Any, width: int, height: int, box: np.ndarray, number: int, score: float) -> None:
    (thing,) = detector.detect(np.zeros((height, width, 3), np.uint8))
    assert thing.label == LABELS[number]
    assert thing.confidence == pytest.approx(score, abs=1e-5)
    assert thing.box.corners == pytest.approx(box, abs=0.02 + 1e-3 * max(width, height))
    assert detector.detect(np.zeros((height, width, 3), np.uint8), score + 0.01) == []


@given(size=sizes, share=shares, number=classes)
@settings(max_examples=60)
def test_yolox(size: tuple[int, int], share: tuple[float, ...], number: int) -> None:
    width, height = size
    box = in_picture(share, width, height)
    seen = box * min(SIDE / width, SIDE / height)  # the picture lies in the top left corner
    cells = [(SIDE // stride) ** 2 for stride in STRIDES]
    output = np.zeros((1, sum(cells), 5 + len(LABELS)), np.float32)
    center = (seen[:2] + seen[2:]) / 2
    column, row = (center // 16).astype(int)
    at = cells[0] + row * (SIDE // 16) + column
    output[0, at, :2] = center / 16 - (column, row)
    output[0, at, 2:4] = np.log((seen[2:] - seen[:2]) / 16)
    output[0, at, 4], output[0, at, 5 + number] = 0.9, 0.8
    check(network(YoloX, output, options={"strides": list(STRIDES)}), width, height, box, number, 0.72)


@pytest.mark.parametrize("kind", ["v5", "v8", "rows"])
@given(size=sizes, share=shares, number=classes)
@settings(max_examples=40)
def test_yolo_exports(kind: str, size: tuple[int, int], share: tuple[float, ...], number: int) -> None:
    width, height = size
    box = in_picture(share, width, height)
    scale = min(SIDE / width, SIDE / height)
    sides = [max(1, round(side * scale)) for side in size]
    shift = np.array([(SIDE - side) // 2 for side in sides] * 2)
    seen = box * scale + shift  # the picture lies in the middle
    row = np.zeros(5 + len(LABELS), np.float32)
    row[:4] = [*(seen[:2] + seen[2:]) / 2, *(seen[2:] - seen[:2])]
    row[4], row[5 + number] = 0.9, 0.8
    rows = np.zeros((1, 7, len(row)), np.float32)
    rows[0, 3] = row
    if kind == "v8":
        rows = np.delete(rows, 4, axis=2).transpose(0, 2, 1)
    elif kind == "rows":
        rows = np.zeros((1, 7, 6), np.float32)
        rows[0, 3] = [*seen, 0.8, number]
    score = 0.72 if kind == "v5" else 0.8
    check(network(Yolo, rows, options={"output": kind}), width, height, box, number, score)


@given(size=sizes, share=shares, number=classes)
@settings(max_examples=30)
def test_centernet(size: tuple[int, int], share: tuple[float, ...], number: int) -> None:
    width, height = size
    box = in_picture(share, width, height)
    scale = min(SIDE / width, SIDE / height)
    shift = np.array([(SIDE - max(1, round(side * scale))) // 2 for side in size] * 2)
    output = np.zeros((1, 5, 6), np.float32)
    output[0, 2] = [*(box * scale + shift), 0.6, number]
    check(network(CenterNet, output, options={"output": "out"}), width, height, box, number, 0.6)


@pytest.mark.parametrize(
    ("kind", "shape", "options"),
    [
        (YoloX, (1, 84, 9), {"strides": list(STRIDES)}),
        (YoloX, (1, 85, 8), {"strides": list(STRIDES)}),
        (Yolo, (1, 7, 9), {"output": "v5"}),
        (Yolo, (1, 9, 7), {"output": "v8"}),
        (Yolo, (1, 7, 6), {"output": "v9"}),
        (Yolo, (1, 7, 6), {}),
        (CenterNet, (1, 5, 6), {"output": "elsewhere"}),
        (CenterNet, (1, 5, 7), {"output": "out"}),
    ],
)
def test_a_card_that_does_not_fit_its_network_is_said(
    kind: type, shape: tuple[int, ...], options: dict[str, Any]
) -> None:
    with pytest.raises(InvalidCard, match="fake"):
        network(kind, np.zeros(shape, np.float32), options=options).detect(np.zeros((50, 50, 3), np.uint8))


def test_a_class_without_a_label_is_said() -> None:
    output = np.array([[[1, 1, 9, 9, 0.9, 3]]], np.float32)
    with pytest.raises(InvalidCard, match="class 3; its card has 3 labels"):
        network(Yolo, output, options={"output": "rows"}).detect(np.zeros((50, 50, 3), np.uint8))


def test_a_window_becomes_a_person() -> None:
    boxes, distances = np.array([[20, 10, 64, 128]], np.float32), np.array([1.5], np.float32)
    options = {"step": 1.05, "stride": 8, "longest": 640, "width": 0.5, "height": 0.75, "middle": 1.0, "slope": 2.0}
    engine = FakeEngine(lambda *_: (boxes, distances))
    engine.inputs = (Tensor("a", (None, None, 3), np.dtype(np.uint8)), Tensor("b", (2,), np.dtype(np.float64)))
    hog = Hog(card(labels=["person"], thresholds={"score": 0.4, "iou": 0.3}, options=options), engine)
    (person,) = hog.detect(np.zeros((800, 1280, 3), np.uint8))
    assert engine.seen[0][0].shape == (400, 640, 3)
    assert person.box.corners == pytest.approx((72, 52, 136, 244))
    assert person.confidence == pytest.approx(1 / (1 + np.exp(-1.0)))


boxes_of = st.lists(st.tuples(shares, classes, st.floats(0, 1, width=32)), max_size=12)


@given(boxes_of, st.floats(0.1, 0.9))
def test_suppression_is_among_one_label(found: list[Any], threshold: float) -> None:
    boxes = np.array([in_picture(share, 100, 100) for share, _, _ in found], np.float32).reshape(-1, 4)
    numbers = np.array([number for _, number, _ in found], np.int64)
    scores = np.array([score for _, _, score in found], np.float32)
    keep = nms_by_class(boxes, scores, numbers, threshold)
    assert list(scores[keep]) == sorted(scores[keep], reverse=True)
    overlaps = iou(boxes, boxes)
    for index in range(len(found)):
        rivals = [k for k in keep if numbers[k] == numbers[index] and k != index and overlaps[index, k] > threshold]
        if index in keep:
            assert not rivals
        else:
            assert any(scores[k] >= scores[index] for k in rivals)
