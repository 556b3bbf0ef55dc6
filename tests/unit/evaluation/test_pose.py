"""`evaluate pose`: figures that are known beforehand, and data that is not COCO's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sightline.architectures.people import PersonFound
from sightline.errors import InvalidOption
from sightline.evaluation.pose import evaluate
from sightline.images.geometry import Box
from sightline.settings import Settings
from sightline.tasks.pose import KEYPOINTS, Pose
from tests.fakes.people import FakePeople, FakePose

BOXES = {1: (20.0, 20.0, 60.0, 160.0), 2: (100.0, 30.0, 40.0, 120.0)}
PERFECT = FakePose()


def note(number: int, **members: Any) -> dict[str, Any]:
    """The label of a person whose points are where `FakePose` sees them."""
    box = Box(*BOXES[number])
    found = PERFECT.pose(np.zeros((200, 200, 3), np.uint8), PersonFound(box, 1.0))
    keypoints = [value for x, y in found.points.tolist() for value in (x, y, 2)]
    return {
        "id": number,
        "image_id": 1,
        "category_id": 1,
        "bbox": list(BOXES[number]),
        "area": box.area,
        "iscrowd": 0,
        "keypoints": keypoints,
        "num_keypoints": len(KEYPOINTS),
        **members,
    }


@pytest.fixture
def quiet(tmp_path: Path) -> Settings:
    return Settings(cache=tmp_path / "cache", offline=True)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two pictures: two people on the first, nobody on the second."""
    (tmp_path / "images").mkdir()
    for name in ("a.png", "b.png"):
        Image.new("RGB", (200, 200)).save(tmp_path / "images" / name)
    label(tmp_path, [note(1), note(2)])
    return tmp_path


def label(data: Path, notes: list[dict[str, Any]], **members: Any) -> None:
    images = [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.png"}]
    table = {"images": images, "annotations": notes, "categories": [{"id": 1, "name": "person"}], **members}
    (data / "person_keypoints.json").write_text(json.dumps(table))


def task(quiet: Settings, *numbers: int, shift: float = 0.0) -> Pose:
    """Finds these people on both pictures."""
    boxes = [Box(x + shift, y, width, height) for x, y, width, height in (BOXES[number] for number in numbers)]
    found = [PersonFound(box, 0.9 - 0.1 * index) for index, box in enumerate(boxes)]
    return Pose(PERFECT, FakePeople(found), quiet)


def test_true_boxes_and_true_points_are_perfect(data: Path, quiet: Settings) -> None:
    figures = evaluate(task(quiet), data, 1, boxes="labelled")
    assert (figures["ap"], figures["ap50"], figures["ar"]) == (1, 1, 1)
    assert figures["ap_interval"][1] == 1
    assert (figures["n"], figures["pictures"], figures["boxes"]) == (2, 2, "labelled")


def test_people_on_a_picture_of_nobody_cost_precision(data: Path, quiet: Settings) -> None:
    figures = evaluate(task(quiet, 1, 2), data, 2)
    assert figures["ar"] == 1
    assert 0.4 < figures["ap"] < 0.9
    assert figures["boxes"]["name"] == "fake-people"


def test_someone_missed_costs_recall(data: Path, quiet: Settings) -> None:
    assert evaluate(task(quiet, 1), data, 1)["ar"] == 0.5


def test_points_that_are_a_little_off_count_at_lower_similarities_only(data: Path, quiet: Settings) -> None:
    figures = evaluate(task(quiet, 1, 2, shift=8.0), data, 1)
    assert 0 < figures["ap"] < figures["ap50"]
    assert evaluate(task(quiet, 1, 2, shift=80.0), data, 1)["ap50"] == 0


def test_crowds_and_people_without_points_are_not_asked_for(data: Path, quiet: Settings) -> None:
    label(data, [note(1), note(2, num_keypoints=0, keypoints=[0] * 51)])
    figures = evaluate(task(quiet), data, 1, boxes="labelled")
    assert (figures["n"], figures["ap"]) == (1, 1)


def test_a_picture_that_cannot_be_read_is_skipped_and_named(data: Path, quiet: Settings) -> None:
    (data / "images" / "b.png").write_bytes(b"no picture")
    figures = evaluate(task(quiet, 1, 2), data, 1)
    assert figures["skipped"]["count"] == 1
    assert list(figures["skipped"]["why"]) == ["b.png"]
    assert (figures["pictures"], figures["ap"]) == (1, 1)


@pytest.mark.parametrize(
    "members",
    [
        {"categories": [{"id": 1, "name": "dog"}]},
        {"annotations": [{**note(1), "keypoints": [1, 2, 3]}]},
        {"annotations": [{key: value for key, value in note(1).items() if key != "keypoints"}]},
    ],
)
def test_labels_without_people_or_points_are_refused(data: Path, quiet: Settings, members: dict[str, Any]) -> None:
    label(data, [], **members)
    with pytest.raises(InvalidOption, match=r"person_keypoints\.json"):
        evaluate(task(quiet), data, 1)
