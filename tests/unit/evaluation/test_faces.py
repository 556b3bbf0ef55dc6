"""Recall and precision on boxes whose matches are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.errors import InvalidOption
from sightline.evaluation.faces import evaluate, match, read_boxes
from sightline.settings import Settings
from sightline.tasks.faces import Faces
from tests.fakes.models import FakeDetector, found


def boxes(*rows: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


A, B = (0, 0, 10, 10), (20, 0, 30, 10)


def test_each_label_is_matched_once() -> None:
    assert match(boxes(A, B), boxes(B, A), 0.5) == pytest.approx([1, 1])
    assert match(boxes(A, A), boxes(A), 0.5) == pytest.approx([1])
    assert match(boxes((0, 0, 10, 5)), boxes(A), 0.5) == pytest.approx([0.5])
    assert match(boxes((0, 0, 10, 4.9)), boxes(A), 0.5) == []
    assert match(boxes(), boxes(A), 0.5) == match(boxes(A), boxes(), 0.5) == []


def test_a_box_whose_best_label_is_taken_may_match_another() -> None:
    labels = boxes((0, 0, 10, 10), (3, 0, 13, 10))
    found_boxes = boxes((0, 0, 10, 10), (1, 0, 11, 10))
    assert len(match(found_boxes, labels, 0.5)) == 2


XML = """<dataset><images>
<image file='one.png'>
<box top='10' left='20' width='30' height='40'/><box top='0' left='60' width='10' height='10'/>
</image>
<image file='two.png'></image>
</images></dataset>"""


def write(folder: Path, *names: str) -> None:
    (folder / "scene_faces.xml").write_text(XML)
    for name in names:
        Image.new("RGB", (100, 80)).save(folder / name)


def test_boxes_are_read_with_or_without_the_prefix(tmp_path: Path) -> None:
    write(tmp_path, "scene_one.png", "two.png")
    truth = read_boxes(tmp_path)
    assert truth[tmp_path / "scene_one.png"].tolist() == [[20, 10, 50, 50], [60, 0, 70, 10]]
    assert truth[tmp_path / "two.png"].shape == (0, 4)


def test_folders_that_cannot_be_judged(tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match="no XML"):
        read_boxes(tmp_path)
    write(tmp_path, "one.png")
    with pytest.raises(InvalidOption, match=r"two\.png"):
        read_boxes(tmp_path)
    (tmp_path / "scene_faces.xml").write_text("<dataset>")
    with pytest.raises(InvalidOption, match=r"scene_faces\.xml"):
        read_boxes(tmp_path)


def test_recall_and_precision(tmp_path: Path) -> None:
    write(tmp_path, "one.png", "two.png")
    # In every picture: one of the two labels of the first, half covered, and a box that nobody labelled.
    detector = FakeDetector([found(20, 10, 30, 30, 0.9), found(80, 60, 10, 10, 0.8)])
    got = evaluate(Faces(detector, Settings(cache=tmp_path)), tmp_path, 2)
    assert (got["n"], got["pictures"]) == (2, 2)
    assert got["recall"] == 0.5
    assert got["precision"] == 0.25
    assert got["mean_iou"] == 0.75
    nothing = evaluate(Faces(FakeDetector(), Settings(cache=tmp_path)), tmp_path, 1)
    assert (nothing["recall"], nothing["precision"], nothing["mean_iou"]) == (0, 0, 0)
