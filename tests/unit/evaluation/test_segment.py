"""Mask figures of `segment`, on drawn pictures whose answers are known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sightline.architectures.base import Mask, ObjectFound
from sightline.errors import InvalidOption
from sightline.evaluation.segment import evaluate
from sightline.images.geometry import Box
from sightline.images.patch import Window
from sightline.images.picture import Pixels
from sightline.settings import Settings
from sightline.tasks.segment import Segment
from tests.fakes.cards import card
from tests.fakes.models import FakeSegmenter, _Fake

pytest.importorskip("pycocotools", reason="pycocotools is not installed: pip install 'sightline[coco]'")

BOX = (20, 10, 60, 80)


class Sure(_Fake):
    """Knows where the person and the thing are, and the person's very pixels: what is bright."""

    def __init__(self) -> None:
        super().__init__(card(name="sure", labels=["person", "cup"], thresholds={"score": 0.3, "iou": 0.5}))

    def detect(self, pixels: Pixels, at_least: float | None = None) -> list[ObjectFound]:
        return [ObjectFound("person", 0.9, Box(*BOX)), ObjectFound("spoon", 0.8, Box(0, 0, 9, 9))]

    def figure(self, pixels: Pixels, box: Box, window: Window) -> Mask:
        return np.where(pixels[window.slices].min(axis=2) > 128, 40.0, -40.0).astype(np.float32)


def data(folder: Path) -> Path:
    """Three pictures with one person each, a bright rectangle with a dark head room, and a cup on the first."""
    (folder / "images").mkdir()
    pictures, notes = [], []
    for number in range(3):
        pixels = np.full((100, 120, 3), 40, np.uint8)
        pixels[30:90, 20:80] = pixels[10:30, 40:60] = 220
        Image.fromarray(pixels).save(folder / "images" / f"{number}.png")
        pictures.append({"id": number, "file_name": f"{number}.png", "width": 120, "height": 100})
        shape = [[20, 30, 40, 30, 40, 10, 60, 10, 60, 30, 80, 30, 80, 90, 20, 90]]
        note = {"image_id": number, "category_id": 1, "bbox": list(BOX), "segmentation": shape, "area": 4000}
        notes.append({**note, "id": len(notes) + 1, "iscrowd": 0})
    cup = {
        "image_id": 0,
        "category_id": 2,
        "bbox": [90, 60, 20, 20],
        "segmentation": [[90, 60, 110, 60, 110, 80, 90, 80]],
    }
    notes.append({**cup, "id": 9, "area": 400, "iscrowd": 0})
    crowd = {"size": [100, 120], "counts": [11000, 1000]}
    notes.append(
        {
            "image_id": 1,
            "category_id": 1,
            "bbox": [110, 0, 10, 100],
            "segmentation": crowd,
            "id": 10,
            "area": 1000,
            "iscrowd": 1,
        }
    )
    kinds = [{"id": 1, "name": "person"}, {"id": 2, "name": "cup"}]
    (folder / "instances.json").write_text(json.dumps({"images": pictures, "annotations": notes, "categories": kinds}))
    return folder


def figures(folder: Path, segmenter: Any = None) -> dict[str, Any]:
    sure = Sure()
    return evaluate(Segment(segmenter or FakeSegmenter(), sure, sure, Settings()), folder, workers=2)


def test_known_masks(tmp_path: Path) -> None:
    found = figures(data(tmp_path))
    for where in ("people", "people_in_true_boxes"):
        assert {found[where][name] for name in ("ap", "ap50", "ap75", "ar")} == {1.0}
        assert found[where]["ap_interval"] == [1.0, 1.0]
    assert found["people_in_true_boxes"]["mean_iou"] == 1.0
    assert found["people_in_true_boxes"]["n"] == 3
    assert found["ap"] == 0.5, "people are found, the cup is not"
    assert found["person_iou"] == 1.0, "the bright pixels are the people"
    assert found["things_in_true_boxes"]["n"] == 1
    assert (found["n"], found["pictures"], found["skipped"]) == (4, 3, {"count": 0, "why": {}})
    assert 0 < found["grabcut_in_true_boxes"]["mean_iou"] <= 1


def test_wrong_masks_count(tmp_path: Path) -> None:
    folder = data(tmp_path)
    dataset = json.loads((folder / "instances.json").read_text())
    dataset["annotations"][0]["segmentation"] = [[20, 30, 80, 30, 80, 50, 20, 50]]
    (folder / "instances.json").write_text(json.dumps(dataset))
    found = figures(folder, FakeSegmenter(np.zeros((4, 4), np.float32)))
    assert found["people_in_true_boxes"]["mean_iou"] == pytest.approx((2 + 1200 / 4000) / 3, abs=1e-3)
    assert found["people"]["ap"] < 0.7
    assert found["person_iou"] == 0.0


def test_a_crowd_counts_neither_way(tmp_path: Path) -> None:
    folder = data(tmp_path)
    with Image.open(folder / "images" / "1.png") as image:
        pixels = np.array(image)
    pixels[:, 110:] = 220
    Image.fromarray(pixels).save(folder / "images" / "1.png")
    assert figures(folder)["person_iou"] == 1.0


def test_pictures_that_cannot_be_judged(tmp_path: Path) -> None:
    folder = data(tmp_path)
    (folder / "images" / "2.png").write_bytes(b"no picture")
    found = figures(folder)
    assert found["skipped"]["why"] == {"2.png": "unsupported_format"}
    assert (found["pictures"], found["people"]["ap"]) == (2, 1.0)
    for name in ("0", "1"):
        (folder / "images" / f"{name}.png").write_bytes(b"")
    with pytest.raises(InvalidOption, match="could be judged"):
        figures(folder)
