"""`pose` on people and points that are known beforehand, and with real weights on a real person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from PIL import Image

import sightline
from sightline.architectures.people import PersonFound, Upright
from sightline.errors import InvalidCard, InvalidOption
from sightline.images.encode import encode
from sightline.images.geometry import Box
from sightline.settings import Settings
from sightline.tasks.base import Answer
from sightline.tasks.pose import KEYPOINTS, Pose
from tests.fakes.people import FakePeople, FakePose

BLANK = np.zeros((400, 300, 3), np.uint8)
ONE = PersonFound(Box(100, 40, 80, 340), 0.9)
TWO = PersonFound(Box(-20, 200, 60, 150), 0.6)


@dataclass(frozen=True)
class Thing:
    """What a detector of everyday things finds."""

    label: str
    confidence: float
    box: Box


def test_people_come_with_boxes_points_and_the_frame(
    quiet: Settings, checked: Callable[[Answer], dict[str, Any]]
) -> None:
    said = checked(Pose(FakePose(), FakePeople([TWO, ONE]), quiet)(BLANK))
    assert [person["confidence"] for person in said["people"]] == [0.9, 0.6]
    first, second = said["people"]
    assert list(first["keypoints"]) == list(KEYPOINTS)
    assert first["box"] == {"x": 100, "y": 40, "width": 80, "height": 340}
    assert first["keypoints"]["nose"] == {"x": 140, "y": 50, "confidence": 0.75}
    assert first["keypoints"]["right_ankle"] == {"x": 140, "y": 370, "confidence": 0.75}
    assert second["box"] == {"x": 0, "y": 200, "width": 40, "height": 150}, "clipped to the picture"
    assert said["image"] == {"width": 300, "height": 400}
    assert [model["name"] for model in said["models"]] == ["fake-pose", "fake-people"]


def test_points_beyond_cocos_follow_them(quiet: Settings, checked: Callable[[Answer], dict[str, Any]]) -> None:
    labels = ("left_heel", *reversed(KEYPOINTS), "right_heel")
    (person,) = checked(Pose(FakePose(labels), FakePeople([ONE]), quiet)(BLANK))["people"]
    assert list(person["keypoints"]) == [*KEYPOINTS, "left_heel", "right_heel"]
    assert person["keypoints"]["left_heel"]["y"] < person["keypoints"]["nose"]["y"], "the network's order, not COCO's"


def test_of_a_detector_of_things_only_people_count(quiet: Settings) -> None:
    things = [Thing("horse", 0.95, Box(0, 0, 90, 90)), Thing("person", 0.8, Box(10, 10, 50, 90))]
    (person,) = Pose(FakePose(), FakePeople(things), quiet)(BLANK).people
    assert person.box == Box(10, 10, 50, 90)
    assert person.confidence == 0.8


@pytest.mark.parametrize(("confidence", "count"), [(None, 2), (0, 3), (0.61, 1), ("0.6", 2), (1, 0)])
def test_the_doubtful_are_left_out(quiet: Settings, confidence: Any, count: int) -> None:
    task = Pose(FakePose(), FakePeople([ONE, TWO, PersonFound(Box(0, 0, 9, 9), 0.1)]), quiet)
    assert len(task(BLANK, confidence=confidence).people) == count


def test_nobody_is_an_answer(quiet: Settings, checked: Callable[[Answer], dict[str, Any]]) -> None:
    assert checked(Pose(FakePose(), FakePeople(), quiet)(BLANK))["people"] == []


def test_a_person_whom_the_pose_network_does_not_see_is_left_out(quiet: Settings) -> None:
    assert Pose(FakePose(presence=0.4), FakePeople([ONE]), quiet)(BLANK).people == ()
    assert len(Pose(FakePose(presence=0.6), FakePeople([ONE]), quiet)(BLANK).people) == 1


def test_where_the_detector_knows_no_box_it_lies_around_the_points(quiet: Settings) -> None:
    body = PersonFound(Box(0, 50, 300, 300), 0.9, Upright((150, 200), 300, 0.0))
    (person,) = Pose(FakePose(), FakePeople([body]), quiet)(BLANK).people
    ys = [point.y for point in person.keypoints.values()]
    assert 0 < person.box.y < min(ys)
    assert max(ys) < person.box.y + person.box.height < 400
    assert person.box.width < 100
    (unsure,) = Pose(FakePose(score=0.1), FakePeople([body]), quiet)(BLANK).people
    assert unsure.box == Box(0, 50, 300, 300), "no point is sure"


def test_a_reduced_jpeg_is_answered_in_full_size_pixels(quiet: Settings) -> None:
    photo = encode(Image.new("RGB", (4160, 80), (90, 90, 90)), "JPEG")
    answer = Pose(FakePose(), FakePeople([PersonFound(Box(10, 5, 20, 30), 0.9)]), quiet)(photo)
    assert (answer.frame.width, answer.frame.height) == (4160, 80)
    assert answer.people[0].box == Box(20, 10, 40, 60)
    assert answer.people[0].keypoints["nose"].x == pytest.approx(40)
    assert answer.draw(photo).size == (4160, 80)


def test_only_points_that_are_sure_are_drawn(quiet: Settings) -> None:
    def drawn(score: float) -> np.ndarray:
        return np.asarray(Pose(FakePose(score=score), FakePeople([ONE]), quiet)(BLANK).draw(BLANK))

    assert drawn(0.9)[50, 140].any(), "the nose"
    assert not drawn(0.1)[60:360, 120:160].any()
    assert drawn(0.1)[200, 100].any(), "the box"


def test_a_network_without_cocos_points_is_refused(quiet: Settings) -> None:
    with pytest.raises(InvalidCard, match="right_ankle"):
        Pose(FakePose(KEYPOINTS[:-1]), FakePeople(), quiet)


def test_options_are_checked(quiet: Settings) -> None:
    task = Pose(FakePose(), FakePeople(), quiet)
    with pytest.raises(InvalidOption, match="confidence"):
        task(BLANK, confidence=1.5)


@pytest.mark.models
@pytest.mark.parametrize("model", ["movenet-lightning", "blazepose-full"])
def test_a_real_person_has_the_joints_where_they_are(model: str, portrait: np.ndarray) -> None:
    (person,) = sightline.load("pose", model=model, detector="blazepose-detector")(portrait).people
    at = {name: (point.x, point.y) for name, point in person.keypoints.items()}
    # Read off the photo by eye; she faces the camera, so that her right is at the picture's left.
    truth = {"nose": (219, 131), "right_eye": (200, 103), "left_eye": (246, 104), "right_shoulder": (96, 250)}
    for name, (x, y) in {**truth, "left_shoulder": (315, 255)}.items():
        assert np.hypot(at[name][0] - x, at[name][1] - y) < (30 if "shoulder" in name else 14), name
    assert person.keypoints["nose"].confidence > 0.5
    assert person.keypoints["left_ankle"].confidence < 0.2, "not on the photo"
    left, top, right, bottom = person.box.corners
    assert left < 96
    assert right > 300
    assert top < 100
    assert bottom > 450


@pytest.mark.models
def test_a_person_who_lies_is_turned_upright_first(portrait: np.ndarray) -> None:
    task = sightline.load("pose", model="blazepose-full", detector="blazepose-detector")
    lying = np.ascontiguousarray(np.rot90(portrait))
    upright, turned = (task(picture).people[0].keypoints for picture in (portrait, lying))
    for name in ("nose", "left_eye", "right_eye", "left_shoulder", "right_shoulder"):
        x, y = turned[name].x, turned[name].y
        assert np.hypot(512 - y - upright[name].x, x - upright[name].y) < 40, name


@pytest.mark.models
def test_a_photo_of_nobody_has_nobody(no_people_jpeg: Any) -> None:
    for model in ("movenet-lightning", "blazepose-full"):
        assert sightline.load("pose", model=model, detector="blazepose-detector")(no_people_jpeg).people == ()
